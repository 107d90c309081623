//! What the hub answers when it will not.

use serde::{Deserialize, Serialize};
use strsim::levenshtein;
use utoipa::ToSchema;

/// Why a request was not carried out, and whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request makes no sense as it stands; asking again will not help.
    BadRequest,
    /// No speaker (or page) of that name.
    NotFound,
    /// The asker may not ask this.
    NotPermitted,
    /// The asker is nobody yet: log in with a code.
    LoginNeeded,
    /// Nothing of this kind can be done at this address.
    MethodNotAllowed,
    /// The body is longer than the address takes.
    TooLarge,
    /// Asked too often; ask again later.
    TooMany,
    /// It makes no sense in this state (nothing is playing, a name is taken); ask again later.
    Conflict,
    /// The hub is at one of its limits; ask again later.
    Busy,
    /// The hub's own fault.
    Internal,
}

impl ErrorCode {
    /// The HTTP status that carries it.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::LoginNeeded => 401,
            Self::NotPermitted => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::TooLarge => 413,
            Self::TooMany => 429,
            Self::Conflict => 409,
            Self::Busy => 503,
            Self::Internal => 500,
        }
    }
}

/// The body of every answer that is not a success: one sentence naming the thing and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// What a program decides by.
    pub code: ErrorCode,
    /// What a person reads.
    pub message: String,
    /// For [`ErrorCode::NotFound`]: the names that come nearest, best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nearest: Vec<String>,
}

impl ErrorBody {
    /// An error without suggestions.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), nearest: Vec::new() }
    }

    /// No group is called `name`; of `known` the nearest are suggested.
    pub fn unknown_group<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        let nearest = nearest(name, &known);
        let hint = match nearest.as_slice() {
            [] if known.is_empty() => {
                "; there are none yet: make one with `antiphon group set NAME SPEAKER:ROLE...`".into()
            }
            [] => "; `antiphon group list` lists those there are".into(),
            names => format!("; did you mean {}?", names.join(" or ")),
        };
        let message = format!("no group is called {name:?}{hint}");
        Self { code: ErrorCode::NotFound, message, nearest }
    }

    /// No speaker is called `name`; of `known` the nearest are suggested.
    pub fn unknown_speaker<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        let nearest = nearest(name, &known);
        let hint = match nearest.as_slice() {
            [] if known.is_empty() => {
                "; no speaker has joined this hub yet: start one with `antiphon speaker --name NAME`".into()
            }
            [] => "; `antiphon speakers` lists those that have joined".into(),
            names => format!("; did you mean {}?", names.join(" or ")),
        };
        let message = format!("no speaker is called {name:?}{hint}");
        Self { code: ErrorCode::NotFound, message, nearest }
    }
}

/// An error as RFC 9457 has it, with the fields of [`ErrorBody`] beside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What a person reads.
    pub detail: String,
    /// What a program decides by; the same sentence again, for programs of before; and the nearest names.
    #[serde(flatten)]
    pub error: ErrorBody,
}

/// `error` as an answer with `status`, which is called `title`.
pub fn problem(status: u16, title: &str, error: ErrorBody) -> Problem {
    let (kind, detail) = ("about:blank".to_owned(), error.message.clone());
    Problem { kind, title: title.to_owned(), status, detail, error }
}

impl std::fmt::Display for ErrorBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// How many names are suggested: more than three are a list, not a hint.
const SUGGESTIONS: usize = 3;

/// The names of `known` that come near `name`, the nearest by edit distance first: half of it may be wrong, or it may be
/// a part of one. What comes no nearer was not meant.
fn nearest(name: &str, known: &[&str]) -> Vec<String> {
    let wanted = name.to_lowercase();
    let slips = wanted.chars().count().div_ceil(2);
    let far = |known: &str| match (known.contains(&wanted), levenshtein(&wanted, known)) {
        (true, _) if !wanted.is_empty() => Some(0),
        (_, far) => (far <= slips).then_some(far),
    };
    let mut ranked: Vec<(usize, &str)> =
        known.iter().filter_map(|known| Some((far(&known.to_lowercase())?, *known))).collect();
    ranked.sort_unstable();
    ranked.dedup();
    ranked.into_iter().take(SUGGESTIONS).map(|(_, known)| known.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_speaker_is_answered_with_the_nearest_names() {
        let said = ErrorBody::unknown_speaker("kichen", ["desk", "kitchen", "bath", "Kitchen 2"]);
        assert_eq!(said.nearest, ["kitchen", "Kitchen 2"]);
        assert!(said.message.contains("\"kichen\"") && said.message.contains("did you mean kitchen"));
    }

    #[test]
    fn nobody_is_suggested_where_nobody_comes_near() {
        let said = ErrorBody::unknown_speaker("attic", ["desk", "Mi Portable Bluetooth Speaker"]);
        assert!(said.nearest.is_empty() && !said.message.contains("did you mean"), "{said}");
        assert!(said.message.contains("antiphon speakers"), "{said}");
        let part = ErrorBody::unknown_speaker("portable", ["desk", "Mi Portable Bluetooth Speaker"]);
        assert_eq!(part.nearest, ["Mi Portable Bluetooth Speaker"]);
    }

    #[test]
    fn a_hub_without_speakers_says_how_to_start_one() {
        let said = ErrorBody::unknown_speaker("desk", []);
        assert!(said.message.contains("antiphon speaker --name"), "{said}");
    }
}
