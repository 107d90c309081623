//! The control session: who the two ends are, how they come to trust each other, and what they say.
//!
//! [`identity`] and [`pairing`] hold keys, [`handshake`] turns them into a session's keys, [`channel`]
//! seals the messages of [`message`].

pub mod identity;

pub mod pairing;

pub mod handshake;

pub mod channel;

pub mod codec;

pub mod message;

pub mod trim;

pub use channel::SealedChannel;
pub use codec::{Codec, ParseCodecError};
pub use handshake::{Approach, Established, HandshakeError, HubHandshake, Registry, SpeakerHandshake, Step};
pub use identity::{Identity, PublicKey, browser_speaker_id};
pub use message::{
    Hello, HubMessage, LinkState, LinkStats, PacketCounters, Refusal, RefusalCode, SpeakerMessage,
    SpeakerSettings, SpeakerState, SpeakerStats, Welcome,
};
pub use pairing::{Attempt, Pairing, PairingCode};
pub use trim::{Remembered, Trim};

/// The version of this protocol. [VER-1]
pub const PROTOCOL: u16 = 1;

/// The most bytes of one control message, on the WebSocket, sealed or not: forty times the longest
/// one, and small enough that an unpaired peer cannot make anyone hold much.
pub const MAX_MESSAGE: usize = 16_384;
