//! One reading of the programme: media, concealment, resampling, and a fade at each end.
//!
//! There are two, so that one can fade out while the other fades in at another place.

use antiphon_base::SampleRate;

use crate::asrc::{Asrc, Filter, MAX_BLOCK, Place};
use crate::conceal::{Conceal, Losses};
use crate::media::Media;
use crate::ramp::Ramp;

/// A voice.
pub(crate) struct Voice {
    asrc: Asrc,
    conceal: Conceal,
    fade: Ramp,
    step: f64,
    /// Which of the renderer's two media rings it reads.
    deck: usize,
    channels: usize,
    block: Vec<f64>,
}

impl Voice {
    pub(crate) fn new(dac_rate: SampleRate, channels: usize, filter: Filter) -> Self {
        Self {
            asrc: Asrc::new(dac_rate, channels, filter),
            conceal: Conceal::new(channels),
            fade: Ramp::at(0.0),
            step: 1.0,
            deck: 0,
            channels,
            block: vec![0.0; MAX_BLOCK * channels],
        }
    }

    /// Whether it sounds at all.
    pub(crate) fn is_live(&self) -> bool {
        !self.fade.is_silent()
    }

    /// Whether media have been missing for so long that it is silent.
    pub(crate) fn is_starved(&self) -> bool {
        self.conceal.is_silent()
    }

    pub(crate) fn deck(&self) -> usize {
        self.deck
    }

    pub(crate) fn step(&self) -> f64 {
        self.step
    }

    /// The media frame that sounds next.
    pub(crate) fn position(&self) -> Place {
        self.asrc.position()
    }

    /// How many media frames beyond the sounding one it reads.
    pub(crate) fn lookahead(&self) -> i64 {
        self.asrc.lookahead()
    }

    /// Begins at `place` of `media`, which is the renderer's ring `deck`, with `fade`.
    pub(crate) fn begin(&mut self, media: &Media, deck: usize, place: Place, step: f64, fade: Ramp) {
        self.conceal.reset();
        let conceal = &mut self.conceal;
        // What is missing before the first sounding frame is nobody's loss.
        let mut unheard = Losses::default();
        self.asrc.prime(place, step, |first, out| conceal.fill(media, first, out, &mut unheard));
        self.deck = deck;
        self.step = step;
        self.fade = fade;
    }

    /// Fades out over `frames`, unless it already does.
    pub(crate) fn end(&mut self, frames: usize) {
        if !self.fade.is_ending() {
            self.fade.go(0.0, frames);
        }
    }

    /// Is silent from here on, at once: for when the DAC was.
    pub(crate) fn cut(&mut self) {
        self.fade = Ramp::at(0.0);
    }

    /// Adds the next frames to `mix` (interleaved, at most a block), the step going to `step`.
    pub(crate) fn render(&mut self, media: &Media, step: f64, mix: &mut [f64], losses: &mut Losses) {
        let Self { asrc, conceal, block, .. } = self;
        let block = &mut block[..mix.len()];
        asrc.render(block, step, |first, out| conceal.fill(media, first, out, losses));
        self.step = step;
        for (to, from) in mix.chunks_exact_mut(self.channels).zip(block.chunks_exact(self.channels)) {
            let gain = self.fade.step();
            for (to, from) in to.iter_mut().zip(from) {
                *to += gain * from;
            }
        }
    }
}
