//! What a hub plays by itself, one after the other.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Answer to `GET /api/v1/queue`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct QueueReply {
    /// In the order in which they were put.
    pub items: Vec<QueueItem>,
    /// The one that is heard, or that is heard next when playing goes on.
    pub current: Option<String>,
    /// The hub's own player is at work.
    pub playing: bool,
    /// Begins again after the end.
    pub repeat: bool,
    /// Plays in an order drawn at random.
    pub shuffle: bool,
    /// What a station says that it plays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_air: Option<String>,
    /// What went wrong last, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Something in the queue.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct QueueItem {
    /// Names it in the queue: the same file twice has two.
    pub key: String,
    /// For people.
    pub title: String,
    /// By its tags.
    pub artist: Option<String>,
    /// Its length, where known.
    pub duration_s: Option<f64>,
    /// Where it is from.
    pub from: QueueFrom,
    /// Of a file of the library: its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub library: Option<String>,
    /// Of a file of the library: whether it has a picture. Absent while its tags have not been read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub art: Option<bool>,
}

/// Where something in the queue is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueueFrom {
    /// A music folder.
    #[default]
    Library,
    /// A radio station or web server.
    Url,
    /// A file that was uploaded.
    Upload,
    /// A test track.
    Signal,
}

/// Something that shall be played.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueueWish {
    /// A file of the library, or all in a folder of it, by its id.
    Library(String),
    /// An address, `http://` or `https://`.
    Url(String),
    /// An upload, by its id.
    Upload(String),
    /// A test track, by its name.
    Signal(String),
}

/// Where something is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QueuePlace {
    /// After the one that is heard, and played at once.
    Now,
    /// After the one that is heard.
    Next,
    /// At the end.
    #[default]
    Last,
}

/// Body of `POST /api/v1/queue`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueAdd {
    /// What, in this order.
    pub items: Vec<QueueWish>,
    /// Where.
    #[serde(default)]
    pub place: QueuePlace,
}

/// Body of `PATCH /api/v1/queue`: what is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QueuePatch {
    /// This one is played at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// Whether to begin again after the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<bool>,
    /// Whether to play in an order drawn at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shuffle: Option<bool>,
    /// Begins with the current one, where nothing of the queue plays; or stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playing: Option<bool>,
    /// Another place for one of them.
    #[serde(default, rename = "move", skip_serializing_if = "Option::is_none")]
    pub moved: Option<QueueMove>,
}

/// Another place for something in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueMove {
    /// What is moved.
    pub key: String,
    /// What it comes before; absent: the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

/// Number of [`SavedQueue`]'s schema.
pub const SAVED_QUEUE_SCHEMA: u32 = 1;

/// A queue on disk: what it holds is named as it was asked for.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SavedQueue {
    /// [`SAVED_QUEUE_SCHEMA`].
    pub schema: u32,
    /// In their order.
    pub items: Vec<SavedItem>,
    /// The one that was heard, by its place from 0.
    #[serde(default)]
    pub current: Option<usize>,
    /// Begins again after the end.
    #[serde(default)]
    pub repeat: bool,
    /// Plays in an order drawn at random.
    #[serde(default)]
    pub shuffle: bool,
}

/// Something in a queue on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedItem {
    /// What.
    pub wish: QueueWish,
    /// For people.
    pub title: String,
    /// By its tags.
    #[serde(default)]
    pub artist: Option<String>,
    /// Its length, where known.
    #[serde(default)]
    pub duration_s: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_written_as_what_it_names() {
        let body =
            br#"{"items":[{"library":"ab"},{"url":"http://r"},{"upload":"1"},{"signal":"width"}],"place":"next"}"#;
        let add: QueueAdd = serde_json::from_slice(body).unwrap();
        assert_eq!(add.items[3], QueueWish::Signal("width".into()));
        assert_eq!(add.place, QueuePlace::Next);
        assert!(serde_json::from_slice::<QueueAdd>(br#"{"items":[{"path":"/etc/passwd"}]}"#).is_err());
    }
}
