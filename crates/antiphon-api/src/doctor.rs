//! The schema of `antiphon doctor --json`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Number of the schema; fields are only ever added under one number.
pub const DOCTOR_SCHEMA: u32 = 1;

/// What was looked at on this machine, and what is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct DoctorReport {
    /// [`DOCTOR_SCHEMA`].
    pub schema: u32,
    /// Version of this program.
    pub version: String,
    /// The worst of all: `pass`, `warn` or `fail`.
    pub worst: String,
    /// In the order of looking.
    pub findings: Vec<FindingReport>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
// Others of this crate have the same name: in the API's description it is another.
#[schema(as = DoctorFinding)]
pub struct FindingReport {
    /// `bluetooth`, `sound`, `network`, `time` or `antiphon`.
    pub area: String,
    /// Names what was looked at, as in `bluez-version`.
    pub id: String,
    /// `pass`, `warn`, `fail`, or `unknown`: it could not be seen.
    pub level: String,
    /// What was found, in a sentence.
    pub what: String,
    /// Commands and actions that help, in the order to try them.
    pub todo: Vec<String>,
}
