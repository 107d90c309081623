//! One FLAC frame a packet to samples.

use super::bits::{Bits, crc16};
use super::header::{self, Layout};
use super::{check_channels, subframe};
use crate::pcm::value_24;
use crate::{CodecError, CodecKind, Decoder};

/// Decodes lone frames of 24 bit at 48 kHz, in any order.
#[derive(Debug)]
pub struct FlacDecoder {
    channels: u16,
    /// The channels of one frame, one after the other.
    codes: Vec<i32>,
}

impl FlacDecoder {
    /// A stream of `channels` channels (1 to 8).
    ///
    /// # Errors
    ///
    /// [`CodecError::Channels`].
    pub fn new(channels: u16) -> Result<Self, CodecError> {
        check_channels(channels)?;
        Ok(Self { channels, codes: Vec::new() })
    }

    /// Decodes into `self.codes` and says how many frames there are.
    fn decode_codes(&mut self, payload: &[u8]) -> Result<usize, &'static str> {
        let mut bits = Bits::new(payload);
        let header = header::read(payload, &mut bits)?;
        if header.channels != self.channels {
            return Err("it has another number of channels than its stream");
        }
        // Damage is found before anything is decoded from it.
        let (body, checksum) = payload.split_last_chunk::<2>().ok_or("it is cut off")?;
        if crc16(body) != u16::from_be_bytes(*checksum) {
            return Err("its checksum is wrong");
        }
        let mut bits = bits.within(body);
        self.codes.resize(header.frames * usize::from(header.channels), 0);
        for (index, channel) in self.codes.chunks_exact_mut(header.frames).enumerate() {
            subframe::read(&mut bits, header.layout.bits(index), channel)?;
        }
        if bits.align() != body.len() {
            return Err("there is more in it than one frame");
        }
        if let Some((first, second)) = self.codes.split_at_mut_checked(header.frames) {
            correlate(header.layout, first, second);
        }
        Ok(header.frames)
    }
}

impl Decoder for FlacDecoder {
    fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> Result<(), CodecError> {
        let frames = self
            .decode_codes(payload)
            .map_err(|reason| CodecError::Payload { kind: CodecKind::Flac, reason })?;
        out.reserve(self.codes.len());
        for frame in 0..frames {
            out.extend(self.codes[frame..].iter().step_by(frames).map(|&code| value_24(code)));
        }
        Ok(())
    }
}

/// Turns the coded pair into left and right.
fn correlate(layout: Layout, first: &mut [i32], second: &mut [i32]) {
    for (a, b) in first.iter_mut().zip(second) {
        match layout {
            Layout::Independent => return,
            Layout::LeftSide => *b = a.wrapping_sub(*b),
            Layout::SideRight => *a = a.wrapping_add(*b),
            Layout::MidSide => {
                // The mean lost its lowest bit, which is the difference's.
                let sum = a.wrapping_mul(2) | (*b & 1);
                (*a, *b) = (sum.wrapping_add(*b) >> 1, sum.wrapping_sub(*b) >> 1);
            }
        }
    }
}
