//! What the two paths from programme to microphone do, learned from the music itself.
//!
//! For every bin a two-input least-squares fit over the last minutes (the classical multiple-input
//! identification of Bendat and Piersol, "Random Data", chapter 7), on windows that are laid on the
//! track, so that clocks and drift do not blur it. The fit stands still between renewals (`renew`
//! (Model::renew)): a model that learned from every window at once would learn the drift itself, bin
//! by bin, and drag the track behind. A new window is compared with what the model
//! predicts: that the residual leans towards the prediction's derivative means that the side moved.
//!
//! There are two fits, from turns of windows that share nothing (instrumental variables; Stock and
//! Trebbi, 2003, tell the history). Where left and right are nearly the same, a fit's errors in both
//! paths cancel as long as nothing moves; when the sides move they do not, and the residual leans to
//! where nothing had moved. One fit's errors know nothing of the other's: the residual of one is held
//! against the derivative of the other, and their noise cannot pull.

use realfft::num_complex::Complex;

use super::spectrum::{BINS, Spectrum, omega};
use super::track::{Shifts, axes};

/// Windows after which the oldest count a third: three minutes.
const MEMORY: f64 = 1_050.0;
/// Windows over which noise is averaged: 5 s.
const NOISE_MEMORY: f64 = 30.0;
/// Part of a prediction that is never right: what a window cuts off the room's decay.
const IMPERFECT: f64 = 0.02;
/// Neighbouring bins of Hann windows tell nearly the same thing, and so do successive windows, in which
/// the same notes sound: information counts a sixth.
const SHARED: f64 = 6.0;
/// Windows of one turn, of which the first is not learned from: it overlaps the other turn's last.
const TURN: usize = 8;
/// How much a path of which little is known is pulled to nothing, against what a Bayesian would.
const PULL: f64 = 0.1;
/// Part of a shift's information on which both fits must agree to be believed.
const LEAST_AGREED: f64 = 0.15;

/// Both paths, and how well they are known.
#[derive(Debug)]
pub(super) struct Model {
    halves: [Half; 2],
    /// Power of what the model does not explain.
    noise: Vec<f64>,
    /// Windows learned from: in the fit, and since the last renewal.
    fitted: f64,
    waiting: f64,
    /// All windows learned from.
    turn: usize,
    /// What of both channels is common, with neither delayed.
    alike: Vec<Alike>,
}

/// One of two fits.
#[derive(Debug)]
struct Half {
    bins: Vec<Bin>,
    /// Sums of what was heard since the last renewal.
    fresh: Vec<Sums>,
    /// Power of a likely path.
    gain: f64,
}

/// One bin's sums over windows.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    ll: f64,
    rr: f64,
    yy: f64,
    lr: Complex<f64>,
    ly: Complex<f64>,
    ry: Complex<f64>,
}

/// One bin's powers and cross power of the channels.
#[derive(Debug, Clone, Copy, Default)]
struct Alike {
    ll: f64,
    rr: f64,
    lr: Complex<f64>,
}

/// One bin's sums and what follows from them.
#[derive(Debug, Clone, Copy, Default)]
struct Bin {
    sums: Sums,
    left: Complex<f64>,
    right: Complex<f64>,
    /// Inverse of the sums' matrix: times the noise, the covariance of both paths.
    spread: [f64; 2],
    spread_across: Complex<f64>,
}

