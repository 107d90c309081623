//! The exponential sweep of Farina (AES 108, 2000), 20 Hz to 20 kHz in 12 s, and its inverse.
//!
//! The instantaneous frequency is `20 Hz * exp(RATE_PER_S * t)`, with `t = 0` one second after the begin
//! of a part: the sweep comes from 11.2 Hz within its first second, so that its level is full, and its
//! spectrum true, from 20 Hz on; it goes within 0.2 s above 20 kHz.

use std::f64::consts::{PI, TAU};

use super::score::{Part, Score};
use super::voice::{RATE, left_only, right_only};

pub(super) static SCORE: Score = Score {
    parts: &[
        Part { heard: "from lowest to highest, left only", seconds: SECONDS, sound: |n| left_only(sweep(n)) },
        Part {
            heard: "from lowest to highest, right only",
            seconds: SECONDS,
            sound: |n| right_only(sweep(n)),
        },
    ],
    // It fades in by itself.
    rise_s: 0.0,
    peak_dbfs: -18.0,
    rms_dbfs: [-24.6, -24.6],
};

/// From full level at 20 Hz to 20 kHz.
pub const SWEEP_S: f64 = 12.0;
/// Growth of the frequency: ln(1000) in [`SWEEP_S`]. The response to the k-th harmonic comes
/// `ln(k) / RATE_PER_S` before the linear one: 1.20 s for the second.
pub const RATE_PER_S: f64 = 6.907_755_278_982_137 / SWEEP_S;

const FADE_IN_S: f64 = 1.0;
const FADE_OUT_S: f64 = 0.2;
const SECONDS: f64 = FADE_IN_S + SWEEP_S + FADE_OUT_S;
const AMPLITUDE: f64 = 0.125;

/// The inverse filter. Convolved with one part of the track it gives 1 at frame
/// `inverse().len() - 1` and a flat 0 dB from 20 Hz to 20 kHz; convolved with a recording of that part,
/// the impulse response of what was between, delayed as much, with the harmonics' responses before it.
/// It is the sweep reversed in time, falling by 6 dB an octave along its course.
pub fn inverse() -> Vec<f32> {
    let sweep = sweep((SECONDS * RATE).round() as usize);
    // The sweep's power at f is (A / 2)^2 / (df / dt), and df / dt is RATE_PER_S * f.
    let scale = 4.0 * RATE_PER_S / (AMPLITUDE * RATE).powi(2);
    let sample = |(n, x): (usize, &f64)| (x * scale * frequency(n as f64 / RATE - FADE_IN_S)) as f32;
    sweep.iter().enumerate().map(sample).rev().collect()
}

/// In Hz, this long after 20 Hz.
fn frequency(t: f64) -> f64 {
    20.0 * (RATE_PER_S * t).exp()
}

fn sweep(frames: usize) -> Vec<f64> {
    let sample = |n: usize| {
        let t = n as f64 / RATE - FADE_IN_S;
        let fade = ((t + FADE_IN_S) / FADE_IN_S).min((SWEEP_S + FADE_OUT_S - t) / FADE_OUT_S).min(1.0);
        let gain = 0.5 - 0.5 * (PI * fade).cos();
        AMPLITUDE * gain * (TAU * frequency(t) / RATE_PER_S).sin()
    };
    (0..frames).map(sample).collect()
}
