//! What the two paths from programme to microphone do, learned from the music itself.
//!
//! For every bin a two-input least-squares fit over a sliding minute (the classical multiple-input
//! identification of Bendat and Piersol, "Random Data", chapter 7), on windows that are laid on the
//! track, so that clocks and drift do not blur it. A new window is compared with what the model
//! predicts: that the residual leans towards the prediction's derivative means that the side moved.
//! How well each bin tells left from right is known from the fit's own covariance; what the model's
//! errors pretend to know is taken off again (errors in variables), so that music with little between
//! left and right gives little information and not a wrong number.

use realfft::num_complex::Complex;

use super::spectrum::{BINS, Spectrum, omega};
use super::track::{Shifts, axes};

/// Windows after which the oldest count a third: a minute.
const MEMORY: f64 = 350.0;
/// Windows over which noise is averaged: 5 s.
const NOISE_MEMORY: f64 = 30.0;
/// Part of a prediction that is never right: what a window cuts off the room's decay.
const IMPERFECT: f64 = 0.02;
/// Neighbouring bins of Hann windows tell nearly the same thing: information counts half.
const SHARED: f64 = 2.0;

/// Both paths, and how well they are known.
#[derive(Debug)]
pub(super) struct Model {
    bins: Vec<Bin>,
    /// Power of what the model does not explain.
    noise: Vec<f64>,
    /// Sum of the weights of the windows learned from.
    weight: f64,
    /// Mean programme power of windows, to know loud from quiet.
    loudness: f64,
    windows: usize,
}

/// One bin's sums and what follows from them.
#[derive(Debug, Clone, Copy, Default)]
struct Bin {
    ll: f64,
    rr: f64,
    yy: f64,
    lr: Complex<f64>,
    ly: Complex<f64>,
    ry: Complex<f64>,
    left: Complex<f64>,
    right: Complex<f64>,
    /// Inverse of the sums' matrix: times the noise, the covariance of both paths.
    spread: [f64; 2],
    spread_across: Complex<f64>,
    /// The part of it that stands in the estimates as if it were sound: the rest was pulled to nothing.
    false_power: [f64; 2],
    false_across: Complex<f64>,
}

/// What a window should be, and what it is beyond that.
pub(super) struct Prediction {
    pub left: Spectrum,
    pub right: Spectrum,
    pub residual: Spectrum,
    /// One over the expected power of the residual.
    pub precision: Vec<f64>,
}

/// The windows of one moment, laid on the track.
pub(super) struct Windows {
    pub left: Spectrum,
    pub right: Spectrum,
    pub heard: Spectrum,
}

impl Model {
    pub(super) fn new() -> Self {
        Self {
            bins: vec![Bin::default(); BINS],
            noise: vec![0.0; BINS],
            weight: 0.0,
            loudness: 0.0,
            windows: 0,
        }
    }

    /// Learns from a window; gives the share that it has in the model from now on.
    pub(super) fn learn(&mut self, w: &Windows) -> f64 {
        let power = |s: &Spectrum| s.iter().map(Complex::norm_sqr).sum::<f64>();
        let energy = power(&w.left) + power(&w.right);
        self.windows += 1;
        self.loudness += (energy - self.loudness) / (self.windows as f64).min(MEMORY);
        // Quiet windows bring little and make nothing forgotten.
        let loud = (energy / self.loudness.max(f64::MIN_POSITIVE)).min(1.0);
        let keep = if (self.windows as f64) < MEMORY { 1.0 } else { 1.0 - loud / MEMORY };
        for (k, bin) in self.bins.iter_mut().enumerate() {
            bin.add(keep, w.left[k], w.right[k], w.heard[k]);
        }
        self.weight = self.weight * keep + energy;
        self.solve();
        energy / self.weight.max(f64::MIN_POSITIVE)
    }

    fn solve(&mut self) {
        let sum = |f: fn(&Bin) -> f64| self.bins.iter().map(f).sum::<f64>();
        let gain = sum(|b| b.yy) / sum(|b| b.ll + b.rr).max(f64::MIN_POSITIVE);
        let first = self.noise.iter().all(|&n| n == 0.0);
        for (bin, noise) in self.bins.iter_mut().zip(&self.noise) {
            let noise = if first { 0.05 * bin.yy / self.windows as f64 } else { *noise };
            bin.solve(noise / gain.max(f64::MIN_POSITIVE));
        }
    }

