//! Where in a recording one moment of the source sounds, to a small fraction of a sample.
//!
//! Coarse: normalised cross-correlation over the lags searched. Fine: both cut out under the same
//! window, and the peak of their cross-spectrum's correlation, which weights every band by the
//! energy that it has in both. Two things decide its accuracy:
//!
//! * A recording runs up to 100 ppm fast or slow, so that within a window of 8,192 frames its edges
//!   are 0.4 samples off. That does not blur the answer, it moves it: the delay found belongs to the
//!   centre of the *slope energy* of the window, not to its middle, and 100 ppm of 50 ms between the
//!   two would be 5 us. So every match says which source frame it speaks of ([`Match::reference`]).
//! * Music repeats itself from cycle to cycle. Every lag that correlates almost as well as the best
//!   is refined too, and they are compared over the whole band with loud and faint partials nearly
//!   alike. Where two still agree equally, the answer is "ambiguous" and never a guess.

use realfft::RealFftPlanner;
use realfft::num_complex::Complex;

use crate::transform::Transform;

/// Source below this level under the window is silence: -70 dBFS rms, above the noise of 16 bits.
const SILENCE_RMS: f64 = 3e-4;
/// Lags that correlate at least this well, relative to the best, are looked at for another cycle.
const RIVAL: f64 = 0.85;
/// So many lags at most are refined for one window.
const MAX_CANDIDATES: usize = 8;
/// A rival that agrees over the whole band to within this is as good as the best: ambiguous.
const AMBIGUOUS: f64 = 0.004;
/// A lag whose bins agree less than this, bin by bin, shares no more than a loud bass note with the
/// source, however well that note correlates.
const MIN_AGREEMENT: f64 = 0.6;
/// The band that counts, in cycles per frame: 40 Hz to 20 kHz at the media rate, where a speaker's
/// path is flat.
const BAND: std::ops::Range<f64> = 40.0 / 48_000.0..20_000.0 / 48_000.0;

/// What one window of source found in a recording.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Found {
    /// Heard, once.
    Match(Match),
    /// Heard, but two lags explain it equally well.
    Ambiguous,
    /// The best lag correlates as badly as this.
    Poor(f64),
    /// The source itself is silent here.
    Silent,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Match {
    /// The source frame of which the match speaks, with its fraction.
    pub(crate) reference: f64,
    /// The recording's frame at which it sounds, with its fraction.
    pub(crate) position: f64,
    /// Correlation there, 0 to 1.
    pub(crate) quality: f64,
}

/// Finds windows of one length, within lags up to one bound.
pub(crate) struct Aligner {
    window: Vec<f64>,
    search: usize,
    min_quality: f64,
    fine: Transform,
    coarse: Transform,
    /// Spectrum of the squared window: turns squared samples into energy under the window.
    energy: Vec<Complex<f64>>,
}

impl Aligner {
    /// Windows of `frames` (even), lags up to `search` frames either way; below `min_quality` is poor.
    pub(crate) fn new(frames: usize, search: usize, min_quality: f64) -> Self {
        let mut planner = RealFftPlanner::new();
        let window: Vec<f64> = (0..frames)
            .map(|n| 0.5 - 0.5 * ((n as f64 + 0.5) * std::f64::consts::TAU / frames as f64).cos())
            .collect();
        let coarse = Transform::new(&mut planner, (frames + 2 * search).next_power_of_two());
        let energy = coarse.forward(window.iter().map(|w| w * w));
        Self { fine: Transform::new(&mut planner, frames), search, min_quality, coarse, energy, window }
    }

