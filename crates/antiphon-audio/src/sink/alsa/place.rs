//! Positions of a card as stamps, and the place of frames over an interruption. Pure: instants are parameters.
//!
//! A card's counter moves on in steps (a block of memory that was fetched, a packet of USB), and is read some time after
//! a step: a claim may be late by a step, and is never early. So of a few claims the one that puts the frames earliest is
//! the truest, and the others are left out.

use antiphon_base::{Frames, SampleRate, Span, Timestamp, True};

/// So many claims give a stamp: at a period of 10 ms there are 25 a second.
const CLAIMS: u32 = 4;

/// A line that moved by more than this is another line: what is known of the card's clock is void.
const OTHER_LINE: Span = Span::from_ms(2);

/// ... if so many stamps say so.
const AGREED: u32 = 3;

/// A stamp: this frame leaves the converter then.
pub(super) type Stamp = (Frames, Timestamp<True>);

/// What becomes of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// A position stamp.
    Stamp(Stamp),
    /// Nothing yet.
    Nothing,
    /// The card's line has moved for good.
    Moved,
}

/// Where the card is.
#[derive(Debug)]
pub(super) struct Place {
    rate: SampleRate,
    /// Instant of conversion minus frame, as of the last stamp.
    line: Option<Span>,
    /// The newest claim.
    newest: Option<Stamp>,
    best: Option<(Span, Stamp)>,
    claims: u32,
    strayed: u32,
}

impl Place {
    /// Knows nothing.
    pub fn new(rate: SampleRate) -> Self {
        Self { rate, line: None, newest: None, best: None, claims: 0, strayed: 0 }
    }

    /// The card claims that `frame` leaves at `at`.
    pub fn read(&mut self, frame: Frames, at: Timestamp<True>) -> Read {
        let line = self.line_of(frame, at);
        self.newest = Some((frame, at));
        if self.best.is_none_or(|(best, _)| line < best) {
            self.best = Some((line, (frame, at)));
        }
        self.claims += 1;
        if self.claims < CLAIMS {
            return Read::Nothing;
        }
        self.claims = 0;
        self.best.take().map_or(Read::Nothing, |(line, stamp)| self.judge(line, stamp))
    }

    fn judge(&mut self, line: Span, stamp: Stamp) -> Read {
        let is_on = self.line.is_none_or(|old| (line - old).abs() <= OTHER_LINE);
        if is_on {
            (self.line, self.strayed) = (Some(line), 0);
            return Read::Stamp(stamp);
        }
        self.strayed += 1;
        if self.strayed < AGREED {
            return Read::Nothing;
        }
        (self.line, self.strayed) = (Some(line), 0);
        Read::Moved
    }

    /// The frame whose place on the line that was known is at `at`: what a card that begins anew then begins with. A line
    /// that the newest claim is not on is no line: that claim stands for it.
    pub fn frame_at(&self, at: Timestamp<True>) -> Option<Frames> {
        let (frame, claimed) = self.newest?;
        let newest = self.line_of(frame, claimed);
        let line = self.line.filter(|line| (newest - *line).abs() <= OTHER_LINE).unwrap_or(newest);
        let since = at.as_ns().checked_sub(line.as_ns())?;
        Some(Frames(self.rate.frames_f64(Span::from_ns(since)).round() as i64))
    }

    /// The claims of before are of a stream that is over; the line stays.
    pub fn begin_anew(&mut self) {
        (self.best, self.claims, self.strayed) = (None, 0, 0);
    }

    fn line_of(&self, frame: Frames, at: Timestamp<True>) -> Span {
        Span::from_ns(at.as_ns().wrapping_sub(self.rate.span_of(frame).as_ns()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: SampleRate = SampleRate::MEDIA;

    fn exact(frame: i64) -> Timestamp<True> {
        Timestamp::from_ns(5_000_000_000) + RATE.span_of(Frames(frame))
    }

    fn claim(place: &mut Place, frame: i64, late: Span) -> Read {
        place.read(Frames(frame), exact(frame) + late)
    }

    #[test]
    fn of_four_claims_the_one_with_the_freshest_counter_is_the_stamp() {
        let mut place = Place::new(RATE);
        let late = [300, 20, 900, 500].map(Span::from_us);
        let read: Vec<Read> = (0..4).map(|n| claim(&mut place, n * 480, late[n as usize])).collect();
        assert_eq!(read[..3], [Read::Nothing; 3]);
        assert_eq!(read[3], Read::Stamp((Frames(480), exact(480) + late[1])));
    }

    #[test]
    fn a_card_that_begins_anew_goes_on_where_the_time_has_come_to() {
        let mut place = Place::new(RATE);
        let read = (0..4).map(|n| claim(&mut place, n * 480, Span::ZERO)).last();
        assert!(matches!(read, Some(Read::Stamp(_))));
        place.begin_anew();
        assert_eq!(place.frame_at(exact(48_000) + Span::from_us(5)), Some(Frames(48_000)));
        assert_eq!(Place::new(RATE).frame_at(exact(0)), None);
        // What a driver claimed at its start, and never again.
        claim(&mut place, 96_000, Span::from_ms(700));
        assert_eq!(place.frame_at(exact(144_000) + Span::from_ms(700)), Some(Frames(144_000)));
    }

    #[test]
    fn a_line_that_moved_is_told_once_and_a_hiccup_is_not() {
        let mut place = Place::new(RATE);
        let mut frame = 0;
        let mut group = |place: &mut Place, late| {
            let last = (0..4).map(|_| {
                frame += 480;
                claim(place, frame, late)
            });
            last.last().unwrap()
        };
        assert!(matches!(group(&mut place, Span::ZERO), Read::Stamp(_)));
        assert_eq!(group(&mut place, Span::from_ms(9)), Read::Nothing);
        assert!(matches!(group(&mut place, Span::ZERO), Read::Stamp(_)));
        let told: Vec<Read> = (0..5).map(|_| group(&mut place, Span::from_ms(9))).collect();
        assert_eq!(told[..3], [Read::Nothing, Read::Nothing, Read::Moved]);
        assert!(matches!(told[3], Read::Stamp(_)) && matches!(told[4], Read::Stamp(_)));
    }

    proptest! {
        /// A card 60 ppm fast, read up to a millisecond late: stamps are within a tenth of that of the truth.
        #[test]
        fn late_readings_do_not_reach_the_stamps(late in prop::collection::vec(0_i64..1_000_000, 400)) {
            let mut place = Place::new(RATE);
            let true_at = |frame: i64| exact(frame) - RATE.span_of(Frames(frame)) * 6 / 100_000;
            let mut sum = 0.0;
            let mut stamps = 0;
            for (n, late) in late.iter().enumerate() {
                let frame = n as i64 * 480;
                if let Read::Stamp((frame, at)) = place.read(Frames(frame), true_at(frame) + Span::from_ns(*late)) {
                    sum += (at - true_at(frame.0)).as_us_f64();
                    stamps += 1;
                }
            }
            prop_assert!(stamps == 100);
            // The mean of the least of four is a fifth of the range; of single claims it would be half.
            prop_assert!(sum / 100.0 < 330.0, "{}", sum / 100.0);
        }
    }
}
