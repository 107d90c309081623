//! Join codes as they are asked for: `/api/v1/join-codes`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use antiphon_api::{
    ErrorBody, ErrorCode, JoinCodeReply, JoinCodeRequest, JoinCodeStatus, JoinCodes as JoinCodeList, json,
};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use crate::http::{Grant, Json, Refused, Shared, SharedState};
use crate::options::HubError;
use crate::state::MAX_JOIN_CODES;

/// The longest that a code may be good: a month, for a household's own tablet on the wall.
const MAX_VALID_S: u64 = 31 * 86_400;

type Answer<T> = Result<T, Refused>;

/// `POST /api/v1/join-codes`
pub async fn make(
    State(shared): SharedState,
    Extension(grant): Extension<Grant>,
    body: Bytes,
) -> Answer<Json<JoinCodeReply>> {
    let request: JoinCodeRequest = json::read("the request for a join code", &body)?;
    if !(1..=MAX_VALID_S).contains(&request.valid_s) {
        let message = "a join code is good for 1 s to 31 days";
        return Err(ErrorBody::new(ErrorCode::BadRequest, message).into());
    }
    let (store, now) = (shared.clone(), now_s());
    // A code of somebody who is thrown out goes too; nobody throws out the hub's own machine.
    let maker = grant.id.filter(|_| !grant.this_machine);
    let made = on_disk(move || store.join_codes.make(now, request.valid_s, maker)).await?;
    let Some((code, kept)) = made else {
        let message = format!(
            "{MAX_JOIN_CODES} join codes are in force: revoke one with `antiphon join --revoke ID` (see --list)"
        );
        return Err(ErrorBody::new(ErrorCode::Conflict, message).into());
    };
    let link = |scheme: &str, at: SocketAddr| format!("{scheme}://{at}/j#{code}");
    let at = request.address.unwrap_or_else(|| phones_reach(shared.listen));
    Ok(Json(JoinCodeReply {
        id: kept.id,
        url: link("http", SocketAddr::new(at, shared.listen.port())),
        https_url: shared.https.as_ref().map(|https| link("https", SocketAddr::new(at, https.port))),
        fingerprint: shared.https.as_ref().map(|https| https.fingerprint.clone()),
        code,
        expires_in_s: request.valid_s,
    }))
}

/// `GET /api/v1/join-codes`
pub async fn list(State(shared): SharedState) -> Answer<Json<JoinCodeList>> {
    let now = now_s();
    let kept = shared.join_codes.list();
    let codes = shared.media.ask(move |core| {
        let status = |code: crate::state::KeptCode| JoinCodeStatus {
            speakers: core.guests_of(&code.id),
            expires_in_s: code.expires_at.saturating_sub(now),
            id: code.id,
        };
        // One that is over still says who came by it, and sends them away.
        let matters = |code: &JoinCodeStatus| code.expires_in_s > 0 || !code.speakers.is_empty();
        kept.into_iter().map(status).filter(matters).collect::<Vec<_>>()
    });
    Ok(Json(JoinCodeList { codes: codes.await? }))
}

/// `DELETE /api/v1/join-codes/{id}`
pub async fn revoke(State(shared): SharedState, Path(id): Path<String>) -> Answer<StatusCode> {
    let (store, wanted) = (shared.clone(), id.clone());
    if !on_disk(move || store.join_codes.revoke(&wanted)).await? {
        let message = format!("there is no join code {id:?}; `antiphon join --list` shows those there are");
        return Err(ErrorBody::new(ErrorCode::NotFound, message).into());
    }
    shared.media.ask(move |core| core.send_guests_away(&id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets the codes that those thrown out have made, and sends away who came by them.
///
/// # Errors
/// It is not kept, or the hub is stopping.
pub async fn revoke_of(shared: &Arc<Shared>, makers: Vec<String>) -> Result<(), ErrorBody> {
    let store = shared.clone();
    for id in on_disk(move || store.join_codes.revoke_of(&makers)).await.map_err(|refused| refused.0)? {
        let gone = shared.media.ask(move |core| core.send_guests_away(&id)).await;
        gone.map_err(|stalled| Refused::from(stalled).0)?;
    }
    Ok(())
}

/// What `from` has made is `to`'s from here on.
///
/// # Errors
/// It is not kept.
pub async fn hand_over(shared: &Arc<Shared>, from: String, to: String) -> Result<(), ErrorBody> {
    let store = shared.clone();
    on_disk(move || store.join_codes.hand_over(&from, &to)).await.map_err(|refused| refused.0)
}

/// The wall clock, in seconds; a machine whose clock stands before 1970 is in 1970.
#[expect(clippy::disallowed_methods, reason = "codes hold over restarts, which no monotonic clock does")]
pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The address by which phones are likeliest to reach a hub that listens at `listen`; without a network, this machine.
fn phones_reach(listen: SocketAddr) -> IpAddr {
    antiphon_net::lan_address(listen).unwrap_or_else(|| crate::local::reachable(listen)).ip()
}

async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, HubError> + Send + 'static,
) -> Result<T, Refused> {
    let internal = |message: String| Refused(ErrorBody::new(ErrorCode::Internal, message));
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| internal(error.to_string()))?;
    done.map_err(|error| internal(error.to_string()))
}
