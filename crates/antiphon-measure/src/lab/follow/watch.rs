//! Whether each speaker is still heard where the model expects it, and if not, where it is.
//!
//! Each side's prediction is correlated with what the other side leaves of the sound. The correlation
//! at zero, against that of good times, is the side's health; a peak elsewhere is a jump. Both are
//! sums over a second and a half, so that one loud note does not decide.

use realfft::num_complex::Complex;

use super::model::Prediction;
use super::spectrum::{Analyser, BINS, RATE_HZ, Spectrum, WINDOW};

/// Windows over which correlations are summed.
const MEMORY: f64 = 8.0;
/// Windows over which one can see that something is wrong at once.
const SHORT: f64 = 2.0;
/// Windows over which good times are averaged.
const GOOD_MEMORY: f64 = 60.0;
/// Below this part of its good correlation a side is not heard as it was.
const HEALTHY: f64 = 0.5;
/// A side whose prediction stands out less than this, in power over all bins, says nothing.
const AUDIBLE: f64 = 60.0;
/// Windows after which a side that was missing is believed again: 2 s of its sound.
const DOUBTED: u32 = 12;
/// The farthest jump looked for: 60 ms.
const FARTHEST: usize = 2_880;
/// Windows between two looks for a jump.
const LOOK_EVERY: u32 = 3;

/// One side's correlation.
#[derive(Debug)]
pub(super) struct Side {
    cross: Spectrum,
    power: f64,
    quick: [f64; 2],
    /// Correlation in good times.
    good: f64,
    /// Windows in a row, while it should be heard, in which it was not.
    pub(super) missing: u32,
    /// Windows for which it is still doubted after it was missing.
    pub(super) doubted: u32,
    /// Windows in a row in which the programme left it silent.
    pub(super) silent: u32,
    /// Where the last look saw it, in frames.
    seen_at: Option<f64>,
}

impl Side {
    pub(super) fn new() -> Self {
        Self {
            cross: vec![Complex::default(); BINS],
            power: 0.0,
            quick: [0.0; 2],
            good: 0.6,
            missing: 0,
            doubted: 0,
            silent: 0,
            seen_at: None,
        }
    }

    /// Takes in one window; says whether this side may be believed in it.
    pub(super) fn hear(&mut self, predicted: &[Complex<f64>], p: &Prediction) -> bool {
        let (keep, keep_quick) = (1.0 - 1.0 / MEMORY, 1.0 - 1.0 / SHORT);
        let (mut power, mut zero) = (0.0, 0.0);
        for (k, (x, e)) in predicted.iter().zip(&p.residual).enumerate() {
            let cross = p.precision[k] * x.conj() * (e + x);
            self.cross[k] = self.cross[k] * keep + cross;
            power += p.precision[k] * x.norm_sqr();
            zero += cross.re;
        }
        self.power = self.power * keep + power;
        self.quick = [self.quick[0] * keep_quick + zero, self.quick[1] * keep_quick + power];
        self.judge(power)
    }

    fn judge(&mut self, power: f64) -> bool {
        if power < AUDIBLE {
            self.silent += 1;
            return self.missing == 0;
        }
        self.silent = 0;
        let now = self.quick[0] / self.quick[1].max(f64::MIN_POSITIVE);
        let heard = now > HEALTHY * self.good;
        self.missing = if heard { 0 } else { self.missing + 1 };
        self.doubted = if self.missing > 1 { DOUBTED } else { self.doubted.saturating_sub(1) };
        if heard {
            self.good += (now.min(1.0) - self.good) / GOOD_MEMORY;
        }
        heard
    }

    /// Where the side is heard, in microseconds after where it is expected, if that is elsewhere and
    /// two looks agree.
    pub(super) fn look(&mut self, analyser: &Analyser) -> Option<f64> {
        if self.missing < 4 || !self.missing.is_multiple_of(LOOK_EVERY) {
            return None;
        }
        let found = self.peak(analyser);
        let before = std::mem::replace(&mut self.seen_at, found);
        let (now, before) = (found?, before?);
        if (now - before).abs() > 1.0 {
            return None;
        }
        self.forget();
        Some(now / RATE_HZ * 1e6)
    }

    /// Place of the highest correlation, if it is as high as in good times, in frames.
    fn peak(&self, analyser: &Analyser) -> Option<f64> {
        let time = analyser.in_time(&self.cross);
        // The transform adds every used bin and its mirror image.
        let scale = 1.0 / (2.0 * self.power).max(f64::MIN_POSITIVE);
        let at = |lag: i64| time[lag.rem_euclid(WINDOW as i64) as usize] * scale;
        let best = (-(FARTHEST as i64)..=FARTHEST as i64).max_by(|&a, &b| at(a).total_cmp(&at(b)))?;
        // Old sound at the old place is still in the sums: what left it counts less.
        let height = at(best) - at(0).max(0.0);
        if best == 0 || height < 0.4 * HEALTHY * self.good {
            return None;
        }
        let bend = 2.0 * at(best) - at(best - 1) - at(best + 1);
        let fraction = if bend > 0.0 { 0.5 * (at(best + 1) - at(best - 1)) / bend } else { 0.0 };
        Some(best as f64 + fraction.clamp(-0.5, 0.5))
    }

    /// Begins anew, as after a jump that was followed.
    pub(super) fn forget(&mut self) {
        let good = self.good;
        *self = Self { good, ..Self::new() };
    }
}
