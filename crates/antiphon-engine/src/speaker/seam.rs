//! Where one stream takes over from another in the middle of a programme (another role, another
//! codec), the samples of both need not meet. A step there would be heard as a click, so the new
//! stream is bent for a few milliseconds to go on from where the old one ended.

use std::f32::consts::PI;

use antiphon_base::{Chunk, Epoch, Frames};

/// How long the bend takes, in frames: 5 ms, the shortest in which a full-scale step becomes no click.
const BEND: i64 = 240;

/// How fast the bend of the slope goes, in frames: long enough to hide the corner, short enough that a
/// steep wave is not followed far.
const CORNER: f32 = 8.0;

/// Codecs differ by less than this from each other, parts of a programme mostly by more.
const ALIKE: f32 = 0.03;

/// Most channels of a stream.
const CHANNELS: usize = 2;

type Frame = [f32; CHANNELS];

/// Remembers the end of what was handed over, and joins the next stream to it.
#[derive(Debug, Default)]
pub(super) struct Seam {
    epoch: Option<Epoch>,
    /// One past the last frame handed over.
    end: i64,
    /// The last two frames before `end`.
    last: Option<[Frame; 2]>,
    /// Where the present stream took over, and what it goes on from.
    joint: Option<(i64, [Frame; 2])>,
    bend: Option<Bend>,
}

/// How a stream begins at `at`. The same sound in another code differs from the old stream by a
/// little, and that difference is let go slowly; another sound comes in while the last value goes out.
#[derive(Debug, Clone, Copy)]
struct Bend {
    at: i64,
    last: Frame,
    old_slope: Frame,
    /// By how much the streams differ at `at`, in value and slope.
    value: Frame,
    slope: Frame,
}

impl Seam {
    /// From here on chunks are of another stream.
    pub fn open(&mut self) {
        self.joint = self.last.map(|last| (self.end, last));
        self.bend = None;
    }

    /// Bends `chunk` where it joins, and remembers its end. What the former stream has covered stays
    /// its own: packets of the new one from before the joint only set its decoder going.
    pub fn join(&mut self, chunk: &mut Chunk) {
        if self.epoch != Some(chunk.epoch) {
            *self = Self { epoch: Some(chunk.epoch), ..Self::default() };
        }
        if let Some((at, last)) = self.joint {
            cut_before(chunk, at);
            self.bend = self.bend.or_else(|| Bend::between(last, chunk, at));
        }
        if let Some(bend) = self.bend {
            bend.apply(chunk);
        }
        self.remember(chunk);
    }

    fn remember(&mut self, chunk: &Chunk) {
        let end = chunk.end().0;
        if (self.last.is_none() || end > self.end)
            && let (Some(before), Some(last)) = (frame_of(chunk, end - 2), frame_of(chunk, end - 1))
        {
            (self.end, self.last) = (end, Some([before, last]));
        }
    }
}

fn cut_before(chunk: &mut Chunk, at: i64) {
    let frames = (at - chunk.first_frame.0).clamp(0, chunk.frames().0);
    chunk.samples.drain(..frames as usize * usize::from(chunk.channels));
    chunk.first_frame = Frames(chunk.first_frame.0 + frames);
}

impl Bend {
    /// `None` where `chunk` does not begin at the joint: then the renderer conceals a gap there.
    fn between([before, last]: [Frame; 2], chunk: &Chunk, at: i64) -> Option<Self> {
        let (first, second) = (frame_of(chunk, at)?, frame_of(chunk, at + 1)?);
        let zero = [0.0; CHANNELS];
        let mut bend = Self { at, last, old_slope: zero, value: zero, slope: zero };
        for c in 0..CHANNELS {
            bend.old_slope[c] = last[c] - before[c];
            bend.value[c] = last[c] + bend.old_slope[c] - first[c];
            bend.slope[c] = bend.old_slope[c] - (second[c] - first[c]);
        }
        Some(bend)
    }

    fn apply(&self, chunk: &mut Chunk) {
        let channels = usize::from(chunk.channels);
        for (index, frame) in chunk.samples.chunks_exact_mut(channels.max(1)).enumerate() {
            let n = chunk.first_frame.0 + index as i64 - self.at;
            if !(0..BEND).contains(&n) {
                continue;
            }
            for (c, sample) in frame.iter_mut().enumerate() {
                *sample = self.bent(c % CHANNELS, n as f32, *sample);
            }
        }
    }

    fn bent(&self, c: usize, n: f32, sample: f32) -> f32 {
        let weight = 0.5 + 0.5 * (PI * n / BEND as f32).cos();
        let corner = (-n / CORNER).exp();
        if self.value[c].abs() < ALIKE {
            return sample + (self.value[c] + self.slope[c] * n * corner) * weight;
        }
        let held = self.last[c] + self.old_slope[c] * (n + 1.0) * corner;
        sample * (1.0 - weight) + held * weight
    }
}

