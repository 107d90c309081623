//! Requests about calibrations: stored first, then told to the speakers.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use antiphon_api::{
    CalibratedLink, CalibratedThrough, CalibrationReply, CalibrationRequest, CalibrationStatus, ErrorBody,
    ErrorCode, LinkState, MAX_TARGETS, NamedCalibration, SpeakerCalibration, SpeakerStatus, json,
};
use antiphon_base::SpeakerId;
use antiphon_proto::session::message::{MAX_DELAY_US, MIN_GAIN_DB};
use axum::body::Bytes;
use axum::extract::{Path, State};

use super::{Json, Refused, Shared, SharedState};
use crate::options::HubError;
use crate::state::{Calibration, Calibrations, NewCalibration, Store};

type Answer = Result<Json<CalibrationReply>, Refused>;

/// Beyond a second of doubt a delay is not known at all.
const MAX_UNCERTAINTY_US: f64 = 1e6;

/// `GET /api/v1/calibration`
pub async fn read(State(shared): SharedState) -> Answer {
    let connected = shared.media.ask(|core| core.speakers()).await?;
    Ok(Json(reply(&shared, &connected)))
}

/// `PUT /api/v1/calibration`
pub async fn put(State(shared): SharedState, body: Bytes) -> Answer {
    let request: CalibrationRequest = json::read("the calibration", &body)?;
    check(&request)?;
    let _turn = shared.calibrating.lock().await;
    let connected = shared.media.ask(|core| core.speakers()).await?;
    let now = now_s();
    let placed = request.speakers.iter().map(|asked| place(asked, &connected, now));
    let placed = placed.collect::<Result<Vec<_>, _>>()?;
    let changed: Vec<SpeakerId> = placed.iter().map(|new| new.id).collect();
    written(&shared, move |store| store.calibrate(placed, request.refine)).await?;
    apply(&shared, &changed)?;
    Ok(Json(reply(&shared, &connected)))
}

/// `DELETE /api/v1/calibration`
pub async fn undo(State(shared): SharedState) -> Answer {
    undo_where(&shared, None).await
}

/// `DELETE /api/v1/calibration/{name}`
pub async fn undo_one(State(shared): SharedState, Path(name): Path<String>) -> Answer {
    undo_where(&shared, Some(&name)).await
}

async fn undo_where(shared: &Arc<Shared>, name: Option<&str>) -> Answer {
    let _turn = shared.calibrating.lock().await;
    let connected = shared.media.ask(|core| core.speakers()).await?;
    let kept = shared.store.calibrations();
    let chosen = match name {
        Some(name) => one(name, &kept, &connected)?,
        None => latest(&kept)?,
    };
    let ids = chosen.clone();
    written(shared, move |store| store.undo_calibration(&ids)).await?;
    apply(shared, &chosen)?;
    Ok(Json(reply(shared, &connected)))
}

/// The speakers of the latest calibration: all that were stored together have one time.
fn latest(kept: &[(SpeakerId, Calibrations)]) -> Result<Vec<SpeakerId>, ErrorBody> {
    let time = |kept: &Calibrations| kept.in_force().measured_at;
    let newest = kept.iter().map(|(_, kept)| time(kept)).max().ok_or_else(|| {
        ErrorBody::new(ErrorCode::Conflict, "no speaker is calibrated; there is nothing to undo")
    })?;
    Ok(kept.iter().filter(|(_, kept)| time(kept) == newest).map(|(id, _)| *id).collect())
}

/// The speaker that is called `name`, or was when it was calibrated.
fn one(
    name: &str,
    kept: &[(SpeakerId, Calibrations)],
    connected: &[SpeakerStatus],
) -> Result<Vec<SpeakerId>, ErrorBody> {
    let present = connected.iter().find(|speaker| speaker.name == name);
    let by_id = present.and_then(|speaker| kept.iter().find(|(id, _)| id.to_string() == speaker.id));
    let found = by_id.or_else(|| kept.iter().find(|(_, kept)| kept.name == name && present.is_none()));
    match found {
        Some((id, _)) => Ok(vec![*id]),
        None if present.is_some() => {
            let message = format!("speaker {name:?} is not calibrated; there is nothing to undo");
            Err(ErrorBody::new(ErrorCode::Conflict, message))
        }
        None => {
            let known = connected.iter().map(|speaker| speaker.name.as_str());
            Err(ErrorBody::unknown_speaker(
                name,
                known.chain(kept.iter().map(|(_, kept)| kept.name.as_str())),
            ))
        }
    }
}

/// What makes no sense for any speaker.
fn check(request: &CalibrationRequest) -> Result<(), ErrorBody> {
    let refused = |message: String| Err(ErrorBody::new(ErrorCode::BadRequest, message));
    if !(1..=MAX_TARGETS).contains(&request.speakers.len()) {
        return refused(format!("a calibration is for 1 to {MAX_TARGETS} speakers"));
    }
    let mut names = BTreeSet::new();
    for speaker in &request.speakers {
        let name = &speaker.name;
        if !names.insert(name) {
            return refused(format!("speaker {name:?} is named twice"));
        }
        if !(-MAX_DELAY_US..=MAX_DELAY_US).contains(&speaker.delay_us) {
            let most = MAX_DELAY_US / 1_000;
            return refused(format!("the delay for {name:?} is out of range: use -{most} to {most} ms"));
        }
        if !(MIN_GAIN_DB..=0.0).contains(&speaker.gain_db) {
            return refused(format!("the gain for {name:?} is out of range: use {MIN_GAIN_DB} to 0 dB"));
        }
        if !(0.0..=MAX_UNCERTAINTY_US).contains(&speaker.uncertainty_us) {
            return refused(format!("the uncertainty for {name:?} is out of range: use 0 to 1000 ms"));
        }
    }
    Ok(())
}

