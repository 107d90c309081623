//! The analysis filterbank: samples in, critically sampled subbands out (A2DP 1.3, appendix B).

use super::tables::{COSINES_4, COSINES_8, WINDOW_4, WINDOW_8};

/// Blocks of a frame, at most.
pub(super) const MAX_BLOCKS: usize = 16;
/// Subbands, at most.
pub(super) const MAX_SUBBANDS: usize = 8;

/// One channel's subband samples of a frame: blocks of subbands; what is not used stays 0.
pub(super) type Blocks = [[f32; MAX_SUBBANDS]; MAX_BLOCKS];

/// Samples of older frames that the first block of a frame still hears, at most.
const MAX_PAST: usize = 9 * MAX_SUBBANDS;

/// Under this a sample is silence, -300 dB: a long fade never reaches the numbers that processors
/// are slow with.
const SILENCE: f32 = 1e-15;

/// The filterbank of one channel.
pub(super) struct Analysis {
    /// Oldest first: nine blocks of the past, then the frame.
    line: [f32; MAX_PAST + MAX_BLOCKS * MAX_SUBBANDS],
}

impl Analysis {
    pub(super) fn new() -> Self {
        Self { line: [0.0; _] }
    }

    pub(super) fn reset(&mut self) {
        self.line.fill(0.0);
    }

    /// Splits one channel of interleaved `samples`, a frame of `subbands` (4 or 8) times at most 16,
    /// into `blocks`.
    pub(super) fn split(&mut self, subbands: usize, samples: Channel<'_>, blocks: &mut Blocks) {
        let past = 9 * subbands;
        let frame = &mut self.line[past..];
        let length = match samples {
            Channel::Only(samples) => fill(frame, samples.iter()),
            Channel::Left(samples) => fill(frame, samples.as_chunks().0.iter().map(|[left, _]| left)),
            Channel::Right(samples) => fill(frame, samples.as_chunks().0.iter().map(|[_, right]| right)),
        };
        let end = past + length;
        if subbands == 8 {
            let windows = (0..length / 8).filter_map(|b| self.line[8 * b..].first_chunk());
            windows.zip(blocks).for_each(|(window, out)| eight(window, out));
        } else {
            let windows = (0..length / 4).filter_map(|b| self.line[4 * b..].first_chunk());
            windows.zip(blocks).for_each(|(window, out)| four(window, out));
        }
        self.line.copy_within(end - past..end, 0);
    }
}

