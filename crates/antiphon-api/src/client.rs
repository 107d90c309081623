//! A blocking client of the hub's API.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::address::HubAddress;
use crate::browser::{JoinCodeReply, JoinCodeRequest, JoinCodes};
use crate::calibration::{CalibrationReply, CalibrationRequest};
use crate::control::{LatencyRequest, PairingCodeReply, SpeakerPatch, TransportRequest};
use crate::error::{ErrorBody, ErrorCode};
use crate::status::{ProgrammeStatus, SpeakerStatus, Status};

/// A hub on this machine answers in milliseconds; after this it is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The longest any one request may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

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
#[derive(Debug, Clone)]
pub struct Client {
    hub: HubAddress,
    agent: ureq::Agent,
}

impl Client {
    /// A client of the hub at `hub`; nothing is sent yet.
    pub fn new(hub: HubAddress) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(REQUEST_TIMEOUT))
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .build();
        Self { hub, agent: config.into() }
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

    fn url(&self, path: &str) -> String {
        format!("http://{}/api/v1/{path}", self.hub)
    }

    fn read<T: DeserializeOwned>(
        &self,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<T, ApiError> {
        let mut answer = answer.map_err(|error| self.failed(error))?;
        let bytes = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
        let bytes = bytes.map_err(|error| self.failed(error))?;
        if answer.status().is_success() {
            return serde_json::from_slice(&bytes).map_err(ApiError::nonsense);
        }
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
