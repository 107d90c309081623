"""A speaker behind its decoder: a buffer, a clock, and what it does when the buffer is empty or full.

Written from what A2DP sinks do, not from what any program expects of them: they start some time after
the first packet, follow the rate at which samples come, slowly, by the level of their buffer, and many
never look at a timestamp. No clock is read here: every instant is an argument, in nanoseconds.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lab.sbc import Samples

# The converter's clock is set anew, and told to the timeline, so often.
STEP_NS = 250_000_000

# The level that a speaker holds is the one that it finds when it has played for some seconds: packets do not come
# evenly at a start. After an underrun it finds another. A step's level is the highest one that a packet of it
# found, since what comes late finds less; of so many steps the median counts.
FIND_STEPS = 24

# The loop that holds the buffer's level: critically damped, in radians a second; slow, since arrivals jitter by
# milliseconds and what they say moves the sound.
FOLLOW_RAD_S = 0.005

# A level so near to the one held is left alone: it is the packets' jitter, and following it would move the sound.
NEAR_S = 0.006


@dataclass
class DacModel:
    rate: int
    channels: int
    # From a packet's arrival to its sound, at the start of a stream.
    delay_ms: float
    # The converter's crystal, and how far its clock can be pulled to hold the buffer's level; 0: not at all.
    ppm: float = 0.0
    follow_ppm: float = 300.0
    # On an empty buffer: "silence" goes on with the next sample that comes, "rebuffer" waits as at a start.
    underrun: str = "silence"
    # A buffer beyond that drops what comes.
    overrun_ms: float = 600.0


@dataclass
class Counts:
    frames_in: int = 0
    frames_sounded: int = 0
    underruns: int = 0
    silent_frames: int = 0
    dropped_frames: int = 0


class Dac:
    """`out` takes frames as they sound, `point` the clock: frame, instant, rate."""

    def __init__(
        self, model: DacModel, now_ns: int, out: Callable[[Samples], None], point: Callable[[int, int, float], None]
    ) -> None:
        self.model, self.out, self.point = model, out, point
        self.counts = Counts()
        self.fifo: deque[Samples] = deque()
        self.level = 0
        self.playing = False
        self.dry = False
        self.starts_at: int | None = None
        # The clock: frame `step_frame` sounds at `step_ns`, and from there on frames sound at `hz`.
        self.frame = 0
        self.step_frame, self.step_ns = 0, float(now_ns)
        self.hz = model.rate * (1.0 + model.ppm * 1e-6)
        # The level at arrivals within this step, those of the first steps, what is held, and the loop's memory.
        self.levels: list[float] = []
        self.found: list[float] = []
        self.held: float | None = None
        # It has learnt how wrong its crystal is: it has played before.
        self.pull = float(np.clip(-model.ppm, -model.follow_ppm, model.follow_ppm)) * 1e-6
        self.hz += model.rate * self.pull
        self._tell()

    def arrive(self, now_ns: int, samples: Samples) -> None:
        """Samples from the decoder, frames x channels."""
        self.advance(now_ns)
        self.counts.frames_in += len(samples)
        if not self.playing and self.starts_at is None:
            self.starts_at = now_ns + int(self.model.delay_ms * 1e6)
        room = int(self.model.overrun_ms * 1e-3 * self.model.rate) - self.level
        if len(samples) > room:
            self.counts.dropped_frames += len(samples) - max(room, 0)
            samples = samples[: max(room, 0)]
        if self.playing:
            self.levels.append(self.level / self.model.rate)
        self.fifo.append(samples)
        self.level += len(samples)

    def stop(self) -> None:
        """The stream ended: what is in the buffer is thrown away."""
        self.fifo.clear()
        self.level = 0
        self.playing, self.starts_at = False, None
        self.levels.clear()
        self.found.clear()
        self.held = None

    def advance(self, now_ns: int) -> None:
        """Lets everything sound that sounds before `now_ns`."""
        while now_ns - self.step_ns >= STEP_NS:
            frames = int(self.hz * STEP_NS * 1e-9)
            self._until(self.step_frame + frames)
            self.step_ns += frames * 1e9 / self.hz
            self.step_frame += frames
            self._steer()
            self._tell()
        self._until(self.step_frame + int((now_ns - self.step_ns) * 1e-9 * self.hz))

    def _tell(self) -> None:
        self.point(self.step_frame, round(self.step_ns), self.hz)

    def _steer(self) -> None:
        """Faster while the buffer is fuller than at the start."""
        if not self.levels:
            return
        level = max(self.levels)
        self.levels.clear()
        if self.held is None:
            self.found.append(level)
            if len(self.found) == FIND_STEPS:
                self.held = float(np.median(self.found))
            return
        error = level - self.held
        error -= float(np.clip(error, -NEAR_S, NEAR_S))
        most = self.model.follow_ppm * 1e-6
        self.pull = float(np.clip(self.pull + FOLLOW_RAD_S**2 * error * STEP_NS * 1e-9, -most, most))
        trim = float(np.clip(2.0 * FOLLOW_RAD_S * error + self.pull, -most, most))
        self.hz = self.model.rate * (1.0 + self.model.ppm * 1e-6 + trim)

    def _until(self, frame: int) -> None:
        while self.frame < frame:
            if not self.playing:
                self._wait(frame)
            else:
                self._play(frame - self.frame)

    def _wait(self, frame: int) -> None:
        """Silence up to `frame` or the start of the stream."""
        if self.starts_at is not None:
            start = self.step_frame + int(np.ceil((self.starts_at - self.step_ns) * 1e-9 * self.hz))
            if start <= frame:
                self._silence(max(start, self.frame) - self.frame)
                self.playing, self.starts_at = True, None
                return
        self._silence(frame - self.frame)

    def _play(self, frames: int) -> None:
        if not self.fifo:
            self.counts.underruns += not self.dry
            self.dry = True
            self.found.clear()
            self.held = None
            if self.model.underrun == "rebuffer":
                self.playing = False
                return
            self.counts.silent_frames += frames
            self._silence(frames)
            return
        self.dry = False
        head = self.fifo.popleft()
        if len(head) > frames:
            self.fifo.appendleft(head[frames:])
            head = head[:frames]
        self.level -= len(head)
        self.counts.frames_sounded += len(head)
        self.frame += len(head)
        self.out(head)

    def _silence(self, frames: int) -> None:
        if frames > 0:
            self.frame += frames
            self.out(np.zeros((frames, self.model.channels), np.float32))
