//! Speakers that are set together.

use antiphon_base::Role;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::text;

/// What a group is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// Left and right in one room.
    Stereo,
    /// The same everywhere.
    Party,
    /// Anything else.
    Custom,
}

impl std::fmt::Display for GroupKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Stereo => "stereo",
            Self::Party => "party",
            Self::Custom => "custom",
        })
    }
}

/// A speaker's place in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupMember {
    /// The speaker's name.
    pub speaker: String,
    /// What it plays of the programme.
    #[serde(with = "text")]
    #[schema(value_type = String)]
    pub role: Role,
}

/// Body of `PUT /api/v1/groups/{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupRequest {
    /// Its speakers: connected or not.
    pub members: Vec<GroupMember>,
    /// What it is for.
    pub kind: GroupKind,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub kind: GroupKind,
    /// Its speakers: connected or not.
    pub members: Vec<GroupMember>,
}

/// Answer to `POST /api/v1/groups/{name}/use`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupUsed {
    /// Speakers that have the group's roles now.
    pub set: Vec<String>,
    /// Speakers of the group that are not connected: they keep the role that they had.
    pub missing: Vec<String>,
}
