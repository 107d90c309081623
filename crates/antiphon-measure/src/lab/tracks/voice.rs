//! The sounds that tracks are made of, and where between the speakers they stand.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_PI_2, PI, TAU};

use realfft::num_complex::Complex;

use super::RATE_HZ;
use super::score::Stereo;

/// Frames a second, for sums.
pub(super) const RATE: f64 = RATE_HZ as f64;

/// Nothing on the right.
pub(super) fn left_only(sound: Vec<f64>) -> Stereo {
    let silence = vec![0.0; sound.len()];
    [sound, silence]
}

/// Nothing on the left.
pub(super) fn right_only(sound: Vec<f64>) -> Stereo {
    let silence = vec![0.0; sound.len()];
    [silence, sound]
}

/// The same on both sides, each as loud as it would be alone.
pub(super) fn both(sound: Vec<f64>) -> Stereo {
    [sound.clone(), sound]
}

/// The same on both sides, together as powerful as alone.
pub(super) fn centre(sound: Vec<f64>) -> Stereo {
    both(sound.into_iter().map(|x| x * FRAC_1_SQRT_2).collect())
}

/// As [`centre`], the right side turned in polarity.
pub(super) fn out_of_phase(sound: Vec<f64>) -> Stereo {
    let [left, right] = centre(sound);
    [left, right.into_iter().map(|x| -x).collect()]
}

/// From left to right and back, always as powerful.
pub(super) fn side_to_side(sound: Vec<f64>) -> Stereo {
    let length = sound.len() as f64;
    let angle = |n: usize| FRAC_PI_2 * (0.5 - 0.5 * (TAU * n as f64 / length).cos());
    let sides = sound.into_iter().enumerate();
    let (left, right) = sides.map(|(n, x)| (x * angle(n).cos(), x * angle(n).sin())).unzip();
    [left, right]
}

/// Raises the first and lowers the last `seconds` of a sound along half a cosine.
pub(super) fn soften(mut sound: Vec<f64>, seconds: f64) -> Vec<f64> {
    let edge = ((seconds * RATE) as usize).min(sound.len() / 2);
    for n in 0..edge {
        let gain = 0.5 - 0.5 * (PI * (n as f64 + 0.5) / edge as f64).cos();
        let last = sound.len() - 1 - n;
        sound[n] *= gain;
        sound[last] *= gain;
    }
    sound
}

/// Adds a plucked string at `begin_s`: partials up to 8 kHz, the higher the sooner gone.
pub(super) fn pluck(out: &mut [f64], begin_s: f64, hz: f64, level: f64) {
    let begin = ((begin_s * RATE) as usize).min(out.len());
    for k in 1..=10u32 {
        let n = f64::from(k);
        let (partial, amplitude, decay_s) = (hz * n, level * n.powf(-1.2), 0.4 / n.sqrt());
        if partial > 8_000.0 {
            return;
        }
        ring(&mut out[begin..], partial, amplitude, decay_s);
    }
}

/// Adds a decaying sine, by a rotation for each frame: no sine is computed.
fn ring(out: &mut [f64], hz: f64, amplitude: f64, decay_s: f64) {
    /// Quick enough to be placed by ear, slow enough not to click.
    const ATTACK_S: f64 = 0.003;
    let turn = Complex::from_polar((-1.0 / (decay_s * RATE)).exp(), TAU * hz / RATE);
    let mut arrow = Complex::new(amplitude, 0.0);
    for (n, x) in out.iter_mut().take((7.0 * decay_s * RATE) as usize).enumerate() {
        let age = n as f64 / (ATTACK_S * RATE);
        *x += arrow.im * if age < 1.0 { 0.5 - 0.5 * (PI * age).cos() } else { 1.0 };
        arrow *= turn;
    }
}

/// A soft beep: a tone with a little of its second and third harmonic.
pub(super) fn beep(seconds: f64, hz: f64, level: f64) -> Vec<f64> {
    let sample = |n: usize| {
        let phase = TAU * hz * n as f64 / RATE;
        level * (phase.sin() + 0.3 * (2.0 * phase).sin() + 0.15 * (3.0 * phase).sin())
    };
    soften((0..(seconds * RATE) as usize).map(sample).collect(), 0.02)
}
