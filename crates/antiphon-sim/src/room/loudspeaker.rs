//! A loudspeaker: where it stands, what it does to the sound, and to which side.

use realfft::num_complex::Complex;

use super::RATE;
use super::biquad::Biquad;
use super::geometry::Vector;
use super::spectrum::{BINS, Spectrum, bin_hz};
use crate::rng::Rng;

/// One loudspeaker in the room.
#[derive(Debug, Clone, PartialEq)]
pub struct Loudspeaker {
    /// Where it stands, in metres from the room's corner.
    pub place_m: Vector,
    /// Where it looks; of any length but zero.
    pub aim: Vector,
    /// Band, resonances and crossover, on axis.
    pub sections: Vec<Biquad>,
    /// Sideways and behind it is quieter at high frequencies.
    pub directivity: Directivity,
    /// Everything between the player's clock and the membrane.
    pub delay_s: f64,
    /// Against a loudspeaker that gives 1 for 1 at a distance of 1 m.
    pub gain_db: f64,
    /// Wires swapped.
    pub inverted: bool,
    /// White noise of its amplifier, RMS in dB against full scale, before its own band.
    pub hiss_dbfs: f64,
}

impl Default for Loudspeaker {
    /// In the corner and perfect, to begin from.
    fn default() -> Self {
        Self {
            place_m: [0.0; 3],
            aim: [1.0, 0.0, 0.0],
            sections: Vec::new(),
            directivity: Directivity::NONE,
            delay_s: 0.0,
            gain_db: 0.0,
            inverted: false,
            hiss_dbfs: -100.0,
        }
    }
}

/// A first-order shelf that is the deeper the further the sound leaves the axis: at high frequencies
/// `behind_db` are missing behind, half as many decibels sideways.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Directivity {
    /// Where the wavelength is comparable with the cabinet.
    pub hz: f64,
    /// What is missing behind it at high frequencies, in dB.
    pub behind_db: f64,
}

impl Directivity {
    /// The same to all sides.
    pub const NONE: Self = Self { hz: 1_000.0, behind_db: 0.0 };

    /// Filter in a direction: `cosine` of the angle off the axis.
    pub fn at(&self, cosine: f64, hz: f64) -> Complex<f64> {
        let high = 10f64.powf(-self.behind_db * (1.0 - cosine) / 40.0);
        let x = Complex::new(0.0, hz / self.hz);
        (x * high + 1.0) / (x + 1.0)
    }

    pub(super) fn spectrum(&self, cosine: f64) -> Spectrum {
        (0..BINS).map(|bin| self.at(cosine, bin_hz(bin))).collect()
    }
}

impl Loudspeaker {
    /// A model drawn by lot: shelf speaker with a crossover, small full-range box, television set, or
    /// studio monitor, each with its own resonances. It stands and looks nowhere in particular.
    pub fn random_model(rng: &mut Rng) -> Self {
        let kind = rng.bits() % 4;
        let (low_hz, high_hz, crossover_hz, hills) = match kind {
            0 => (rng.between(60.0, 110.0), rng.between(15e3, 20e3), Some(rng.between(1_800.0, 3_500.0)), 3),
            1 => (rng.between(110.0, 250.0), rng.between(11e3, 16e3), None, 4),
            2 => (rng.between(120.0, 220.0), rng.between(10e3, 15e3), None, 5),
            _ => (rng.between(40.0, 70.0), rng.between(18e3, 21e3), Some(rng.between(1_500.0, 2_500.0)), 1),
        };
        let mut sections = vec![Biquad::high_pass(low_hz, rng.between(0.6, 1.2))];
        if rng.chance(0.6) {
            sections.push(Biquad::high_pass(low_hz * 0.8, 0.8));
        }
        sections.push(Biquad::low_pass(high_hz, rng.between(0.55, 0.9)));
        sections.extend(crossover_hz.map(|hz| Biquad::all_pass(hz, 0.707)));
        for _ in 0..hills {
            let hz = 300.0 * 40f64.powf(rng.unit());
            sections.push(Biquad::peaking(hz, rng.between(0.8, 4.0), rng.between(-5.0, 5.0)));
        }
        let directivity = Directivity { hz: rng.between(500.0, 1_800.0), behind_db: rng.between(10.0, 24.0) };
        Self { sections, directivity, hiss_dbfs: rng.between(-95.0, -70.0), ..Self::default() }
    }

    /// Response of the whole loudspeaker on axis but for its delay.
    pub fn at(&self, hz: f64) -> Complex<f64> {
        self.sections.iter().fold(Complex::from(self.factor()), |product, section| product * section.at(hz))
    }

    /// Cosine of the angle between its axis and the way to `place`.
    pub fn cosine_to(&self, place: Vector) -> f64 {
        let way: Vector = std::array::from_fn(|i| place[i] - self.place_m[i]);
        cosine(self.aim, way)
    }

    pub(super) fn delay_frames(&self) -> f64 {
        self.delay_s * RATE
    }

    /// Lends its band and level to what would be heard of a perfect one.
    pub(super) fn voice(&self, response: &mut [f32]) {
        self.sections.iter().for_each(|section| section.process(response));
        let factor = self.factor() as f32;
        response.iter_mut().for_each(|x| *x *= factor);
    }

    fn factor(&self) -> f64 {
        10f64.powf(self.gain_db / 20.0) * if self.inverted { -1.0 } else { 1.0 }
    }
}

pub(super) fn cosine(a: Vector, b: Vector) -> f64 {
    let dot = |a: Vector, b: Vector| -> f64 { (0..3).map(|i| a[i] * b[i]).sum() };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(1e-12)
}
