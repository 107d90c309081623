#!/usr/bin/env python3
"""Runs the virtual Bluetooth lab; `make rig` does, through rig.sh. README.md says what it is.

Leaves under --work: summary.json and summary.md, with what the same program showed in earlier runs, and in
job/SCENARIO the logs, what every speaker sounded (NAME.wav with its timeline) and what arrived at it
(NAME.packets.csv). Exit code 1 when a scenario failed, 3
when one was inconclusive because the machine stood still, 2 when the lab itself did not start.
"""

import argparse
import signal
import subprocess
import sys
import time
from pathlib import Path

from lab import report
from lab.guest import GuestFailed
from lab.world import FAIL, INCONCLUSIVE, PASS, Scenario, World
from scenarios import ALL

# An inconclusive scenario is played again: machines recover. CI has less time, and there a failed one too: only
# what fails twice in a row stops others, and what fails once is told aloud.
ATTEMPTS, ATTEMPTS_SHORT = 3, 2


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="where everything is put")
    parser.add_argument("--kernel", type=Path, required=True, help="the guest's, as rig/kernel.sh makes it")
    parser.add_argument("--antiphon", type=Path, required=True, help="the program under test")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this scenario; may be repeated")
    parser.add_argument("--short", action="store_true", help="the scenarios for CI, in their short form")
    parser.add_argument("--list", action="store_true", help="name the scenarios and end")
    return parser.parse_args()


def chosen(given: argparse.Namespace) -> list[Scenario]:
    if given.only:
        unknown = set(given.only) - {scenario.name for scenario in ALL}
        if unknown:
            raise SystemExit(f"rig: no scenario is named {', '.join(sorted(unknown))}; --list names them")
        return [scenario for scenario in ALL if scenario.name in given.only]
    return [scenario for scenario in ALL if scenario.short or not given.short]


def play(world: World, scenario: Scenario, short: bool) -> dict:
    """The scenario's entry in the summary."""
    for _ in range(ATTEMPTS_SHORT if short else ATTEMPTS):
        print(f"  {scenario.name}: {scenario.shows}", flush=True)
        begin = time.monotonic()
        verdict, scene = world.play(scenario, short)
        seconds = round(time.monotonic() - begin, 1)
        print(f"  {scenario.name}: {verdict.upper()}, {seconds} s", flush=True)
        if verdict == PASS or (verdict == FAIL and not short):
            break
    return {
        "scenario": scenario.name,
        "shows": scenario.shows,
        "verdict": verdict,
        "seconds": seconds,
        "figures": scene.figures,
        "checks": [vars(check) for check in scene.checks],
        "stalls": len(scene.stalls),
    }


def main() -> int:
    # Whoever ends the lab ends its guest too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    given = arguments()
    if given.list:
        for scenario in ALL:
            print(f"{scenario.name:22} {'short ' if scenario.short else '      '} {scenario.shows}")
        return 0
    scenarios = chosen(given)
    begin = time.monotonic()
    world = World(given.work, given.kernel, given.antiphon.resolve())
    results: list[dict] = []
    try:
        world.start()
        print(f"rig: the guest is up after {time.monotonic() - begin:.0f} s", flush=True)
        for scenario in scenarios:
            results.append(play(world, scenario, given.short))
            report.write(given.work, given.antiphon, [one.name for one in ALL], results, time.monotonic() - begin)
    except (GuestFailed, OSError, subprocess.SubprocessError) as wrong:
        print(f"rig: {wrong}", file=sys.stderr)
        return 2
    finally:
        world.stop()
    verdicts = [result["verdict"] for result in results]
    print((given.work / "summary.md").read_text())
    print(f"rig: {verdicts.count(PASS)} of {len(verdicts)} passed; recordings and logs are in {given.work}/job")
    return 1 if FAIL in verdicts else 3 if INCONCLUSIVE in verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
