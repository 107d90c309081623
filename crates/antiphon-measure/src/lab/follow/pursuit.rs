//! Following, once the programme was found: window by window, predict, compare, correct, learn.

use super::arrival::arrivals;
use super::model::{Model, Windows};
use super::search::{Found, Streams};
use super::spectrum::{Analyser, BINS, HOP, RATE_HZ, WINDOW, delayed, hz};
use super::state::{Certainty, Doubt, FollowState, Jump, MAX_JUMPS, Mute};
use super::track::Track;
use super::watch::Side;
use crate::lab::measurement::Estimate;

/// Windows that only teach the model: 2.7 s.
const WARM_UP: usize = 16;
/// Seconds between two windows.
pub(super) const HOP_S: f64 = HOP as f64 / RATE_HZ;
/// A phase this uncertain, in radians, no longer says how many turns it made.
const SAFE_PHASE: f64 = 0.7;
/// The band that is left when nearly nothing is known.
const LEAST_HZ: f64 = 900.0;
/// A jump is found to half a frame of 48 kHz.
const JUMP_SD_US: f64 = 8.0;
/// The reference is the mean of the first windows: as sure as they are.
const REFERENCE_SD_US: f64 = 1.5;
/// Windows for which neither side may be missing before everything is searched anew: 8 s.
const LOST: u32 = 47;
/// Windows after a jump in which the numbers settle: 3 s.
pub(super) const SETTLE: u32 = 18;
/// Windows between renewals of the model: 20 s.
const RENEW_EVERY: usize = 117;
/// A correction reaches the sound within this time: the hub's buffers and the speaker's ramp.
const CORRECTION_S: f64 = 2.0;
/// Windows of silence that are no rest between two notes: 4 s.
const LONG_SILENT: u32 = 24;
/// Windows after which it is the music's fault if nothing is known: 25 s.
const LONG: usize = 150;
/// Channels that differ by less than this part of their power are nearly the same.
const NEARLY_MONO: f64 = 0.02;

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// One more window was taken in.
    Done,
    /// A stream must go on first.
    Waits,
    /// What is needed is gone, or neither speaker is heard any more.
    Lost,
}

/// Follows from one find to the next loss.
#[derive(Debug)]
pub(super) struct Pursuit {
    found: Found,
    /// Programme place of the next window.
    next: i64,
    windows: usize,
    track: Track,
    model: Model,
    sides: [Side; 2],
    /// Windows taken in when the model is to be renewed next.
    renewal: usize,
    since_jump: u32,
    pub(super) jumps: Vec<Jump>,
    pub(super) corrected_us: f64,
    /// Until then, in programme seconds, it is not sure that corrections are heard.
    unsettled_until_s: f64,
    last_arrivals: Option<Estimate>,
    /// First arrivals on which two renewed models agree.
    arrivals: Option<Estimate>,
}

impl Pursuit {
    pub(super) fn new(found: Found) -> Self {
        Self {
            found,
            next: found.place,
            windows: 0,
            track: Track::new(0.0, [found.ppm, found.ppm_sd], 0.0, REFERENCE_SD_US),
            model: Model::new(),
            sides: [Side::new(), Side::new()],
            renewal: 2 * WARM_UP,
            since_jump: SETTLE,
            jumps: Vec::new(),
            corrected_us: 0.0,
            unsettled_until_s: 0.0,
            last_arrivals: None,
            arrivals: None,
        }
    }

    /// Takes in the next window, if both streams hold it.
    pub(super) fn step(&mut self, streams: &Streams, analyser: &Analyser) -> Step {
        let mut ahead = self.track.clone();
        if self.windows > 0 {
            ahead.predict(HOP_S);
        }
        let middle = self.heard_at(self.next, &ahead);
        let reach = WINDOW as f64 / 2.0 + 64.0;
        if middle - reach < streams.microphone.begin() as f64 || self.next < streams.left.begin() {
            return Step::Lost;
        }
        let programme_is_there = self.next + WINDOW as i64 <= streams.left.end();
        if !programme_is_there || middle + reach > streams.microphone.end() as f64 {
            return Step::Waits;
        }
        self.track = ahead;
        let windows = self.windows_at(streams, analyser, middle);
        self.next += HOP as i64;
        self.windows += 1;
        self.take_in(windows, analyser);
        let missing = self.sides.iter().map(|s| s.missing).min().unwrap_or(0);
        if missing > LOST { Step::Lost } else { Step::Done }
    }

