//! What a microphone hears besides the loudspeakers.

use super::RATE;
use super::biquad::Biquad;
use crate::rng::Rng;

/// Colour of a noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noise {
    /// Equal power in every hertz: the microphone's amplifier.
    White,
    /// Equal power in every octave.
    Pink,
    /// Pink, with mains hum and a level that wanders by some decibels: a room with people and machines.
    Room,
}

impl Noise {
    /// `frames` of it at 48 kHz, at no particular level.
    pub fn samples(self, frames: usize, rng: &mut Rng) -> Vec<f32> {
        match self {
            Self::White => (0..frames).map(|_| rng.normal(1.0) as f32).collect(),
            Self::Pink => pink(frames, rng),
            Self::Room => room(frames, rng),
        }
    }
}

/// Three first-order filters side by side whose sum falls by 3 dB per octave within 0.3 dB (P. Kellet).
fn pink(frames: usize, rng: &mut Rng) -> Vec<f32> {
    const POLES: [(f64, f64); 3] = [(0.99765, 0.099_046), (0.963, 0.296_516_4), (0.57, 1.052_691_3)];
    let mut state = [0.0; 3];
    let mut next = || {
        let white = rng.normal(1.0);
        for (state, (pole, gain)) in state.iter_mut().zip(POLES) {
            *state = *state * pole + white * gain;
        }
        (state.iter().sum::<f64>() + white * 0.1848) as f32
    };
    (0..frames).map(|_| next()).collect()
}

fn room(frames: usize, rng: &mut Rng) -> Vec<f32> {
    let phases = [rng.between(0.0, 6.0), rng.between(0.0, 6.0), rng.between(0.0, 6.0)];
    let mains_hz = if rng.chance(0.5) { 50.0 } else { 60.0 };
    let mut wander_db = 0.0;
    let mut out = pink(frames, rng);
    for (n, sample) in out.iter_mut().enumerate() {
        if n % 4_800 == 0 {
            wander_db = wander_db * 0.95 + rng.normal(0.6);
        }
        let t = n as f64 / RATE * std::f64::consts::TAU * mains_hz;
        let hum: f64 =
            phases.iter().zip([1.0, 2.0, 3.0]).map(|(phase, k)| (t * k + phase).sin() * 0.5 / k).sum();
        *sample = *sample * 10f32.powf(wander_db as f32 / 20.0) + hum as f32;
    }
    out
}

/// RMS within 300 Hz to 16 kHz, of the loud part: of those tenths of a second that come within 10 dB of
/// the loudest. Signals that begin and end in silence are measured while they sound.
pub fn band_rms(samples: &[f32]) -> f64 {
    let mut band = samples.to_vec();
    for section in [
        Biquad::high_pass(300.0, 0.541),
        Biquad::high_pass(300.0, 1.307),
        Biquad::low_pass(16e3, 0.541),
        Biquad::low_pass(16e3, 1.307),
    ] {
        section.process(&mut band);
    }
    let power =
        |block: &[f32]| block.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>() / block.len() as f64;
    let powers: Vec<f64> = band.chunks(4_800).map(power).collect();
    let loudest = powers.iter().fold(0.0, |a: f64, &b| a.max(b));
    let loud: Vec<f64> = powers.into_iter().filter(|&p| p > 0.1 * loudest).collect();
    (loud.iter().sum::<f64>() / loud.len().max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octave_db(noise: &[f32], hz: f64) -> f64 {
        let mut band = noise.to_vec();
        for section in [Biquad::high_pass(hz * 0.707, 0.707), Biquad::low_pass(hz * 1.414, 0.707)] {
            section.process(&mut band);
        }
        10.0 * band.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().log10()
    }

    #[test]
    fn white_gains_3_db_an_octave_and_pink_none() {
        let gains = [(Noise::White, 9.0), (Noise::Pink, 0.0)];
        for (noise, gain_db) in gains {
            let samples = noise.samples(200_000, &mut Rng::new(1));
            let gained = octave_db(&samples, 4_000.0) - octave_db(&samples, 500.0);
            assert!((gained - gain_db).abs() < 1.0, "{noise:?} {gained}");
        }
    }

    #[test]
    fn silence_around_a_sound_does_not_make_it_quieter() {
        let sound = Noise::White.samples(96_000, &mut Rng::new(1));
        let mut around = vec![0.0; 96_000];
        around.extend(&sound);
        around.extend(vec![0.0; 96_000]);
        assert!((band_rms(&sound) / band_rms(&around) - 1.0).abs() < 0.02);
    }
}
