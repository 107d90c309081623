//! The encoder: one frame a call.

use super::allocation::{self, PerSubband};
use super::analysis::{Analysis, Blocks, Channel, MAX_BLOCKS, MAX_SUBBANDS};
use super::bits::{BitWriter, Crc};
use super::params::{SYNC, SbcMode, SbcParams};

/// A scale factor has four bits.
const MAX_SCALE_FACTOR: u8 = 15;

/// Turns samples into SBC frames.
///
/// After [`new`](Self::new) it allocates nothing, provided that the output has room, and takes about
/// the same time for any samples: it may be called from a real-time thread.
pub struct SbcEncoder {
    params: SbcParams,
    analysis: [Analysis; 2],
    blocks: [Blocks; 2],
}

/// A call with the wrong number of samples: the caller's fault; nothing was encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an SBC frame takes {wanted} samples in this configuration, not {given}")]
pub struct SbcLengthError {
    /// Samples given, of all channels.
    pub given: usize,
    /// Samples of a frame, of all channels.
    pub wanted: usize,
}

impl SbcEncoder {
    /// An encoder of frames of `params`, with silence behind it.
    pub fn new(params: SbcParams) -> Self {
        let silence = [[0.0; MAX_SUBBANDS]; MAX_BLOCKS];
        Self { params, analysis: [Analysis::new(), Analysis::new()], blocks: [silence; 2] }
    }

    /// What its frames are made of.
    pub fn params(&self) -> &SbcParams {
        &self.params
    }

    /// Encodes one frame and appends its [`frame_bytes`](SbcParams::frame_bytes) to `out`.
    ///
    /// `samples` are [`frame_samples`](SbcParams::frame_samples) times the channels, interleaved,
    /// full scale +-1.0. Not a number counts as 0, what is over full scale as full scale. They come
    /// out of a decoder [`delay`](SbcParams::delay) frames later.
    ///
    /// # Errors
    ///
    /// [`SbcLengthError`] for any other number of samples; `out` is then as it was.
    pub fn encode(&mut self, samples: &[f32], out: &mut Vec<u8>) -> Result<(), SbcLengthError> {
        let channels = usize::from(self.params.mode().channels());
        let wanted = self.params.frame_samples() * channels;
        if samples.len() != wanted {
            return Err(SbcLengthError { given: samples.len(), wanted });
        }
        self.split(samples);
        let start = out.len();
        out.resize(start + self.params.frame_bytes(), 0);
        self.write(&mut out[start..]);
        Ok(())
    }

    /// Forgets what came before: the next frame follows silence.
    pub fn reset(&mut self) {
        self.analysis.iter_mut().for_each(Analysis::reset);
    }

    fn split(&mut self, samples: &[f32]) {
        let subbands = usize::from(self.params.subbands());
        let ([first, second], [blocks, others]) = (&mut self.analysis, &mut self.blocks);
        if self.params.mode() == SbcMode::Mono {
            first.split(subbands, Channel::Only(samples), blocks);
        } else {
            first.split(subbands, Channel::Left(samples), blocks);
            second.split(subbands, Channel::Right(samples), others);
        }
    }

    /// Writes the frame that `blocks` hold.
    fn write(&mut self, frame: &mut [u8]) {
        let (joint, factors) = self.scale_factors();
        let (subbands, channels) =
            (usize::from(self.params.subbands()), usize::from(self.params.mode().channels()));
        let [_, first, second] = self.params.header();
        let mut crc = Crc::new();
        [first >> 4, first & 15, second >> 4, second & 15].iter().for_each(|nibble| crc.push(*nibble));
        let (head, body) = frame.split_at_mut(4);
        let mut writer = BitWriter::new(body);
        let mut side = |nibble: u8| {
            crc.push(nibble);
            writer.push(u32::from(nibble), 4);
        };
        if self.params.mode() == SbcMode::JointStereo {
            joint_nibbles(&joint, subbands).for_each(&mut side);
        }
        factors.iter().take(channels).flat_map(|of| &of[..subbands]).for_each(|factor| side(*factor));
        head.copy_from_slice(&[SYNC, first, second, crc.value()]);
        let bits = allocation::bits(&self.params, &factors);
        let blocks = usize::from(self.params.blocks());
        quantize(&self.blocks, blocks, channels, &factors, &bits, &mut writer);
        writer.finish();
    }

