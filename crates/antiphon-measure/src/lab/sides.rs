//! A recorder with two microphones: the clearer one is measured, and both tell on which side of it a
//! speaker stands.

use super::analyse::analyse_found;
use super::analysis::{Analysis, Options, Recorded};
use super::excitation::Excitation;
use super::search::Found;

/// The analysis of the clearer channel of what was found, and those of both if it is stereo.
pub(crate) fn analyse_sides(
    found: &Found,
    excitation: &Excitation,
    options: &Options,
) -> (Analysis, Option<[Analysis; 2]>) {
    let [left, right] = found.recorded.channels.as_slice() else {
        return (analyse_found(found, excitation, options), None);
    };
    if left == right {
        return (analyse_found(&alone(found, left), excitation, options), None);
    }
    let sides = [left, right].map(|side| analyse_found(&alone(found, side), excitation, options));
    let clearer = if surety(&sides[1]) > surety(&sides[0]) { 1 } else { 0 };
    (sides[clearer].clone(), Some(sides))
}

/// What was found, with one channel of the recording only.
fn alone(found: &Found, samples: &[f32]) -> Found {
    Found {
        recorded: Recorded { channels: vec![samples.to_vec()], begin_s: found.recorded.begin_s },
        stretches: found.stretches.clone(),
        length_s: found.length_s,
    }
}

/// How far the clearest arrival stands out, in dB.
fn surety(analysis: &Analysis) -> f64 {
    analysis.channels.iter().map(|facts| facts.peak_to_noise_db).fold(0.0, f64::max)
}

/// Likeness of a channel and the side that it is, period against period; a room leaves far less of it.
const SAME: f64 = 0.8;
/// And with the other side, by chance.
const OTHER: f64 = 0.2;
/// Encoders shift what they encode, by less than this many frames after their own correction.
const SHIFT: isize = 16;

/// Whether each channel of the recording is one side of the signal and nothing of the other.
pub(crate) fn are_alone(found: &Found, analysis: &Analysis, excitation: &Excitation) -> bool {
    let heard = analysis.measurement.channels.iter().find(|channel| channel.heard);
    let ([left, right], Some(heard)) = (found.recorded.channels.as_slice(), heard) else { return false };
    if excitation.channels() != 2 {
        return false;
    }
    let frame0 = (heard.arrival_us.value * 1e-6 - found.recorded.begin_s) * Excitation::RATE_HZ;
    let full = frame0.round() as isize + excitation.full().start as isize;
    let like = |samples: &[f32], side: usize| {
        (-SHIFT..=SHIFT)
            .map(|shift| likeness(samples, full + shift, excitation.sequence(side)))
            .fold(0.0, f64::max)
    };
    like(left, 0) > SAME && like(right, 1) > SAME && like(left, 1) < OTHER && like(right, 0) < OTHER
}

/// The normalised correlation of one period of `sequence` with `samples` from `begin` on.
fn likeness(samples: &[f32], begin: isize, sequence: &[f32]) -> f64 {
    let Ok(begin) = usize::try_from(begin) else { return 0.0 };
    let pairs = samples.iter().skip(begin).zip(sequence).take(Excitation::PERIOD);
    let (mut both, mut of_a, mut of_b) = (0.0, 1e-12, 1e-12);
    for (&a, &b) in pairs {
        let (a, b) = (f64::from(a), f64::from(b));
        both += a * b;
        of_a += a * a;
        of_b += b * b;
    }
    both / (of_a * of_b).sqrt()
}
