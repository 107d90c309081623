//! Media by absolute frame number.

use antiphon_base::{Chunk, Epoch, Frames};

use crate::command::FRAME_LIMIT;

/// How far behind the oldest frame in use media are kept, so that a jump back finds sound and the filter
/// its history: 0.5 s, more than any Bluetooth speaker's delay changes by, or a person sets at once.
pub(crate) const HISTORY: i64 = 24_576;

/// A sample beyond this is a broken decoder's: +18 dB is more than any programme has.
const LOUDEST: f32 = 8.0;

/// One epoch's media in a ring, with a note for each frame whether it is there.
#[derive(Debug)]
pub(crate) struct Media {
    channels: usize,
    epoch: Option<Epoch>,
    samples: Vec<f32>,
    held: Vec<bool>,
    /// The window of frame numbers that the ring can hold is `low..low + held.len()`.
    low: Option<i64>,
    /// One past the highest frame held.
    end: i64,
    /// The epoch's first frame: what lies before it is silence and not missing.
    start: Option<i64>,
}

impl Media {
    /// Room for at least `frames` frames.
    pub(crate) fn new(frames: usize, channels: usize) -> Self {
        let size = frames.max(2 * HISTORY as usize).next_power_of_two();
        Self {
            channels,
            epoch: None,
            samples: vec![0.0; size * channels],
            held: vec![false; size],
            low: None,
            end: i64::MIN,
            start: None,
        }
    }

    /// Forgets everything and is for `epoch` from here on.
    pub(crate) fn open(&mut self, epoch: Option<Epoch>) {
        self.held.fill(false);
        self.epoch = epoch;
        self.low = None;
        self.end = i64::MIN;
        self.start = None;
    }

    pub(crate) fn epoch(&self) -> Option<Epoch> {
        self.epoch
    }

    pub(crate) fn start(&self) -> Option<i64> {
        self.start
    }

    pub(crate) fn set_start(&mut self, start: Option<Frames>) {
        self.start = start.map(|f| f.0).or(self.start);
    }

    /// One past the highest frame held, if any is.
    pub(crate) fn end(&self) -> Option<i64> {
        (self.end != i64::MIN).then_some(self.end)
    }

    fn size(&self) -> i64 {
        self.held.len() as i64
    }

    fn slot(&self, frame: i64) -> usize {
        // The size is a power of two, and two's complement makes this right below zero too.
        frame as usize & (self.held.len() - 1)
    }

    /// Whether `frame` is known: held, or silence because the epoch begins later.
    pub(crate) fn has(&self, frame: i64) -> bool {
        if self.start.is_some_and(|start| frame < start) {
            return true;
        }
        self.low.is_some_and(|low| (low..low + self.size()).contains(&frame)) && self.held[self.slot(frame)]
    }

    /// Whether all of `first..end` is known.
    pub(crate) fn has_all(&self, first: i64, end: i64) -> bool {
        end.saturating_sub(first) <= self.size() && (first..end).all(|frame| self.has(frame))
    }

    /// Writes one frame; `false`, and nothing written, if it is not known.
    pub(crate) fn read(&self, frame: i64, out: &mut [f64]) -> bool {
        if self.start.is_some_and(|start| frame < start) {
            out.fill(0.0);
            return true;
        }
        if !self.has(frame) {
            return false;
        }
        let at = self.slot(frame) * self.channels;
        for (to, from) in out.iter_mut().zip(&self.samples[at..at + self.channels]) {
            *to = f64::from(*from);
        }
        true
    }

    /// Takes a chunk in; the number of its frames that have no place here.
    pub(crate) fn accept(&mut self, chunk: &Chunk) -> i64 {
        let frames = chunk.frames().0;
        if frames == 0 || chunk.channels == 0 || chunk.first_frame.0.unsigned_abs() > FRAME_LIMIT as u64 {
            return frames;
        }
        // A quarter of the ring below the first chunk seen, for those that it overtook.
        let low = *self.low.get_or_insert(chunk.first_frame.0.saturating_sub(self.held.len() as i64 / 4));
        let first = chunk.first_frame.0.max(low);
        let end = chunk.end().0.min(low.saturating_add(self.size()));
        for frame in first..end {
            let skip = (frame - chunk.first_frame.0) as usize * usize::from(chunk.channels);
            self.write(frame, &chunk.samples[skip..skip + usize::from(chunk.channels)]);
        }
        if end > first {
            self.end = self.end.max(end);
        }
        frames - (end - first).max(0)
    }

    fn write(&mut self, frame: i64, from: &[f32]) {
        let slot = self.slot(frame);
        self.held[slot] = true;
        let to = &mut self.samples[slot * self.channels..(slot + 1) * self.channels];
        if to.len() == 1 {
            to[0] = sane(from.iter().sum::<f32>() / from.len() as f32);
            return;
        }
        for (channel, x) in to.iter_mut().enumerate() {
            *x = sane(from[channel % from.len()]);
        }
    }

