//! The schema of `antiphon outputs --json`.

use serde::{Deserialize, Serialize};

/// Number of the schema; fields are only ever added under one number.
pub const OUTPUTS_SCHEMA: u32 = 1;

/// What this machine can play on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutputsReport {
    /// [`OUTPUTS_SCHEMA`].
    pub schema: u32,
    /// Devices of the sound server in its order, sound cards in the kernel's, then Bluetooth speakers by address.
    pub outputs: Vec<OutputReport>,
    /// Why a kind of output is missing as a whole, a sentence each.
    pub missing: Vec<String>,
}

/// One output.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutputReport {
    /// What `play --left` and `speaker --output` take.
    pub uri: String,
    /// What a person calls it.
    pub name: String,
    /// `sound_server`, `alsa` or `bluetooth`.
    pub kind: String,
    /// It is the one that `pulse:` alone names.
    pub is_default: bool,
    /// It can be played on at present.
    pub usable: bool,
    /// Why not, or what is odd.
    pub remark: Option<String>,
    /// Its rate in hertz, where it is known.
    pub rate_hz: Option<u32>,
    /// Its channels, where they are known.
    pub channels: Option<u16>,
    /// What paces it: `card`, `server` (it exists in software) or `hub` (a Bluetooth speaker follows what it is sent).
    pub clock: String,
    /// It has a left and a right channel that can be two outputs: `URI#left` and `URI#right`.
    pub splits: bool,
}
