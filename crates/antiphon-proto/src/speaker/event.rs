//! What a speaker's protocol end reports.

use antiphon_base::{Epoch, Frames, Hub, Timestamp};

use crate::session::{Codec, SpeakerSettings};
use crate::timeline::Timeline;

/// What the network brought, for the engine.
#[derive(Debug, Clone, PartialEq)]
pub enum SpeakerEvent {
    /// A stretch of the programme and its anchor. One learned from a media packet has that packet's first
    /// frame, which is not the epoch's first where packets before it are missing; the hub's message follows.
    Timeline(Timeline),
    /// One encoded unit. Those of stateless codecs come as they arrive, Opus in order. Where two streams
    /// overlap (after a change of role or codec) the newer stream's units count.
    Packet {
        /// The stream (RTP source identifier): another one needs a fresh decoder.
        stream: u32,
        /// The epoch that it belongs to.
        epoch: Epoch,
        /// How it is coded.
        codec: Codec,
        /// 1 or 2.
        channels: u16,
        /// Its first media frame.
        first_frame: Frames,
        /// The codec's bytes. Hand the buffer back with [`Speaker::recycle`](super::Speaker::recycle).
        payload: Vec<u8>,
    },
    /// A unit did not come in time, in the order of the stream. For stateless codecs it is only news: the
    /// playout finds the hole itself.
    Lost {
        /// The stream that misses it.
        stream: u32,
        /// The epoch that it belongs to.
        epoch: Epoch,
        /// The first missing media frame.
        first_frame: Frames,
        /// How many are missing.
        frames: Frames,
    },
    /// Nothing of the epoch is heard from `at` on.
    Stop {
        /// The epoch that ends.
        epoch: Epoch,
        /// When.
        at: Timestamp<Hub>,
    },
    /// How to play, from here on.
    Settings(SpeakerSettings),
    /// Nothing genuine came for 2 s: the shell connects anew. Said once for each silence.
    HubSilent,
    /// Something genuine came again after [`HubSilent`](Self::HubSilent).
    HubBack,
    /// The hub ended the session, with its reason.
    Goodbye(String),
}
