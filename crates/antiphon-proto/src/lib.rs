//! Law: sans-IO. No clock reads, no sockets, no threads, no async runtime, no hash-map iteration,
//! no `unsafe`.
//!
//! Everything that hub and speaker say to each other, and all that they conclude from it. A shell
//! moves bytes and passes the time in; the two types that it drives are [`Hub`] and [`Speaker`],
//! with `handle_*` in and `poll_*` out. `docs/protocol.md` is the normative text: code and tests
//! quote its numbered requirements (`[WIRE-1]`).
#![forbid(unsafe_code)]

pub mod timeline;

pub mod wire;

pub mod session;

pub mod send;

pub mod recv;

pub mod sync;

mod hub;

mod speaker;

pub use hub::*;
pub use speaker::*;
