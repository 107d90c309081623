//! When packets leave: in small bursts at a steady pace, each one target latency ahead.

use antiphon_base::{Frames, Hub, SampleRate, Span, Timestamp};

use crate::timeline::Timeline;

/// The longest time between bursts. A speaker then wakes 100 times a second, and the gap stays
/// well under the 20 ms after which Wi-Fi power saving lets a station sleep.
pub const MAX_BURST: Span = Span::from_ms(10);

/// The longest where every speaker is on this machine and waits long by itself, as Bluetooth loudspeakers do: there is
/// no radio to keep awake, and a burst costs a wake-up of every speaker's thread, which costs more than what it brings.
pub const MAX_UNHURRIED_BURST: Span = Span::from_ms(40);

/// Who needs at least this long from sending to sound has a buffer behind it that bursts disappear in.
pub const UNHURRIED: Span = Span::from_ms(100);

/// The shortest time between bursts: the shortest packet (120 frames).
pub const MIN_BURST: Span = Span::from_us(2_500);

/// The pace of one epoch: bursts at `start + k * interval`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    timeline: Timeline,
    latency: Span,
    interval: Span,
}

impl Pace {
    /// Sends every frame of `timeline` at least `latency` before its presentation, in bursts at most `longest` apart.
    ///
    /// Another pace for the same timeline may take over at any time: no frame is due later for it than its latency
    /// asks, and what has been sent already is not due again.
    pub fn new(timeline: Timeline, latency: Span, longest: Span) -> Self {
        // A tenth: the wait for a burst then costs at most a tenth of the time to recover losses.
        let interval = (latency / 10).clamp(MIN_BURST, longest.max(MIN_BURST));
        Self { timeline, latency, interval }
    }

    /// The same with bursts at most `longest` apart.
    pub fn at_most(&self, longest: Span) -> Self {
        Self::new(self.timeline, self.latency, longest)
    }

    /// Time from burst to burst.
    pub fn interval(&self) -> Span {
        self.interval
    }

    /// The first frame that is not to be sent yet at `now`: what lies before it is due.
    pub fn horizon(&self, now: Timestamp<Hub>) -> Frames {
        let bursts = self.bursts_begun(now);
        if bursts <= 0 {
            return self.timeline.first_frame;
        }
        let span = Span::from_ns(self.interval.as_ns().saturating_mul(bursts));
        // Rounded up: a frame that begins within the burst's span goes with it.
        self.timeline.first_frame + SampleRate::MEDIA.frames_in(span - Span::from_ns(1)) + Frames(1)
    }

    /// The next burst after `now`.
    pub fn next_burst(&self, now: Timestamp<Hub>) -> Timestamp<Hub> {
        self.start() + self.interval * self.bursts_begun(now).max(0)
    }

    /// The first burst.
    fn start(&self) -> Timestamp<Hub> {
        self.timeline.presentation - self.latency
    }

    fn bursts_begun(&self, now: Timestamp<Hub>) -> i64 {
        now.saturating_since(self.start()).as_ns().div_euclid(self.interval.as_ns()).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_base::Epoch;
    use proptest::prelude::*;

    fn pace(latency_ms: i64) -> Pace {
        let timeline = Timeline {
            epoch: Epoch(1),
            first_frame: Frames(96_000),
            presentation: Timestamp::from_ns(5_000_000_000),
        };
        Pace::new(timeline, Span::from_ms(latency_ms), MAX_BURST)
    }

    #[test]
    fn speakers_that_wait_long_by_themselves_get_four_times_as_much_at_a_time() {
        let hurried = pace(420);
        let unhurried = hurried.at_most(MAX_UNHURRIED_BURST);
        assert_eq!((hurried.interval(), unhurried.interval()), (MAX_BURST, MAX_UNHURRIED_BURST));
        assert_eq!(unhurried.at_most(MAX_BURST), hurried);
        // The change costs nobody a frame: at any instant the larger bursts are as far or further.
        for ms in 4_500..5_200 {
            let now = Timestamp::from_ns(ms * 1_000_000);
            let ahead = unhurried.horizon(now) - hurried.horizon(now);
            assert!((0..=1_440).contains(&ahead.0), "{ms} ms: {ahead:?}");
        }
    }

    #[test]
    fn at_200_ms_a_burst_every_10_ms_carries_two_packets_of_5_ms() {
        let pace = pace(200);
        let start = Timestamp::from_ns(4_800_000_000);
        assert_eq!(pace.horizon(start - Span::from_ns(1)), Frames(96_000));
        assert_eq!(pace.next_burst(start - Span::from_ns(1)), start);
        assert_eq!(pace.horizon(start), Frames(96_480));
        assert_eq!(pace.next_burst(start), start + Span::from_ms(10));
        assert_eq!(pace.horizon(start + Span::from_ns(9_999_999)), Frames(96_480));
        assert_eq!(pace.horizon(start + Span::from_ms(10)), Frames(96_960));
    }

    #[test]
    fn at_20_ms_no_frame_waits_longer_than_the_shortest_packet() {
        assert_eq!(pace(20).interval(), MIN_BURST);
        assert_eq!(pace(2_000).interval(), MAX_BURST);
    }

    proptest! {
        #[test]
        fn every_frame_leaves_at_least_the_latency_before_its_presentation(
            latency_ms in 5..3_000i64, offset_us in 0..10_000_000i64, unhurried in proptest::bool::ANY,
        ) {
            let pace = pace(latency_ms).at_most(if unhurried { MAX_UNHURRIED_BURST } else { MAX_BURST });
            let now = pace.start() + Span::from_us(offset_us);
            let before = pace.next_burst(now) - Span::from_ns(1);
            // Just before the next burst nothing with less than the latency ahead is held back.
            let held = pace.timeline.presentation_of(pace.horizon(before));
            prop_assert!(held - before >= pace.latency);
            prop_assert!(pace.next_burst(now) > now);
            prop_assert!(pace.next_burst(now) - now <= pace.interval());
        }
    }
}
