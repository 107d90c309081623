//! Samples to one FLAC frame a packet.

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use antiphon_base::SampleRate;
use flac_codec::encode::{FlacStreamWriter, Options};

use super::{BITS, check_channels};
use crate::pcm::code_24;
use crate::{CodecError, CodecKind, Encoder, frames_of};

/// Encodes 24-bit frames, numbered from 0 and round again at 2^36; decoders need not care.
pub struct FlacEncoder {
    writer: FlacStreamWriter<Shelf>,
    shelf: Shelf,
    channels: u16,
    codes: Vec<i32>,
}

impl FlacEncoder {
    /// A stream of `channels` channels (1 to 8).
    ///
    /// # Errors
    ///
    /// [`CodecError::Channels`].
    pub fn new(channels: u16) -> Result<Self, CodecError> {
        check_channels(channels)?;
        let shelf = Shelf::default();
        let writer = FlacStreamWriter::new(shelf.clone(), Options::default());
        Ok(Self { writer, shelf, channels, codes: Vec::new() })
    }
}

impl Encoder for FlacEncoder {
    fn encode(&mut self, samples: &[f32], out: &mut Vec<u8>) -> Result<(), CodecError> {
        frames_of(CodecKind::Flac, samples.len(), self.channels)?;
        self.codes.clear();
        self.codes.extend(samples.iter().map(|&x| code_24(x)));
        let written = self.writer.write(SampleRate::MEDIA.hz(), self.channels as u8, BITS, &self.codes);
        let mut frame = self.shelf.0.lock().unwrap_or_else(PoisonError::into_inner);
        if written.is_ok() {
            out.extend_from_slice(&frame);
        }
        frame.clear();
        written.map_err(|e| CodecError::Internal { kind: CodecKind::Flac, reason: e.to_string() })
    }
}

impl fmt::Debug for FlacEncoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlacEncoder").field("channels", &self.channels).finish_non_exhaustive()
    }
}

/// Where the frame is put: the stream writer owns its output and never gives it back, so both
/// sides hold the same buffer. It is never contended.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Vec<u8>>>);

impl Write for Shelf {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
