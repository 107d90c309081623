//! A speaker's link: what the D-Bus side hands to the side that streams, and what changes later.

use std::os::fd::OwnedFd;

use antiphon_base::Span;
use antiphon_codec::sbc::SbcParams;

use crate::Address;

/// A speaker that shall be connected and played to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Which.
    pub address: Address,
    /// What it is to be sent.
    pub channels: ChannelWish,
}

/// How many channels a speaker shall be sent, where it leaves the choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum ChannelWish {
    /// One: half the air time, and all that a speaker of a pair plays.
    #[default]
    Mono,
    /// Two: a speaker that plays both channels by itself.
    Stereo,
}

/// A stream that is open to a speaker: samples may be sent.
#[derive(Debug)]
pub struct Link {
    /// The speaker.
    pub address: Address,
    /// The transport's socket, `SOCK_SEQPACKET`, non-blocking: one write is one media packet.
    pub socket: OwnedFd,
    /// The most bytes in one write.
    pub write_mtu: usize,
    /// What was agreed on with the speaker. A speaker that takes joint stereo only gets the same
    /// samples twice.
    pub sbc: SbcParams,
    /// Counts the connections of this speaker since the program's start; another number than
    /// before voids what was measured through the last.
    pub connection: u32,
    /// The delay that the speaker reports; `None` while it has reported none.
    pub reported: Option<Span>,
    /// The adapter it is on, as in `hci0`.
    pub adapter: String,
    /// BlueZ and the kernel can tell when the radio is done with a packet.
    pub tells: bool,
}

/// What happens to a member's link.
#[derive(Debug)]
pub enum LinkEvent {
    /// It is open.
    Up(Link),
    /// The speaker reported another delay, or withdrew it.
    Delay(Address, Option<Span>),
    /// The speaker's absolute volume (AVRCP), 0 to 127; `None`: it has none, volume is in software.
    Volume(Address, Option<u8>),
    /// The speaker's battery, in percent.
    Battery(Address, u8),
    /// It is gone; its return is tried for ever.
    Down(Address, Down),
}

/// Why there is no link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Down {
    /// For a person: what is the matter and what helps.
    pub why: String,
    /// Whether a person has to do something; else it comes back by itself.
    pub needs_help: bool,
}
