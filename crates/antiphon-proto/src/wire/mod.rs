//! Bytes on the wire: every datagram that hub and speaker exchange.
//!
//! Each module holds one format with `parse` and `write`; `docs/protocol.md` is the normative text.
//! Parsers take any bytes and never panic; nothing here keeps state except [`seal`].

pub mod rtp;

pub mod clock;

pub mod feedback;

pub mod notice;

pub mod seal;

mod read;

use thiserror::Error;

/// The largest UDP payload that either side sends, in bytes. It fits every path that carries IPv6
/// (1,280 B minus 48 B of IPv6 and UDP headers, minus room for one tunnel).
pub const MAX_DATAGRAM: usize = 1_200;

/// Why a datagram was dropped. None of these is an error of this program: they are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WireError {
    /// The bytes end before the format does.
    #[error("datagram too short")]
    Short,
    /// More than [`MAX_DATAGRAM`] bytes, or more items than the format's limit.
    #[error("datagram over the limit")]
    Long,
    /// A field holds what the format forbids.
    #[error("malformed datagram: {0}")]
    Malformed(&'static str),
    /// A version or type that this program does not know.
    #[error("unknown version or type of datagram")]
    Unknown,
    /// It names another session.
    #[error("datagram of another session")]
    OtherSession,
    /// It came by another path than its session's.
    #[error("datagram by another path than its session's")]
    OtherPath,
    /// Seen already, or older than the replay window.
    #[error("replayed datagram")]
    Replayed,
    /// The seal does not fit: altered, or sealed with another key.
    #[error("forged datagram")]
    Forged,
    /// It came unsealed to a sealed session, or sealed to an open one.
    #[error("datagram sealed unlike its session")]
    WrongSealing,
}
