//! The calibrations of one speaker: the one in force, and those before it.

use antiphon_api::{CalibratedThrough, CalibrationGrade, CalibrationMethod};
use antiphon_proto::session::Trim;
use antiphon_proto::session::message::{MAX_DELAY_US, MIN_GAIN_DB};
use serde::{Deserialize, Serialize};

/// How many calibrations are kept for a speaker: whoever wants to go back further measures again.
const MOST: usize = 8;

/// What was measured once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Added to the user's delay, in microseconds.
    pub delay_us: i64,
    /// Added to the user's gain, in decibels; never above 0.
    pub gain_db: f32,
    /// Seconds since 1970 (UTC).
    pub measured_at: u64,
    /// How sure it is.
    pub grade: CalibrationGrade,
    /// Half width of the delay's 95 % interval, in microseconds.
    pub uncertainty_us: f64,
    /// What it holds for.
    pub method: CalibrationMethod,
    /// Whether a second measurement agreed.
    pub verified: bool,
    /// What it was measured through.
    pub through: CalibratedThrough,
}

impl Calibration {
    /// Whether a speaker plays alike with both.
    pub fn corrects_as(&self, other: &Self) -> bool {
        self.trim() == other.trim()
    }

    /// What it adds to the user's settings.
    pub fn trim(&self) -> Trim {
        Trim { delay_us: self.delay_us, gain_db: self.gain_db }
    }

    /// This one with its numbers inside their limits, as a file may have been written by hand.
    fn held_in_limits(mut self) -> Self {
        self.delay_us = self.delay_us.clamp(-MAX_DELAY_US, MAX_DELAY_US);
        self.gain_db = if self.gain_db.is_nan() { 0.0 } else { self.gain_db.clamp(MIN_GAIN_DB, 0.0) };
        self.uncertainty_us = self.uncertainty_us.max(0.0);
        self
    }
}

/// A speaker's calibrations, oldest first; the last is in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibrations {
    /// The speaker's name when it was last calibrated.
    pub name: String,
    chain: Vec<Calibration>,
}

impl Calibrations {
    /// The calibrations of a file; `None` where it lists none.
    pub fn from_chain(name: String, mut chain: Vec<Calibration>) -> Option<Self> {
        chain.drain(..chain.len().saturating_sub(MOST));
        let chain: Vec<_> = chain.into_iter().map(Calibration::held_in_limits).collect();
        (!chain.is_empty()).then_some(Self { name, chain })
    }

    /// All of them, oldest first.
    pub fn chain(&self) -> &[Calibration] {
        &self.chain
    }

    /// The one in force.
    pub fn in_force(&self) -> &Calibration {
        // Neither `from_chain` nor `undo` leaves a chain without a link.
        &self.chain[self.chain.len() - 1]
    }

    /// How many can be gone back to.
    pub fn previous(&self) -> usize {
        self.chain.len() - 1
    }

    /// Puts `new` in force, in the place of the last one where `replace` says so.
    pub fn add(&mut self, new: Calibration, replace: bool) {
        if replace {
            self.chain.pop();
        }
        self.chain.push(new);
        self.chain.drain(..self.chain.len().saturating_sub(MOST));
    }

    /// Without the one in force; `None` where it was the only one.
    pub fn undone(mut self) -> Option<Self> {
        self.chain.pop();
        (!self.chain.is_empty()).then_some(self)
    }
}

#[cfg(test)]
pub mod tests {
    use antiphon_proto::session::Codec;

    use super::*;

    /// A calibration of `delay_us`, made at that second.
    pub fn of(delay_us: i64) -> Calibration {
        Calibration {
            delay_us,
            gain_db: -1.5,
            measured_at: delay_us.unsigned_abs(),
            grade: CalibrationGrade::Good,
            uncertainty_us: 3.5,
            method: CalibrationMethod::Place,
            verified: false,
            through: CalibratedThrough {
                codec: Codec::L24,
                output: "alsa:\"x\"".into(),
                software: "antiphon 0.1.0".into(),
                link: None,
            },
        }
    }

    fn chain(delays: &[i64]) -> Calibrations {
        Calibrations::from_chain("desk".into(), delays.iter().copied().map(of).collect()).unwrap()
    }

    #[test]
    fn each_calibration_is_the_previous_one_of_the_next() {
        let mut kept = chain(&[1]);
        kept.add(of(2), false);
        kept.add(of(3), false);
        assert_eq!((kept.in_force().delay_us, kept.previous()), (3, 2));
        let kept = kept.undone().unwrap();
        assert_eq!(kept.in_force().delay_us, 2);
        assert_eq!(kept.undone().unwrap().undone(), None);
    }

    #[test]
    fn what_replaces_the_one_in_force_leaves_no_trace_of_it() {
        let mut kept = chain(&[1, 2]);
        kept.add(of(3), true);
        assert_eq!((kept.in_force().delay_us, kept.previous()), (3, 1));
    }

    #[test]
    fn no_more_than_eight_are_kept_and_the_oldest_go() {
        let mut kept = chain(&[0]);
        (1..20).for_each(|delay| kept.add(of(delay), false));
        assert_eq!((kept.chain().len(), kept.chain()[0].delay_us), (8, 12));
        assert_eq!(chain(&(0..20).collect::<Vec<_>>()), kept);
    }

    #[test]
    fn numbers_of_a_file_written_by_hand_are_held_in_limits() {
        let wild = Calibration { gain_db: 40.0, uncertainty_us: f64::NAN, ..of(i64::MAX) };
        let kept = Calibrations::from_chain("desk".into(), vec![wild]).unwrap();
        let held = kept.in_force();
        assert_eq!((held.delay_us, held.gain_db, held.uncertainty_us), (MAX_DELAY_US, 0.0, 0.0));
    }
}
