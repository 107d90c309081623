//! What every single period tells of every channel: how late, how loud, how like the signal.

use realfft::num_complex::Complex;

use super::excitation::Excitation;
use super::impulse::{Deconvolver, bin};
use super::measurement::Estimate;
use super::periods::{Spectrum, median};

/// A channel is followed by its sound within this long before and after its arrival, in frames: the
/// direct sound and what the room adds soon.
const AROUND: (usize, usize) = (48, 2_400);
/// A shift from one period to the mean is looked for within so many frames: 100 ppm for 8 periods.
pub(crate) const REACH: isize = 60;
/// A channel that is not there is looked for within so many, 0.1 s: it may have jumped.
pub(crate) const JUMPS: isize = 4_800;
/// Of a channel that jumped so much is found, amplitude against the mean's; chance makes less than a tenth, ten times as much noise as
/// signal given.
pub(crate) const FOUND: f64 = 0.5;
/// Most is known of a shift here.
const BAND_HZ: (f64, f64) = (1_000.0, 10_000.0);

/// Drift of a channel of which only one period was heard: not more than any clock's.
const UNKNOWN_DRIFT: f64 = 2e-4;
/// Shifts are never better than this, in frames: 0.02 us.
const MIN_SCATTER: f64 = 1e-3;

/// One channel in one period.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Point {
    /// Later than in the mean, in frames.
    pub(crate) shift: f64,
    /// Amplitude against the mean's.
    pub(crate) gain: f64,
    /// Part of the period's power that all channels explain.
    pub(crate) coherence: f64,
}

/// What is expected of every channel in a period.
pub(crate) struct Follower {
    expected: Vec<Spectrum>,
}

impl Follower {
    /// Of responses (spectra as solved) with these first arrivals; a channel not heard has none.
    pub(crate) fn new(deconvolver: &Deconvolver, responses: &[Spectrum], first: &[Option<usize>]) -> Self {
        let near = |(c, first): (usize, &Option<usize>)| match first {
            Some(first) => {
                let mut samples = deconvolver.transform().inverse(responses[c].clone());
                let n = samples.len();
                for (i, x) in samples.iter_mut().enumerate() {
                    let after = (i + n - first + AROUND.0) % n;
                    *x *= if after < AROUND.0 + AROUND.1 { 1.0 } else { 0.0 };
                }
                deconvolver.sound(c, &deconvolver.transform().forward(samples.into_iter()))
            }
            None => Vec::new(),
        };
        Self { expected: first.iter().enumerate().map(near).collect() }
    }

