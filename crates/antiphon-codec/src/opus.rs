//! Opus (RFC 6716) at 48 kHz, in its low-delay mode: the CELT layer alone, which is the one that
//! codes music, with an overlap of 2.5 ms.

use std::fmt;

use antiphon_base::{Frames, SampleRate};
use opus_pure::{Application, MAX_PACKET_BYTES, MAX_PACKET_SAMPLES, RateControl};

use crate::{CodecError, CodecKind, Decoder, Encoder, frames_of, tamed};

/// Bits a second and channel. 96 kbit/s is transparent to nearly all listeners of stereo at
/// 128 kbit/s and more (public tests of 2014); a lone channel cannot share with its neighbour.
const BITRATE_PER_CHANNEL: i32 = 96_000;

/// The largest Opus payload, in bytes: with headers and seal it fits a datagram of 1,200.
const MAX_PAYLOAD: usize = 1_020;

/// Encodes packets of one length; a shorter one (the end of a programme) is filled with silence.
#[derive(Debug)]
pub struct OpusEncoder {
    inner: opus_pure::OpusEncoder,
    channels: u16,
    frames: usize,
    input: Vec<f32>,
    packet: Vec<u8>,
}

impl OpusEncoder {
    /// A stream of 1 or 2 channels in packets of `packet_frames` (120, 240, 480 or 960).
    ///
    /// # Errors
    ///
    /// [`CodecError::Channels`], [`CodecError::Length`].
    pub fn new(channels: u16, packet_frames: Frames) -> Result<Self, CodecError> {
        check_channels(channels)?;
        if ![120, 240, 480, 960].contains(&packet_frames.0) {
            let samples = usize::try_from(packet_frames.0).unwrap_or(0) * usize::from(channels);
            return Err(CodecError::Length { kind: CodecKind::Opus, samples, channels });
        }
        let rate = SampleRate::MEDIA.hz() as i32;
        let mut inner =
            opus_pure::OpusEncoder::new(rate, usize::from(channels), Application::RestrictedLowDelay)
                .map_err(internal)?;
        inner.bitrate_bps = BITRATE_PER_CHANNEL * i32::from(channels);
        inner.rate_control = RateControl::ConstrainedVbr;
        Ok(Self {
            inner,
            channels,
            frames: packet_frames.0 as usize,
            input: Vec::new(),
            packet: vec![0; MAX_PACKET_BYTES.min(MAX_PAYLOAD)],
        })
    }
}

impl Encoder for OpusEncoder {
    fn encode(&mut self, samples: &[f32], out: &mut Vec<u8>) -> Result<(), CodecError> {
        let frames = frames_of(CodecKind::Opus, samples.len(), self.channels)?;
        if frames > self.frames {
            let (samples, channels) = (samples.len(), self.channels);
            return Err(CodecError::Length { kind: CodecKind::Opus, samples, channels });
        }
        self.input.clear();
        self.input.extend(samples.iter().map(|&x| tamed(x)));
        self.input.resize(self.frames * usize::from(self.channels), 0.0);
        let length = self.inner.encode(&self.input, self.frames, &mut self.packet).map_err(internal)?;
        out.extend_from_slice(&self.packet[..length]);
        Ok(())
    }

    fn reset(&mut self) {
        // It can only fail for settings that `new` has already accepted.
        let _ = self.inner.reset_state();
    }
}

/// Decodes Opus packets of any length and mode up to 120 ms.
pub struct OpusDecoder {
    inner: opus_pure::OpusDecoder,
    channels: u16,
    pcm: Vec<f32>,
}

impl OpusDecoder {
    /// A stream of 1 or 2 channels.
    ///
    /// # Errors
    ///
    /// [`CodecError::Channels`].
    pub fn new(channels: u16) -> Result<Self, CodecError> {
        check_channels(channels)?;
        let rate = SampleRate::MEDIA.hz() as i32;
        let inner = opus_pure::OpusDecoder::new(rate, usize::from(channels)).map_err(internal)?;
        Ok(Self { inner, channels, pcm: vec![0.0; MAX_PACKET_SAMPLES * usize::from(channels)] })
    }

    fn take(&mut self, frames: usize, out: &mut Vec<f32>) {
        let samples = (frames * usize::from(self.channels)).min(self.pcm.len());
        out.extend(self.pcm[..samples].iter().map(|&x| tamed(x)));
    }
}

impl Decoder for OpusDecoder {
    fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> Result<(), CodecError> {
        let refused = |reason| CodecError::Payload { kind: CodecKind::Opus, reason };
        if payload.is_empty() {
            return Err(refused("it is empty"));
        }
        let decoded = self.inner.decode(payload, MAX_PACKET_SAMPLES, &mut self.pcm);
        let frames = decoded.map_err(|_| refused("its frames do not add up"))?;
        self.take(frames, out);
        Ok(())
    }

    fn lost(&mut self, frames: Frames, out: &mut Vec<f32>) -> Frames {
        // The concealment works in steps of 2.5 ms and of at most one packet.
        let wanted = frames.0.clamp(0, MAX_PACKET_SAMPLES as i64) as usize / 120 * 120;
        if wanted == 0 {
            return Frames(0);
        }
        let Ok(made) = self.inner.decode(&[], wanted, &mut self.pcm) else { return Frames(0) };
        self.take(made, out);
        Frames(made as i64)
    }

    fn reset(&mut self) {
        // It can only fail for settings that `new` has already accepted.
        let _ = self.inner.reset_state();
    }
}

impl fmt::Debug for OpusDecoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpusDecoder").field("inner", &self.inner).finish_non_exhaustive()
    }
}

fn check_channels(channels: u16) -> Result<(), CodecError> {
    if (1..=2).contains(&channels) {
        return Ok(());
    }
    Err(CodecError::Channels { kind: CodecKind::Opus, channels, most: 2 })
}

fn internal(error: opus_pure::Error) -> CodecError {
    CodecError::Internal { kind: CodecKind::Opus, reason: error.to_string() }
}
