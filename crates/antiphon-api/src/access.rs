//! Who may ask what of the hub, from which machine.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::{ErrorBody, ErrorCode};

/// Name of the cookie that a browser logs in by over plain HTTP.
pub const ACCESS_COOKIE: &str = "antiphon_access";

/// Over HTTPS. Cookies know no ports and no schemes: one of the other name would be sent in clear too, to the page over
/// plain HTTP. Browsers hold one of this prefix to be `Secure` and this host's.
pub const SECURE_ACCESS_COOKIE: &str = "__Host-antiphon_access";

/// What somebody may do, the least first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AccessRole {
    /// Nothing but log in.
    #[default]
    None,
    /// Look: what plays, who plays it, how well.
    Listen,
    /// Also change what plays, volumes, roles, groups and calibrations.
    Control,
    /// Also let others in, and throw them out.
    Admin,
}

impl AccessRole {
    /// Those that a code can give.
    pub const GIVEN: [Self; 3] = [Self::Listen, Self::Control, Self::Admin];
}

impl fmt::Display for AccessRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none",
            Self::Listen => "listen",
            Self::Control => "control",
            Self::Admin => "admin",
        })
    }
}

/// A word that is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no role; use listen, control or admin")]
pub struct ParseAccessRoleError(String);

impl FromStr for AccessRole {
    type Err = ParseAccessRoleError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let named = Self::GIVEN.into_iter().find(|role| role.to_string() == s);
        named.ok_or_else(|| ParseAccessRoleError(s.chars().take(40).collect()))
    }
}

/// Body of `POST /api/v1/access`: asks for a code that lets one browser, machine or speaker in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessCodeRequest {
    /// What whoever uses the code may do then.
    #[serde(default = "control")]
    pub role: AccessRole,
}

fn control() -> AccessRole {
    AccessRole::Control
}

impl AccessCodeRequest {
    /// The role asked for, where a code can give it.
    ///
    /// # Errors
    /// It can not.
    pub fn checked(self) -> Result<AccessRole, ErrorBody> {
        match self.role {
            AccessRole::None => Err(ErrorBody::new(
                ErrorCode::BadRequest,
                "a code gives one of the roles listen, control and admin",
            )),
            role => Ok(role),
        }
    }
}

/// Answer to `POST /api/v1/access`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccessCodeReply {
    /// Six digits, good for one login or, with a sealed hub, for pairing one speaker.
    pub code: String,
    /// What the code gives.
    pub role: AccessRole,
    /// Seconds until it is void.
    pub expires_s: u64,
    /// Where a browser on another machine finds the page; absent where the hub listens to this machine only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// It also pairs a speaker: false with a hub that is open, where no speaker needs it.
    pub pairs: bool,
}

/// Body of `POST /api/v1/login`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// The six digits.
    pub code: String,
    /// What the list of those let in is to call this one; at most 63 characters.
    pub name: String,
}

/// Answer to `GET /api/v1/me`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// What the asker may do.
    pub role: AccessRole,
    /// The asker is on the hub's own machine.
    pub this_machine: bool,
    /// The hub's name.
    pub hub: String,
    /// Its version.
    pub version: String,
    /// Where the encrypted page is, if the hub has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub https: Option<HttpsDoor>,
}

/// Where a hub is reached encrypted: over it browsers let a page have the microphone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HttpsDoor {
    /// Its port, at every address of the hub.
    pub port: u16,
    /// SHA-256 of the hub's own certificate, for people to compare.
    pub fingerprint: String,
}

/// Answer to `GET /api/v1/access`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct AccessList {
    /// Everybody who was let in and not thrown out, the longest first.
    pub access: Vec<AccessEntry>,
}

/// Somebody who was let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccessEntry {
    /// To revoke it by.
    pub id: String,
    /// As it called itself.
    pub name: String,
    /// What it may do.
    pub role: AccessRole,
    /// When it was let in, in seconds since 1970 (UTC).
    pub since: u64,
    /// Seconds since it last asked something; absent where that was before the hub started.
    pub used_s: Option<u64>,
    /// It is the one that asks.
    pub is_me: bool,
}

impl fmt::Debug for AccessCodeReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The code stays out of logs.
        write!(f, "AccessCodeReply({} for {} s)", self.role, self.expires_s)
    }
}

impl fmt::Debug for LoginRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoginRequest({:?})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_ordered_by_what_they_allow() {
        assert!(AccessRole::None < AccessRole::Listen);
        assert!(AccessRole::Listen < AccessRole::Control && AccessRole::Control < AccessRole::Admin);
    }

    #[test]
    fn a_role_is_read_as_it_is_written_and_none_cannot_be_given() {
        for role in AccessRole::GIVEN {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        assert!("none".parse::<AccessRole>().is_err());
        let asked: AccessCodeRequest = serde_json::from_str(r#"{"role":"none"}"#).unwrap();
        assert!(asked.checked().is_err());
        assert_eq!(serde_json::from_str::<AccessCodeRequest>("{}").unwrap().role, AccessRole::Control);
    }

    #[test]
    fn codes_stay_out_of_logs() {
        let request = LoginRequest { code: "123456".into(), name: "phone".into() };
        assert!(!format!("{request:?}").contains("123456"));
    }
}
