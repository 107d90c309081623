//! Letting browsers and other machines in, and throwing them out.
//!
//! Whoever sits at the hub's machine asks for six digits; who types them gets a token, of which the hub keeps
//! the hash alone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use antiphon_api::{
    ACCESS_COOKIE, AccessCodeReply, AccessCodeRequest, AccessEntry, AccessList, AccessRole, ErrorBody,
    ErrorCode, HttpsDoor, LoginRequest, Me, SECURE_ACCESS_COOKIE, json,
};
use antiphon_base::{Hub, Timestamp};
use antiphon_net::{Clock, Warp};
use antiphon_proto::session::message::is_name;
use antiphon_proto::session::pairing::{Attempt, PairingCode, typed_code};
use axum::Extension;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::guard::Grant;
use super::server::{Encrypted, Peer};
use super::tries::Tries;
use super::{Json, Refused, Shared, SharedState};
use crate::options::HubError;
use crate::state::{Access, Store, random_bytes};

/// How long a browser keeps its cookie: as long as browsers keep any. The hub's list is what counts.
const COOKIE_LIFE_S: u32 = 400 * 24 * 3600;

type Answer<T> = Result<Json<T>, Refused>;

/// Six digits that are out, and what they are good for.
pub struct Code {
    /// Digits, life and tries.
    pub pairing: PairingCode,
    /// What a browser or machine that uses them may do; none: they are for speakers.
    pub role: AccessRole,
}

/// What the door knows beyond the list of those let in.
pub struct Door {
    tries: Mutex<Tries>,
    /// When each was last seen, by id.
    used: Mutex<BTreeMap<String, Instant>>,
    /// Wakes whoever may have been thrown out.
    thrown_out: watch::Sender<()>,
}

impl Door {
    /// Nobody has come yet.
    pub fn new() -> Self {
        Self { tries: Mutex::default(), used: Mutex::default(), thrown_out: watch::Sender::new(()) }
    }

    fn tries(&self) -> MutexGuard<'_, Tries> {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn used(&self) -> MutexGuard<'_, BTreeMap<String, Instant>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes when somebody was thrown out.
    pub fn watch(&self) -> watch::Receiver<()> {
        self.thrown_out.subscribe()
    }
}

/// Who has `token`; it is noted that it was seen.
pub fn holder(shared: &Shared, token: &str) -> Option<Access> {
    let access = shared.store.access_by_token(&sha256(token))?;
    shared.door.used().insert(access.id.clone(), Instant::now());
    Some(access)
}

/// `GET /api/v1/me`
pub async fn me(State(shared): SharedState, Extension(grant): Extension<Grant>) -> Json<Me> {
    Json(Me {
        role: grant.role,
        this_machine: grant.this_machine,
        hub: shared.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        https: shared
            .https
            .clone()
            .map(|https| HttpsDoor { port: https.port, fingerprint: https.fingerprint }),
    })
}

/// `POST /api/v1/access`
pub async fn offer(State(shared): SharedState, body: Bytes) -> Answer<AccessCodeReply> {
    let role = json::read::<AccessCodeRequest>("the request for a code", &body)?.checked()?;
    let (code, expires_s) = new_code(&shared, role)?;
    let url = antiphon_net::lan_address(shared.listen).map(|addr| format!("http://{addr}/"));
    Ok(Json(AccessCodeReply { code, role, expires_s, url, pairs: !shared.open }))
}

/// Puts a new code out, in the place of the one that may be.
///
/// # Errors
/// The system has no randomness to give.
pub fn new_code(shared: &Shared, role: AccessRole) -> Result<(String, u64), ErrorBody> {
    let random = random_bytes().map_err(internal)?;
    let now = now();
    let pairing = PairingCode::new(now, u64::from_le_bytes(random));
    let digits = pairing.digits(now).unwrap_or_default().to_owned();
    let expires_s = pairing.expires_at().saturating_since(now).as_s_f64().max(0.0) as u64;
    *shared.code.lock().unwrap_or_else(PoisonError::into_inner) = Some(Code { pairing, role });
    Ok((digits, expires_s))
}

