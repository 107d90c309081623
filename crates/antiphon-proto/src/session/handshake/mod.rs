//! How a speaker and a hub that meet on a WebSocket come to share keys. [HS-1]
//!
//! Three ways in. *Paired*: Noise KKpsk2 between two keys that know each other. *By code*: SPAKE2 over six
//! digits makes a pairing, and the paired handshake follows on the same connection. *Open*: nothing is sealed;
//! both ends must have been told so. A frame is one binary WebSocket message. The speaker begins.
//!
//! No clock, no random source: `now` and 32 random bytes are passed in. An error ends the handshake: send
//! [`HandshakeError::farewell`] if there is one, close the connection.

pub(crate) mod frame;

mod hub;

mod noise;

mod pake;

mod speaker;

use antiphon_base::SpeakerId;

pub use hub::{HubHandshake, Registry};
pub use speaker::{Approach, SpeakerHandshake};

use super::channel::SealedChannel;
use super::identity::PublicKey;
use super::message::{Refusal, RefusalCode};
use super::pairing::Pairing;
use crate::wire::seal::SessionKeys;

pub use frame::MAX_FRAME;

/// What to do after a frame.
#[derive(Debug, Default)]
pub struct Step {
    /// Frames to send, in order.
    pub send: Vec<Vec<u8>>,
    /// The handshake is complete.
    pub established: Option<Established>,
}

/// What a completed handshake gives.
#[derive(Debug)]
pub struct Established {
    /// Keys for datagrams; `None` in an open session.
    pub keys: Option<SessionKeys>,
    /// Seals control messages; `None` in an open session, whose messages are text.
    pub channel: Option<SealedChannel>,
    /// The other end's public key; claimed only, in an open session.
    pub peer: PublicKey,
    /// The speaker's identity, at either end.
    pub speaker: SpeakerId,
    /// The pairing that this handshake made: keep it.
    pub paired_now: Option<Pairing>,
}

/// Why a handshake ended without a session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The hub said no. It is a hint: nothing proves that the hub said it.
    #[error("the hub refused: {}", .0.message)]
    Refused(Refusal),
    /// The hub does not know the speaker's key.
    #[error(
        "this hub does not know the speaker: pair it with a code (`antiphon access` on the hub's machine)"
    )]
    NotPaired,
    /// The speaker asked for an open session of a hub that is not open.
    #[error(
        "this hub takes sealed sessions only: pair the speaker with a code, or start the hub with --open"
    )]
    NotOpen,
    /// No pairing code is in force.
    #[error("no pairing code is in force: make one on the hub's machine (`antiphon access`)")]
    NoCode,
    /// The code was wrong.
    #[error("wrong pairing code: read it again on the hub's machine")]
    WrongCode,
    /// A frame of another version of the protocol.
    #[error("the other end speaks version {0} of the handshake, this one speaks 1: update one of them")]
    Version(u8),
    /// The hub offered less security than the speaker was told to accept.
    #[error("the hub offers an unsealed session: start the speaker with --open if that is meant")]
    Downgrade,
    /// The other end is not who it should be, or somebody altered a frame.
    #[error(
        "the other end does not hold the key of this pairing: pair again if the hub or speaker was set up anew"
    )]
    Forged,
    /// A frame that makes no sense here.
    #[error("malformed handshake frame: {0}")]
    Malformed(&'static str),
}

impl HandshakeError {
    /// The frame that tells a speaker why; `None` where there is nobody to tell.
    pub fn farewell(&self) -> Option<Vec<u8>> {
        let code = match self {
            Self::Refused(_) | Self::Downgrade => return None,
            Self::NotPaired | Self::Forged => RefusalCode::NotPaired,
            Self::NotOpen => RefusalCode::NotOpen,
            Self::NoCode => RefusalCode::NoCode,
            Self::WrongCode => RefusalCode::WrongCode,
            Self::Version(_) => RefusalCode::Protocol,
            Self::Malformed(_) => RefusalCode::BadMessage,
        };
        Some(frame::refused(code, &self.to_string()))
    }
}

#[cfg(test)]
mod tests;
