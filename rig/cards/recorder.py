"""A card's capture side by alsa-lib, with the instants at which its counter stood where.

Nothing of the program under test is in it: what it says of a card's clock is its own.
"""

import ctypes
import threading
import time

import numpy as np

asound = ctypes.CDLL("libasound.so.2")
CAPTURE, S16_LE, INTERLEAVED = 1, 2, 3
BUFFER_US = 500_000
BLOCK = 480


class Recorder(threading.Thread):
    """Records `device` in 16 bits at 48 kHz, until stopped."""

    def __init__(self, device: str, channels: int = 2) -> None:
        super().__init__(daemon=True)
        self.channels, self.blocks, self.marks = channels, [], []
        self.done, self.overruns = False, 0
        self.pcm = ctypes.c_void_p()
        check(asound.snd_pcm_open(ctypes.byref(self.pcm), device.encode(), CAPTURE, 0), device)
        check(asound.snd_pcm_set_params(self.pcm, S16_LE, INTERLEAVED, channels, 48_000, 0, BUFFER_US), device)
        asound.snd_pcm_readi.restype = ctypes.c_long
        asound.snd_pcm_readi.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ulong]
        asound.snd_pcm_avail.restype = ctypes.c_long
        asound.snd_pcm_avail.argtypes = [ctypes.c_void_p]

    def run(self) -> None:
        buffer = (ctypes.c_int16 * (BLOCK * self.channels))()
        frames = 0
        check(asound.snd_pcm_start(self.pcm), "start")
        while not self.done:
            read = asound.snd_pcm_readi(self.pcm, buffer, BLOCK)
            if read < 0:
                self.overruns += 1
                asound.snd_pcm_recover(self.pcm, int(read), 1)
                asound.snd_pcm_start(self.pcm)
                continue
            self.blocks.append(np.frombuffer(buffer, np.int16, read * self.channels).copy())
            frames += read
            waiting = asound.snd_pcm_avail(self.pcm)
            now = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
            if waiting >= 0:
                self.marks.append((frames + waiting, now))

    def stop(self) -> np.ndarray:
        """What was heard, a column a channel, in 16 bits."""
        if not self.done:
            self.done = True
            self.join(5.0)
            asound.snd_pcm_close(self.pcm)
        return np.concatenate(self.blocks).reshape(-1, self.channels)

    def clock(self) -> tuple[float, float]:
        """The true instant (ns) of frame 0 and the length (ns) of a frame: the lower edge of what was read, since a
        counter is read after it has moved and never before."""
        marks = np.array(self.marks, dtype=np.float64)
        count, at = marks[:, 0], marks[:, 1]
        slope = 1e9 / 48_000.0
        for _ in range(3):
            late = at - at[0] - count * slope
            edges = [piece[np.argmin(late[piece])] for piece in np.array_split(np.arange(len(at)), max(8, len(at) // 100))]
            slope, offset = np.polyfit(count[edges], at[edges] - at[0], 1)
        return at[0] + offset, slope


def check(code: int, what: str) -> None:
    if code < 0:
        asound.snd_strerror.restype = ctypes.c_char_p
        raise OSError(f"{what}: {asound.snd_strerror(code).decode()}")