    /// Ends the first windows, in which nothing is predicted: noise is what they left unexplained.
    pub(super) fn begin(&mut self) {
        let n = self.windows as f64;
        // Two paths fitted to n windows explain two of them by chance.
        let free = (n - 2.0).max(1.0);
        let unexplained: Vec<f64> = self.bins.iter().map(|b| b.unexplained() / free).collect();
        self.noise = smooth(&unexplained);
        self.solve();
    }

    /// What the model expects of this moment.
    pub(super) fn predict(&self, w: &Windows) -> Prediction {
        let left: Spectrum = self.bins.iter().zip(&w.left).map(|(b, x)| b.left * x).collect();
        let right: Spectrum = self.bins.iter().zip(&w.right).map(|(b, x)| b.right * x).collect();
        let residual = (0..BINS).map(|k| w.heard[k] - left[k] - right[k]).collect();
        let expected = |k: usize| {
            let signal = left[k].norm_sqr() + right[k].norm_sqr();
            self.noise[k] * (1.0 + self.doubt(k, w)) + IMPERFECT * signal
        };
        let precision = (0..BINS).map(|k| 1.0 / expected(k).max(f64::MIN_POSITIVE)).collect();
        Prediction { left, right, residual, precision }
    }

    /// Variance of this bin's prediction against the noise.
    fn doubt(&self, k: usize, w: &Windows) -> f64 {
        let (b, l, r) = (&self.bins[k], w.left[k], w.right[k]);
        let across = 2.0 * (l * r.conj() * b.spread_across).re;
        (b.spread[0] * l.norm_sqr() + b.spread[1] * r.norm_sqr() + across).max(0.0)
    }

    /// How far left and right have moved against the model, told by bins below `end`.
    pub(super) fn shifts(&self, w: &Windows, p: &Prediction, end: usize) -> Shifts {
        let mut seen = [[0.0; 2]; 2];
        let mut pretended = [[0.0; 2]; 2];
        let mut lean = [0.0; 2];
        for k in 0..end.min(BINS) {
            let weight = p.precision[k] * omega(k).powi(2);
            let slope = Complex::new(0.0, -1.0);
            let (l, r, e) = (p.left[k] * slope, p.right[k] * slope, p.residual[k]);
            seen[0][0] += weight * l.norm_sqr();
            seen[1][1] += weight * r.norm_sqr();
            seen[0][1] += weight * (l.conj() * r).re;
            lean[0] += weight / omega(k) * (l.conj() * e).re;
            lean[1] += weight / omega(k) * (r.conj() * e).re;
            let (bin, noise) = (&self.bins[k], self.noise[k]);
            pretended[0][0] += weight * noise * bin.false_power[0] * w.left[k].norm_sqr();
            pretended[1][1] += weight * noise * bin.false_power[1] * w.right[k].norm_sqr();
            pretended[0][1] += weight * noise * (w.left[k].conj() * w.right[k] * bin.false_across.conj()).re;
        }
        seen[1][0] = seen[0][1];
        informed(seen, pretended, lean)
    }

    /// The least that the channels differ by, seen from either: 1 when they have nothing in common,
    /// 0 when one follows from the other.
    pub(super) fn difference(&self) -> f64 {
        let (mut apart, mut all) = (0.0, f64::MIN_POSITIVE);
        for (bin, noise) in self.bins.iter().zip(&self.noise) {
            let both = bin.ll * bin.rr;
            if both > 0.0 && *noise > 0.0 {
                let weight = (bin.yy / noise).min(1e4).sqrt();
                apart += weight * (1.0 - bin.lr.norm_sqr() / both).max(0.0);
                all += weight;
            }
        }
        apart / all
    }

    /// Averages what was left unexplained.
    pub(super) fn hear_noise(&mut self, p: &Prediction) {
        let now: Vec<f64> = p.residual.iter().map(Complex::norm_sqr).collect();
        for (noise, now) in self.noise.iter_mut().zip(smooth(&now)) {
            *noise += (now - *noise) / NOISE_MEMORY;
        }
    }

