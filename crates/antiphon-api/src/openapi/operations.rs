//! Every address of a hub that answers with HTTP.

use crate::access::AccessRole;

use AccessRole::{Admin, Control, Listen, None as Anybody};
use Body::{Json, List, Nothing, Text, WebSocket};

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
    /// Name of the schema of the request's body, where it has one.
    pub takes: Option<&'static str>,
    /// What a success brings.
    pub gives: Body,
}

/// What an answer carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// A value of the schema with this name.
    Json(&'static str),
    /// An array of values of the schema with this name.
    List(&'static str),
    /// Text of this media type.
    Text(&'static str),
    /// Nothing.
    Nothing,
    /// A WebSocket with these messages.
    WebSocket(&'static str),
}

impl Body {
    /// The HTTP status of a success.
    pub const fn status(self) -> &'static str {
        match self {
            Nothing => "204",
            WebSocket(_) => "101",
            Json(_) | List(_) | Text(_) => "200",
        }
    }
}

const fn ask(
    method: &'static str,
    path: &'static str,
    role: AccessRole,
    takes: Option<&'static str>,
    gives: Body,
    summary: &'static str,
) -> Operation {
    Operation { method, path, role, summary, takes, gives }
}

/// In the order of the document.
#[rustfmt::skip]
pub const OPERATIONS: [Operation; 24] = [
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
    ask("GET", "/api/v1/openapi.json", Listen, None, Text("application/json"), "This document"),
    ask("POST", "/api/v1/transport", Control, Some("TransportRequest"), Json("ProgrammeStatus"), "Pause, resume, stop, seek, next, previous"),
    ask("GET", "/api/v1/source", Control, None, WebSocket("A player's link: docs/playing.md"), "Play through the hub"),
    ask("PATCH", "/api/v1/speakers/{name}", Control, Some("SpeakerPatch"), Json("SpeakerStatus"), "Set a speaker's role, volume, delay or codec"),
    ask("PUT", "/api/v1/latency", Control, Some("LatencyRequest"), Json("LatencyRequest"), "Set the time from hub to loudspeaker"),
    ask("GET", "/api/v1/calibration", Listen, None, Json("CalibrationReply"), "The calibrations in force"),
    ask("PUT", "/api/v1/calibration", Control, Some("CalibrationRequest"), Json("CalibrationReply"), "Put calibrations in force, all or none"),
    ask("DELETE", "/api/v1/calibration", Control, None, Json("CalibrationReply"), "Undo the latest calibration"),
    ask("DELETE", "/api/v1/calibration/{name}", Control, None, Json("CalibrationReply"), "Undo one speaker's latest calibration"),
    ask("GET", "/api/v1/groups", Listen, None, List("Group"), "The groups"),
    ask("PUT", "/api/v1/groups/{name}", Control, Some("GroupRequest"), Json("Group"), "Make a group, or change it"),
    ask("DELETE", "/api/v1/groups/{name}", Control, None, Nothing, "Forget a group"),
    ask("POST", "/api/v1/groups/{name}/use", Control, None, Json("GroupUsed"), "Give a group's speakers its roles"),
];
