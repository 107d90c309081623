//! From payloads to chunks in the renderer's ring.

use antiphon_base::{Chunk, Epoch, Frames};
use antiphon_codec::{Decoder, decoder};
use antiphon_proto::session::Codec;

use super::SpeakerEngine;
use crate::hub::kind_of;

/// The form of a stream of packets: another one needs a fresh decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StreamForm {
    pub stream: u32,
    pub epoch: Epoch,
    pub codec: Codec,
    pub channels: u16,
}

struct Line {
    form: StreamForm,
    decoder: Box<dyn Decoder>,
}

/// The decoder in use, made anew when the stream changes its form.
pub(super) struct Decoding {
    line: Option<Line>,
    /// Payloads that were no payload.
    pub malformed: u64,
}

impl Decoding {
    pub fn new() -> Self {
        Self { line: None, malformed: 0 }
    }

    fn line(&mut self, form: StreamForm) -> Option<&mut Line> {
        if self.line.as_ref().is_none_or(|line| line.form != form) {
            let decoder = decoder(kind_of(form.codec), form.channels).ok()?;
            self.line = Some(Line { form, decoder });
        }
        self.line.as_mut()
    }
}

impl SpeakerEngine {
    pub(super) fn decode_packet(&mut self, form: StreamForm, first_frame: Frames, payload: &[u8]) {
        let mut samples = Vec::new();
        let decoded =
            self.decoding.line(form).is_some_and(|line| line.decoder.decode(payload, &mut samples).is_ok());
        if decoded {
            let first_frame = first_frame - kind_of(form.codec).delay();
            self.hand_over(Chunk { epoch: form.epoch, first_frame, channels: form.channels, samples });
        } else {
            self.decoding.malformed += 1;
        }
    }

    /// A codec with memory makes up for what is lost; for others the renderer conceals.
    pub(super) fn decode_loss(&mut self, stream: u32, epoch: Epoch, first_frame: Frames, frames: Frames) {
        let of_this = |line: &&mut Line| line.form.stream == stream && line.form.epoch == epoch;
        let Some(line) = self.decoding.line.as_mut().filter(of_this) else { return };
        let mut samples = Vec::new();
        line.decoder.lost(frames, &mut samples);
        let first_frame = first_frame - kind_of(line.form.codec).delay();
        let channels = line.form.channels;
        if !samples.is_empty() {
            self.hand_over(Chunk { epoch, first_frame, channels, samples });
        }
    }

    fn hand_over(&mut self, chunk: Chunk) {
        if self.playout.push(chunk).is_err() {
            self.crowded += 1;
        }
    }
}
