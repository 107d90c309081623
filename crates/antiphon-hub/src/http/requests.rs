//! Requests that are answered once.

use std::sync::PoisonError;

use antiphon_api::{
    ErrorBody, ErrorCode, Health, HubStatus, LatencyRequest, PairingCodeReply, ProgrammeStatus,
    STATUS_SCHEMA, SpeakerPatch, SpeakerStatus, Status, TransportRequest, json,
};
use antiphon_base::Span;
use antiphon_net::{Clock, Warp};
use antiphon_proto::session::PairingCode;
use axum::body::Bytes;
use axum::extract::{Path, State};

use super::{Json, Refused, Shared, SharedState, calibration};
use crate::convert;
use crate::media::Stalled;
use crate::options::{HubError, MAX_LATENCY, MIN_LATENCY};
use crate::state::random_bytes;

type Answer<T> = Result<Json<T>, Refused>;

/// `GET /healthz`
pub async fn health() -> Json<Health> {
    Json(Health { ok: true })
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
    Ok(Json(shared.media.ask(move |core| core.transport(&request)).await??))
}

/// `PATCH /api/v1/speakers/{name}`
pub async fn set_speaker(
    State(shared): SharedState,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer<SpeakerStatus> {
    let patch: SpeakerPatch = json::read("the speaker's settings", &body)?;
    let change = convert::change(&patch)?;
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
    Ok(Json(request))
}

/// `POST /api/v1/pairing-code`
pub async fn pairing_code(State(shared): SharedState) -> Answer<PairingCodeReply> {
    if shared.open {
        let message = "this hub is open: speakers join it without a code";
        return Err(ErrorBody::new(ErrorCode::Conflict, message).into());
    }
    let random = random_bytes().map_err(|error| ErrorBody::new(ErrorCode::Internal, error.to_string()))?;
    let now = Clock::new(Warp::default()).now();
    let code = PairingCode::new(now, u64::from_le_bytes(random));
    let reply = PairingCodeReply {
        code: code.digits(now).unwrap_or_default().to_owned(),
        expires_s: code.expires_at().saturating_since(now).as_s_f64().max(0.0) as u64,
    };
    *shared.code.lock().unwrap_or_else(PoisonError::into_inner) = Some(code);
    Ok(Json(reply))
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
