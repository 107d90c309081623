//! Finds the programme in the microphone's stream: how late it is heard, and how fast the
//! microphone's clock runs.
//!
//! First coarsely: half-second pieces of the microphone, at 8 kHz, are correlated with everything
//! that may have caused them, and the powers are added along the lines that clocks up to 250 ppm off
//! would draw. Then finely: for every clock in steps of 4 ppm, how much of the sound two linear paths
//! from left and right can explain. The second step is also the proof: a wrong lag explains nothing.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use super::spectrum::{Analyser, BINS, HOP, RATE_HZ, Spectrum, WINDOW, hz, omega};
use super::tape::Tape;

/// Seconds of microphone that one attempt looks at.
pub(super) const SPAN_S: f64 = 5.5;
const DECIMATE: usize = 6;
const COARSE_HZ: f64 = RATE_HZ / DECIMATE as f64;
/// Frames of one coarse piece.
const PIECE: usize = 4_000;
const PIECES: usize = 10;
/// Half the range of clocks looked at.
const MAX_PPM: f64 = 250.0;
const COARSE_STEPS: i32 = 10;
const FINE_STEP_PPM: f64 = 4.0;
/// Windows that the fine step looks at.
const WINDOWS: usize = 26;
/// The fine step looks at every third bin, as neighbours tell nearly the same, up to here.
const FINE_BINS: usize = 3;
const FINE_END_HZ: f64 = 4_500.0;
/// The right clock must explain so many times what a wrong one does: at a wrong lag all are alike.
const STANDS_OUT: f64 = 1.25;
/// And so much of the sound: chance alone explains a tenth.
const EXPLAINED: f64 = 0.13;

/// Where the programme was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    /// Programme place of the first window.
    pub place: i64,
    /// Microphone place of the same moment.
    pub heard: f64,
    /// The microphone's clock against the programme's.
    pub ppm: f64,
    /// Standard deviation of it.
    pub ppm_sd: f64,
}

/// What of the streams is looked at.
pub(super) struct Streams<'a> {
    pub left: &'a Tape,
    pub right: &'a Tape,
    pub microphone: &'a Tape,
}

/// Looks for the programme in the last [`SPAN_S`] of the microphone. `None`: not there.
pub(super) fn search(streams: &Streams, analyser: &Analyser, lags_s: [f64; 2]) -> Option<Found> {
    let begin = streams.microphone.end() - (SPAN_S * RATE_HZ) as i64;
    let lag = coarse(streams, begin, lags_s)?;
    fine(streams, analyser, begin, lag)
}

/// The most likely lag at `begin`, in frames of 48 kHz.
fn coarse(streams: &Streams, begin: i64, lags_s: [f64; 2]) -> Option<i64> {
    let lags = ((lags_s[1] - lags_s[0]) * COARSE_HZ) as usize;
    let heard = decimated(streams.microphone, begin, PIECES * PIECE);
    let from = begin - (lags_s[1] * RATE_HZ) as i64;
    let sides = [streams.left, streams.right].map(|side| decimated(side, from, lags + PIECES * PIECE));
    let likeness = Likeness::new(lags);
    let pieces: Vec<Vec<f64>> = (0..PIECES)
        .map(|p| {
            let at = p * PIECE;
            let candidates = sides.each_ref().map(|side| &side[at..at + lags + PIECE]);
            likeness.of(&heard[at..at + PIECE], candidates)
        })
        .collect();
    let (best, _) = strongest_line(&pieces, lags)?;
    // Index 0 is the latest lag.
    Some((lags_s[1] * RATE_HZ) as i64 - (best * DECIMATE) as i64)
}

