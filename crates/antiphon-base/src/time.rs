//! Time in typed clock domains.
//!
//! A [`Timestamp`] belongs to one clock. Subtracting two of the same clock gives a [`Span`];
//! subtracting two of different clocks does not compile:
//!
//! ```compile_fail
//! use antiphon_base::{Hub, Local, Timestamp};
//! let hub = Timestamp::<Hub>::from_ns(10);
//! let local = Timestamp::<Local>::from_ns(4);
//! let _ = hub - local;
//! ```
//!
//! To cross from one clock to another, apply a [`ClockMap`](crate::ClockMap).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub, SubAssign};

/// A clock that a [`Timestamp`] can belong to.
pub trait Domain: 'static {
    /// Short name, for `Debug` output.
    const NAME: &'static str;
}

macro_rules! domain {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {}
        impl Domain for $name {
            const NAME: &'static str = stringify!($name);
        }
    };
}

domain!(
    /// The hub's monotonic clock: the one that timelines are anchored to.
    Hub
);
domain!(
    /// This host's monotonic clock (CLOCK_MONOTONIC_RAW on Linux), possibly warped for tests.
    Local
);
domain!(
    /// Frames of the programme, at the nominal media rate.
    Media
);
domain!(
    /// Frames that a sound card has truly converted, at its nominal rate.
    Dac
);
domain!(
    /// What an oracle knows: the unwarped machine clock, or a simulator's own time. Product code
    /// never decides anything by it.
    True
);

/// An instant of clock `D`, in nanoseconds since that clock's own zero.
pub struct Timestamp<D> {
    ns: i64,
    domain: PhantomData<fn() -> D>,
}

impl<D> Timestamp<D> {
    /// The clock's zero.
    pub const ZERO: Self = Self::from_ns(0);

    /// The instant `ns` nanoseconds after the clock's zero.
    pub const fn from_ns(ns: i64) -> Self {
        Self { ns, domain: PhantomData }
    }

    /// Nanoseconds since the clock's zero.
    pub const fn as_ns(self) -> i64 {
        self.ns
    }

    /// This instant moved by `span`, held at the ends of the range: for values from outside.
    pub const fn saturating_add(self, span: Span) -> Self {
        Self::from_ns(self.ns.saturating_add(span.as_ns()))
    }

    /// The span from `earlier` to here, held at the ends of the range: for values from outside.
    pub const fn saturating_since(self, earlier: Self) -> Span {
        Span::from_ns(self.ns.saturating_sub(earlier.ns))
    }
}

impl<D> Clone for Timestamp<D> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<D> Copy for Timestamp<D> {}
impl<D> PartialEq for Timestamp<D> {
    fn eq(&self, other: &Self) -> bool {
        self.ns == other.ns
    }
}
impl<D> Eq for Timestamp<D> {}
impl<D> PartialOrd for Timestamp<D> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<D> Ord for Timestamp<D> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.ns.cmp(&other.ns)
    }
}
impl<D> Hash for Timestamp<D> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.ns.hash(state);
    }
}
impl<D: Domain> fmt::Debug for Timestamp<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:.9}s", D::NAME, self.ns as f64 / 1e9)
    }
}
impl<D> Add<Span> for Timestamp<D> {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self::from_ns(self.ns + span.0)
    }
}
impl<D> AddAssign<Span> for Timestamp<D> {
    fn add_assign(&mut self, span: Span) {
        self.ns += span.0;
    }
}
impl<D> Sub<Span> for Timestamp<D> {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self::from_ns(self.ns - span.0)
    }
}
impl<D> Sub for Timestamp<D> {
    type Output = Span;
    fn sub(self, earlier: Self) -> Span {
        Span(self.ns - earlier.ns)
    }
}

/// A signed length of time, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(i64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// The longest span.
    pub const MAX: Self = Self(i64::MAX);

    /// `ns` nanoseconds.
    pub const fn from_ns(ns: i64) -> Self {
        Self(ns)
    }
    /// `us` microseconds.
    pub const fn from_us(us: i64) -> Self {
        Self(us * 1_000)
    }
    /// `ms` milliseconds.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms * 1_000_000)
    }
    /// `s` whole seconds.
    pub const fn from_s(s: i64) -> Self {
        Self(s * 1_000_000_000)
    }
    /// `s` seconds, rounded to the nanosecond; what does not fit is held at the ends.
    pub fn from_s_f64(s: f64) -> Self {
        Self((s * 1e9).round() as i64)
    }
    /// In nanoseconds.
    pub const fn as_ns(self) -> i64 {
        self.0
    }
    /// In microseconds.
    pub fn as_us_f64(self) -> f64 {
        self.0 as f64 / 1e3
    }
    /// In milliseconds.
    pub fn as_ms_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }
    /// In seconds.
    pub fn as_s_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }
    /// Without its sign.
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }
    /// For timers: a negative span is zero.
    pub const fn to_std(self) -> std::time::Duration {
        if self.0 <= 0 {
            return std::time::Duration::ZERO;
        }
        std::time::Duration::from_nanos(self.0 as u64)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}us", self.as_us_f64())
    }
}
impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}
impl AddAssign for Span {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}
impl Sub for Span {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}
impl SubAssign for Span {
    fn sub_assign(&mut self, other: Self) {
        self.0 -= other.0;
    }
}
impl Neg for Span {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}
impl Mul<i64> for Span {
    type Output = Self;
    fn mul(self, by: i64) -> Self {
        Self(self.0 * by)
    }
}
impl Div<i64> for Span {
    type Output = Self;
    fn div(self, by: i64) -> Self {
        Self(self.0 / by)
    }
}