/// `POST /api/v1/login`
pub async fn login(
    State(shared): SharedState,
    Extension(Peer(peer)): Extension<Peer>,
    Extension(encrypted): Extension<Encrypted>,
    Extension(grant): Extension<Grant>,
    body: Bytes,
) -> Result<Response, Refused> {
    let request: LoginRequest = json::read("the login", &body)?;
    let name = request.name.trim().to_owned();
    if !is_name(&name) {
        let message = "give this browser or machine a name of 1 to 63 characters, to know it by in the list";
        return Err(ErrorBody::new(ErrorCode::BadRequest, message).into());
    }
    let digits = typed_code(&request.code)
        .ok_or_else(|| ErrorBody::new(ErrorCode::BadRequest, "a code has six digits"))?;
    if let Some(wait) = shared.door.tries().wait(Instant::now(), peer.ip()) {
        return Ok(too_many(wait.as_secs() + 1));
    }
    let role = match tried(&shared, &digits) {
        Ok(role) => role,
        Err(error) => {
            shared.door.tries().wrong(Instant::now(), peer.ip());
            return Err(error.into());
        }
    };
    shared.door.tries().right(peer.ip());
    let token = hex(&random_bytes::<32>().map_err(internal)?);
    let id = hex(&random_bytes::<4>().map_err(internal)?);
    let access = Access { id, name, role, since: now_s(), token_sha256: sha256(&token) };
    tracing::info!("{} was let in, from {}: {role}", access.name, peer.ip());
    written(&shared, move |store| store.let_in(access)).await?;
    // Whoever logs in anew has one place in the list, not two.
    if let Some(before) = grant.id {
        throw_out(&shared, before).await?;
    }
    Ok((StatusCode::NO_CONTENT, cookies(&token, COOKIE_LIFE_S, encrypted)?).into_response())
}

/// `POST /api/v1/logout`
pub async fn logout(
    State(shared): SharedState,
    Extension(encrypted): Extension<Encrypted>,
    Extension(grant): Extension<Grant>,
) -> Result<Response, Refused> {
    if let Some(id) = grant.id {
        throw_out(&shared, id).await?;
    }
    Ok((StatusCode::NO_CONTENT, cookies("", 0, encrypted)?).into_response())
}

/// `GET /api/v1/access`
pub async fn list(State(shared): SharedState, Extension(grant): Extension<Grant>) -> Json<AccessList> {
    let used = shared.door.used();
    let entry = |access: Access| AccessEntry {
        used_s: used.get(&access.id).map(|used| used.elapsed().as_secs()),
        is_me: grant.id.as_ref() == Some(&access.id),
        id: access.id,
        name: access.name,
        role: access.role,
        since: access.since,
    };
    Json(AccessList { access: shared.store.access().into_iter().map(entry).collect() })
}

/// `DELETE /api/v1/access/{id}`
pub async fn revoke(State(shared): SharedState, Path(id): Path<String>) -> Result<StatusCode, Refused> {
    match throw_out(&shared, id).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => {
            let message = "nobody was let in under this id; `antiphon access --list` shows who was";
            Err(ErrorBody::new(ErrorCode::NotFound, message).into())
        }
    }
}

async fn throw_out(shared: &Arc<Shared>, id: String) -> Result<bool, ErrorBody> {
    let gone = id.clone();
    let found = written(shared, move |store| store.throw_out(&gone)).await?;
    shared.door.used().remove(&id);
    shared.door.thrown_out.send_replace(());
    Ok(found)
}

fn tried(shared: &Shared, digits: &str) -> Result<AccessRole, ErrorBody> {
    let mut code = shared.code.lock().unwrap_or_else(PoisonError::into_inner);
    let refused = |message: String| Err(ErrorBody::new(ErrorCode::NotPermitted, message));
    // A code that is for speakers only is none for anybody else.
    match code.as_mut().filter(|code| code.role > AccessRole::None) {
        Some(code) => match code.pairing.attempt(now(), digits) {
            Attempt::Right => Ok(code.role),
            Attempt::Wrong { left: 0 } => refused(
                "that is not the code, and it is void now: ask for another with `antiphon access`".into(),
            ),
            Attempt::Wrong { left } => refused(format!("that is not the code; {left} more tries")),
            Attempt::Void => refused(VOID.into()),
        },
        None => refused(VOID.into()),
    }
}

