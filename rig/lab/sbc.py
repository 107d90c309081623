"""SBC decoding by libsbc, which is not the project's own: what it decodes, real speakers decode."""

import ctypes
import ctypes.util
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

RATES = (16_000, 32_000, 44_100, 48_000)
MODES = ("mono", "dual", "stereo", "joint")
SYNC = 0x9C

_MOST_SAMPLES = 2 * 16 * 8


class _State(ctypes.Structure):
    _fields_ = [
        ("flags", ctypes.c_ulong),
        ("frequency", ctypes.c_uint8),
        ("blocks", ctypes.c_uint8),
        ("subbands", ctypes.c_uint8),
        ("mode", ctypes.c_uint8),
        ("allocation", ctypes.c_uint8),
        ("bitpool", ctypes.c_uint8),
        ("endian", ctypes.c_uint8),
        ("private", ctypes.c_void_p),
        ("private_alloc_base", ctypes.c_void_p),
    ]


def _library() -> Any:
    library = ctypes.CDLL(ctypes.util.find_library("sbc") or "libsbc.so.1")
    library.sbc_init.argtypes = [ctypes.POINTER(_State), ctypes.c_ulong]
    library.sbc_decode.restype = ctypes.c_ssize_t
    library.sbc_decode.argtypes = [
        ctypes.POINTER(_State),
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.POINTER(ctypes.c_size_t),
    ]
    return library


class BadFrame(Exception):
    """Bytes that are no SBC frame, or one whose check sum is wrong."""


def frame_rate(frame: bytes) -> int:
    """The rate that a frame's header tells."""
    if len(frame) < 4 or frame[0] != SYNC:
        raise BadFrame("no sync word")
    return RATES[frame[1] >> 6]


def frame_mode(frame: bytes) -> str:
    return MODES[frame[1] >> 2 & 3]


class Decoder:
    """One stream's frames, in order."""

    def __init__(self) -> None:
        self.library = _library()
        self.state = _State()
        self.library.sbc_init(ctypes.byref(self.state), 0)

    def decode(self, data: bytes) -> tuple[Samples, int]:
        """All frames of a packet: samples, frames x channels, and how many frames there were."""
        out, at, frames, channels = [], 0, 0, 1
        buffer = (ctypes.c_int16 * _MOST_SAMPLES)()
        written = ctypes.c_size_t()
        while at < len(data):
            channels = 1 if frame_mode(data[at : at + 4]) == "mono" else 2
            used = self.library.sbc_decode(
                ctypes.byref(self.state), data[at:], len(data) - at, buffer, ctypes.sizeof(buffer), ctypes.byref(written)
            )
            if used <= 0:
                raise BadFrame(f"sbc_decode gave {used} at byte {at} of {len(data)}")
            out.append(np.frombuffer(buffer, "<i2", written.value // 2).astype(np.float32) / 32768.0)
            at += used
            frames += 1
        samples = np.concatenate(out) if out else np.zeros(0, np.float32)
        return samples.reshape(-1, channels), frames
