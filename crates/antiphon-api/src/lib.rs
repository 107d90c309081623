//! Law: the only crate that knows JSON; types, text forms and a blocking client, no policy.
//!
//! What the hub says of itself ([`Status`]), what may be asked of it ([`TransportRequest`],
//! [`SpeakerPatch`], ...), the link a player streams through ([`SourceCommand`],
//! [`SourceNotice`]), the question a speaker asks on the same machine ([`LocalRequest`]), and the
//! text of the session messages ([`session`]). Schemas carry a number and only ever gain fields.

mod text;

pub mod json;

mod error;

mod access;

mod groups;

pub mod openapi;

mod status;

mod control;

mod calibration;

mod source;

mod events;

pub mod local;

pub mod session;

pub mod demo;

pub mod advice;

pub mod bluetooth;

mod browser;

pub mod doctor;

pub mod outputs;

pub mod measurement;

pub mod miio;

pub mod pair;

mod library;

mod queue;

mod jobs;

mod address;

mod client;

mod source_link;

pub use access::{
    ACCESS_COOKIE, AccessCodeReply, AccessCodeRequest, AccessEntry, AccessList, AccessRole, HttpsDoor,
    LoginRequest, Me, ParseAccessRoleError, SECURE_ACCESS_COOKIE,
};
pub use address::{DEFAULT_PORT, HubAddress, ParseHubAddressError};
pub use antiphon_proto::session::{LinkState, LinkStats};
pub use browser::{
    BrowserReply, BrowserRequest, JoinCodeReply, JoinCodeRequest, JoinCodeStatus, JoinCodes, JoinRefusal,
};
pub use calibration::{
    CalibratedLink, CalibratedThrough, CalibrationGrade, CalibrationMethod, CalibrationReply,
    CalibrationRequest, CalibrationStatus, NamedCalibration, SpeakerCalibration,
};
pub use client::{ApiError, Client};
pub use control::{
    Health, LatencyRequest, PairingCodeReply, SeekTo, SpeakerPatch, TransportAction, TransportRequest,
};
pub use error::{ErrorBody, ErrorCode, Problem, problem};
pub use events::EventMessage;
pub use groups::{Group, GroupKind, GroupMember, GroupRequest, GroupUsed};
pub use jobs::{Job, JobKind, JobRequest, JobResult, JobState, JobsReply, UploadQuery, UploadReply};
pub use library::{LibraryFile, LibraryFolder, LibraryQuery, LibraryReply, SignalReport};
pub use local::{LocalReply, LocalRequest};
pub use queue::{
    QueueAdd, QueueFrom, QueueItem, QueueMove, QueuePatch, QueuePlace, QueueReply, QueueWish,
    SAVED_QUEUE_SCHEMA, SavedItem, SavedQueue,
};
pub use source::{MAX_TARGETS, SourceCommand, SourceNotice, SourcePace, SourceTarget};
pub use source_link::SourceLink;
pub use status::{
    HubStatus, PacketCounts, ProgrammeState, ProgrammeStatus, STATUS_SCHEMA, SentCounts, SpeakerReport,
    SpeakerStatus, Status, TrackPlace,
};