    /// Finds the window of `source` around frame `centre` in `recording`, expected around its frame
    /// `expected`.
    pub(crate) fn find(&self, source: &[f32], centre: usize, recording: &[f32], expected: f64) -> Found {
        let half = self.window.len() as isize / 2;
        let begin = centre as isize - half;
        let template = self.cut(source, begin);
        let power = template.iter().map(|x| x * x).sum::<f64>();
        if power < SILENCE_RMS.powi(2) * self.window.iter().map(|w| w * w).sum::<f64>() {
            return Found::Silent;
        }
        let expected = expected.round() as isize - half;
        let lags = self.correlation(&template, recording, expected - self.search as isize);
        let spectrum = self.fine.forward(template.iter().copied());
        let best = lags.iter().copied().fold(0.0, f64::max);
        if best < self.min_quality / 2.0 {
            return Found::Poor(best);
        }
        let mut found: Vec<(f64, f64, f64)> = peaks(&lags, best * RIVAL)
            .into_iter()
            .filter_map(|lag| {
                let start = expected - self.search as isize + lag as isize;
                self.refine(&spectrum, recording, start)
            })
            .collect();
        found.sort_by(|a, b| b.2.total_cmp(&a.2));
        let Some(&(start, quality, agreement)) = found.first() else { return Found::Poor(best) };
        if quality < self.min_quality || agreement < MIN_AGREEMENT {
            return Found::Poor(quality.min(agreement));
        }
        let rival = |f: &&(f64, f64, f64)| (f.0 - start).abs() > 1.0 && agreement - f.2 < AMBIGUOUS;
        if found[1..].iter().find(rival).is_some() {
            return Found::Ambiguous;
        }
        let reference = self.slope_centre(&spectrum);
        let (reference, position) = (begin as f64 + reference, start + reference);
        Found::Match(Match { reference, position, quality })
    }

    /// The frames from `begin` on under the window; silence outside.
    fn cut(&self, samples: &[f32], begin: isize) -> Vec<f64> {
        self.window.iter().enumerate().map(|(n, w)| w * sample(samples, begin + n as isize)).collect()
    }

    /// Normalised correlation of `template` with the recording at `2 * search + 1` lags, the first
    /// with its window beginning at frame `begin`.
    fn correlation(&self, template: &[f64], recording: &[f32], begin: isize) -> Vec<f64> {
        let block = |n: usize| sample(recording, begin + n as isize);
        let frames = self.window.len() + 2 * self.search;
        let weighted = template.iter().zip(&self.window).map(|(x, w)| x * w);
        let mut cross = self.coarse.forward(weighted);
        let sound = self.coarse.forward((0..frames).map(block));
        let mut power = self.coarse.forward((0..frames).map(|n| block(n).powi(2)));
        for i in 0..cross.len() {
            cross[i] = cross[i].conj() * sound[i];
            power[i] *= self.energy[i].conj();
        }
        let own: f64 = template.iter().map(|x| x * x).sum();
        let cross = self.coarse.inverse(cross);
        let power = self.coarse.inverse(power);
        // Rounding of the transforms must not turn silence into a match.
        let floor = own * 1e-9;
        (0..=2 * self.search).map(|i| cross[i] / (own * power[i].max(floor)).sqrt()).collect()
    }

    /// The exact start of the window near frame `start`: (start, correlation, broadband agreement).
    fn refine(
        &self,
        source: &[Complex<f64>],
        recording: &[f32],
        mut start: isize,
    ) -> Option<(f64, f64, f64)> {
        // A whole sample's move brings the peak within half a sample; it settles at once or never.
        for _ in 0..4 {
            let sound = self.fine.forward(self.cut(recording, start).into_iter());
            let cross = Cross::new(source, &sound, self.window.len());
            let delay = cross.peak()?;
            let whole = delay.round();
            if whole == 0.0 {
                let quality = cross.correlation(delay);
                return Some((start as f64 + delay, quality, cross.agreement(delay)));
            }
            start += whole.clamp(-8.0, 8.0) as isize;
        }
        None
    }

    /// Centre of the energy of the windowed source's slope, in frames from the window's begin.
    fn slope_centre(&self, spectrum: &[Complex<f64>]) -> f64 {
        let step = std::f64::consts::TAU / self.window.len() as f64;
        let in_band = band(self.window.len());
        let slope = spectrum.iter().enumerate().map(|(k, x)| {
            let inside = if in_band.contains(&k) { step * k as f64 } else { 0.0 };
            Complex::new(-x.im, x.re) * inside
        });
        let slope = self.fine.inverse(slope.collect());
        let weight: f64 = slope.iter().map(|x| x * x).sum();
        slope.iter().enumerate().map(|(n, x)| n as f64 * x * x).sum::<f64>() / weight.max(f64::MIN_POSITIVE)
    }
}

