//! The machine's clock, and its warped twin for tests.
//!
//! Two processes on one machine share one kernel clock, so a program without any synchronisation
//! would look perfect there. A [`Warp`] gives a process a clock of its own, as two hosts have:
//! another zero, another rate, a rate that wanders. Nothing here adjusts or corrects anything.

use std::f64::consts::TAU;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use antiphon_base::{Span, Timestamp, True};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};

/// A clock of domain `D`: CLOCK_MONOTONIC_RAW seen through a [`Warp`].
pub struct Clock<D> {
    warp: Warp,
    domain: PhantomData<fn() -> D>,
}

impl<D> Clock<D> {
    /// A clock that reads CLOCK_MONOTONIC_RAW through `warp`.
    pub fn new(warp: Warp) -> Self {
        Self { warp, domain: PhantomData }
    }

    /// What the clock shows.
    pub fn now(&self) -> Timestamp<D> {
        self.warp(raw_now())
    }

    /// What the clock shows at the machine's instant `raw`.
    pub fn warp(&self, raw: Timestamp<True>) -> Timestamp<D> {
        Timestamp::from_ns(self.warp.apply(raw.as_ns()))
    }

    /// The machine's instant at which the clock shows `at`, to the nanosecond.
    pub fn unwarp(&self, at: Timestamp<D>) -> Timestamp<True> {
        Timestamp::from_ns(self.warp.undo(at.as_ns()))
    }
}

impl<D> Clone for Clock<D> {
    fn clone(&self) -> Self {
        Self { warp: self.warp, domain: PhantomData }
    }
}

impl<D> fmt::Debug for Clock<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("warp", &self.warp).finish()
    }
}

/// CLOCK_MONOTONIC_RAW, unwarped: for instruments and oracles.
pub fn raw_now() -> Timestamp<True> {
    Timestamp::from_ns(read(ClockId::CLOCK_MONOTONIC_RAW))
}

/// Sleeps until the machine's clock shows `due`; returns at once if it has passed.
///
/// CLOCK_MONOTONIC_RAW has no timers, so the remaining time is slept on CLOCK_MONOTONIC, whose
/// rate NTP may bend by at most 500 ppm. Sleeping longer by as much costs some microseconds and
/// spares a second wake-up for what would be left.
pub fn sleep_until(due: Timestamp<True>) {
    loop {
        let left = due - raw_now();
        if left <= Span::ZERO {
            return;
        }
        // EINTR and every other early return are answered by the loop.
        let _ = clock_nanosleep(
            ClockId::CLOCK_MONOTONIC,
            ClockNanosleepFlags::empty(),
            &TimeSpec::from((left + left / 2_000).to_std()),
        );
    }
}

pub(crate) fn read(clock: ClockId) -> i64 {
    let time = clock_gettime(clock).expect("Linux has this clock since 2.6.28");
    time.tv_sec() * 1_000_000_000 + time.tv_nsec()
}

/// How a process's clock differs from the machine's: read from `ppm=+40&offset_s=1234.5&wander_ppm=1`.
///
/// `shown = raw + offset + raw * ppm * 1e-6 + wander(raw)`, with all parts functions of the
/// machine's clock alone, so two processes with the same warp show the same time. The wander is
/// three slow sines whose rates never add up to more than `wander_ppm`, integrated exactly; their
/// phases follow from the other two numbers, so that unlike warps wander unlike.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Warp {
    ppm: f64,
    offset_ns: i64,
    wander_ppm: f64,
}

/// Periods of the wander in nanoseconds, and each one's share of its rate.
const WANDER: [(i64, f64); 3] = [(61_000_000_000, 0.5), (173_000_000_000, 0.3), (397_000_000_000, 0.2)];

impl Warp {
    /// The largest rate difference that is accepted, either way: ten times the worst crystal.
    pub const MAX_PPM: f64 = 1_000.0;
    /// The largest offset: thirty years, far beyond any uptime, far within 64 bits.
    pub const MAX_OFFSET_S: f64 = 1e9;

