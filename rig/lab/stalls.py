"""When the machine stood still: `antiphon witness` on the host and in the guest, on the host's clock."""

import json
import signal
import subprocess
from pathlib import Path

from lab.guest import FIRST, Guest

# A shorter one disappears in the buffers of sender and speakers.
WORTH_MS = 100.0

# Several of these in a row do not: a failed check says nothing then.
SPOILS_MS = 40.0

# How far around a stall what was measured says nothing: buffers drain and fill again.
AROUND_S = 0.75

# More of the measurements excused than this, and the run tells nothing.
MOST_EXCUSED = 0.05


class Witness:
    def __init__(self, guest: Guest, antiphon: Path, out: Path) -> None:
        self.guest, self.out = guest, out
        self.offset_ns = guest.clock_offset_ns()
        with (out / "witness.host.jsonl").open("wb") as log:
            self.host = subprocess.Popen([*FIRST, antiphon, "witness"], stdout=log, stderr=subprocess.DEVNULL)
        self.guest.spawn("witness", "/run/antiphon", "witness", log=f"/job/{out.name}/witness.guest.jsonl")

    def stop(self) -> None:
        self.host.send_signal(signal.SIGINT)
        self.host.wait()
        if not self.guest.has_died():
            self.guest.stop("witness", signal.SIGINT)

    def read(self, worth_ms: float = WORTH_MS) -> list[tuple[float, float]]:
        """The stalls worth telling so far: begin and end, in seconds of the host's raw clock."""
        # The guest's part of the files is behind otherwise.
        self.guest.run("sync")
        stalls = self._read("witness.host.jsonl", 0, worth_ms)
        return sorted(stalls + self._read("witness.guest.jsonl", self.offset_ns, worth_ms))

    def _read(self, name: str, offset_ns: int, worth_ms: float) -> list[tuple[float, float]]:
        stalls = []
        for line in (self.out / name).read_text().splitlines():
            if not line.startswith("{") or not line.endswith("}"):
                continue
            told = json.loads(line)
            begin, end = told["begin_ns"] + offset_ns, told["end_ns"] + offset_ns
            if end - begin >= worth_ms * 1e6:
                stalls.append((begin / 1e9, end / 1e9))
        return stalls


def excused(at_s: float, stalls: list[tuple[float, float]]) -> bool:
    return any(begin - AROUND_S <= at_s <= end + AROUND_S for begin, end in stalls)