    /// Puts the window where frames around `needed` fit, dropping what falls out of it.
    ///
    /// It moves up as the programme is played. It moves down only when `needed` lies below it,
    /// which is when the first chunk to arrive was not of the epoch's beginning.
    pub(crate) fn follow(&mut self, needed: i64) {
        let Some(low) = self.low else { return };
        let want = needed.saturating_sub(HISTORY);
        if want > low {
            self.forget(low, want.min(low.saturating_add(self.size())));
            self.low = Some(want);
        } else if needed < low {
            let top = low.saturating_add(self.size());
            self.forget(want.saturating_add(self.size()).max(low), top);
            self.low = Some(want);
            self.end = self.end.min(want.saturating_add(self.size()));
        }
    }

    fn forget(&mut self, first: i64, end: i64) {
        for frame in first..end {
            let slot = self.slot(frame);
            self.held[slot] = false;
        }
    }
}

/// Not a number is silence; what is too loud is held: one broken sample must not ring through the
/// filter for ever.
fn sane(x: f32) -> f32 {
    if x.is_nan() { 0.0 } else { x.clamp(-LOUDEST, LOUDEST) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(first: i64, frames: usize) -> Chunk {
        let samples = (0..frames).map(|k| (first + k as i64) as f32 * 1e-6).collect();
        Chunk { epoch: Epoch(1), first_frame: Frames(first), channels: 1, samples }
    }

    fn get(media: &Media, frame: i64) -> Option<f32> {
        let mut out = [0.0];
        media.read(frame, &mut out).then_some(out[0] as f32)
    }

    #[test]
    fn chunks_in_any_order_are_read_by_number_and_what_never_came_is_known_to_be_missing() {
        let mut media = Media::new(48_000, 1);
        for first in [10_480, 10_000, 10_960] {
            assert_eq!(media.accept(&chunk(first, 240)), 0);
        }
        assert_eq!(get(&media, 10_100), Some(10_100.0 * 1e-6));
        assert_eq!(get(&media, 10_240), None);
        assert_eq!(get(&media, 10_719), Some(10_719.0 * 1e-6));
        assert!(media.has_all(10_480, 10_720) && !media.has_all(10_480, 10_721));
        assert_eq!(media.end(), Some(11_200));
    }

    #[test]
    fn what_was_played_is_forgotten_and_never_read_as_something_newer() {
        let mut media = Media::new(0, 1);
        let size = media.size();
        media.accept(&chunk(0, 480));
        media.follow(size);
        assert_eq!(get(&media, 100), None);
        assert_eq!(get(&media, 100 + size), None);
        assert_eq!(media.accept(&chunk(0, 480)), 480);
        assert_eq!(media.accept(&chunk(size, 480)), 0);
        assert_eq!(get(&media, size + 7), Some((size + 7) as f32 * 1e-6));
    }

    #[test]
    fn a_stray_chunk_from_far_ahead_does_not_lock_the_ring() {
        let mut media = Media::new(0, 1);
        media.accept(&chunk(10_000_000, 480));
        media.follow(5_000);
        assert_eq!(media.accept(&chunk(5_000, 480)), 0);
        assert_eq!(get(&media, 5_000), Some(0.005));
        assert_eq!(get(&media, 10_000_000), None);
    }

    #[test]
    fn before_the_start_is_silence_and_not_a_gap() {
        let mut media = Media::new(0, 1);
        media.set_start(Some(Frames(100)));
        assert_eq!(get(&media, 99), Some(0.0));
        assert_eq!(get(&media, 100), None);
    }

    #[test]
    fn channels_are_mapped_and_nonsense_made_harmless() {
        let mut media = Media::new(0, 1);
        let samples = vec![1.0, 0.5, f32::NAN, 0.0, f32::INFINITY, 1e30];
        media.accept(&Chunk { epoch: Epoch(1), first_frame: Frames(0), channels: 2, samples });
        assert_eq!([get(&media, 0), get(&media, 1), get(&media, 2)], [Some(0.75), Some(0.0), Some(8.0)]);
        let mut media = Media::new(0, 2);
        media.accept(&chunk(500_000, 1));
        let mut out = [0.0; 2];
        assert!(media.read(500_000, &mut out));
        assert_eq!(out.map(|x| x as f32), [0.5, 0.5]);
    }

    #[test]
    fn a_frame_number_at_the_end_of_the_range_is_refused() {
        let mut media = Media::new(0, 1);
        assert_eq!(media.accept(&Chunk { first_frame: Frames(i64::MAX - 3), ..chunk(0, 480) }), 480);
    }
}
