//! What walls and air swallow.

use super::spectrum::{BANDS, CENTRES_HZ, Spectrum, minimum_phase};
use crate::rng::Rng;

/// One of the six faces of the box.
#[derive(Debug, Clone, PartialEq)]
pub struct Surface {
    /// Energy lost at one reflection, as exponent: `exp(-loss)` of it comes back. By octave, 125 Hz to 16 kHz.
    pub loss: [f64; BANDS],
}

impl Surface {
    /// Equally absorbing at all frequencies: this part of the energy, 0 to 1, is lost at a reflection.
    pub fn flat(absorption: f64) -> Self {
        Self { loss: [-(1.0 - absorption.clamp(0.0, 0.999)).ln(); BANDS] }
    }

    /// Some material: usually the more absorbing the higher the frequency, never smoothly so.
    pub fn random(rng: &mut Rng) -> Self {
        let strength = rng.between(0.35, 1.4);
        let tilt = rng.between(-0.05, 0.35);
        let loss = CENTRES_HZ.map(|hz| {
            let shape = (hz / 1_000.0).clamp(0.2, 6.0).powf(tilt);
            strength * shape * rng.between(0.8, 1.25)
        });
        Self { loss }
    }

    /// The filter of one reflection, and of `air_m` metres of air.
    pub(super) fn reflection(&self, air_m: f64) -> Spectrum {
        let nepers = std::array::from_fn(|band| -0.5 * (self.loss[band] + AIR_PER_M[band] * air_m));
        minimum_phase(&nepers)
    }
}

/// Energy that a metre of air swallows (ISO 9613-1, 20 degrees Celsius, 50 % humidity), as exponent, by octave.
pub const AIR_PER_M: [f64; BANDS] = [0.0001, 0.0003, 0.0006, 0.0011, 0.0023, 0.0068, 0.0243, 0.08];
