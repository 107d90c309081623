//! Which speaker is which, without a word of any language: one low long beep is left (one, the first),
//! two high short beeps are right.

use super::score::{Part, Score};
use super::voice::{RATE, beep, left_only, right_only};

const LEFT: Part = Part { heard: "left: one low, long beep", seconds: 1.0, sound: |n| left_only(one_low(n)) };
const RIGHT: Part =
    Part { heard: "right: two high, short beeps", seconds: 1.0, sound: |n| right_only(two_high(n)) };

pub(super) static SCORE: Score = Score {
    parts: &[LEFT, RIGHT, LEFT, RIGHT, LEFT, RIGHT, LEFT, RIGHT, LEFT, RIGHT, LEFT, RIGHT],
    rise_s: 1.0,
    peak_dbfs: -12.8,
    rms_dbfs: [-23.3, -27.4],
};

/// G4: small speakers still have it.
const LOW_HZ: f64 = 392.0;
/// D6, an octave and a half above.
const HIGH_HZ: f64 = 1_174.66;

fn one_low(frames: usize) -> Vec<f64> {
    let mut out = beep(0.8, LOW_HZ, 0.2);
    out.resize(frames, 0.0);
    out
}

fn two_high(frames: usize) -> Vec<f64> {
    let mut out = beep(0.25, HIGH_HZ, 0.15);
    out.resize((0.4 * RATE) as usize, 0.0);
    out.extend(beep(0.25, HIGH_HZ, 0.15));
    out.resize(frames, 0.0);
    out
}
