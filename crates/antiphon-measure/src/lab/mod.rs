//! The lab: what speakers of any kind do, from one recording of a known signal.

pub mod measurement;
