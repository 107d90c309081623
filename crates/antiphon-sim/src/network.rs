//! Networks that delay, lose and reorder.

use antiphon_base::{Span, Timestamp, True};

use crate::rng::Rng;

/// How one way delays packets: a fixed part, an exponential part, bursts in which a queue stands,
/// and the receiving kernel's own lateness.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DelayModel {
    /// Never less than this.
    pub base: Span,
    /// Mean of the exponential part.
    pub jitter: Span,
    /// Chance that a packet finds a queue where the packet before found none.
    pub burst_begins: f64,
    /// Chance that a packet still finds a queue.
    pub burst_goes_on: f64,
    /// Mean of the exponential wait in the queue.
    pub queue: Span,
    /// Scale of the half-normal lateness of the receive stamp.
    pub stamp: Span,
}

impl DelayModel {
    /// A switched wire.
    pub const LAN: Self = Self {
        base: Span::from_us(120),
        jitter: Span::from_us(20),
        burst_begins: 0.005,
        burst_goes_on: 0.7,
        queue: Span::from_us(500),
        stamp: Span::from_us(15),
    };
    /// Wi-Fi with little else on the air.
    pub const QUIET_WIFI: Self = Self {
        base: Span::from_us(800),
        jitter: Span::from_us(300),
        burst_begins: 0.02,
        queue: Span::from_ms(4),
        ..Self::LAN
    };
    /// Wi-Fi that others use too.
    pub const BUSY_WIFI: Self = Self {
        base: Span::from_us(900),
        jitter: Span::from_us(1_500),
        burst_begins: 0.15,
        queue: Span::from_ms(12),
        ..Self::LAN
    };

    /// The same with a longer fixed part: one way of an asymmetric path.
    pub fn longer_by(self, by: Span) -> Self {
        Self { base: self.base + by, ..self }
    }
}

/// Loss in bursts (Gilbert 1960, Elliott 1963): in the bad state every packet is lost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossModel {
    /// Share of packets lost in the long run, 0 to 1.
    pub share: f64,
    /// Mean length of a bad stretch.
    pub mean_burst: Span,
}

impl LossModel {
    /// Nothing is lost.
    pub const NONE: Self = Self { share: 0.0, mean_burst: Span::from_ms(1) };
}

/// One way of a network: packets in at a true time, out at another, or never.
#[derive(Debug, Clone)]
pub struct Link {
    delay: DelayModel,
    loss: LossModel,
    in_order: bool,
    rng: Rng,
    queueing: bool,
    bad: bool,
    last_sent: Option<Timestamp<True>>,
    last_arrival: Option<Timestamp<True>>,
}

impl Link {
    /// A link on which every packet is delayed on its own, so that packets sent close together
    /// overtake each other.
    pub fn new(delay: DelayModel, loss: LossModel, rng: Rng) -> Self {
        Self {
            delay,
            loss,
            in_order: false,
            rng,
            queueing: false,
            bad: false,
            last_sent: None,
            last_arrival: None,
        }
    }

    /// The same link, on which nobody overtakes: a late packet holds up those behind it.
    pub fn in_order(self) -> Self {
        Self { in_order: true, ..self }
    }

    /// Another model from here on: somebody else began to use the air.
    pub fn change(&mut self, delay: DelayModel, loss: LossModel) {
        self.delay = delay;
        self.loss = loss;
    }

    /// A packet leaves at `sent` (rising from call to call); when it arrives, or `None` if lost.
    pub fn carry(&mut self, sent: Timestamp<True>) -> Option<Timestamp<True>> {
        let lost = self.is_lost(sent);
        let mut arrival = sent + self.draw_delay();
        if lost {
            return None;
        }
        if let (true, Some(last)) = (self.in_order, self.last_arrival) {
            arrival = arrival.max(last + Span::from_ns(1));
        }
        self.last_arrival = Some(arrival);
        Some(arrival)
    }

    fn draw_delay(&mut self) -> Span {
        let d = self.delay;
        let chance = if self.queueing { d.burst_goes_on } else { d.burst_begins };
        self.queueing = self.rng.chance(chance);
        let mut ns = d.base.as_ns() as f64 + self.rng.exponential(d.jitter.as_ns() as f64);
        if self.queueing {
            ns += self.rng.exponential(d.queue.as_ns() as f64);
        }
        Span::from_ns((ns + self.rng.normal(d.stamp.as_ns() as f64).abs()) as i64)
    }

    /// The two-state chain in continuous time, looked at when a packet passes.
    fn is_lost(&mut self, sent: Timestamp<True>) -> bool {
        let share = self.loss.share.clamp(0.0, 1.0);
        let passed = self.last_sent.map_or(f64::INFINITY, |last| (sent - last).as_s_f64().max(0.0));
        self.last_sent = Some(sent);
        let mean_bad_s = self.loss.mean_burst.as_s_f64().max(1e-9);
        let relaxed = 1.0 - (-passed / (mean_bad_s * (1.0 - share).max(1e-9))).exp();
        let was = f64::from(u8::from(self.bad));
        self.bad = self.rng.chance(was + (share - was) * relaxed);
        self.bad
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(link: &mut Link, every: Span, n: i64) -> Vec<Option<Span>> {
        (0..n)
            .map(|k| {
                let sent = Timestamp::<True>::from_ns(k * every.as_ns());
                link.carry(sent).map(|at| at - sent)
            })
            .collect()
    }

    #[test]
    fn a_lost_share_of_ten_per_cent_comes_in_bursts_of_twenty_milliseconds() {
        let loss = LossModel { share: 0.1, mean_burst: Span::from_ms(20) };
        let mut link = Link::new(DelayModel::LAN, loss, Rng::new(1));
        let got = arrivals(&mut link, Span::from_ms(1), 400_000);
        let lost = got.iter().filter(|a| a.is_none()).count() as f64;
        let bursts = got.windows(2).filter(|w| w[0].is_some() && w[1].is_none()).count() as f64;
        assert!((lost / 400_000.0 - 0.1).abs() < 0.01, "{lost}");
        assert!((lost / bursts - 20.0).abs() < 2.0, "{}", lost / bursts);
    }

    #[test]
    fn no_packet_is_faster_than_the_fixed_part() {
        let mut link = Link::new(DelayModel::QUIET_WIFI, LossModel::NONE, Rng::new(2));
        let got = arrivals(&mut link, Span::from_ms(5), 10_000);
        assert!(got.iter().all(|d| d.is_some_and(|d| d >= Span::from_us(800))));
    }

    #[test]
    fn packets_overtake_unless_the_link_keeps_their_order() {
        let free = Link::new(DelayModel::BUSY_WIFI, LossModel::NONE, Rng::new(3));
        for (mut link, overtakes) in [(free.clone(), true), (free.in_order(), false)] {
            let sent = |k: i64| Timestamp::<True>::from_ns(k * 1_000_000);
            let at: Vec<_> = (0..1_000).filter_map(|k| link.carry(sent(k))).collect();
            assert_eq!(at.windows(2).any(|w| w[1] < w[0]), overtakes);
        }
    }
}