/// The cross-spectrum of two windows over the band that counts.
struct Cross {
    first: usize,
    /// Radians per frame from one bin to the next.
    step: f64,
    cross: Vec<Complex<f64>>,
    /// Size of each bin.
    sizes: Vec<f64>,
    norm: f64,
}

impl Cross {
    fn new(source: &[Complex<f64>], sound: &[Complex<f64>], frames: usize) -> Self {
        let bins = band(frames);
        let cross: Vec<_> = bins.clone().map(|k| source[k].conj() * sound[k]).collect();
        let sizes = cross.iter().map(|x| x.norm_sqr().sqrt()).collect();
        let power = |x: &[Complex<f64>]| bins.clone().map(|k| x[k].norm_sqr()).sum::<f64>();
        let norm = (power(source) * power(sound)).sqrt().max(f64::MIN_POSITIVE);
        Self { first: bins.start, step: std::f64::consts::TAU / frames as f64, cross, sizes, norm }
    }

    /// The delay, in frames, at which the correlation peaks: Newton's method from the best of a
    /// coarse grid. `None` where there is no peak.
    fn peak(&self) -> Option<f64> {
        let grid = (-2..=2).map(|i| f64::from(i) * 0.5);
        let mut delay = grid.max_by(|a, b| self.derivatives(*a)[0].total_cmp(&self.derivatives(*b)[0]))?;
        for _ in 0..8 {
            let [_, slope, bend] = self.derivatives(delay);
            if bend >= 0.0 {
                return None;
            }
            let move_by = (-slope / bend).clamp(-0.5, 0.5);
            delay += move_by;
            if move_by.abs() < 1e-9 {
                break;
            }
        }
        Some(delay)
    }

    fn correlation(&self, delay: f64) -> f64 {
        self.derivatives(delay)[0] / self.norm
    }

    /// The correlation at `delay` (times its norm), with its first and second derivative.
    fn derivatives(&self, delay: f64) -> [f64; 3] {
        let mut sums = [0.0; 3];
        self.turned(delay, |omega, x| {
            sums[0] += x.re;
            sums[1] -= omega * x.im;
            sums[2] -= omega * omega * x.re;
        });
        sums
    }

    /// How well all of the band agrees with `delay`, each bin counting by its amplitude and so faint
    /// partials more than in the correlation: 1 when every bin has exactly this delay.
    fn agreement(&self, delay: f64) -> f64 {
        let (mut sum, mut all) = (0.0, f64::MIN_POSITIVE);
        let mut sizes = self.sizes.iter();
        self.turned(delay, |_, x| {
            let size = sizes.next().copied().unwrap_or(0.0).max(f64::MIN_POSITIVE);
            sum += x.re / size.sqrt();
            all += size.sqrt();
        });
        sum / all
    }

    /// Every bin with `delay` taken out of its phase: (radians per frame, value).
    fn turned(&self, delay: f64, mut each: impl FnMut(f64, Complex<f64>)) {
        let turn = Complex::from_polar(1.0, self.step * delay);
        let mut phase = Complex::from_polar(1.0, self.step * delay * self.first as f64);
        for (i, x) in self.cross.iter().enumerate() {
            each(self.step * (self.first + i) as f64, x * phase);
            phase *= turn;
        }
    }
}

fn band(frames: usize) -> std::ops::Range<usize> {
    let bin = |f: f64| ((f * frames as f64).ceil() as usize).clamp(1, frames / 2);
    bin(BAND.start)..bin(BAND.end)
}