/// One frame in two channels: a single one is both.
fn frame_of(chunk: &Chunk, at: i64) -> Option<Frame> {
    let channels = usize::from(chunk.channels);
    let index = usize::try_from(at - chunk.first_frame.0).ok()? * channels;
    let frame = chunk.samples.get(index..index + channels)?;
    match frame {
        [one] => Some([*one; CHANNELS]),
        [left, right, ..] => Some([*left, *right]),
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f32, first: i64, frames: i64) -> Chunk {
        let sample = |n: i64| 0.9 * (2.0 * PI * hz * n as f32 / 48_000.0).sin();
        let samples = (first..first + frames).map(sample).collect();
        Chunk { epoch: Epoch(1), first_frame: Frames(first), channels: 1, samples }
    }

    fn joined(chunks: impl IntoIterator<Item = (bool, Chunk)>) -> Vec<f32> {
        let mut seam = Seam::default();
        let mut out = Vec::new();
        for (other, mut chunk) in chunks {
            if other {
                seam.open();
            }
            seam.join(&mut chunk);
            out.extend(chunk.samples);
        }
        out
    }

    fn roughest(samples: &[f32]) -> f32 {
        samples.windows(3).map(|w| (w[0] - 2.0 * w[1] + w[2]).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn another_stream_takes_over_without_a_step_wherever_the_waves_stand() {
        for first in (100..400).step_by(7) {
            let chunks = [(false, tone(440.0, 0, first)), (true, tone(613.0, first, 240))];
            let after = (false, tone(613.0, first + 240, 240));
            let samples = joined(chunks.into_iter().chain([after]));
            // The tone's own second difference is 0.0058; a hard switch has up to 1.8.
            assert!(roughest(&samples) < 0.03, "{first}: {}", roughest(&samples));
            assert!(samples.iter().all(|s| s.abs() < 1.0), "{first}: louder than either");
        }
    }

    #[test]
    fn short_packets_share_one_bend() {
        let first = 190;
        let packets = (0..6).map(|k| (k == 0, tone(613.0, first + 60 * k, 60)));
        let samples = joined([(false, tone(440.0, 0, first))].into_iter().chain(packets));
        assert!(roughest(&samples) < 0.03, "{}", roughest(&samples));
        assert_eq!(samples[first as usize + 240..], tone(613.0, first + 240, 120).samples);
    }

    #[test]
    fn what_the_old_stream_has_covered_stays_its_own() {
        let mut seam = Seam::default();
        let mut old = tone(440.0, 0, 400);
        seam.join(&mut old);
        seam.open();
        // Asked for again, from before the switch: it arrives behind the packet that joins.
        let (mut joining, mut before) = (tone(613.0, 300, 300), tone(613.0, 60, 240));
        seam.join(&mut joining);
        seam.join(&mut before);
        assert_eq!((joining.first_frame, before.frames()), (Frames(400), Frames(0)));
        let samples: Vec<f32> = old.samples.iter().chain(&joining.samples).copied().collect();
        assert!(roughest(&samples) < 0.03, "{}", roughest(&samples));
    }

    #[test]
    fn what_follows_in_the_same_stream_is_left_as_it_is() {
        let samples = joined([(false, tone(440.0, 0, 240)), (false, tone(440.0, 240, 240))]);
        assert_eq!(samples, tone(440.0, 0, 480).samples);
    }

    #[test]
    fn beyond_a_gap_and_in_another_epoch_nothing_is_bent() {
        let apart = tone(613.0, 500, 240);
        let samples = joined([(false, tone(440.0, 0, 240)), (true, apart.clone())]);
        assert_eq!(samples[240..], apart.samples);
        let other = Chunk { epoch: Epoch(2), ..tone(613.0, 240, 240) };
        let samples = joined([(false, tone(440.0, 0, 240)), (true, other.clone())]);
        assert_eq!(samples[240..], other.samples);
    }

    #[test]
    fn one_channel_may_become_two() {
        let mono = tone(440.0, 0, 200);
        let samples = tone(613.0, 200, 240).samples.iter().flat_map(|s| [*s, -s]).collect();
        let mut stereo = Chunk { epoch: Epoch(1), first_frame: Frames(200), channels: 2, samples };
        let mut seam = Seam::default();
        seam.join(&mut mono.clone());
        seam.open();
        seam.join(&mut stereo);
        for channel in 0..2 {
            let after = stereo.samples.iter().skip(channel).step_by(2);
            let samples: Vec<f32> = mono.samples.iter().chain(after).copied().collect();
            assert!(roughest(&samples) < 0.03, "{channel}: {}", roughest(&samples));
        }
    }
}
