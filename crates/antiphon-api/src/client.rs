//! A blocking client of the hub's API.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use ureq::SendBody;
use ureq::http::header::AUTHORIZATION;
use ureq::http::{HeaderValue, Request};
use ureq::middleware::MiddlewareNext;

use crate::access::{
    ACCESS_COOKIE, AccessCodeReply, AccessCodeRequest, AccessList, AccessRole, LoginRequest, Me,
};
use crate::address::HubAddress;
use crate::browser::{JoinCodeReply, JoinCodeRequest, JoinCodes};
use crate::calibration::{CalibrationReply, CalibrationRequest};
use crate::control::{Health, LatencyRequest, PairingCodeReply, SpeakerPatch, TransportRequest};
use crate::error::{ErrorBody, ErrorCode};
use crate::groups::{Group, GroupRequest, GroupUsed};
use crate::jobs::UploadReply;
use crate::library::LibraryReply;
use crate::queue::{QueueAdd, QueuePatch, QueueReply};
use crate::source::SourceCommand;
use crate::source_link::SourceLink;
use crate::status::{ProgrammeStatus, SpeakerStatus, Status};

/// A hub on this machine answers in milliseconds; after this it is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The longest any one request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest that a file may be on its way: 100 MB on a bad Wi-Fi.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(600);

/// Longest answer: the status of a full hub is under 1 MiB.
const MAX_ANSWER: u64 = 4 * 1024 * 1024;

/// Why a request brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// Nobody answers there: the hub does not run, or the network is in the way. Retry may help.
    #[error("no hub answers at {hub}: {why}")]
    Unreachable {
        /// Where it was looked for.
        hub: String,
        /// What the system said.
        why: String,
    },
    /// The hub answered and will not.
    #[error("{0}")]
    Refused(ErrorBody),
    /// Something answered that is no hub, or not one of this version.
    #[error("what answers there does not speak as a hub of this version: {0}")]
    Nonsense(String),
}

impl ApiError {
    pub(crate) fn nonsense(error: impl std::fmt::Display) -> Self {
        Self::Nonsense(error.to_string())
    }
}

/// A client of one hub. Connections are kept and shared by its clones.
#[derive(Clone)]
pub struct Client {
    hub: HubAddress,
    agent: ureq::Agent,
    token: Option<String>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token stays out of logs.
        write!(f, "Client({}, token: {})", self.hub, self.token.is_some())
    }
}

impl Client {
    /// A client of the hub at `hub`; nothing is sent yet.
    pub fn new(hub: HubAddress) -> Self {
        Self::with_token(hub, None)
    }

