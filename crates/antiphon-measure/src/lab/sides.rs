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
