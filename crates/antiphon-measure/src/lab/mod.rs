//! The lab: what speakers of any kind do, from one recording of a known signal.
//!
//! `docs/measure.md` says what the signal is and how it is measured.

pub mod excitation;

pub mod measurement;

pub mod analysis;

pub mod facts;

pub mod judge;

pub mod classes;

pub mod calibrate;

pub mod comb;

pub mod tracks;

pub use analysis::{Analysis, Options, Recorded};
pub use excitation::Excitation;
