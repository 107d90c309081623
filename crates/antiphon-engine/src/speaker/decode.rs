//! From payloads to chunks in the renderer's ring.

use antiphon_base::{Chunk, Epoch, Frames};
use antiphon_codec::{Decoder, decoder};
use antiphon_proto::session::Codec;

use super::SpeakerEngine;
use super::seam::Seam;
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
    /// Frames that a fresh decoder gives before those of the first packet: no part of the programme.
    run_in: Frames,
}

impl Line {
    fn decode(&mut self, first_frame: Frames, payload: &[u8]) -> Option<Chunk> {
        let mut samples = Vec::new();
        self.decoder.decode(payload, &mut samples).ok()?;
        let StreamForm { epoch, codec, channels, .. } = self.form;
        let drop = samples.len().min(self.run_in.0 as usize * usize::from(channels));
        samples.drain(..drop);
        let first_frame = first_frame - kind_of(codec).delay() + self.run_in;
        self.run_in = Frames(0);
        Some(Chunk { epoch, first_frame, channels, samples })
    }
}

/// The decoder in use, made anew when the stream changes its form.
pub(super) struct Decoding {
    line: Option<Line>,
    seam: Seam,
    /// Payloads that were no payload.
    pub malformed: u64,
}

impl Decoding {
    pub fn new() -> Self {
        Self { line: None, seam: Seam::default(), malformed: 0 }
    }

    /// Another hub, or another boot of it: epochs and frames are counted anew, so nothing joins.
    pub fn forget(&mut self) {
        (self.line, self.seam) = (None, Seam::default());
    }

    fn line(&mut self, form: StreamForm) -> Option<&mut Line> {
        if self.line.as_ref().is_none_or(|line| line.form != form) {
            let decoder = decoder(kind_of(form.codec), form.channels).ok()?;
            self.line = Some(Line { form, decoder, run_in: kind_of(form.codec).delay() });
            self.seam.open();
        }
        self.line.as_mut()
    }
}

impl SpeakerEngine {
    pub(super) fn decode_packet(&mut self, form: StreamForm, first_frame: Frames, payload: &[u8]) {
        let decoded = self.decoding.line(form).and_then(|line| line.decode(first_frame, payload));
        match decoded {
            Some(chunk) => self.hand_over(chunk),
            None => self.decoding.malformed += 1,
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

    fn hand_over(&mut self, mut chunk: Chunk) {
        self.decoding.seam.join(&mut chunk);
        if chunk.samples.is_empty() {
            return;
        }
        if self.playout.push(chunk).is_err() {
            self.crowded += 1;
        }
    }
}
