//! The direct sound in one impulse response: where it begins, and its delay.
//!
//! The first arrival is not the highest peak: rooms focus. It is the first sound that reaches a fifth
//! of the highest one's size within the 20 ms before it. Its delay is the slope of its phase over 1 to
//! 8 kHz, of what a gate lets through that closes within a millisecond, before most rooms answer. What
//! the nearest surface adds within the gate is looked for by the ripple that it makes
//! ([`super::surface`]).

use realfft::num_complex::Complex;

use super::excitation::Excitation;
use super::measurement::{Estimate, Polarity};
use super::surface::{self, Surface};

/// Against the highest peak: a direct sound 14 dB below the loudest reflection. What the analysis
/// itself rings before a sound is 25 dB below it.
const FIRST: f64 = 0.2;
/// Against the standard deviation of the noise.
const CERTAIN: f64 = 5.0;
/// How far before the highest peak the first arrival may lie: 20 ms.
const LOOK_BACK: usize = 960;
/// The envelope of a sound has risen from nothing within this before its peak, in frames.
const RISE: usize = 14;
/// A channel is heard if its highest peak is this many times the noise's standard deviation: of
/// 65,536 samples of noise, one in 10^5 recordings has one so high.
const HEARD: f64 = 7.0;
/// Band of the phase slope.
pub(crate) const SLOPE_HZ: (f64, f64) = (1_000.0, 8_000.0);
/// Steps at which the phase is read: 50 Hz, a twentieth of what the gate can resolve.
const SLOPE_STEPS: usize = 140;
/// Steps that the gate makes alike.
const ALIKE_STEPS: f64 = 12.0;
/// The gate is open this long, and opens or closes over this long, in frames: before and after.
const BEFORE: (f64, f64) = (36.0, 24.0);
const AFTER: (f64, f64) = (12.0, 20.0);
/// A gate that closes sooner must tell the same: what it tells otherwise is the room's doing, or a part of the
/// speaker's that is cut off.
const SOONER: (f64, f64) = (10.0, 14.0);
/// Beyond this many frames (40 us) the sooner gate has cut off too much to be a witness.
const WITNESS: f64 = 2.0;
/// Standard deviation, in frames, of what a room without a surface nearby does within the gate: 0.9 us.
const ROOM: f64 = 0.045;
/// Polarity is clear if one side of the wave is this much higher than the other.
const CLEAR: f64 = 1.25;

/// A channel's circular response in the two ways in which it is looked at.
pub(crate) struct Look<'a> {
    /// Band-limited by the analysis window.
    pub(crate) samples: &'a [f64],
    /// Envelope of its upper band: no ringing, sharp.
    pub(crate) envelope: &'a [f64],
    /// Standard deviation of the noise in both.
    pub(crate) noise: f64,
    pub(crate) envelope_noise: f64,
}

/// The direct sound of one channel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Arrival {
    /// Frame of the circular response at which the first arrival peaks.
    pub(crate) first: usize,
    /// Delay by phase slope, in frames, with its standard deviation.
    pub(crate) delay: Estimate,
    /// What a surface nearby may have moved it by, in frames, if there is one: see [`Surface`].
    pub(crate) doubt: f64,
    pub(crate) polarity: Polarity,
    /// Highest magnitude against the noise's standard deviation.
    pub(crate) peak_to_noise: f64,
    /// First arrival against the highest magnitude.
    pub(crate) first_to_peak: f64,
    /// The highest magnitude in the 20 ms before the first arrival (but for its own rise), against it.
    pub(crate) before_first: f64,
}

/// The direct sound in a response; `None` if nothing stands out of the noise.
pub(crate) fn find(look: &Look<'_>) -> Option<Arrival> {
    let n = look.envelope.len();
    let size = |i: usize| look.envelope[i % n];
    let peak = (0..n).max_by(|&a, &b| size(a).total_cmp(&size(b)))?;
    let peak_to_noise = size(peak) / look.envelope_noise.max(f64::MIN_POSITIVE);
    if peak_to_noise < HEARD || size(peak) <= 0.0 {
        return None;
    }
    let threshold = (FIRST * size(peak)).max(CERTAIN * look.envelope_noise);
    let is_top = |i: usize| size(i) >= size(i + n - 1) && size(i) >= size(i + 1);
    let first = (n + peak - LOOK_BACK..=n + peak).find(|&i| size(i) >= threshold && is_top(i))? % n;
    let before = (n + first - LOOK_BACK..n + first - RISE).map(size).fold(0.0, f64::max);
    let reading = Reading::new(look, first, AFTER);
    let differs = reading.differs(&Reading::new(look, first, SOONER)).min(WITNESS);
    Some(Arrival {
        first,
        delay: Estimate { value: first as f64 + reading.slope, sd: reading.sd.hypot(differs) },
        doubt: reading.surface.doubtful(),
        polarity: polarity(look.samples, first),
        peak_to_noise,
        first_to_peak: size(first) / size(peak),
        before_first: before / size(first),
    })
}

