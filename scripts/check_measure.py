#!/usr/bin/env python3
"""How much later the right speaker was heard than the left one, in a recording of the measure track.

    scripts/check_measure.py TRACK.wav RECORDING.wav

Needs numpy, nothing else. Written from the definition, and by other means than antiphon-measure on
purpose: it knows nothing of periods or sequences, only that TRACK's two channels were played and that
RECORDING heard them, some time later and on another clock. The recorder's clock comes from how the lag of the track
drifts from its begin to its end; both impulse responses come from one least-squares system over
overlapping blocks (Welch's method with two inputs); the delay is the slope of the phase between the
two direct sounds, each cut out by the same window, over 1 to 8 kHz. Prints one line of JSON.
"""

import argparse
import json
import sys

import numpy as np

from check_spread import read_wav

RATE = 48_000
BLOCK = 65_536
# The direct sound alone: as long before its peak as after.
GATE = 48
BAND_HZ = (1_000.0, 8_000.0)
AUDIBLE_HZ = (400.0, 14_000.0)
COARSE_HZ = (300.0, 500.0)


def lag_of(piece, heard, band_hz, near=None):
    """Where `piece` lies in `heard`, in frames, to a fraction of one; by correlation in a band;
    whitened and within 30 ms of `near`, if that is known."""
    size = 1 << (len(heard) + len(piece) - 1).bit_length()
    cross = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(piece, size))
    hz = np.fft.rfftfreq(size, 1 / RATE)
    cross[(hz < band_hz[0]) | (hz > band_hz[1])] = 0
    if near is not None:
        cross /= np.abs(cross) + 1e-3 * np.abs(cross).max()
    found = np.abs(np.fft.irfft(cross, size)[: len(heard)])
    if near is not None:
        outside = np.abs(np.arange(len(found)) - near) > 0.03 * RATE
        found[outside] = 0
    at = int(np.argmax(found))
    return at + summit(found[at - 1 : at + 2]) if 0 < at < len(found) - 1 else float(at)


def summit(three):
    """Of the parabola through three values, against the middle one."""
    if len(three) < 3:
        return 0.0
    bend = three[0] - 2 * three[1] + three[2]
    return 0.5 * (three[0] - three[2]) / bend if bend else 0.0


def recorder_ratio(track, heard, sounding):
    """Frames of the recorder for one of the track, and the lag at the begin.

    The track repeats itself, so a part of it fits in many places; all of it fits best in one. At low
    frequencies a wrong clock smears that place little. One period beside it would cost that period
    of the recording and nothing else."""
    begin, end = sounding
    mono = track[:, 0]
    coarse = lag_of(mono[begin:end], heard, COARSE_HZ) - begin
    length = (end - begin) // 4
    early, late = begin, end - length
    lags = [lag_of(mono[at : at + length], heard, AUDIBLE_HZ, coarse + at) - at for at in (early, late)]
    return 1 + (lags[1] - lags[0]) / (late - early), lags[0]


def resample(samples, places):
    """Band-limited interpolation at `places`, 64 taps under a Kaiser window."""
    half, out = 32, np.zeros(len(places))
    whole = np.floor(places).astype(np.int64)
    part = places - whole
    for tap in range(-half + 1, half + 1):
        x = tap - part
        window = np.i0(9.0 * np.sqrt(np.clip(1 - (x / half) ** 2, 0, 1))) / np.i0(9.0)
        index = whole + tap
        inside = (index >= 0) & (index < len(samples))
        out[inside] += (samples[index[inside]] * np.sinc(x[inside]) * window[inside])
    return out


def responses(track, heard):
    """Impulse responses of both channels: least squares over blocks that overlap by a half."""
    window = np.hanning(BLOCK)
    s_xx = np.zeros((BLOCK // 2 + 1, 2, 2), complex)
    s_xy = np.zeros((BLOCK // 2 + 1, 2), complex)
    for begin in range(0, len(track) - BLOCK, BLOCK // 2):
        x = np.fft.rfft(track[begin : begin + BLOCK].T * window)
        y = np.fft.rfft(heard[begin : begin + BLOCK] * window)
        s_xx += np.einsum("if,jf->fij", np.conj(x), x)
        s_xy += np.einsum("if,f->fi", np.conj(x), y)
    s_xx += 1e-9 * np.abs(s_xx).max() * np.eye(2)
    spectrum = np.linalg.solve(s_xx, s_xy[..., None])[..., 0].T
    hz = np.fft.rfftfreq(BLOCK, 1 / RATE)
    spectrum[:, (hz < AUDIBLE_HZ[0]) | (hz > AUDIBLE_HZ[1])] = 0
    # Lag 0 in the middle: the right speaker may be the earlier one.
    return np.roll(np.fft.irfft(spectrum), BLOCK // 2, axis=1)


def first_arrival(response):
    """The first place that has 0.4 of the greatest magnitude within 20 ms before it."""
    size = np.abs(response)
    top = int(np.argmax(size))
    from_ = top - RATE // 50
    ahead = size[np.arange(from_, top + 1)]
    first = from_ + int(np.argmax(ahead >= 0.4 * size[top]))
    while size[first + 1] > size[first]:
        first += 1
    return first


def delay_us(left, right):
    """Right later than left, by the phase slope of both direct sounds."""
    at = [first_arrival(response) for response in (left, right)]
    window = np.hanning(2 * GATE + 1)
    cut = [r[np.arange(a - GATE, a + GATE + 1)] * window for r, a in zip((left, right), at)]
    spectra = np.fft.rfft(cut, 4_096)
    hz = np.fft.rfftfreq(4_096, 1 / RATE)
    use = (hz >= BAND_HZ[0]) & (hz <= BAND_HZ[1])
    cross = (spectra[1] * np.conj(spectra[0]))[use]
    omega = 2 * np.pi * hz[use]
    weight = np.abs(cross)
    phase = np.unwrap(np.angle(cross * (1 if cross.sum().real >= 0 else -1)))
    mean = np.average(omega, weights=weight)
    slope = np.sum(weight * (omega - mean) * phase) / np.sum(weight * (omega - mean) ** 2)
    return (at[1] - at[0]) / RATE * 1e6 - slope * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("track")
    parser.add_argument("recording")
    given = parser.parse_args()
    track, rate = read_wav(given.track)
    recorded, recorded_rate = read_wav(given.recording)
    if rate != RATE or recorded_rate != RATE or track.shape[1] != 2:
        sys.exit("both must be at 48 kHz, and the track stereo")
    heard = recorded.mean(axis=1)
    loud = np.flatnonzero(np.abs(track).max(axis=1) > 0.05)
    ratio, lag = recorder_ratio(track, heard, (loud[0], loud[-1]))
    # Half a block of room before and after: delays of up to half a second stay inside a block.
    begin, end = max(0, loud[0] - BLOCK // 2), min(len(track), loud[-1] + BLOCK)
    frames = np.arange(begin, end)
    aligned = resample(heard, lag + loud[0] + (frames - loud[0]) * ratio)
    left, right = responses(track[begin:end], aligned)
    print(json.dumps({"delay_us": delay_us(left, right), "recorder_ppm": (ratio - 1) * 1e6}))


if __name__ == "__main__":
    main()