    /// Microphone place of the middle of the programme window at `place`.
    fn heard_at(&self, place: i64, track: &Track) -> f64 {
        let since = (place - self.found.place) as f64;
        self.found.heard + since + (WINDOW / 2) as f64 + track.lag_us() * 1e-6 * RATE_HZ
    }

    fn windows_at(&mut self, streams: &Streams, analyser: &Analyser, middle: f64) -> Windows {
        let half = 0.5 * self.track.delay_us();
        let step = 1.0 + self.track.clock().0 * 1e-6;
        let mut left = analyser.programme(streams.left, self.next);
        let mut right = analyser.programme(streams.right, self.next);
        self.model.compare_channels(&left, &right);
        delayed(&mut left, -half);
        delayed(&mut right, half);
        Windows { left, right, heard: analyser.microphone(streams.microphone, middle, step) }
    }

    fn take_in(&mut self, windows: Windows, analyser: &Analyser) {
        if self.windows <= WARM_UP {
            self.model.learn(&windows);
            if self.windows == WARM_UP {
                self.begin();
            }
            return;
        }
        self.since_jump = self.since_jump.saturating_add(1);
        self.compare(windows);
        if self.now_s() >= self.unsettled_until_s {
            self.look_for_jumps(analyser);
        }
        if self.renew() {
            let before = std::mem::replace(&mut self.last_arrivals, arrivals(&self.model, analyser));
            self.arrivals = before.zip(self.last_arrivals).and_then(|(a, b)| agreed(a, b));
        }
    }

    /// The reference lies in the middle of the windows that taught the model.
    fn begin(&mut self) {
        let since_s = (WARM_UP - 1) as f64 / 2.0 * HOP_S;
        let ppm = [self.found.ppm, self.found.ppm_sd];
        self.track = Track::new(self.track.lag_us(), ppm, since_s, REFERENCE_SD_US);
        self.model.renew();
    }

    fn compare(&mut self, mut windows: Windows) {
        let predicted = self.model.predict(&windows);
        let left = self.sides[0].hear(&predicted.left, &predicted);
        let right = self.sides[1].hear(&predicted.right, &predicted);
        if !(left && right) || self.now_s() < self.unsettled_until_s {
            return;
        }
        let shifts = self.model.shifts(&predicted, self.band_end());
        let before = self.track.clone();
        self.track.update(&shifts);
        self.model.hear_noise(&predicted);
        // The microphone was read where the lag was expected: what it moved by since moves the
        // programme alike.
        let moved = self.track.moved(&before);
        delayed(&mut windows.left, moved[0]);
        delayed(&mut windows.right, moved[1]);
        self.model.learn(&windows);
    }

    /// At first often, then every 20 s: a model of a few windows is a poor one. Says whether it is new.
    fn renew(&mut self) -> bool {
        let due = self.windows >= self.renewal;
        if due {
            self.renewal = self.windows + self.windows.min(RENEW_EVERY);
            self.track.relearned(self.model.renew());
        }
        due
    }

    /// Bins above this would not know how many turns their phase has made.
    fn band_end(&self) -> usize {
        let highest = SAFE_PHASE / (std::f64::consts::TAU * self.track.place_sd_us() * 1e-6);
        let highest = highest.max(LEAST_HZ);
        (0..BINS).find(|&k| hz(k) > highest).unwrap_or(BINS)
    }

    fn look_for_jumps(&mut self, analyser: &Analyser) {
        let [left, right] = [0, 1].map(|s| self.sides[s].look(analyser));
        if left.is_none() && right.is_none() {
            return;
        }
        let (left, right) = (left.unwrap_or(0.0), right.unwrap_or(0.0));
        self.track.jump(left, right, JUMP_SD_US);
        self.since_jump = 0;
        // A microphone that lost samples moves both sides alike: no speaker jumped.
        if (right - left).abs() > 2.0 * JUMP_SD_US {
            self.remember(right - left);
        }
    }

