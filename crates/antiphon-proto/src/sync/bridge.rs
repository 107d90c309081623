//! Wall-clock packet stamps on the local clock.
//!
//! Kernels stamp packets with CLOCK_REALTIME, which others set, slew and leave running through a
//! suspend. The shell reads it between two reads of the local clock and hands the readings in;
//! the bridge converts stamps and notices what happened to the wall clock. It reads no clock.

use std::collections::VecDeque;

use antiphon_base::{Local, Ppm, Span, Timestamp};

/// The wall clock read between two reads of the local clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// Local clock before.
    pub before: Timestamp<Local>,
    /// CLOCK_REALTIME in nanoseconds since 1970.
    pub realtime_ns: i64,
    /// CLOCK_BOOTTIME in nanoseconds, read beside it; it alone goes on through a suspend and is
    /// never set, so it tells a suspend from a step. `None` where the system has none.
    pub boottime_ns: Option<i64>,
    /// Local clock after.
    pub after: Timestamp<Local>,
}

/// What happened to the wall clock between two readings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BridgeEvent {
    /// Somebody set it, by this much (positive: forward).
    Stepped(Span),
    /// The host slept for this long; the local clock stood still meanwhile.
    Suspended(Span),
}

/// A stamp on the local clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Converted {
    /// When.
    pub at: Timestamp<Local>,
    /// Standard deviation, in nanoseconds.
    pub sd_ns: f64,
}

/// Readings in, converted packet stamps out.
///
/// Read the clocks at least once a second ([`READ_EVERY`](Self::READ_EVERY)), best a few times in
/// a row, since a reading that was interrupted is wide and a narrow one beside it is kept. After a
/// step or a suspend nothing from before is used: a stamp taken before it converts to `None`, and
/// the caller falls back to its own reading of the local clock.
#[derive(Debug, Clone, Default)]
pub struct ClockBridge {
    /// Narrow readings of late, oldest first.
    points: VecDeque<Point>,
    /// The wall clock's rate over the local clock's, less one.
    rate: f64,
    rate_sd: f64,
}

#[derive(Debug, Clone, Copy)]
struct Point {
    local: Timestamp<Local>,
    realtime_ns: i64,
    boottime_ns: Option<i64>,
    /// Half the bracket: the true reading is within it.
    half_ns: f64,
}

impl ClockBridge {
    /// How often the clocks should be read, so that a slew of 500 ppm is followed closely.
    pub const READ_EVERY: Span = Span::from_s(1);

    /// Converts nothing until the first reading.
    pub fn new() -> Self {
        Self { points: VecDeque::new(), rate: 0.0, rate_sd: RATE_SD }
    }

    /// Takes a bracketed reading. Readings with `after < before`, out of order, or bracketed so
    /// widely that they say nothing are left out.
    pub fn handle_reading(&mut self, reading: Reading) -> Option<BridgeEvent> {
        let point = Point::of(&reading)?;
        let Some(&newest) = self.points.back() else {
            self.points.push_back(point);
            return None;
        };
        if point.local <= newest.local {
            return None;
        }
        let event = self.event_between(&newest, &point);
        if event.is_some() {
            *self = Self::new();
        }
        self.keep(point);
        self.learn_rate();
        event
    }

    /// A CLOCK_REALTIME stamp on the local clock; `None` if no reading is near enough to tell.
    pub fn convert(&self, realtime_ns: i64) -> Option<Converted> {
        let nearest = self.points.iter().min_by_key(|p| p.realtime_ns.abs_diff(realtime_ns))?;
        let since_ns = realtime_ns.checked_sub(nearest.realtime_ns)?;
        if since_ns.unsigned_abs() > NEAR.as_ns() as u64 {
            return None;
        }
        // Before the oldest reading the wall clock may have been another: a step.
        if since_ns < 0 && self.points.front().is_some_and(|p| p.realtime_ns == nearest.realtime_ns) {
            return None;
        }
        let local_ns = since_ns as f64 / (1.0 + self.rate);
        Some(Converted {
            at: nearest.local.saturating_add(Span::from_ns(local_ns.round() as i64)),
            // A bracket holds the truth anywhere in it, evenly.
            sd_ns: (nearest.half_ns / 3f64.sqrt()).hypot(self.rate_sd * since_ns as f64),
        })
    }

    /// The rate at which the wall clock runs against the local clock: what adjusts it.
    pub fn slew(&self) -> Ppm {
        Ppm::from_skew(self.rate)
    }

    fn event_between(&self, old: &Point, new: &Point) -> Option<BridgeEvent> {
        let passed = new.local.saturating_since(old.local).as_ns();
        let jumped = (new.realtime_ns.saturating_sub(old.realtime_ns)).saturating_sub(passed);
        let slept = match (old.boottime_ns, new.boottime_ns) {
            (Some(old), Some(new)) => new.saturating_sub(old).saturating_sub(passed),
            _ => 0,
        };
        let slack = (passed as f64 * MAX_RATE + old.half_ns + new.half_ns + 1_000.0) as i64;
        // Slept first: waking up often comes with a correction of the wall clock besides.
        if slept > slack {
            return Some(BridgeEvent::Suspended(Span::from_ns(slept)));
        }
        (jumped.saturating_abs() > slack).then_some(BridgeEvent::Stepped(Span::from_ns(jumped)))
    }