/// One channel of interleaved samples.
#[derive(Clone, Copy)]
pub(super) enum Channel<'a> {
    Only(&'a [f32]),
    Left(&'a [f32]),
    Right(&'a [f32]),
}

fn fill<'a>(line: &mut [f32], samples: impl ExactSizeIterator<Item = &'a f32>) -> usize {
    let length = samples.len().min(line.len());
    line.iter_mut().zip(samples).for_each(|(place, sample)| *place = tamed(*sample));
    length
}

fn tamed(sample: f32) -> f32 {
    // Not a number compares as false.
    if sample.abs() > SILENCE { sample.clamp(-1.0, 1.0) } else { 0.0 }
}

/// One block of 8 subbands from the last 80 samples, oldest first.
///
/// The sum of the five groups is symmetric about its fifth newest value as far as the cosines can
/// tell, and antisymmetric about its thirteenth: sixteen values fold into eight.
fn eight(samples: &[f32; 80], out: &mut [f32; 8]) {
    let sums = windowed::<80, 16>(samples, &WINDOW_8);
    // sums[15 - k] is the standard's Y[k].
    let folded = [
        sums[11],
        sums[12] + sums[10],
        sums[13] + sums[9],
        sums[14] + sums[8],
        sums[15] + sums[7],
        sums[6] - sums[0],
        sums[5] - sums[1],
        sums[4] - sums[2],
    ];
    *out = matrixed(&folded, &COSINES_8);
}

/// One block of 4 subbands from the last 40 samples.
fn four(samples: &[f32; 40], out: &mut [f32; 8]) {
    let sums = windowed::<40, 8>(samples, &WINDOW_4);
    let folded = [sums[5], sums[6] + sums[4], sums[7] + sums[3], sums[2] - sums[0]];
    out[..4].copy_from_slice(&matrixed(&folded, &COSINES_4));
}

/// The five groups of a window, added up. On its own on purpose: joined with the folding, compilers
/// load every sample singly for its place in the fold, which takes almost twice as long.
#[inline(never)]
fn windowed<const TAPS: usize, const WIDTH: usize>(
    samples: &[f32; TAPS],
    window: &[f32; TAPS],
) -> [f32; WIDTH] {
    let mut sums = [0.0; WIDTH];
    for (samples, window) in samples.as_chunks::<WIDTH>().0.iter().zip(window.as_chunks::<WIDTH>().0) {
        for i in 0..WIDTH {
            sums[i] += samples[i] * window[i];
        }
    }
    sums
}

/// The cosines are the same, but for the sign of every odd row, in the upper half of the subbands.
#[inline(always)]
fn matrixed<const N: usize, const HALF: usize>(folded: &[f32; N], cosines: &[[f32; HALF]; N]) -> [f32; N] {
    let (mut even, mut odd) = ([0.0; HALF], [0.0; HALF]);
    for ([first, second], [to_even, to_odd]) in folded.as_chunks().0.iter().zip(cosines.as_chunks().0) {
        for i in 0..HALF {
            even[i] += first * to_even[i];
            odd[i] += second * to_odd[i];
        }
    }
    let mut out = [0.0; N];
    for i in 0..HALF {
        out[i] = even[i] + odd[i];
        out[N - 1 - i] = even[i] - odd[i];
    }
    out
}

#[cfg(test)]
mod tests {
    use std::f64::consts::PI;

    use super::*;

    /// The standard's own formulas, sample by sample.
    fn by_the_book(subbands: usize, samples: &[f32]) -> Vec<f64> {
        let window: &[f32] = if subbands == 8 { &WINDOW_8 } else { &WINDOW_4 };
        let newest_first =
            |k: usize| f64::from(samples[samples.len() - 1 - k]) * f64::from(window[window.len() - 1 - k]);
        let y = |k: usize| (0..5).map(|j| newest_first(k + 2 * subbands * j)).sum::<f64>();
        let cosine = |i: usize, k: usize| {
            ((i as f64 + 0.5) * (k as f64 - subbands as f64 / 2.0) * PI / subbands as f64).cos()
        };
        (0..subbands).map(|i| (0..2 * subbands).map(|k| cosine(i, k) * y(k)).sum()).collect()
    }

    #[test]
    fn the_folded_filterbank_is_the_one_of_the_standard() {
        for subbands in [4, 8] {
            let noise = |n: usize| ((n * n * 7_919 + n * 104_729) % 2_003) as f32 / 1_001.5 - 1.0;
            let samples: Vec<f32> = (0..4 * 16 * subbands).map(noise).collect();
            let (mut analysis, mut blocks) = (Analysis::new(), [[0.0; 8]; 16]);
            for (f, frame) in samples.chunks(16 * subbands).enumerate() {
                analysis.split(subbands, Channel::Only(frame), &mut blocks);
                for (b, got) in blocks.iter().enumerate().filter(|_| f > 0) {
                    let end = (f * 16 + b + 1) * subbands;
                    for (want, got) in
                        by_the_book(subbands, &samples[end - 10 * subbands..end]).iter().zip(got)
                    {
                        assert!((want - f64::from(*got)).abs() < 0.05, "{want} {got}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_sound_is_silence() {
        for sample in [f32::NAN, 1e-40, -1e-20, 0.0] {
            assert_eq!(tamed(sample), 0.0);
        }
        assert_eq!((tamed(f32::INFINITY), tamed(-7.0), tamed(0.25)), (1.0, -1.0, 0.25));
    }
}
