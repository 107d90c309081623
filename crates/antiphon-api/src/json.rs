//! The text of everything else that this crate's types travel in.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{ErrorBody, ErrorCode};

/// `value` as JSON.
///
/// # Panics
/// For a type whose maps have keys that are not strings: none of this crate's.
pub fn write<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("the types of this crate always serialise")
}

/// `value` as indented JSON with a closing line end, for people and files.
///
/// # Panics
/// As [`write()`].
pub fn write_pretty<T: Serialize>(value: &T) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("the types of this crate always serialise");
    text.push('\n');
    text
}

/// Reads `text`; `what` names it in the error.
///
/// # Errors
/// [`ErrorCode::BadRequest`] with the place where it stops making sense.
pub fn read<T: DeserializeOwned>(what: &str, text: &[u8]) -> Result<T, ErrorBody> {
    serde_json::from_slice(text)
        .map_err(|error| ErrorBody::new(ErrorCode::BadRequest, format!("{what} does not read: {error}")))
}

/// `value` as JSON in a string.
///
/// # Panics
/// As [`write()`].
pub fn text<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("the types of this crate always serialise")
}

/// The message `{"type":KIND,KIND:VALUE}` of `GET /api/v1/events`, whose value is JSON already.
pub fn event(kind: &'static str, value: &str) -> String {
    format!(r#"{{"type":"{kind}","{kind}":{value}}}"#)
}
