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
}

impl Default for CorrectionConfig {
    fn default() -> Self {
        Self { pause_s: 4.0, step_us: 8.0, ignore_us: 4.0 }
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
}