    /// Every channel in one period; a channel not heard is at 0 with no gain.
    pub(crate) fn follow(&self, deconvolver: &Deconvolver, period: &Spectrum) -> Vec<Point> {
        let total: f64 = in_band(period).map(|x| x.norm_sqr()).sum();
        let mut points: Vec<Point> =
            (0..self.expected.len()).map(|c| self.near_or_far(deconvolver, c, period)).collect();
        let explained: f64 = points.iter().enumerate().map(|(c, p)| p.gain * p.gain * self.power(c)).sum();
        let coherence = (explained / total.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
        points.iter_mut().for_each(|p| p.coherence = coherence);
        points
    }

    /// Of what is expected of a channel, where most is known of a shift.
    pub(crate) fn power(&self, c: usize) -> f64 {
        in_band(&self.expected[c]).map(|x| x.norm_sqr()).sum()
    }

    fn near_or_far(&self, deconvolver: &Deconvolver, c: usize, period: &Spectrum) -> Point {
        let near = self.one(deconvolver, c, period, 0, REACH);
        if near.gain > FOUND || self.expected[c].is_empty() {
            return near;
        }
        let far = self.one(deconvolver, c, period, 0, JUMPS);
        if far.gain > FOUND { far } else { near }
    }

    /// Channel `c` in a period that was cut `advance` frames later than the one that taught what to
    /// expect: the shift of at most `reach` frames at which both are most alike, each bin weighted by how loud it is expected.
    pub(crate) fn one(
        &self,
        deconvolver: &Deconvolver,
        c: usize,
        period: &Spectrum,
        advance: usize,
        reach: isize,
    ) -> Point {
        let expected = &self.expected[c];
        if expected.is_empty() {
            return Point::default();
        }
        let step = -std::f64::consts::TAU * (advance % Excitation::PERIOD) as f64 / Excitation::PERIOD as f64;
        let mut cross = vec![Complex::default(); expected.len()];
        let turn = Complex::from_polar(1.0, step);
        let mut phase = Complex::from_polar(1.0, step * bin(BAND_HZ.0) as f64);
        for i in bin(BAND_HZ.0)..bin(BAND_HZ.1) {
            cross[i] = expected[i].conj() * period[i] * phase;
            phase *= turn;
        }
        let own = self.power(c);
        let lags = deconvolver.transform().inverse(cross.clone());
        let n = lags.len() as isize;
        let lag = |i: isize| lags[((i + n) % n) as usize];
        let best = (-reach..=reach).max_by(|&a, &b| lag(a).total_cmp(&lag(b))).unwrap_or(0);
        let (shift, value) = peak(&cross, best as f64);
        Point { shift, gain: value / own.max(f64::MIN_POSITIVE), coherence: 0.0 }
    }
}

fn in_band(x: &[Complex<f64>]) -> impl Iterator<Item = &Complex<f64>> {
    x.iter().take(bin(BAND_HZ.1)).skip(bin(BAND_HZ.0))
}

/// The highest value of a correlation near `shift`, by Newton's method, and where it is.
fn peak(cross: &[Complex<f64>], mut shift: f64) -> (f64, f64) {
    let step = std::f64::consts::TAU / Excitation::PERIOD as f64;
    let mut value = 0.0;
    for _ in 0..6 {
        let (mut slope, mut bend) = (0.0, 0.0);
        value = 0.0;
        let turn = Complex::from_polar(1.0, step * shift);
        let mut phase = Complex::from_polar(1.0, step * shift * bin(BAND_HZ.0) as f64);
        for (i, x) in cross.iter().enumerate().take(bin(BAND_HZ.1)).skip(bin(BAND_HZ.0)) {
            let (x, omega) = (x * phase, step * i as f64);
            value += x.re;
            slope -= omega * x.im;
            bend -= omega * omega * x.re;
            phase *= turn;
        }
        if bend >= 0.0 {
            break;
        }
        let by = (-slope / bend).clamp(-0.5, 0.5);
        shift += by;
        if by.abs() < 1e-6 {
            break;
        }
    }
    (shift, value)
}

/// Slope of shifts (period, frames late) over time, in frames late per frame: the median of the slopes
/// between every two (Theil and Sen), which a few periods with dropouts do not move.
pub(crate) fn drift(shifts: &[(f64, f64)]) -> Estimate {
    let mut slopes: Vec<f64> = Vec::new();
    for (i, a) in shifts.iter().enumerate() {
        slopes.extend(shifts[..i].iter().map(|b| (a.1 - b.1) / (a.0 - b.0)));
    }
    if slopes.is_empty() {
        return Estimate { value: 0.0, sd: UNKNOWN_DRIFT };
    }
    let slope = median(&mut slopes);
    let at = |s: &(f64, f64)| s.1 - slope * s.0;
    let level = median(&mut shifts.iter().map(at).collect::<Vec<_>>());
    let scatter = 1.48 * median(&mut shifts.iter().map(|s| (at(s) - level).abs()).collect::<Vec<_>>());
    // Periods at 0, 1, .. n - 1 have the sum of squares n (n^2 - 1) / 12 about their middle.
    let n = shifts.len() as f64;
    let sd = (scatter.max(MIN_SCATTER) / (n * (n * n - 1.0) / 12.0).sqrt()) / Excitation::PERIOD as f64;
    Estimate { value: slope / Excitation::PERIOD as f64, sd }
}
