//! Gains that change without a corner.

/// A gain on its way to another: a cubic with level ends, so that neither the value nor its slope
/// jumps.
#[derive(Debug, Clone)]
pub(crate) struct Ramp {
    from: f64,
    to: f64,
    at: usize,
    frames: usize,
    hold: usize,
}

impl Ramp {
    /// A gain that stays.
    pub(crate) fn at(gain: f64) -> Self {
        Self { from: gain, to: gain, at: 0, frames: 0, hold: 0 }
    }

    /// From 0 to 1 over `frames`, after `hold` frames at 0.
    pub(crate) fn fade_in(hold: usize, frames: usize) -> Self {
        Self { from: 0.0, to: 1.0, at: 0, frames, hold }
    }

    /// From what it is to `gain` over `frames`.
    pub(crate) fn go(&mut self, gain: f64, frames: usize) {
        *self = Self { from: self.value(), to: gain, at: 0, frames, hold: 0 };
    }

    /// The gain of the next frame.
    pub(crate) fn value(&self) -> f64 {
        if self.at >= self.frames {
            return self.to;
        }
        if self.hold > 0 {
            return self.from;
        }
        self.from + (self.to - self.from) * smooth(self.at as f64 / self.frames as f64)
    }

    /// The gain of the next frame, and on to the one after.
    pub(crate) fn step(&mut self) -> f64 {
        let value = self.value();
        if self.hold > 0 {
            self.hold -= 1;
        } else if self.at < self.frames {
            self.at += 1;
        }
        value
    }

    /// Whether it has come to rest at 0.
    pub(crate) fn is_silent(&self) -> bool {
        self.at >= self.frames && self.to == 0.0
    }

    /// Whether it is on its way to 0.
    pub(crate) fn is_ending(&self) -> bool {
        self.to == 0.0
    }
}

/// 0 to 1 for `t` from 0 to 1, level at both ends.
pub(crate) fn smooth(t: f64) -> f64 {
    t * t * (3.0 - 2.0 * t)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ramp_that_is_turned_back_half_way_goes_on_from_where_it_is() {
        let mut ramp = Ramp::fade_in(3, 100);
        assert_eq!([ramp.step(), ramp.step(), ramp.step(), ramp.step()], [0.0; 4]);
        for _ in 1..50 {
            ramp.step();
        }
        let half = ramp.value();
        assert!((half - 0.5).abs() < 1e-12);
        ramp.go(0.0, 10);
        assert_eq!(ramp.step(), half);
        for _ in 0..9 {
            assert!(!ramp.is_silent());
            ramp.step();
        }
        assert!(ramp.is_silent());
    }
}