    /// A client that shows the hub a token with each request: what a machine needs that is not the hub's own.
    pub fn with_token(hub: HubAddress, token: Option<String>) -> Self {
        let bearer = token.as_ref().and_then(|token| HeaderValue::from_str(&format!("Bearer {token}")).ok());
        let show = move |mut request: Request<SendBody>, next: MiddlewareNext| {
            if let Some(bearer) = &bearer {
                request.headers_mut().insert(AUTHORIZATION, bearer.clone());
            }
            next.handle(request)
        };
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(REQUEST_TIMEOUT))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .middleware(show)
            .build();
        Self { hub, agent: config.into(), token }
    }

    /// Where the hub is.
    pub fn hub(&self) -> &HubAddress {
        &self.hub
    }

    /// The hub, the programme and every speaker.
    ///
    /// # Errors
    /// See [`ApiError`]; the same holds for every request.
    pub fn status(&self) -> Result<Status, ApiError> {
        let answer = self.agent.get(self.url("status")).call();
        self.read(answer)
    }

    /// Pause, resume, stop, seek.
    ///
    /// # Errors
    /// [`ErrorCode::Conflict`] where nothing plays.
    pub fn transport(&self, request: &TransportRequest) -> Result<ProgrammeStatus, ApiError> {
        let answer = self.agent.post(self.url("transport")).header(TYPE, JSON).send(body(request)?);
        self.read(answer)
    }

    /// Changes one speaker's settings.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`] with the nearest names.
    pub fn set_speaker(&self, name: &str, patch: &SpeakerPatch) -> Result<SpeakerStatus, ApiError> {
        let url = self.url(&format!("speakers/{}", percent_encoded(name)));
        let answer = self.agent.patch(url).header(TYPE, JSON).send(body(patch)?);
        self.read(answer)
    }

    /// Changes the target latency of the hub.
    ///
    /// # Errors
    /// [`ErrorCode::BadRequest`] outside the range the hub keeps.
    pub fn set_latency(&self, latency_us: i64) -> Result<LatencyRequest, ApiError> {
        let request = LatencyRequest { latency_us };
        let answer = self.agent.put(self.url("latency")).header(TYPE, JSON).send(body(&request)?);
        self.read(answer)
    }

    /// The calibrations that the hub holds.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub fn calibrations(&self) -> Result<CalibrationReply, ApiError> {
        let answer = self.agent.get(self.url("calibration")).call();
        self.read(answer)
    }

    /// Stores and applies calibrations: all of them, or none.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`] for a speaker that is not connected, [`ErrorCode::BadRequest`] for a
    /// number out of range.
    pub fn calibrate(&self, request: &CalibrationRequest) -> Result<CalibrationReply, ApiError> {
        let answer = self.agent.put(self.url("calibration")).header(TYPE, JSON).send(body(request)?);
        self.read(answer)
    }

    /// Brings the previous calibrations back: of the speakers that the latest one was for, or of the
    /// one speaker `name`, connected or not. Without a previous one a speaker has none afterwards.
    ///
    /// # Errors
    /// [`ErrorCode::Conflict`] where there is nothing to undo.
    pub fn undo_calibration(&self, name: Option<&str>) -> Result<CalibrationReply, ApiError> {
        let path =
            name.map_or("calibration".to_owned(), |name| format!("calibration/{}", percent_encoded(name)));
        let answer = self.agent.delete(self.url(&path)).call();
        self.read(answer)
    }

    /// Asks for a code that pairs one speaker.
    ///
    /// # Errors
    /// [`ErrorCode::Conflict`] for an open hub, which pairs nobody.
    pub fn pairing_code(&self) -> Result<PairingCodeReply, ApiError> {
        let answer = self.agent.post(self.url("pairing-code")).send_empty();
        self.read(answer)
    }

    /// Makes a code that lets browsers in as speakers.
    ///
    /// # Errors
    /// [`ErrorCode::BadRequest`] for a time out of range, [`ErrorCode::Conflict`] when too many are in force.
    pub fn make_join_code(&self, request: &JoinCodeRequest) -> Result<JoinCodeReply, ApiError> {
        let answer = self.agent.post(self.url("join-codes")).header(TYPE, JSON).send(body(request)?);
        self.read(answer)
    }

    /// The join codes that are kept.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub fn join_codes(&self) -> Result<JoinCodes, ApiError> {
        let answer = self.agent.get(self.url("join-codes")).call();
        self.read(answer)
    }

    /// Revokes a join code; who came by it has to go.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`] where there is none of that id.
    pub fn revoke_join_code(&self, id: &str) -> Result<(), ApiError> {
        let answer = self.agent.delete(self.url(&format!("join-codes/{}", percent_encoded(id)))).call();
        match answer {
            Ok(answer) if answer.status().is_success() => Ok(()),
            answer => self.read(answer),
        }
    }

    /// What the hub plays by itself.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub fn queue(&self) -> Result<QueueReply, ApiError> {
        let answer = self.agent.get(self.url("queue")).call();
        self.read(answer)
    }

    /// Puts something into the queue.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`] for what is not there, [`ErrorCode::Conflict`] where it is full.
    pub fn add_to_queue(&self, add: &QueueAdd) -> Result<QueueReply, ApiError> {
        let answer = self.agent.post(self.url("queue")).header(TYPE, JSON).send(body(add)?);
        self.read(answer)
    }

    /// Changes how the queue is played.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`] for an item that is not in it.
    pub fn change_queue(&self, patch: &QueuePatch) -> Result<QueueReply, ApiError> {
        let answer = self.agent.patch(self.url("queue")).header(TYPE, JSON).send(body(patch)?);
        self.read(answer)
    }

    /// Empties the queue.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub fn clear_queue(&self) -> Result<QueueReply, ApiError> {
        let answer = self.agent.delete(self.url("queue")).call();
        self.read(answer)
    }

    /// Takes the item `key` out of the queue.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub fn remove_from_queue(&self, key: &str) -> Result<QueueReply, ApiError> {
        let answer = self.agent.delete(self.url(&format!("queue/{}", percent_encoded(key)))).call();
        self.read(answer)
    }

    /// Files of the hub's music folders that have all of `words`.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub fn find_in_library(&self, words: &str, count: usize) -> Result<LibraryReply, ApiError> {
        let path = format!("library?q={}&count={count}", percent_encoded(words));
        let answer = self.agent.get(self.url(&path)).call();
        self.read(answer)
    }

    /// Sends a file, which people see as `name`.
    ///
    /// # Errors
    /// [`ErrorCode::TooLarge`].
    pub fn upload(&self, name: &str, file: std::fs::File) -> Result<UploadReply, ApiError> {
        let url = self.url(&format!("uploads?name={}", percent_encoded(name)));
        let request = self.agent.post(url).config().timeout_global(Some(UPLOAD_TIMEOUT)).build();
        let answer = request.header(TYPE, "application/octet-stream").send(file);
        self.read(answer)
    }

    /// Opens a player's link; `open` is a [`SourceCommand::Open`].
    ///
    /// # Errors
    /// [`ApiError::Unreachable`] where no hub answers, [`ApiError::Refused`] where it will not.
    pub fn source(&self, open: &SourceCommand) -> Result<SourceLink, ApiError> {
        SourceLink::connect_as(&self.hub, self.token.as_deref(), open)
    }

    /// What this client may do.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub fn me(&self) -> Result<Me, ApiError> {
        self.read(self.agent.get(self.url("me")).call())
    }

    /// Asks for a code that lets one browser, machine or speaker in.
    ///
    /// # Errors
    /// [`ErrorCode::NotPermitted`] to whoever is no admin.
    pub fn offer_access(&self, role: AccessRole) -> Result<AccessCodeReply, ApiError> {
        let request = body(&AccessCodeRequest { role })?;
        self.read(self.agent.post(self.url("access")).header(TYPE, JSON).send(request))
    }

    /// Logs this machine in as `name`; the token for [`Self::with_token`].
    ///
    /// # Errors
    /// [`ErrorCode::NotPermitted`] for a wrong code, [`ErrorCode::TooMany`] after several of them.
    pub fn login(&self, code: &str, name: &str) -> Result<String, ApiError> {
        let request = body(&LoginRequest { code: code.to_owned(), name: name.to_owned() })?;
        let answer = self.agent.post(self.url("login")).header(TYPE, JSON).send(request);
        let answer = self.accepted(answer)?;
        let cookies = answer.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
        let token = cookies.filter_map(|cookie| cookie.split(';').next()?.split_once('='));
        let token =
            token.filter(|(name, _)| *name == ACCESS_COOKIE).map(|(_, token)| token.to_owned()).next();
        token.ok_or_else(|| ApiError::nonsense("a login brought no token"))
    }

    /// Who was let in.
    ///
    /// # Errors
    /// [`ErrorCode::NotPermitted`] to whoever is no admin.
    pub fn access(&self) -> Result<AccessList, ApiError> {
        self.read(self.agent.get(self.url("access")).call())
    }

    /// Throws somebody out.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`] where nobody has this id.
    pub fn revoke_access(&self, id: &str) -> Result<(), ApiError> {
        let url = self.url(&format!("access/{}", percent_encoded(id)));
        self.accepted(self.agent.delete(url).call()).map(drop)
    }

    /// The groups, by name.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub fn groups(&self) -> Result<Vec<Group>, ApiError> {
        self.read(self.agent.get(self.url("groups")).call())
    }

    /// Makes a group, or changes it.
    ///
    /// # Errors
    /// [`ErrorCode::BadRequest`] for one that makes no sense.
    pub fn put_group(&self, name: &str, group: &GroupRequest) -> Result<Group, ApiError> {
        let url = self.url(&format!("groups/{}", percent_encoded(name)));
        self.read(self.agent.put(url).header(TYPE, JSON).send(body(group)?))
    }

    /// Forgets a group.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`] with the nearest names.
    pub fn remove_group(&self, name: &str) -> Result<(), ApiError> {
        let url = self.url(&format!("groups/{}", percent_encoded(name)));
        self.accepted(self.agent.delete(url).call()).map(drop)
    }

    /// Gives a group's speakers its roles.
    ///
    /// # Errors
    /// [`ErrorCode::NotFound`] with the nearest names.
    pub fn use_group(&self, name: &str) -> Result<GroupUsed, ApiError> {
        let url = self.url(&format!("groups/{}/use", percent_encoded(name)));
        self.read(self.agent.post(url).send_empty())
    }

    /// Whether the hub runs, its media thread too.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub fn health(&self) -> Result<Health, ApiError> {
        self.read(self.agent.get(format!("http://{}/healthz", self.hub)).call())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/api/v1/{path}", self.hub)
    }

    fn read<T: DeserializeOwned>(&self, answer: Result<Answer, ureq::Error>) -> Result<T, ApiError> {
        let bytes = self.bytes(&mut self.accepted(answer)?)?;
        serde_json::from_slice(&bytes).map_err(ApiError::nonsense)
    }

    fn bytes(&self, answer: &mut Answer) -> Result<Vec<u8>, ApiError> {
        let bytes = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
        bytes.map_err(|error| self.failed(error))
    }

    /// The answer, where it is a success.
    fn accepted(&self, answer: Result<Answer, ureq::Error>) -> Result<Answer, ApiError> {
        let mut answer = answer.map_err(|error| self.failed(error))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let bytes = self.bytes(&mut answer)?;
        match serde_json::from_slice::<ErrorBody>(&bytes) {
            Ok(error) => Err(ApiError::Refused(error)),
            Err(_) => Err(ApiError::Nonsense(format!("HTTP status {}", answer.status()))),
        }
    }

    fn failed(&self, error: ureq::Error) -> ApiError {
        let why = match error {
            ureq::Error::Io(error) => error.to_string(),
            ureq::Error::Protocol(error) => return ApiError::nonsense(error),
            other => other.to_string(),
        };
        ApiError::Unreachable { hub: self.hub.to_string(), why }
    }
}

type Answer = ureq::http::Response<ureq::Body>;

const TYPE: &str = "content-type";
const JSON: &str = "application/json";

fn body<T: Serialize>(request: &T) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(request).map_err(|error| {
        ApiError::Refused(ErrorBody::new(ErrorCode::BadRequest, format!("this cannot be asked: {error}")))
    })
}

/// `name` as one path segment (RFC 3986 section 2.1).
fn percent_encoded(name: &str) -> String {
    name.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_slashes_is_one_path_segment() {
        assert_eq!(percent_encoded("K\u{fc}che 2/links"), "K%C3%BCche%202%2Flinks");
    }

    #[test]
    fn a_hub_that_is_not_there_is_unreachable_and_named() {
        // Port 9 (discard) of the loopback: nothing listens.
        let client = Client::new("127.0.0.1:9".parse().unwrap());
        let error = client.status().unwrap_err();
        assert!(matches!(&error, ApiError::Unreachable { hub, .. } if hub == "127.0.0.1:9"), "{error}");
    }
}
