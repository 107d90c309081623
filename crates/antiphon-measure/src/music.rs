//! Stereo music to listen to and to measure with.
//!
//! [`piece`]: a harp plays broken chords on the left, a marimba answers on the right, over a soft bass. It is
//! made for correlation as well as for ears: the two channels share next to nothing, every sixteenth
//! (150 ms) brings a new onset with a broadband transient on each side, and no two bars are alike, so
//! that no window can be mistaken for another. The same seed gives the same samples.
//!
//! [`ballad()`] is harder to measure with, [`nearly_mono`] cannot be measured with at all.

mod ballad;

pub use ballad::{ballad, nearly_mono};

use crate::dice::Dice;

/// Frames of one sixteenth at 48 kHz: 100 beats a minute.
const SIXTEENTH: usize = 7_200;
const PER_BAR: usize = 16;
const RATE_HZ: f64 = 48_000.0;
/// Samples never exceed this: -3.1 dBFS.
const CEILING: f64 = 0.7;
/// The last notes fade within this many frames.
const FADE: usize = 48_000;

/// Eight bars of harmony: a bass note and five chord notes from low to high, as MIDI numbers.
/// D add9, B minor 7, G major 7, A sus4; D over F sharp, E minor 7, G major 7, A 7.
const HARMONY: [(u8, [u8; 5]); 8] = [
    (38, [62, 66, 69, 74, 76]),
    (35, [62, 66, 69, 71, 78]),
    (43, [62, 67, 71, 74, 78]),
    (45, [62, 64, 69, 73, 76]),
    (42, [62, 66, 69, 74, 81]),
    (40, [62, 64, 67, 71, 79]),
    (43, [59, 62, 66, 71, 74]),
    (45, [61, 64, 67, 69, 76]),
];

/// Order in which the harp runs through the five chord notes, one bar.
const ARPEGGIO: [usize; PER_BAR] = [0, 2, 1, 3, 2, 4, 3, 1, 0, 2, 3, 4, 3, 2, 4, 1];

/// `frames` frames of the piece, interleaved left and right at 48 kHz, peak below -3 dBFS. Both
/// channels sound from the first frame on.
pub fn piece(frames: usize, seed: u64) -> Vec<f32> {
    let mut left = vec![0.0f64; frames];
    let mut right = vec![0.0f64; frames];
    let bars = frames.div_ceil(PER_BAR * SIXTEENTH);
    for bar in 0..bars {
        play_bar(bar, seed, &mut left, &mut right);
    }
    let finish = |(n, x): (usize, f64)| (CEILING * (x / CEILING).tanh() * fade(n, frames)) as f32;
    let left = left.into_iter().enumerate().map(finish);
    let right = right.into_iter().enumerate().map(finish);
    left.zip(right).flat_map(|(l, r)| [l, r]).collect()
}

/// 1, falling to 0 over the last second (a quarter of shorter pieces).
fn fade(n: usize, frames: usize) -> f64 {
    let length = FADE.min(frames / 4).max(1);
    let x = ((frames - n) as f64 / length as f64).min(1.0);
    0.5 - 0.5 * (std::f64::consts::PI * x).cos()
}

