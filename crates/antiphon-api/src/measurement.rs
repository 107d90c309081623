//! The schema of `antiphon measure --json`, and of the measurements inside
//! `antiphon calibrate --json`.
//!
//! Times are microseconds on the players' clock, levels decibels against the recorder's full scale.
//! `uncertainty_*` is half the width of the 95 % interval: the truth is within it in 95 of 100 cases.
//! What was not heard is null.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Number of the schema; fields are only ever added under one number.
pub const MEASUREMENT_SCHEMA: u32 = 1;

/// What one recording of the measure signal told.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct MeasurementReport {
    /// [`MEASUREMENT_SCHEMA`].
    pub schema: u32,
    /// The recording's file, or the microphone.
    pub recording: String,
    /// `good`, `usable` or `not_trustworthy`: numbers of the last are shown and not to be acted upon.
    pub grade: String,
    /// Why the grade is not better, in sentences, the gravest first; empty for `good`.
    pub reasons: Vec<String>,
    /// The result in one sentence.
    pub verdict: String,
    /// Everything noticed, `reasons` included, the gravest first.
    pub findings: Vec<FindingReport>,
    /// How much faster the recorder's clock runs than the players', in parts per million.
    pub recorder_ppm: Option<f64>,
    /// Of `recorder_ppm`.
    pub recorder_ppm_uncertainty: Option<f64>,
    /// The recording as a whole.
    pub recorder: RecorderReport,
    /// One for each channel of the signal, in its order.
    pub channels: Vec<ChannelReport>,
    /// Every pair of channels that were both heard.
    pub pairs: Vec<PairReport>,
}

/// Something noticed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
// Others of this crate have the same name: in the API's description it is another.
#[schema(as = MeasurementFinding)]
pub struct FindingReport {
    /// What it is: `clipped`, `played_twice`, `swapped`, ...
    pub kind: String,
    /// What it does to the grade: `note` nothing, `doubt` at best usable, `refusal` not trustworthy.
    pub severity: String,
    /// What it is, where, and what to do.
    pub message: String,
}

/// The recording as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct RecorderReport {
    /// Length that was searched, in seconds of the recorder's clock.
    pub length_s: f64,
    /// Where the signal begins in it; null where it was not found.
    pub begin_s: Option<f64>,
    /// Whole periods of the signal that were used.
    pub periods: u64,
    /// Greatest magnitude of a sample while the signal played; null for silence.
    pub peak_dbfs: Option<f64>,
    /// What the signal does not explain, within its band; null for silence.
    pub noise_dbfs: Option<f64>,
}

/// One channel of the signal as it arrived: usually one speaker.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct ChannelReport {
    /// `left`, `right`, or the speaker's name.
    pub name: String,
    /// It was found in the recording.
    pub heard: bool,
    /// When the signal's first frame arrived by the direct path, after the recording's first frame.
    pub arrival_us: Option<f64>,
    /// Of `arrival_us`.
    pub uncertainty_us: Option<f64>,
    /// Its level in the recording, the room included.
    pub level_db: Option<f64>,
    /// `normal`, `inverted` or `unclear`.
    pub polarity: String,
    /// Its power against the noise's, before averaging.
    pub snr_db: Option<f64>,
    /// How much faster its player runs than the mean of those heard.
    pub drift_ppm: Option<f64>,
    /// Of `drift_ppm`.
    pub drift_uncertainty_ppm: Option<f64>,
    /// Direct sound against all that follows it.
    pub direct_to_reverb_db: Option<f64>,
    /// Magnitude over frequency, against the mean over 500 Hz to 8 kHz.
    pub response: Vec<ResponsePointReport>,
    /// Later arrivals that stand out.
    pub echoes: Vec<EchoReport>,
    /// The impulse response around the first arrival.
    pub impulse: ImpulseReport,
    /// Period by period.
    pub track: Vec<TrackPointReport>,
}

/// Magnitude in one band.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct ResponsePointReport {
    /// Centre of the band.
    pub hz: f64,
    /// Against the mean over 500 Hz to 8 kHz; null where nothing came.
    pub db: Option<f64>,
    /// Signal to noise here, after averaging.
    pub snr_db: Option<f64>,
}

/// A later arrival.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct EchoReport {
    /// After the first.
    pub after_us: f64,
    /// Against the first.
    pub db: f64,
}

/// A stretch of impulse response at 48 kHz.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct ImpulseReport {
    /// Time of the first sample against the arrival; negative is before it.
    pub begin_us: f64,
    /// Against the recorder's full scale.
    pub samples: Vec<f32>,
}

