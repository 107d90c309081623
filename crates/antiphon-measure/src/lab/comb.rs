//! Comb filtering: what two speakers, some time apart, do to a sound that both play.
//!
//! At an odd multiple of half the inverse of the delay they push against each other. Delay and level
//! alone predict where and how deep. The measured depth comes from both impulse responses, added with
//! the delay between them: each is taken from 1 ms before its arrival to 5 ms after, which is the
//! speaker and the nearest surfaces. What the room does later blurs the notches of lasting sounds for
//! a listener, is not in these numbers, and differs from chair to chair.

use std::f64::consts::{PI, TAU};

use realfft::num_complex::Complex;

use super::classes::COMB_BAND_HZ;
use super::measurement::{Comb, Impulse, Notch};

/// So many notches are listed, from the lowest on: beyond, a delay is an echo, and its notches are too
/// close for ears to tell apart. [`Comb::count`] counts them all.
pub const MAX_LISTED: usize = 64;
/// Depths are told up to this: it takes two speakers alike to within 0.17 dB.
pub const DEEPEST_DB: f64 = 40.0;

/// What of an impulse response is used, in microseconds against its arrival, and how long it comes
/// and goes.
const GATE_US: (f64, f64) = (-1_000.0, 5_000.0);
const GATE_EDGES_US: (f64, f64) = (500.0, 2_500.0);
/// Before this there is no sound of the speaker, only noise.
const NOISE_BEFORE_US: f64 = -1_000.0;
/// From fewer samples the noise is not judged, and nothing is measured.
const MIN_NOISE_SAMPLES: usize = 24;
/// Both in phase are to be this far above the noise, or else noise alone could look like them.
const AUDIBLE: f64 = 4.0;
/// Places around a notch at which the measured responses are added.
const STEPS: usize = 33;
/// Where a response is computed: the band and a little more, in steps so fine that what lies between two
/// is on a line, since 6 ms of sound turn by at most 0.16 there.
const GRID_HZ: (f64, f64) = (400.0, 2_500.0);
const GRID_STEP_HZ: f64 = 5.0;

/// Two arrivals of one sound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sum {
    /// The second later than the first, of either sign, in microseconds.
    pub delay_us: f64,
    /// Level of the second less that of the first.
    pub level_diff_db: f64,
    /// One of them is turned in polarity: notches and peaks change places.
    pub opposed: bool,
}

/// The sum of two arrivals at one frequency, in decibels against both in phase: 0 or below.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvePoint {
    /// Frequency.
    pub hz: f64,
    /// What delay and level alone make of it, not below -[`DEEPEST_DB`].
    pub predicted_db: f64,
    /// What the measured responses make of it, not below -[`DEEPEST_DB`]; `None` where noise hides it.
    pub measured_db: Option<f64>,
}

/// The notches between 500 Hz and 2 kHz, with the depth that both impulse responses give them. They
/// are to share one scale; their times are against their own arrivals. The measured depth is the
/// greatest within a quarter of the notches' distance, as far as the noise lets it be seen.
pub fn analyse(sum: Sum, a: &Impulse, b: &Impulse) -> Comb {
    let (a, b) = (Response::of(a), Response::of(b));
    let notch = |hz: f64| Notch {
        hz,
        predicted_db: -sum.predicted_db(hz),
        measured_db: sum.around(hz).map(|hz| sum.measured_db(hz, &a, &b)).fold(Some(0.0), deepest),
    };
    Comb {
        count: sum.orders().map_or(0, |(first, last)| (last - first + 1.0) as usize),
        notches: sum.notches().map(notch).collect(),
    }
}

/// The sum of both over frequency.
pub fn curve(
    sum: Sum,
    a: &Impulse,
    b: &Impulse,
    frequencies_hz: impl IntoIterator<Item = f64>,
) -> Vec<CurvePoint> {
    let (a, b) = (Response::of(a), Response::of(b));
    let point =
        |hz| CurvePoint { hz, predicted_db: sum.predicted_db(hz), measured_db: sum.measured_db(hz, &a, &b) };
    frequencies_hz.into_iter().map(point).collect()
}

/// Noise at any place hides how deep the notch is.
fn deepest(so_far: Option<f64>, here_db: Option<f64>) -> Option<f64> {
    Some(so_far?.max(-here_db?))
}

impl Sum {
    /// The frequencies of the notches, the lowest first, at most [`MAX_LISTED`].
    fn notches(self) -> impl Iterator<Item = f64> {
        let delay_s = self.delay_s();
        let (first, last) = self.orders().unwrap_or((1.0, 0.0));
        let order = move |k: usize| first + k as f64;
        let listed = (0..MAX_LISTED).map(order).take_while(move |&k| k <= last);
        listed.map(move |k| (k + self.first_order()) / delay_s)
    }

