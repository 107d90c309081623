//! Pink noise: the same on both sides, and different on both sides.

use std::f64::consts::TAU;

use realfft::num_complex::Complex;

use super::score::{Part, Score, Stereo};
use super::voice::{RATE, both, soften};
use crate::dice::Dice;
use crate::transform::Transform;

pub(super) static SCORE: Score = Score {
    parts: &[
        Part { heard: "the same noise on both: narrow, in the middle", seconds: 8.0, sound: same },
        Part { heard: "different noise on each: wide, from side to side", seconds: 8.0, sound: different },
        Part { heard: "the same on both again", seconds: 8.0, sound: same },
        Part { heard: "different on each again", seconds: 8.0, sound: different },
    ],
    rise_s: 1.0,
    peak_dbfs: -8.7,
    rms_dbfs: [-23.5, -23.5],
};

const FROM_HZ: f64 = 40.0;
const TO_HZ: f64 = 16_000.0;
/// -23 dBFS.
const RMS: f64 = 0.070_795;
/// Longer than a part, so that nothing returns.
const PERIOD: usize = 1 << 19;

fn same(frames: usize) -> Stereo {
    both(noise(frames, 1))
}

fn different(frames: usize) -> Stereo {
    [noise(frames, 2), noise(frames, 3)]
}

/// Every line of the spectrum has exactly the power that pink asks for, and a random phase.
fn noise(frames: usize, seed: u64) -> Vec<f64> {
    let mut dice = Dice::new(seed);
    let hz = |k: usize| k as f64 * RATE / PERIOD as f64;
    let mut lines = vec![Complex::default(); PERIOD / 2 + 1];
    for k in (0..lines.len()).filter(|&k| (FROM_HZ..=TO_HZ).contains(&hz(k))) {
        lines[k] = Complex::from_polar(hz(k).powf(-0.5), TAU * dice.unit());
    }
    // Parseval: every line stands for two.
    let power = 2.0 * lines.iter().map(Complex::norm_sqr).sum::<f64>() / (PERIOD as f64).powi(2);
    let mut out = Transform::of(PERIOD).inverse(lines);
    out.truncate(frames);
    out.iter_mut().for_each(|x| *x *= RMS / power.sqrt());
    soften(out, 0.1)
}
