//! Positions of a card as stamps, and the place of frames over an interruption. Pure: instants are parameters.
//!
//! A card's counter moves on in steps (a block of memory that was fetched, a packet of USB), and is read some time after
//! a step, when the thread that reads it gets the processor: a claim may be late by both, and is never early. So of some
//! claims the one that puts the frames earliest is the truest, and the others are left out: of few at first, so that the
//! start need not wait, and of a second's when the line is known, which a busy machine hardly ever makes late all of.

use antiphon_base::{Frames, SampleRate, Span, Timestamp, True};

/// Of so many claims comes the first stamp: at a period of 10 ms there are a hundred claims a second, or two.
const FIRST_CLAIMS: u32 = 4;

/// ... and of twice as many after so many stamps, up to a second's. The card's own rate moves its line in that time, by
/// more than what claims differ: before it is known they are of less.
const STAMPS_A_STEP: u32 = 4;
const MOST_CLAIMS: u32 = 128;
const MOST_WITHOUT_RATE: u32 = 32;

/// The rate is taken from stamps so far apart, and is no more than this.
const RATE_OVER: Span = Span::from_s(8);
const MOST_SKEW: f64 = 300e-6;

/// A line that moved by more than this is another line: what is known of the card's clock is void. As much as the filter
/// of a card's clock takes without a doubt that only a new beginning ends.
const OTHER_LINE: Span = Span::from_us(500);

/// ... if so many stamps say so.
const AGREED: u32 = 3;

/// ... or two stamps of so many claims, where it moved by less than twice of what claims differ by, or than any counter's step:
/// the least of few is a matter of luck then.
const AGREED_CLAIMS: u32 = 96;
const MOST_LUCK: Span = Span::from_ms(5);

/// Where it moved by more than this, and by more than luck explains, what is new shall be known soon: stamps come of few
/// claims again.
const NEWS: Span = Span::from_us(300);

/// A line that the newest claim is further from is none: a claim is late by a step of a coarse counter at most, nearly
/// always.
const STEP: Span = Span::from_ms(2);

/// A counter whose claims differ by more than this moves in steps: it is read at any time then, and not when the card calls.
/// A call comes with a step, and who is called beside others, by the same step, is always late by their work.
const COARSE: Span = Span::from_ms(1);

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
    /// Instant of conversion minus frame, as of the last stamp, and when that was.
    line: Option<(Span, Timestamp<True>)>,
    /// The newest claim.
    newest: Option<Stamp>,
    /// Of the claims since the last stamp, the one with the least line, its drift taken away, and the level of the latest.
    best: Option<Claim>,
    worst: Span,
    claims: u32,
    /// By how much the claims of each of the last stamps differed.
    spreads: [Span; 3],
    /// Of how many claims a stamp is made, and how many were.
    of: u32,
    stamps: u32,
    /// Stamps in a row that were off the line, those of them that no luck explains, and of how many claims all were.
    strayed: u32,
    strayed_far: u32,
    strayed_claims: u32,
    /// What the line moves by in a nanosecond, once that is known, and from where it is watched for that.
    drift: Option<f64>,
    watched: Option<(Span, Timestamp<True>)>,
}

#[derive(Debug, Clone, Copy)]
struct Claim {
    /// What claims are compared by.
    level: Span,
    line: Span,
    stamp: Stamp,
}

impl Place {
    /// Knows nothing.
    pub fn new(rate: SampleRate) -> Self {
        Self {
            rate,
            line: None,
            newest: None,
            best: None,
            worst: Span::ZERO,
            claims: 0,
            spreads: [Span::ZERO; 3],
            of: FIRST_CLAIMS,
            stamps: 0,
            strayed: 0,
            strayed_far: 0,
            strayed_claims: 0,
            drift: None,
            watched: None,
        }
    }

