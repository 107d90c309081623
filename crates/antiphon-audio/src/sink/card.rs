//! The virtual sound card: a buffer that a converter reads by its own clock. Pure: `now` is a
//! parameter, and there is no thread.
//!
//! One rule is all there is to believe: **a frame is converted at its instant by the [`DacClock`],
//! as the sample that was in the buffer before that instant, else as silence.** Whoever drives the
//! card late, for whatever reason, gets the underruns that a real card would have had, because how
//! far the converter is follows from the time alone.

use antiphon_base::{Frames, Timestamp, True};

use super::clock::{DacClock, DacPoint};
use crate::uri::CardParams;

/// Receives every frame that was converted, in order, once.
pub(crate) trait Tape {
    /// Interleaved samples that were converted.
    fn samples(&mut self, interleaved: &[f32]);
    /// Frames that were converted as silence because the buffer was dry.
    fn silence(&mut self, frames: Frames);
    /// The card's clock passes, or soon will pass, this point.
    fn point(&mut self, point: DacPoint);
}

/// A stretch of silence that nobody had asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Underrun {
    /// Its first frame.
    pub frame: Frames,
    /// Its length.
    pub missing: Frames,
}

/// The card. All counts are frames since its start.
pub(crate) struct Card {
    clock: DacClock,
    channels: usize,
    period: i64,
    /// The ring that the converter reads; frame `n` is at `n % buffer`.
    memory: Vec<f32>,
    buffer: i64,
    /// Frames converted so far, as of the last [`advance`](Self::advance).
    converted: i64,
    /// Frames written so far: the number of the next one to be written.
    written: i64,
    /// How late the writer may be before frames are lost; 0 for a card, more for a file, which
    /// waits.
    patience: i64,
}

impl Card {
    /// A card that converts frame 0 at `start`.
    pub fn new(params: &CardParams, patience: Frames, start: Timestamp<True>) -> Self {
        let (channels, buffer) = (usize::from(params.channels), params.buffer_frames());
        Self {
            clock: DacClock::new(params, start),
            channels,
            period: i64::from(params.period),
            memory: vec![0.0; buffer as usize * channels],
            buffer,
            converted: 0,
            written: 0,
            patience: patience.0,
        }
    }

    /// Lets the converter do all that it has done by `now`.
    pub fn advance(&mut self, now: Timestamp<True>, tape: &mut impl Tape) -> Option<Underrun> {
        while self.clock.known_until() <= now {
            tape.point(self.clock.step());
        }
        let due = self.clock.converted_by(now).0.max(self.converted);
        let late = due > self.written + self.patience;
        let converted = if late { due } else { due.min(self.written) };
        self.play(converted.min(self.written), tape);
        late.then(|| self.run_dry(converted, tape))
    }

    /// The frame from which on one period fits into the buffer.
    pub fn room(&self) -> Option<Frames> {
        (self.written + self.period <= self.converted + self.buffer).then_some(Frames(self.written))
    }

    /// Takes the period that was asked for by [`room`](Self::room) and is complete at `now`. If the
    /// card has run dry before that, it is too late: its frames are part of the underrun.
    pub fn write(&mut self, block: &[f32], now: Timestamp<True>, tape: &mut impl Tape) -> Option<Underrun> {
        let underrun = self.advance(now, tape);
        if underrun.is_none() {
            self.store(block);
        }
        underrun
    }

    /// The instant at which the converter ends the period that it is in: a real card's interrupt.
    pub fn next_interrupt(&self) -> Timestamp<True> {
        let end = (self.converted / self.period + 1) * self.period;
        self.clock.time_of(Frames(end - 1))
    }

    /// The last frame converted, and its instant.
    pub fn position(&self) -> Option<(Frames, Timestamp<True>)> {
        let last = Frames(self.converted - 1);
        (self.converted > 0).then(|| (last, self.clock.time_of(last)))
    }

    /// The points of the clock that no tape was told of: those before the first step.
    pub fn first_points(&self) -> impl Iterator<Item = DacPoint> {
        self.clock.points()
    }

    fn play(&mut self, to: i64, tape: &mut impl Tape) {
        while self.converted < to {
            let at = self.converted % self.buffer;
            let run = (to - self.converted).min(self.buffer - at);
            tape.samples(&self.memory[self.samples(at)..self.samples(at + run)]);
            self.converted += run;
        }
    }

    /// Silence from where the writer stopped to `converted`, and on to a period's end at least one
    /// period away, so that what is rendered next is in time, as a driver restarts.
    fn run_dry(&mut self, converted: i64, tape: &mut impl Tape) -> Underrun {
        tape.silence(Frames(converted - self.written));
        let frame = Frames(self.written);
        (self.converted, self.written) = (converted, (converted / self.period + 2) * self.period);
        self.memory.fill(0.0);
        Underrun { frame, missing: Frames(self.written) - frame }
    }

    fn store(&mut self, block: &[f32]) {
        let mut rest = block;
        while rest.len() >= self.channels {
            let at = self.written % self.buffer;
            let run = ((rest.len() / self.channels) as i64).min(self.buffer - at);
            let (part, later) = rest.split_at(self.samples(run));
            let place = self.samples(at)..self.samples(at + run);
            self.memory[place].copy_from_slice(part);
            self.written += run;
            rest = later;
        }
    }

