//! What a hub can play of its own: music folders and test tracks.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Query of `GET /api/v1/library`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LibraryQuery {
    /// A folder's id; absent: the topmost.
    #[serde(default)]
    pub folder: Option<String>,
    /// Words that all occur in title, artist, album or file name, here and below.
    #[serde(default)]
    pub q: Option<String>,
    /// Files to leave out at the beginning.
    #[serde(default)]
    pub from: usize,
    /// Files at most; absent: 100.
    #[serde(default)]
    pub count: Option<usize>,
}

/// Answer to `GET /api/v1/library`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct LibraryReply {
    /// The folder that was asked for.
    pub folder: LibraryFolder,
    /// The folders in it; of a search, those that were found.
    pub folders: Vec<LibraryFolder>,
    /// The files, as many as were asked for.
    pub files: Vec<LibraryFile>,
    /// How many files there are.
    pub total: usize,
    /// How many files the whole library has.
    #[serde(default)]
    pub of: usize,
    /// The folders are being read: there may soon be more.
    pub reading: bool,
}

/// A folder.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct LibraryFolder {
    /// Names it; no path.
    pub id: String,
    /// For people.
    pub name: String,
    /// The folder that it lies in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct LibraryFile {
    /// Names it; no path.
    pub id: String,
    /// By its tags, or its name.
    pub title: String,
    /// By its tags.
    pub artist: Option<String>,
    /// By its tags.
    pub album: Option<String>,
    /// Its place in the album.
    pub track: Option<u32>,
    /// Its length, where known.
    pub duration_s: Option<f64>,
    /// `GET /api/v1/library/{id}/art` has a picture.
    pub art: bool,
}

/// A test track.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct SignalReport {
    /// Names it.
    pub name: String,
    /// What it is for.
    pub about: String,
    /// Its length.
    pub seconds: f64,
}