    /// `ppm` faster than the machine, `offset` ahead of it, its rate wandering by `wander_ppm`.
    pub fn new(ppm: f64, offset: Span, wander_ppm: f64) -> Result<Self, WarpError> {
        let bound = |name, value: f64, limit: f64| {
            if value.abs() <= limit { Ok(value) } else { Err(WarpError::OutOfRange { name, value, limit }) }
        };
        bound("offset_s", offset.as_s_f64(), Self::MAX_OFFSET_S)?;
        Ok(Self {
            ppm: bound("ppm", ppm, Self::MAX_PPM)?,
            offset_ns: offset.as_ns(),
            wander_ppm: bound("wander_ppm", wander_ppm, Self::MAX_PPM)?,
        })
    }

    /// How fast the warped clock runs at the machine's instant `raw`, as a ratio minus one.
    pub fn skew_at(&self, raw: Timestamp<True>) -> f64 {
        let wander: f64 =
            (0..WANDER.len()).map(|k| WANDER[k].1 * self.angle(k, raw.as_ns()).sin()).sum::<f64>()
                * self.wander_ppm;
        (self.ppm + wander) * 1e-6
    }

    fn apply(&self, raw: i64) -> i64 {
        let drift = (raw as f64 * self.ppm * 1e-6).round() as i64;
        raw + self.offset_ns + drift + self.wander_ns(raw).round() as i64
    }

    fn undo(&self, shown: i64) -> i64 {
        // The warp's slope is 1 to within 2e-3, so each round gains three digits.
        let mut raw = shown - self.offset_ns;
        for _ in 0..8 {
            raw -= self.apply(raw) - shown;
        }
        raw
    }

    /// The integral of the wander's rate since the machine's zero.
    fn wander_ns(&self, raw: i64) -> f64 {
        if self.wander_ppm == 0.0 {
            return 0.0;
        }
        let part = |k: usize| {
            let (period, share) = WANDER[k];
            share * period as f64 / TAU * (self.angle(k, 0).cos() - self.angle(k, raw).cos())
        };
        (0..WANDER.len()).map(part).sum::<f64>() * self.wander_ppm * 1e-6
    }

    fn angle(&self, k: usize, raw: i64) -> f64 {
        let (period, _) = WANDER[k];
        let phase = (self.ppm * 0.37 + self.offset_ns as f64 * 0.11e-9) * (k + 1) as f64;
        TAU * (raw.rem_euclid(period) as f64 / period as f64 + phase.fract())
    }
}

/// A warp that cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WarpError {
    /// A part that is not `key=number`.
    #[error(
        "local clock: {0:?} is not KEY=NUMBER with a key of ppm, offset_s, wander_ppm; for example 'ppm=+40&offset_s=1234.5&wander_ppm=1'"
    )]
    Malformed(String),
    /// A number beyond its limit.
    #[error("local clock: {name}={value} is beyond the limit of +-{limit}")]
    OutOfRange {
        /// The key.
        name: &'static str,
        /// The number given.
        value: f64,
        /// The largest magnitude accepted.
        limit: f64,
    },
}

impl FromStr for Warp {
    type Err = WarpError;

    fn from_str(text: &str) -> Result<Self, WarpError> {
        let (mut ppm, mut offset_s, mut wander_ppm) = (0.0, 0.0, 0.0);
        for part in text.split('&').filter(|part| !part.is_empty()) {
            let malformed = || WarpError::Malformed(part.chars().take(40).collect());
            let (key, value) = part.split_once('=').ok_or_else(malformed)?;
            let value = value.parse::<f64>().ok().filter(|v| v.is_finite()).ok_or_else(malformed)?;
            *match key {
                "ppm" => &mut ppm,
                "offset_s" => &mut offset_s,
                "wander_ppm" => &mut wander_ppm,
                _ => return Err(malformed()),
            } = value;
        }
        if offset_s.abs() > Self::MAX_OFFSET_S {
            return Err(WarpError::OutOfRange {
                name: "offset_s",
                value: offset_s,
                limit: Self::MAX_OFFSET_S,
            });
        }
        Self::new(ppm, Span::from_s_f64(offset_s), wander_ppm)
    }
}