/// The highest local maxima of at least `floor`, best first.
fn peaks(lags: &[f64], floor: f64) -> Vec<usize> {
    let at = |i: usize| lags.get(i).copied().unwrap_or(f64::MIN);
    let is_peak = |&i: &usize| {
        lags[i] > 0.0 && lags[i] >= floor && lags[i] >= at(i.wrapping_sub(1)) && lags[i] > at(i + 1)
    };
    let mut found: Vec<usize> = (0..lags.len()).filter(is_peak).collect();
    found.sort_by(|&a, &b| lags[b].total_cmp(&lags[a]));
    found.truncate(MAX_CANDIDATES);
    found
}

fn sample(samples: &[f32], index: isize) -> f64 {
    usize::try_from(index).ok().and_then(|i| samples.get(i)).map_or(0.0, |&s| f64::from(s))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise with onsets, sampled anywhere: a sum of decaying partials that start at odd times.
    fn plucked(t: f64) -> f64 {
        let onset = |k: i32| f64::from(k) * 3_137.3;
        (0..8)
            .map(|k| {
                let (since, hz) = (t - onset(k), 0.011 * (1.0 + 0.37 * f64::from(k)));
                if since < 0.0 {
                    0.0
                } else {
                    (-since / 2_500.0).exp() * (1.0 - (-since / 20.0).exp()) * (since * hz).sin()
                }
            })
            .sum::<f64>()
            * 0.3
    }

    fn sampled(frames: usize, position: impl Fn(usize) -> f64) -> Vec<f32> {
        (0..frames).map(|n| plucked(position(n)) as f32).collect()
    }

    #[test]
    fn a_fractional_delay_is_found_to_a_hundredth_of_a_microsecond() {
        let source = sampled(24_000, |n| n as f64);
        let aligner = Aligner::new(8_192, 960, 0.9);
        for delay in [0.0, 0.25, 0.5, 13.37, -200.9, 700.123] {
            let heard = sampled(24_000, |n| n as f64 - delay);
            let Found::Match(m) = aligner.find(&source, 11_000, &heard, 11_000.0) else {
                panic!("not found: {delay}")
            };
            let error_us = (m.position - m.reference - delay) / 0.048;
            assert!(error_us.abs() < 0.01, "{delay}: {error_us} us");
        }
    }

    #[test]
    fn a_recording_that_runs_fast_is_placed_where_its_slope_energy_lies() {
        let source = sampled(24_000, |n| n as f64);
        let aligner = Aligner::new(8_192, 960, 0.9);
        for ppm in [-100.0, -40.0, 100.0] {
            let rate = 1.0 + ppm * 1e-6;
            let heard = sampled(24_000, |n| n as f64 / rate - 3.3);
            for centre in [5_000, 9_500, 14_000] {
                let Found::Match(m) = aligner.find(&source, centre, &heard, centre as f64) else {
                    panic!("not found")
                };
                let error_us = (m.position - (m.reference + 3.3) * rate) / 0.048;
                assert!(error_us.abs() < 0.05, "{ppm} ppm at {centre}: {error_us} us");
            }
        }
    }

    #[test]
    fn a_steady_tone_could_be_any_of_its_cycles_and_is_called_ambiguous() {
        let tone = |n: usize| (n as f64 * 0.05).sin() as f32 * 0.3;
        let source: Vec<f32> = (0..24_000).map(tone).collect();
        assert_eq!(Aligner::new(8_192, 960, 0.9).find(&source, 11_000, &source, 11_000.0), Found::Ambiguous);
    }

    #[test]
    fn silence_is_silent_and_another_sound_is_poor() {
        let source = sampled(24_000, |n| n as f64);
        let aligner = Aligner::new(8_192, 960, 0.9);
        let nothing = vec![0.0; 24_000];
        assert_eq!(aligner.find(&nothing, 11_000, &source, 11_000.0), Found::Silent);
        assert!(matches!(aligner.find(&source, 11_000, &nothing, 11_000.0), Found::Poor(_)));
        let other = sampled(24_000, |n| 23_000.0 - n as f64);
        assert!(matches!(aligner.find(&source, 11_000, &other, 11_000.0), Found::Poor(_)));
    }
}
