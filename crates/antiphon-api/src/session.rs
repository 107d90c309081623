//! The session's messages as text.

use antiphon_proto::session::{HubMessage, SpeakerMessage};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest control message either way. The longest real one, a report, is under 2 KiB; a Noise
/// message cannot exceed 64 KiB.
pub const MAX_MESSAGE: usize = 16 * 1024;

/// A control message that is none. Whoever sent it is at fault; the session ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Longer than [`MAX_MESSAGE`].
    #[error("a control message of {0} bytes is over the limit of {MAX_MESSAGE}")]
    TooLong(usize),
    /// Not the JSON of any message.
    #[error("a control message does not read: {0}")]
    Malformed(String),
}

/// A speaker's message as JSON.
pub fn encode_speaker(message: &SpeakerMessage) -> Vec<u8> {
    encode(message)
}

/// A hub's message as JSON.
pub fn encode_hub(message: &HubMessage) -> Vec<u8> {
    encode(message)
}

/// Reads a speaker's message.
///
/// # Errors
/// Anything that is not one.
pub fn decode_speaker(json: &[u8]) -> Result<SpeakerMessage, MessageError> {
    decode(json)
}

/// Reads a hub's message.
///
/// # Errors
/// Anything that is not one.
pub fn decode_hub(json: &[u8]) -> Result<HubMessage, MessageError> {
    decode(json)
}

fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    // Message types hold only strings, numbers and lists: serialising them cannot fail.
    serde_json::to_vec(message).expect("session messages always serialise")
}

fn decode<T: DeserializeOwned>(json: &[u8]) -> Result<T, MessageError> {
    if json.len() > MAX_MESSAGE {
        return Err(MessageError::TooLong(json.len()));
    }
    serde_json::from_slice(json).map_err(|error| MessageError::Malformed(error.to_string()))
}
