//! Convolution of a running signal with a response, block by block (Gardner's uniform partitions).

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

/// Frames that are computed at a time: 85 ms.
pub const BLOCK: usize = 4_096;

/// One loudspeaker's way to the microphone, for signals of any length.
///
/// Blocks come out as they went in: output frame `n` is what input frames up to `n` make there.
pub struct Convolver {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    parts: Vec<Vec<Complex<f32>>>,
    /// Spectra of the last blocks, the newest at `newest`.
    history: Vec<Vec<Complex<f32>>>,
    newest: usize,
    /// Last block and this one.
    window: Vec<f32>,
}

impl Convolver {
    /// For this response, of any length.
    pub fn new(response: &[f32]) -> Self {
        let mut planner = RealFftPlanner::new();
        let forward = planner.plan_fft_forward(2 * BLOCK);
        let spectrum = |part: &[f32]| {
            let mut padded: Vec<f32> = part.iter().map(|x| x / (2 * BLOCK) as f32).collect();
            padded.resize(2 * BLOCK, 0.0);
            let mut spectrum = forward.make_output_vec();
            forward.process(&mut padded, &mut spectrum).expect("both have the planned lengths");
            spectrum
        };
        let parts: Vec<_> = response.chunks(BLOCK).map(spectrum).collect();
        Self {
            inverse: planner.plan_fft_inverse(2 * BLOCK),
            history: vec![forward.make_output_vec(); parts.len()],
            newest: 0,
            window: vec![0.0; 2 * BLOCK],
            forward,
            parts,
        }
    }

    /// Adds to `out` what the next block of input makes at the microphone; both hold [`BLOCK`] frames, and
    /// what is missing counts as silence.
    pub fn add_block(&mut self, input: &[f32], out: &mut [f32]) {
        if self.parts.is_empty() {
            return;
        }
        self.window.copy_within(BLOCK.., 0);
        for (i, place) in self.window[BLOCK..].iter_mut().enumerate() {
            *place = input.get(i).copied().unwrap_or(0.0);
        }
        self.newest = (self.newest + 1) % self.history.len();
        let mut scratch = self.window.clone();
        self.forward
            .process(&mut scratch, &mut self.history[self.newest])
            .expect("both have the planned lengths");
        let mut sum = self.sum();
        self.inverse.process(&mut sum, &mut scratch).expect("both have the planned lengths");
        out.iter_mut().zip(&scratch[BLOCK..]).for_each(|(out, x)| *out += x);
    }

    fn sum(&self) -> Vec<Complex<f32>> {
        let mut sum = self.forward.make_output_vec();
        let blocks = self.history.len();
        for (age, part) in self.parts.iter().enumerate() {
            let spectrum = &self.history[(self.newest + blocks - age) % blocks];
            for ((sum, a), b) in sum.iter_mut().zip(part).zip(spectrum) {
                *sum += a * b;
            }
        }
        sum[0].im = 0.0;
        sum[BLOCK].im = 0.0;
        sum
    }
}

/// A whole signal, convolved and as much longer as the response is.
pub fn convolve(signal: &[f32], response: &[f32]) -> Vec<f32> {
    let frames = signal.len() + response.len();
    let mut out = vec![0.0; frames.next_multiple_of(BLOCK)];
    let mut convolver = Convolver::new(response);
    for (i, block) in out.chunks_mut(BLOCK).enumerate() {
        let begin = (i * BLOCK).min(signal.len());
        convolver.add_block(&signal[begin..(begin + BLOCK).min(signal.len())], block);
    }
    out.truncate(frames);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn a_response_of_several_blocks_gives_what_the_definition_gives() {
        let mut rng = Rng::new(1);
        let mut draw = |n: usize| -> Vec<f32> { (0..n).map(|_| rng.normal(1.0) as f32).collect() };
        let (signal, response) = (draw(9_000), draw(10_000));
        let out = convolve(&signal, &response);
        for n in [0usize, 1, 4_095, 4_096, 9_500, 18_998] {
            let wanted: f64 = (n.saturating_sub(9_999)..=n.min(8_999))
                .map(|i| f64::from(signal[i]) * f64::from(response[n - i]))
                .sum();
            assert!((f64::from(out[n]) - wanted).abs() < 1e-3, "{n}: {} {wanted}", out[n]);
        }
    }
}
