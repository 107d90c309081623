//! What `antiphon pair --json` tells.

use antiphon_base::Role;
use serde::{Deserialize, Serialize};

use crate::text;

/// Number of the schema. Fields are only added under one number.
pub const PAIR_SCHEMA: u32 = 1;

/// A pair of Bluetooth speakers that was saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairReport {
    /// [`PAIR_SCHEMA`].
    pub schema: u32,
    /// What it is called.
    pub name: String,
    /// Left first.
    pub speakers: Vec<PairedSpeaker>,
    /// Somebody heard them beep and said which stands where.
    pub sides_confirmed: bool,
}

/// One of its speakers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairedSpeaker {
    /// Its Bluetooth address.
    pub address: String,
    /// Its name as a speaker of the hub.
    pub name: String,
    /// What it plays.
    #[serde(with = "text")]
    pub role: Role,
    /// Who made it, where it says so.
    pub maker: Option<String>,
    /// Its model by its own word, where it tells.
    #[serde(default)]
    pub model: Option<String>,
    /// Its firmware by its own word, where it exposes it.
    #[serde(default)]
    pub firmware: Option<String>,
    /// The codecs of its sinks, as far as it has told them.
    pub codecs: Vec<String>,
    /// Whether it reports its delay; null where that is not known.
    pub delay_reporting: Option<bool>,
    /// Charge in percent, where it tells.
    pub battery: Option<u8>,
}