/// The index, at the first piece, of the line with the most power, and that power.
fn strongest_line(pieces: &[Vec<f64>], lags: usize) -> Option<(usize, f64)> {
    let mut best = None;
    for step in -COARSE_STEPS..=COARSE_STEPS {
        let slope = f64::from(step) / f64::from(COARSE_STEPS) * MAX_PPM * 1e-6 * PIECE as f64;
        // A microphone that runs fast hears later and later; index counts from the latest lag down.
        let shift = |p: usize| (-(p as f64) * slope).round() as isize;
        for n in 0..lags {
            let power: f64 = (0..pieces.len())
                .map(|p| {
                    n.checked_add_signed(shift(p)).and_then(|i| pieces[p].get(i)).copied().unwrap_or(0.0)
                })
                .sum();
            if best.is_none_or(|(_, most)| power > most) {
                best = Some((n, power));
            }
        }
    }
    best
}

/// Cross-correlation of a piece with everything that may have caused it.
struct Likeness {
    lags: usize,
    length: usize,
    forward: Arc<dyn RealToComplex<f64>>,
    inverse: Arc<dyn ComplexToReal<f64>>,
}

impl Likeness {
    fn new(lags: usize) -> Self {
        let length = (lags + 2 * PIECE).next_power_of_two();
        let mut planner = RealFftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(length), planner.plan_fft_inverse(length));
        Self { lags, length, forward, inverse }
    }

    /// Power of the flattened cross-correlation of `heard` with both sides, by place within the sides.
    fn of(&self, heard: &[f64], sides: [&[f64]; 2]) -> Vec<f64> {
        let sound = self.transform(heard);
        let mut power = vec![0.0; self.lags];
        for side in sides {
            let lagged = self.correlated(&self.transform(side), &sound);
            power.iter_mut().zip(&lagged).for_each(|(p, x)| *p += x * x);
        }
        // Loud pieces must not outvote the others.
        let mean = power.iter().sum::<f64>() / self.lags.max(1) as f64;
        power.iter_mut().for_each(|p| *p /= mean.max(f64::MIN_POSITIVE));
        power
    }

    fn correlated(&self, side: &[Complex<f64>], sound: &[Complex<f64>]) -> Vec<f64> {
        let mut cross: Vec<Complex<f64>> =
            side.iter().zip(sound).map(|(x, y)| flattened(x * y.conj())).collect();
        cross[0] = Complex::default();
        if let Some(last) = cross.last_mut() {
            *last = Complex::default();
        }
        let mut lagged = self.inverse.make_output_vec();
        self.inverse.process(&mut cross, &mut lagged).expect("both have the planned lengths");
        lagged
    }

    fn transform(&self, samples: &[f64]) -> Vec<Complex<f64>> {
        let mut input = samples.to_vec();
        input.resize(self.length, 0.0);
        let mut output = self.forward.make_output_vec();
        self.forward.process(&mut input, &mut output).expect("both have the planned lengths");
        output
    }
}

/// Between correlation and phase transform: music is tonal, and pure phase would weigh mere noise.
fn flattened(x: Complex<f64>) -> Complex<f64> {
    x / x.norm().powf(0.7).max(f64::MIN_POSITIVE)
}

/// `length` samples at 8 kHz from `place` on.
fn decimated(tape: &Tape, place: i64, length: usize) -> Vec<f64> {
    const HALF: i64 = 30;
    let weight = |k: i64| {
        let x = k as f64 / DECIMATE as f64;
        let sinc = if k == 0 { 1.0 } else { (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x) };
        let window = 0.5 + 0.5 * (std::f64::consts::PI * k as f64 / (HALF + 1) as f64).cos();
        sinc * window / DECIMATE as f64
    };
    let weights: Vec<f64> = (-HALF..=HALF).map(weight).collect();
    let whole: Vec<f64> =
        (0..(length * DECIMATE) as i64 + 2 * HALF).map(|n| tape.at(place - HALF + n)).collect();
    let around = |n: usize| whole[n * DECIMATE..].iter();
    (0..length).map(|n| weights.iter().zip(around(n)).map(|(w, x)| w * x).sum()).collect()
}

/// One window of all three streams; they begin a hop apart.
struct Triple {
    left: Spectrum,
    right: Spectrum,
    heard: Spectrum,
}

