//! Sound cards: a clock of their own, periods, late wake-ups, noisy positions.

use antiphon_base::{Dac, Frames, Local, SampleRate, Span, Timestamp, True};

use crate::clock::{ClockSpec, SimClock};
use crate::rng::Rng;

/// What kind of sound card.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CardSpec {
    /// Nominal rate.
    pub rate: SampleRate,
    /// Frames asked for at a time.
    pub period: Frames,
    /// From a frame's being asked for to its conversion, wake-up jitter apart.
    pub latency: Span,
    /// Mean of the exponential lateness of the thread that asks.
    pub wake_jitter: Span,
    /// Standard deviation of a position stamp.
    pub stamp_noise: Span,
    /// The converter's clock; its `offset` is ignored, frame 0 is converted when the card starts.
    pub clock: ClockSpec,
}

impl Default for CardSpec {
    fn default() -> Self {
        Self {
            rate: SampleRate::MEDIA,
            period: Frames(256),
            latency: Span::from_ms(12),
            wake_jitter: Span::from_us(300),
            stamp_noise: Span::from_us(50),
            clock: ClockSpec::default(),
        }
    }
}

/// One wake-up of the card's thread: what a driver tells and asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wake {
    /// When it truly happens.
    pub when: Timestamp<True>,
    /// First frame asked for.
    pub first_frame: Frames,
    /// Frames asked for.
    pub frames: Frames,
    /// The position claimed: this frame...
    pub stamp_frame: Frames,
    /// ...was being converted at this local time.
    pub stamp_at: Timestamp<Local>,
}

/// A card that runs from `started` for ever.
#[derive(Debug, Clone)]
pub struct SoundCard {
    spec: CardSpec,
    clock: SimClock<Dac>,
    started: Timestamp<True>,
    /// Converted later than the clock says, since the card stalled.
    stalled: Span,
    next_frame: Frames,
    last_wake: Timestamp<True>,
    rng: Rng,
}

impl SoundCard {
    /// A card whose frame 0 is converted `spec.latency` after `started`.
    pub fn new(spec: CardSpec, started: Timestamp<True>, mut rng: Rng) -> Self {
        let clock = SimClock::new(&ClockSpec { offset: Span::ZERO, ..spec.clock }, &mut rng);
        Self { spec, clock, started, stalled: Span::ZERO, next_frame: Frames(0), last_wake: started, rng }
    }

    /// What kind of card it is.
    pub fn spec(&self) -> &CardSpec {
        &self.spec
    }

    /// When `frame` truly leaves the converter.
    pub fn converted_at(&self, frame: Frames) -> Timestamp<True> {
        let by_its_clock = self.clock.when(Timestamp::from_ns(self.spec.rate.span_of(frame).as_ns()));
        self.started + self.spec.latency + self.stalled + (by_its_clock - Timestamp::ZERO)
    }

    /// The number, with its fraction, of the frame that leaves the converter at `t`.
    pub fn frame_at(&self, t: Timestamp<True>) -> f64 {
        let running = t - self.started - self.spec.latency - self.stalled;
        let reading = self.clock.at(Timestamp::ZERO + running);
        self.spec.rate.frames_f64(reading - Timestamp::ZERO)
    }

    /// The converter stands still for `span`: every frame from here on comes later.
    pub fn stall(&mut self, span: Span) {
        self.stalled += span;
    }

    /// The next wake-up, with its stamp on the clock of the host that the card is in.
    pub fn wake(&mut self, host: &SimClock<Local>) -> Wake {
        let due = self.converted_at(self.next_frame) - self.spec.latency;
        let late = Span::from_ns(self.rng.exponential(self.spec.wake_jitter.as_ns() as f64) as i64);
        let when = (due + late).max(self.last_wake);
        let stamp_frame = Frames(self.frame_at(when).floor() as i64);
        let noise = Span::from_ns(self.rng.normal(self.spec.stamp_noise.as_ns() as f64) as i64);
        let wake = Wake {
            when,
            first_frame: self.next_frame,
            frames: self.spec.period,
            stamp_frame,
            stamp_at: host.at(self.converted_at(stamp_frame)) + noise,
        };
        self.next_frame += self.spec.period;
        self.last_wake = when;
        wake
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_base::Ppm;

    fn card() -> SoundCard {
        let clock = ClockSpec { skew: Ppm(50.0), ..ClockSpec::default() };
        let spec = CardSpec { clock, ..CardSpec::default() };
        SoundCard::new(spec, Timestamp::from_ns(5_000_000_000), Rng::new(1))
    }

    fn host() -> SimClock<Local> {
        SimClock::new(&ClockSpec::default(), &mut Rng::new(2))
    }

    #[test]
    fn frame_0_is_converted_one_latency_after_the_start() {
        assert_eq!(card().converted_at(Frames(0)).as_ns(), 5_012_000_000);
    }

    #[test]
    fn a_card_that_is_50_ppm_fast_is_2_4_frames_ahead_each_second() {
        let ahead = card().frame_at(Timestamp::from_ns(15_012_000_000)) - 480_000.0;
        assert!((ahead - 24.0).abs() < 0.1, "{ahead}");
    }

    #[test]
    fn every_frame_is_asked_for_once_in_time_and_stamps_are_near_the_truth() {
        let (mut card, host) = (card(), host());
        let mut next = Frames(0);
        for _ in 0..2_000 {
            let wake = card.wake(&host);
            assert_eq!(wake.first_frame, next);
            assert!(wake.when < card.converted_at(next), "asked for after its time");
            let error = wake.stamp_at - host.at(card.converted_at(wake.stamp_frame));
            assert!(error.abs() < Span::from_us(300));
            next += wake.frames;
        }
    }

    #[test]
    fn a_stall_delays_every_later_frame() {
        let mut card = card();
        let before = card.converted_at(Frames(96_000));
        card.stall(Span::from_ms(62));
        assert_eq!(card.converted_at(Frames(96_000)) - before, Span::from_ms(62));
    }
}
