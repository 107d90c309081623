//! What is known of a member's link, for people.

use antiphon_base::Span;
use antiphon_codec::sbc::{SbcMode, SbcParams};

use super::pace::Counters;

/// A speaker that reports no delay is taken to have this one, and that is said: between what other
/// programs assume (125 ms) and the middle of what speakers report (100 to 300 ms).
pub const ASSUMED_DELAY: Span = Span::from_ms(150);

/// How a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkState {
    /// It has not been up yet, and nothing is known to be wrong.
    #[default]
    Connecting,
    /// Samples are sent.
    Up,
    /// It is open, and the radio takes nothing.
    Stalled,
    /// It is not there.
    Down,
}

/// A member's link.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LinkStatus {
    /// How it stands.
    pub state: LinkState,
    /// Why it is down, and what helps.
    pub why: String,
    /// Whether a person has to do something.
    pub needs_help: bool,
    /// What the speaker reports of its delay.
    pub reported: Option<Span>,
    /// From sending to sound, as reckoned with: codec, and what is reported or assumed.
    pub delay: Span,
    /// Whether part of `delay` is an assumption.
    pub assumed: bool,
    /// How long a packet lasts.
    pub packet: Span,
    /// What was agreed on, while it is up.
    pub sbc: Option<SbcParams>,
    /// Counts the times that the speaker began to play anew: connections, and stalls in which it must
    /// have run dry. Another number than before voids what was measured.
    pub start: u32,
    /// What happened to packets.
    pub counters: Counters,
    /// Packets that the radio has not taken, or is not done with where it tells.
    pub queue: f64,
    /// The longest that a packet took of late until the radio was done with it, where it tells.
    pub air: Option<Span>,
    /// The speaker's absolute volume, 0 to 127, where it has one.
    pub volume: Option<u8>,
    /// The speaker's battery, in percent, where it tells.
    pub battery: Option<u8>,
    /// The adapter, as in `hci0`.
    pub adapter: String,
}

/// The codec as people read it: `sbc mono 48000/29`.
pub fn codec_text(sbc: &SbcParams) -> String {
    let mode = match sbc.mode() {
        SbcMode::Mono => "mono",
        SbcMode::DualChannel => "dual",
        SbcMode::Stereo => "stereo",
        SbcMode::JointStereo => "joint stereo",
    };
    format!("sbc {mode} {}/{}", sbc.rate().hz(), sbc.bitpool())
}
