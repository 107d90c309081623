//! A straight-line relation between two clocks, with what is not known about it.

use std::fmt;

use crate::frames::Ppm;
use crate::time::{Domain, Span, Timestamp};

/// Maps instants of clock `A` to clock `B`: an anchor pair, a rate, and the uncertainty of both.
///
/// `b = at_b + (a - at_a) * (1 + skew)`. `offset_sd` is the standard deviation of `at_b` given
/// `at_a`; `skew_sd` that of the skew. The two errors are taken as independent at the anchor, so
/// whoever estimates a map puts the anchor where that holds (for a regression: the mean time; for
/// a Kalman filter: its latest update, and the cross term is then part of the stated skew).
pub struct ClockMap<A, B> {
    /// The anchor in clock `A`.
    pub at_a: Timestamp<A>,
    /// The same instant in clock `B`.
    pub at_b: Timestamp<B>,
    /// How much faster `B` runs than `A`, as a ratio minus one.
    pub skew: f64,
    /// Standard deviation of the anchor, in nanoseconds.
    pub offset_sd_ns: f64,
    /// Standard deviation of `skew`, as a ratio.
    pub skew_sd: f64,
}

impl<A, B> ClockMap<A, B> {
    /// A map that is exactly known.
    pub const fn exact(at_a: Timestamp<A>, at_b: Timestamp<B>, skew: f64) -> Self {
        Self { at_a, at_b, skew, offset_sd_ns: 0.0, skew_sd: 0.0 }
    }

    /// The instant of `B` that belongs to `a`.
    pub fn apply(&self, a: Timestamp<A>) -> Timestamp<B> {
        let since = a.as_ns().wrapping_sub(self.at_a.as_ns());
        // The identity part stays in integers: only the skew, small, goes through floating point.
        let stretch = (since as f64 * self.skew).round() as i64;
        Timestamp::from_ns(self.at_b.as_ns().wrapping_add(since).wrapping_add(stretch))
    }

    /// Standard deviation of [`apply`](Self::apply) at `a`, in nanoseconds.
    pub fn sd_ns_at(&self, a: Timestamp<A>) -> f64 {
        let since = a.as_ns().wrapping_sub(self.at_a.as_ns()) as f64;
        self.offset_sd_ns.hypot(since * self.skew_sd)
    }

    /// The map the other way round.
    pub fn inverse(&self) -> ClockMap<B, A> {
        ClockMap {
            at_a: self.at_b,
            at_b: self.at_a,
            skew: -self.skew / (1.0 + self.skew),
            offset_sd_ns: self.offset_sd_ns / (1.0 + self.skew),
            skew_sd: self.skew_sd,
        }
    }

    /// This map followed by `next`, anchored where this one is. Errors are taken as independent.
    pub fn then<C>(&self, next: &ClockMap<B, C>) -> ClockMap<A, C> {
        ClockMap {
            at_a: self.at_a,
            at_b: next.apply(self.at_b),
            skew: self.skew + next.skew + self.skew * next.skew,
            offset_sd_ns: self.offset_sd_ns.hypot(next.sd_ns_at(self.at_b)),
            skew_sd: self.skew_sd.hypot(next.skew_sd),
        }
    }

    /// The same line, anchored at `a`.
    pub fn anchored_at(&self, a: Timestamp<A>) -> Self {
        Self { at_a: a, at_b: self.apply(a), offset_sd_ns: self.sd_ns_at(a), ..*self }
    }

    /// The whole map moved later in `B` by `span`.
    pub fn shifted(&self, span: Span) -> Self {
        Self { at_b: self.at_b + span, ..*self }
    }

    /// The skew in parts per million.
    pub fn ppm(&self) -> Ppm {
        Ppm::from_skew(self.skew)
    }
}

impl<A, B> Clone for ClockMap<A, B> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<A, B> Copy for ClockMap<A, B> {}
impl<A, B> PartialEq for ClockMap<A, B> {
    fn eq(&self, other: &Self) -> bool {
        self.at_a == other.at_a
            && self.at_b == other.at_b
            && self.skew == other.skew
            && self.offset_sd_ns == other.offset_sd_ns
            && self.skew_sd == other.skew_sd
    }
}
impl<A: Domain, B: Domain> fmt::Debug for ClockMap<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} = {:?} +-{:.1}us, {:+.3}+-{:.3}ppm",
            self.at_a,
            self.at_b,
            self.offset_sd_ns / 1e3,
            self.skew * 1e6,
            self.skew_sd * 1e6
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Hub, Local};

    fn map() -> ClockMap<Local, Hub> {
        ClockMap {
            at_a: Timestamp::from_ns(1_000_000_000),
            at_b: Timestamp::from_ns(77_000_000_000),
            skew: 40e-6,
            offset_sd_ns: 3_000.0,
            skew_sd: 1e-6,
        }
    }

    #[test]
    fn a_map_and_its_inverse_return_to_the_same_nanosecond() {
        for s in [-3_600, 0, 1, 3_600] {
            let a = Timestamp::from_ns(s * 1_000_000_000 + 7);
            let back = map().inverse().apply(map().apply(a));
            assert!((back - a).abs() <= Span::from_ns(1), "{s}: {back:?}");
        }
    }

    #[test]
    fn uncertainty_grows_with_distance_from_the_anchor() {
        let m = map();
        assert_eq!(m.sd_ns_at(m.at_a), 3_000.0);
        let later = m.sd_ns_at(m.at_a + Span::from_s(10));
        assert!((later - 3_000f64.hypot(10_000.0)).abs() < 1e-6);
    }

    #[test]
    fn a_chain_of_maps_is_the_map_of_the_chain() {
        let m = map();
        let n = ClockMap::<Hub, Local>::exact(Timestamp::from_ns(5), Timestamp::from_ns(9), -25e-6);
        let a = Timestamp::from_ns(9_876_543_210);
        assert!((m.then(&n).apply(a) - n.apply(m.apply(a))).abs() <= Span::from_ns(2));
    }
}
