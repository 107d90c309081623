//! Browsers as speakers: how one is let in, and the codes that let it in.
//!
//! What follows after [`BrowserReply::Joined`] is the session of every speaker: see [`session`](crate::session).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a browser says first on a connection. [BROWSER-1], [BROWSER-6]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum BrowserRequest {
    /// On `/browser`: it wants to be a speaker.
    Join {
        /// A join code; absent from the hub's own machine.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// 32 random bytes that it keeps, as 64 hex digits: who it is.
        key: String,
    },
    /// On `/browser/clock`: it wants clock exchanges for a session that it has.
    Clock {
        /// The session of its `welcome`.
        session: u32,
        /// The ticket of its `joined`.
        ticket: String,
    },
}

/// The hub's answer to a [`BrowserRequest::Join`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum BrowserReply {
    /// It is let in, and says `hello` now.
    Joined {
        /// 32 hex digits: proves on `/browser/clock` whose clock it is.
        ticket: String,
    },
    /// It is not; the connection closes.
    Refused {
        /// For programs.
        code: JoinRefusal,
        /// For people.
        message: String,
    },
}

/// Why a browser is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinRefusal {
    /// There is no such code, or it was revoked.
    WrongCode,
    /// The code was good once.
    Expired,
    /// Too many at a time, or too many wrong codes: try again later.
    Full,
    /// The message makes no sense.
    BadMessage,
    /// The name belongs to another speaker.
    NameTaken,
    /// A code that this program does not know.
    #[serde(other)]
    Unknown,
}

/// Body of `POST /api/v1/join-codes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinCodeRequest {
    /// Seconds for which it is good.
    pub valid_s: u64,
    /// The hub's address that its link names; the hub chooses one where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub address: Option<std::net::IpAddr>,
}

/// Answer to `POST /api/v1/join-codes`: the only time that the code is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JoinCodeReply {
    /// Names the code without giving it away.
    pub id: String,
    /// The code: ten letters and digits.
    pub code: String,
    /// The link that a phone opens.
    pub url: String,
    /// The same link over HTTPS, where the hub serves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub https_url: Option<String>,
    /// SHA-256 of the certificate that HTTPS shows, as browsers print it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Seconds until it is void.
    pub expires_in_s: u64,
}

/// A join code, without what makes it one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JoinCodeStatus {
    /// Names it.
    pub id: String,
    /// Seconds until it is void; 0: it is.
    pub expires_in_s: u64,
    /// Speakers that are connected by it.
    pub speakers: Vec<String>,
}

/// Answer to `GET /api/v1/join-codes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JoinCodes {
    /// Oldest first.
    pub codes: Vec<JoinCodeStatus>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROTOCOL: &str = include_str!("../../../docs/protocol.md");

    /// The bodies of the blocks headed `message browser-...`.
    fn told() -> Vec<(&'static str, &'static str)> {
        let blocks = PROTOCOL.split("```message browser-").skip(1);
        blocks.map(|block| block.split_once("```").unwrap().0.split_once('\n').unwrap()).collect()
    }

    #[test]
    fn the_example_messages_of_the_protocol_are_read_and_written_as_they_stand() {
        for (name, body) in told() {
            let value: serde_json::Value = serde_json::from_str(body).expect(name);
            let again = match name {
                "join" | "clock" => {
                    serde_json::to_value(serde_json::from_str::<BrowserRequest>(body).expect(name))
                }
                _ => serde_json::to_value(serde_json::from_str::<BrowserReply>(body).expect(name)),
            };
            assert_eq!(again.unwrap(), value, "{name}");
        }
        assert_eq!(told().len(), 4);
    }
}
