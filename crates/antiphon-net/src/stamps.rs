//! Kernel receive stamps on the machine's monotonic clock.
//!
//! The kernel stamps packets with CLOCK_REALTIME, which is set and slewed by others. What is known
//! of the way from there to CLOCK_MONOTONIC_RAW is [`ClockBridge`]'s; this reads the clocks for it.

use antiphon_base::{Local, Span, Timestamp, True};
use antiphon_proto::sync::{ClockBridge, Reading};
use nix::time::ClockId;

use crate::clock::{raw_now, read};

/// Places CLOCK_REALTIME stamps on the machine's clock, through steps, slews and suspends.
#[derive(Debug, Default)]
pub struct StampBridge(ClockBridge);

impl StampBridge {
    /// Reads the clocks, at the best of three tries so that a pre-emption between the readings is
    /// rare; returns the machine's clock at the best one.
    pub fn read_clocks(&mut self) -> Timestamp<True> {
        let tries = [read_once(), read_once(), read_once()];
        let best = tries.into_iter().min_by_key(|r| r.after - r.before).unwrap_or(tries[0]);
        // What happened to wall time is the bridge's to digest: a stamp that it spoils is not converted.
        let _ = self.0.handle_reading(best);
        Timestamp::from_ns(best.after.as_ns())
    }

    /// The machine's instant of a stamp; `None` where wall time was set in between, or for nonsense.
    pub fn raw_of(&self, stamp_ns: i64) -> Option<Timestamp<True>> {
        self.0.convert(stamp_ns).map(|converted| Timestamp::from_ns(converted.at.as_ns()))
    }
}

/// The bridge is told of the machine's own clock; a process's warp comes after it.
fn read_once() -> Reading {
    let raw = || Timestamp::<Local>::from_ns(raw_now().as_ns());
    let before = raw();
    let realtime_ns = read(ClockId::CLOCK_REALTIME);
    let after = raw();
    Reading { before, realtime_ns, boottime_ns: Some(read(ClockId::CLOCK_BOOTTIME)), after }
}

/// A stamp from later than its reading is not of this world; the bridge's own uncertainty is less.
pub(crate) const MAX_FUTURE: Span = Span::from_us(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_present_is_placed_in_the_present_and_the_past_by_its_age() {
        let mut bridge = StampBridge::default();
        bridge.read_clocks();
        std::thread::sleep(std::time::Duration::from_millis(20));
        let stamp = read(ClockId::CLOCK_REALTIME);
        let around = raw_now();
        bridge.read_clocks();
        let placed = bridge.raw_of(stamp).expect("taken between two readings");
        // A machine that stands still between the two reads above is no fault of the bridge.
        assert!((placed - around).abs() < Span::from_ms(300), "{placed:?} against {around:?}");
        assert!(placed <= around + MAX_FUTURE);
    }

    #[test]
    fn a_stamp_from_another_time_is_not_believed() {
        let mut bridge = StampBridge::default();
        bridge.read_clocks();
        let now = read(ClockId::CLOCK_REALTIME);
        for stamp in [0, i64::MIN, i64::MAX, now - 10_000_000_000, now + 10_000_000_000] {
            assert_eq!(bridge.raw_of(stamp), None, "{stamp}");
        }
    }
}