/// Finds whom it is for, and through what it was measured.
fn place(
    asked: &SpeakerCalibration,
    connected: &[SpeakerStatus],
    now: u64,
) -> Result<NewCalibration, ErrorBody> {
    let unknown =
        || ErrorBody::unknown_speaker(&asked.name, connected.iter().map(|speaker| speaker.name.as_str()));
    let speaker = connected.iter().find(|speaker| speaker.name == asked.name).ok_or_else(unknown)?;
    let id = crate::state::parse_id(&speaker.id).ok_or_else(unknown)?;
    if !(-MAX_DELAY_US..=MAX_DELAY_US).contains(&(speaker.delay_us + asked.delay_us)) {
        let message = format!(
            "with its own delay of {} ms, speaker {:?} would be more than {} ms away: lessen that with `antiphon delay`",
            speaker.delay_us / 1_000,
            asked.name,
            MAX_DELAY_US / 1_000
        );
        return Err(ErrorBody::new(ErrorCode::BadRequest, message));
    }
    let calibration = Calibration {
        delay_us: asked.delay_us,
        gain_db: asked.gain_db,
        measured_at: now,
        grade: asked.grade,
        uncertainty_us: asked.uncertainty_us,
        method: asked.method,
        verified: asked.verified,
        through: through(speaker),
    };
    Ok(NewCalibration { id, name: asked.name.clone(), calibration })
}

fn through(speaker: &SpeakerStatus) -> CalibratedThrough {
    CalibratedThrough {
        codec: speaker.codec,
        output: speaker.output.clone(),
        software: speaker.software.clone(),
        link: speaker
            .link
            .as_ref()
            .filter(|link| link.state == LinkState::Up)
            .map(|link| CalibratedLink { codec: link.codec.clone(), start: link.start }),
    }
}

/// On disk before anybody hears it: what plays tomorrow is what plays today.
async fn written(
    shared: &Arc<Shared>,
    change: impl FnOnce(&Store) -> Result<(), HubError> + Send + 'static,
) -> Result<(), ErrorBody> {
    let store = shared.store.clone();
    let internal =
        |why: String| ErrorBody::new(ErrorCode::Internal, format!("the calibration is not kept: {why}"));
    let written = tokio::task::spawn_blocking(move || change(&store)).await;
    written.map_err(|error| internal(error.to_string()))?.map_err(|error| internal(error.to_string()))
}

/// Tells the speakers what is stored.
fn apply(shared: &Arc<Shared>, changed: &[SpeakerId]) -> Result<(), Refused> {
    let trims: Vec<_> = changed.iter().map(|id| (*id, shared.store.trim(*id))).collect();
    // One that has left meanwhile is told when it comes back.
    shared.media.tell(move |core| trims.into_iter().for_each(|(id, trim)| core.set_trim(id, trim)))?;
    Ok(())
}

fn reply(shared: &Shared, connected: &[SpeakerStatus]) -> CalibrationReply {
    let now = now_s();
    let entry = |(id, kept): (SpeakerId, Calibrations)| {
        let id = id.to_string();
        let speaker = connected.iter().find(|speaker| speaker.id == id);
        let name = speaker.map_or(kept.name.clone(), |speaker| speaker.name.clone());
        NamedCalibration { id, name, calibration: status(&kept, speaker, now) }
    };
    let mut speakers: Vec<_> = shared.store.calibrations().into_iter().map(entry).collect();
    speakers.sort_by(|a, b| a.name.cmp(&b.name));
    CalibrationReply { speakers }
}

/// Adds to each speaker what its calibration is.
pub fn show(shared: &Shared, speakers: &mut [SpeakerStatus]) {
    let (now, kept) = (now_s(), shared.store.calibrations());
    for speaker in speakers {
        let found = kept.iter().find(|(id, _)| id.to_string() == speaker.id);
        speaker.calibration = found.map(|(_, kept)| status(kept, Some(speaker), now));
    }
}

fn status(kept: &Calibrations, speaker: Option<&SpeakerStatus>, now: u64) -> CalibrationStatus {
    let in_force = kept.in_force();
    CalibrationStatus {
        delay_us: in_force.delay_us,
        gain_db: in_force.gain_db,
        measured_at: in_force.measured_at,
        age_s: now.saturating_sub(in_force.measured_at),
        grade: in_force.grade,
        uncertainty_us: in_force.uncertainty_us,
        method: in_force.method,
        verified: in_force.verified,
        through: in_force.through.clone(),
        stale: speaker.and_then(|speaker| in_force.through.difference(&through(speaker))),
        previous: kept.previous(),
    }
}

/// A machine whose clock stands before 1970 measures in 1970.
#[expect(clippy::disallowed_methods, reason = "a date for people; no interval is measured by it")]
fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