    fn samples(&self, frames: i64) -> usize {
        frames as usize * self.channels
    }
}

#[cfg(test)]
mod tests {
    use antiphon_base::Span;
    use proptest::prelude::*;

    use super::*;

    /// What was converted, one value a frame.
    #[derive(Default)]
    pub(crate) struct List(Vec<f32>);

    impl Tape for List {
        fn samples(&mut self, interleaved: &[f32]) {
            self.0.extend_from_slice(interleaved);
        }
        fn silence(&mut self, frames: Frames) {
            self.0.extend((0..frames.0).map(|_| 0.0));
        }
        fn point(&mut self, _: DacPoint) {}
    }

    const START: Timestamp<True> = Timestamp::from_ns(1_000_000_000_000);
    const PARAMS: CardParams = CardParams { channels: 1, ..CardParams::IDEAL };

    fn at_frame(frame: i64) -> Timestamp<True> {
        START + PARAMS.rate.span_of(Frames(frame))
    }

    /// Writes each frame's own number plus one while there is room, all complete at `now`.
    fn fill(card: &mut Card, now: Timestamp<True>, tape: &mut List, underruns: &mut Vec<Underrun>) {
        while let Some(first) = card.room() {
            let block: Vec<f32> = (0..PARAMS.period).map(|n| (first.0 + 1) as f32 + n as f32).collect();
            underruns.extend(card.write(&block, now, tape));
        }
    }

    fn drive(patience: i64, wakes: &[i64]) -> (Vec<f32>, Vec<Underrun>) {
        let (mut card, mut tape, mut underruns) =
            (Card::new(&PARAMS, Frames(patience), START), List::default(), vec![]);
        fill(&mut card, START - Span::from_ms(1), &mut tape, &mut underruns);
        for wake in wakes {
            let now = at_frame(*wake);
            underruns.extend(card.advance(now, &mut tape));
            fill(&mut card, now, &mut tape, &mut underruns);
        }
        (tape.0, underruns)
    }

    #[test]
    fn a_card_that_is_served_in_time_converts_what_was_written() {
        let wakes: Vec<i64> = (0..100).map(|k| k * 256 + 90 + k % 7).collect();
        let (converted, underruns) = drive(0, &wakes);
        assert_eq!(underruns, []);
        assert_eq!(converted.len() as i64, wakes[99] + 1);
        assert!(converted.iter().enumerate().all(|(n, value)| *value == (n + 1) as f32));
    }

    #[test]
    fn a_card_that_is_not_served_converts_silence_and_goes_on_counting() {
        // The buffer is 768 frames; nobody comes for 1000.
        let (converted, underruns) = drive(0, &[0, 1_000, 1_255, 1_500, 1_791, 1_800]);
        assert_eq!(underruns, [Underrun { frame: Frames(768), missing: Frames(5 * 256 - 768) }]);
        assert_eq!(converted.len(), 1_801);
        for (n, value) in converted.iter().enumerate() {
            let wanted = if (768..1_280).contains(&n) { 0.0 } else { (n + 1) as f32 };
            assert_eq!(*value, wanted, "frame {n}");
        }
    }

    #[test]
    fn a_period_that_is_rendered_too_late_is_lost_whole() {
        let (mut card, mut tape) = (Card::new(&PARAMS, Frames(0), START), List::default());
        fill(&mut card, START - Span::from_ms(1), &mut tape, &mut Vec::new());
        assert_eq!(
            card.advance(at_frame(767), &mut tape),
            None,
            "the last frame in the buffer is just being converted"
        );
        assert_eq!(card.room(), Some(Frames(768)));
        let underrun = card.write(&[9.0; 256], at_frame(768), &mut tape).unwrap();
        assert_eq!(underrun, Underrun { frame: Frames(768), missing: Frames(512) });
        card.advance(at_frame(1_400), &mut tape);
        assert!(tape.0[768..].iter().all(|value| *value == 0.0) && tape.0.len() == 1_401);
    }

    #[test]
    fn a_file_waits_for_a_late_writer_and_loses_nothing() {
        let (converted, underruns) = drive(48_000, &[0, 5_000, 40_000, 40_100]);
        assert_eq!(underruns, []);
        assert!(
            converted.len() > 1_500
                && converted.iter().enumerate().all(|(n, value)| *value == (n + 1) as f32)
        );
    }

    #[test]
    fn an_hour_without_service_is_an_hour_of_silence() {
        let hour = 48_000 * 3_600;
        let (converted, underruns) = drive(0, &[0, hour]);
        assert_eq!(converted.len() as i64, hour + 1);
        assert_eq!(underruns.len(), 1);
    }

    proptest! {
        #[test]
        fn every_frame_is_either_what_was_written_for_it_or_inside_a_reported_underrun(
            gaps in prop::collection::vec(1i64..1_400, 1..60),
        ) {
            let wakes: Vec<i64> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
            let (converted, underruns) = drive(0, &wakes);
            prop_assert_eq!(converted.len() as i64, wakes[wakes.len() - 1] + 1);
            let dry = |n: i64| underruns.iter().any(|u| n >= u.frame.0 && n < (u.frame + u.missing).0);
            for (n, value) in converted.iter().enumerate() {
                prop_assert_eq!(*value, if dry(n as i64) { 0.0 } else { (n + 1) as f32 }, "frame {}", n);
            }
        }
    }
}
