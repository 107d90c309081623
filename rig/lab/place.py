"""Where in a recording a source sounds, window by window.

A recording is put on an axis of true time first, 48 000 instants a second. There a window of the source is
looked for by correlation, and then placed within a sample by the slope of the phase between the two.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

RATE = 48_000
WINDOW = 8_192
HOP = 12_000
# How far a window may be from where the last one was: more than a lost connection's jump.
REACH = 9_600
# Below, a window is cut by a gap or another sound.
GOOD = 0.9
# So many windows are looked for in the whole recording before it is taken not to hold the source.
TRIES = 6
# A window quieter than that says nothing.
QUIET_RMS = 3e-4
# What SBC keeps of music, even at small bit pools.
BAND_HZ = (60.0, 12_000.0)

_PHASES, _TAPS = 1_024, 32


def _kernel() -> Floats:
    """Windowed sinc for every 1024th part of a sample."""
    taps = np.arange(_TAPS) - (_TAPS // 2 - 1)
    distance = np.arange(_PHASES + 1)[:, None] / _PHASES - taps
    return np.sinc(distance) * np.cos(np.pi * distance / (_TAPS + 2)) ** 2


_KERNEL = _kernel()


def sounded(recording: Any, begin_s: float, end_s: float) -> Floats:
    """What sounded at each 48 000th of a second from `begin_s` on; `recording` is check_spread's."""
    position = recording.frame_at(np.arange(begin_s, end_s, 1.0 / RATE))
    base = np.floor(position).astype(np.int64)
    phase = np.round((position - base) * _PHASES).astype(np.int64)
    padded = np.concatenate([np.zeros(_TAPS), recording.samples, np.zeros(_TAPS)])
    first = np.clip(base + _TAPS - (_TAPS // 2 - 1), 0, len(padded) - _TAPS)
    out = np.zeros(len(position))
    for tap in range(_TAPS):
        out += padded[first + tap] * _KERNEL[phase, tap]
    out[(base < 0) | (base >= len(recording.samples))] = 0.0
    return out


def _correlate(long: Floats, short: Floats) -> Floats:
    """Of `short` with `long`, at every lag at which it lies within."""
    size = 1 << int(np.ceil(np.log2(len(long) + len(short))))
    cross = np.fft.irfft(np.fft.rfft(long, size) * np.conj(np.fft.rfft(short, size)), size)
    return cross[: len(long) - len(short) + 1]


_WEIGHT = np.hanning(WINDOW + 2)[1:-1] ** 2


def _find(template: Floats, heard: Floats) -> tuple[int, float]:
    """The lag in `heard` at which the template fits best, and how well."""
    weighted = template * _WEIGHT
    power = np.maximum(_correlate(heard**2, _WEIGHT), 1e-12)
    score = _correlate(heard, weighted) / np.sqrt(power * np.sum(weighted * template))
    lag = int(np.argmax(score))
    return lag, float(score[lag])


def _within_a_sample(template: Floats, heard: Floats) -> float:
    """By how many samples `heard` is later than the template: both a window long, less than one apart."""
    window = np.sqrt(_WEIGHT)
    cross = np.fft.rfft(heard * window) * np.conj(np.fft.rfft(template * window))
    hz = np.fft.rfftfreq(WINDOW, 1.0 / RATE)
    band = (hz >= BAND_HZ[0]) & (hz <= BAND_HZ[1])
    angle, weight = np.angle(cross[band]), np.abs(cross[band])
    turn = 2.0 * np.pi * hz[band] / RATE
    return float(-np.sum(weight * turn * angle) / np.sum(weight * turn**2))


def windows(channel: Floats, heard: Floats) -> Iterator[tuple[float, float | None]]:
    """(source second, seconds from the axis' start at which source frame 0 would sound, or None)."""
    expected, tries = None, TRIES
    for begin in range(0, len(channel) - WINDOW + 1, HOP):
        template = channel[begin : begin + WINDOW]
        if np.sqrt(np.mean(template**2)) < QUIET_RMS:
            continue
        # The first window, and one after a loss, is looked for everywhere.
        low = 0 if expected is None else max(expected + begin - REACH, 0)
        high = len(heard) if expected is None else min(expected + begin + WINDOW + REACH, len(heard))
        if high - low < WINDOW or tries == 0:
            yield begin / RATE, None
            continue
        lag, quality = _find(template, heard[low:high])
        if quality < GOOD:
            tries -= expected is None
            yield begin / RATE, None
            continue
        at = low + lag
        expected = at - begin
        yield begin / RATE, (at + _within_a_sample(template, heard[at : at + WINDOW]) - begin) / RATE


def separation_db(source: Floats, heard: Floats, own: int) -> float:
    """How much stronger the own channel is in what was heard than the other one: the median of all
    windows, in each by least squares on both channels and, for what a fraction of a sample makes, their
    slopes."""
    ratios = []
    for at, late in windows(source[:, own], heard):
        if late is None:
            continue
        begin = round(at * RATE)
        here = heard[begin + round(late * RATE) :][:WINDOW]
        if len(here) < WINDOW:
            continue
        parts = [source[begin : begin + WINDOW, channel] for channel in (own, 1 - own)]
        columns = np.stack([*parts, *(np.gradient(part) for part in parts)], axis=1)
        gains = np.linalg.lstsq(columns, here, rcond=None)[0]
        power = [gains[n] ** 2 * np.mean(parts[n] ** 2) for n in (0, 1)]
        ratios.append(10.0 * np.log10(power[0] / max(power[1], 1e-20)))
    return float(np.median(ratios)) if ratios else float("-inf")