fn play_bar(bar: usize, seed: u64, left: &mut [f64], right: &mut [f64]) {
    let mut dice = Dice::new(seed ^ (bar as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let (bass, chord) = HARMONY[bar % HARMONY.len()];
    let begin = bar * PER_BAR * SIXTEENTH;
    // The singer of this bar is in front, the other one accompanies: they take turns.
    let (harp, marimba) = if bar.is_multiple_of(2) { (0.15, 0.10) } else { (0.10, 0.16) };
    let shift = dice.below(5);
    for step in 0..PER_BAR {
        let at = begin + step * SIXTEENTH;
        let accent = if step % 4 == 0 { 1.2 } else { 0.75 + 0.25 * dice.unit() };
        let note = chord[(ARPEGGIO[step] + shift) % 5] + if dice.below(7) == 0 { 12 } else { 0 };
        pluck(left, at, note, harp * accent, &mut dice);
        if let Some(note) = answer(bar, step, chord, &mut dice) {
            strike(right, at, note, marimba * (0.8 + 0.3 * dice.unit()), &mut dice);
        }
        brush(left, at + SIXTEENTH / 2, 0.012 + 0.008 * dice.unit(), &mut dice);
        brush(right, at, 0.018 + 0.012 * dice.unit(), &mut dice);
    }
    for (beat, up) in [(0, 0), (6, 0), (8, 7), (14, 12)] {
        hum(left, begin + beat * SIXTEENTH, bass + up, 0.10);
    }
    for (beat, up) in [(0, 19), (10, 12)] {
        hum(right, begin + beat * SIXTEENTH, bass + up, 0.06);
    }
}

/// What the marimba plays at this step: a phrase in its own bars, single notes in the harp's.
fn answer(bar: usize, step: usize, chord: [u8; 5], dice: &mut Dice) -> Option<u8> {
    let sings = bar % 2 == 1;
    let plays = step.is_multiple_of(4)
        || if sings { dice.below(10) < 6 } else { step.is_multiple_of(2) && dice.below(10) < 6 };
    let note = chord[dice.below(5)];
    plays.then_some(if sings { note + 12 } else { note })
}

/// A harp string: eight partials, the higher the sooner gone, and the finger's noise.
fn pluck(out: &mut [f64], at: usize, note: u8, level: f64, dice: &mut Dice) {
    let hz = frequency(note);
    for k in 1..=8u8 {
        let n = f64::from(k);
        // A real string is a little stiff: its partials are a little sharp.
        let partial = hz * n * (1.0 + 1e-4 * n * n);
        ring(out, at, partial, level * n.powf(-1.4), 0.55 / n.sqrt(), 24);
    }
    burst(out, at, level * 0.5, 96, dice);
}

/// A marimba bar: its first modes are near 1, 3.9 and 9.2, and the mallet's noise.
fn strike(out: &mut [f64], at: usize, note: u8, level: f64, dice: &mut Dice) {
    let hz = frequency(note);
    // Struck up or down at random, or else notes that both instruments play would add up.
    let level = if dice.below(2) == 0 { level } else { -level };
    for (ratio, share, seconds) in [(1.0, 1.0, 0.4), (3.93, 0.3, 0.12), (9.2, 0.12, 0.05)] {
        ring(out, at, hz * ratio, level * share, seconds, 48);
    }
    burst(out, at, level * 0.4, 144, dice);
}

/// A bass note: low on the left, and its fifth or octave above on the right.
fn hum(out: &mut [f64], at: usize, note: u8, level: f64) {
    ring(out, at, frequency(note), level, 0.5, 480);
    ring(out, at, frequency(note) * 2.0, level * 0.35, 0.3, 480);
}

/// A brush on a drum skin: high noise, 30 ms.
fn brush(out: &mut [f64], at: usize, level: f64, dice: &mut Dice) {
    let mut before = 0.0;
    for (n, x) in tail(out, at, 3_000).iter_mut().enumerate() {
        let noise = dice.unit() * 2.0 - 1.0;
        let envelope = (n as f64 / 48.0).min(1.0) * (-(n as f64) / 600.0).exp();
        *x += level * envelope * (noise - before);
        before = noise;
    }
}

/// A few milliseconds of noise: the broadband part of an onset.
fn burst(out: &mut [f64], at: usize, level: f64, decay: usize, dice: &mut Dice) {
    for (n, x) in tail(out, at, decay * 6).iter_mut().enumerate() {
        *x += level * (dice.unit() * 2.0 - 1.0) * (-(n as f64) / decay as f64).exp();
    }
}

/// A decaying sine: `seconds` to 1/e, rising within `attack` frames. A two-pole resonator: no sine
/// is computed for each sample.
fn ring(out: &mut [f64], at: usize, hz: f64, level: f64, seconds: f64, attack: usize) {
    if hz > 18_000.0 {
        return;
    }
    let radius = (-1.0 / (seconds * RATE_HZ)).exp();
    let omega = hz * std::f64::consts::TAU / RATE_HZ;
    let (a, b) = (2.0 * radius * omega.cos(), radius * radius);
    let (mut y, mut before) = (0.0, -level * omega.sin() / radius);
    let length = (seconds * RATE_HZ * 7.0) as usize;
    for (n, x) in tail(out, at, length).iter_mut().enumerate() {
        *x += y * ((n as f64 + 1.0) / attack as f64).min(1.0);
        (y, before) = (a * y - b * before, y);
    }
}

fn tail(out: &mut [f64], at: usize, length: usize) -> &mut [f64] {
    let begin = at.min(out.len());
    let end = (at + length).min(out.len());
    &mut out[begin..end]
}

fn frequency(note: u8) -> f64 {
    440.0 * 2f64.powf((f64::from(note) - 69.0) / 12.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channels(piece: &[f32]) -> (Vec<f64>, Vec<f64>) {
        piece.chunks_exact(2).map(|f| (f64::from(f[0]), f64::from(f[1]))).unzip()
    }

    fn correlation(a: &[f64], b: &[f64]) -> f64 {
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    }

    #[test]
    fn the_piece_is_the_same_every_time_and_its_start_does_not_depend_on_its_length() {
        let long = piece(20 * 48_000, 7);
        assert_eq!(long, piece(20 * 48_000, 7));
        assert_eq!(long[..48_000], piece(10 * 48_000, 7)[..48_000]);
        assert_ne!(long, piece(20 * 48_000, 8));
    }

    #[test]
    fn it_is_loud_enough_and_never_too_loud() {
        let (left, right) = channels(&piece(30 * 48_000, 1));
        for side in [left, right] {
            let peak = side.iter().fold(0.0f64, |m, x| m.max(x.abs()));
            let rms = (side.iter().map(|x| x * x).sum::<f64>() / side.len() as f64).sqrt();
            assert!(peak <= 0.707 && peak > 0.35, "peak {peak}");
            let crest_db = 20.0 * (peak / rms).log10();
            assert!((10.0..22.0).contains(&crest_db), "crest {crest_db}");
        }
    }

    #[test]
    fn left_and_right_are_different_and_no_bar_returns() {
        let (left, right) = channels(&piece(60 * 48_000, 1));
        let rho = correlation(&left, &right);
        assert!(rho.abs() < 0.15, "left and right correlate: {rho}");
        let bar = PER_BAR * SIXTEENTH;
        for side in [left, right] {
            let first = &side[..bar];
            for n in 1..side.len() / bar {
                let rho = correlation(first, &side[n * bar..(n + 1) * bar]);
                assert!(rho < 0.75, "bar {n} is like the first: {rho}");
            }
        }
    }

    #[test]
    fn both_sides_sound_from_the_first_frames_on() {
        let (left, right) = channels(&piece(48_000, 1));
        let first = |side: &[f64]| side.iter().position(|x| x.abs() > 1e-3).unwrap();
        assert!(first(&left) < 48 && first(&right) < 48);
    }
}