    /// The first and the last `k` for which `(k + first_order) / delay` lies in the band.
    fn orders(self) -> Option<(f64, f64)> {
        let order = |hz: f64| hz * self.delay_s() - self.first_order();
        let (first, last) = (order(COMB_BAND_HZ.0).ceil(), order(COMB_BAND_HZ.1).floor());
        (first.is_finite() && last >= first).then_some((first, last))
    }

    /// In cycles: half a cycle apart two equal sounds cancel, a whole one two opposed ones.
    fn first_order(self) -> f64 {
        if self.opposed { 0.0 } else { 0.5 }
    }

    fn delay_s(self) -> f64 {
        self.delay_us.abs() * 1e-6
    }

    /// A quarter of the notches' distance to each side of one.
    fn around(self, hz: f64) -> impl Iterator<Item = f64> {
        let quarter = 0.25 / self.delay_s();
        let place = move |n: usize| hz + quarter * (2.0 * n as f64 / (STEPS - 1) as f64 - 1.0);
        (0..STEPS).map(place).filter(|hz| (GRID_HZ.0..=GRID_HZ.1).contains(hz))
    }

    fn predicted_db(self, hz: f64) -> f64 {
        let gain = 10f64.powf(self.level_diff_db / 20.0) * if self.opposed { -1.0 } else { 1.0 };
        let second = Complex::from_polar(gain, -TAU * hz * self.delay_us * 1e-6);
        bounded_db((1.0 + second).norm() / (1.0 + gain.abs()))
    }

    fn measured_db(self, hz: f64, a: &Response, b: &Response) -> Option<f64> {
        let (first, second) = (a.at(hz), b.at(hz));
        let sum = (first + second * Complex::from_polar(1.0, -TAU * hz * self.delay_us * 1e-6)).norm();
        let noise = (a.noise_power? + b.noise_power?).sqrt();
        let in_phase = first.norm() + second.norm();
        // A notch that reaches down into the noise is as deep as the noise lets it be seen.
        (in_phase > AUDIBLE * noise).then(|| bounded_db(sum.max(noise) / in_phase))
    }
}

fn bounded_db(ratio: f64) -> f64 {
    (20.0 * ratio.log10()).clamp(-DEEPEST_DB, 0.0)
}

/// The spectrum of one gated impulse response.
struct Response {
    /// At every step of the grid.
    lines: Vec<Complex<f64>>,
    /// Of the noise in a line; `None` when it cannot be told.
    noise_power: Option<f64>,
}

impl Response {
    fn of(impulse: &Impulse) -> Self {
        let time_us = |n: usize| impulse.begin_us + n as f64 / 0.048;
        let timed = impulse.samples.iter().enumerate().map(|(n, &x)| (time_us(n), f64::from(x)));
        let noise: Vec<f64> =
            timed.clone().filter(|&(t, _)| t < NOISE_BEFORE_US).map(|(_, x)| x * x).collect();
        let gates = timed.clone().map(|(t, _)| gate(t) * gate(t)).sum::<f64>();
        let per_sample = noise.iter().sum::<f64>() / noise.len().max(1) as f64;
        let gated: Vec<(f64, f64)> = timed.map(|(t, x)| (t * 1e-6, x * gate(t))).collect();
        let within: Vec<(f64, f64)> = gated.into_iter().filter(|&(_, x)| x != 0.0).collect();
        Self {
            lines: lines(&within),
            noise_power: (noise.len() >= MIN_NOISE_SAMPLES).then_some(per_sample * gates),
        }
    }

    /// Between two steps of the grid, a line.
    fn at(&self, hz: f64) -> Complex<f64> {
        let place = ((hz - GRID_HZ.0) / GRID_STEP_HZ).clamp(0.0, (self.lines.len() - 2) as f64);
        let (below, part) = (place as usize, place.fract());
        self.lines[below] * (1.0 - part) + self.lines[below + 1] * part
    }
}

/// The spectrum of samples (time in seconds, value) at every step of the grid: each sample turns on by
/// the same angle from step to step.
fn lines(samples: &[(f64, f64)]) -> Vec<Complex<f64>> {
    let steps = ((GRID_HZ.1 - GRID_HZ.0) / GRID_STEP_HZ) as usize + 1;
    let mut lines = vec![Complex::default(); steps];
    for &(t, x) in samples {
        let mut arrow = Complex::from_polar(x, -TAU * GRID_HZ.0 * t);
        let turn = Complex::from_polar(1.0, -TAU * GRID_STEP_HZ * t);
        for line in &mut lines {
            *line += arrow;
            arrow *= turn;
        }
    }
    lines
}

/// Weight of an impulse response at this time.
fn gate(t_us: f64) -> f64 {
    let inside = ((t_us - GATE_US.0) / GATE_EDGES_US.0).min((GATE_US.1 - t_us) / GATE_EDGES_US.1);
    0.5 - 0.5 * (PI * inside.clamp(0.0, 1.0)).cos()
}

#[cfg(test)]
mod tests;
