//! Sound for frames that never came.
//!
//! At a gap the last pitch period is repeated (found by normalised correlation, as in ITU-T G.711
//! appendix I), fading to silence over 60 ms; when frames return they are cross-faded in. G.711
//! delays everything to overlap the seam; here the seam is made smooth without delay: the error of
//! the repetition, which is known up to the last frame heard, is mirrored about that frame, which
//! continues its value and slope, and dies away within a millisecond.

use crate::media::Media;
use crate::ramp::smooth;

/// Frames of what was heard that are remembered: two periods of the longest pitch, and the seam.
const MEMORY: usize = 2_048;
/// The pitch periods looked for: 66 to 400 Hz at 48 kHz; higher tones are found as multiples.
const PERIODS: std::ops::Range<usize> = 120..720;
/// What is compared: 10 ms hold a period of any of these pitches or most of one.
const TEMPLATE: usize = 480;
/// The coarse search looks at every fourth frame and at every fourth period.
const COARSE: usize = 4;
/// The seam's length: 1.3 ms.
const SEAM: usize = 64;
/// For this long the repetition is as loud as what it repeats: 10 ms, two lost packets.
const STEADY: usize = 480;
/// After this long there is silence: 60 ms; a longer repetition sounds like a buzzer.
const SILENT: usize = 2_880;
/// Returning frames are cross-faded in over 4 ms.
const RETURN: usize = 192;

/// What was missing, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Losses {
    /// Frames replaced by synthesised sound.
    pub concealed: i64,
    /// Frames that were silence because the gap was long.
    pub silent: i64,
    /// Gaps that became silence.
    pub underruns: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    /// Frames come.
    Sound,
    /// Frames are missing; `age` have been so far.
    Gap { age: usize },
    /// Frames came back `frame` frames ago; the synthesis goes on beneath them.
    Return { age: usize, frame: usize },
}

/// Reads media and fills what is missing.
#[derive(Debug)]
pub(crate) struct Conceal {
    channels: usize,
    mode: Mode,
    /// The last frames given out, in a circle; `heard` counts them all.
    memory: Vec<f64>,
    heard: usize,
    /// The last [`MEMORY`] frames before the gap, in order, and their mean over channels.
    tail: Vec<f64>,
    mono: Vec<f64>,
    period: usize,
    synthesis: Vec<f64>,
}

impl Conceal {
    pub(crate) fn new(channels: usize) -> Self {
        Self {
            channels,
            mode: Mode::Sound,
            memory: vec![0.0; MEMORY * channels],
            heard: 0,
            tail: vec![0.0; MEMORY * channels],
            mono: vec![0.0; MEMORY],
            period: PERIODS.start,
            synthesis: vec![0.0; channels],
        }
    }

    /// Forgets what was heard: another place in the programme follows.
    pub(crate) fn reset(&mut self) {
        self.memory.fill(0.0);
        self.heard = 0;
        self.mode = Mode::Sound;
    }