    fn keep(&mut self, point: Point) {
        // Readings in a row: the narrower stays. The oldest is never replaced by a later one, or a
        // stamp taken between the two would fall before all that is known.
        let close = self.points.back().is_some_and(|p| point.local.saturating_since(p.local) < IN_A_ROW);
        let only = self.points.len() == 1;
        match self.points.back_mut() {
            Some(back) if close && back.half_ns <= point.half_ns => return,
            Some(back) if close && !only => *back = point,
            _ => self.points.push_back(point),
        }
        if self.points.len() > MAX_POINTS {
            self.points.pop_front();
        }
    }

    /// From the newest two: a slew begins and ends suddenly, so older ones tell of another rate.
    fn learn_rate(&mut self) {
        let n = self.points.len();
        if n < 2 {
            return;
        }
        let (old, new) = (self.points[n - 2], self.points[n - 1]);
        let passed = new.local.saturating_since(old.local).as_ns() as f64;
        let gained = (new.realtime_ns - old.realtime_ns) as f64 - passed;
        let change = (gained / passed - self.rate).abs();
        self.rate = gained / passed;
        // A change seen is the part that happened before this reading: the rest is still to come.
        self.rate_sd = (old.half_ns.hypot(new.half_ns) / passed).hypot(2.0 * change).max(RATE_SD_LEAST);
    }
}

/// A wall clock against a raw one before anything is known: crystals and NTP's corrections.
const RATE_SD: f64 = 100e-6;
/// NTP turns its frequency knob by about this from one second to the next.
const RATE_SD_LEAST: f64 = 1e-6;
/// A slew goes up to 500 ppm (adjtime), the crystal's own error comes on top; more is a step.
const MAX_RATE: f64 = 1_000e-6;
/// A stamp further than this from every reading is not converted: the rate may have changed.
const NEAR: Span = Span::from_s(2);
/// Readings closer than this are tries at one.
const IN_A_ROW: Span = Span::from_ms(5);
/// A bracket wider than this was interrupted and says nothing that a packet stamp could use.
const WIDEST: Span = Span::from_us(100);
/// Some seconds of readings: stamps are converted within milliseconds of their making.
const MAX_POINTS: usize = 4;

