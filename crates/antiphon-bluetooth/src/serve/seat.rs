//! One member: where it stands and when it is tried next.

use std::time::{Duration, Instant};

use antiphon_base::Span;
use antiphon_codec::sbc::SbcParams;

use crate::{Down, Member};

/// A speaker that was just switched off answers no sooner; one that is off for the night is paged
/// for 5 s each time, which takes air from those that play.
const BACKOFF: [u64; 6] = [1, 2, 4, 8, 16, 30];

#[derive(Debug)]
pub(crate) struct Seat {
    pub member: Member,
    pub phase: Phase,
    /// Tries since the last link.
    pub failures: usize,
    /// Links so far.
    pub connections: u32,
    /// What was last told, so that the same is not told at every try.
    pub told: Option<Down>,
    /// The adapter it was last seen on, as in `hci0`.
    pub adapter: Option<String>,
    /// Its stream was ended once so that all play at one rate; twice would not help.
    pub agreed_anew: bool,
    /// A desktop's stream was ended once in favour of ours; more would be a fight.
    pub took_over: bool,
}

#[derive(Debug)]
pub(crate) enum Phase {
    /// Tried again then.
    Waiting { until: Instant },
    /// BlueZ is connecting it.
    Connecting,
    /// It is connected; BlueZ has yet to offer a stream.
    Expecting { until: Instant },
    /// A stream is agreed on; its socket is being asked for.
    Acquiring { transport: String, sbc: SbcParams },
    /// Samples flow.
    Open { transport: String, sbc: SbcParams, reported: Option<Span>, volume: Option<u8> },
}

impl Seat {
    pub fn new(member: Member, now: Instant) -> Self {
        let phase = Phase::Waiting { until: now };
        Self {
            member,
            phase,
            failures: 0,
            connections: 0,
            told: None,
            adapter: None,
            agreed_anew: false,
            took_over: false,
        }
    }

    /// Waits longer after every failure in a row.
    pub fn back_off(&mut self, now: Instant) {
        let seconds = BACKOFF[self.failures.min(BACKOFF.len() - 1)];
        self.failures += 1;
        self.phase = Phase::Waiting { until: now + Duration::from_secs(seconds) };
    }

    /// Something changed in the world: whatever stood in the way may be gone.
    pub fn try_now(&mut self, now: Instant) {
        if let Phase::Waiting { until } = &mut self.phase {
            *until = now;
            self.failures = 0;
        }
    }

    pub fn is_due(&self, now: Instant) -> bool {
        matches!(self.phase, Phase::Waiting { until } if until <= now)
    }

    /// When time alone will change its phase.
    pub fn wakes_at(&self) -> Option<Instant> {
        match self.phase {
            Phase::Waiting { until } | Phase::Expecting { until } => Some(until),
            _ => None,
        }
    }

    pub fn transport(&self) -> Option<&str> {
        match &self.phase {
            Phase::Acquiring { transport, .. } | Phase::Open { transport, .. } => Some(transport),
            _ => None,
        }
    }
}

/// BlueZ tells tenths of milliseconds and 0 for what the speaker has not told.
pub(crate) fn reported(delay: Option<u16>) -> Option<Span> {
    delay.filter(|tenths| *tenths > 0).map(|tenths| Span::from_us(i64::from(tenths) * 100))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Address, ChannelWish};

    #[test]
    fn a_speaker_that_is_off_is_tried_less_and_less_and_never_given_up() {
        let now = Instant::now();
        let member = Member { address: Address([1; 6]), channels: ChannelWish::Mono };
        let mut seat = Seat::new(member, now);
        assert!(seat.is_due(now));
        let waits: Vec<u64> = (0..9)
            .map(|_| {
                seat.back_off(now);
                seat.wakes_at().unwrap().duration_since(now).as_secs()
            })
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30, 30]);
        seat.try_now(now);
        assert!(seat.is_due(now));
    }

    #[test]
    fn a_delay_of_nothing_is_no_report() {
        assert_eq!(reported(None), None);
        assert_eq!(reported(Some(0)), None);
        assert_eq!(reported(Some(1234)), Some(Span::from_us(123_400)));
    }
}
