#!/usr/bin/env python3
"""How far apart two speakers were, worked out from samples alone. Needs numpy, nothing else.

    scripts/check_spread.py DIR
    scripts/check_spread.py --source S.wav --left L.wav --right R.wav

DIR holds source.wav, left.wav and right.wav; beside each recording lies RECORDING.timeline.json, a
list of {"frame", "host_ns", "rate_hz"}: from `frame` on, frames sounded at `rate_hz`, the first of
them at `host_ns` of the machine's own clock.

Written from the definition, and by other means than antiphon-measure on purpose. Both recordings are
resampled onto one axis of true host time; there, a window of the source is compared with what each
speaker sounded, by least squares on a linearised delay, iterated to convergence; the spread is the
right speaker's delay minus the left one's. Prints one line of JSON.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

RATE = 48_000.0
WINDOW = 8_192
HOP = 12_000
# The upper end leaves out what a resampler's filter begins to attenuate.
BAND_HZ = (60.0, 16_000.0)
GOOD = 0.9


def read_wav(path):
    """Samples as float64, frames x channels, and the rate; 32-bit float or 16/24/32-bit integers."""
    data = Path(path).read_bytes()
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError(f"{path} is not a WAV file")
    at, form, body = 12, None, None
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if name == b"fmt ":
            form = data[at + 8 : at + 8 + size]
        elif name == b"data":
            body = data[at + 8 : at + 8 + size]
        at += 8 + size + (size & 1)
    if form is None or body is None:
        raise ValueError(f"{path} lacks its format or its samples")
    tag, channels = int.from_bytes(form[0:2], "little"), int.from_bytes(form[2:4], "little")
    rate, bits = int.from_bytes(form[4:8], "little"), int.from_bytes(form[14:16], "little")
    if tag == 0xFFFE:
        tag = int.from_bytes(form[24:26], "little")
    width = channels * bits // 8
    body = body[: len(body) // width * width]
    if (tag, bits) == (3, 32):
        samples = np.frombuffer(body, "<f4").astype(np.float64)
    elif (tag, bits) == (1, 16):
        samples = np.frombuffer(body, "<i2") / 2.0**15
    elif (tag, bits) == (1, 24):
        padded = np.zeros((len(body) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(body, np.uint8).reshape(-1, 3)
        samples = padded.reshape(-1).view("<i4") / 2.0**31
    elif (tag, bits) == (1, 32):
        samples = np.frombuffer(body, "<i4") / 2.0**31
    else:
        raise ValueError(f"{path}: format {tag} with {bits} bits is not read here")
    return np.nan_to_num(samples.reshape(-1, channels)), rate


class Recording:
    """One channel of a recording, and when its frames truly sounded."""

    def __init__(self, path, origin=None):
        samples, self.rate = read_wav(path)
        self.samples = samples[:, 0]
        segments = json.loads(Path(str(path) + ".timeline.json").read_text())
        self.frames = np.array([s["frame"] for s in segments], np.float64)
        self.host = [int(round(s["host_ns"])) for s in segments]
        self.rates = np.array([s["rate_hz"] for s in segments], np.float64)
        # Differences from an origin keep their digits; uptimes in a double do not.
        self.origin = self.host[0] if origin is None else origin
        self.times = np.array([(h - self.origin) / 1e9 for h in self.host])

    def frame_at(self, seconds):
        i = np.clip(np.searchsorted(self.times, seconds, side="right") - 1, 0, None)
        return self.frames[i] + (seconds - self.times[i]) * self.rates[i]

    def second_at(self, frame):
        i = np.clip(np.searchsorted(self.frames, frame, side="right") - 1, 0, None)
        return self.times[i] + (frame - self.frames[i]) / self.rates[i]

    def sounded(self, seconds):
        """What sounded at each of `seconds`: sinc interpolation over 48 frames, Hann-weighted."""
        position = self.frame_at(seconds)
        base = np.floor(position).astype(np.int64)
        taps = np.arange(-23, 25)
        distance = (position - base)[:, None] - taps
        weight = np.sinc(distance) * np.cos(np.pi * distance / 50.0) ** 2
        index = base[:, None] + taps
        inside = (index >= 0) & (index < len(self.samples))
        return np.sum(np.where(inside, self.samples[np.clip(index, 0, len(self.samples) - 1)], 0.0) * weight, axis=1)


def rough_start(source, recording):
    """Host seconds at which source frame 0 sounded, to a few milliseconds: loudness contours of the
    high frequencies (1 ms apart) and then the samples around the best fit."""
    contour = lambda x: np.sqrt(np.add.reduceat(np.diff(x, prepend=0.0) ** 2, np.arange(0, len(x), 48)))
    grid = np.arange(recording.times[0], recording.second_at(float(len(recording.samples))), 1.0 / RATE)
    nearest = np.clip(np.round(recording.frame_at(grid)).astype(np.int64), 0, len(recording.samples) - 1)
    axis = recording.samples[nearest]
    a, b = contour(source), contour(axis)
    a, b = a - a.mean(), b - b.mean()
    size = 1 << int(np.ceil(np.log2(len(a) + len(b))))
    fit = np.fft.irfft(np.fft.rfft(b, size) * np.conj(np.fft.rfft(a, size)), size)
    shift = int(np.argmax(fit))
    shift -= size if shift > size // 2 else 0
    return float(grid[0]) + shift * 48 / RATE


def place(template, weight, recording, expected):
    """Host seconds by which the window sounds later than `expected`, and the correlation there."""
    frames = np.arange(WINDOW) / RATE
    reach = 2_400
    wide = recording.sounded(expected + (np.arange(WINDOW + 2 * reach) - reach) / RATE)
    size = 1 << int(np.ceil(np.log2(len(wide) + WINDOW)))
    cross = np.fft.irfft(np.fft.rfft(wide, size) * np.conj(np.fft.rfft(template * weight, size)), size)
    power = np.fft.irfft(np.fft.rfft(wide**2, size) * np.conj(np.fft.rfft(weight, size)), size)
    lags = 2 * reach + 1
    score = cross[:lags] / np.sqrt(np.maximum(power[:lags], 1e-9) * np.sum(weight * template**2))
    late = (int(np.argmax(score)) - reach) / RATE

    window = np.sqrt(weight)
    bins = np.fft.rfftfreq(WINDOW, 1.0 / RATE)
    band = (bins >= BAND_HZ[0]) & (bins <= BAND_HZ[1])
    own = np.where(band, np.fft.rfft(template * window), 0.0)
    slope = np.fft.irfft(2j * np.pi * bins * own, WINDOW)
    shape = np.fft.irfft(own, WINDOW)
    for _ in range(12):
        heard = recording.sounded(expected + late + frames)
        heard = np.fft.irfft(np.where(band, np.fft.rfft(heard * window), 0.0), WINDOW)
        # heard = gain * (shape - step * slope): two unknowns, least squares.
        gain_part, slope_part = np.linalg.lstsq(np.stack([shape, -slope], axis=1), heard, rcond=None)[0]
        step = slope_part / gain_part if gain_part > 0 else 0.0
        late += float(np.clip(step, -1.0 / RATE, 1.0 / RATE))
        if abs(step) < 1e-11:
            break
    norm = np.sqrt(np.sum(heard**2) * np.sum(shape**2))
    return late, float(np.sum(heard * shape) / norm) if norm > 0 else 0.0


def spreads(source, left, right):
    """(centre in source seconds, spread in us or None) for every window that sounds on both sides."""
    weight = np.hanning(WINDOW + 2)[1:-1] ** 2
    sides = [(source[:, 0], left), (source[:, 1], right)]
    starts = [rough_start(channel, recording) for channel, recording in sides]
    measured = []
    for begin in range(0, len(source) - WINDOW + 1, HOP):
        late = []
        for i, (channel, recording) in enumerate(sides):
            template = channel[begin : begin + WINDOW]
            if np.sqrt(np.sum(weight * template**2) / np.sum(weight)) < 3e-4:
                late = None
                break
            expected = starts[i] + begin / RATE
            delay, quality = place(template, weight, recording, expected)
            late.append(expected + delay if quality >= GOOD else None)
            if quality >= 0.98:
                starts[i] += delay
        if late is None:
            continue
        spread = None if None in late else (late[1] - late[0]) * 1e6
        measured.append((begin / RATE, spread))
    return measured


def without_strays(measured):
    """A spread more than 5 ms from both neighbours is a window cut by a gap, not a measurement."""
    values = [s for _, s in measured]
    known = [i for i, s in enumerate(values) if s is not None]
    for n, i in enumerate(known):
        near = [values[known[m]] for m in (n - 1, n + 1) if 0 <= m < len(known)]
        if near and all(abs(values[i] - v) > 5_000.0 for v in near):
            measured[i] = (measured[i][0], None)
    return measured


def nearest_rank(ordered, percent):
    return ordered[max(-(-len(ordered) * percent // 100), 1) - 1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", nargs="?", help="holds source.wav, left.wav, right.wav")
    parser.add_argument("--source")
    parser.add_argument("--left")
    parser.add_argument("--right")
    parser.add_argument("--windows", action="store_true", help="print every window too")
    given = parser.parse_args()
    base = Path(given.directory or ".")
    path = lambda name: getattr(given, name) or base / f"{name}.wav"
    try:
        source, rate = read_wav(path("source"))
        left = Recording(path("left"))
        right = Recording(path("right"), left.origin)
    except (OSError, ValueError, KeyError, IndexError) as wrong:
        print(f"check_spread: {wrong}", file=sys.stderr)
        return 1
    if rate != RATE or source.shape[1] < 2:
        print("check_spread: the source must be stereo at 48000 Hz", file=sys.stderr)
        return 1
    measured = without_strays(spreads(source, left, right))
    values = np.array([s for _, s in measured if s is not None])
    if len(values) == 0:
        print("check_spread: no window of the source was found in both recordings", file=sys.stderr)
        return 1
    ordered = np.sort(np.abs(values)).tolist()
    result = {
        "windows": len(measured),
        "measured": len(values),
        "spread_us": {f"p{p}": round(nearest_rank(ordered, p), 4) for p in (50, 95, 99)}
        | {"max": round(ordered[-1], 4), "bias": round(float(np.median(values)), 4)},
    }
    if given.windows:
        result["each"] = [[round(t, 3), None if s is None else round(s, 4)] for t, s in measured]
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
