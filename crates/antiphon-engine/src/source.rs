//! The programme as the hub holds it: a window of the source's frames around what is being sent.
//!
//! Frames are numbered by their place in the source. Those already sent are kept for as long as a
//! pause may need to go back to what was last *heard*, which is later than what was last sent by
//! the target latency.

use std::collections::VecDeque;

use antiphon_base::{Frames, SampleRate, Span};

/// How far ahead of sending a source may be pushed: enough for a player process that is stalled
/// for a second, small enough (3 MB of 8 channels, 12 MB of the 32 of a measurement) to hold for every programme.
pub const AHEAD: Span = Span::from_s(2);

/// How long sent frames are kept beyond the target latency.
const KEPT: Span = Span::from_s(1);

/// A bounded window of interleaved source frames.
#[derive(Debug)]
pub struct SourceWindow {
    channels: usize,
    /// Source frame number of the first frame held.
    first: i64,
    samples: VecDeque<f32>,
    finished: bool,
}

impl SourceWindow {
    /// An empty window that starts at source frame `first`.
    pub fn new(channels: u16, first: Frames) -> Self {
        Self {
            channels: usize::from(channels.max(1)),
            first: first.0,
            samples: VecDeque::new(),
            finished: false,
        }
    }

    /// The frame after the last one held.
    pub fn end(&self) -> Frames {
        Frames(self.first + (self.samples.len() / self.channels) as i64)
    }

    /// How many more frames may be pushed, for `ahead` to be held while `sent` is the next frame to send.
    pub fn room(&self, sent: Frames, ahead: Span) -> Frames {
        let held = self.end() - sent;
        Frames((SampleRate::MEDIA.frames_in(ahead).0 - held.0).max(0))
    }

    /// Takes interleaved samples; what would exceed the window's room twice over is refused, as is a
    /// run that is not whole frames. Returns whether all was taken.
    pub fn push(&mut self, samples: &[f32], sent: Frames) -> bool {
        let frames = samples.len() / self.channels;
        let limit = 2 * SampleRate::MEDIA.frames_in(AHEAD).0;
        if !samples.len().is_multiple_of(self.channels) || self.end().0 - sent.0 + frames as i64 > limit {
            return false;
        }
        self.samples.extend(samples.iter().map(|s| if s.is_finite() { s.clamp(-1.0, 1.0) } else { 0.0 }));
        true
    }

    /// Forgets all but the last `frames`; the number of the first that is left.
    pub fn keep_last(&mut self, frames: Frames) -> Frames {
        let held = (self.samples.len() / self.channels) as i64;
        let drop = (held - frames.0.max(0)).max(0);
        self.samples.drain(..drop as usize * self.channels);
        self.first += drop;
        Frames(self.first)
    }

    /// No further frame will come.
    pub fn finish(&mut self) {
        self.finished = true;
    }

    /// Whether the source has said that it ended.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Copies frames `from..from + frames` into `out`, silence where none are held. Returns how
    /// many were held.
    pub fn copy(&self, from: Frames, frames: usize, out: &mut Vec<f32>) -> usize {
        out.clear();
        out.resize(frames * self.channels, 0.0);
        let held = self.samples.len() / self.channels;
        let start = ((from.0 - self.first).max(0) as usize).min(held);
        let skip = ((self.first - from.0).max(0) as usize).min(frames);
        let count = (held - start).min(frames - skip);
        let samples = self.samples.range(start * self.channels..(start + count) * self.channels);
        out[skip * self.channels..].iter_mut().zip(samples).for_each(|(to, from)| *to = *from);
        count
    }

    /// Forgets frames that even a pause at `latency` behind `sent` would not need.
    pub fn forget_before(&mut self, sent: Frames, latency: Span) {
        let keep = SampleRate::MEDIA.frames_in(latency + KEPT).0;
        let drop = (sent.0 - keep - self.first).clamp(0, (self.samples.len() / self.channels) as i64);
        self.samples.drain(..drop as usize * self.channels);
        self.first += drop;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(frames: i64) -> SourceWindow {
        let mut window = SourceWindow::new(2, Frames(100));
        let samples: Vec<f32> = (0..frames).flat_map(|i| [i as f32 / 1e6, -i as f32 / 1e6]).collect();
        assert!(window.push(&samples, Frames(100)));
        window
    }

    #[test]
    fn what_was_pushed_is_read_back_at_its_place() {
        let mut out = Vec::new();
        assert_eq!(window(1_000).copy(Frames(110), 3, &mut out), 3);
        assert_eq!(out, [10.0, -10.0, 11.0, -11.0, 12.0, -12.0].map(|x| x / 1e6));
    }

    #[test]
    fn beyond_either_end_there_is_silence() {
        let mut out = Vec::new();
        assert_eq!(window(10).copy(Frames(98), 4, &mut out), 2);
        assert_eq!(out[..4], [0.0; 4]);
        assert_eq!(window(10).copy(Frames(109), 4, &mut out), 1);
        assert_eq!(out[2..], [0.0; 6]);
        for far in [-5_000, 5_000] {
            assert_eq!(window(10).copy(Frames(far), 4, &mut out), 0);
            assert_eq!(out, [0.0; 8]);
        }
    }

    #[test]
    fn a_source_that_pushes_without_credit_is_refused_before_memory_grows() {
        let mut window = window(0);
        let second = vec![0.0; 96_000];
        let taken = (0..10).take_while(|_| window.push(&second, Frames(100))).count();
        assert_eq!(taken, 4);
    }

    #[test]
    fn what_a_pause_may_go_back_to_is_kept() {
        let mut window = window(48_000 * 3);
        window.forget_before(Frames(100 + 48_000 * 3), Span::from_ms(200));
        let mut out = Vec::new();
        assert_eq!(window.copy(Frames(100 + 48_000 * 3 - 57_600), 10, &mut out), 10);
        assert_eq!(window.copy(Frames(100 + 48_000), 10, &mut out), 0);
    }

    #[test]
    fn what_is_no_number_becomes_silence() {
        let mut window = SourceWindow::new(1, Frames(0));
        window.push(&[f32::NAN, f32::INFINITY, 7.0], Frames(0));
        let mut out = Vec::new();
        window.copy(Frames(0), 3, &mut out);
        assert_eq!(out, [0.0, 0.0, 1.0]);
    }
}
