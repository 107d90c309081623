//! Which packets are missing, when to ask for them, and when to give up: retransmission by deadline.

use std::collections::VecDeque;

use antiphon_base::{Epoch, Frames, Hub, Span, Timestamp};

use super::reorder::WINDOW;
use crate::timeline::Reason;

/// The shortest time between two requests for the same packet: a hub on the same LAN has answered by
/// then, and a burst of loss has hardly moved on sooner.
pub const MIN_PERIOD: Span = Span::from_ms(10);

/// The longest time that a gap is given to close by itself, when packets merely overtook each other.
const REORDER_TOLERANCE: Span = Span::from_ms(5);

/// Requests due so soon after one that is due now share its datagram.
const COALESCE: Span = Span::from_ms(2);

/// The least time between two datagrams of requests: at most 250 a second, whatever goes wrong.
const MIN_GAP: Span = Span::from_ms(4);

/// The most packets that one datagram asks for: a fade of over half a second of 2.5 ms packets.
pub const MAX_ASKED: usize = 256;

/// The most packets that may be missing at a time: more than the window cannot be told apart.
const MAX_MISSING: usize = WINDOW as usize;

/// A guess is asked for so many times.
const GUESS_ASKS: i64 = 2;

/// A packet that has not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// Its extended sequence number.
    pub sequence: u64,
    /// The epoch that it must belong to.
    pub epoch: Epoch,
    /// Its first frame, where the codec lets it be reckoned.
    pub first_frame: Option<Frames>,
    /// When its first frame leaves the loudspeaker.
    pub presentation: Timestamp<Hub>,
    /// Whether it may not exist at all: asked for on suspicion, and not missed when it never comes.
    pub guess: bool,
}

/// How urgent things are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Urgency {
    /// From a request to the packet.
    pub round_trip: Span,
    /// How long before its presentation the playout needs a packet.
    pub release_lead: Span,
}

#[derive(Debug, Clone, Copy)]
struct Wanted {
    missing: Missing,
    next_ask: Timestamp<Hub>,
    asked: bool,
    /// A guess ends here, if not at its deadline.
    give_up: Option<Timestamp<Hub>>,
}

impl Wanted {
    fn deadline(&self, urgency: Urgency) -> Timestamp<Hub> {
        let deadline = self.missing.presentation - urgency.release_lead;
        self.give_up.map_or(deadline, |end| end.min(deadline))
    }

    /// When it is to be asked for next; `None` when the answer would come too late.
    fn ask_at(&self, urgency: Urgency) -> Option<Timestamp<Hub>> {
        let latest = self.missing.presentation - urgency.release_lead - urgency.round_trip;
        let latest = self.give_up.map_or(latest, |end| end.min(latest));
        (self.next_ask <= latest).then_some(self.next_ask)
    }
}

/// The packets of one stream that are missing and may still come in time.
#[derive(Debug, Default)]
pub struct Recover {
    /// In the order of their numbers.
    wanted: VecDeque<Wanted>,
    last_ask: Option<Timestamp<Hub>>,
    /// Indices into `wanted` of what is asked for at a time.
    asking: Vec<usize>,
}

impl Recover {
    /// Notes that a packet is missing. Where it was only guessed before, it is known now.
    pub fn add(&mut self, now: Timestamp<Hub>, missing: Missing, urgency: Urgency) {
        let period = urgency.round_trip.max(MIN_PERIOD);
        let left = missing.presentation - urgency.release_lead - urgency.round_trip - now;
        let tolerance = (left / 4).clamp(Span::ZERO, REORDER_TOLERANCE);
        let give_up = missing.guess.then(|| now + period * GUESS_ASKS);
        let next_ask = if missing.guess { now } else { now + tolerance };
        let wanted = Wanted { missing, next_ask, asked: false, give_up };
        match self.place(missing.sequence) {
            Ok(_) if missing.guess => {}
            Ok(index) => {
                let known = &mut self.wanted[index];
                (known.missing, known.give_up) = (missing, None);
            }
            Err(_) if self.wanted.len() >= MAX_MISSING => {}
            Err(index) => self.wanted.insert(index, wanted),
        }
    }

