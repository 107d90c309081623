"""What every figure is made of; used by bench.py and bench_lab.py."""

import os
from pathlib import Path

MOST_EXCUSED = 5.0


class Failed(Exception):
    """A measurement could not be made."""


def row(what, target, measured, verdict, command, note=""):
    return {"what": what, "target": target, "measured": measured, "verdict": verdict, "command": command, "note": note}


def verdict(good, excused_percent=0.0):
    if excused_percent > MOST_EXCUSED:
        return "inconclusive"
    return "met" if good else "not met"


def usage(pid):
    """Processor seconds and resident kB of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    ticks = int(fields[11]) + int(fields[12])
    status = Path(f"/proc/{pid}/status").read_text()
    kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    return ticks / os.sysconf("SC_CLK_TCK"), kb
