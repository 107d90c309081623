//! The direct sound in one impulse response: where it begins, and its delay.
//!
//! The first arrival is not the highest peak: rooms focus. It is the first sound that reaches 0.4 of
//! the highest peak's size within the 20 ms before it. Its delay is the slope of its phase over 1 to
//! 8 kHz, of what a gate lets through that opens before the arrival and closes before the room answers.

use realfft::num_complex::Complex;

use super::excitation::Excitation;
use super::measurement::{Estimate, Polarity};

/// Against the highest peak.
const FIRST: f64 = 0.4;
/// How far before the highest peak the first arrival may lie: 20 ms.
const LOOK_BACK: usize = 960;
/// Band of the phase slope.
const SLOPE_HZ: (f64, f64) = (1_000.0, 8_000.0);
/// Frequencies at which the phase is read.
const SLOPE_STEPS: usize = 140;
/// A channel is heard if its highest peak is this many times the noise's standard deviation: of
/// 65,536 samples of noise, one in 10^5 recordings has one so high.
const HEARD: f64 = 7.0;
/// The gate opens over this long before the arrival, and closes over this long after it, in frames.
const OPENS: (f64, f64) = (36.0, 24.0);
const CLOSES: (f64, f64) = (70.0, 120.0);

/// The direct sound of one channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Arrival {
    /// Frame of the circular response at which the first arrival peaks.
    pub(crate) first: usize,
    /// Delay by phase slope, in frames, with its standard deviation.
    pub(crate) delay: Estimate,
    pub(crate) polarity: Polarity,
    /// Highest magnitude against the noise's standard deviation.
    pub(crate) peak_to_noise: f64,
    /// First arrival against the highest magnitude.
    pub(crate) first_to_peak: f64,
    /// The highest magnitude in the 20 ms before the first arrival (but for its own rise), against it.
    pub(crate) before_first: f64,
}

/// The direct sound in a circular response; `None` if nothing stands out of noise with standard
/// deviation `noise`.
pub(crate) fn find(response: &[f64], noise: f64) -> Option<Arrival> {
    let n = response.len();
    let size = |i: usize| response[i % n].abs();
    let peak = (0..n).max_by(|&a, &b| size(a).total_cmp(&size(b)))?;
    let peak_to_noise = size(peak) / noise.max(f64::MIN_POSITIVE);
    if peak_to_noise < HEARD || size(peak) <= 0.0 {
        return None;
    }
    let threshold = FIRST * size(peak);
    let is_top = |i: usize| size(i) >= size(i + n - 1) && size(i) >= size(i + 1);
    let first = (n + peak - LOOK_BACK..=n + peak).find(|&i| size(i) >= threshold && is_top(i))? % n;
    let before = (n + first - LOOK_BACK..n + first - 12).map(size).fold(0.0, f64::max);
    let slope = phase_slope(response, first);
    // What noise does to the slope of a pulse of this height and of the band's width.
    let sd = (0.35 * noise / size(first)).hypot(0.01);
    Some(Arrival {
        first,
        delay: Estimate { value: first as f64 + slope, sd },
        polarity: polarity(response, first),
        peak_to_noise,
        first_to_peak: size(first) / size(peak),
        before_first: before / size(first),
    })
}

fn polarity(response: &[f64], first: usize) -> Polarity {
    let n = response.len();
    let around = (n + first - 10..n + first + 24).map(|i| response[i % n]);
    let (low, high) = around.fold((0.0f64, 0.0f64), |(low, high), x| (low.min(x), high.max(x)));
    if high > -1.25 * low {
        Polarity::Normal
    } else if -low > 1.25 * high {
        Polarity::Inverted
    } else {
        Polarity::Unclear
    }
}

/// Delay after frame `first`, in frames, by the slope of the gated phase.
fn phase_slope(response: &[f64], first: usize) -> f64 {
    let n = response.len();
    let before = (OPENS.0 + OPENS.1) as usize;
    let after = (CLOSES.0 + CLOSES.1) as usize;
    let gated: Vec<f64> = (0..before + after)
        .map(|i| response[(n + first + i - before) % n] * gate(i as f64 - before as f64))
        .collect();
    let hz = |k: usize| SLOPE_HZ.0 + (SLOPE_HZ.1 - SLOPE_HZ.0) * k as f64 / SLOPE_STEPS as f64;
    let (mut phase, mut last) = (0.0, Complex::default());
    let (mut product, mut square) = (0.0, 0.0);
    for k in 0..=SLOPE_STEPS {
        let value = at(&gated, hz(k), before);
        phase += if k == 0 { 0.0 } else { (value * last.conj()).arg() };
        last = value;
        let place = k as f64 - SLOPE_STEPS as f64 / 2.0;
        product += phase * place;
        square += place * place;
    }
    let step = std::f64::consts::TAU * (hz(1) - hz(0)) / Excitation::RATE_HZ;
    -product / square / step
}

/// Fourier transform at one frequency, frame `origin` being time 0.
fn at(samples: &[f64], hz: f64, origin: usize) -> Complex<f64> {
    let step = -std::f64::consts::TAU * hz / Excitation::RATE_HZ;
    let turn = Complex::from_polar(1.0, step);
    let mut phase = Complex::from_polar(1.0, -step * origin as f64);
    let mut sum = Complex::default();
    for x in samples {
        sum += phase * *x;
        phase *= turn;
    }
    sum
}

fn gate(after: f64) -> f64 {
    let ramp = |x: f64| 0.5 + 0.5 * (std::f64::consts::PI * x.clamp(0.0, 1.0)).cos();
    if after < 0.0 { ramp((-after - OPENS.0) / OPENS.1) } else { ramp((after - CLOSES.0) / CLOSES.1) }
}
