//! Timing information of the sound server as position stamps. Pure: instants are parameters.

use antiphon_base::{Frames, SampleRate, Span, Timestamp, True};

/// One answer about a stream's timing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    /// The frame that the server's device takes next, counted from the start of the sink.
    pub frame: Frames,
    /// From being taken until it is converted.
    pub latency: Span,
    /// The interval in which the server has looked.
    pub looked: (Timestamp<True>, Timestamp<True>),
}

/// What becomes of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read {
    /// A position stamp.
    Stamp(Frames, Timestamp<True>),
    /// Nothing: too unsure, or of the past.
    Nothing,
    /// The device's line has moved for good: what was learnt of it is void.
    Moved,
}

/// An answer may take this much longer than the quickest ones take, and is still exact enough.
const SLACK: Span = Span::from_us(60);

/// The quickest answer is forgotten by this share with each one, so that a machine that became slow is believed again.
const FORGET: i64 = 32;

/// A line that moved by more than this is another line: sound cards wander by microseconds.
const OTHER_LINE: Span = Span::from_ms(2);

/// So many claims must agree before a line is believed...
const AGREED: u32 = 4;

/// ... for so long, where there was none: just after a start or a standstill of the server claims are of the past.
const SETTLED: Span = Span::from_ms(40);

/// ... and for so long, where there was another: what a machine's hiccup moves, comes back.
const MOVED_FOR: Span = Span::from_ms(250);

/// Share of a new claim in the line.
const LINE_SHARE: i64 = 16;

/// Judges claims: a driver's position is believed when it is exact and of one line.
#[derive(Debug)]
pub(super) struct Position {
    rate: SampleRate,
    quickest: Option<Span>,
    newest: Option<Frames>,
    line: Option<Line>,
    /// A line that claims beside the believed one may be on.
    other: Option<Line>,
}

/// Instant of conversion minus frame: constant but for the card's own drift.
#[derive(Debug, Clone, Copy)]
struct Line {
    at: Span,
    since: Timestamp<True>,
    claims: u32,
}

impl Line {
    /// Takes in a claim that is on this line; whether it is.
    fn take(&mut self, claimed: Span) -> bool {
        let off = claimed - self.at;
        let is_on = off.abs() <= OTHER_LINE;
        if is_on {
            self.at += off / LINE_SHARE;
            self.claims = self.claims.saturating_add(1);
        }
        is_on
    }
}

impl Position {
    /// Knows nothing.
    pub fn new(rate: SampleRate) -> Self {
        Self { rate, quickest: None, newest: None, line: None, other: None }
    }

    /// What `claim` says.
    pub fn read(&mut self, claim: Claim) -> Read {
        let (begin, end) = claim.looked;
        let took = end - begin;
        let quickest =
            self.quickest.map_or(took, |quickest| took.min(quickest + quickest / FORGET + SLACK / FORGET));
        self.quickest = Some(quickest);
        if took < Span::ZERO || took > quickest + quickest + SLACK {
            return Read::Nothing;
        }
        // The server may take back what it has not yet converted: the frame comes again, at the same instant.
        if self.newest.is_some_and(|newest| claim.frame <= newest) {
            return Read::Nothing;
        }
        let at = end + claim.latency;
        match self.judge(claim.frame, at) {
            Read::Stamp(frame, at) => {
                self.newest = Some(frame);
                Read::Stamp(frame, at)
            }
            other => other,
        }
    }