    /// Whether the media have been missing for so long that there is silence.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self.mode, Mode::Gap { age } if age >= SILENT)
    }

    /// Fills `out` (interleaved) with the frames from `first` on.
    pub(crate) fn fill(&mut self, media: &Media, first: i64, out: &mut [f64], losses: &mut Losses) {
        for (frame, slot) in (first..).zip(out.chunks_exact_mut(self.channels)) {
            let present = media.read(frame, slot);
            if present && self.mode == Mode::Sound {
                self.remember(slot);
                continue;
            }
            self.advance(present, losses);
            self.mix(slot);
            self.remember(slot);
        }
    }

    /// The mode of the next frame, which is `present` or not.
    fn advance(&mut self, present: bool, losses: &mut Losses) {
        self.mode = match (present, self.mode) {
            (true, Mode::Sound) => Mode::Sound,
            (true, Mode::Gap { age }) => Mode::Return { age: age + 1, frame: 0 },
            (true, Mode::Return { frame, .. }) if frame + 1 >= RETURN => Mode::Sound,
            (true, Mode::Return { age, frame }) => Mode::Return { age: age + 1, frame: frame + 1 },
            (false, Mode::Gap { age }) => Mode::Gap { age: age + 1 },
            (false, Mode::Sound | Mode::Return { .. }) => self.begin(),
        };
        let Mode::Gap { age } = self.mode else { return };
        losses.underruns += u64::from(age == SILENT);
        if age >= SILENT {
            losses.silent += 1;
        } else {
            losses.concealed += 1;
        }
    }

    /// A gap begins here: learn the sound before it.
    fn begin(&mut self) -> Mode {
        if self.heard == 0 {
            return Mode::Gap { age: SILENT };
        }
        let split = self.heard % MEMORY * self.channels;
        let (newer, older) = self.memory.split_at(split);
        self.tail[..older.len()].copy_from_slice(older);
        self.tail[older.len()..].copy_from_slice(newer);
        for (mono, frame) in self.mono.iter_mut().zip(self.tail.chunks_exact(self.channels)) {
            *mono = frame.iter().sum();
        }
        self.period = period(&self.mono);
        Mode::Gap { age: 0 }
    }

    /// Puts the synthesis into `slot`, or under the frame that is there.
    fn mix(&mut self, slot: &mut [f64]) {
        match self.mode {
            Mode::Sound => {}
            Mode::Gap { age } => {
                self.synthesise(age);
                slot.copy_from_slice(&self.synthesis);
            }
            Mode::Return { age, frame } => {
                self.synthesise(age);
                let weight = smooth((frame + 1) as f64 / (RETURN + 1) as f64);
                for (x, beneath) in slot.iter_mut().zip(&self.synthesis) {
                    *x = weight * *x + (1.0 - weight) * beneath;
                }
            }
        }
    }

    fn synthesise(&mut self, age: usize) {
        let gain = match age {
            0..STEADY => 1.0,
            STEADY..SILENT => 1.0 - smooth((age - STEADY) as f64 / (SILENT - STEADY) as f64),
            _ => 0.0,
        };
        for channel in 0..self.channels {
            self.synthesis[channel] = if gain == 0.0 { 0.0 } else { gain * self.continued(channel, age) };
        }
    }

    /// The repetition `age` frames after the last frame heard, and what smooths its seam.
    fn continued(&self, channel: usize, age: usize) -> f64 {
        let repeated = self.repeated(channel, age);
        if age >= SEAM {
            return repeated;
        }
        let error = |back: usize| self.past(channel, back) - self.past(channel, back + self.period);
        let mirrored = 2.0 * error(0) - error(age + 1);
        repeated + mirrored * (1.0 - smooth((age + 1) as f64 / (SEAM + 1) as f64))
    }

    /// The last period over and over, its end led into its beginning over a quarter of it.
    fn repeated(&self, channel: usize, age: usize) -> f64 {
        let phase = age % self.period;
        let here = self.past(channel, self.period - 1 - phase);
        let lead = self.period / 4;
        let Some(into) = phase.checked_sub(self.period - lead) else { return here };
        let weight = smooth((into + 1) as f64 / (lead + 1) as f64);
        here + weight * (self.past(channel, 2 * self.period - 1 - phase) - here)
    }

    /// The frame `back` frames before the last one heard.
    fn past(&self, channel: usize, back: usize) -> f64 {
        self.tail[(MEMORY - 1 - back) * self.channels + channel]
    }

    fn remember(&mut self, frame: &[f64]) {
        let at = self.heard % MEMORY * self.channels;
        self.memory[at..at + self.channels].copy_from_slice(frame);
        // Kept from wrapping, and congruent, so that it counts and points at once.
        self.heard = if self.heard == 2 * MEMORY { MEMORY + 1 } else { self.heard + 1 };
    }
}

/// The period after which the end of `sound` resembles itself most.
fn period(sound: &[f64]) -> usize {
    let best = |periods: &mut dyn Iterator<Item = usize>, stride: usize| {
        periods
            .map(|period| (period, likeness(sound, period, stride)))
            .fold((PERIODS.start, f64::MIN), |best, next| if next.1 > best.1 { next } else { best })
            .0
    };
    let coarse = best(&mut PERIODS.step_by(COARSE), COARSE);
    let around = coarse.saturating_sub(COARSE).max(PERIODS.start)..(coarse + COARSE).min(PERIODS.end);
    best(&mut around.into_iter(), 1)
}