fn polarity(response: &[f64], first: usize) -> Polarity {
    let n = response.len();
    let around = (n + first - 8..n + first + 9).map(|i| response[i % n]);
    let (low, high) = around.fold((0.0f64, 0.0f64), |(low, high), x| (low.min(x), high.max(x)));
    if high > -CLEAR * low {
        Polarity::Normal
    } else if -low > CLEAR * high {
        Polarity::Inverted
    } else {
        Polarity::Unclear
    }
}

/// What one gate tells.
struct Reading {
    /// Delay after the first arrival without what is certainly a surface's doing, and its standard deviation,
    /// in frames.
    slope: f64,
    sd: f64,
    /// The same with the surface's doing left in.
    plain: f64,
    surface: Surface,
}

impl Reading {
    fn new(look: &Look<'_>, first: usize, after: (f64, f64)) -> Self {
        let gated = Gated::new(look.samples, first, after);
        let surface = surface::find(|hz| gated.at(hz));
        let sd = gated.noise(look.noise).hypot(ROOM).hypot(surface.spread());
        let plain = gated.phase_slope();
        Self { slope: plain - surface.certain(), sd, plain, surface }
    }

    /// By how much two gates tell different delays, in frames. A surface that only one of them is sure of is no
    /// difference where both tell the same with it left in.
    fn differs(&self, other: &Self) -> f64 {
        (self.slope - other.slope).abs().min((self.plain - other.plain).abs())
    }
}

/// The direct sound alone.
struct Gated {
    samples: Vec<f64>,
    /// Mean square of the gate, times its length.
    power: f64,
}

impl Gated {
    const ORIGIN: usize = (BEFORE.0 + BEFORE.1) as usize;

    fn new(response: &[f64], first: usize, after: (f64, f64)) -> Self {
        let n = response.len();
        let frames = Self::ORIGIN + (after.0 + after.1) as usize;
        let gate = |i: usize| gate(i as f64 - Self::ORIGIN as f64, after);
        let sample = |i: usize| response[(n + first + i - Self::ORIGIN) % n] * gate(i);
        let power = (0..frames).map(|i| gate(i) * gate(i)).sum();
        Self { samples: (0..frames).map(sample).collect(), power }
    }

    /// Fourier transform at one frequency, the first arrival being time 0.
    fn at(&self, hz: f64) -> Complex<f64> {
        let step = -std::f64::consts::TAU * hz / Excitation::RATE_HZ;
        let turn = Complex::from_polar(1.0, step);
        let mut phase = Complex::from_polar(1.0, -step * Self::ORIGIN as f64);
        let mut sum = Complex::default();
        for x in &self.samples {
            sum += phase * *x;
            phase *= turn;
        }
        sum
    }

    /// Delay after the first arrival, in frames.
    fn phase_slope(&self) -> f64 {
        phase_slope(|hz| self.at(hz)) * Excitation::RATE_HZ
    }

    /// Standard deviation of the delay, in frames, if every sample has noise with this one.
    fn noise(&self, sd: f64) -> f64 {
        let (mut sum, mut square) = (0.0, 0.0);
        for k in 0..=SLOPE_STEPS {
            let place = k as f64 - SLOPE_STEPS as f64 / 2.0;
            sum += place * place / self.at(slope_hz(k)).norm_sqr().max(f64::MIN_POSITIVE);
            square += place * place;
        }
        let radians = (0.5 * sd * sd * self.power * sum * ALIKE_STEPS).sqrt() / square;
        radians / (std::f64::consts::TAU * (slope_hz(1) - slope_hz(0))) * Excitation::RATE_HZ
    }
}

fn slope_hz(k: usize) -> f64 {
    SLOPE_HZ.0 + (SLOPE_HZ.1 - SLOPE_HZ.0) * k as f64 / SLOPE_STEPS as f64
}

/// Delay in seconds by the slope of the phase over 1 to 8 kHz: the straight line that fits it best by
/// least squares, every hertz counting the same and its height at 0 Hz free.
pub(crate) fn phase_slope(spectrum: impl Fn(f64) -> Complex<f64>) -> f64 {
    let (mut phase, mut last) = (0.0, spectrum(slope_hz(0)));
    let (mut product, mut square) = (0.0, 0.0);
    for k in 0..=SLOPE_STEPS {
        let value = spectrum(slope_hz(k));
        phase += (value * last.conj()).arg();
        last = value;
        let place = k as f64 - SLOPE_STEPS as f64 / 2.0;
        product += phase * place;
        square += place * place;
    }
    -product / square / (std::f64::consts::TAU * (slope_hz(1) - slope_hz(0)))
}

fn gate(at: f64, after: (f64, f64)) -> f64 {
    let ramp = |x: f64| 0.5 + 0.5 * (std::f64::consts::PI * x.clamp(0.0, 1.0)).cos();
    if at < 0.0 { ramp((-at - BEFORE.0) / BEFORE.1) } else { ramp((at - after.0) / after.1) }
}
