//! What is encoded once for all the speakers that share it.

use antiphon_base::{Frames, Role};

use super::packetize::packet_frames;
use crate::session::Codec;

/// A role in a codec: one encoder, one stream of packets, any number of speakers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Variant {
    /// Which part of the programme.
    pub role: Role,
    /// How it is encoded.
    pub codec: Codec,
}

impl Variant {
    /// One channel, or two.
    pub fn channels(self) -> u16 {
        self.role.channels()
    }

    /// How many frames one encoded unit holds, always.
    pub fn packet_frames(self) -> Frames {
        packet_frames(self.codec, self.channels())
    }
}
