//! What may be asked of the hub.

use antiphon_base::Role;
use antiphon_proto::session::Codec;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::text;

/// What to do with the programme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransportAction {
    /// Halt in place.
    Pause,
    /// Go on.
    Resume,
    /// Pause if playing, resume if paused.
    Toggle,
    /// End it.
    Stop,
    /// Go to [`TransportRequest::to`], within the track that is heard.
    Seek,
    /// The next track; behind the last one playing ends, unless the player repeats.
    Next,
    /// The beginning of the track; within its first three seconds, the track before it.
    Previous,
}

/// Body of `POST /api/v1/transport`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TransportRequest {
    /// What to do.
    pub action: TransportAction,
    /// Where to, for [`TransportAction::Seek`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<SeekTo>,
}

/// A place in the programme; of several tracks, in the one that is heard.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SeekTo {
    /// Seconds from its beginning.
    PositionS(f64),
    /// Seconds from where it is; negative is back.
    OffsetS(f64),
}

/// Body of `PATCH /api/v1/speakers/{name}`: what is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SpeakerPatch {
    /// What it is called from now on, whatever it calls itself: 1 to 63 bytes, no control characters, no space at either
    /// end, and no other speaker's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it plays of the programme.
    #[serde(default, with = "text::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub role: Option<Role>,
    /// Volume in decibels, -100 to +12.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gain_db: Option<f32>,
    /// Silenced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted: Option<bool>,
    /// Its loudspeaker's own volume, 0 to 100 percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<u8>,
    /// Delay in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_us: Option<i64>,
    /// How its media are encoded.
    #[serde(default, with = "text::option", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub codec: Option<Codec>,
}

/// Body of `PUT /api/v1/latency`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LatencyRequest {
    /// Time from a frame's dispatch to its presentation, in microseconds.
    pub latency_us: i64,
}

/// Answer to `POST /api/v1/pairing-code`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PairingCodeReply {
    /// Six digits, good for one speaker.
    pub code: String,
    /// Seconds until it is void.
    pub expires_s: u64,
}

/// Answer to `GET /healthz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Always `true`: a hub that is not well does not answer.
    pub ok: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_says_only_what_changes() {
        let patch = SpeakerPatch { role: Some(Role::Left), ..SpeakerPatch::default() };
        let json = serde_json::to_string(&patch).unwrap();
        assert_eq!(json, r#"{"role":"left"}"#);
        assert_eq!(serde_json::from_str::<SpeakerPatch>(&json).unwrap(), patch);
    }

    #[test]
    fn an_unknown_role_is_refused_by_name() {
        let said = serde_json::from_str::<SpeakerPatch>(r#"{"role":"centre"}"#).unwrap_err().to_string();
        assert!(said.contains("\"centre\"") && said.contains("left"), "{said}");
    }

    #[test]
    fn a_misspelt_field_is_refused_not_ignored() {
        assert!(serde_json::from_str::<SpeakerPatch>(r#"{"delay":5}"#).is_err());
    }
}
