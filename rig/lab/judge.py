"""Figures from recordings and packet logs: whose channel, how far apart, how many samples.

Times are seconds of CLOCK_MONOTONIC_RAW on the host unless they say otherwise.
"""

import csv
import importlib.util
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lab import place

Floats = npt.NDArray[np.float64]

# From `antiphon play` to the last of its sound, beyond its own length: start and buffers.
LATEST_S = 8.0

SCRIPTS = Path(__file__).resolve().parent.parent.parent / "scripts"

RATE = 48_000

# A2DP has no extensions and no contributing sources.
RTP_BYTES = 12


def _check_spread() -> Any:
    """The project's independent check, for how it reads recordings."""
    spec = importlib.util.spec_from_file_location("check_spread", SCRIPTS / "check_spread.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check_spread = _check_spread()


@dataclass
class Spread:
    """The right speaker's sound minus the left one's, window by window: (source second, us or None)."""

    windows: list[tuple[float, float | None]]

    def measured(self, begin_s: float = 0.0, end_s: float = 1e9) -> list[float]:
        return [us for at, us in self.windows if us is not None and begin_s <= at < end_s]

    def share(self, begin_s: float = 0.0, end_s: float = 1e9) -> float:
        """Of the windows, those in which both speakers sounded the source."""
        count = sum(1 for at, _ in self.windows if begin_s <= at < end_s)
        return len(self.measured(begin_s, end_s)) / count if count else 0.0

    def p95_us(self, begin_s: float = 0.0, end_s: float = 1e9) -> float:
        values = sorted(abs(us) for us in self.measured(begin_s, end_s))
        return values[max(-(-len(values) * 95 // 100), 1) - 1] if values else float("inf")

    def median_us(self, begin_s: float = 0.0, end_s: float = 1e9) -> float:
        values = self.measured(begin_s, end_s)
        return float(np.median(values)) if values else float("inf")


def spread(source: Path, left: Path, right: Path, begin_s: float) -> Spread:
    """Of a source that was begun at `begin_s`; by `lab.place`."""
    samples, _ = check_spread.read_wav(source)
    seconds = len(samples) / RATE
    sides = []
    for channel, path in enumerate((left, right)):
        heard = place.sounded(check_spread.Recording(path, origin=0), begin_s - 1.0, begin_s + seconds + LATEST_S)
        sides.append(dict(place.windows(samples[:, channel], heard)))
    # Both axes begin at the same instant: lags compare.
    both = [(at, late, sides[1].get(at)) for at, late in sides[0].items()]
    return Spread([(at, None if None in (one, other) else (other - one) * 1e6) for at, one, other in both])


def separation_db(source: Path, recording: Path, own: int, begin_s: float) -> float:
    """How much more of its own channel of the source a speaker sounded than of the other, over the
    first ten seconds that it sounded whole."""
    samples, _ = check_spread.read_wav(source)
    heard = place.sounded(check_spread.Recording(recording, origin=0), begin_s - 1.0, begin_s + 20.0)
    return place.separation_db(samples[: 15 * RATE], heard, own)


def check(source: Path, left: Path, right: Path) -> dict[str, Any]:
    """What scripts/check_spread.py, which knows nothing of the lab, finds."""
    command = [sys.executable, str(SCRIPTS / "check_spread.py"), "--source", str(source)]
    done = subprocess.run([*command, "--left", str(left), "--right", str(right)], capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else {}


@dataclass
class Packets:
    """What arrived at a speaker, in order."""

    at_s: Floats
    # RTP sequence numbers and timestamps, unwrapped: what was lost on the way is missing in both.
    sequence: npt.NDArray[np.int64]
    timestamp: npt.NDArray[np.int64]
    samples: npt.NDArray[np.int64]
    bytes: npt.NDArray[np.int64]

    @classmethod
    def read(cls, path: Path) -> "Packets":
        with path.open() as file:
            rows = [row for row in csv.DictReader(file) if None not in row.values()]
        column = lambda name: np.array([int(row[name]) for row in rows], np.int64)
        return cls(
            column("raw_ns") / 1e9,
            np.unwrap(column("sequence"), period=1 << 16),
            np.unwrap(column("timestamp"), period=1 << 32),
            column("samples"),
            column("bytes"),
        )

    def between(self, begin_s: float, end_s: float) -> "Packets":
        mine = (self.at_s >= begin_s) & (self.at_s < end_s)
        return Packets(*(column[mine] for column in vars(self).values()))

    @property
    def largest(self) -> int:
        """The longest packet, in bytes, its header of RTP with it."""
        return int(np.max(self.bytes)) + RTP_BYTES if len(self.bytes) else 0

    @property
    def sent(self) -> int:
        """Samples that the sender put on the way, those of lost packets included."""
        if len(self.samples) == 0:
            return 0
        return int((self.sequence[-1] - self.sequence[0] + 1) * np.median(self.samples))

    @property
    def lost(self) -> int:
        return int(self.sequence[-1] - self.sequence[0] + 1 - len(self.sequence)) if len(self.sequence) else 0


def count_difference(one: Packets, other: Packets) -> int:
    """The most samples by which the two links' counts drifted apart while both ran, beyond one packet.

    What each link was sent since its first packet, second by second: the difference between the two must
    stay what it was.
    """
    if not len(one.at_s) or not len(other.at_s):
        return 1 << 30
    begin, end = max(one.at_s[0], other.at_s[0]) + 1.0, min(one.at_s[-1], other.at_s[-1]) - 1.0
    per_packet = int(max(np.median(one.samples), np.median(other.samples)))
    differences = []
    for second in np.arange(begin, end, 1.0):
        sent = []
        for link in (one, other):
            near = (link.at_s >= second) & (link.at_s < second + 1.0)
            if not near.any():
                break
            # Against the clock, so that bursts cancel.
            ahead = (link.sequence[near] - link.sequence[0]) * np.median(link.samples) - link.at_s[near] * RATE
            sent.append(float(np.median(ahead)))
        if len(sent) == 2:
            differences.append(sent[0] - sent[1])
    if not differences:
        return 1 << 30
    drift = np.abs(np.array(differences) - np.median(differences[:5]))
    return max(0, round(float(np.percentile(drift, 95))) - per_packet)


def unlike(one: Packets, other: Packets, begin_s: float, end_s: float) -> int | None:
    """Packets that only one of two links was sent, by the numbers of their first samples, between two instants; None
    where one of them was sent nothing. A link that returns goes on with the samples that the other is sent."""
    sent = [link.between(begin_s, end_s).timestamp for link in (one, other)]
    if not all(len(each) for each in sent):
        return None
    # The first and last of either may be on the other side of the bounds for the other.
    low, high = max(each.min() for each in sent), min(each.max() for each in sent)
    within = [set(each[(each >= low) & (each <= high)].tolist()) for each in sent]
    return len(within[0] ^ within[1])


def first_sound_s(recording: Path, begin_s: float) -> float:
    """When, after `begin_s`, the speaker sounded the first sample that is not silence."""
    heard = check_spread.Recording(recording, origin=0)
    first = max(int(heard.frame_at(np.array([begin_s]))[0]), 0)
    loud = np.flatnonzero(np.abs(heard.samples[first:]) > 1e-3)
    return float(heard.second_at(np.array([float(first + loud[0])]))[0]) if len(loud) else float("inf")


def silence_ms(recording: Path, begin_s: float, end_s: float) -> float:
    """How long the speaker sounded digital silence within the span: a stutter, while it is played to."""
    heard = check_spread.Recording(recording, origin=0)
    first, last = (int(heard.frame_at(np.array([at]))[0]) for at in (begin_s, end_s))
    part = heard.samples[max(first, 0) : last]
    # Single zeros are part of any music; runs of a millisecond are not.
    run = np.convolve(part == 0.0, np.ones(48), "valid") >= 48
    return float(np.sum(run)) / heard.rate * 1e3