    /// The card claims that `frame` leaves at `at`.
    pub fn read(&mut self, frame: Frames, at: Timestamp<True>) -> Read {
        let line = self.line_of(frame, at);
        self.newest = Some((frame, at));
        let level = line - self.drifted(self.watched, at);
        if self.best.is_none_or(|best| level < best.level) {
            self.best = Some(Claim { level, line, stamp: (frame, at) });
        }
        self.worst = if self.claims == 0 { level } else { self.worst.max(level) };
        self.claims += 1;
        if self.claims < self.of {
            return Read::Nothing;
        }
        let read = self.best.take().map_or(Read::Nothing, |claim| self.judge(claim));
        self.claims = 0;
        read
    }

    /// Whether the counter moves in steps that a place is lost in.
    pub fn is_coarse(&self) -> bool {
        self.spread() > COARSE
    }

    /// What claims differ by, mostly: a line that moves while they are read makes one of the three large, and so does a
    /// thread that is kept waiting.
    fn spread(&self) -> Span {
        let mut spreads = self.spreads;
        spreads.sort_unstable();
        spreads[1]
    }

    fn judge(&mut self, claim: Claim) -> Read {
        let at = claim.stamp.1;
        let later = self.line.map_or(Span::ZERO, |old| claim.line - old.0 - self.drifted(self.line, at));
        let off = later.abs();
        self.spreads = [self.spreads[1], self.spreads[2], self.worst - claim.level];
        let luck = (self.spread() * 2).min(MOST_LUCK);
        if off > NEWS.max(luck) {
            (self.of, self.stamps) = (FIRST_CLAIMS, 0);
        }
        // No claim is early: one that is less late than the line's own was, as luck had it, only says so.
        if off <= OTHER_LINE || (later < Span::ZERO && off <= luck) {
            self.line = Some((claim.line, at));
            (self.strayed, self.strayed_far, self.strayed_claims) = (0, 0, 0);
            self.take_more();
            self.watch_drift(claim.line, at);
            return Read::Stamp(claim.stamp);
        }
        self.strayed += 1;
        self.strayed_claims += self.claims;
        self.strayed_far = if off > luck { self.strayed_far + 1 } else { 0 };
        let by_claims = off <= luck && self.strayed >= 2 && self.strayed_claims >= AGREED_CLAIMS;
        if self.strayed_far < AGREED && !by_claims {
            return Read::Nothing;
        }
        (self.line, self.watched) = (Some((claim.line, at)), None);
        (self.strayed, self.strayed_far, self.strayed_claims) = (0, 0, 0);
        Read::Moved
    }

    fn take_more(&mut self) {
        self.stamps += 1;
        if self.stamps >= STAMPS_A_STEP {
            let most = if self.drift.is_some() { MOST_CLAIMS } else { MOST_WITHOUT_RATE };
            (self.of, self.stamps) = ((2 * self.of).min(most), 0);
        }
    }

    fn watch_drift(&mut self, line: Span, at: Timestamp<True>) {
        let (then, since) = *self.watched.get_or_insert((line, at));
        let passed = at - since;
        if passed < RATE_OVER {
            return;
        }
        let drift = (line - then).as_ns() as f64 / passed.as_ns() as f64;
        self.drift = Some(drift.clamp(-MOST_SKEW, MOST_SKEW));
        self.watched = Some((line, at));
    }

    /// What the line has moved by from there until `at`.
    fn drifted(&self, from: Option<(Span, Timestamp<True>)>, at: Timestamp<True>) -> Span {
        let passed = from.map_or(Span::ZERO, |(_, since)| at - since);
        Span::from_ns((self.drift.unwrap_or(0.0) * passed.as_ns() as f64) as i64)
    }

    /// The frame whose place on the line that was known is at `at`: what a card that begins anew then begins with. A line
    /// that the newest claim is not on is no line: that claim stands for it.
    pub fn frame_at(&self, at: Timestamp<True>) -> Option<Frames> {
        let (frame, claimed) = self.newest?;
        let newest = self.line_of(frame, claimed);
        let line =
            self.line.map(|(line, _)| line).filter(|line| (newest - *line).abs() <= STEP).unwrap_or(newest);
        let since = at.as_ns().checked_sub(line.as_ns())?;
        Some(Frames(self.rate.frames_f64(Span::from_ns(since)).round() as i64))
    }

