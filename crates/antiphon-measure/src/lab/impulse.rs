//! From one period of the recording to the impulse response of every channel.
//!
//! `Y = sum of S_c H_c + noise`, bin by bin, is one equation for all channels. What makes it solvable
//! is that responses are short and sequences are noise to each other: `Y / S_c` is the response of
//! `c`, and every other channel spread over the whole period, 48 dB below its energy. What stands out
//! of that noise is response for certain; it is taken out of the recording, and what is left shows the
//! next fainter part (projection onto convex sets; Gauss-Seidel's order: a channel is taken out before
//! the next is looked at).

use realfft::num_complex::Complex;

use super::arrival::{self, Arrival, Look};
use super::excitation::Excitation;
use super::periods::median;
use crate::transform::Transform;

const PERIOD: usize = Excitation::PERIOD;
/// Rounds of taking out. Two channels are done after 4, twenty in a lively room after about 12.
const MAX_ROUNDS: usize = 12;
/// Enough to see where every channel is.
const ROUGH_ROUNDS: usize = 3;
/// A round that takes less than this part out of what is left was the last.
const SETTLED: f64 = 0.01;
/// Samples over which energy is smoothed before it is compared with the noise: 1.3 ms.
const SMOOTH: usize = 65;
/// What is below this many times the noise's power is not taken to be response.
const STANDS_OUT: f64 = 1.6;
/// Bins with less power than this, against the loudest, are faded out rather than divided by.
const FAINT: f64 = 1e-4;
/// Between these the analysis rises, and above the next two it falls: its own response is then
/// 0.1 ms short, and 1 to 8 kHz are as they were recorded.
const RISE_HZ: (f64, f64) = (320.0, 900.0);
const FALL_HZ: (f64, f64) = (9_000.0, 15_500.0);
/// The envelope's band rises and falls more gently: it does not ring.
const ENVELOPE_RISE_HZ: (f64, f64) = (500.0, 3_500.0);
const ENVELOPE_FALL_HZ: (f64, f64) = (4_000.0, 15_500.0);

/// Divides periods of the recording by the sequences of all channels.
pub(crate) struct Deconvolver {
    transform: Transform,
    /// Spectrum of every channel's sequence.
    sequences: Vec<Vec<Complex<f64>>>,
    /// 1 over the power of every bin, fading to 0 at the band's edges; the same for all channels.
    inverse: Vec<f64>,
    /// The shapes that the responses and their envelopes are looked at with: 0 to 1.
    window: Vec<f64>,
    envelope_window: Vec<f64>,
}

/// What one period told of all channels.
pub(crate) struct Responses {
    /// For each channel one circular response of a period, band-limited by the analysis window: what
    /// is at 0 came without delay.
    pub(crate) impulse: Vec<Vec<f64>>,
    /// For each channel the envelope of its upper band.
    pub(crate) envelope: Vec<Vec<f64>>,
    /// For each channel the spectrum of its response as far as it stands out of the noise, all of the
    /// band.
    pub(crate) spectra: Vec<Vec<Complex<f64>>>,
    /// Spectrum of what no channel explains.
    pub(crate) residual: Vec<Complex<f64>>,
}

impl Responses {
    /// The direct sound of every channel that is heard.
    pub(crate) fn arrivals(&self) -> Vec<Option<Arrival>> {
        let (noise, envelope_noise) = (self.noise(), quietest(&self.envelope));
        let look =
            |c: usize| Look { samples: &self.impulse[c], envelope: &self.envelope[c], noise, envelope_noise };
        (0..self.impulse.len()).map(|c| arrival::find(&look(c))).collect()
    }

    /// Standard deviation of a sample of the responses, by their quietest part.
    pub(crate) fn noise(&self) -> f64 {
        quietest(&self.impulse)
    }
}

