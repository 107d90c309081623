//! From datagrams to units in time: reorder, recover, depacketize, jitter buffer; the mirror of
//! [`send`](crate::send).
//!
//! Everything here is reckoned in the hub's time, in which packets carry their presentation:
//! [`Receiver`] converts once at the door.

pub mod reorder;

pub mod recover;

pub mod depacketize;

pub mod jitter;

mod stream;

pub mod receiver;

pub use receiver::{Context, Receiver};
