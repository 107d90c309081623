//! A microphone and what stands behind it: another clock, noise, gain control, a full scale.

use super::RATE;
use super::between::{Between, HALF};
use super::noise::{Noise, band_rms};
use crate::rng::Rng;

/// How sound becomes a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Microphone {
    /// How much faster its clock runs than the players': more frames than 48,000 in their second.
    pub clock_ppm: f64,
    /// What it hears besides.
    pub noise: Noise,
    /// Power of all loudspeakers together against the noise's, within 300 Hz to 16 kHz, while they sound.
    /// Infinite: no noise at all.
    pub snr_db: f64,
    /// Gain that follows the level.
    pub gain_control: Option<GainControl>,
    /// Where the loudest peak would come to stand if there were room for it: above 0 it is clipped.
    pub peak_dbfs: f64,
    /// Width of a sample; 0 leaves them as they are.
    pub bits: u32,
    /// Of the noise.
    pub seed: u64,
}

impl Default for Microphone {
    /// A good one: no clock error, no noise, peaks at -12 dBFS, 24 bits.
    fn default() -> Self {
        Self {
            clock_ppm: 0.0,
            noise: Noise::Pink,
            snr_db: f64::INFINITY,
            gain_control: None,
            peak_dbfs: -12.0,
            bits: 24,
            seed: 1,
        }
    }
}

/// What a telephone does so that every voice is equally loud.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GainControl {
    /// Decibels in for one decibel out; 1 does nothing.
    pub ratio: f64,
    /// Time constant while the sound grows louder, in seconds.
    pub attack_s: f64,
    /// Time constant while it grows quieter, in seconds.
    pub release_s: f64,
}

impl GainControl {
    /// As in telephones: 3 to 1, 20 ms, 0.8 s.
    pub const TELEPHONE: Self = Self { ratio: 3.0, attack_s: 0.02, release_s: 0.8 };

    fn process(&self, samples: &mut [f32]) {
        let coefficient = |seconds: f64| 1.0 - (-1.0 / (seconds * RATE)).exp();
        let (attack, release) = (coefficient(self.attack_s), coefficient(self.release_s));
        let reference = band_rms(samples).powi(2).max(1e-12);
        let mut power = reference;
        for sample in samples {
            let now = f64::from(*sample).powi(2);
            power += (now - power) * if now > power { attack } else { release };
            // At most 30 dB more than it would give the signal itself.
            let gain = (power / reference).max(1e-3).powf(-0.5 * (1.0 - 1.0 / self.ratio.max(1.0)));
            *sample *= gain as f32;
        }
    }
}

impl Microphone {
    /// What it makes of this pressure, given at the players' 48 kHz. Frame 0 of both is the same instant.
    pub fn record(&self, pressure: &[f32]) -> Vec<f32> {
        let mut out = at_rate(pressure, 1.0 + self.clock_ppm * 1e-6);
        self.add_noise(&mut out);
        if let Some(control) = &self.gain_control {
            control.process(&mut out);
        }
        let peak = out.iter().fold(0.0, |a: f32, &x| a.max(x.abs())).max(1e-9);
        let gain = 10f64.powf(self.peak_dbfs / 20.0) / f64::from(peak);
        out.iter_mut().for_each(|x| *x = self.converted(f64::from(*x) * gain));
        out
    }

    fn add_noise(&self, samples: &mut [f32]) {
        if self.snr_db.is_infinite() {
            return;
        }
        let mut noise = self.noise.samples(samples.len(), &mut Rng::new(self.seed));
        // The first moments, while its filters fill, are part of it.
        let gain = band_rms(samples) / band_rms(&noise).max(1e-9) * 10f64.powf(-self.snr_db / 20.0);
        noise.iter_mut().for_each(|x| *x *= gain as f32);
        samples.iter_mut().zip(noise).for_each(|(x, noise)| *x += noise);
    }

    fn converted(&self, x: f64) -> f32 {
        let x = x.clamp(-1.0, 1.0);
        if self.bits == 0 {
            return x as f32;
        }
        let full = f64::from(1u32 << (self.bits.min(24) - 1));
        ((x * full).round().min(full - 1.0) / full) as f32
    }
}

/// The same sound on a clock that makes `rate` frames while this one makes one; clean up to 18 kHz.
pub fn at_rate(samples: &[f32], rate: f64) -> Vec<f32> {
    if rate == 1.0 {
        return samples.to_vec();
    }
    let between = Between::new();
    let mut padded = vec![0.0; HALF];
    padded.extend(samples);
    padded.resize(padded.len() + HALF + 1, 0.0);
    let frames = ((samples.len().max(1) - 1) as f64 * rate) as usize;
    (0..frames).map(|n| between.at(&padded, n as f64 / rate + HALF as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, frames: usize) -> Vec<f32> {
        (0..frames).map(|n| (n as f64 * hz / RATE * std::f64::consts::TAU).sin() as f32 * 0.5).collect()
    }

    #[test]
    fn a_fast_clock_makes_more_frames_of_the_same_sound() {
        let sound = tone(9_000.0, 96_000);
        let out = at_rate(&sound, 1.000_2);
        assert_eq!(out.len(), 96_018);
        for n in [30usize, 20_001, 95_000] {
            let wanted = (n as f64 / 1.000_2 * 9_000.0 / RATE * std::f64::consts::TAU).sin() * 0.5;
            assert!((f64::from(out[n]) - wanted).abs() < 1e-4, "{n}");
        }
    }

    #[test]
    fn noise_stands_as_far_below_the_sound_as_asked() {
        let sound = Noise::White.samples(96_000, &mut Rng::new(9));
        let clean = Microphone { bits: 0, peak_dbfs: 0.0, ..Microphone::default() };
        let mut noisy = Microphone { snr_db: 12.0, noise: Noise::White, ..clean };
        noisy.seed = 4;
        let mut out = sound.clone();
        noisy.add_noise(&mut out);
        let noise: Vec<f32> = out.iter().zip(&sound).map(|(a, b)| a - b).collect();
        let snr_db = 20.0 * (band_rms(&sound) / band_rms(&noise)).log10();
        assert!((snr_db - 12.0).abs() < 0.2, "{snr_db}");
    }

    #[test]
    fn what_is_too_loud_is_clipped_and_samples_have_their_width() {
        let loud = Microphone { peak_dbfs: 6.0, bits: 16, ..Microphone::default() };
        let out = loud.record(&tone(1_000.0, 9_600));
        let clipped = out.iter().filter(|x| x.abs() > 0.9999).count();
        assert!((5_000..8_000).contains(&clipped), "{clipped}");
        assert!(out.iter().all(|x| (x * 32_768.0).fract() == 0.0));
    }

    #[test]
    fn gain_control_makes_what_follows_a_loud_sound_quieter() {
        let mut sound = tone(1_000.0, 96_000);
        sound[48_000..].iter_mut().for_each(|x| *x *= 0.1);
        GainControl::TELEPHONE.process(&mut sound);
        let rms = |x: &[f32]| (x.iter().map(|x| x * x).sum::<f32>() / x.len() as f32).sqrt();
        let (just_after, later) = (rms(&sound[48_500..50_000]), rms(&sound[94_000..]));
        assert!(later > 1.3 * just_after, "{later} {just_after}");
    }
}