    /// The scale factors; where joint stereo takes fewer bits for a subband, after its samples have
    /// become the half sum and half difference of both channels.
    fn scale_factors(&mut self) -> ([bool; MAX_SUBBANDS], PerSubband) {
        let apart = self.blocks.each_ref().map(scale_factors);
        let mut joint = [false; MAX_SUBBANDS];
        if self.params.mode() != SbcMode::JointStereo {
            return (joint, apart);
        }
        let [left, right] = &mut self.blocks;
        let mut factors = apart;
        let together = [
            scale_factors_of(left, right, |l, r| 0.5 * (l + r)),
            scale_factors_of(left, right, |l, r| 0.5 * (l - r)),
        ];
        // The last subband is never joined: its flag is reserved.
        for i in 0..usize::from(self.params.subbands()) - 1 {
            joint[i] = together[0][i] + together[1][i] < apart[0][i] + apart[1][i];
            if joint[i] {
                (factors[0][i], factors[1][i]) = (together[0][i], together[1][i]);
            }
        }
        for (left, right) in left.iter_mut().zip(right) {
            for ((left, right), joint) in left.iter_mut().zip(right).zip(&joint) {
                let (sum, difference) = (0.5 * (*left + *right), 0.5 * (*left - *right));
                *left = if *joint { sum } else { *left };
                *right = if *joint { difference } else { *right };
            }
        }
        (joint, factors)
    }
}

/// The joint-stereo flags, first subband first, as written.
fn joint_nibbles(joint: &[bool; MAX_SUBBANDS], subbands: usize) -> impl Iterator<Item = u8> {
    let nibble = |flags: &[bool]| flags.iter().fold(0, |bits, flag| bits << 1 | u8::from(*flag));
    joint[..subbands].chunks(4).map(nibble)
}

fn scale_factors(blocks: &Blocks) -> [u8; MAX_SUBBANDS] {
    scale_factors_of(blocks, blocks, |x, _| x)
}

/// The scale factors of `mix` of two channels.
fn scale_factors_of(a: &Blocks, b: &Blocks, mix: impl Fn(f32, f32) -> f32) -> [u8; MAX_SUBBANDS] {
    let mut peaks = [0.0_f32; MAX_SUBBANDS];
    for (a, b) in a.iter().zip(b) {
        for ((peak, a), b) in peaks.iter_mut().zip(a).zip(b) {
            let size = mix(*a, *b).abs();
            *peak = if size > *peak { size } else { *peak };
        }
    }
    peaks.map(scale_factor)
}

/// The smallest scale factor `f` with `peak` under 2^(f + 1), but at most 15.
fn scale_factor(peak: f32) -> u8 {
    let exponent = (peak.to_bits() >> 23).saturating_sub(127);
    exponent.min(u32::from(MAX_SCALE_FACTOR)) as u8
}

/// Quantizes and writes every sample, block by block, channel by channel, subband by subband.
fn quantize(
    samples: &[Blocks; 2],
    blocks: usize,
    channels: usize,
    factors: &PerSubband,
    bits: &PerSubband,
    writer: &mut BitWriter<'_>,
) {
    let [first, second] = samples;
    let steps = [Steps::new(&factors[0], &bits[0]), Steps::new(&factors[1], &bits[1])];
    for (first, second) in first.iter().zip(second).take(blocks) {
        for ((samples, steps), bits) in [first, second].into_iter().zip(&steps).zip(bits).take(channels) {
            let levels = steps.levels_of(samples);
            for (level, bits) in levels.chunks_exact(2).zip(bits.chunks_exact(2)) {
                // Two at a time: at most 32 bits.
                writer.push(level[0] << bits[1] | level[1], u32::from(bits[0] + bits[1]));
            }
        }
    }
}

/// How the subbands of one channel are quantized: to the nearest of the levels 0 to `top`, where
/// `b` bits have 2^b - 1 levels.
struct Steps {
    gain: [f32; MAX_SUBBANDS],
    top: [f32; MAX_SUBBANDS],
}

impl Steps {
    fn new(factors: &[u8; MAX_SUBBANDS], bits: &[u8; MAX_SUBBANDS]) -> Self {
        let levels = bits.map(|bits| (1_u32 << bits) - 1);
        let mut gain = [0.0; MAX_SUBBANDS];
        for ((gain, levels), factor) in gain.iter_mut().zip(levels).zip(factors) {
            // 2^(factor + 2): from minus to plus the scale.
            *gain = levels as f32 / (4_u32 << factor) as f32;
        }
        Self { gain, top: levels.map(|levels| levels.saturating_sub(1) as f32) }
    }

    fn levels_of(&self, samples: &[f32; MAX_SUBBANDS]) -> [u32; MAX_SUBBANDS] {
        let mut levels = [0; MAX_SUBBANDS];
        for (i, nearest) in levels.iter_mut().enumerate() {
            let level = samples[i] * self.gain[i] + 0.5 * self.top[i];
            let level = if level > 0.0 { level } else { 0.0 };
            let level = if level < self.top[i] { level } else { self.top[i] };
            *nearest = (level + TO_WHOLE).to_bits() & 0xFFFF;
        }
        levels
    }
}

/// From 2^23 to 2^24 an f32 has no fraction: a sum with this is rounded to the nearest whole number,
/// which then is its lowest bits. A cast would do the same one by one, with its care for numbers
/// that cannot be here.
const TO_WHOLE: f32 = 12_582_912.0;