impl Point {
    fn of(reading: &Reading) -> Option<Self> {
        let width = reading.after.saturating_since(reading.before);
        let usable = width >= Span::ZERO && width <= WIDEST;
        usable.then(|| Self {
            local: reading.before + width / 2,
            realtime_ns: reading.realtime_ns,
            boottime_ns: reading.boottime_ns,
            half_ns: width.as_ns() as f64 / 2.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host whose wall clock is set and slewed and which sleeps; the local clock is its own.
    struct Host {
        local_ns: i64,
        realtime_ns: f64,
        boottime_ns: i64,
        rate: f64,
    }

    impl Host {
        fn new() -> Self {
            Self { local_ns: 5_000_000_000, realtime_ns: 1.7e18, boottime_ns: 9_000_000_000, rate: 12e-6 }
        }

        fn run(&mut self, span: Span) {
            self.local_ns += span.as_ns();
            self.boottime_ns += span.as_ns();
            self.realtime_ns += span.as_ns() as f64 * (1.0 + self.rate);
        }

        fn sleep(&mut self, span: Span) {
            self.boottime_ns += span.as_ns();
            self.realtime_ns += span.as_ns() as f64;
        }

        fn read(&self) -> Reading {
            Reading {
                before: Timestamp::from_ns(self.local_ns - 150),
                realtime_ns: self.realtime_ns as i64,
                boottime_ns: Some(self.boottime_ns),
                after: Timestamp::from_ns(self.local_ns + 250),
            }
        }

        /// Reads once a second for `seconds`, and checks a stamp half-way between.
        fn serve(&mut self, bridge: &mut ClockBridge, seconds: u32) -> Vec<BridgeEvent> {
            let mut events = Vec::new();
            for _ in 0..seconds {
                events.extend(bridge.handle_reading(self.read()));
                self.run(Span::from_ms(1_000));
            }
            events
        }

        fn error_of_a_stamp_now(&self, bridge: &ClockBridge) -> (Span, f64) {
            let converted = bridge.convert(self.realtime_ns as i64).unwrap();
            (converted.at - Timestamp::from_ns(self.local_ns), converted.sd_ns)
        }
    }

    #[test]
    fn a_stamp_converts_to_within_the_bracket_and_its_stated_uncertainty() {
        let (mut host, mut bridge) = (Host::new(), ClockBridge::new());
        assert!(host.serve(&mut bridge, 10).is_empty());
        let (error, sd_ns) = host.error_of_a_stamp_now(&bridge);
        assert!(error.abs() < Span::from_us(1), "{error:?}");
        assert!(error.as_ns().abs() as f64 <= 1.96 * sd_ns && sd_ns < 2_000.0, "{error:?} {sd_ns}");
        assert!((bridge.slew().0 - 12.0).abs() < 0.5);
    }

    #[test]
    fn a_stamp_between_the_first_two_readings_converts_however_close_they_are() {
        let (mut host, mut bridge) = (Host::new(), ClockBridge::new());
        let mut wide = host.read();
        wide.after += Span::from_us(5);
        bridge.handle_reading(wide);
        host.run(Span::from_ms(1));
        let stamped = (host.realtime_ns as i64, host.local_ns);
        host.run(Span::from_ms(1));
        bridge.handle_reading(host.read());
        let converted = bridge.convert(stamped.0).expect("between two readings");
        assert!((converted.at - Timestamp::from_ns(stamped.1)).abs() < Span::from_us(5));
    }

    #[test]
    fn a_step_is_told_and_stamps_from_before_it_are_not_converted() {
        for step_s in [-3_600.0, -0.02, 0.02, 86_400.0] {
            let (mut host, mut bridge) = (Host::new(), ClockBridge::new());
            host.serve(&mut bridge, 5);
            let stamped_before = host.realtime_ns as i64;
            host.realtime_ns += step_s * 1e9;
            let events = host.serve(&mut bridge, 1);
            let [BridgeEvent::Stepped(by)] = events[..] else { panic!("{events:?}") };
            assert!((by.as_s_f64() - step_s).abs() < 1e-3);
            let (error, _) = host.error_of_a_stamp_now(&bridge);
            assert!(error.abs() < Span::from_us(20), "{error:?}");
            if step_s > 0.0 {
                assert_eq!(bridge.convert(stamped_before), None);
            }
        }
    }

    #[test]
    fn a_slew_of_500_ppm_is_followed_and_is_no_step() {
        let (mut host, mut bridge) = (Host::new(), ClockBridge::new());
        host.serve(&mut bridge, 5);
        host.rate = 500e-6;
        assert!(host.serve(&mut bridge, 1).is_empty());
        // One reading cannot know yet that the rate changed a second ago; the next one does.
        assert!(host.serve(&mut bridge, 2).is_empty());
        let (error, sd_ns) = host.error_of_a_stamp_now(&bridge);
        assert!(error.abs() < Span::from_us(2), "{error:?}");
        assert!(error.as_ns().abs() as f64 <= 1.96 * sd_ns);
        assert!((bridge.slew().0 - 500.0).abs() < 1.0);
    }

    #[test]
    fn while_a_slew_begins_the_stated_uncertainty_covers_it_from_the_next_reading_on() {
        let (mut host, mut bridge) = (Host::new(), ClockBridge::new());
        host.serve(&mut bridge, 5);
        host.rate = 500e-6;
        host.run(Span::from_ms(500));
        bridge.handle_reading(host.read());
        host.run(Span::from_ms(900));
        let (error, sd_ns) = host.error_of_a_stamp_now(&bridge);
        assert!(error.as_ns().abs() as f64 <= 1.96 * sd_ns, "{error:?} {sd_ns}");
    }

    #[test]
    fn a_suspend_is_told_from_a_step() {
        let (mut host, mut bridge) = (Host::new(), ClockBridge::new());
        host.serve(&mut bridge, 5);
        host.sleep(Span::from_s(3_600));
        let events = host.serve(&mut bridge, 1);
        let [BridgeEvent::Suspended(slept)] = events[..] else { panic!("{events:?}") };
        assert!((slept - Span::from_s(3_600)).abs() < Span::from_ms(2));
        let (error, _) = host.error_of_a_stamp_now(&bridge);
        assert!(error.abs() < Span::from_us(20), "{error:?}");
    }

    #[test]
    fn a_reading_that_was_interrupted_is_left_out() {
        let (mut host, mut bridge) = (Host::new(), ClockBridge::new());
        host.serve(&mut bridge, 3);
        let mut interrupted = host.read();
        interrupted.after += Span::from_ms(30);
        assert_eq!(bridge.handle_reading(interrupted), None);
        let (error, _) = host.error_of_a_stamp_now(&bridge);
        assert!(error.abs() < Span::from_us(1), "{error:?}");
    }

    #[test]
    fn a_stamp_far_from_every_reading_is_not_converted() {
        let (mut host, mut bridge) = (Host::new(), ClockBridge::new());
        assert_eq!(bridge.convert(0), None);
        host.serve(&mut bridge, 3);
        let now = host.realtime_ns as i64;
        assert_eq!(bridge.convert(now + 5_000_000_000), None);
        assert_eq!(bridge.convert(i64::MIN), None);
        assert_eq!(bridge.convert(0), None);
    }
}
