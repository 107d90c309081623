//! Law: no dependencies, no decisions.
//!
//! The nouns that every other crate shares: time in typed clock domains, frames and rates, maps
//! between clocks with their uncertainty, roles and identifiers, a chunk of audio. Nothing here
//! reads a clock, opens a socket, or chooses anything.

mod time;

mod frames;

mod clock_map;

mod chunk;

mod role;

mod ids;

pub use chunk::Chunk;
pub use clock_map::ClockMap;
pub use frames::{Frames, Ppm, SampleRate};
pub use ids::{ClockId, Epoch, SessionId, SpeakerId};
pub use role::{ParseRoleError, Role};
pub use time::{Dac, Domain, Hub, Local, Media, Span, Timestamp, True};