    /// Notes that a packet has come. Whether it was missed, and whether it had been asked for.
    pub fn arrived(&mut self, sequence: u64) -> Option<bool> {
        let index = self.place(sequence).ok()?;
        self.wanted.remove(index).map(|wanted| wanted.asked)
    }

    /// Gives up the guesses before `sequence`: there is nothing there.
    pub fn forget_guesses(&mut self, now: Timestamp<Hub>, sequence: u64) {
        self.forget(now, |missing| missing.guess && missing.sequence < sequence);
    }

    /// Gives up what nobody will hear. [`expired`](Self::expired) returns it as a guess: nobody misses it.
    pub fn forget(&mut self, now: Timestamp<Hub>, which: impl Fn(&Missing) -> bool) {
        for wanted in self.wanted.iter_mut().filter(|wanted| which(&wanted.missing)) {
            wanted.missing.guess = true;
            wanted.give_up = Some(now);
        }
    }

    /// Appends to `out` what can no longer come in time, in order.
    pub fn expired(&mut self, now: Timestamp<Hub>, urgency: Urgency, out: &mut Vec<Missing>) {
        self.wanted.retain(|wanted| {
            let expired = wanted.deadline(urgency) <= now;
            if expired {
                out.push(wanted.missing);
            }
            !expired
        });
    }

    /// Replaces `out` by the wire numbers to ask for at `now`: none unless one is due, never one whose
    /// answer would come too late, at most [`MAX_ASKED`]. Say with [`asked`](Self::asked) how many were.
    pub fn due(&mut self, now: Timestamp<Hub>, urgency: Urgency, out: &mut Vec<u16>) {
        out.clear();
        self.asking.clear();
        let until = now + COALESCE;
        let rested = self.last_ask.is_none_or(|last| now.saturating_since(last).abs() >= MIN_GAP);
        let asks = || self.wanted.iter().map(|wanted| wanted.ask_at(urgency));
        if !rested || !asks().flatten().any(|at| at <= now) {
            return;
        }
        let due = asks().enumerate().filter(|(_, at)| at.is_some_and(|at| at <= until));
        self.asking.extend(due.map(|(index, _)| index).take(MAX_ASKED));
        out.extend(self.asking.iter().map(|&index| self.wanted[index].missing.sequence as u16));
    }

    /// Notes that the first `count` of those [`due`](Self::due) have been asked for.
    pub fn asked(&mut self, now: Timestamp<Hub>, urgency: Urgency, count: usize) {
        self.last_ask = Some(now);
        let period = urgency.round_trip.max(MIN_PERIOD);
        for &index in self.asking.iter().take(count) {
            let Some(wanted) = self.wanted.get_mut(index) else { continue };
            wanted.asked = true;
            wanted.next_ask = now + period;
        }
        self.asking.clear();
    }

