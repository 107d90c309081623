//! Linear PCM in network byte order: L16 (RFC 3551 section 4.5.11) and L24 (RFC 3190 section 4).
//!
//! Scale: +-1.0 is 2^15 (2^23), and +1.0 itself, which has no code, takes the highest one. So every
//! code decodes to a value that encodes to the same code.

use crate::{CodecError, CodecKind, Decoder, Encoder, MAX_CHANNELS, frames_of, tamed};

/// Where the dither of a stream begins. Any constant does: one stream's noise needs only be
/// independent of its own signal, and two runs of a test must agree.
pub(crate) const DITHER_SEED: u64 = 0x0A27_1F40_D17E_5EED;

const L16_SCALE: f32 = 32_768.0;
const L24_SCALE: f32 = 8_388_608.0;

/// 16-bit PCM with triangular dither of +-1 step, which makes the rounding error a constant white
/// noise that does not follow the signal (Lipshitz, Wannamaker and Vanderkooy, JAES 40, 1992).
///
/// A packet that already lies on the 16-bit grid is sent as it is: there is no error to hide, and
/// a 16-bit file stays bit-exact.
#[derive(Debug)]
pub struct L16Encoder {
    channels: u16,
    dither: Dither,
}

impl L16Encoder {
    /// A stream of `channels` channels (1 to 8) whose dither begins at `seed`.
    ///
    /// # Errors
    ///
    /// [`CodecError::Channels`].
    pub fn new(channels: u16, seed: u64) -> Result<Self, CodecError> {
        check_channels(CodecKind::L16, channels)?;
        Ok(Self { channels, dither: Dither(seed) })
    }
}

impl Encoder for L16Encoder {
    fn encode(&mut self, samples: &[f32], out: &mut Vec<u8>) -> Result<(), CodecError> {
        frames_of(CodecKind::L16, samples.len(), self.channels)?;
        let on_grid = samples.iter().all(|&x| (tamed(x) * L16_SCALE).fract() == 0.0);
        out.reserve(samples.len() * 2);
        for &sample in samples {
            let noise = if on_grid { 0.0 } else { self.dither.triangular() };
            let code = (tamed(sample) * L16_SCALE + noise).round().clamp(-L16_SCALE, L16_SCALE - 1.0);
            out.extend_from_slice(&(code as i16).to_be_bytes());
        }
        Ok(())
    }
}

/// 24-bit PCM. The rounding error lies 146 dB down, under every converter's own noise, so there is
/// nothing for a dither to do.
#[derive(Debug)]
pub struct L24Encoder {
    channels: u16,
}

impl L24Encoder {
    /// A stream of `channels` channels (1 to 8).
    ///
    /// # Errors
    ///
    /// [`CodecError::Channels`].
    pub fn new(channels: u16) -> Result<Self, CodecError> {
        check_channels(CodecKind::L24, channels)?;
        Ok(Self { channels })
    }
}

impl Encoder for L24Encoder {
    fn encode(&mut self, samples: &[f32], out: &mut Vec<u8>) -> Result<(), CodecError> {
        frames_of(CodecKind::L24, samples.len(), self.channels)?;
        out.reserve(samples.len() * 3);
        for &sample in samples {
            out.extend_from_slice(&code_24(sample).to_be_bytes()[1..]);
        }
        Ok(())
    }
}

/// Decodes [`L16Encoder`]'s payloads.
#[derive(Debug)]
pub struct L16Decoder {
    channels: u16,
}

impl L16Decoder {
    /// A stream of `channels` channels (1 to 8).
    ///
    /// # Errors
    ///
    /// [`CodecError::Channels`].
    pub fn new(channels: u16) -> Result<Self, CodecError> {
        check_channels(CodecKind::L16, channels)?;
        Ok(Self { channels })
    }
}

impl Decoder for L16Decoder {
    fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> Result<(), CodecError> {
        check_payload(CodecKind::L16, payload, 2, self.channels)?;
        let codes = payload.as_chunks::<2>().0.iter().map(|&bytes| i16::from_be_bytes(bytes));
        out.extend(codes.map(|code| f32::from(code) / L16_SCALE));
        Ok(())
    }
}

/// Decodes [`L24Encoder`]'s payloads.
#[derive(Debug)]
pub struct L24Decoder {
    channels: u16,
}

impl L24Decoder {
    /// A stream of `channels` channels (1 to 8).
    ///
    /// # Errors
    ///
    /// [`CodecError::Channels`].
    pub fn new(channels: u16) -> Result<Self, CodecError> {
        check_channels(CodecKind::L24, channels)?;
        Ok(Self { channels })
    }
}

impl Decoder for L24Decoder {
    fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> Result<(), CodecError> {
        check_payload(CodecKind::L24, payload, 3, self.channels)?;
        // The code goes to the top of the word, so that the shift back extends its sign.
        let codes = payload.as_chunks::<3>().0.iter().map(|&[a, b, c]| i32::from_be_bytes([a, b, c, 0]) >> 8);
        out.extend(codes.map(|code| code as f32 / L24_SCALE));
        Ok(())
    }
}

/// The nearest 24-bit code.
pub(crate) fn code_24(sample: f32) -> i32 {
    // Saturating float to integer, then the one code that full scale is short of.
    ((tamed(sample) * L24_SCALE).round() as i32).min(8_388_607)
}

/// The value of a 24-bit code.
pub(crate) fn value_24(code: i32) -> f32 {
    tamed(code as f32 / L24_SCALE)
}

fn check_channels(kind: CodecKind, channels: u16) -> Result<(), CodecError> {
    if (1..=MAX_CHANNELS).contains(&channels) {
        return Ok(());
    }
    Err(CodecError::Channels { kind, channels, most: MAX_CHANNELS })
}

fn check_payload(kind: CodecKind, payload: &[u8], width: usize, channels: u16) -> Result<(), CodecError> {
    if payload.is_empty() || !payload.len().is_multiple_of(width) {
        return Err(CodecError::Payload { kind, reason: "not a whole number of samples" });
    }
    frames_of(kind, payload.len() / width, channels)
        .map(|_| ())
        .map_err(|_| CodecError::Payload { kind, reason: "not a whole number of frames, or too many" })
}

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): one addition and a mix for each draw.
#[derive(Debug)]
struct Dither(u64);

impl Dither {
    /// The sum of two uniform draws: triangular over +-1, mean 0.
    fn triangular(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let z = z ^ (z >> 31);
        let uniform = |bits: u64| (bits & 0xFF_FFFF) as f32 / 16_777_216.0;
        uniform(z) - uniform(z >> 32)
    }
}
