//! How much later right arrives than left: the first arrivals of both paths.

use realfft::num_complex::Complex;

use super::model::Model;
use super::spectrum::{Analyser, RATE_HZ, WINDOW, hz};
use crate::lab::measurement::Estimate;

/// The first arrival has at least this part of the highest peak.
const FIRST: f64 = 0.4;
/// It comes at most this long before it.
const BEFORE: usize = 960;
/// Half the gate around a first arrival: 0.8 ms.
const GATE: i64 = 38;
/// What reflections within the gate and differing speakers do to the delay.
const ROOM_SD_US: f64 = 12.0;
/// A first arrival below this many times the noise around it is none.
const STANDS_OUT: f64 = 5.0;
/// Points of the fine correlation in a frame.
const FINE: i64 = 16;

/// Right less left, in microseconds, as the model lays them.
pub(super) fn arrivals(model: &Model, analyser: &Analyser) -> Option<Estimate> {
    let [left, right] = [0, 1].map(|side| Response::new(model, analyser, side));
    let (first_left, first_right) = (left.first()?, right.first()?);
    let fine = best_shift(&left.gated(first_left), &right.gated(first_right))?;
    let value = (wrapped(first_right - first_left) + fine) / RATE_HZ * 1e6;
    let noise = [&left, &right].iter().map(|r| r.noise_us().powi(2)).sum::<f64>();
    Some(Estimate { value, sd: (ROOM_SD_US.powi(2) + noise).sqrt() })
}

/// One path in time: the response and the same turned by a quarter.
struct Response {
    real: Vec<f64>,
    turned: Vec<f64>,
}

impl Response {
    fn new(model: &Model, analyser: &Analyser, side: usize) -> Self {
        let spectrum: Vec<Complex<f64>> = model
            .paths()
            .enumerate()
            .map(|(k, paths)| {
                let (path, error) = paths[side];
                let power = path.norm_sqr();
                // Bins in which the music said little are held back by as much as they are unsure.
                let trust = (power - error).max(0.0) / (power + error).max(f64::MIN_POSITIVE);
                path * trust * edge(hz(k))
            })
            .collect();
        let quarter: Vec<Complex<f64>> = spectrum.iter().map(|x| x * Complex::new(0.0, -1.0)).collect();
        Self { real: analyser.in_time(&spectrum), turned: analyser.in_time(&quarter) }
    }

    fn envelope(&self, at: i64) -> f64 {
        let i = at.rem_euclid(WINDOW as i64) as usize;
        self.real[i].hypot(self.turned[i])
    }

    /// The first peak that is high enough.
    fn first(&self) -> Option<i64> {
        let all = 0..WINDOW as i64;
        let highest = all.max_by(|&a, &b| self.envelope(a).total_cmp(&self.envelope(b)))?;
        let floor = FIRST * self.envelope(highest);
        let stands_out = self.envelope(highest) > STANDS_OUT * self.quiet();
        let is_peak = |&i: &i64| {
            let here = self.envelope(i);
            here >= floor && here >= self.envelope(i - 1) && here >= self.envelope(i + 1)
        };
        (highest - BEFORE as i64..=highest).find(is_peak).filter(|_| stands_out)
    }

    /// Root mean square of the half that lies farthest from time 0.
    fn quiet(&self) -> f64 {
        let far = WINDOW as i64 / 4..3 * WINDOW as i64 / 4;
        let power: f64 = far.map(|i| self.envelope(i).powi(2)).sum();
        (power / (WINDOW / 2) as f64).sqrt()
    }

    /// What noise does to the place of the first arrival.
    fn noise_us(&self) -> f64 {
        let peak = (0..WINDOW as i64).map(|i| self.envelope(i)).fold(0.0, f64::max);
        // Slope of a 4 kHz wide sound: its phase turns once in 250 us.
        40.0 * self.quiet() / peak.max(f64::MIN_POSITIVE)
    }

    /// The sound around an arrival, faded at both ends.
    fn gated(&self, at: i64) -> Vec<Complex<f64>> {
        (-GATE..=GATE)
            .map(|i| {
                let fade = 0.5 + 0.5 * (std::f64::consts::PI * i as f64 / (GATE + 1) as f64).cos();
                let index = (at + i).rem_euclid(WINDOW as i64) as usize;
                Complex::new(self.real[index], self.turned[index]) * fade
            })
            .collect()
    }
}

/// Fades the ends of 1 to 8 kHz in and out, or they would ring over the first arrival.
fn edge(hz: f64) -> f64 {
    let rise = ((hz - 700.0) / 600.0).clamp(0.0, 1.0);
    let fall = ((8_000.0 - hz) / 1_500.0).clamp(0.0, 1.0);
    rise * fall
}

/// By how many frames `b` lies after `a`, at the highest real correlation within half a frame to a
/// frame and a half.
fn best_shift(a: &[Complex<f64>], b: &[Complex<f64>]) -> Option<f64> {
    let spectrum = |x: &[Complex<f64>], w: f64| -> Complex<f64> {
        x.iter().enumerate().map(|(n, x)| x * Complex::from_polar(1.0, -w * n as f64)).sum()
    };
    let step = 2.0 * std::f64::consts::PI * 125.0 / RATE_HZ;
    let cross: Vec<(f64, Complex<f64>)> =
        (8..64).map(|k| f64::from(k) * step).map(|w| (w, spectrum(a, w).conj() * spectrum(b, w))).collect();
    let like = |shift: i64| -> f64 {
        let d = shift as f64 / FINE as f64;
        cross.iter().map(|(w, x)| (x * Complex::from_polar(1.0, w * d)).re).sum()
    };
    let best = (-6 * FINE..=6 * FINE).max_by(|&p, &q| like(p).total_cmp(&like(q)))?;
    let bend = 2.0 * like(best) - like(best - 1) - like(best + 1);
    let fraction = if bend > 0.0 { 0.5 * (like(best + 1) - like(best - 1)) / bend } else { 0.0 };
    Some((best as f64 + fraction) / FINE as f64)
}

/// A difference of places in a circle.
fn wrapped(frames: i64) -> f64 {
    let half = WINDOW as i64 / 2;
    ((frames + half).rem_euclid(WINDOW as i64) - half) as f64
}
