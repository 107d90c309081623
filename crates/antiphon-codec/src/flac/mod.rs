//! FLAC (RFC 9639): every payload is one frame with a subset header, so it says by itself what it
//! is and decodes alone.
//!
//! The encoder is `flac-codec`'s. The decoder is ours: payloads come from a network, and a frame
//! made by an enemy must neither overflow (which panics in a checked build) nor allocate.

mod bits;

mod encode;

mod header;

mod subframe;

mod decode;

pub use decode::FlacDecoder;
pub use encode::FlacEncoder;

use crate::{CodecError, CodecKind, MAX_CHANNELS};

/// Bits of a sample in every frame.
const BITS: u32 = 24;

fn check_channels(channels: u16) -> Result<(), CodecError> {
    if (1..=MAX_CHANNELS).contains(&channels) {
        return Ok(());
    }
    Err(CodecError::Channels { kind: CodecKind::Flac, channels, most: MAX_CHANNELS })
}
