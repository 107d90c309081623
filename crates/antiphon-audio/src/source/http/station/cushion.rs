//! Sound that is held back, so that a server may stall for a while and nobody hears it.
//!
//! A server that sends at the pace of its clock never gets ahead of its listeners: what lies between
//! them is what was held back at the start. So nothing is given before [`CUSHION`] has come, and again after
//! the listeners have run dry. How much they hold is not known here, but bounded: what was given less the time
//! that has passed, unless they did not take more because they were full.

use std::time::{Duration, Instant};

use antiphon_base::{Frames, SampleRate, Span};

use crate::source::PREFETCH;

/// What is held back: three times the stall of a busy access point.
pub(super) const CUSHION: Span = Span::from_ms(1_500);

/// Who has waited for so long for a first sound, or for enough of it, is told.
const PATIENCE: Span = Span::from_s(3);

/// Who asks again after longer than this was full before: a listener who is not asks at once.
const FULL: Duration = Duration::from_millis(30);

/// What waits, and what lies ahead of the listeners.
pub(super) struct Cushion {
    channels: usize,
    held: Vec<f32>,
    /// Nothing is given before there is enough.
    gathering: bool,
    /// Nanoseconds of sound that listeners still had at `at`, at least.
    ahead: i64,
    at: Option<Instant>,
    left: Option<Instant>,
    /// That there is nothing was said.
    said: bool,
}

impl Cushion {
    pub(super) fn new(channels: usize) -> Self {
        Self { channels, held: Vec::new(), gathering: true, ahead: 0, at: None, left: None, said: false }
    }

    /// A listener wants more.
    pub(super) fn asked(&mut self, now: Instant) {
        self.pass(now);
        if self.left.take().is_some_and(|left| now.saturating_duration_since(left) > FULL) {
            self.ahead = self.ahead.max(PREFETCH.as_ns());
        }
    }

    /// Takes sound and gives what may be given, if any.
    pub(super) fn take(&mut self, samples: &[f32], now: Instant, out: &mut Vec<f32>) -> bool {
        self.held.extend_from_slice(samples);
        if self.gathering && self.span() < CUSHION {
            return false;
        }
        self.pass(now);
        (self.gathering, self.said) = (false, false);
        self.ahead = self.ahead.max(0) + self.span().as_ns();
        self.left = Some(now);
        out.append(&mut self.held);
        true
    }

    /// Gives what is left; whether that is any.
    pub(super) fn give_rest(&mut self, out: &mut Vec<f32>) -> bool {
        let any = !self.held.is_empty();
        out.append(&mut self.held);
        any
    }

    /// Whether the listeners have just come to the end of what they had, or have waited for long: said once.
    pub(super) fn runs_dry(&mut self, now: Instant) -> bool {
        self.pass(now);
        let least = if self.gathering { -PATIENCE.as_ns() } else { 0 };
        let dry = !self.said && self.ahead < least;
        self.gathering |= dry;
        self.said |= dry;
        dry
    }

    fn span(&self) -> Span {
        SampleRate::MEDIA.span_of(Frames((self.held.len() / self.channels) as i64))
    }

    fn pass(&mut self, now: Instant) {
        if let Some(at) = self.at.replace(now) {
            let passed = now.saturating_duration_since(at).as_nanos().min(1 << 62) as i64;
            self.ahead = self.ahead.saturating_sub(passed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cushion that was given 2 s of mono, and now.
    fn filled() -> (Cushion, Instant) {
        let (mut cushion, now, mut out) = (Cushion::new(1), Instant::now(), Vec::new());
        cushion.asked(now);
        assert!(!cushion.take(&[0.0; 48_000], now, &mut out) && out.is_empty());
        assert!(cushion.take(&[0.0; 48_000], now, &mut out) && out.len() == 96_000);
        (cushion, now)
    }

    #[test]
    fn a_stall_shorter_than_what_was_held_back_is_not_dry() {
        let (mut cushion, now) = filled();
        cushion.asked(now + Duration::from_millis(10));
        assert!(!cushion.runs_dry(now + Duration::from_millis(1_900)));
        assert!(cushion.runs_dry(now + Duration::from_millis(2_100)));
        assert!(!cushion.runs_dry(now + Duration::from_millis(2_200)), "said once");
    }

    #[test]
    fn after_it_ran_dry_it_gathers_again() {
        let (mut cushion, now) = filled();
        let late = now + Duration::from_secs(5);
        cushion.asked(now);
        assert!(cushion.runs_dry(late));
        let mut out = Vec::new();
        assert!(!cushion.take(&[0.0; 4_800], late, &mut out));
        assert!(cushion.take(&[0.0; 96_000], late, &mut out));
        assert!(!cushion.runs_dry(late + Duration::from_millis(1_900)));
    }

    #[test]
    fn who_waits_for_a_first_sound_is_told_after_a_while() {
        let (mut cushion, now) = (Cushion::new(1), Instant::now());
        cushion.asked(now);
        assert!(!cushion.runs_dry(now + Duration::from_millis(2_900)));
        assert!(cushion.runs_dry(now + Duration::from_millis(3_100)));
    }

    #[test]
    fn a_pause_of_the_listener_is_not_taken_for_a_stall() {
        let (mut cushion, now) = filled();
        let resumed = now + Duration::from_secs(600);
        cushion.asked(resumed);
        assert!(!cushion.runs_dry(resumed + Duration::from_millis(1_900)));
        assert!(cushion.runs_dry(resumed + Duration::from_millis(2_100)));
    }

    #[test]
    fn what_is_left_at_the_end_is_given() {
        let (mut cushion, mut out) = (Cushion::new(2), Vec::new());
        assert!(!cushion.take(&[0.5; 20], Instant::now(), &mut out));
        assert!(cushion.give_rest(&mut out) && out.len() == 20);
        assert!(!cushion.give_rest(&mut out));
    }
}
