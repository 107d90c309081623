//! Law: real-time: after `new`, no allocation, free, lock, log, system call or panic.
//!
//! Everything between decoded audio and the sound card. Chunks of media come in by absolute frame
//! number, in any order; the sink's callback asks for the next frames of its own clock; what comes
//! out is the programme, with each frame leaving the DAC when the [`Target`] says. [`Renderer`] is
//! the one door of the audio thread, [`Controller`] the one door of everybody else.
//!
//! Nothing here reads a clock or knows what a network is: time is the DAC's frame counter.

mod command;

mod controller;

mod media;

mod schedule;

mod steer;

mod conceal;

mod asrc;

mod varispeed;

mod ramp;

mod voice;

mod renderer;

mod meter;

mod telemetry;

pub use asrc::Filter;
pub use command::{Command, Target};
pub use controller::{Controller, QueueFull};
pub use renderer::{Renderer, RendererConfig};
pub use telemetry::{PlayState, Stage, Telemetry};
pub use varispeed::Varispeed;
