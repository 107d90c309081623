//! rubato's position arithmetic, operation by operation.
//!
//! rubato 5.0.1 keeps `last_index`, the place of its last output frame relative to the input that
//! comes next, private. It follows from the ratios and block lengths alone (`asynchro.rs`:
//! `step_index`, `calculate_input_size`, `process_into_buffer`), so the same operations in the same
//! order give the same bits. The dependency's version is part of this contract: the resampler
//! asserts, block by block, that both want the same number of input frames.

/// What rubato knows about its own position.
#[derive(Debug, Clone)]
pub(super) struct Index {
    sinc_len: f64,
    original: f64,
    ratio: f64,
    last: f64,
}

impl Index {
    pub(super) fn new(sinc_len: usize, ratio: f64) -> Self {
        let sinc_len = sinc_len as f64;
        Self { sinc_len, original: ratio, ratio, last: -(sinc_len - 1.0) }
    }

    pub(super) fn reset(&mut self) {
        *self = Self { ratio: self.original, last: -(self.sinc_len - 1.0), ..*self };
    }

    /// The index of the next output frame at the present step.
    pub(super) fn next(&self) -> f64 {
        self.last + 1.0 / self.ratio
    }

    /// The index of the output frame after `frames` more at `step`, all counted from here.
    pub(super) fn next_after(&self, frames: usize, step: f64) -> f64 {
        self.last + (frames + 1) as f64 * step
    }

    /// Moves on by a block; the number of input frames that it takes.
    pub(super) fn advance(&mut self, frames: usize, target: f64, ramp: bool) -> usize {
        if !ramp {
            self.ratio = target;
        }
        let needed = self.input_frames(frames, target);
        let increment = (1.0 / target - 1.0 / self.ratio) / frames as f64;
        let (mut index, mut step) = (self.last, 1.0 / self.ratio);
        for _ in 0..frames {
            step += increment;
            index += step;
        }
        self.last = index - needed as f64;
        self.ratio = target;
        needed
    }

    fn input_frames(&self, frames: usize, target: f64) -> usize {
        let overshoot = 0.5 * (1.0 / target - 1.0 / self.ratio);
        let average = 0.5 * (1.0 / self.ratio + 1.0 / target);
        (self.last + frames as f64 * average + overshoot + self.sinc_len).ceil().max(0.0) as usize
    }
}
