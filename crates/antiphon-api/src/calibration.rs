//! What a microphone found about the speakers, as the hub keeps it.
//!
//! A calibration adds to what a speaker's user has set: the speaker plays with the sum of both
//! delays and both gains. The hub knows no microphone; it stores what whoever measured puts here.

use antiphon_proto::session::Codec;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::text;

/// How sure the measurement was. One that is not to be trusted cannot be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CalibrationGrade {
    /// Its stated uncertainty holds.
    Good,
    /// Better than none.
    Usable,
}

impl std::fmt::Display for CalibrationGrade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Good => "good",
            Self::Usable => "usable",
        })
    }
}

/// What the correction holds for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CalibrationMethod {
    /// The place of the microphone: the ways from the speakers to it are part of the correction.
    Place,
    /// The speakers themselves: the microphone stood equally far from all of them.
    EqualDistance,
}

/// One speaker's correction, in a [`CalibrationRequest`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SpeakerCalibration {
    /// A connected speaker.
    pub name: String,
    /// Added to its user's delay, in microseconds; -2,000,000 to 2,000,000.
    pub delay_us: i64,
    /// Added to its user's gain, in decibels; -100 to 0, as a louder speaker could clip.
    pub gain_db: f32,
    /// How sure the measurement was.
    pub grade: CalibrationGrade,
    /// Half width of the delay's 95 % interval, in microseconds; 0 to 1,000,000.
    pub uncertainty_us: f64,
    /// What it holds for.
    pub method: CalibrationMethod,
    /// Whether a second measurement has found the speakers together with it.
    pub verified: bool,
}

/// Body of `PUT /api/v1/calibration`: stored and applied for all of its speakers, or for none.
///
/// What was in force before is kept as the previous one, for undoing. A correction equal to the one
/// in force replaces it, so that a check can add that it is verified.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CalibrationRequest {
    /// One entry a speaker; others keep what they have.
    pub speakers: Vec<SpeakerCalibration>,
    /// True: replaces what is in force, which is not kept, as a refinement of the same calibration.
    #[serde(default)]
    pub refine: bool,
}

/// Answer to `GET`, `PUT` and `DELETE /api/v1/calibration`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct CalibrationReply {
    /// Every speaker with a calibration, connected or not, by name.
    pub speakers: Vec<NamedCalibration>,
}

/// A speaker and its calibration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NamedCalibration {
    /// Lasting identity of the speaker, 32 hex digits.
    pub id: String,
    /// Its name when it was calibrated.
    pub name: String,
    /// Its calibration.
    pub calibration: CalibrationStatus,
}

/// The calibration in force for a speaker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CalibrationStatus {
    /// Added to the user's delay, in microseconds.
    pub delay_us: i64,
    /// Added to the user's gain, in decibels.
    pub gain_db: f32,
    /// When it was stored, in seconds since 1970 (UTC).
    pub measured_at: u64,
    /// Seconds since then.
    pub age_s: u64,
    /// How sure the measurement was.
    pub grade: CalibrationGrade,
    /// Half width of the delay's 95 % interval, in microseconds.
    pub uncertainty_us: f64,
    /// What it holds for.
    pub method: CalibrationMethod,
    /// Whether a second measurement has found the speakers together with it.
    pub verified: bool,
    /// What it was measured through.
    pub through: CalibratedThrough,
    /// Why it may not hold: the speaker's codec, output or program differs from what it was measured
    /// through. Null while it holds, and for a speaker that is not connected.
    pub stale: Option<String>,
    /// How many earlier ones can be gone back to.
    pub previous: usize,
}

/// What stood between the measuring program and the air.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CalibratedThrough {
    /// How the speaker's media were encoded.
    #[serde(with = "text")]
    #[schema(value_type = String)]
    pub codec: Codec,
    /// Its output, in its own words.
    pub output: String,
    /// Its program and version, in its own words.
    pub software: String,
    /// The link to its loudspeaker, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<CalibratedLink>,
}

/// The link that a calibration was measured through. A loudspeaker's delay is another after each start,
/// by more than a calibration is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CalibratedLink {
    /// The link's codec, in its own words.
    pub codec: String,
    /// Which start of the loudspeaker it was.
    pub start: u32,
}

impl CalibratedThrough {
    /// What of it is different in `present`, as a sentence; `None` if nothing is.
    pub fn difference(&self, present: &Self) -> Option<String> {
        let changes = [
            ("codec", self.codec.to_string(), present.codec.to_string()),
            ("output", self.output.clone(), present.output.clone()),
            ("program", self.software.clone(), present.software.clone()),
        ];
        let said: Vec<String> = changes
            .into_iter()
            .filter(|(_, then, now)| then != now)
            .map(|(what, then, now)| format!("its {what} was {then} and is {now}"))
            .collect();
        if said.is_empty() {
            return self
                .link
                .as_ref()
                .zip(present.link.as_ref())
                .and_then(|(then, now)| then.difference(now));
        }
        Some(format!("{}: calibrate again", said.join(", ")))
    }
}

impl CalibratedLink {
    fn difference(&self, present: &Self) -> Option<String> {
        if self.codec != present.codec {
            return Some(format!(
                "its link's codec was {} and is {}: calibrate again",
                self.codec, present.codec
            ));
        }
        (self.start != present.start).then(|| "not verified since reconnect".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_through_another_codec_says_so() {
        let then = CalibratedThrough {
            codec: Codec::L24,
            output: "null:".into(),
            software: "antiphon 1".into(),
            link: None,
        };
        assert_eq!(then.difference(&then.clone()), None);
        let now = CalibratedThrough { codec: Codec::Opus, ..then.clone() };
        assert_eq!(then.difference(&now).unwrap(), "its codec was l24 and is opus: calibrate again");
    }

    #[test]
    fn what_was_measured_before_a_reconnect_is_not_verified_and_through_another_codec_is_void() {
        let link = |codec: &str, start| Some(CalibratedLink { codec: codec.into(), start });
        let through = |link| CalibratedThrough {
            codec: Codec::L24,
            output: "bluetooth:0A:0B:0C:0D:0E:0F".into(),
            software: "antiphon 1".into(),
            link,
        };
        let then = through(link("sbc mono 48000/29", 7));
        assert_eq!(then.difference(&then), None);
        assert_eq!(then.difference(&through(None)), None, "while it is away, nothing is known");
        let again = then.difference(&through(link("sbc mono 48000/29", 8)));
        assert_eq!(again.unwrap(), "not verified since reconnect");
        let other = then.difference(&through(link("sbc mono 44100/29", 8))).unwrap();
        assert!(other.starts_with("its link's codec was sbc mono 48000/29"), "{other}");
    }

    #[test]
    fn a_grade_that_is_not_to_be_trusted_does_not_read() {
        let text = r#"{"speakers":[{"name":"a","delay_us":1,"gain_db":0.0,"grade":"GRADE","uncertainty_us":2.0,"method":"place","verified":false}]}"#;
        let read = |grade| serde_json::from_str::<CalibrationRequest>(&text.replace("GRADE", grade));
        assert!(read("good").is_ok() && read("usable").is_ok());
        assert!(read("not_trustworthy").is_err());
    }
}
