"""Capture sides of cards by alsa-lib, and where their counters stood against each other.

Nothing of the program under test is in it. Nor is the machine's clock in what is judged: the loopback cards of one kernel
all move their counters at its ticks, so two counters that were read between two ticks stood there at one instant, and how
late the reading was does not matter.
"""

import ctypes
import threading
import time

import numpy as np

asound = ctypes.CDLL("libasound.so.2")
CAPTURE, S16_LE, INTERLEAVED = 1, 2, 3
BUFFER_US = 500_000
BLOCK, CHANNELS = 480, 2
# Frames in which readings are one.
AROUND = 24_000


class Recorder(threading.Thread):
    """Records `devices` in 16 bits at 48 kHz, until stopped."""

    def __init__(self, devices: list[str]) -> None:
        super().__init__(daemon=True)
        self.done, self.overruns = False, 0
        self.marks: list[tuple[int, int, int]] = []
        self.cards = [Card(device) for device in devices]

    def run(self) -> None:
        for card in self.cards:
            card.start()
        while not self.done:
            self.overruns += sum(not card.read() for card in self.cards)
            self.mark()

    def mark(self) -> None:
        """Where the first and the last card's counters stand, if no tick came in between, and when that was read."""
        first, last = self.cards[0], self.cards[-1]
        before, there, after = first.count(), last.count(), first.count()
        if before is not None and there is not None and before == after:
            self.marks.append((before, there, time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)))

    def stop(self) -> list[np.ndarray]:
        """What was heard of each device, a column a channel, in 16 bits."""
        if not self.done:
            self.done = True
            self.join(5.0)
            for card in self.cards:
                card.close()
        return [card.heard() for card in self.cards]

    def clock(self) -> tuple[float, float]:
        """The instant (ns) of the first card's frame 0 and the length (ns) of its frames: the lower edge of what was read,
        since a counter is read after it has moved and never before. True to what a reading is late at least."""
        marks = np.array(self.marks, dtype=np.float64)
        count, at = marks[:, 0], marks[:, 2]
        slope = 1e9 / 48_000.0
        for _ in range(3):
            late = at - at[0] - count * slope
            edges = [piece[np.argmin(late[piece])] for piece in np.array_split(np.arange(len(at)), max(8, len(at) // 100))]
            slope, offset = np.polyfit(count[edges], at[edges] - at[0], 1)
        return at[0] + offset, slope

    def in_first(self, frames: np.ndarray, since_ns: int) -> tuple[np.ndarray, float, float, float]:
        """Places of the last card in the first card's frames; the last card's rate by the first's (ppm); how far a
        reading is off at most, in frames; and within how many frames of running evenly the two are for 99 % of the time. Of
        what was read since then: before a card is played to, its counter may go another way. A card's rounding of its periods to ticks wanders by some frames about one rate, so the readings
        around a place tell where it is, not one line for all."""
        marks = np.array([mark for mark in self.marks if mark[2] > since_ns], dtype=np.float64)
        slope, offset = np.polyfit(marks[:, 1], marks[:, 0], 1)
        rest = marks[:, 0] - offset - slope * marks[:, 1]
        edges = np.arange(marks[0, 1], marks[-1, 1] + AROUND, AROUND)
        near = np.digitize(marks[:, 1], edges)
        pieces = [near == n for n in np.unique(near)]
        at = [marks[piece, 1].mean() for piece in pieces]
        off = [rest[piece].mean() for piece in pieces]
        most = max(float(np.abs(rest[piece] - mean).max()) for piece, mean in zip(pieces, off))
        wander = float(np.percentile(np.abs(off), 99))
        return offset + slope * frames + np.interp(frames, at, off), (1.0 / slope - 1.0) * 1e6, most, wander


class Card:
    """One capture side."""

    def __init__(self, device: str) -> None:
        self.blocks, self.frames = [], 0
        self.buffer = (ctypes.c_int16 * (BLOCK * CHANNELS))()
        self.pcm = ctypes.c_void_p()
        check(asound.snd_pcm_open(ctypes.byref(self.pcm), device.encode(), CAPTURE, 0), device)
        check(asound.snd_pcm_set_params(self.pcm, S16_LE, INTERLEAVED, CHANNELS, 48_000, 0, BUFFER_US), device)
        asound.snd_pcm_readi.restype = ctypes.c_long
        asound.snd_pcm_readi.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ulong]
        asound.snd_pcm_avail.restype = ctypes.c_long
        asound.snd_pcm_avail.argtypes = [ctypes.c_void_p]

    def start(self) -> None:
        check(asound.snd_pcm_start(self.pcm), "start")

    def read(self) -> bool:
        """Waits for a block; false where frames were lost."""
        read = asound.snd_pcm_readi(self.pcm, self.buffer, BLOCK)
        if read < 0:
            asound.snd_pcm_recover(self.pcm, int(read), 1)
            asound.snd_pcm_start(self.pcm)
            return False
        self.blocks.append(np.frombuffer(self.buffer, np.int16, read * CHANNELS).copy())
        self.frames += read
        return True

    def count(self) -> int | None:
        waiting = asound.snd_pcm_avail(self.pcm)
        return self.frames + waiting if waiting >= 0 else None

    def heard(self) -> np.ndarray:
        return np.concatenate(self.blocks).reshape(-1, CHANNELS)

    def close(self) -> None:
        asound.snd_pcm_close(self.pcm)


def check(code: int, what: str) -> None:
    if code < 0:
        asound.snd_strerror.restype = ctypes.c_char_p
        raise OSError(f"{what}: {asound.snd_strerror(code).decode()}")
