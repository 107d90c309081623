//! Counts of frames, rates, and parts per million.

use crate::time::Span;

/// A count of frames (one sample of every channel), or a frame's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Frames(pub i64);

impl std::ops::Add for Frames {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}
impl std::ops::AddAssign for Frames {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}
impl std::ops::Sub for Frames {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

/// A nominal sample rate in hertz.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SampleRate(u32);

impl SampleRate {
    /// The rate of every stream between hub and speakers: one rate keeps timelines continuous
    /// over files of different rates, and Opus knows no other.
    pub const MEDIA: Self = Self(48_000);

    /// `hz` hertz; `None` outside 4 kHz to 768 kHz, where no sound card or file format is.
    pub const fn new(hz: u32) -> Option<Self> {
        if hz < 4_000 || hz > 768_000 { None } else { Some(Self(hz)) }
    }

    /// In hertz.
    pub const fn hz(self) -> u32 {
        self.0
    }

    /// The time that `frames` take, to the nearest nanosecond; held at the ends of the range.
    pub const fn span_of(self, frames: Frames) -> Span {
        let scaled = frames.0 as i128 * 1_000_000_000;
        let half = if scaled < 0 { -(self.0 as i128) / 2 } else { self.0 as i128 / 2 };
        let ns = (scaled + half) / self.0 as i128;
        if ns > i64::MAX as i128 {
            Span::MAX
        } else if ns < -(i64::MAX as i128) {
            Span::from_ns(-i64::MAX)
        } else {
            Span::from_ns(ns as i64)
        }
    }

    /// The whole frames that begin within `span` (rounded down).
    pub const fn frames_in(self, span: Span) -> Frames {
        Frames((span.as_ns() as i128 * self.0 as i128).div_euclid(1_000_000_000) as i64)
    }

    /// `span` in frames, with its fraction.
    pub fn frames_f64(self, span: Span) -> f64 {
        // Whole seconds apart, so that the product keeps its fraction over years.
        let (s, ns) = (span.as_ns().div_euclid(1_000_000_000), span.as_ns().rem_euclid(1_000_000_000));
        s as f64 * f64::from(self.0) + ns as f64 * f64::from(self.0) / 1e9
    }
}

/// A relative rate difference in parts per million; positive is faster.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Ppm(pub f64);

impl Ppm {
    /// From a ratio minus one.
    pub fn from_skew(skew: f64) -> Self {
        Self(skew * 1e6)
    }
    /// As a ratio minus one.
    pub fn as_skew(self) -> f64 {
        self.0 * 1e-6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_of_frames_is_right_to_the_nanosecond_after_a_year() {
        let rate = SampleRate::new(44_100).unwrap();
        let year = Frames(44_100 * 86_400 * 365);
        assert_eq!(rate.span_of(year), Span::from_s(86_400 * 365));
        assert_eq!(rate.span_of(Frames(1)).as_ns(), 22_676);
        assert_eq!(rate.span_of(Frames(-1)).as_ns(), -22_676);
    }

    #[test]
    fn more_frames_than_time_can_hold_are_held_at_its_end() {
        assert_eq!(SampleRate::MEDIA.span_of(Frames(i64::MAX)), Span::MAX);
        assert_eq!(SampleRate::MEDIA.span_of(Frames(i64::MIN)), Span::from_ns(-i64::MAX));
    }

    #[test]
    fn frames_in_a_negative_span_round_down() {
        assert_eq!(SampleRate::MEDIA.frames_in(Span::from_ns(-1)), Frames(-1));
        assert_eq!(SampleRate::MEDIA.frames_in(Span::from_ms(5)), Frames(240));
    }
}
