"""Something to play: two channels that have nothing in common, in which every window has a place."""

import wave
from pathlib import Path

import numpy as np

RATE = 48_000


def _channel(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Plucked notes over a quiet noise floor whose spectrum falls as music's does."""
    spectrum = np.fft.rfft(rng.standard_normal(frames))
    hz = np.fft.rfftfreq(frames, 1.0 / RATE)
    floor = np.fft.irfft(spectrum / np.sqrt(np.maximum(hz, 60.0)), frames)
    music = 0.08 * floor / np.std(floor)
    for start in np.arange(0.0, frames / RATE - 0.5, 0.17):
        begin = int((start + rng.uniform(0.0, 0.05)) * RATE)
        t = np.arange(min(int(0.5 * RATE), frames - begin)) / RATE
        pitch = 110.0 * 2.0 ** (rng.integers(0, 36) / 12.0)
        for harmonic in range(1, 6):
            tone = np.sin(2.0 * np.pi * (pitch * harmonic * t + rng.uniform()))
            music[begin : begin + len(t)] += 0.12 / harmonic * tone * np.exp(-t * 9.0 * harmonic**0.5)
    return music * 0.5 / np.max(np.abs(music))


def write(path: Path, seconds: float, seed: int = 1) -> Path:
    """A stereo WAV of 16 bits at 48 kHz; the same seed gives the same music."""
    rng = np.random.default_rng(seed)
    frames = int(seconds * RATE)
    both = np.stack([_channel(rng, frames), _channel(rng, frames)], axis=1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((both * 32767.0).astype("<i2").tobytes())
    return path
