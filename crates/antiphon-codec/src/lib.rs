//! Law: pure per chunk: no clock, no socket, no thread, no file, no unsafe; every decoder output
//! is finite and within +-1.
//!
//! One packet of samples in, one payload out, and back. Every stream of a hub runs at
//! [`SampleRate::MEDIA`](antiphon_base::SampleRate::MEDIA). Samples are interleaved `f32` with full
//! scale +-1.0.
//!
//! | codec | payload | state between packets | delay |
//! |---|---|---|---|
//! | L16 | RFC 3551 section 4.5.11, big-endian, TPDF dither | the dither generator only | 0 |
//! | L24 | RFC 3190 section 4, big-endian | none | 0 |
//! | FLAC | one RFC 9639 frame, 24 bit, subset header | none for the decoder | 0 |
//! | Opus | one RFC 6716 packet, CELT layer | both sides | 120 frames |
//!
//! One more for Bluetooth speakers, which does not travel in our packets and runs at the speaker's
//! own rate:
//!
//! | codec | frame | state between frames | delay |
//! |---|---|---|---|
//! | [SBC](sbc), encoder only | A2DP 1.3, appendix B | both sides | 73 frames with 8 subbands, 37 with 4 |

#![forbid(unsafe_code)]

mod kind;

mod pcm;

mod flac;

mod opus;

pub mod sbc;

pub use flac::{FlacDecoder, FlacEncoder};
pub use kind::{CodecError, CodecKind};
pub use opus::{OpusDecoder, OpusEncoder};
pub use pcm::{L16Decoder, L16Encoder, L24Decoder, L24Encoder};

use antiphon_base::Frames;

/// Turns packets of samples into payloads, in order.
pub trait Encoder: Send {
    /// Encodes `samples` (interleaved, a whole number of frames) as one payload appended to `out`.
    ///
    /// On an error `out` is as it was. What is not finite counts as 0, what is over full scale as
    /// full scale.
    ///
    /// # Errors
    ///
    /// [`CodecError::Length`] where the codec cannot carry that many frames.
    fn encode(&mut self, samples: &[f32], out: &mut Vec<u8>) -> Result<(), CodecError>;

    /// Forgets what came before: for the first packet of an epoch.
    fn reset(&mut self) {}
}

/// Turns payloads back into samples.
pub trait Decoder: Send {
    /// Decodes one payload and appends its interleaved samples to `out`; every one is finite and
    /// within +-1.
    ///
    /// The samples belong to the frames from `first_frame - kind.delay()` on, where `first_frame`
    /// is the first frame that was given to the encoder with this packet.
    ///
    /// # Errors
    ///
    /// [`CodecError::Payload`] for bytes that are no payload of this codec and channel count;
    /// `out` is then as it was, and the next payload may be decoded.
    fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> Result<(), CodecError>;

    /// Says that the packet of `frames` frames that was due here is lost. A codec with memory
    /// appends what it makes up for them, and its next payload then joins without a step; others
    /// append nothing. Returns the frames appended.
    fn lost(&mut self, _frames: Frames, _out: &mut Vec<f32>) -> Frames {
        Frames(0)
    }

    /// Forgets what came before: for the first packet of an epoch.
    fn reset(&mut self) {}
}

/// The most channels of a stream: the most that a source may have.
pub const MAX_CHANNELS: u16 = 8;

/// The most frames of a packet, 170 ms: what a FLAC subset stream at 48 kHz may hold is less
/// (4,608), and no packet of ours is longer. It bounds what a forged header can make us allocate.
pub const MAX_PACKET_FRAMES: Frames = Frames(8_192);

/// An encoder of packets of `packet_frames` frames of `channels` channels. Shorter packets (the end
/// of a programme) are accepted by every codec but Opus, which pads them with silence.
///
/// # Errors
///
/// [`CodecError::Channels`] or [`CodecError::Length`] where the codec has no such stream.
pub fn encoder(
    kind: CodecKind,
    channels: u16,
    packet_frames: Frames,
) -> Result<Box<dyn Encoder>, CodecError> {
    Ok(match kind {
        CodecKind::L16 => Box::new(L16Encoder::new(channels, pcm::DITHER_SEED)?),
        CodecKind::L24 => Box::new(L24Encoder::new(channels)?),
        CodecKind::Flac => Box::new(FlacEncoder::new(channels)?),
        CodecKind::Opus => Box::new(OpusEncoder::new(channels, packet_frames)?),
    })
}

/// A decoder of a stream of `channels` channels.
///
/// # Errors
///
/// [`CodecError::Channels`] where the codec has no such stream.
pub fn decoder(kind: CodecKind, channels: u16) -> Result<Box<dyn Decoder>, CodecError> {
    Ok(match kind {
        CodecKind::L16 => Box::new(L16Decoder::new(channels)?),
        CodecKind::L24 => Box::new(L24Decoder::new(channels)?),
        CodecKind::Flac => Box::new(FlacDecoder::new(channels)?),
        CodecKind::Opus => Box::new(OpusDecoder::new(channels)?),
    })
}

/// `sample` as it may be played or coded: not a number is silence, over full scale is full scale.
fn tamed(sample: f32) -> f32 {
    if sample.is_nan() { 0.0 } else { sample.clamp(-1.0, 1.0) }
}

/// The whole frames in `samples`, or why they are none.
fn frames_of(kind: CodecKind, samples: usize, channels: u16) -> Result<usize, CodecError> {
    let channels = usize::from(channels);
    let frames = samples / channels;
    if !samples.is_multiple_of(channels) || frames == 0 || frames as i64 > MAX_PACKET_FRAMES.0 {
        return Err(CodecError::Length { kind, samples, channels: channels as u16 });
    }
    Ok(frames)
}