    /// When something is to be done next, and what.
    pub fn poll_timeout(&self, urgency: Urgency) -> Option<(Timestamp<Hub>, Reason)> {
        let rested = self.last_ask.map(|last| last + MIN_GAP);
        let ask = self.wanted.iter().filter_map(|wanted| wanted.ask_at(urgency)).min();
        let ask = ask.map(|at| (rested.map_or(at, |rested| at.max(rested)), Reason::Nack));
        let lost = self.wanted.iter().map(|wanted| wanted.deadline(urgency)).min();
        [ask, lost.map(|at| (at, Reason::Lost))].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    /// How many packets are missing.
    pub fn len(&self) -> usize {
        self.wanted.len()
    }

    /// Whether none is missing.
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    fn place(&self, sequence: u64) -> Result<usize, usize> {
        self.wanted.binary_search_by_key(&sequence, |wanted| wanted.missing.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const URGENCY: Urgency = Urgency { round_trip: Span::from_ms(4), release_lead: Span::from_ms(10) };

    fn at_ms(ms: i64) -> Timestamp<Hub> {
        Timestamp::from_ns(ms * 1_000_000)
    }

    fn missing(sequence: u64, presentation_ms: i64) -> Missing {
        let presentation = at_ms(presentation_ms);
        Missing { sequence, epoch: Epoch(1), first_frame: None, presentation, guess: false }
    }

    /// The times, in ms, at which the packets are asked for, and the time at which all are given up.
    fn asks(recover: &mut Recover, from_ms: i64, urgency: Urgency) -> (Vec<i64>, i64) {
        let (mut times, mut numbers, mut lost) = (Vec::new(), Vec::new(), Vec::new());
        for ms in from_ms..from_ms + 1_000 {
            recover.expired(at_ms(ms), urgency, &mut lost);
            if recover.is_empty() {
                return (times, ms);
            }
            recover.due(at_ms(ms), urgency, &mut numbers);
            if !numbers.is_empty() {
                recover.asked(at_ms(ms), urgency, numbers.len());
                times.push(ms);
            }
        }
        panic!("never given up");
    }

    #[test]
    fn a_missing_packet_is_asked_for_every_10_ms_until_no_answer_can_be_in_time() {
        let mut recover = Recover::default();
        recover.add(at_ms(0), missing(7, 60), URGENCY);
        // Needed at 50 ms, and the answer takes 4 ms: 46 ms is the last chance.
        assert_eq!(asks(&mut recover, 0, URGENCY), (vec![5, 15, 25, 35, 45], 50));
    }

    #[test]
    fn a_long_round_trip_is_waited_for_before_asking_again() {
        let slow = Urgency { round_trip: Span::from_ms(30), ..URGENCY };
        let mut recover = Recover::default();
        recover.add(at_ms(0), missing(7, 200), slow);
        assert_eq!(asks(&mut recover, 0, slow).0, [5, 35, 65, 95, 125, 155]);
    }

    #[test]
    fn what_cannot_come_in_time_is_never_asked_for() {
        let mut recover = Recover::default();
        recover.add(at_ms(0), missing(7, 13), URGENCY);
        assert_eq!(asks(&mut recover, 0, URGENCY), (vec![], 3));
    }

    #[test]
    fn with_little_time_left_the_tolerance_for_reordering_shrinks() {
        let mut recover = Recover::default();
        recover.add(at_ms(0), missing(7, 18), URGENCY);
        assert_eq!(asks(&mut recover, 0, URGENCY).0, [1]);
    }

    #[test]
    fn a_guess_is_asked_for_twice_and_not_missed() {
        let mut recover = Recover::default();
        recover.add(at_ms(0), Missing { guess: true, ..missing(7, 500) }, URGENCY);
        assert_eq!(asks(&mut recover, 0, URGENCY), (vec![0, 10], 20));
        recover.add(at_ms(50), Missing { guess: true, ..missing(8, 500) }, URGENCY);
        recover.add(at_ms(50), missing(8, 100), URGENCY);
        assert_eq!(
            asks(&mut recover, 50, URGENCY).1,
            90,
            "what turns out to be real is asked for to the end"
        );
    }

    #[test]
    fn a_packet_that_came_is_not_asked_for_and_says_whether_it_had_been() {
        let mut recover = Recover::default();
        recover.add(at_ms(0), missing(7, 100), URGENCY);
        recover.add(at_ms(0), missing(8, 100), URGENCY);
        assert_eq!(recover.arrived(8), Some(false));
        let mut numbers = Vec::new();
        recover.due(at_ms(5), URGENCY, &mut numbers);
        assert_eq!(numbers, [7]);
        recover.asked(at_ms(5), URGENCY, 1);
        assert_eq!((recover.arrived(7), recover.arrived(7)), (Some(true), None));
    }

    proptest! {
        #[test]
        fn requests_and_memory_are_bounded_whatever_is_missing(
            gaps in prop::collection::vec((0u64..5_000, 0i64..400), 1..2_000),
        ) {
            let mut recover = Recover::default();
            for (sequence, presentation) in gaps {
                recover.add(at_ms(0), missing(sequence, presentation), URGENCY);
            }
            prop_assert!(recover.len() <= MAX_MISSING);
            let (mut numbers, mut datagrams) = (Vec::new(), 0);
            for ms in 0..100 {
                recover.due(at_ms(ms), URGENCY, &mut numbers);
                prop_assert!(numbers.len() <= MAX_ASKED);
                if !numbers.is_empty() {
                    datagrams += 1;
                    recover.asked(at_ms(ms), URGENCY, numbers.len());
                }
            }
            prop_assert!(datagrams <= 25);
        }
    }
}
