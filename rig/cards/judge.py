"""Prints what the guest found, and says whether it holds: exit code 1 where a figure does not, 3 where that was with
underruns, which a machine that stood still made."""

import json
import sys
from pathlib import Path

# One card's two channels leave in one frame, as far as each speaker's clocks know; two cards each by its own.
BOUNDS_US = {"one-card": 200.0, "two-cards": 200.0}


def main() -> int:
    job = Path(sys.argv[1])
    try:
        results = json.loads((job / "results.json").read_text())
    except FileNotFoundError:
        print(f"cards: the guest found nothing; see {job}/guest.log and console.log", file=sys.stderr)
        return 2
    # A scene that came to no end is in guest.log.
    codes = [0 if len(results) == len(BOUNDS_US) else 3]
    for result in results:
        good = result["p99_us"] <= BOUNDS_US[result["scene"]] and min(result["bursts"]) > 20
        was_late = any(result["underruns"].values()) or result["overruns_of_the_recorder"]
        said = "holds" if good else "inconclusive, the machine stood still" if was_late else "DOES NOT HOLD"
        codes.append(0 if good else 3 if was_late else 1)
        figures = ", ".join(f"{key.removesuffix('_us')} {value}" for key, value in result.items() if key.endswith("_us"))
        print(f"{result['scene']:10} {figures} us over {result['bursts'][1]} bursts; cards {result['cards_ppm']} ppm; "
              f"underruns {result['underruns']}: {said}")
    return 1 if 1 in codes else max(codes)


sys.exit(main())