#[cfg(test)]
mod tests {
    use antiphon_base::Local;
    use proptest::prelude::*;

    use super::*;

    fn clock(text: &str) -> Clock<Local> {
        Clock::new(text.parse().unwrap())
    }

    #[test]
    fn a_warp_of_40_ppm_gains_40_microseconds_a_second() {
        let clock = clock("ppm=+40&offset_s=1234.5");
        let start = Timestamp::from_ns(5_000_000_000_000_000);
        let gained = clock.warp(start + Span::from_s(1)) - clock.warp(start);
        assert_eq!(gained, Span::from_s(1) + Span::from_us(40));
        let ahead = clock.warp(Timestamp::ZERO) - Timestamp::ZERO;
        assert_eq!(ahead, Span::from_ms(1_234_500));
    }

    #[test]
    fn the_wander_is_the_integral_of_the_stated_rate() {
        let warp: Warp = "ppm=-25&wander_ppm=3".parse().unwrap();
        let clock = Clock::<Local>::new(warp);
        let (mut integrated, mut at) = (0.0, Timestamp::from_ns(86_400_000_000_000));
        let first = at;
        for _ in 0..4_000 {
            let step = Span::from_ms(100);
            integrated += warp.skew_at(at + step / 2) * step.as_ns() as f64;
            at += step;
        }
        let shown = (clock.warp(at) - clock.warp(first) - (at - first)).as_ns() as f64;
        assert!((shown - integrated).abs() < 5.0, "{shown} ns shown, {integrated} ns integrated");
    }

    #[test]
    fn unlike_warps_wander_unlike() {
        let (a, b): (Warp, Warp) =
            ("wander_ppm=1&ppm=40".parse().unwrap(), "wander_ppm=1&ppm=-40".parse().unwrap());
        let difference = |s| {
            (a.skew_at(Timestamp::from_ns(s * 1_000_000_000))
                - b.skew_at(Timestamp::from_ns(s * 1_000_000_000))
                - 80e-6)
                .abs()
        };
        assert!((0..400i64).map(difference).fold(0.0, f64::max) > 0.5e-6);
    }

    #[test]
    fn a_warp_that_cannot_be_is_refused_by_name() {
        for (bad, named) in [
            ("ppm", "\"ppm\""),
            ("ppm=x", "\"ppm=x\""),
            ("speed=2", "offset_s"),
            ("ppm=2000", "+-1000"),
            ("offset_s=1e300", "1000000000"),
            ("ppm=NaN", "NaN"),
        ] {
            let said = bad.parse::<Warp>().unwrap_err().to_string();
            assert!(said.contains(named), "{said}");
        }
    }

    #[test]
    fn a_sleep_never_ends_early() {
        let due = raw_now() + Span::from_ms(3);
        sleep_until(due);
        assert!(raw_now() >= due);
    }

    proptest! {
        #[test]
        fn every_warp_is_monotonic_and_invertible_to_the_nanosecond(
            ppm in -1000.0..1000.0, offset in -1e9..1e9, wander in -10.0..10.0,
            raw in 0i64..1_000_000_000_000_000_000, step in 0i64..10_000,
        ) {
            let clock = Clock::<Local>::new(Warp::new(ppm, Span::from_s_f64(offset), wander).unwrap());
            let at = Timestamp::from_ns(raw);
            prop_assert!(clock.warp(at + Span::from_ns(step)) >= clock.warp(at));
            prop_assert!((clock.unwarp(clock.warp(at)) - at).abs() <= Span::from_ns(1));
        }
    }
}