/// What a window should be, and what it is beyond that.
pub(super) struct Prediction {
    /// Mean of both fits.
    pub left: Spectrum,
    /// Mean of both fits.
    pub right: Spectrum,
    pub residual: Spectrum,
    /// Left and right: what the first fit expects beyond the mean, and the second less.
    apart: [Spectrum; 2],
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
            halves: [Half::new(), Half::new()],
            noise: vec![0.0; BINS],
            fitted: 0.0,
            waiting: 0.0,
            turn: 0,
            alike: vec![Alike::default(); BINS],
        }
    }

    /// Hears a window; the model learns from it with the next renewal.
    pub(super) fn learn(&mut self, w: &Windows) {
        let half = &mut self.halves[usize::from(self.turn % (2 * TURN) >= TURN)];
        if !self.turn.is_multiple_of(TURN) || self.turn == 0 {
            for (k, sums) in half.fresh.iter_mut().enumerate() {
                sums.hear(w.left[k], w.right[k], w.heard[k]);
            }
            self.waiting += 1.0;
        }
        self.turn += 1;
    }

    /// Hears the programme as it is sent, left and right not moved against each other.
    pub(super) fn compare_channels(&mut self, left: &[Complex<f64>], right: &[Complex<f64>]) {
        for (k, alike) in self.alike.iter_mut().enumerate() {
            alike.hear(left[k], right[k]);
        }
    }

    /// Fits anew, with the windows heard since the last time; gives their share in the fit.
    pub(super) fn renew(&mut self) -> f64 {
        let keep = if self.fitted < MEMORY { 1.0 } else { 1.0 - self.waiting / (self.waiting + MEMORY) };
        self.halves.iter_mut().for_each(|half| half.take_in(keep));
        let share = self.waiting / (self.fitted * keep + self.waiting).max(1.0);
        (self.fitted, self.waiting) = (self.fitted * keep + self.waiting, 0.0);
        if self.noise.iter().all(|&n| n == 0.0) {
            self.guess_noise();
        }
        self.solve();
        share
    }

    fn solve(&mut self) {
        self.halves.iter_mut().for_each(|half| half.solve(&self.noise));
    }

    /// The first time: noise is what the fits leave unexplained.
    fn guess_noise(&mut self) {
        let [a, b] = &self.halves;
        let heard = |k: usize| (a.bins[k].sums.yy + b.bins[k].sums.yy) / self.fitted.max(1.0);
        self.noise = (0..BINS).map(|k| 0.05 * heard(k)).collect();
        self.solve();
        // Two paths fitted to n windows explain two of them by chance, and here twice.
        let free = (self.fitted - 4.0).max(1.0);
        let [a, b] = &self.halves;
        let unexplained = |k: usize| (a.bins[k].unexplained() + b.bins[k].unexplained()) / free;
        self.noise = smooth(&(0..BINS).map(unexplained).collect::<Vec<f64>>());
    }

    /// What the model expects of this moment.
    pub(super) fn predict(&self, w: &Windows) -> Prediction {
        let [(left, left_apart), (right, right_apart)] =
            [(&w.left, false), (&w.right, true)].map(|(sent, is_right)| self.expected(sent, is_right));
        let residual = (0..BINS).map(|k| w.heard[k] - left[k] - right[k]).collect();
        let expected = |k: usize| {
            let signal = left[k].norm_sqr() + right[k].norm_sqr();
            self.noise[k] * (1.0 + self.doubt(k, w)) + IMPERFECT * signal
        };
        let precision = (0..BINS).map(|k| 1.0 / expected(k).max(f64::MIN_POSITIVE)).collect();
        Prediction { left, right, residual, apart: [left_apart, right_apart], precision }
    }

    /// One side's sound: the mean of both fits, and half of what they differ by.
    fn expected(&self, sent: &[Complex<f64>], is_right: bool) -> (Spectrum, Spectrum) {
        let path = |b: &Bin| if is_right { b.right } else { b.left };
        let [a, b] = &self.halves;
        let both = a.bins.iter().zip(&b.bins).zip(sent);
        both.map(|((a, b), x)| (0.5 * (path(a) + path(b)) * x, 0.5 * (path(a) - path(b)) * x)).unzip()
    }

    /// Variance of one fit's prediction of this bin against the noise.
    fn doubt(&self, k: usize, w: &Windows) -> f64 {
        let (l, r) = (w.left[k], w.right[k]);
        let doubt = |b: &Bin| {
            let across = 2.0 * (l * r.conj() * b.spread_across).re;
            b.spread[0] * l.norm_sqr() + b.spread[1] * r.norm_sqr() + across
        };
        self.halves.iter().map(|half| doubt(&half.bins[k])).sum::<f64>().max(0.0) / 2.0
    }

    /// How far left and right have moved against the model, told by bins below `end`.
    pub(super) fn shifts(&self, p: &Prediction, end: usize) -> Shifts {
        let mut seen = [[0.0; 2]; 2];
        let mut known = [[0.0; 2]; 2];
        let mut lean = [0.0; 2];
        for k in 0..end.min(BINS) {
            let weight = p.precision[k] * omega(k).powi(2);
            // A later sound turns by minus a quarter for each radian.
            let side = [p.left[k], p.right[k]].map(|x| x * Complex::new(0.0, -1.0));
            let apart = [p.apart[0][k], p.apart[1][k]].map(|x| x * Complex::new(0.0, -1.0));
            let off = (p.apart[0][k] + p.apart[1][k]) * weight / omega(k);
            let e = p.residual[k] * weight / omega(k);
            for i in 0..2 {
                // (side + apart) against (e + off), and (side - apart) against (e - off): the residual
                // of the second fit lies `off` above the mean one.
                lean[i] += (side[i].conj() * e + apart[i].conj() * off).re;
                for j in 0..2 {
                    let both = (side[i].conj() * side[j]).re;
                    seen[i][j] += weight * both;
                    known[i][j] += weight * (both - (apart[i].conj() * apart[j]).re);
                }
            }
        }
        informed(seen, known, lean)
    }

    /// The least that the channels differ by, seen from either: 1 when they have nothing in common,
    /// 0 when one follows from the other.
    pub(super) fn difference(&self) -> f64 {
        let (mut apart, mut all) = (0.0, f64::MIN_POSITIVE);
        for ((bin, alike), noise) in self.halves[0].bins.iter().zip(&self.alike).zip(&self.noise) {
            let both = alike.ll * alike.rr;
            if both > 0.0 && *noise > 0.0 {
                let weight = (bin.sums.yy / noise).sqrt();
                apart += weight * (1.0 - alike.lr.norm_sqr() / both).max(0.0);
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
        let [a, b] = &self.halves;
        let mean = |a: Complex<f64>, b: Complex<f64>| (0.5 * (a + b), 0.25 * (a - b).norm_sqr());
        a.bins.iter().zip(&b.bins).map(move |(a, b)| [mean(a.left, b.left), mean(a.right, b.right)])
    }
}

impl Half {
    fn new() -> Self {
        Self { bins: vec![Bin::default(); BINS], fresh: vec![Sums::default(); BINS], gain: 0.0 }
    }

    fn take_in(&mut self, keep: f64) {
        for (bin, fresh) in self.bins.iter_mut().zip(&mut self.fresh) {
            bin.sums.scale(keep);
            bin.sums.add(fresh);
            *fresh = Sums::default();
        }
    }

    fn solve(&mut self, noise: &[f64]) {
        let sum = |f: fn(&Sums) -> f64| self.bins.iter().map(|b| f(&b.sums)).sum::<f64>();
        self.gain = sum(|s| s.yy) / sum(|s| s.ll + s.rr).max(f64::MIN_POSITIVE);
        for (bin, noise) in self.bins.iter_mut().zip(noise) {
            bin.solve(PULL * noise / self.gain.max(f64::MIN_POSITIVE));
        }
    }
}

impl Sums {
    fn hear(&mut self, l: Complex<f64>, r: Complex<f64>, y: Complex<f64>) {
        self.ll += l.norm_sqr();
        self.rr += r.norm_sqr();
        self.yy += y.norm_sqr();
        self.lr += l.conj() * r;
        self.ly += l.conj() * y;
        self.ry += r.conj() * y;
    }

    fn add(&mut self, other: &Self) {
        self.ll += other.ll;
        self.rr += other.rr;
        self.yy += other.yy;
        self.lr += other.lr;
        self.ly += other.ly;
        self.ry += other.ry;
    }

    fn scale(&mut self, by: f64) {
        self.ll *= by;
        self.rr *= by;
        self.yy *= by;
        self.lr *= by;
        self.ly *= by;
        self.ry *= by;
    }
}

impl Alike {
    /// Over as many windows as the model remembers.
    fn hear(&mut self, l: Complex<f64>, r: Complex<f64>) {
        let keep = 1.0 - 1.0 / MEMORY;
        self.ll = self.ll * keep + l.norm_sqr();
        self.rr = self.rr * keep + r.norm_sqr();
        self.lr = self.lr * keep + l.conj() * r;
    }
}

impl Bin {
    /// `ridge`: noise over the power of a likely path, which pulls what is not known towards nothing.
    fn solve(&mut self, ridge: f64) {
        let s = &self.sums;
        let ridge = ridge + 1e-6 * (s.ll + s.rr) + f64::MIN_POSITIVE;
        let (a, d) = (s.ll + ridge, s.rr + ridge);
        let det = (a * d - s.lr.norm_sqr()).max(f64::MIN_POSITIVE);
        self.left = (s.ly * d - s.lr * s.ry) / det;
        self.right = (s.ry * a - s.lr.conj() * s.ly) / det;
        self.spread = [d / det, a / det];
        self.spread_across = -s.lr / det;
    }

    fn unexplained(&self) -> f64 {
        let explained = (self.left.conj() * self.sums.ly + self.right.conj() * self.sums.ry).re;
        (self.sums.yy - explained).max(0.0)
    }
}

/// Shifts as information. The shift is `known^-1 lean`, its covariance that inverse times `seen` times
/// it again; inverted by hand, so that a direction without information has none.
fn informed(seen: [[f64; 2]; 2], known: [[f64; 2]; 2], lean: [f64; 2]) -> Shifts {
    let det = seen[0][0] * seen[1][1] - seen[0][1] * seen[1][0];
    if det <= 1e-12 * seen[0][0] * seen[1][1] || !det.is_finite() {
        return Shifts::default();
    }
    let known = believable(known, seen);
    let inverse = [[seen[1][1] / det, -seen[0][1] / det], [-seen[1][0] / det, seen[0][0] / det]];
    let trust = product(known, inverse);
    let information = product(trust, known).map(|row| row.map(|x| x * 2.0 / SHARED));
    let vector = [0, 1].map(|i| (trust[i][0] * lean[0] + trust[i][1] * lean[1]) * 2.0 / SHARED);
    Shifts { information, vector }
}

/// Without the directions in which the two fits hardly agree on anything.
fn believable(known: [[f64; 2]; 2], seen: [[f64; 2]; 2]) -> [[f64; 2]; 2] {
    let mut out = [[0.0; 2]; 2];
    for (value, [u, v]) in axes(known) {
        let all = seen[0][0] * u * u + 2.0 * seen[0][1] * u * v + seen[1][1] * v * v;
        if value > LEAST_AGREED * all {
            let add = [[value * u * u, value * u * v], [value * u * v, value * v * v]];
            (0..2).for_each(|i| (0..2).for_each(|j| out[i][j] += add[i][j]));
        }
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
