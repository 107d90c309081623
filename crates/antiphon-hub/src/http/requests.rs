//! Requests that are answered once.

use antiphon_api::{
    AccessRole, ErrorBody, ErrorCode, Health, HubStatus, LatencyRequest, PairingCodeReply, ProgrammeState,
    ProgrammeStatus, QueuePatch, STATUS_SCHEMA, SpeakerPatch, SpeakerStatus, Status, TransportAction,
    TransportRequest, json,
};
use antiphon_base::Span;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};

use tokio::time::{Duration, timeout};

use super::{Json, Refused, Shared, SharedState, access, calibration, names};
use crate::convert;
use crate::media::Stalled;
use crate::options::{HubError, MAX_LATENCY, MIN_LATENCY};

type Answer<T> = Result<Json<T>, Refused>;

/// The engine takes an errand in microseconds; after this it does not run.
const ALIVE: Duration = Duration::from_secs(2);

/// How often the programme is looked at until a queue that was asked to has begun: two seconds, in which a station answers.
const BEGIN_LOOK: Duration = Duration::from_millis(40);
const BEGIN_LOOKS: usize = 50;

/// `GET /healthz`: also of the media thread, for whoever would start the hub anew.
pub async fn health(State(shared): SharedState) -> Answer<Health> {
    match timeout(ALIVE, shared.media.ask(|_| ())).await {
        Ok(Ok(())) => Ok(Json(Health { ok: true })),
        Ok(Err(stalled)) => Err(stalled.into()),
        Err(_) => Err(Stalled.into()),
    }
}

/// `GET /api/v1/openapi.json`
pub async fn openapi() -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, json)], antiphon_api::openapi::document()).into_response()
}

/// `GET /api/v1/status`
pub async fn status(State(shared): SharedState) -> Answer<Status> {
    Ok(Json(look(&shared).await?))
}

/// The hub, the programme and every speaker, as they are.
///
/// # Errors
/// The media thread is stalled, or stopping.
pub async fn look(shared: &Shared) -> Result<Status, Stalled> {
    let asked = shared.media.ask(|core| (core.uptime(), core.latency(), core.programme(), core.speakers()));
    let (uptime, latency, programme, mut speakers) = asked.await?;
    calibration::show(shared, &mut speakers);
    let hub = hub_status(shared, uptime, latency);
    Ok(Status { schema: STATUS_SCHEMA, hub, programme, speakers })
}

/// `POST /api/v1/transport`
pub async fn transport(State(shared): SharedState, body: Bytes) -> Answer<ProgrammeStatus> {
    let request: TransportRequest = json::read("the transport request", &body)?;
    let goes_on = matches!(request.action, TransportAction::Resume | TransportAction::Toggle);
    let done = shared.media.ask(move |core| core.transport(&request)).await?;
    match done {
        Err(nothing) if goes_on && nothing.code == ErrorCode::Conflict => {
            Ok(Json(play_queue(&shared).await.ok_or(nothing)?))
        }
        done => Ok(Json(done?)),
    }
}

/// Where nothing plays and something is queued, who says "play" means that: the programme once it has begun, or `None`.
async fn play_queue(shared: &Shared) -> Option<ProgrammeStatus> {
    let begin = QueuePatch { playing: Some(true), ..QueuePatch::default() };
    let queue = shared.desk.ask(move |services| services.change(&begin)).await.ok()?;
    if queue.items.is_empty() {
        return None;
    }
    for _ in 0..BEGIN_LOOKS {
        let programme = shared.media.ask(|core| core.programme()).await.ok()?;
        if !matches!(programme.state, ProgrammeState::Idle | ProgrammeState::Ended) {
            return Some(programme);
        }
        tokio::time::sleep(BEGIN_LOOK).await;
    }
    None
}

/// `PATCH /api/v1/speakers/{name}`
pub async fn set_speaker(
    State(shared): SharedState,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer<SpeakerStatus> {
    let patch: SpeakerPatch = json::read("the speaker's settings", &body)?;
    let change = convert::change(&patch)?;
    let name = match patch.name {
        Some(new) => names::rename(&shared, name, new).await?,
        None => name,
    };
    let mut speaker = shared.media.ask(move |core| core.set(&name, change)).await??;
    calibration::show(&shared, std::slice::from_mut(&mut speaker));
    Ok(Json(speaker))
}

/// `PUT /api/v1/latency`
pub async fn set_latency(State(shared): SharedState, body: Bytes) -> Answer<LatencyRequest> {
    let request: LatencyRequest = json::read("the latency", &body)?;
    // Held before it is multiplied: what comes from outside may be any number.
    let latency = Span::from_us(request.latency_us.clamp(-1, 1_000_000_000));
    if latency < MIN_LATENCY || latency > MAX_LATENCY {
        return Err(ErrorBody::new(ErrorCode::BadRequest, HubError::Latency(latency).to_string()).into());
    }
    shared.media.ask(move |core| core.set_latency(latency)).await?;
    access::written(&shared, move |store| store.set_latency(latency)).await?;
    Ok(Json(request))
}

/// `POST /api/v1/pairing-code`
pub async fn pairing_code(State(shared): SharedState) -> Answer<PairingCodeReply> {
    if shared.open {
        let message = "this hub is open: speakers join it without a code";
        return Err(ErrorBody::new(ErrorCode::Conflict, message).into());
    }
    let (code, expires_s) = access::new_code(&shared, AccessRole::None)?;
    Ok(Json(PairingCodeReply { code, expires_s }))
}

fn hub_status(shared: &Shared, uptime: Span, latency: Span) -> HubStatus {
    HubStatus {
        name: shared.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        listen: shared.listen.to_string(),
        open: shared.open,
        latency_us: latency.as_ns() / 1_000,
        uptime_s: uptime.as_s_f64().max(0.0) as u64,
        clock: shared.clock_id.0,
    }
}
