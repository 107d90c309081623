//! One stream of a client, played at the pace of this machine's clock.

use std::collections::VecDeque;

use antiphon_base::{Frames, SampleRate, Span, Timestamp, True};

use super::CHANNELS;

/// Held ahead where the client does not say how much: a sound server that wakes late by a tenth of that is not heard.
const USUAL: Span = Span::from_ms(60);

/// The most that is ever held, and the least.
const BOUNDS: (Span, Span) = (Span::from_ms(20), Span::from_s(2));

/// A machine that stood still for longer goes on from now: nobody wants to hear the past faster.
const STANDSTILL: Span = Span::from_ms(500);

/// Bytes of a frame: 32-bit floats.
pub(super) const FRAME: usize = 4 * CHANNELS as usize;

/// A stream.
#[derive(Debug)]
pub(super) struct Stream {
    held: VecDeque<f32>,
    /// Bytes asked for that have not come.
    asked: usize,
    /// Bytes to be held.
    target: usize,
    pub corked: bool,
    /// When it began to play, and frames played since.
    running: Option<(Timestamp<True>, Frames)>,
    /// Bytes that have come, and that were played.
    pub written: i64,
    pub read: i64,
}

impl Stream {
    /// A stream that is to hold `target` bytes, or what is usual; it has been asked for these.
    pub fn new(target: u32, corked: bool) -> Self {
        let target = bounded(target);
        let held = VecDeque::new();
        Self { held, asked: target, target, corked, running: None, written: 0, read: 0 }
    }

    /// Bytes to be held.
    pub fn target(&self) -> u32 {
        u32::try_from(self.target).unwrap_or(u32::MAX)
    }

    /// Changes how much is to be held.
    pub fn set_target(&mut self, target: u32) {
        self.target = bounded(target);
    }

    /// Takes sound; what is far more than was asked for is left out.
    pub fn write(&mut self, bytes: &[u8]) {
        let most = bounded(u32::MAX - 1) / 4;
        for sample in bytes.as_chunks::<4>().0 {
            if self.held.len() < most {
                self.held.push_back(f32::from_le_bytes(*sample));
            }
        }
        self.written += bytes.len() as i64;
        self.asked = self.asked.saturating_sub(bytes.len());
    }

    /// Forgets what has not been played.
    pub fn flush(&mut self) {
        self.read += (self.held.len() * 4) as i64;
        self.held.clear();
    }

    /// Stops or goes on.
    pub fn cork(&mut self, corked: bool) {
        self.corked = corked;
        self.running = None;
    }

    /// Whether frames go out.
    pub fn plays(&self) -> bool {
        self.running.is_some()
    }

    /// Whether all that came has been played.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Begins to play when half of what is wanted has come, or all there will be; whether it did so at this moment.
    pub fn start(&mut self, now: Timestamp<True>, last: bool) -> bool {
        let enough = self.held.len() * 4 * 2 >= self.target || (last && !self.held.is_empty());
        if self.corked || self.plays() || !enough {
            return false;
        }
        self.running = Some((now, Frames(0)));
        true
    }

    /// What is due by `now`: what did not come in time is silence, so that the pace stays.
    pub fn play(&mut self, now: Timestamp<True>) -> Vec<f32> {
        let Some((began, played)) = &mut self.running else { return Vec::new() };
        let mut due = SampleRate::MEDIA.frames_in(now - *began) - *played;
        if due > SampleRate::MEDIA.frames_in(STANDSTILL) {
            (*began, *played) = (now, Frames(0));
            due = Frames(0);
        }
        *played += due;
        let samples = due.0.max(0) as usize * usize::from(CHANNELS);
        let there = samples.min(self.held.len());
        let mut piece: Vec<f32> = self.held.drain(..there).collect();
        piece.resize(samples, 0.0);
        self.read += (there * 4) as i64;
        piece
    }

    /// How many bytes to ask for; 0 where it is not worth a message.
    pub fn wanted(&mut self) -> u32 {
        let wanted = self.target.saturating_sub(self.held.len() * 4 + self.asked) / FRAME * FRAME;
        if self.corked || wanted < self.target / 8 {
            return 0;
        }
        self.asked += wanted;
        u32::try_from(wanted).unwrap_or(0)
    }
}

fn bytes(span: Span) -> usize {
    SampleRate::MEDIA.frames_in(span).0 as usize * FRAME
}

fn bounded(target: u32) -> usize {
    if target == u32::MAX {
        return bytes(USUAL);
    }
    (target as usize).clamp(bytes(BOUNDS.0), bytes(BOUNDS.1)) / FRAME * FRAME
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp<True> {
        Timestamp::ZERO + Span::from_ms(ms)
    }

    fn sound(ms: i64) -> Vec<u8> {
        std::iter::repeat_n(0.5_f32.to_le_bytes(), bytes(Span::from_ms(ms)) / 4).flatten().collect()
    }

    #[test]
    fn it_plays_at_the_pace_of_the_clock_whatever_comes() {
        let mut stream = Stream::new(u32::MAX, false);
        assert!(!stream.start(at(0), false), "nothing has come");
        stream.write(&sound(60));
        assert!(stream.start(at(1_000), false));
        assert_eq!(stream.play(at(1_010)).len(), 960);
        // The client sleeps: 50 ms are there, 90 are due.
        let piece = stream.play(at(1_100));
        assert_eq!(piece.len(), 2 * 90 * 48);
        assert_eq!(piece.iter().filter(|x| **x == 0.0).count(), 2 * 40 * 48);
        assert_eq!(stream.read, stream.written);
    }

    #[test]
    fn it_asks_for_what_it_played_and_never_for_what_is_on_its_way() {
        let mut stream = Stream::new(u32::MAX, false);
        assert_eq!(stream.wanted(), 0, "the first is asked for when it is made");
        stream.write(&sound(60));
        assert!(stream.start(at(0), false));
        stream.play(at(20));
        assert_eq!(stream.wanted() as usize, bytes(Span::from_ms(20)));
        assert_eq!(stream.wanted(), 0);
    }

    #[test]
    fn a_machine_that_stood_still_does_not_make_up_for_it() {
        let mut stream = Stream::new(u32::MAX, false);
        stream.write(&sound(60));
        assert!(stream.start(at(0), false));
        assert!(stream.play(at(3_000)).is_empty());
        assert_eq!(stream.play(at(3_005)).len(), 2 * 5 * 48);
    }

    #[test]
    fn a_client_that_writes_without_being_asked_fills_no_memory() {
        let mut stream = Stream::new(u32::MAX, false);
        (0..10).for_each(|_| stream.write(&sound(1_000)));
        assert_eq!(stream.held.len() * 4, bytes(BOUNDS.1));
    }
}
