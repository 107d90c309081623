//! What each kind of job does.

use std::path::PathBuf;
use std::sync::Arc;

use antiphon_api::{ErrorBody, ErrorCode, HubAddress, JobRequest, JobResult};
use antiphon_audio::capture::InputUri;
use antiphon_hub::services::Served;

use super::{Desk, Outcome};
use crate::lab::{Ended, jobs as lab};
use crate::services::uploads::Uploads;
use crate::{doctor, terminal};

/// Speakers that a request may name, as many as a signal has channels, and some.
const MOST_SPEAKERS: usize = 64;

/// What is to be done, all of it checked.
pub enum Work {
    Measure(Recording),
    CalibrateBy(HubAddress, Recording),
    Calibrate(HubAddress, InputUri, Vec<String>),
    Identify(HubAddress, String),
    Doctor,
}

/// A recording that was uploaded.
pub struct Recording {
    name: String,
    path: PathBuf,
}

/// Checks `request`.
///
/// # Errors
/// What it names is not there, or makes no sense.
pub fn plan(request: &JobRequest, hub: &HubAddress, uploads: &Uploads) -> Served<Work> {
    let recording = |id: &str| {
        let upload = uploads.find(id)?;
        Ok(Recording { name: upload.name, path: upload.path })
    };
    Ok(match request {
        JobRequest::Measure { upload } => Work::Measure(recording(upload)?),
        JobRequest::Calibrate { upload: Some(upload), mic: None, .. } => {
            Work::CalibrateBy(hub.clone(), recording(upload)?)
        }
        JobRequest::Calibrate { upload: None, mic: Some(mic), speakers }
            if speakers.len() <= MOST_SPEAKERS =>
        {
            Work::Calibrate(hub.clone(), microphone(mic)?, speakers.clone())
        }
        JobRequest::Calibrate { .. } => {
            let message = "calibrating needs either an upload or a microphone (pulse:), and few speakers";
            return Err(ErrorBody::new(ErrorCode::BadRequest, message));
        }
        JobRequest::Identify { speaker } => Work::Identify(hub.clone(), speaker.clone()),
        JobRequest::Doctor => Work::Doctor,
    })
}

/// Of all that the verb listens to only what names no file and no program.
fn microphone(text: &str) -> Served<InputUri> {
    match text.parse() {
        Ok(uri @ InputUri::Pulse(_)) => Ok(uri),
        _ => {
            let message = "the hub listens by the sound server's microphones only: pulse:, or pulse:SOURCE";
            Err(ErrorBody::new(ErrorCode::BadRequest, message))
        }
    }
}

impl Work {
    /// Does it.
    pub fn run(self, desk: &Desk) -> Outcome {
        let (board, id) = (desk.board.clone(), desk.id.clone());
        let noted = Desk { board, id, stop: Arc::clone(&desk.stop) };
        // Notes come at the steps of the work; each takes a fifth of what is left.
        let note = move |line: &str| {
            noted.note(line);
            noted.board.change(&noted.id, false, |job| job.progress += (1.0 - job.progress) / 5.0);
        };
        // What plays and listens has to be on time.
        if !matches!(self, Self::Calibrate(..) | Self::Identify(..)) {
            antiphon_net::low_priority();
        }
        terminal::noted_by(note, || self.work(desk))
    }

    fn work(self, desk: &Desk) -> Outcome {
        let (stop, progress) = (&*desk.stop, &|part| desk.progress(part));
        match self {
            Self::Measure(Recording { name, path }) => {
                let (report, verdict) = lab::measure(&path, &name, stop, progress)?;
                Ok((Some(JobResult::Measurement(Box::new(report))), verdict))
            }
            Self::CalibrateBy(hub, Recording { name, path }) => {
                calibration(lab::calibrate_by_recording(&hub, &path, &name, stop, progress)?)
            }
            Self::Calibrate(hub, mic, speakers) => {
                calibration(lab::calibrate_by_microphone(&hub, &mic, &speakers, stop)?)
            }
            Self::Identify(hub, speaker) => {
                lab::identify(&hub, &speaker, stop, progress)?;
                Ok((None, format!("{speaker} has beeped")))
            }
            Self::Doctor => {
                let report = doctor::report();
                let worst = report.worst.clone();
                Ok((Some(JobResult::Doctor(Box::new(report))), format!("looked at the machine: {worst}")))
            }
        }
    }
}

fn calibration(
    done: (antiphon_api::measurement::CalibrateReport, String),
) -> Result<(Option<JobResult>, String), Ended> {
    let (report, told) = done;
    Ok((Some(JobResult::Calibration(Box::new(report))), told.trim().to_owned()))
}