    fn judge(&mut self, frame: Frames, at: Timestamp<True>) -> Read {
        let claimed = Span::from_ns(at.as_ns().wrapping_sub(self.rate.span_of(frame).as_ns()));
        if self.line.as_mut().is_some_and(|line| line.take(claimed)) {
            self.other = None;
            return Read::Stamp(frame, at);
        }
        let mut other = self.other.take().unwrap_or(Line { at: claimed, since: at, claims: 0 });
        if !other.take(claimed) {
            other = Line { at: claimed, since: at, claims: 1 };
        }
        let long_enough = if self.line.is_some() { MOVED_FOR } else { SETTLED };
        if other.claims < AGREED || at - other.since < long_enough {
            self.other = Some(other);
            return Read::Nothing;
        }
        match self.line.replace(other) {
            Some(_) => Read::Moved,
            None => Read::Stamp(frame, at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: i64 = 960;

    /// A server that is asked every 20 ms, answers within 100 us, and has a device 40 ms behind it.
    struct Asked {
        position: Position,
        n: i64,
        late: Span,
    }

    impl Asked {
        fn new() -> Self {
            Self { position: Position::new(SampleRate::MEDIA), n: 0, late: Span::ZERO }
        }

        fn settled() -> Self {
            let mut asked = Self::new();
            assert_eq!(
                (0..50).filter(|_| asked.claim(Span::from_us(100)) == Read::Nothing).count(),
                AGREED as usize - 1
            );
            asked
        }

        fn true_time(n: i64) -> Timestamp<True> {
            Timestamp::from_ns(7_000_000_000 + n * 20_000_000)
        }

        fn claim(&mut self, took: Span) -> Read {
            self.n += 1;
            let at = Self::true_time(self.n);
            let latency = Span::from_ms(40) + self.late;
            self.position.read(Claim { frame: Frames(self.n * PERIOD), latency, looked: (at - took, at) })
        }
    }

    #[test]
    fn an_answer_is_a_stamp_of_the_frame_that_will_be_converted_a_latency_later() {
        let mut asked = Asked::settled();
        let Read::Stamp(frame, at) = asked.claim(Span::from_us(100)) else { panic!("no stamp") };
        assert_eq!((frame, at), (Frames(asked.n * PERIOD), Asked::true_time(asked.n) + Span::from_ms(40)));
    }

    #[test]
    fn claims_are_believed_once_they_agree() {
        let mut asked = Asked::new();
        // The server catches up: each claim is of another line.
        for ms in [1_900, 1_200, 600, 90] {
            asked.late = Span::from_ms(ms);
            assert_eq!(asked.claim(Span::from_us(100)), Read::Nothing);
        }
        asked.late = Span::ZERO;
        let ignored = (0..20).take_while(|_| asked.claim(Span::from_us(100)) == Read::Nothing).count();
        assert_eq!(ignored, AGREED as usize - 1);
    }

    #[test]
    fn answers_that_took_long_are_no_stamps_until_all_do() {
        let mut asked = Asked::settled();
        assert_eq!(asked.claim(Span::from_ms(3)), Read::Nothing);
        assert!(matches!(asked.claim(Span::from_us(120)), Read::Stamp(..)));
        let ignored = (0..200).take_while(|_| asked.claim(Span::from_ms(1)) == Read::Nothing).count();
        assert!((10..150).contains(&ignored), "{ignored}");
    }

    #[test]
    fn a_frame_that_comes_again_is_no_stamp() {
        let mut asked = Asked::settled();
        asked.n -= 2;
        assert_eq!(asked.claim(Span::from_us(100)), Read::Nothing);
    }

    #[test]
    fn a_line_that_moved_for_good_is_told_once_and_a_hiccup_is_not() {
        let mut asked = Asked::settled();
        asked.late = Span::from_ms(62);
        assert!((0..10).all(|_| asked.claim(Span::from_us(100)) == Read::Nothing));
        asked.late = Span::ZERO;
        assert!((0..100).all(|_| matches!(asked.claim(Span::from_us(100)), Read::Stamp(..))));
        asked.late = Span::from_ms(62);
        let told = (0..150).filter(|_| asked.claim(Span::from_us(100)) == Read::Moved).count();
        assert_eq!(told, 1);
        assert!(matches!(asked.claim(Span::from_us(100)), Read::Stamp(..)));
    }
}
