//! The last seconds of a stream, addressed by place in the whole stream.

use std::collections::VecDeque;

/// Keeps the last `capacity` samples of one channel.
#[derive(Debug)]
pub(super) struct Tape {
    samples: VecDeque<f32>,
    /// Place of the first sample kept.
    begin: i64,
    capacity: usize,
}

impl Tape {
    pub(super) fn new(capacity: usize) -> Self {
        Self { samples: VecDeque::new(), begin: 0, capacity }
    }

    pub(super) fn push(&mut self, sample: f32) {
        if self.samples.len() == self.capacity {
            self.samples.pop_front();
            self.begin += 1;
        }
        // A driver's nonsense must not poison every sum from here on.
        self.samples.push_back(if sample.is_finite() { sample } else { 0.0 });
    }

    /// Place of the first sample kept.
    pub(super) fn begin(&self) -> i64 {
        self.begin
    }

    /// Place after the last sample.
    pub(super) fn end(&self) -> i64 {
        self.begin + self.samples.len() as i64
    }

    /// The sample at `place`; silence where nothing is kept.
    pub(super) fn at(&self, place: i64) -> f64 {
        let index = usize::try_from(place - self.begin).ok();
        index.and_then(|i| self.samples.get(i)).map_or(0.0, |&x| f64::from(x))
    }

    /// Mean power of the samples from `place` on.
    pub(super) fn power(&self, place: i64, length: usize) -> f64 {
        (place..place + length as i64).map(|p| self.at(p).powi(2)).sum::<f64>() / length.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tape: &Tape, length: i64) -> Vec<f64> {
        (0..length).map(|p| tape.at(p)).collect()
    }

    #[test]
    fn a_tape_forgets_its_beginning_and_is_silent_outside() {
        let mut tape = Tape::new(4);
        (0u8..6).for_each(|n| tape.push(f32::from(n)));
        assert_eq!((tape.begin(), tape.end()), (2, 6));
        assert_eq!(read(&tape, 8), [0.0, 0.0, 2.0, 3.0, 4.0, 5.0, 0.0, 0.0]);
    }

    #[test]
    fn a_sample_that_is_no_number_is_silence() {
        let mut tape = Tape::new(4);
        [f32::NAN, f32::INFINITY, 0.5].into_iter().for_each(|x| tape.push(x));
        assert_eq!(read(&tape, 3), [0.0, 0.0, 0.5]);
    }
}