    /// The claims of before are of a stream that is over; the line stays.
    pub fn begin_anew(&mut self) {
        (self.best, self.claims) = (None, 0);
        (self.strayed, self.strayed_far, self.strayed_claims) = (0, 0, 0);
        (self.of, self.stamps, self.watched) = (FIRST_CLAIMS, 0, None);
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

    /// What is read in three seconds of claims of a line that moves by `by` after a minute and `more` claims.
    fn after_a_minute(more: i64, by: Span) -> Vec<Read> {
        let (mut place, begin) = (Place::new(RATE), 6_000 + more);
        let still = (0..begin).map(|n| claim(&mut place, n * 480, Span::ZERO));
        assert_eq!(still.filter(|read| *read == Read::Moved).count(), 0);
        (begin..begin + 300).map(|n| claim(&mut place, n * 480, by)).collect()
    }

    #[test]
    fn a_line_that_moves_is_known_within_three_seconds_however_long_it_held() {
        for more in (0..128).step_by(9) {
            for by in [9_000, 600, -600].map(Span::from_us) {
                assert!(after_a_minute(more, by).contains(&Read::Moved), "{more}, {by:?}");
            }
            // What is no other line is told by many stamps soon: the clock's filter has to believe it.
            let read = after_a_minute(more, Span::from_us(400));
            assert!(!read.contains(&Read::Moved));
            assert!(read.iter().filter(|read| matches!(read, Read::Stamp(_))).count() >= 8, "{more}");
        }
    }

    /// Stamps of a card that is `ppm` fast, whose claims are up to a millisecond late: how late each is.
    fn lateness(ppm: i64, late: &[i64]) -> Vec<f64> {
        let mut place = Place::new(RATE);
        let true_at = |frame: i64| exact(frame) - RATE.span_of(Frames(frame)) * ppm / 1_000_000;
        let mut errors = Vec::new();
        for (n, late) in late.iter().enumerate() {
            let frame = n as i64 * 480;
            if let Read::Stamp((frame, at)) = place.read(Frames(frame), true_at(frame) + Span::from_ns(*late))
            {
                errors.push((at - true_at(frame.0)).as_us_f64());
            }
        }
        errors
    }

    #[test]
    fn a_counter_that_moves_in_steps_of_four_milliseconds_and_is_read_at_any_time_does_not_move_its_line() {
        // Late by anything up to a step, in an order that has no period.
        let mut state = 7_u64;
        let mut late = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            Span::from_ns((state >> 33) as i64 % 4_000_000)
        };
        let mut place = Place::new(RATE);
        let read: Vec<Read> = (0..60_000).map(|n| claim(&mut place, n * 240, late())).collect();
        assert_eq!(read.iter().position(|read| *read == Read::Moved), None);
        // That it has moved is known all the same.
        let moved = (60_000..60_500).map(|n| claim(&mut place, n * 240, late() + Span::from_us(1_500)));
        assert!(moved.collect::<Vec<_>>().contains(&Read::Moved));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// The mean of the least of four is a fifth of the range, of 128 a hundredth and less, whatever the card's rate.
        #[test]
        fn late_readings_do_not_reach_the_stamps(
            ppm in -150_i64..150,
            late in prop::collection::vec(0_i64..1_000_000, 8_000),
        ) {
            let errors = lateness(ppm, &late);
            let first = errors[..4].iter().sum::<f64>() / 4.0;
            prop_assert!(first < 600.0, "{first}");
            let later = &errors[errors.len() - 40..];
            let mean = later.iter().sum::<f64>() / 40.0;
            prop_assert!(mean < 25.0 && later.iter().all(|late| *late >= 0.0 && *late < 120.0), "{later:?}");
        }
    }
}
