//! When and by how much drift is taken off: a policy, without any sound.
//!
//! Slow on purpose. A step is at most [`CorrectionConfig::step_us`] (8 us: below what ears notice in
//! a stereo image) and there are at least [`CorrectionConfig::pause_s`] seconds between two, which
//! bounds the correction to 2 us/s. Only half of what lies beyond the uncertainty is taken off at a
//! time, from a state that has heard the previous step: such a loop cannot overshoot, so it cannot
//! oscillate.

use super::state::{Certainty, FollowState};

/// How fast drift may be taken off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CorrectionConfig {
    /// Least seconds of microphone between two steps: longer than a step takes to be heard.
    pub pause_s: f64,
    /// The greatest step, in microseconds.
    pub step_us: f64,
    /// Less than this is left alone, however sure: nobody hears it.
    pub ignore_us: f64,
    /// Seconds that a speaker must have been heard again before it is put back.
    pub settle_s: f64,
}

impl Default for CorrectionConfig {
    fn default() -> Self {
        Self { pause_s: 4.0, step_us: 8.0, ignore_us: 4.0, settle_s: 6.0 }
    }
}

/// The policy.
#[derive(Debug, Clone)]
pub struct FollowCorrection {
    config: CorrectionConfig,
    last_s: Option<f64>,
}

impl FollowCorrection {
    /// A policy that has not corrected anything.
    pub fn new(config: CorrectionConfig) -> Self {
        Self { config, last_s: None }
    }

    /// By how many whole microseconds the right speaker shall play later from now on (negative:
    /// earlier), if anything shall change. The caller applies it and tells the follower by
    /// [`Follower::corrected`](super::Follower::corrected).
    pub fn advise(&mut self, state: &FollowState) -> Option<i64> {
        let early = self.last_s.is_some_and(|last| state.heard_s < last + self.config.pause_s);
        if state.certainty != Certainty::Sure || early {
            return None;
        }
        let drift = state.drift_us;
        let margin = drift.half_95().max(self.config.ignore_us);
        let beyond = drift.value.abs() - margin;
        if beyond <= 0.0 {
            return None;
        }
        // What the drift will do until the next step belongs to it.
        let coming = (state.rate_us_per_s.value * drift.value.signum() * self.config.pause_s).max(0.0);
        let size = (0.5 * beyond + coming).min(drift.value.abs()).min(self.config.step_us).round();
        if size < 1.0 {
            return None;
        }
        self.last_s = Some(state.heard_s);
        Some(-(size * drift.value.signum()) as i64)
    }

    /// As [`advise`](Self::advise), for a speaker that has left and come back: all of the change at once,
    /// since its sound is broken anyway and a jump of milliseconds must not last for minutes. `since_s`
    /// is when it came back, in seconds of microphone: what was heard before says nothing of it. 0 says
    /// that it came back in place.
    pub fn put_back(&mut self, state: &FollowState, since_s: f64) -> Option<i64> {
        let heard_again = state.heard_s >= since_s + self.config.settle_s;
        if state.certainty != Certainty::Sure || !heard_again {
            return None;
        }
        self.last_s = Some(state.heard_s);
        let drift = state.drift_us;
        let is_certain = drift.value.abs() > drift.half_95().max(self.config.ignore_us);
        Some(if is_certain { -drift.value.round() as i64 } else { 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::measurement::Estimate;

    fn heard(heard_s: f64, drift_us: f64, certainty: Certainty) -> FollowState {
        FollowState {
            heard_s,
            lag_s: Some(0.0),
            microphone_ppm: None,
            delay_us: None,
            drift_us: Estimate { value: drift_us, sd: 10.0 },
            rate_us_per_s: Estimate { value: 0.0, sd: 0.1 },
            reference_s: Some(0.0),
            corrected_us: 0.0,
            jumps: Vec::new(),
            certainty,
        }
    }

    #[test]
    fn a_speaker_that_came_back_elsewhere_is_put_back_at_once_and_only_by_what_was_heard_since() {
        let mut correction = FollowCorrection::new(CorrectionConfig::default());
        let back_at = 100.0;
        assert_eq!(correction.put_back(&heard(101.0, 0.0, Certainty::Sure), back_at), None);
        let lost = Certainty::Unsure(super::super::Doubt::Jumped);
        assert_eq!(correction.put_back(&heard(110.0, 9_000.4, lost), back_at), None);
        assert_eq!(correction.put_back(&heard(110.0, 9_000.4, Certainty::Sure), back_at), Some(-9_000));
        assert_eq!(correction.put_back(&heard(110.0, -5.0, Certainty::Sure), back_at), Some(0));
    }
}
