//! The text of everything else that this crate's types travel in.

use std::fmt::Display;

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

/// Reads `text`, an object; `what` names it in the error.
///
/// # Errors
/// [`ErrorCode::BadRequest`] with the place where it stops making sense.
pub fn read<T: DeserializeOwned>(what: &str, text: &[u8]) -> Result<T, ErrorBody> {
    let bad =
        |why: &dyn Display| ErrorBody::new(ErrorCode::BadRequest, format!("{what} does not read: {why}"));
    // Serde would take the values of a struct from an array as well, by their order, which is nobody's to rely on.
    if text.trim_ascii_start().first() == Some(&b'[') {
        return Err(bad(&"it is an array, and has to be an object: {...}"));
    }
    serde_json::from_slice(text).map_err(|error| bad(&error))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SpeakerPatch;

    #[test]
    fn an_array_is_no_request_whatever_is_in_it() {
        for array in ["[]", r#"["right",-3]"#, " \n[null]"] {
            let error = read::<SpeakerPatch>("the settings", array.as_bytes()).unwrap_err();
            assert!(error.code == ErrorCode::BadRequest && error.message.contains("object"), "{error}");
        }
        for other in ["", "null", "3", "\"right\"", "true"] {
            assert!(read::<SpeakerPatch>("the settings", other.as_bytes()).is_err(), "{other}");
        }
        assert!(read::<SpeakerPatch>("the settings", br#" {"role":"right"}"#).is_ok());
    }
}