/// The clock with which two linear paths explain most, and whether that is enough.
fn fine(streams: &Streams, analyser: &Analyser, begin: i64, lag: i64) -> Option<Found> {
    let triples: Vec<Triple> = (0..WINDOWS)
        .map(|w| {
            let after = (w * HOP) as i64;
            Triple {
                left: analyser.programme(streams.left, begin - lag + after),
                right: analyser.programme(streams.right, begin - lag + after),
                heard: analyser.programme(streams.microphone, begin + after),
            }
        })
        .collect();
    let steps = (MAX_PPM / FINE_STEP_PPM) as i32;
    let scores: Vec<Score> =
        (-steps..=steps).map(|s| score(&triples, f64::from(s) * FINE_STEP_PPM)).collect();
    let best =
        (1..scores.len() - 1).max_by(|&a, &b| scores[a].likelihood.total_cmp(&scores[b].likelihood))?;
    let mut shares: Vec<f64> = scores.iter().map(|s| s.explained).collect();
    shares.sort_by(f64::total_cmp);
    if scores[best].explained < EXPLAINED.max(STANDS_OUT * shares[shares.len() / 4]) {
        return None;
    }
    let [before, here, after] = [best - 1, best, best + 1].map(|i| scores[i].likelihood);
    let bend = (2.0 * here - before - after).max(f64::MIN_POSITIVE);
    let ppm = (f64::from(best as i32 - steps) + 0.5 * (after - before) / bend) * FINE_STEP_PPM;
    let middle = begin as f64 + (WINDOW / 2) as f64;
    // The first windows were laid on each other without a clock: their middles are.
    let heard = middle - (WINDOW / 2) as f64 * (1.0 + ppm * 1e-6);
    Some(Found { place: begin - lag, heard, ppm, ppm_sd: 3.0 })
}

struct Score {
    likelihood: f64,
    explained: f64,
}

/// How much of the sound is explained if the microphone's clock is `ppm` off.
fn score(triples: &[Triple], ppm: f64) -> Score {
    let mut total = Score { likelihood: 0.0, explained: 0.0 };
    let mut count = 0.0;
    for k in (0..BINS).step_by(FINE_BINS).take_while(|&k| hz(k) < FINE_END_HZ) {
        let share = explained(triples, k, ppm);
        total.likelihood -= (1.0 - share).max(1e-6).ln();
        total.explained += share;
        count += 1.0;
    }
    total.explained /= count;
    total
}

/// The share of the power in one bin that two paths explain.
fn explained(triples: &[Triple], k: usize, ppm: f64) -> f64 {
    // With a fast clock the sound of a window lies later than it was cut, by as much each.
    let step = Complex::from_polar(1.0, omega(k) * HOP as f64 / RATE_HZ * ppm);
    let mut turn = Complex::new(1.0, 0.0);
    let (mut ll, mut rr, mut yy) = (0.0, 0.0, f64::MIN_POSITIVE);
    let mut cross = [Complex::<f64>::default(); 3];
    for t in triples {
        let (l, r, y) = (t.left[k], t.right[k], t.heard[k] * turn);
        turn *= step;
        ll += l.norm_sqr();
        rr += r.norm_sqr();
        yy += y.norm_sqr();
        cross[0] += l.conj() * r;
        cross[1] += l.conj() * y;
        cross[2] += r.conj() * y;
    }
    let [lr, ly, ry] = cross;
    let ridge = 1e-3 * (ll + rr) + f64::MIN_POSITIVE;
    let (a, d) = (ll + ridge, rr + ridge);
    let det = (a * d - lr.norm_sqr()).max(f64::MIN_POSITIVE);
    let quadratic = d * ly.norm_sqr() + a * ry.norm_sqr() - 2.0 * (ly.conj() * lr * ry).re;
    (quadratic / det / yy).clamp(0.0, 1.0)
}
