"""What a speaker sounded, written as antiphon's own virtual sinks write it.

PATH is a WAV file of 32-bit floats; PATH.timeline.json a list of {"frame", "host_ns", "rate_hz"}: from
`frame` on, which sounded at CLOCK_MONOTONIC_RAW `host_ns`, frames sounded at `rate_hz`. Both files are
whole at all times, up to a second ago, so that `room:` can listen to them as they grow.
"""

import struct
from pathlib import Path

from lab.sbc import Samples

# Headers are put right so often, in frames: about once a second.
PATCH_EVERY = 48_000

_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


class Recording:
    def __init__(self, path: Path, rate: int, channels: int) -> None:
        self.rate, self.channels = rate, channels
        self.wav = path.open("wb")
        self.timeline = Path(f"{path}.timeline.json").open("wb")
        self.frames = 0
        self.patched = 0
        self.end = 1
        self._patch()
        self.timeline.write(b"[]\n")
        self.timeline.flush()

    def samples(self, samples: Samples) -> None:
        """Frames x channels, behind those before."""
        self.wav.write(samples.astype("<f4").tobytes())
        self.frames += len(samples)
        if self.frames - self.patched >= PATCH_EVERY:
            self._patch()

    def point(self, frame: int, host_ns: int, rate_hz: float) -> None:
        """From `frame`, which sounds at `host_ns`, on, the converter's true rate is `rate_hz`."""
        comma = "," if self.end > 1 else ""
        entry = f'{comma}\n{{"frame":{frame},"host_ns":{host_ns},"rate_hz":{rate_hz!r}}}'.encode()
        self.wav.flush()
        self.timeline.seek(self.end)
        self.timeline.write(entry + b"\n]\n")
        self.timeline.flush()
        self.end += len(entry)

    def close(self) -> None:
        self._patch()
        self.wav.close()
        self.timeline.close()

    def _patch(self) -> None:
        width = 4 * self.channels
        size = self.frames * width
        header = _HEADER.pack(
            b"RIFF", size + 36, b"WAVE", b"fmt ", 16, 3, self.channels,
            self.rate, self.rate * width, width, 32, b"data", size,
        )  # fmt: skip
        self.wav.seek(0)
        self.wav.write(header)
        self.wav.seek(0, 2)
        self.wav.flush()
        self.patched = self.frames
