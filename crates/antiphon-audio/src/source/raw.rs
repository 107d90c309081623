//! Raw samples from a pipe.

use std::io::{ErrorKind, Read};

use antiphon_base::{Frames, SampleRate, Span};

use super::{Decode, PcmFormat, Problem};

/// Frames of a block, at most: 10 ms at 96 kHz, so that a slow pipe is heard without a wait.
const BLOCK: usize = 960;

/// Raw samples, without end until the pipe closes.
pub(super) struct RawDecoder {
    input: Box<dyn Read + Send>,
    /// After its end it goes on, with another writer.
    is_lasting: bool,
    format: PcmFormat,
    bytes: Vec<u8>,
    /// Bytes of a frame that has not come in whole.
    held: usize,
    frame: u64,
}

impl RawDecoder {
    pub(super) fn new(input: Box<dyn Read + Send>, format: PcmFormat) -> Self {
        let bytes = vec![0; BLOCK * format.frame_bytes()];
        Self { input, is_lasting: false, format, bytes, held: 0, frame: 0 }
    }

    /// Each end of `input` is only a writer's: another one begins after it, with a whole frame.
    pub(super) fn lasting(input: Box<dyn Read + Send>, format: PcmFormat) -> Self {
        Self { is_lasting: true, ..Self::new(input, format) }
    }

    fn at(&self) -> Span {
        let rate = SampleRate::new(self.format.rate).unwrap_or(SampleRate::MEDIA);
        rate.span_of(Frames(self.frame as i64))
    }
}

impl Decode for RawDecoder {
    fn decode(&mut self, out: &mut Vec<f32>) -> Result<bool, Problem> {
        let read = loop {
            match self.input.read(&mut self.bytes[self.held..]) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Problem::Read { at: self.at(), error }),
                Ok(read) => break read,
            }
        };
        // The bytes of a last frame that never came in whole are dropped: less than a frame is
        // no sound.
        if read == 0 {
            self.held = 0;
            return Ok(self.is_lasting);
        }
        let (width, frame_bytes) = (self.format.sample.bytes(), self.format.frame_bytes());
        let filled = self.held + read;
        let whole = filled / frame_bytes * frame_bytes;
        out.extend(self.bytes[..whole].chunks_exact(width).map(|bytes| self.format.sample.value(bytes)));
        self.bytes.copy_within(whole..filled, 0);
        self.held = filled - whole;
        self.frame += (whole / frame_bytes) as u64;
        Ok(true)
    }

    fn seek(&mut self, _frame: u64) -> Result<(), Problem> {
        Ok(())
    }
}