    fn remember(&mut self, by_us: f64) {
        if self.jumps.len() == MAX_JUMPS {
            self.jumps.remove(0);
        }
        let by_us = Estimate { value: by_us, sd: JUMP_SD_US * std::f64::consts::SQRT_2 };
        self.jumps.push(Jump { at_s: self.heard_to_s(), by_us });
    }

    /// The right side is told to be `by_us` later from about this moment on.
    pub(super) fn corrected(&mut self, by_us: f64) {
        self.track.corrected(by_us);
        self.corrected_us += by_us;
        self.unsettled_until_s = self.now_s() + CORRECTION_S;
    }

    /// What is known, `heard_s` seconds into the microphone's stream.
    pub(super) fn state(&self, heard_s: f64, sure_us: f64) -> FollowState {
        let estimate = |(value, sd): (f64, f64)| Estimate { value, sd };
        let drift_us = estimate(self.track.delay(self.common()));
        FollowState {
            heard_s,
            lag_s: Some(
                (self.heard_at(self.next, &self.track) - (self.next + WINDOW as i64 / 2) as f64) / RATE_HZ,
            ),
            microphone_ppm: Some(estimate(self.track.clock())),
            delay_us: self.arrival_us(),
            drift_us,
            rate_us_per_s: estimate(self.track.rate(self.common())),
            reference_s: Some((self.found.heard + (WARM_UP * HOP / 2) as f64) / RATE_HZ),
            corrected_us: self.corrected_us,
            jumps: self.jumps.clone(),
            certainty: self.certainty(drift_us.sd, sure_us),
        }
    }

    /// Part of the music that both channels share.
    fn common(&self) -> f64 {
        (1.0 - self.model.difference()).clamp(0.0, 1.0)
    }

    /// First arrivals as they are at this moment: the model shows them as they were learned.
    fn arrival_us(&self) -> Option<Estimate> {
        let learned = self.arrivals?;
        let (since, since_sd) = self.track.delay(self.common());
        Some(Estimate { value: learned.value + since, sd: learned.sd.hypot(since_sd) })
    }

    fn certainty(&self, sd_us: f64, sure_us: f64) -> Certainty {
        if self.windows < 2 * WARM_UP {
            return Certainty::Unsure(Doubt::TooShort);
        }
        if let Some(mute) = self.mute(sd_us, sure_us) {
            return Certainty::MusicDoesNotTell(mute);
        }
        match self.sides.each_ref().map(|s| s.doubted > 0) {
            [true, true] => Certainty::Unsure(Doubt::NeitherHeard),
            [true, false] => Certainty::Unsure(Doubt::LeftNotHeard),
            [false, true] => Certainty::Unsure(Doubt::RightNotHeard),
            [false, false] if self.since_jump < SETTLE => Certainty::Unsure(Doubt::Jumped),
            [false, false] if sd_us > sure_us => Certainty::Unsure(Doubt::TooShort),
            [false, false] => Certainty::Sure,
        }
    }

    /// Why the music does not tell, if it does not.
    fn mute(&self, sd_us: f64, sure_us: f64) -> Option<Mute> {
        match self.sides.each_ref().map(|s| s.silent > LONG_SILENT) {
            [true, true] => return Some(Mute::Pause),
            [true, false] => return Some(Mute::LeftSilent),
            [false, true] => return Some(Mute::RightSilent),
            [false, false] => {}
        }
        if self.model.difference() < NEARLY_MONO {
            return Some(Mute::NearlyMono);
        }
        (self.windows > LONG && sd_us > sure_us).then_some(Mute::Noise)
    }

    fn now_s(&self) -> f64 {
        self.windows as f64 * HOP_S
    }

    /// Seconds of microphone to which windows were taken in.
    fn heard_to_s(&self) -> f64 {
        (self.heard_at(self.next, &self.track) + (WINDOW / 2) as f64) / RATE_HZ
    }
}

/// The later of two, if they mean the same: a first arrival mistaken for another is off by far more.
fn agreed(before: Estimate, after: Estimate) -> Option<Estimate> {
    let apart = (after.value - before.value).abs();
    (apart < 2.0 * before.sd.hypot(after.sd)).then_some(after)
}