const VOID: &str = "no code is valid at present (it expires after ten minutes, three wrong tries or one right one): \
                    `antiphon access` on the hub's machine shows another";

fn too_many(wait_s: u64) -> Response {
    let message = format!("too many wrong codes; wait {wait_s} seconds");
    let mut answer = Refused(ErrorBody::new(ErrorCode::TooMany, message)).into_response();
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait_s));
    answer
}

/// The token that a request carries, and whether it says so itself (a cookie is sent by whatever page).
pub fn token(headers: &HeaderMap) -> Option<(&str, bool)> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.split_once(' '));
    if let Some((_, token)) = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) {
        return Some((token.trim(), true));
    }
    let named = |wanted: &str| cookies_of(headers).find(|(name, _)| *name == wanted);
    let kept = named(SECURE_ACCESS_COOKIE).or_else(|| named(ACCESS_COOKIE));
    kept.map(|(_, token)| (token, false))
}

fn cookies_of(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='))
}

type Cookies = AppendHeaders<Vec<(HeaderName, HeaderValue)>>;

/// What a browser is to keep. A token that came encrypted is kept so that it never goes out in clear, and what was kept otherwise
/// goes: whoever logs in anew has one token.
fn cookies(token: &str, life_s: u32, encrypted: Encrypted) -> Result<Cookies, ErrorBody> {
    let kept = |name: &str, token: &str, life_s: u32, secure: &str| {
        let text = format!("{name}={token}; {secure}HttpOnly; SameSite=Strict; Path=/; Max-Age={life_s}");
        HeaderValue::from_str(&text).map(|value| (header::SET_COOKIE, value)).map_err(internal)
    };
    Ok(AppendHeaders(match encrypted {
        Encrypted(true) => {
            vec![kept(SECURE_ACCESS_COOKIE, token, life_s, "Secure; ")?, kept(ACCESS_COOKIE, "", 0, "")?]
        }
        Encrypted(false) => vec![kept(ACCESS_COOKIE, token, life_s, "")?],
    }))
}

fn sha256(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn now() -> Timestamp<Hub> {
    Clock::new(Warp::default()).now()
}

fn internal(error: impl std::fmt::Display) -> ErrorBody {
    ErrorBody::new(ErrorCode::Internal, error.to_string())
}

/// Changes what is remembered, beside the control thread: disks are slow.
///
/// # Errors
/// It is not kept.
pub async fn written<T: Send + 'static>(
    shared: &Arc<Shared>,
    change: impl FnOnce(&Store) -> Result<T, HubError> + Send + 'static,
) -> Result<T, ErrorBody> {
    let store = shared.store.clone();
    let done = tokio::task::spawn_blocking(move || change(&store)).await;
    done.map_err(internal)?.map_err(internal)
}

/// A machine whose clock stands before 1970 lets in in 1970.
#[expect(clippy::disallowed_methods, reason = "a date for people; no interval is measured by it")]
fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_as_bearer_or_among_cookies() {
        let headers = |name, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_str(value).unwrap());
            headers
        };
        assert_eq!(token(&headers(header::AUTHORIZATION, "bearer abc")), Some(("abc", true)));
        assert_eq!(token(&headers(header::AUTHORIZATION, "Basic abc")), None);
        let cookies = headers(header::COOKIE, "theme=dark; antiphon_access=abc;x=y");
        assert_eq!(token(&cookies), Some(("abc", false)));
        assert_eq!(token(&headers(header::COOKIE, "xantiphon_access=abc")), None);
        let both = headers(header::COOKIE, "antiphon_access=old; __Host-antiphon_access=abc");
        assert_eq!(token(&both), Some(("abc", false)), "the one that was never sent in clear");
        assert_eq!(token(&HeaderMap::new()), None);
    }

    #[test]
    fn a_hash_is_what_others_call_it() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256("abc"), abc);
    }
}
