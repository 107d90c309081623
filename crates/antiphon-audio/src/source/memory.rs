//! Samples that are there already: a signal that was worked out.

use super::{Decode, Problem};

/// Frames of a block: 50 ms at the media rate.
const BLOCK: usize = 2_400;

/// Samples at the media rate.
pub(super) struct MemoryDecoder {
    samples: Vec<f32>,
    channels: usize,
    /// Samples that have been given.
    given: usize,
}

impl MemoryDecoder {
    /// `channels` interleaved in `samples`.
    pub(super) fn new(samples: Vec<f32>, channels: u16) -> Self {
        Self { samples, channels: usize::from(channels.max(1)), given: 0 }
    }
}

impl Decode for MemoryDecoder {
    fn decode(&mut self, out: &mut Vec<f32>) -> Result<bool, Problem> {
        let end = (self.given + BLOCK * self.channels).min(self.samples.len());
        out.extend_from_slice(&self.samples[self.given..end]);
        self.given = end;
        Ok(end < self.samples.len())
    }

    fn seek(&mut self, frame: u64) -> Result<(), Problem> {
        let sample = usize::try_from(frame).unwrap_or(usize::MAX).saturating_mul(self.channels);
        self.given = sample.min(self.samples.len());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use antiphon_base::Span;

    use crate::source::open_samples;

    #[test]
    fn samples_come_back_as_they_are_from_the_begin_and_from_any_place() {
        let samples: Vec<f32> = (0..20_000).map(|n| n as f32 / 20_000.0).collect();
        let mut source = open_samples(samples.clone(), 2, "a ramp");
        assert_eq!(source.info().frames.map(|frames| frames.0), Some(10_000));
        let mut read = Vec::new();
        assert_eq!(source.read(20_000, &mut read).unwrap(), 10_000);
        assert_eq!(read, samples);
        source.seek(Span::from_ms(100)).unwrap();
        read.clear();
        source.read(1, &mut read).unwrap();
        assert_eq!(read, samples[9_600..9_602]);
    }
}
