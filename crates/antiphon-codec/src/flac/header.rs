//! The frame header (RFC 9639 section 9.1).

use antiphon_base::SampleRate;

use super::BITS;
use super::bits::{Bits, crc8};
use crate::MAX_PACKET_FRAMES;

/// How the coded channels make the true ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    Independent,
    LeftSide,
    SideRight,
    MidSide,
}

impl Layout {
    /// Bits of a sample of coded channel `index`: a difference needs one more.
    pub(super) fn bits(self, index: usize) -> u32 {
        let side = match self {
            Self::Independent => false,
            Self::LeftSide | Self::MidSide => index == 1,
            Self::SideRight => index == 0,
        };
        BITS + u32::from(side)
    }
}

/// What a frame header says that a stream of ours may differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) frames: usize,
    pub(super) channels: u16,
    pub(super) layout: Layout,
}

/// Reads the header of a frame at 48 kHz and 24 bit; the payload's first bits are its sync code.
pub(super) fn read(payload: &[u8], bits: &mut Bits<'_>) -> Result<Header, &'static str> {
    let mut next = |count| bits.unsigned(count).map_err(|_| "its header is cut off");
    // Fixed or variable blocks: a lone frame does not care.
    if next(15)? != 0b111_1111_1111_1100 {
        return Err("it does not begin with a frame");
    }
    next(1)?;
    let (block, rate, assignment) = (next(4)?, next(4)?, next(4)?);
    if next(3)? != 0b110 {
        return Err("its samples are not of 24 bit");
    }
    next(1)?;
    let number_first = next(8)?;
    // The number is written like UTF-8: the ones before the first zero count the bytes.
    let more = match (number_first as u8).leading_ones() {
        0 => 0,
        n @ 2..=7 => n - 1,
        _ => return Err("its frame number is not coded as RFC 9639 says"),
    };
    for _ in 0..more {
        next(8)?;
    }
    let frames = match block {
        1 => 192,
        n @ 2..=5 => 144 << n,
        6 => next(8)? + 1,
        7 => next(16)? + 1,
        n @ 8..=15 => 1 << n,
        _ => return Err("its block size is reserved"),
    };
    let hz = match rate {
        10 => 48_000,
        12 => next(8)? * 1_000,
        13 => next(16)?,
        14 => next(16)? * 10,
        _ => 0,
    };
    let (channels, layout) = match assignment {
        n @ 0..=7 => (n as u16 + 1, Layout::Independent),
        8 => (2, Layout::LeftSide),
        9 => (2, Layout::SideRight),
        10 => (2, Layout::MidSide),
        _ => return Err("its channel assignment is reserved"),
    };
    let length = bits.align();
    let checksum = bits.unsigned(8).map_err(|_| "its header is cut off")?;
    if checksum != u32::from(crc8(&payload[..length])) {
        return Err("its header's checksum is wrong");
    }
    if hz != SampleRate::MEDIA.hz() {
        return Err("its rate is not 48 kHz");
    }
    if i64::from(frames) > MAX_PACKET_FRAMES.0 {
        return Err("its block is too long");
    }
    Ok(Header { frames: frames as usize, channels, layout })
}
