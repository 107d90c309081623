//! The seam between encode and transport.

use antiphon_base::{Epoch, Frames, Hub, Timestamp};

use super::variant::Variant;

/// One encoded unit of one variant with its place in the programme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodedUnit<'a> {
    /// The stream that it belongs to.
    pub variant: Variant,
    /// The epoch that it belongs to.
    pub epoch: Epoch,
    /// Its first media frame.
    pub first_frame: Frames,
    /// When that frame leaves the loudspeakers.
    pub presentation: Timestamp<Hub>,
    /// The codec's bytes.
    pub payload: &'a [u8],
}

/// Whatever takes encoded units onward: the hub's own sessions, or hubs of other halls. Nothing
/// above it knows about sockets.
pub trait FanOut {
    /// Takes one unit. It must not block, and what it cannot take it drops and counts.
    fn fan_out(&mut self, now: Timestamp<Hub>, unit: EncodedUnit<'_>);
}
