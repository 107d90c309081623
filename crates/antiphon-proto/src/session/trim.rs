//! What a calibration adds to what a speaker's user has set.

use super::message::SpeakerSettings;

/// A calibration's part of a speaker's delay and gain: what makes it sound when, and as loud as,
/// the others at the place where they were measured.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Trim {
    /// Added to the user's delay, in microseconds.
    pub delay_us: i64,
    /// Added to the user's gain, in dB.
    pub gain_db: f32,
}

impl Trim {
    /// How a speaker that its user has set to `settings` plays.
    pub fn applied_to(self, settings: &SpeakerSettings) -> SpeakerSettings {
        SpeakerSettings {
            delay_us: settings.delay_us.saturating_add(self.delay_us),
            gain_db: settings.gain_db + self.gain_db,
            ..settings.clone()
        }
        .held_in_limits()
    }
}

/// What a hub knows of a speaker from earlier sessions.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Remembered {
    /// How its user has set it; `None` if never.
    pub settings: Option<SpeakerSettings>,
    /// Its calibration.
    pub trim: Trim,
    /// What it is called here; `None`: as it calls itself.
    pub name: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::super::message::{MAX_DELAY_US, MIN_GAIN_DB};
    use super::*;

    #[test]
    fn a_calibration_adds_to_what_the_user_set_and_the_sum_is_held_in_limits() {
        let user = SpeakerSettings { delay_us: -250, gain_db: -6.0, ..SpeakerSettings::default() };
        let sum = Trim { delay_us: 137_000, gain_db: -1.5 }.applied_to(&user);
        assert_eq!((sum.delay_us, sum.gain_db), (136_750, -7.5));
        assert_eq!(Trim::default().applied_to(&user), user);
        let wild = Trim { delay_us: i64::MAX, gain_db: f32::NEG_INFINITY }
            .applied_to(&SpeakerSettings { delay_us: 5, ..user });
        assert_eq!((wild.delay_us, wild.gain_db), (MAX_DELAY_US, MIN_GAIN_DB));
    }
}
