//! What a delay between two speakers means, in words and in the names that programs read.
//!
//! The bounds: 9 of 10 listeners hear 60 us between the channels of a stereo image; up to 2 ms one
//! sound is heard, from the earlier speaker's side; up to 20 ms one sound, coloured by comb
//! filtering; beyond that two sounds.

use super::measurement::{Class, Grade};

/// Below this, in microseconds, two speakers are a stereo pair.
pub const STEREO_PAIR_US: f64 = 60.0;
/// Below this, in microseconds, two speakers play as one in the same room.
pub const SAME_ROOM_US: f64 = 200.0;
/// Below this, in microseconds, two speakers fuse into one sound.
pub const FUSED_US: f64 = 2_000.0;
/// From this on, in microseconds, two speakers are two sounds.
pub const ECHO_US: f64 = 20_000.0;
/// "TWS grade" as its source has it: below 12 ms. Its claim, not a verdict of this program.
pub const CLAIMED_TWS_US: f64 = 12_000.0;
/// Where comb filtering of voices and instruments is heard most, in Hz.
pub const COMB_BAND_HZ: (f64, f64) = (500.0, 2_000.0);

impl Class {
    /// Of a delay in microseconds, of either sign. What is not a number is an echo: never better
    /// than it is.
    pub fn of(delay_us: f64) -> Self {
        match delay_us.abs() {
            us if us < STEREO_PAIR_US => Self::StereoPair,
            us if us < SAME_ROOM_US => Self::SameRoom,
            us if us < FUSED_US => Self::Fused,
            us if us < ECHO_US => Self::Colouring,
            _ => Self::Echo,
        }
    }

    /// Name for programs, lower case with underscores.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StereoPair => "stereo_pair",
            Self::SameRoom => "same_room",
            Self::Fused => "fused",
            Self::Colouring => "colouring",
            Self::Echo => "echo",
        }
    }

    /// The bounds and what is heard, for a person: "stereo pair (under 60 us): ...".
    pub fn meaning(self) -> &'static str {
        match self {
            Self::StereoPair => "stereo pair (under 60 us): one stereo image, as from one device",
            Self::SameRoom => {
                "same room (under 200 us): one sound; a careful listener hears the image shifted"
            }
            Self::Fused => "fused (under 2 ms): one sound, but it comes from the side of the earlier speaker",
            Self::Colouring => "colouring (2 to 20 ms): one sound, hollow or metallic from comb filtering",
            Self::Echo => "echo (20 ms and more): two sounds, one after the other",
        }
    }
}

impl Grade {
    /// Name for programs, lower case with underscores.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Usable => "usable",
            Self::NotTrustworthy => "not_trustworthy",
        }
    }

    /// What to do with the numbers, for a person.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Good => "good: the numbers may be acted upon",
            Self::Usable => {
                "usable: right as far as the stated uncertainty goes, but something is not as it should be"
            }
            Self::NotTrustworthy => "not trustworthy: do not act on these numbers",
        }
    }
}

/// How many notches two equally loud speakers, so far apart in time, cut between 500 Hz and 2 kHz:
/// the odd multiples of half the inverse of the delay.
pub fn notches(delay_us: f64) -> usize {
    let per_hz = 2e-6 * delay_us.abs();
    let odd_up_to = |hz: f64| ((hz * per_hz + 1.0) / 2.0).floor();
    let below = ((COMB_BAND_HZ.0 * per_hz + 1.0) / 2.0).ceil() - 1.0;
    (odd_up_to(COMB_BAND_HZ.1) - below).max(0.0) as usize
}

/// What the source's claim "TWS grade, < 12 ms" makes of this delay, said as its claim, and what it
/// leaves out.
pub fn source_claim(delay_us: f64) -> String {
    let within = if delay_us.abs() < CLAIMED_TWS_US { "falls under" } else { "does not meet" };
    let cut = match notches(delay_us) {
        0 => "no comb notch".into(),
        1 => "one comb notch".into(),
        n => format!("{n} comb notches"),
    };
    format!(
        "A guide for buyers calls everything below 12 ms \"TWS grade\". This pair, {:.2} ms apart, {within} that claim, which \
         is not a verdict: the delay puts {cut} between 500 Hz and 2 kHz into a sound that both play.",
        delay_us.abs() / 1_000.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_begins_at_its_bound_and_the_sign_does_not_matter() {
        for (us, class) in [
            (0.0, Class::StereoPair),
            (59.9, Class::StereoPair),
            (-60.0, Class::SameRoom),
            (200.0, Class::Fused),
            (-1_999.0, Class::Fused),
            (2_000.0, Class::Colouring),
            (19_999.0, Class::Colouring),
            (20_000.0, Class::Echo),
            (f64::NAN, Class::Echo),
        ] {
            assert_eq!(Class::of(us), class, "{us} us");
        }
    }

    #[test]
    fn the_claimed_11_3_milliseconds_put_17_notches_between_500_hz_and_2_khz() {
        assert_eq!(notches(11_300.0), 17);
        assert_eq!(notches(-11_300.0), 17);
        // 1 ms: notches at 500, 1500 and 2500 Hz, of which the first two are within the band.
        assert_eq!(notches(1_000.0), 2);
        // 60 us: the first notch is at 8.3 kHz.
        assert_eq!(notches(60.0), 0);
    }

    #[test]
    fn the_claim_is_said_as_a_claim_with_what_it_leaves_out() {
        let said = source_claim(11_300.0);
        assert!(said.contains("falls under") && said.contains("not a verdict"), "{said}");
        assert!(said.contains("17 comb notches"), "{said}");
        assert!(source_claim(12_000.0).contains("does not meet"));
    }
}
