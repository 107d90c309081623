//! A surface so near to the microphone or the speaker that its reflection falls into the gate.
//!
//! A reflection of size `r` that comes `t` after the direct sound multiplies its spectrum by
//! `1 + r exp(-i w t)`: a ripple in level and phase. A loudspeaker's own spectrum is smooth. So the
//! ripple is looked for that, divided out, leaves the smoothest spectrum; how much smoother it gets
//! says how sure it is. Where it is nearly as smooth without, the reflection is a doubt and nothing is
//! corrected.

use realfft::num_complex::Complex;

use super::arrival::phase_slope;
use super::excitation::Excitation;
use super::impulse;

/// Frequencies at which smoothness is judged.
const FROM_HZ: f64 = 800.0;
const STEP_HZ: f64 = 200.0;
const COUNT: usize = 64;
/// Delays looked for: what is sooner cannot be told from the speaker, what is later is outside of the
/// gate.
const DELAY_S: (f64, f64) = (20e-6, 490e-6);
const DELAYS: usize = 48;
/// Sizes looked for.
const SIZES: usize = 19;
const SIZE_STEP: f64 = 0.05;
/// With less than this part of the roughness left the reflection is certain.
const CERTAIN: f64 = 0.71;
/// With more than this part left there is none.
const NONE: f64 = 0.95;
/// Standard deviations as parts of the correction: where it is made, and where it is doubtful.
const SPREAD: f64 = 0.12;
pub(crate) const DOUBT: f64 = 0.28;
/// Standard deviation, in frames, for what no ripple looked for explains, for each neper of roughness: what
/// stays rough may hide a reflection that was not found (0.4 us in an ordinary room, 4 us above a bad table).
const ROUGH: f64 = 0.025;

/// The reflection that explains the spectrum best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Surface {
    /// What it does to the delay by phase slope, in frames.
    shift: f64,
    /// Roughness left, 0 to 1.
    left: f64,
    /// Roughness before, in nepers.
    rough: f64,
}

impl Surface {
    /// What is certainly its doing, in frames of delay.
    pub(crate) fn certain(self) -> f64 {
        if self.left < CERTAIN { self.shift } else { 0.0 }
    }

    /// What may be its doing.
    pub(crate) fn doubtful(self) -> f64 {
        if (CERTAIN..NONE).contains(&self.left) { self.shift } else { 0.0 }
    }

    /// Standard deviation of what is certain, and of what was not found.
    pub(crate) fn spread(self) -> f64 {
        (SPREAD * self.certain()).hypot(ROUGH * self.rough)
    }
}

/// Looks for a reflection in the spectrum of the gated direct sound.
pub(crate) fn find(spectrum: impl Fn(f64) -> Complex<f64>) -> Surface {
    let log = logarithm((0..COUNT).map(|k| spectrum(hz(k)) / impulse::window(hz(k)).max(0.02)));
    let bends = bends(&log);
    let rough = roughness(&bends, &[]);
    let mut best = (f64::INFINITY, 0.0, 0.0);
    for d in 0..DELAYS {
        let delay = DELAY_S.0 + (DELAY_S.1 - DELAY_S.0) * d as f64 / (DELAYS - 1) as f64;
        for s in 1..=SIZES {
            let size = s as f64 * SIZE_STEP;
            let ripple: Vec<Complex<f64>> = (0..COUNT).map(|k| ripple(size, delay, hz(k)).ln()).collect();
            let left = roughness(&bends, &self::bends(&ripple));
            if left < best.0 {
                best = (left, size, delay);
            }
        }
    }
    let (left, size, delay) = best;
    let left = left / rough.max(f64::MIN_POSITIVE);
    let shift = phase_slope(|hz| ripple(size, delay, hz)) * Excitation::RATE_HZ;
    Surface { shift, left, rough }
}

fn hz(k: usize) -> f64 {
    FROM_HZ + STEP_HZ * k as f64
}

fn ripple(size: f64, delay: f64, hz: f64) -> Complex<f64> {
    Complex::from_polar(size, -std::f64::consts::TAU * hz * delay) + 1.0
}

/// Complex logarithm with a phase that does not jump.
fn logarithm(values: impl Iterator<Item = Complex<f64>>) -> Vec<Complex<f64>> {
    let (mut phase, mut last) = (0.0, Complex::new(1.0, 0.0));
    values
        .map(|value| {
            phase += (value * last.conj()).arg();
            last = value;
            Complex::new(value.norm().max(f64::MIN_POSITIVE).ln(), phase)
        })
        .collect()
}

/// Second differences.
fn bends(values: &[Complex<f64>]) -> Vec<Complex<f64>> {
    values.windows(3).map(|w| w[0] - w[1] * 2.0 + w[2]).collect()
}

/// Sum of the sizes of the bends, without those of the ripple: one deep notch does not decide alone.
fn roughness(bends: &[Complex<f64>], ripple: &[Complex<f64>]) -> f64 {
    let ripple = ripple.iter().copied().chain(std::iter::repeat(Complex::default()));
    bends.iter().zip(ripple).map(|(a, b)| (a - b).norm()).sum()
}
