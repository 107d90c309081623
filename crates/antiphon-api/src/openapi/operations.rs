//! Every address of a hub that answers with HTTP.

use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use crate::access::AccessRole;
use crate::advice::{CaseQuery, ExplainQuery};
use crate::{LibraryQuery, UploadQuery};

use AccessRole::{Admin, Control, Listen, None as Anybody};
use Body::{Accepted, File, Json, List, Nothing, Object, Text, WebSocket};

/// One thing to ask.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// In capitals.
    pub method: &'static str,
    /// With `{parameters}`.
    pub path: &'static str,
    /// The role it takes; of this document: the hub has the table that counts, and a test that both agree.
    pub role: AccessRole,
    /// What it does.
    pub summary: &'static str,
    /// The request's body, where it has one.
    pub takes: Option<Takes>,
    /// What a success brings.
    pub gives: Body,
    /// What may stand behind the `?`.
    pub(super) query: Option<fn() -> Vec<Parameter>>,
}

/// What a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// A value of the schema with this name.
    Json(&'static str),
    /// A file, as it is.
    File,
}

/// What an answer carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// A value of the schema with this name.
    Json(&'static str),
    /// An array of values of the schema with this name.
    List(&'static str),
    /// JSON that another document describes.
    Object,
    /// Text of this media type.
    Text(&'static str),
    /// A file of one of these media types.
    File(&'static [&'static str]),
    /// Nothing.
    Nothing,
    /// Nothing, and it is done later.
    Accepted,
    /// A WebSocket with these messages.
    WebSocket(&'static str),
}

impl Body {
    /// The HTTP status of a success.
    pub const fn status(self) -> &'static str {
        match self {
            Nothing => "204",
            Accepted => "202",
            WebSocket(_) => "101",
            Json(_) | List(_) | Object | Text(_) | File(_) => "200",
        }
    }
}

impl Operation {
    /// The same, which reads the fields of `Q` behind the `?`.
    const fn with_query<Q: IntoParams>(mut self) -> Self {
        self.query = Some(fields::<Q>);
        self
    }

    /// The same, whose body is a file.
    const fn with_file(mut self) -> Self {
        self.takes = Some(Takes::File);
        self
    }
}

fn fields<Q: IntoParams>() -> Vec<Parameter> {
    Q::into_params(|| Some(ParameterIn::Query))
}

const fn ask(
    method: &'static str,
    path: &'static str,
    role: AccessRole,
    takes: Option<&'static str>,
    gives: Body,
    summary: &'static str,
) -> Operation {
    let takes = match takes {
        Some(schema) => Some(Takes::Json(schema)),
        None => None,
    };
    Operation { method, path, role, summary, takes, gives, query: None }
}

/// In no order: the document has them by their paths.
#[rustfmt::skip]
pub const OPERATIONS: &[Operation] = &[
    ask("GET", "/healthz", Anybody, None, Json("Health"), "Whether the hub runs, its media thread too"),
    ask("GET", "/metrics", Listen, None, Text("text/plain"), "The hub's figures as Prometheus reads them"),
    ask("GET", "/api/v1/me", Anybody, None, Json("Me"), "What the asker may do"),
    ask("POST", "/api/v1/login", Anybody, Some("LoginRequest"), Nothing, "Log in with six digits; the token comes as a cookie"),
    ask("POST", "/api/v1/logout", Anybody, None, Nothing, "Make the asker's token void"),
    ask("GET", "/api/v1/access", Admin, None, Json("AccessList"), "Who was let in"),
    ask("POST", "/api/v1/access", Admin, Some("AccessCodeRequest"), Json("AccessCodeReply"), "Six digits that let one browser, machine or speaker in"),
    ask("DELETE", "/api/v1/access/{id}", Admin, None, Nothing, "Throw somebody out"),
    ask("POST", "/api/v1/pairing-code", Admin, None, Json("PairingCodeReply"), "Six digits that pair one speaker, and nobody else"),
    ask("GET", "/api/v1/status", Listen, None, Json("Status"), "The hub, what plays, and every speaker"),
    ask("GET", "/api/v1/events", Listen, None, WebSocket("Messages of the schema EventMessage, as things change"), "The same as it changes"),
    ask("GET", "/api/v1/openapi.json", Listen, None, Object, "This document"),
    ask("POST", "/api/v1/transport", Control, Some("TransportRequest"), Json("ProgrammeStatus"), "Pause, resume, stop, seek, next, previous"),
    ask("GET", "/api/v1/source", Control, None, WebSocket("A player's link: docs/playing.md"), "Play through the hub"),
    ask("PATCH", "/api/v1/speakers/{name}", Control, Some("SpeakerPatch"), Json("SpeakerStatus"), "Set a speaker's name, role, volume, delay or codec"),
    ask("PUT", "/api/v1/latency", Control, Some("LatencyRequest"), Json("LatencyRequest"), "Set the time from hub to loudspeaker"),
    ask("GET", "/api/v1/calibration", Listen, None, Json("CalibrationReply"), "The calibrations in force"),
    ask("PUT", "/api/v1/calibration", Control, Some("CalibrationRequest"), Json("CalibrationReply"), "Put calibrations in force, all or none"),
    ask("DELETE", "/api/v1/calibration", Control, None, Json("CalibrationReply"), "Undo the latest calibration"),
    ask("DELETE", "/api/v1/calibration/{name}", Control, None, Json("CalibrationReply"), "Undo one speaker's latest calibration"),
    ask("GET", "/api/v1/groups", Listen, None, List("Group"), "The groups"),
    ask("PUT", "/api/v1/groups/{name}", Control, Some("GroupRequest"), Json("Group"), "Make a group, or change it"),
    ask("DELETE", "/api/v1/groups/{name}", Control, None, Nothing, "Forget a group"),
    ask("POST", "/api/v1/groups/{name}/use", Control, None, Json("GroupUsed"), "Give a group's speakers its roles"),
    ask("GET", "/api/v1/library", Listen, None, Json("LibraryReply"), "A folder of the library, or what is found in and below it").with_query::<LibraryQuery>(),
    ask("GET", "/api/v1/library/{id}/art", Listen, None, File(&["image/gif", "image/jpeg", "image/png", "image/webp"]), "The picture of a file of the library"),
    ask("POST", "/api/v1/library/rescan", Control, None, Accepted, "Read the music folders anew"),
    ask("GET", "/api/v1/queue", Listen, None, Json("QueueReply"), "What the hub plays by itself"),
    ask("POST", "/api/v1/queue", Control, Some("QueueAdd"), Json("QueueReply"), "Put something into the queue"),
    ask("PATCH", "/api/v1/queue", Control, Some("QueuePatch"), Json("QueueReply"), "Go to something in the queue, move something, begin, stop, repeat, shuffle"),
    ask("DELETE", "/api/v1/queue", Control, None, Json("QueueReply"), "Empty the queue"),
    ask("DELETE", "/api/v1/queue/{key}", Control, None, Json("QueueReply"), "Take one thing out of the queue"),
    ask("POST", "/api/v1/uploads", Control, None, Json("UploadReply"), "Give the hub a file of at most 100 MB, which it keeps for an hour").with_query::<UploadQuery>().with_file(),
    ask("GET", "/api/v1/jobs", Listen, None, Json("JobsReply"), "The jobs of late"),
    ask("POST", "/api/v1/jobs", Control, Some("JobRequest"), Json("Job"), "Measure, calibrate, let a speaker beep, look at the hub's machine"),
    ask("GET", "/api/v1/jobs/{id}", Listen, None, Json("Job"), "How far a job is, and what came of it"),
    ask("DELETE", "/api/v1/jobs/{id}", Control, None, Json("Job"), "End a job early; one that has ended stays as it is"),
    ask("GET", "/api/v1/signals", Listen, None, List("SignalReport"), "The test tracks"),
    ask("GET", "/api/v1/signals/{file}", Listen, None, File(&["audio/wav"]), "A test track as a file"),
    ask("GET", "/api/v1/check", Listen, None, Json("CheckReport"), "Which method makes two speakers play together; `model` has to be named").with_query::<CaseQuery>(),
    ask("GET", "/api/v1/guide", Listen, None, Json("GuideReport"), "The steps of a method; it or `model` has to be named").with_query::<CaseQuery>(),
    ask("GET", "/api/v1/explain", Listen, None, Json("ExplainReport"), "Questions that people ask, answered").with_query::<ExplainQuery>(),
    ask("GET", "/api/v1/catalog", Listen, None, Json("NamesReport"), "The models and methods that are known"),
    ask("GET", "/api/v1/join-codes", Admin, None, Json("JoinCodes"), "The codes that make phones speakers, without what makes them codes"),
    ask("POST", "/api/v1/join-codes", Control, Some("JoinCodeRequest"), Json("JoinCodeReply"), "A link that makes any phone's browser a speaker"),
    ask("DELETE", "/api/v1/join-codes/{id}", Admin, None, Nothing, "Revoke a code, and send away who came by it"),
    ask("GET", "/session", Anybody, None, WebSocket("A speaker's session: docs/protocol.md"), "Play as a speaker, which proves in the session who it is"),
    ask("GET", "/browser", Anybody, None, WebSocket("A browser's session as a speaker: docs/protocol.md"), "Play as a browser, by a join code"),
    ask("GET", "/browser/clock", Anybody, None, WebSocket("Clock exchanges of such a session: docs/protocol.md"), "Tell a browser the hub's time"),
];

/// What the parameter in a path names.
#[rustfmt::skip]
pub(super) const NAMED: &[(&str, &str)] = &[
    ("/api/v1/access/{id}", "An `id` of `GET /api/v1/access`"),
    ("/api/v1/speakers/{name}", "The name of a connected speaker"),
    ("/api/v1/calibration/{name}", "The name of a calibrated speaker, connected or not"),
    ("/api/v1/groups/{name}", "The group's name: 1 to 63 printable characters"),
    ("/api/v1/groups/{name}/use", "The group's name"),
    ("/api/v1/library/{id}/art", "The `id` of a file of the library whose `art` is true"),
    ("/api/v1/queue/{key}", "A `key` of `GET /api/v1/queue`"),
    ("/api/v1/jobs/{id}", "A job's `id`; some twenty jobs are remembered"),
    ("/api/v1/signals/{file}", "A `name` of `GET /api/v1/signals` with `.wav` behind it"),
    ("/api/v1/join-codes/{id}", "An `id` of `GET /api/v1/join-codes`"),
];
