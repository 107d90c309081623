"""Prints what the guest found, and says whether it holds: issue by figure, exit code 1 where one does not."""

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
    holds = len(results) == len(BOUNDS_US)
    for result in results:
        good = result["p99_us"] <= BOUNDS_US[result["scene"]] and min(result["bursts"]) > 20
        holds &= good
        figures = ", ".join(f"{key.removesuffix('_us')} {value}" for key, value in result.items() if key.endswith("_us"))
        print(f"{result['scene']:10} {figures} us over {result['bursts'][1]} bursts; cards {result['cards_ppm']} ppm; "
              f"underruns {result['underruns']}: {'holds' if good else 'DOES NOT HOLD'}")
    return 0 if holds else 1


sys.exit(main())
