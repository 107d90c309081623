//! The lab's verbs: test tracks, measurements, calibration.
//!
//! Everything said here comes from the samples of one microphone; what a virtual output writes down
//! of its own time is never looked at.

mod args;

mod ended;

mod signal;

mod write;

mod recording;

mod track;

mod stage;

pub mod room;

mod microphone;

mod meter;

mod take;

mod level;

mod live;

mod measure;

mod calibrate;

pub mod jobs;

mod keep;

mod follower;

mod follow;

mod convert;

mod words;

mod result;

pub use args::{CalibrateArgs, MeasureArgs, SignalArgs};
pub use calibrate::run as calibrate;
pub use ended::Ended;
pub use measure::run as measure;
pub use signal::run as signal;
pub use write::{wav, write};
