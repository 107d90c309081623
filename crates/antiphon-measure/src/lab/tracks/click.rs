//! Clicks, one a second: on both speakers at once they are one click, or two.
//!
//! Each is a Ricker wavelet, the second derivative of a bell: half a millisecond long, symmetrical,
//! without a steady part; its spectrum is greatest at 4 kHz and 10 dB below that at 1.5 and 7.3 kHz.

use std::f64::consts::PI;

use super::score::{Part, Score};
use super::voice::{RATE, both, left_only, right_only};

pub(super) static SCORE: Score = Score {
    parts: &[
        Part { heard: "four clicks, left only", seconds: 4.0, sound: |n| left_only(clicks(n)) },
        Part { heard: "four clicks, right only", seconds: 4.0, sound: |n| right_only(clicks(n)) },
        Part { heard: "eight clicks on both: each is one click", seconds: 8.0, sound: |n| both(clicks(n)) },
    ],
    rise_s: 3.0,
    peak_dbfs: -6.0,
    rms_dbfs: [-50.0, -49.0],
};

const PEAK_HZ: f64 = 4_000.0;
/// Of each second, so that the wavelet's first half has room.
const AT_S: f64 = 0.5;

fn clicks(frames: usize) -> Vec<f64> {
    let sample = |n: usize| {
        let t = (n as f64 / RATE).fract() - AT_S;
        let x = (PI * PEAK_HZ * t).powi(2);
        0.5 * (1.0 - 2.0 * x) * (-x).exp()
    };
    (0..frames).map(sample).collect()
}
