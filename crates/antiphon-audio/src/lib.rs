//! Law: edge: devices, files and stations; no policy.
//!
//! Where audio enters ([`source`]: files and pipes; [`playlist`]: folders and lists of them; [`capture`]: microphones;
//! [`desktop`]: what other programs play) and where it leaves ([`sink`]: sound cards, files, and the virtual card that
//! everything is judged by). What is
//! played when, and how loud, is decided elsewhere.

pub mod source;

pub mod playlist;

pub mod capture;

pub mod desktop;

pub mod uri;

mod nearest;

pub mod pulse;

#[cfg(feature = "alsa")]
pub mod alsa;

pub mod sink;

pub use capture::{InputUri, ParseInputError};
pub use uri::{OutputUri, ParseOutputError};
