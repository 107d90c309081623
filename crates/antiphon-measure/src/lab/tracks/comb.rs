//! Hear the comb: a tone that rises from 500 Hz to 2 kHz, first on each speaker alone.
//!
//! It rises by 150 Hz a second. Two speakers `d` apart cancel at every odd multiple of `1 / (2 d)`, so
//! the tone fades `150 d` times a second, evenly: 1.7 times for 11.3 ms. A room makes dips of its own,
//! uneven ones, also with one speaker: that is what the first two parts are for.

use std::f64::consts::TAU;

use super::score::{Part, Score};
use super::voice::{RATE, both, left_only, right_only, soften};

pub(super) static SCORE: Score = Score {
    parts: &[
        Part { heard: "a rising tone, left only", seconds: SECONDS, sound: |n| left_only(rising(n)) },
        Part { heard: "the same, right only", seconds: SECONDS, sound: |n| right_only(rising(n)) },
        Part { heard: "the same on both: as steady as before", seconds: SECONDS, sound: |n| both(rising(n)) },
        Part { heard: "on both once more", seconds: SECONDS, sound: |n| both(rising(n)) },
    ],
    rise_s: 1.0,
    peak_dbfs: -18.0,
    rms_dbfs: [-22.7, -22.6],
};

const SECONDS: f64 = 10.0;
const FROM_HZ: f64 = 500.0;
const TO_HZ: f64 = 2_000.0;

fn rising(frames: usize) -> Vec<f64> {
    let slope = (TO_HZ - FROM_HZ) / SECONDS;
    let sample = |n: usize| {
        let t = n as f64 / RATE;
        0.125 * (TAU * (FROM_HZ + 0.5 * slope * t) * t).sin()
    };
    soften((0..frames).map(sample).collect(), 0.05)
}