    /// Both paths, with the power of their errors.
    pub(super) fn paths(&self) -> impl Iterator<Item = [(Complex<f64>, f64); 2]> + '_ {
        self.bins
            .iter()
            .zip(&self.noise)
            .map(|(b, noise)| [(b.left, b.spread[0] * noise), (b.right, b.spread[1] * noise)])
    }
}

impl Bin {
    fn add(&mut self, keep: f64, l: Complex<f64>, r: Complex<f64>, y: Complex<f64>) {
        self.ll = self.ll * keep + l.norm_sqr();
        self.rr = self.rr * keep + r.norm_sqr();
        self.yy = self.yy * keep + y.norm_sqr();
        self.lr = self.lr * keep + l.conj() * r;
        self.ly = self.ly * keep + l.conj() * y;
        self.ry = self.ry * keep + r.conj() * y;
    }

    /// `ridge`: noise over the power of a likely path, which pulls what is not known towards nothing.
    fn solve(&mut self, ridge: f64) {
        let ridge = ridge + 1e-6 * (self.ll + self.rr) + f64::MIN_POSITIVE;
        let (a, d) = (self.ll + ridge, self.rr + ridge);
        let det = (a * d - self.lr.norm_sqr()).max(f64::MIN_POSITIVE);
        self.left = (self.ly * d - self.lr * self.ry) / det;
        self.right = (self.ry * a - self.lr.conj() * self.ly) / det;
        self.spread = [d / det, a / det];
        self.spread_across = -self.lr / det;
        let ([p, q], across) = (self.spread, self.spread_across);
        let square = [p * p + across.norm_sqr(), q * q + across.norm_sqr()];
        self.false_power = [0, 1].map(|i| (self.spread[i] - ridge * square[i]).max(0.0));
        self.false_across = across * (1.0 - ridge * (p + q));
    }

    fn unexplained(&self) -> f64 {
        let explained = (self.left.conj() * self.ly + self.right.conj() * self.ry).re;
        (self.yy - explained).max(0.0)
    }
}

/// Shifts as information. The shift is `(seen - pretended)^-1 lean`, its covariance that inverse
/// times `seen` times it again; inverted by hand, so that a direction without information has none.
fn informed(seen: [[f64; 2]; 2], pretended: [[f64; 2]; 2], lean: [f64; 2]) -> Shifts {
    let mut known = seen;
    known[0][0] -= pretended[0][0];
    known[1][1] -= pretended[1][1];
    known[0][1] -= pretended[0][1];
    known[1][0] = known[0][1];
    let known = positive(known);
    let det = seen[0][0] * seen[1][1] - seen[0][1] * seen[1][0];
    if det <= 1e-12 * seen[0][0] * seen[1][1] || !det.is_finite() {
        return Shifts::default();
    }
    let inverse = [[seen[1][1] / det, -seen[0][1] / det], [-seen[1][0] / det, seen[0][0] / det]];
    let trust = product(known, inverse);
    let information = product(trust, known).map(|row| row.map(|x| x * 2.0 / SHARED));
    let vector = [0, 1].map(|i| (trust[i][0] * lean[0] + trust[i][1] * lean[1]) * 2.0 / SHARED);
    Shifts { information, vector }
}

/// The nearest matrix that claims no negative information.
fn positive(m: [[f64; 2]; 2]) -> [[f64; 2]; 2] {
    let mut out = [[0.0; 2]; 2];
    for (value, [u, v]) in axes(m) {
        let value = value.max(0.0);
        let add = [[value * u * u, value * u * v], [value * u * v, value * v * v]];
        (0..2).for_each(|i| (0..2).for_each(|j| out[i][j] += add[i][j]));
    }
    out
}

fn product(a: [[f64; 2]; 2], b: [[f64; 2]; 2]) -> [[f64; 2]; 2] {
    a.map(|row| [0, 1].map(|j| row[0] * b[0][j] + row[1] * b[1][j]))
}

/// Mean over a few neighbouring bins: one window's power is too ragged to divide by.
fn smooth(values: &[f64]) -> Vec<f64> {
    const HALF: usize = 4;
    (0..values.len())
        .map(|k| {
            let around = &values[k.saturating_sub(HALF)..(k + HALF + 1).min(values.len())];
            around.iter().sum::<f64>() / around.len() as f64
        })
        .collect()
}
