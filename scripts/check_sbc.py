#!/usr/bin/env python3
"""Whether others read what our SBC encoder writes, and whether it is as good as theirs. Needs numpy,
libsbc (libsbc.so.1) and ffmpeg.

    scripts/check_sbc.py DIR

DIR is made by the example cross_check_sbc of antiphon-codec:

  streams/HZ_MODE_BLOCKS_SUBBANDS_ALLOCATION.sbc   frames of one configuration, of many bitpools
  streams/HZ_MODE_BLOCKS_SUBBANDS_ALLOCATION.s16   the same decoded by the standard's formulas
  quality/SIGNAL_HZ_CHANNELS.s16                   signals, 16 bit
  quality/SIGNAL_HZ_MODE_BLOCKS_SUBBANDS_ALLOCATION_BITPOOL.sbc   what our encoder made of them

libsbc and ffmpeg must decode every stream without a complaint (both check the CRC of each frame), to
the same count of samples and to the same sound. Then libsbc encodes the signals too, and decodes both:
ours may not be more than half a decibel worse. Frame lengths are worked out here, from the standard.
"""

import ctypes
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

MODES = ["mono", "dual", "stereo", "joint"]
RATES = [16000, 32000, 44100, 48000]
ALLOCATIONS = ["loudness", "snr"]
# In steps of 16 bits: the decoders compute with integers, the formulas in double precision.
AGREE_WITHIN = 12
WORSE_AT_MOST_DB = 0.5
INPUTS_AT_ONCE = 32


class Wrong(Exception):
    pass


class SbcStruct(ctypes.Structure):
    """`sbc_t` of sbc/sbc.h."""

    _fields_ = [("flags", ctypes.c_ulong)]
    _fields_ += [(name, ctypes.c_uint8) for name in ("frequency", "blocks", "subbands", "mode", "allocation", "bitpool", "endian")]
    _fields_ += [("priv", ctypes.c_void_p), ("priv_alloc_base", ctypes.c_void_p)]


class LibSbc:
    """One encoder or decoder of libsbc."""

    try:
        lib = ctypes.CDLL("libsbc.so.1")
    except OSError:
        sys.exit("check_sbc: libsbc.so.1 is missing; run: make setup")
    for call in (lib.sbc_decode, lib.sbc_encode):
        call.restype = ctypes.c_ssize_t
        call.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]

    def __init__(self):
        self.state = SbcStruct()
        if self.lib.sbc_init(ctypes.byref(self.state), 0) != 0:
            raise Wrong("libsbc does not start")
        self.address = ctypes.addressof(self.state)
        self.room = ctypes.create_string_buffer(4096)
        self.written = ctypes.c_size_t()

    def __del__(self):
        self.lib.sbc_finish(ctypes.byref(self.state))

    def decode(self, stream):
        """Samples (int16, interleaved) and how many frames there were."""
        source = ctypes.create_string_buffer(stream, len(stream))
        begin, at, frames, out = ctypes.addressof(source), 0, 0, []
        while at < len(stream):
            took = self.lib.sbc_decode(
                self.address, begin + at, len(stream) - at, self.room, 4096, ctypes.byref(self.written)
            )
            if took <= 0:
                raise Wrong(f"libsbc says {took} at frame {frames}" + (" (CRC)" if took == -3 else ""))
            if took != frame_bytes(stream, at):
                raise Wrong(f"libsbc takes {took} bytes for frame {frames}")
            out.append(self.room.raw[: self.written.value])
            at, frames = at + took, frames + 1
        return np.frombuffer(b"".join(out), "<i2"), frames

    def encode(self, samples, hz, mode, blocks, subbands, allocation, bitpool):
        self.state.frequency, self.state.mode = RATES.index(hz), MODES.index(mode)
        self.state.blocks, self.state.subbands = blocks // 4 - 1, subbands // 8
        self.state.allocation, self.state.bitpool = ALLOCATIONS.index(allocation), bitpool
        source = samples.tobytes()
        size = 2 * blocks * subbands * (1 if mode == "mono" else 2)
        kept = ctypes.create_string_buffer(source, len(source))
        begin, out = ctypes.addressof(kept), []
        for at in range(0, len(source) - size + 1, size):
            took = self.lib.sbc_encode(self.address, begin + at, size, self.room, 4096, ctypes.byref(self.written))
            if took != size:
                raise Wrong(f"libsbc encodes {took} of {size} bytes")
            out.append(self.room.raw[: self.written.value])
        return b"".join(out)


