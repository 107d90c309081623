//! From datagrams to units in time: reorder, recover, depacketize, jitter buffer; the mirror of
//! [`send`](crate::send).

pub mod reorder;

pub mod recover;

pub mod receiver;