/// Normalised correlation of the last frames with those `period` earlier.
fn likeness(sound: &[f64], period: usize, stride: usize) -> f64 {
    let (mut product, mut energy) = (0.0, 1e-12);
    for at in (sound.len() - TEMPLATE..sound.len()).step_by(stride) {
        product += sound[at] * sound[at - period];
        energy += sound[at - period] * sound[at - period];
    }
    product / f64::sqrt(energy)
}

#[cfg(test)]
mod tests {
    use antiphon_base::{Chunk, Epoch, Frames};

    use super::*;

    fn tone(frame: i64) -> f32 {
        let t = frame as f64 / 48_000.0 * std::f64::consts::TAU;
        (0.5 * (220.0 * t).sin() + 0.3 * (660.0 * t + 1.0).sin()) as f32
    }

    /// Plays 1 s of a chord in which the frames of `lost` are missing.
    fn play(lost: std::ops::Range<i64>, sound: fn(i64) -> f32) -> (Vec<f64>, Losses) {
        let mut media = Media::new(60_000, 1);
        for (first, end) in [(0, lost.start), (lost.end, 48_000)] {
            let samples = (first..end).map(sound).collect();
            media.accept(&Chunk { epoch: Epoch(1), first_frame: Frames(first), channels: 1, samples });
        }
        let (mut conceal, mut losses) = (Conceal::new(1), Losses::default());
        let mut out = vec![0.0; 48_000];
        for (n, block) in out.chunks_mut(100).enumerate() {
            conceal.fill(&media, n as i64 * 100, block, &mut losses);
        }
        (out, losses)
    }

    fn roughest(sound: &[f64]) -> f64 {
        sound.windows(3).map(|w| (w[0] - 2.0 * w[1] + w[2]).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn a_lost_packet_in_a_chord_is_hardly_different_from_the_chord() {
        let (out, losses) = play(20_000..20_240, tone);
        let worst =
            (20_000..20_240).map(|n| (out[n as usize] - f64::from(tone(n))).abs()).fold(0.0, f64::max);
        assert!(worst < 0.02, "{worst}");
        assert_eq!(losses, Losses { concealed: 240, silent: 0, underruns: 0 });
    }

    #[test]
    fn no_seam_is_rougher_than_the_sound_around_it() {
        for length in [1, 37, 240, 960, 5_000] {
            let (out, _) = play(20_000..20_000 + length, tone);
            assert!(roughest(&out[19_900..]) < 1.5 * roughest(&out[10_000..19_900]), "{length}");
        }
    }

    #[test]
    fn a_long_gap_ends_in_silence_and_the_return_is_exact() {
        let (out, losses) = play(20_000..25_000, tone);
        assert!(out[20_000 + SILENT..25_000].iter().all(|x| *x == 0.0));
        assert_eq!(losses, Losses { concealed: SILENT as i64, silent: 5_000 - SILENT as i64, underruns: 1 });
        for n in 25_000 + RETURN as i64..48_000 {
            assert_eq!(out[n as usize], f64::from(tone(n)));
        }
    }

    #[test]
    fn a_gap_in_silence_before_anything_was_heard_is_silence() {
        let (out, losses) = play(0..480, tone);
        assert!(out[..480].iter().all(|x| *x == 0.0));
        assert_eq!((losses.concealed, losses.silent), (0, 480));
    }

    #[test]
    fn concealed_noise_is_no_louder_than_noise() {
        fn noise(frame: i64) -> f32 {
            (((frame as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f32 / 8_388_608.0) - 1.0
        }
        let (out, _) = play(20_000..20_480, noise);
        let loudest = out[20_000..20_480].iter().fold(0.0f64, |m, x| m.max(x.abs()));
        assert!(loudest < 3.0, "{loudest}");
        let power = out[20_064..20_480].iter().map(|x| x * x).sum::<f64>() / 416.0;
        assert!(power < 2.0 / 3.0, "{power}");
    }
}