/// The standard deviation of normally distributed samples of which half are this small: of the
/// channel in which that is most.
fn quietest(samples: &[Vec<f64>]) -> f64 {
    let one = |samples: &Vec<f64>| {
        let mut sizes: Vec<f64> = samples.iter().step_by(7).map(|x| x.abs()).collect();
        median(&mut sizes) / 0.6745
    };
    samples.iter().map(one).fold(0.0, f64::max)
}

impl Deconvolver {
    pub(crate) fn new(excitation: &Excitation) -> Self {
        let transform = Transform::of(PERIOD);
        let samples = |c: usize| excitation.sequence(c).iter().map(|&x| f64::from(x));
        let sequences: Vec<_> = (0..excitation.channels()).map(|c| transform.forward(samples(c))).collect();
        let power: Vec<f64> = sequences[0].iter().map(Complex::norm_sqr).collect();
        let floor = FAINT * power.iter().copied().fold(0.0, f64::max);
        let inverse = power.iter().map(|p| if *p > floor { 1.0 / p } else { 0.0 }).collect();
        let window = (0..power.len()).map(|bin| window(hz(bin))).collect();
        let envelope = |bin: usize| between(hz(bin), ENVELOPE_RISE_HZ, ENVELOPE_FALL_HZ);
        let envelope_window = (0..power.len()).map(envelope).collect();
        Self { transform, sequences, inverse, window, envelope_window }
    }

    pub(crate) fn channels(&self) -> usize {
        self.sequences.len()
    }

    pub(crate) fn transform(&self) -> &Transform {
        &self.transform
    }

    /// What channel `c` sounds like through the response with this spectrum.
    pub(crate) fn sound(&self, c: usize, response: &[Complex<f64>]) -> Vec<Complex<f64>> {
        self.sequences[c].iter().zip(response).map(|(s, h)| s * h).collect()
    }

    /// The spectrum `x` divided by the sequence of channel `c`.
    pub(crate) fn divide(&self, c: usize, x: &[Complex<f64>]) -> Vec<Complex<f64>> {
        let parts = x.iter().zip(&self.sequences[c]).zip(&self.inverse);
        parts.map(|((x, s), inverse)| x * s.conj() * inverse).collect()
    }

    /// The samples of a response within the analysis window.
    pub(crate) fn windowed(&self, response: &[Complex<f64>]) -> Vec<f64> {
        self.transform.inverse(response.iter().zip(&self.window).map(|(h, w)| h * w).collect())
    }

    /// Standard deviation of a sample of a windowed response, if the bins of the period that was
    /// divided have noise of this power.
    pub(crate) fn noise(&self, power: &[f64]) -> f64 {
        let bins = power.iter().zip(&self.inverse).zip(&self.window);
        let sum: f64 = bins.map(|((p, inverse), w)| p * inverse * w * w).sum();
        (2.0 * sum).sqrt() / PERIOD as f64
    }

    /// Size of the analytic signal of a response's upper band.
    fn envelope(&self, response: &[Complex<f64>]) -> Vec<f64> {
        let shaped = || response.iter().zip(&self.envelope_window).map(|(h, w)| h * w);
        let real = self.transform.inverse(shaped().collect());
        let turned = self.transform.inverse(shaped().map(|x| Complex::new(x.im, -x.re)).collect());
        real.iter().zip(turned).map(|(a, b)| a.hypot(b)).collect()
    }

    /// All responses in one period of the recording (its spectrum).
    pub(crate) fn solve(&self, period: &[Complex<f64>]) -> Responses {
        self.solve_for(0..self.channels(), period, MAX_ROUNDS)
    }

    /// As [`solve`](Self::solve), sooner and not to the last: where every channel is.
    pub(crate) fn solve_roughly(&self, period: &[Complex<f64>]) -> Responses {
        self.solve_for(0..self.channels(), period, ROUGH_ROUNDS)
    }

    /// The response of channel `c` only, the first of each vector: all else is noise.
    pub(crate) fn solve_one(&self, c: usize, period: &[Complex<f64>]) -> Responses {
        self.solve_for(c..c + 1, period, MAX_ROUNDS)
    }

