//! What comes at a pace of its own, made to go at another: frames in, a few more or fewer out.

use std::collections::VecDeque;

use antiphon_base::{Frames, SampleRate};

use crate::asrc::{Asrc, Filter, MAX_BLOCK};

/// Frames made at a time: the step is even within them.
const BLOCK: usize = MAX_BLOCK;

/// The most frames of input that a block can ask for: its step is at most one per cent from 1.
const APPETITE: usize = BLOCK + BLOCK / 50 + 4;

/// A resampler for a live source: at a step of 1 + 60e-6 it uses up the frames of a device that runs 60 ppm fast.
///
/// Frames leave it half a filter, 1.3 ms, after they came.
pub struct Varispeed {
    asrc: Asrc,
    channels: usize,
    held: VecDeque<f32>,
    most: usize,
    block: Vec<f64>,
}

impl Varispeed {
    /// For frames of `channels` samples at the media rate, of which up to `most` may be held at a time.
    pub fn new(channels: u16, most: Frames) -> Self {
        let channels = usize::from(channels.max(1));
        let most = (most.0.max(0) as usize + APPETITE) * channels;
        let mut asrc = Asrc::new(SampleRate::MEDIA, channels, Filter::Transparent);
        asrc.prime((0, 0.0), 1.0, |_, out| out.fill(0.0));
        let block = vec![0.0; BLOCK * channels];
        Self { asrc, channels, held: VecDeque::with_capacity(most), most, block }
    }

    /// Takes interleaved samples; how many frames, fewer than all where it holds all it may.
    pub fn push(&mut self, samples: &[f32]) -> Frames {
        let room = (self.most - self.held.len()) / self.channels;
        let frames = room.min(samples.len() / self.channels);
        self.held.extend(&samples[..frames * self.channels]);
        Frames(frames as i64)
    }

    /// Makes frames at `step` input frames each, as many as there is input for and room in `out`, in blocks of
    /// [`BLOCK_FRAMES`](Self::BLOCK_FRAMES); how many.
    pub fn pull(&mut self, step: f64, out: &mut [f32]) -> Frames {
        let mut made = 0;
        for to in out.chunks_exact_mut(BLOCK * self.channels) {
            if self.held.len() < APPETITE * self.channels {
                break;
            }
            let held = &mut self.held;
            self.asrc.render(&mut self.block, step, |_, input| {
                // There is enough, as asked above; a resampler that wants more than it said gets silence.
                input.iter_mut().for_each(|x| *x = held.pop_front().map_or(0.0, f64::from));
            });
            to.iter_mut().zip(&self.block).for_each(|(to, from)| *to = *from as f32);
            made += BLOCK;
        }
        Frames(made as i64)
    }

    /// [`pull`](Self::pull) makes multiples of so many frames.
    pub const BLOCK_FRAMES: usize = BLOCK;
}

impl std::fmt::Debug for Varispeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Varispeed").field("held", &(self.held.len() / self.channels)).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two seconds of a tone of 1 kHz and one of 3 kHz through it at `step`, in pieces of 10 ms.
    fn through(step: f64) -> Vec<f32> {
        let turn = std::f64::consts::TAU / 48.0;
        let tones: Vec<f32> = (0..96_000)
            .flat_map(|n| [f64::from(n) * turn, f64::from(n) * 3.0 * turn].map(|at| at.sin() as f32))
            .collect();
        let mut varispeed = Varispeed::new(2, Frames(4_800));
        let (mut all, mut block) = (Vec::new(), vec![0.0; 2 * 2 * Varispeed::BLOCK_FRAMES]);
        for piece in tones.chunks(960) {
            assert_eq!(varispeed.push(piece), Frames(480));
            let made = varispeed.pull(step, &mut block).0 as usize;
            all.extend_from_slice(&block[..2 * made]);
        }
        all
    }

    #[test]
    fn tones_come_out_as_tones_at_the_step_s_own_pitch() {
        for step in [1.0, 1.0 + 60e-6, 1.0 - 500e-6] {
            let all = through(step);
            for (channel, factor) in [(0, 1.0), (1, 3.0)] {
                let made: Vec<f64> = all.iter().skip(channel).step_by(2).map(|x| f64::from(*x)).collect();
                let turn = factor * step * std::f64::consts::TAU / 48.0;
                // Behind the filter's rise: the tone's own phase by least squares, and what is left of it.
                let part = &made[4_800..52_800];
                let wave = |n: usize| (n as f64 * turn).sin_cos();
                let sum = |f: &dyn Fn(f64, f64, f64) -> f64| -> f64 {
                    part.iter().enumerate().map(|(n, x)| f(*x, wave(n).0, wave(n).1)).sum()
                };
                let (ss, sc, cc) = (sum(&|_, s, _| s * s), sum(&|_, s, c| s * c), sum(&|_, _, c| c * c));
                let (xs, xc) = (sum(&|x, s, _| x * s), sum(&|x, _, c| x * c));
                let (a, b) =
                    ((xs * cc - xc * sc) / (ss * cc - sc * sc), (xc * ss - xs * sc) / (ss * cc - sc * sc));
                let left = sum(&|x, s, c| (x - a * s - b * c).powi(2));
                let db = 10.0 * (left / part.len() as f64 / 0.5).log10();
                assert!(db < -90.0, "step {step}, channel {channel}: {db:.1} dB beside the tone");
            }
        }
    }

    #[test]
    fn a_faster_step_uses_up_more() {
        let (slow, fast) = (through(1.0 - 500e-6).len() as i64 / 2, through(1.0 + 500e-6).len() as i64 / 2);
        // A per mille of two seconds, to within a block.
        assert!((slow - fast - 96).abs() <= BLOCK as i64, "{slow} {fast}");
    }

    #[test]
    fn it_holds_no_more_than_it_may() {
        let mut varispeed = Varispeed::new(1, Frames(1_000));
        let taken = varispeed.push(&[0.0; 96_000]);
        assert_eq!(taken.0, 1_000 + APPETITE as i64);
        assert_eq!(varispeed.push(&[0.0; 1]), Frames(0));
    }
}
