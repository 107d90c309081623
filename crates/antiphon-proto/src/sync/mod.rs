//! How a speaker learns the hub's clock and its sound card's clock.
//!
//! Three estimators, each fed by plain values and each stating its uncertainty:
//! [`ClockFilter`] (four-timestamp exchanges -> `ClockMap<Local, Hub>`), [`DacFilter`] (position
//! stamps of the sound card -> `ClockMap<Dac, Local>`) and [`ClockBridge`] (wall-clock packet
//! stamps -> `Local`). [`ProbeSchedule`] says when to ask the hub. Nothing here reads a clock.

pub mod exchange;

mod lowest;

mod track;

pub mod clock;

pub mod dac;

pub mod bridge;

pub use bridge::{BridgeEvent, ClockBridge, Converted, Reading};
pub use clock::{ClockFilter, ClockQuality, Verdict};
pub use dac::{DacFilter, DacQuality, Doubt, ResetReason};
pub use exchange::{Exchange, ProbeSchedule};