    fn solve_for(
        &self,
        channels: std::ops::Range<usize>,
        period: &[Complex<f64>],
        rounds: usize,
    ) -> Responses {
        let mut residual = period.to_vec();
        let mut spectra = vec![vec![Complex::default(); residual.len()]; channels.len()];
        let mut left = power(&residual, &self.inverse);
        for _ in 0..rounds {
            for (c, known) in channels.clone().zip(&mut spectra) {
                self.take_out(c, known, &mut residual);
            }
            let now = power(&residual, &self.inverse);
            if now > (1.0 - SETTLED) * left {
                break;
            }
            left = now;
        }
        let look = |(c, known): (usize, &Vec<Complex<f64>>)| {
            let rest = self.divide(c, &residual);
            let whole: Vec<Complex<f64>> =
                known.iter().zip(&rest).map(|(known, rest)| known + rest).collect();
            (self.windowed(&whole), self.envelope(&whole))
        };
        let (impulse, envelope) = channels.zip(&spectra).map(look).unzip();
        Responses { impulse, envelope, spectra, residual }
    }

    /// Takes what stands out of channel `c` from the residual into what is known of it.
    fn take_out(&self, c: usize, known: &mut [Complex<f64>], residual: &mut [Complex<f64>]) {
        let mut whole = self.divide(c, residual);
        whole.iter_mut().zip(&*known).for_each(|(x, known)| *x += known);
        let mut samples = self.transform.inverse(whole);
        keep_what_stands_out(&mut samples);
        let kept = self.transform.forward(samples.into_iter());
        for (i, kept) in kept.into_iter().enumerate() {
            residual[i] += self.sequences[c][i] * (known[i] - kept);
            known[i] = kept;
        }
    }
}

/// Turns down every sample by what noise contributes to the energy around it (Wiener's rule).
fn keep_what_stands_out(samples: &mut [f64]) {
    let energy = smoothed_energy(samples, SMOOTH);
    let mut sorted = energy.clone();
    // The quarter of the period with the least energy is noise: no response fills a whole period.
    let (_, quarter, _) = sorted.select_nth_unstable_by(energy.len() / 4, f64::total_cmp);
    let noise = *quarter * 1.1 * STANDS_OUT;
    for (x, energy) in samples.iter_mut().zip(energy) {
        *x *= if energy > noise { 1.0 - noise / energy } else { 0.0 };
    }
}

/// Mean square of the `width` (odd) samples around each, the period being a circle.
fn smoothed_energy(samples: &[f64], width: usize) -> Vec<f64> {
    let half = width / 2;
    let n = samples.len();
    let mut sum: f64 = (0..width).map(|i| samples[(n + i - half) % n].powi(2)).sum();
    (0..n)
        .map(|i| {
            let mean = sum / width as f64;
            sum += samples[(i + half + 1) % n].powi(2) - samples[(i + n - half) % n].powi(2);
            mean.max(0.0)
        })
        .collect()
}

fn power(spectrum: &[Complex<f64>], weight: &[f64]) -> f64 {
    spectrum.iter().zip(weight).map(|(x, w)| x.norm_sqr() * w).sum()
}

/// Frequency of a bin of one period.
pub(crate) fn hz(bin: usize) -> f64 {
    bin as f64 * Excitation::RATE_HZ / PERIOD as f64
}

/// Bin of one period that is nearest to a frequency.
pub(crate) fn bin(hz: f64) -> usize {
    (hz * PERIOD as f64 / Excitation::RATE_HZ).round() as usize
}

/// The analysis window.
pub(crate) fn window(hz: f64) -> f64 {
    between(hz, RISE_HZ, FALL_HZ)
}

fn between(hz: f64, rise: (f64, f64), fall: (f64, f64)) -> f64 {
    let ramp = |(from, to): (f64, f64)| {
        let x = ((hz - from) / (to - from)).clamp(0.0, 1.0);
        0.5 - 0.5 * (std::f64::consts::PI * x).cos()
    };
    ramp(rise) * (1.0 - ramp(fall))
}
