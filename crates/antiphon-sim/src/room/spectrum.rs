//! Short filters by their spectra: smooth magnitudes, minimum phase, and the way back to samples.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner};

use super::RATE;

/// Length of a reflection's filter: 5 ms, which resolves the octave bands' slopes.
pub const LEN: usize = 256;
/// Frequencies of its spectrum, from 0 to 24 kHz.
pub const BINS: usize = LEN / 2 + 1;
/// Samples before the arrival that its band limit rings.
pub const PRE: usize = 32;
/// From here to 24 kHz every reflection fades out, so that fractional delays stay short.
const FADE_HZ: f64 = 20_000.0;

/// Octave bands in which walls and air are described.
pub const BANDS: usize = 8;
/// Their centres.
pub const CENTRES_HZ: [f64; BANDS] = [125.0, 250.0, 500.0, 1e3, 2e3, 4e3, 8e3, 16e3];

/// One filter: values at [`bin_hz`].
pub type Spectrum = Vec<Complex<f64>>;

/// Frequency of a bin.
pub fn bin_hz(bin: usize) -> f64 {
    bin as f64 * RATE / LEN as f64
}

/// How much of each octave band there is at a frequency: straight lines over the logarithm of frequency,
/// which add up to 1 everywhere.
pub fn band_weights(hz: f64) -> [f64; BANDS] {
    let at = (hz.max(1.0) / CENTRES_HZ[0]).log2().clamp(0.0, (BANDS - 1) as f64);
    std::array::from_fn(|band| (1.0 - (at - band as f64).abs()).max(0.0))
}

/// The filter of least delay with these octave bands' magnitudes, given in nepers.
pub fn minimum_phase(nepers: &[f64; BANDS]) -> Spectrum {
    let log_magnitude = |bin: usize| -> f64 {
        band_weights(bin_hz(bin)).iter().zip(nepers).map(|(weight, level)| weight * level).sum()
    };
    // The phase is the Hilbert transform of the logarithm of the magnitude: fold its cepstrum.
    let mut planner = RealFftPlanner::<f64>::new();
    let mut log: Vec<_> = (0..BINS).map(|bin| Complex::from(log_magnitude(bin))).collect();
    let mut cepstrum = vec![0.0; LEN];
    planner.plan_fft_inverse(LEN).process(&mut log, &mut cepstrum).expect("both have the planned lengths");
    for (n, c) in cepstrum.iter_mut().enumerate() {
        *c *= if n == 0 || n == LEN / 2 {
            1.0
        } else if n < LEN / 2 {
            2.0
        } else {
            0.0
        };
        *c /= LEN as f64;
    }
    planner.plan_fft_forward(LEN).process(&mut cepstrum, &mut log).expect("both have the planned lengths");
    log.iter().map(|x| x.exp()).collect()
}

/// Adds filtered impulses at any instant to a response.
pub struct Stamp {
    inverse: Arc<dyn ComplexToReal<f64>>,
    fade: Vec<f64>,
    spectrum: Spectrum,
    samples: Vec<f64>,
    scratch: Spectrum,
}

impl Stamp {
    pub fn new() -> Self {
        let inverse = RealFftPlanner::<f64>::new().plan_fft_inverse(LEN);
        let scratch = inverse.make_scratch_vec();
        let fade = |bin: usize| {
            let x = ((bin_hz(bin) - FADE_HZ) / (RATE / 2.0 - FADE_HZ)).clamp(0.0, 1.0);
            (0.5 + 0.5 * (std::f64::consts::PI * x).cos()) / LEN as f64
        };
        Self {
            inverse,
            fade: (0..BINS).map(fade).collect(),
            spectrum: vec![Complex::default(); BINS],
            samples: vec![0.0; LEN],
            scratch,
        }
    }

    /// Adds `gain` times the product of `filters` at `at_frames`; what falls outside is lost.
    pub fn add(&mut self, response: &mut [f32], at_frames: f64, gain: f64, filters: &[&Spectrum]) {
        let whole = at_frames.floor();
        let shift = at_frames - whole + PRE as f64;
        let step = Complex::from_polar(1.0, -std::f64::consts::TAU * shift / LEN as f64);
        let mut turn = Complex::from(gain);
        for (bin, value) in self.spectrum.iter_mut().enumerate() {
            *value = filters.iter().fold(turn * self.fade[bin], |product, filter| product * filter[bin]);
            turn *= step;
        }
        self.spectrum[0].im = 0.0;
        self.spectrum[BINS - 1].im = 0.0;
        self.inverse
            .process_with_scratch(&mut self.spectrum, &mut self.samples, &mut self.scratch)
            .expect("all have the planned lengths");
        let begin = whole as isize - PRE as isize;
        for (n, &sample) in self.samples.iter().enumerate() {
            let place = usize::try_from(begin + n as isize).ok().and_then(|i| response.get_mut(i));
            if let Some(place) = place {
                *place += sample as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bands_share_every_frequency_between_them() {
        for hz in [0.0, 100.0, 700.0, 3_333.0, 24_000.0] {
            assert!((band_weights(hz).iter().sum::<f64>() - 1.0).abs() < 1e-12, "{hz}");
        }
    }

    #[test]
    fn a_minimum_phase_filter_has_its_magnitudes_and_rings_after_its_arrival_only() {
        let nepers = [-0.1, -0.1, -0.2, -0.4, -0.6, -0.8, -1.0, -1.0];
        let filter = minimum_phase(&nepers);
        for (bin, value) in filter.iter().enumerate() {
            let weights = band_weights(bin_hz(bin));
            let wanted: f64 = weights.iter().zip(&nepers).map(|(w, n)| w * n).sum();
            assert!((value.norm().ln() - wanted).abs() < 1e-3, "bin {bin}");
        }
        let mut response = vec![0.0; 1_000];
        Stamp::new().add(&mut response, 500.0, 1.0, &[&filter]);
        let before: f32 = response[..484].iter().map(|x| x * x).sum();
        let after: f32 = response[516..].iter().map(|x| x * x).sum();
        assert!(before * 30.0 < after, "{before} {after}");
    }

    #[test]
    fn an_impulse_between_two_samples_has_its_whole_energy_there() {
        let flat = vec![Complex::from(1.0); BINS];
        let mut response = vec![0.0; 1_000];
        Stamp::new().add(&mut response, 500.25, 2.0, &[&flat]);
        let sum: f64 = response.iter().map(|&x| f64::from(x)).sum();
        let energy: f64 = response.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        let centre: f64 =
            response.iter().enumerate().map(|(n, &x)| n as f64 * f64::from(x) * f64::from(x)).sum::<f64>()
                / energy;
        assert!((sum - 2.0).abs() < 1e-4 && (centre - 500.25).abs() < 0.01, "{sum} {centre}");
    }
}
