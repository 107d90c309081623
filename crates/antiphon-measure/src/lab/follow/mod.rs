//! Follows how the delay between two speakers changes while they play ordinary music.
//!
//! A microphone hears the mix of both; what left and right play is known. The two streams are pushed
//! as they come ([`Follower::programme`], [`Follower::microphone`]) and need not be aligned: the
//! programme is searched in the microphone's stream, then `pursuit` goes window by window,
//! learns both paths (`model`), lets a Kalman filter follow lag, microphone clock, delay and drift
//! (`track`), and watches for speakers that fall silent or jump (`watch`). First arrivals
//! (`arrival`) give the delay itself. `correction` is the policy for taking drift off again.
//!
//! Not every music tells: where left and right are nearly the same, or noise covers them, the state
//! says so, and its uncertainty grows instead of its error.

pub mod state;

mod tape;

mod spectrum;

mod search;

mod track;

mod model;

mod watch;

mod arrival;

mod pursuit;

pub mod correction;

pub use correction::{CorrectionConfig, FollowCorrection};
pub use state::{Certainty, Doubt, FollowConfig, FollowState, Jump, Mute};

use self::pursuit::{Pursuit, Step};
use self::search::{SPAN_S, Streams, search};
use self::spectrum::{Analyser, RATE_HZ};
use self::tape::Tape;
use super::measurement::Estimate;

/// Seconds of programme that may be pushed ahead of what the microphone has heard.
pub const AHEAD_S: f64 = 20.0;
/// Programme kept: what is ahead, the latest lag, and what a search looks at.
const PROGRAMME_S: f64 = AHEAD_S + 15.0;
/// Microphone kept: what a search looks at, and the time that the programme may be late.
const MICROPHONE_S: f64 = 12.0;
/// Seconds between two attempts to find the programme ...
const SEARCH_EVERY_S: f64 = 2.0;
/// ... and once it was not found for long: a search takes 0.25 s of one core.
const SEARCH_SELDOM_S: f64 = 8.0;
/// After so many attempts in vain the follower says that the music is not found.
const PATIENCE: u32 = 4;
/// Power below which a stream is silent: -75 dBFS.
const SILENT: f64 = 3.2e-8;
/// What is said of a drift of which nothing is known: a second.
const UNKNOWN_US: f64 = 1e6;

/// The follower. Push both streams as they come; ask for the [`state`](Self::state) whenever.
///
/// Memory is bounded (about 20 MB). Computing takes 2 to 3 % of one core while following and, in the
/// long run, while the music is not found; all of it in [`microphone`](Self::microphone), where a
/// search takes a quarter of a second at once.
#[derive(Debug)]
pub struct Follower {
    config: FollowConfig,
    left: Tape,
    right: Tape,
    microphone: Tape,
    analyser: Analyser,
    pursuit: Option<Pursuit>,
    next_search: i64,
    attempts: u32,
    not_found: Option<Mute>,
}

impl Follower {
    /// A follower that has heard nothing.
    pub fn new(config: FollowConfig) -> Self {
        let frames = |seconds: f64| (seconds * RATE_HZ) as usize;
        Self {
            config,
            left: Tape::new(frames(PROGRAMME_S)),
            right: Tape::new(frames(PROGRAMME_S)),
            microphone: Tape::new(frames(MICROPHONE_S)),
            analyser: Analyser::new(),
            pursuit: None,
            next_search: (SPAN_S * RATE_HZ) as i64,
            attempts: 0,
            not_found: None,
        }
    }

    /// What the speakers play, interleaved left and right at 48 kHz, at most [`AHEAD_S`] before it is
    /// heard. Half a frame at the end is ignored.
    pub fn programme(&mut self, interleaved: &[f32]) {
        for frame in interleaved.chunks_exact(2) {
            self.left.push(frame[0]);
            self.right.push(frame[1]);
        }
    }

    /// What the microphone heard, one channel at 48 kHz by its own clock, without gaps.
    pub fn microphone(&mut self, samples: &[f32]) {
        // In short pieces, so that a long push meets the same tape as many short ones.
        for piece in samples.chunks(4_800) {
            piece.iter().for_each(|&x| self.microphone.push(x));
            self.go_on();
        }
    }

    /// A known step: the right speaker is told to play `by_us` later than before, from about now on
    /// (it may take up to two seconds until it is heard).
    pub fn corrected(&mut self, by_us: f64) {
        if let Some(pursuit) = &mut self.pursuit {
            pursuit.corrected(by_us);
        }
    }

    /// What is known.
    pub fn state(&self) -> FollowState {
        let heard_s = self.microphone.end() as f64 / RATE_HZ;
        match &self.pursuit {
            Some(pursuit) => pursuit.state(heard_s, self.config.sure_us),
            None => FollowState {
                heard_s,
                lag_s: None,
                microphone_ppm: None,
                delay_us: None,
                drift_us: Estimate { value: 0.0, sd: UNKNOWN_US },
                rate_us_per_s: Estimate { value: 0.0, sd: UNKNOWN_US },
                reference_s: None,
                corrected_us: 0.0,
                jumps: Vec::new(),
                certainty: self.not_found.map_or(Certainty::Searching, Certainty::MusicDoesNotTell),
            },
        }
    }

    fn go_on(&mut self) {
        if self.pursuit.is_none() && self.microphone.end() >= self.next_search {
            self.attempt();
            let pause_s = if self.attempts < PATIENCE { SEARCH_EVERY_S } else { SEARCH_SELDOM_S };
            self.next_search = self.microphone.end() + (pause_s * RATE_HZ) as i64;
        }
        let streams = Streams { left: &self.left, right: &self.right, microphone: &self.microphone };
        while let Some(pursuit) = &mut self.pursuit {
            match pursuit.step(&streams, &self.analyser) {
                Step::Done => {}
                Step::Waits => break,
                Step::Lost => self.pursuit = None,
            }
        }
    }

    fn attempt(&mut self) {
        let span = (SPAN_S * RATE_HZ) as usize;
        let begin = self.microphone.end() - span as i64;
        let streams = Streams { left: &self.left, right: &self.right, microphone: &self.microphone };
        let lags = [self.config.earliest_lag_s, self.config.latest_lag_s];
        let found = if self.microphone.power(begin, span) < SILENT {
            Err(Mute::MicrophoneSilent)
        } else if self.programme_is_silent(begin, span) {
            Err(Mute::Pause)
        } else {
            search(&streams, &self.analyser, lags).ok_or(Mute::NotFound)
        };
        match found {
            Ok(found) => {
                (self.attempts, self.not_found) = (0, None);
                self.pursuit = Some(Pursuit::new(found));
            }
            Err(mute) => {
                self.attempts += 1;
                self.not_found = (self.attempts >= PATIENCE).then_some(mute);
            }
        }
    }

    /// Nothing that may have been heard in these frames of microphone was more than silence.
    fn programme_is_silent(&self, begin: i64, span: usize) -> bool {
        let from = begin - (self.config.latest_lag_s * RATE_HZ) as i64;
        let length = span + ((self.config.latest_lag_s - self.config.earliest_lag_s) * RATE_HZ) as usize;
        [&self.left, &self.right].iter().all(|side| side.power(from, length) < SILENT)
    }
}
