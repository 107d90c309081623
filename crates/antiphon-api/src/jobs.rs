//! Uploads, and work that takes a while.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::doctor::DoctorReport;
use crate::error::ErrorBody;
use crate::measurement::{CalibrateReport, MeasurementReport};

/// Query of `POST /api/v1/uploads`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UploadQuery {
    /// What people see of it; never a path.
    #[serde(default)]
    pub name: Option<String>,
}

/// A file that was uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct UploadReply {
    /// Names it.
    pub id: String,
    /// As it was called.
    pub name: String,
    /// Its length.
    pub bytes: u64,
}

/// Body of `POST /api/v1/jobs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum JobRequest {
    /// Says from a recording how far apart two speakers are.
    Measure {
        /// The recording.
        upload: String,
    },
    /// Brings the speakers together: by a recording of the measure track as they played it, or by a
    /// microphone of the hub's machine.
    Calibrate {
        /// The recording.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upload: Option<String>,
        /// The microphone: `pulse:`, `pulse:SOURCE`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mic: Option<String>,
        /// With a microphone: the speakers; none: all.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        speakers: Vec<String>,
    },
    /// Lets one speaker beep.
    Identify {
        /// Its name.
        speaker: String,
    },
    /// Looks at the hub's machine.
    Doctor,
}

impl JobRequest {
    /// Its kind, as it is written.
    pub const fn kind(&self) -> JobKind {
        match self {
            Self::Measure { .. } => JobKind::Measure,
            Self::Calibrate { .. } => JobKind::Calibrate,
            Self::Identify { .. } => JobKind::Identify,
            Self::Doctor => JobKind::Doctor,
        }
    }
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// See [`JobRequest::Measure`].
    Measure,
    /// See [`JobRequest::Calibrate`].
    Calibrate,
    /// See [`JobRequest::Identify`].
    Identify,
    /// See [`JobRequest::Doctor`].
    Doctor,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// At work.
    Running,
    /// Its result is there.
    Done,
    /// Its error is there.
    Failed,
    /// Somebody did not want it any more.
    Cancelled,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Names it.
    pub id: String,
    /// What it does.
    pub kind: JobKind,
    /// How far it is.
    pub state: JobState,
    /// From 0 to 1.
    pub progress: f64,
    /// What it does at the moment, or what came of it, in a sentence.
    pub message: String,
    /// Of a job that is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<JobResult>,
    /// Of a job that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorBody>,
}

/// What came of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobResult {
    /// Of [`JobKind::Measure`].
    Measurement(Box<MeasurementReport>),
    /// Of [`JobKind::Calibrate`].
    Calibration(Box<CalibrateReport>),
    /// Of [`JobKind::Doctor`].
    Doctor(Box<DoctorReport>),
}

/// Answer to `GET /api/v1/jobs`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct JobsReply {
    /// The latest first.
    pub jobs: Vec<Job>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_asked_for_by_its_kind() {
        let read = |text: &str| serde_json::from_str::<JobRequest>(text);
        assert_eq!(read(r#"{"kind":"doctor"}"#).unwrap(), JobRequest::Doctor);
        let calibrate = read(r#"{"kind":"calibrate","mic":"pulse:"}"#).unwrap();
        assert_eq!(calibrate.kind(), JobKind::Calibrate);
        assert!(read(r#"{"kind":"measure","file":"/etc/passwd"}"#).is_err());
        assert!(read(r#"{"kind":"run","program":"sh"}"#).is_err());
    }
}