def frame_bytes(stream, at):
    """A2DP 1.3, 12.9, from a frame's header."""
    head, bitpool = stream[at + 1], stream[at + 2]
    blocks, mode, subbands = 4 * ((head >> 4 & 3) + 1), head >> 2 & 3, 8 if head & 1 else 4
    channels = 1 if mode == 0 else 2
    bits = blocks * bitpool * (2 if mode == 1 else 1) + (subbands if mode == 3 else 0)
    return 4 + subbands * channels // 2 + (bits + 7) // 8


def samples_of(stream):
    """Frames of a stream and the samples of all channels in them, from headers alone."""
    at = frames = samples = 0
    while at < len(stream):
        head = stream[at + 1]
        samples += 4 * ((head >> 4 & 3) + 1) * (8 if head & 1 else 4) * (1 if head >> 2 & 3 == 0 else 2)
        at, frames = at + frame_bytes(stream, at), frames + 1
    return frames, samples


def ffmpeg(paths, room):
    """What ffmpeg decodes of each file, and what it says."""
    command = ["ffmpeg", "-nostdin", "-v", "error"]
    for path in paths:
        command += ["-err_detect", "crccheck+explode", "-f", "sbc", "-i", str(path)]
    outs = [room / f"{path.name}.s16" for path in paths]
    for i, out in enumerate(outs):
        command += ["-map", str(i), "-f", "s16le", "-y", str(out)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        sys.exit("check_sbc: ffmpeg is missing; run: make setup")
    said = done.stderr.strip() or (f"exit code {done.returncode}" if done.returncode else "")
    decoded = [np.fromfile(out, "<i2") if out.exists() else np.zeros(0, "<i2") for out in outs]
    return decoded, said


def check_that_checks_fail(path, room):
    """A decoder that accepts anything proves nothing."""
    stream = bytearray(path.read_bytes())
    second = frame_bytes(stream, 0)
    stream[second + 3] ^= 0x10
    broken = room / "broken.sbc"
    broken.write_bytes(bytes(stream))
    try:
        LibSbc().decode(bytes(stream))
    except Wrong as wrong:
        if "CRC" not in str(wrong):
            raise
    else:
        raise Wrong("libsbc accepts a wrong CRC")
    if not ffmpeg([broken], room)[1]:
        raise Wrong("ffmpeg accepts a wrong CRC")


def check_streams(paths, room):
    """Every stream through both decoders."""
    total, apart = 0, 0
    batches = [paths[i : i + INPUTS_AT_ONCE] for i in range(0, len(paths), INPUTS_AT_ONCE)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        by_ffmpeg = list(pool.map(lambda batch: ffmpeg(batch, room), batches))
    for batch, (decoded, said) in zip(batches, by_ffmpeg):
        if said:
            raise Wrong(f"ffmpeg, on some of {batch[0].name} to {batch[-1].name}: {said}")
        for path, theirs in zip(batch, decoded):
            stream = path.read_bytes()
            frames, samples = samples_of(stream)
            try:
                heard, count = LibSbc().decode(stream)
            except Wrong as wrong:
                raise Wrong(f"{path.name}: {wrong}") from None
            if (count, len(heard), len(theirs)) != (frames, samples, samples):
                raise Wrong(f"{path.name}: {frames} frames and {samples} samples, libsbc {count} and {len(heard)}, ffmpeg {len(theirs)}")
            formulas = np.fromfile(path.with_suffix(".s16"), "<i2").astype(np.int32)
            here = max(int(np.max(np.abs(formulas - of))) for of in (heard, theirs))
            if here > AGREE_WITHIN:
                raise Wrong(f"{path.name}: libsbc or ffmpeg are {here} steps from the standard's formulas")
            apart, total = max(apart, here), total + frames
    print(
        f"{len(paths)} configurations, {total} frames: no complaint from libsbc or ffmpeg, and their "
        f"samples are those of the standard's formulas within {apart} steps of 16 bits"
    )


def snr(signal, heard, delay, channels):
    """In dB, all channels together; `heard` is `delay` frames late."""
    late = heard.astype(np.float64)[delay * channels :]
    length = min(len(late), len(signal))
    signal, late = signal[:length].astype(np.float64), late[:length]
    return 10 * np.log10(np.sum(signal**2) / max(np.sum((late - signal) ** 2), 1e-9))


def check_delay(signal, path, subbands):
    """The delay that this crate states is the one at which libsbc's decoder is the closest."""
    heard, _ = LibSbc().decode(path.read_bytes())
    channels = 1 if "_mono_" in path.name else 2
    best = max(range(200), key=lambda late: snr(signal, heard, late, channels))
    if best != 9 * subbands + 1:
        raise Wrong(f"{path.name}: {best} samples late, not {9 * subbands + 1}")
    print(f"delay with {subbands} subbands through libsbc's decoder: {best} samples")


def compare(path, signals):
    """SNR of ours and of libsbc's, both through libsbc's decoder."""
    name, hz, mode, blocks, subbands, allocation, bitpool = path.stem.split("_")
    hz, blocks, subbands, bitpool = int(hz), int(blocks), int(subbands), int(bitpool)
    channels = 1 if mode == "mono" else 2
    signal = signals[f"{name}_{hz}_{channels}"]
    theirs = LibSbc().encode(signal, hz, mode, blocks, subbands, allocation, bitpool)
    ours = path.read_bytes()
    if len(ours) != len(theirs):
        raise Wrong(f"{path.name}: {len(ours)} bytes, libsbc's {len(theirs)}")
    of = lambda stream: snr(signal, LibSbc().decode(stream)[0], 9 * subbands + 1, channels)
    return (name, mode, subbands), (hz, blocks, allocation, bitpool), of(ours), of(theirs)


def check_quality(directory):
    signals = {path.stem: np.fromfile(path, "<i2") for path in sorted(directory.glob("*.s16"))}
    for subbands in (4, 8):
        path = directory / f"music_48000_mono_16_{subbands}_snr_53.sbc"
        check_delay(signals["music_48000_1"], path, subbands)
    compared = [compare(path, signals) for path in sorted(directory.glob("*.sbc"))]
    table = {}
    for row, config, ours, theirs in compared:
        table.setdefault(row, []).append((ours - theirs, ours, theirs, config))
    print(f"{'SNR in dB':28}{'of':>4}{'difference':>12}{'ours':>8}{'libsbc':>8}   where it is least")
    for row, cells in sorted(table.items()):
        difference, ours, theirs, (hz, blocks, allocation, bitpool) = min(cells)
        name, mode, subbands = row
        label = f"{name}, {mode}, {subbands} subbands"
        at = f"{hz} Hz, {blocks} blocks, {allocation}, bitpool {bitpool}"
        print(f"{label:28}{len(cells):4}{difference:+12.2f}{ours:8.1f}{theirs:8.1f}   {at}")
    differences = np.array([ours - theirs for _, _, ours, theirs in compared])
    print(
        f"{len(compared)} comparisons with libsbc's encoder: {differences.min():+.2f} dB at worst, "
        f"{np.median(differences):+.2f} in the middle, {differences.max():+.2f} at best"
    )
    if differences.min() < -WORSE_AT_MOST_DB:
        raise Wrong(f"worse than libsbc by more than {WORSE_AT_MOST_DB} dB")


def main():
    if len(sys.argv) != 2:
        print("usage: check_sbc.py DIR", file=sys.stderr)
        return 2
    base = Path(sys.argv[1])
    streams = sorted((base / "streams").glob("*.sbc"))
    try:
        if not streams:
            raise Wrong("there are no streams")
        with tempfile.TemporaryDirectory() as room:
            check_that_checks_fail(streams[0], Path(room))
            check_streams(streams, Path(room))
        check_quality(base / "quality")
    except Wrong as wrong:
        print(f"check_sbc: {wrong}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
