//! Clocks that are fast or slow, wander, and warm up.

use antiphon_base::{Domain, Ppm, Span, Timestamp, True};

use crate::rng::Rng;

/// How a clock differs from true time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClockSpec {
    /// What it reads at true time zero.
    pub offset: Span,
    /// Constant rate error.
    pub skew: Ppm,
    /// Rate change while it warms up: approached as 1 - exp(-t / `warms_for`).
    pub warm_up: Ppm,
    /// Time constant of the warm-up.
    pub warms_for: Span,
    /// Random walk of the rate: ppb after one second, growing with the root of time.
    pub wander_ppb: f64,
    /// How long the clock is simulated; afterwards it runs on at its last rate.
    pub lasts: Span,
}

impl Default for ClockSpec {
    /// A good quartz at its nominal rate for an hour, wandering by 1 ppb per root second.
    fn default() -> Self {
        Self {
            offset: Span::ZERO,
            skew: Ppm(0.0),
            warm_up: Ppm(0.0),
            warms_for: Span::from_s(240),
            wander_ppb: 1.0,
            lasts: Span::from_s(3_600),
        }
    }
}

/// A clock with readings in domain `D`: straight pieces between whole-nanosecond knots, so that
/// there and back is exact to the nanosecond.
#[derive(Debug, Clone)]
pub struct SimClock<D: Domain> {
    zero: Timestamp<D>,
    /// Reading minus `zero` minus true time at true time k * `KNOT`, ns.
    ahead: Vec<i64>,
}

/// Between two knots the rate is constant.
const KNOT_NS: i64 = 100_000_000;

impl<D: Domain> SimClock<D> {
    /// A clock by `spec` whose wander is drawn from `rng`.
    pub fn new(spec: &ClockSpec, rng: &mut Rng) -> Self {
        let step_s = KNOT_NS as f64 * 1e-9;
        let knots = (spec.lasts.as_ns().max(0) / KNOT_NS + 2) as usize;
        let (mut ahead_ns, mut walk_ppb) = (0.0, 0.0);
        let mut ahead = Vec::with_capacity(knots);
        for k in 0..knots {
            ahead.push(ahead_ns as i64);
            let warm = 1.0 - (-(k as f64 + 0.5) * step_s / spec.warms_for.as_s_f64().max(1e-3)).exp();
            ahead_ns += (spec.skew.0 * 1e3 + spec.warm_up.0 * 1e3 * warm + walk_ppb) * step_s;
            walk_ppb += rng.normal(spec.wander_ppb * step_s.sqrt());
        }
        Self { zero: Timestamp::from_ns(spec.offset.as_ns()), ahead }
    }

    /// What the clock reads at `t`.
    pub fn at(&self, t: Timestamp<True>) -> Timestamp<D> {
        let knot = self.knot_before(t.as_ns());
        let (start, gain) = self.piece(knot);
        let into = t.as_ns() - knot as i64 * KNOT_NS;
        let extra = (i128::from(into) * i128::from(gain)).div_euclid(i128::from(KNOT_NS)) as i64;
        self.zero + Span::from_ns(t.as_ns() + start + extra)
    }

    /// When the clock reads `reading`, to the nanosecond.
    pub fn when(&self, reading: Timestamp<D>) -> Timestamp<True> {
        let passed = (reading - self.zero).as_ns();
        // The pieces begin at rising readings, so the right one is found by halving.
        let (mut low, mut high) = (0, self.ahead.len() - 1);
        while high - low > 1 {
            let middle = low.midpoint(high);
            if middle as i64 * KNOT_NS + self.ahead[middle] <= passed { low = middle } else { high = middle }
        }
        let (start, gain) = self.piece(low);
        let into = passed - low as i64 * KNOT_NS - start;
        let true_into =
            (i128::from(into) * i128::from(KNOT_NS)).div_euclid(i128::from(KNOT_NS + gain)) as i64;
        Timestamp::from_ns(low as i64 * KNOT_NS + true_into)
    }

    /// The rate at `t` against true time.
    pub fn skew_at(&self, t: Timestamp<True>) -> Ppm {
        let (_, gain) = self.piece(self.knot_before(t.as_ns()));
        Ppm::from_skew(gain as f64 / KNOT_NS as f64)
    }

    fn knot_before(&self, true_ns: i64) -> usize {
        (true_ns.div_euclid(KNOT_NS).max(0) as usize).min(self.ahead.len() - 2)
    }

    /// How far ahead the clock is where the piece begins, and what it gains over the piece.
    fn piece(&self, knot: usize) -> (i64, i64) {
        (self.ahead[knot], self.ahead[knot + 1] - self.ahead[knot])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_base::Local;

    fn fast() -> SimClock<Local> {
        let spec = ClockSpec {
            offset: Span::from_s(1_234_567),
            skew: Ppm(-80.0),
            warm_up: Ppm(3.0),
            lasts: Span::from_s(60),
            ..ClockSpec::default()
        };
        SimClock::new(&spec, &mut Rng::new(1))
    }

    #[test]
    fn there_and_back_is_the_same_nanosecond() {
        let clock = fast();
        let mut rng = Rng::new(2);
        for _ in 0..10_000 {
            let t = Timestamp::<True>::from_ns(rng.between(0.0, 90e9) as i64);
            assert!((clock.when(clock.at(t)) - t).abs() <= Span::from_ns(1));
        }
    }

    #[test]
    fn it_reads_its_offset_at_zero_and_runs_at_its_rate() {
        let clock = fast();
        assert_eq!(clock.at(Timestamp::ZERO).as_ns(), 1_234_567_000_000_000);
        assert!((clock.skew_at(Timestamp::ZERO).0 + 80.0).abs() < 0.1);
        assert!((clock.skew_at(Timestamp::from_ns(59_000_000_000)).0 + 79.35).abs() < 0.1);
    }

    #[test]
    fn it_never_goes_back() {
        let clock = fast();
        let mut last = clock.at(Timestamp::ZERO);
        for ms in 1..70_000 {
            let reading = clock.at(Timestamp::from_ns(ms * 1_000_000));
            assert!(reading > last);
            last = reading;
        }
    }
}