/// What one period of the signal told.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct TrackPointReport {
    /// Middle of the period, after the signal's first frame.
    pub at_s: f64,
    /// Arrival against the channel's mean arrival.
    pub shift_us: f64,
    /// Its level.
    pub level_db: Option<f64>,
    /// Part of the power recorded that the signal explains, 0 to 1.
    pub coherence: f64,
}

/// Two channels against each other.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct PairReport {
    /// Name of the first.
    pub a: String,
    /// Name of the second.
    pub b: String,
    /// `b` later than `a` at the microphone; negative: earlier.
    pub delay_us: f64,
    /// Of `delay_us`.
    pub uncertainty_us: f64,
    /// The delay in frames of 48 kHz.
    pub delay_samples: f64,
    /// The way that sound goes in the delay.
    pub path_cm: f64,
    /// Level of `b` less that of `a`.
    pub level_diff_db: f64,
    /// `stereo_pair` below 60 us, `same_room` below 200 us, `fused` below 2 ms, `colouring` below 20 ms,
    /// `echo` from there on.
    pub class: String,
    /// The delay is below the 12 ms that vendors of stereo (TWS) pairs call TWS grade: a claim that is
    /// shown for comparison and no judgement of this program.
    pub below_tws_claim: bool,
    /// Where both cancel in a sound that both play, 500 Hz to 2 kHz.
    pub comb: Vec<NotchReport>,
}

/// A frequency at which two speakers cancel.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct NotchReport {
    /// Where delay alone puts it.
    pub hz: f64,
    /// Depth by delay and level difference alone.
    pub predicted_db: f64,
    /// Depth of the two measured responses, added; null where noise hides it.
    pub measured_db: Option<f64>,
}

/// What `antiphon calibrate --json` prints.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct CalibrateReport {
    /// [`MEASUREMENT_SCHEMA`].
    pub schema: u32,
    /// `kept`: corrected, checked and kept. `applied`: corrected by somebody's recording, and not checked yet.
    /// `nothing_to_do`: the speakers were together. `put_back`: the
    /// check found it no better, and what was before is in force. `refused`: the measurement did not
    /// allow a correction, and nothing was changed.
    pub outcome: String,
    /// Why, in sentences.
    pub reasons: Vec<String>,
    /// `place`: it holds where the microphone stood. `equal_distance`: it is about the speakers alone.
    pub method: String,
    /// As it was.
    pub before: MeasurementReport,
    /// The corrections worked out; empty when refused.
    pub corrections: Vec<CorrectionReport>,
    /// With the corrections; null where none were tried.
    pub after: Option<MeasurementReport>,
}

/// What one speaker was told.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct CorrectionReport {
    /// The speaker.
    pub name: String,
    /// How long it waits for the others, in microseconds.
    pub delay_us: i64,
    /// How far it is turned down, in decibels: 0 or below.
    pub gain_db: f32,
}

/// One line of `antiphon calibrate --follow FILE --json`, once a second. Null is not known yet.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct FollowReport {
    /// [`MEASUREMENT_SCHEMA`].
    pub schema: u32,
    /// Seconds that the microphone has heard.
    pub heard_s: f64,
    /// The numbers may be acted upon.
    pub sure: bool,
    /// How sure it is and why, in words.
    pub certainty: String,
    /// Right later than left at the microphone.
    pub delay_us: Option<f64>,
    /// Of `delay_us`.
    pub delay_uncertainty_us: Option<f64>,
    /// By how much the delay has changed since it was first known, corrections included.
    pub drift_us: Option<f64>,
    /// Of `drift_us`.
    pub drift_uncertainty_us: Option<f64>,
    /// How fast the delay changes, in microseconds a second.
    pub rate_us_per_s: Option<f64>,
    /// Sum of the corrections made.
    pub corrected_us: f64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn a_report_comes_back_from_its_text_and_a_program_finds_the_fields_it_was_promised() {
        let channel = ChannelReport { name: "left".into(), heard: true, ..ChannelReport::default() };
        let pair = PairReport { a: "left".into(), b: "right".into(), ..PairReport::default() };
        let report = MeasurementReport {
            schema: MEASUREMENT_SCHEMA,
            channels: vec![channel],
            pairs: vec![pair],
            ..MeasurementReport::default()
        };
        let text = json::write_pretty(&report);
        assert_eq!(json::read::<MeasurementReport>("the report", text.as_bytes()), Ok(report));
        let promised = "channels name arrival_us uncertainty_us level_db polarity snr_db pairs a b delay_us \
                        level_diff_db recorder_ppm grade reasons";
        for field in promised.split_whitespace() {
            assert!(text.contains(&format!("\"{field}\":")), "{field} is missing in {text}");
        }
    }
}
