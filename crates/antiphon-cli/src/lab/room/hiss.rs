//! Noise without end, at one level.

use antiphon_sim::rng::Rng;
use antiphon_sim::room::noise::{Noise, band_rms};

/// Frames that are made at a time: 10 s, in some 20 ms.
const STRETCH: usize = 480_000;
/// Frames over which a stretch fades into the next, at constant power.
const JOIN: usize = 4_800;

/// A noise, frame by frame.
pub struct Hiss {
    colour: Noise,
    rng: Rng,
    stretches: u64,
    rms: f64,
    /// For this colour, set by the first stretch and kept: a stretch may be louder than another.
    gain: Option<f32>,
    stretch: Vec<f32>,
    at: usize,
}

impl Hiss {
    /// With this RMS within 300 Hz to 16 kHz.
    pub fn new(colour: Noise, rms: f64, seed: u64) -> Self {
        let rng = Rng::new(seed).fork(0x4155);
        Self { colour, rng, stretches: 0, rms, gain: None, stretch: Vec::new(), at: 0 }
    }

    /// The next frame.
    pub fn sample(&mut self) -> f32 {
        if self.at + JOIN >= self.stretch.len() {
            self.extend();
        }
        self.at += 1;
        self.stretch[self.at - 1]
    }

    fn extend(&mut self) {
        self.stretches += 1;
        let mut next = self.colour.samples(STRETCH, &mut self.rng.fork(self.stretches));
        let (colour_rms, rms) = (band_rms(&next), self.rms);
        let gain = *self.gain.get_or_insert_with(|| (rms / colour_rms.max(1e-12)) as f32);
        next.iter_mut().for_each(|x| *x *= gain);
        let old = &self.stretch[self.at.min(self.stretch.len())..];
        for (n, (new, old)) in next.iter_mut().zip(old).enumerate() {
            let turn = (n as f32 + 0.5) / JOIN as f32 * std::f32::consts::FRAC_PI_2;
            *new = *new * turn.sin() + old * turn.cos();
        }
        (self.stretch, self.at) = (next, 0);
    }
}
