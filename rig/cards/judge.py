"""Prints what the guest found, and says whether it holds: exit code 1 where a figure does not, 3 where that was while the
guest stood still for longer than a card's buffer bears, as its witness saw."""

import json
import sys
from pathlib import Path

# One card's two channels leave in one frame, as far as each speaker's clocks know; two cards each by its own.
BOUNDS_US = {"one-card": 200.0, "two-cards": 200.0}
LEAST_BURSTS = 20
# Counters are whole frames; two that were not read at one instant are a tick of 4 ms apart.
MOST_FRAMES_OFF = 4.0


def faults(result: dict) -> list[str]:
    if "in_vain" in result:
        return [result["in_vain"]]
    found = []
    if result["p99_us"] > BOUNDS_US[result["scene"]]:
        found.append(f"p99 is over {BOUNDS_US[result['scene']]:.0f} us")
    if min(result["bursts"]) < LEAST_BURSTS:
        found.append("too little was heard")
    if result["overruns_of_the_recorder"] or result["counters_off_frames"] > MOST_FRAMES_OFF:
        found.append("the recorder cannot be trusted")
    if any(result["underruns"].values()):
        found.append("a card ran dry")
    return found


def main() -> int:
    job, chosen = Path(sys.argv[1]), set(sys.argv[2:])
    try:
        results = json.loads((job / "results.json").read_text())
    except FileNotFoundError:
        print(f"cards: the guest found nothing; see {job}/guest.log and console.log", file=sys.stderr)
        return 2
    codes = []
    for result in results:
        found = faults(result)
        codes.append(0 if not found else 3 if result["stalls"] else 1)
        said = "; ".join(found) or "holds"
        if found and result["stalls"]:
            said += "; inconclusive, the machine stood still"
        figures = ", ".join(f"{key.removesuffix('_us')} {value}" for key, value in result.items() if key.endswith("_us"))
        print(f"{result['scene']:10} {figures or 'no figures'} us; {result['stalls']} stalls; {said}")
        if figures:
            print(f"{'':10} bursts {result['bursts']}; cards {result['cards_ppm']} ppm; underruns {result['underruns']}")
            print(f"{'':10} 99 % of the time the cards' counters are within {result['cards_wander']} us of running evenly against each other")
    missing = chosen - {result["scene"] for result in results}
    if missing:
        print(f"cards: {', '.join(sorted(missing))} came to no end; see {job}/guest.log", file=sys.stderr)
        codes.append(1)
    return 1 if 1 in codes else max(codes, default=1)


sys.exit(main())
