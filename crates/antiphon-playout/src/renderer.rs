//! The one door of the audio thread.

use antiphon_base::{Frames, SampleRate, Span};

use crate::controller::{Controller, Queues, queues};

/// What a renderer is made for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RendererConfig {
    /// The sink's nominal rate.
    pub dac_rate: SampleRate,
    /// The sink's channels, interleaved; 1 to 32.
    pub channels: u16,
    /// How much media to hold, at least two seconds to bridge what a network does.
    pub ring: Span,
    /// The most frames that one period has; longer ones are rendered all the same, in parts.
    pub max_period: Frames,
}

/// Turns media into what a sound card converts, period by period.
pub struct Renderer {
    queues: Queues,
}

impl Renderer {
    /// A renderer, silent until told otherwise, and the handle that feeds it.
    pub fn new(config: RendererConfig) -> (Self, Controller) {
        let ring = SampleRate::MEDIA.frames_in(config.ring).0.max(0) as usize;
        let (controller, queues) = queues(ring);
        (Self { queues }, controller)
    }

    /// Fills `out` (interleaved) with the frames from `first_dac_frame` on.
    pub fn render(&mut self, first_dac_frame: Frames, out: &mut [f32]) {
        let _ = first_dac_frame;
        while !self.queues.retired.is_full() {
            let Ok(chunk) = self.queues.chunks.pop() else { break };
            drop(self.queues.retired.push(chunk));
        }
        while self.queues.commands.pop().is_ok() {}
        let _ = &self.queues.telemetry;
        out.fill(0.0);
    }
}
