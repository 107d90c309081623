//! One question to the hub and its answer, and when to ask.

use antiphon_base::{Hub, Local, Span, Timestamp};

/// The four timestamps of one probe and its reply (RFC 5905 section 8).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exchange {
    /// The speaker sent the probe.
    pub t1: Timestamp<Local>,
    /// The hub received it.
    pub t2: Timestamp<Hub>,
    /// The hub sent the reply.
    pub t3: Timestamp<Hub>,
    /// The speaker received it.
    pub t4: Timestamp<Local>,
}

impl Exchange {
    /// Time spent on the two ways together: the round trip without the hub's own part.
    pub fn round_trip(&self) -> Span {
        let whole = self.t4.saturating_since(self.t1).as_ns();
        Span::from_ns(whole.saturating_sub(self.t3.saturating_since(self.t2).as_ns()))
    }

    /// Hub clock minus local clock if both ways took equally long, in nanoseconds.
    pub fn offset_ns(&self) -> i64 {
        let there = i128::from(self.t2.as_ns()) - i128::from(self.t1.as_ns());
        let back = i128::from(self.t3.as_ns()) - i128::from(self.t4.as_ns());
        ((there + back) / 2).clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64
    }
}

/// When the next probe is due: 50 Hz for six seconds, 25 Hz for six more, then 10 Hz.
///
/// The burst finds the offset within a fraction of a second on a quiet network, and offset and
/// drift within its six seconds on a busy one, where only every tenth packet shows anything.
/// 10 Hz is enough to keep both, and keeps a Wi-Fi radio from falling asleep.
///
/// Drive it with [`due`](Self::due) and [`handle_timeout`](Self::handle_timeout).
#[derive(Debug, Clone)]
pub struct ProbeSchedule {
    due: Timestamp<Local>,
    sent: u32,
}

impl ProbeSchedule {
    /// Between probes at first.
    pub const BURST_INTERVAL: Span = Span::from_ms(20);
    /// Between probes after the burst.
    pub const LEARNING_INTERVAL: Span = Span::from_ms(40);
    /// Between probes afterwards.
    pub const STEADY_INTERVAL: Span = Span::from_ms(100);
    /// Probes in a burst: six seconds of them.
    pub const BURST_PROBES: u32 = 300;
    /// Probes at the middle rate: six seconds of them.
    pub const LEARNING_PROBES: u32 = 150;

    /// A burst that begins at `now`.
    pub fn new(now: Timestamp<Local>) -> Self {
        Self { due: now, sent: 0 }
    }

    /// Begins another burst: after a reset of the filter or a return of the network.
    pub fn restart(&mut self, now: Timestamp<Local>) {
        *self = Self::new(now);
    }

    /// When the next probe shall be sent.
    pub fn due(&self) -> Timestamp<Local> {
        self.due
    }

    /// Whether a probe shall be sent at `now`; if so, the next one is scheduled.
    pub fn handle_timeout(&mut self, now: Timestamp<Local>) -> bool {
        if now < self.due {
            return false;
        }
        let interval = self.interval();
        self.sent = self.sent.saturating_add(1);
        let planned = self.due.saturating_add(interval);
        // A host that slept does not send the missed probes all at once.
        self.due = if planned > now { planned } else { now.saturating_add(interval) };
        true
    }

    fn interval(&self) -> Span {
        match self.sent {
            n if n < Self::BURST_PROBES => Self::BURST_INTERVAL,
            n if n < Self::BURST_PROBES + Self::LEARNING_PROBES => Self::LEARNING_INTERVAL,
            _ => Self::STEADY_INTERVAL,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_ms(ms: i64) -> Timestamp<Local> {
        Timestamp::from_ns(ms * 1_000_000)
    }

    fn probes_until(schedule: &mut ProbeSchedule, end: Timestamp<Local>) -> usize {
        let mut count = 0;
        while schedule.due() < end {
            let due = schedule.due();
            count += usize::from(schedule.handle_timeout(due));
        }
        count
    }

    #[test]
    fn probes_are_dense_at_first_and_ten_a_second_after_twelve_seconds() {
        let mut schedule = ProbeSchedule::new(at_ms(0));
        assert_eq!(probes_until(&mut schedule, at_ms(6_000)), 300);
        assert_eq!(probes_until(&mut schedule, at_ms(12_000)), 150);
        assert_eq!(probes_until(&mut schedule, at_ms(15_000)), 30);
        schedule.restart(at_ms(15_000));
        assert_eq!(probes_until(&mut schedule, at_ms(16_000)), 50);
    }

    #[test]
    fn a_host_that_slept_does_not_send_the_missed_probes() {
        let mut schedule = ProbeSchedule::new(at_ms(0));
        assert!(schedule.handle_timeout(at_ms(60_000)));
        assert!(!schedule.handle_timeout(at_ms(60_000)));
        assert_eq!(schedule.due(), at_ms(60_020));
    }

    #[test]
    fn the_round_trip_leaves_out_the_time_that_the_hub_took() {
        let exchange = Exchange {
            t1: Timestamp::from_ns(1_000),
            t2: Timestamp::from_ns(500_000),
            t3: Timestamp::from_ns(530_000),
            t4: Timestamp::from_ns(51_000),
        };
        assert_eq!(exchange.round_trip(), Span::from_us(20));
        assert_eq!(exchange.offset_ns(), 489_000);
    }
}
