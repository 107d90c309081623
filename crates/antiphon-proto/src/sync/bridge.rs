//! Wall-clock packet stamps on the local clock.
//!
//! Kernels stamp packets with CLOCK_REALTIME, which others set, slew and leave running through a
//! suspend. The shell reads it between two reads of the local clock and hands the readings in;
//! the bridge converts stamps and notices what happened to the wall clock. It reads no clock.

use std::collections::VecDeque;

use antiphon_base::{Local, Span, Timestamp};

/// The wall clock read between two reads of the local clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// Local clock before.
    pub before: Timestamp<Local>,
    /// CLOCK_REALTIME in nanoseconds since 1970.
    pub realtime_ns: i64,
    /// CLOCK_BOOTTIME in nanoseconds, read beside it; it alone goes on through a suspend, so it
    /// tells a suspend from a step. `None` where the system has none.
    pub boottime_ns: Option<i64>,
    /// Local clock after.
    pub after: Timestamp<Local>,
}

/// What happened to the wall clock between two readings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BridgeEvent {
    /// Somebody set it, by this much.
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
#[derive(Debug, Clone, Default)]
pub struct ClockBridge {
    readings: VecDeque<Reading>,
}

impl ClockBridge {
    /// Converts nothing until the first reading.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a bracketed reading.
    pub fn handle_reading(&mut self, reading: Reading) -> Option<BridgeEvent> {
        self.readings.clear();
        self.readings.push_back(reading);
        None
    }

    /// A CLOCK_REALTIME stamp on the local clock; `None` if no reading is near enough to tell.
    pub fn convert(&self, realtime_ns: i64) -> Option<Converted> {
        let newest = self.readings.back()?;
        let middle = newest.before + (newest.after - newest.before) / 2;
        let since = Span::from_ns(realtime_ns.checked_sub(newest.realtime_ns)?);
        let sd_ns = (newest.after - newest.before).as_ns() as f64 / 2.0;
        Some(Converted { at: middle.saturating_add(since), sd_ns })
    }
}
