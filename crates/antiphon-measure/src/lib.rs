//! Law: pure numbers. No clock reads, sockets, threads, randomness that is not seeded, or decisions
//! about playing; files only in [`recording`], and only recordings.
//!
//! What was truly heard, worked out from samples alone. Two recordings of virtual sinks, each with
//! the true time of every frame, are laid on one time axis and compared with the source:
//! [`spread::measure`] says how far apart the two speakers were, at every moment. Beside it stand
//! the distortion of a recorded tone ([`thd`]), a picture ([`plot`]), what a listener midway would
//! have received ([`mix`]), and a piece of music to measure with ([`music`]).

mod dice;

mod transform;

pub mod music;

pub mod timeline;

pub mod recording;

mod interpolate;

pub mod mix;

mod align;

mod track;

pub mod spread;

pub mod summary;

pub mod thd;

pub mod plot;

pub mod lab;
