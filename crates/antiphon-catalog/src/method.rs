//! The ways to make two speakers play together.

use std::fmt;

use serde::Deserialize;

use crate::proof::Proof;

/// A way to make two speakers play together.
#[derive(Debug, Clone)]
pub struct Method {
    /// Which.
    pub id: MethodId,
    /// Lower is better, by fidelity and reliability.
    pub order: u32,
    /// For people.
    pub title: String,
    /// What one hears.
    pub sound: String,
    /// The id of its guide.
    pub guide: String,
    /// Why this version of the program does not have it.
    pub later: Option<String>,
    /// What is said of it.
    pub says: Vec<(String, Proof)>,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodId {
    /// The maker's own stereo mode.
    VendorStereo,
    /// Both speakers on this computer's Bluetooth.
    HostPair,
    /// A computer at each speaker.
    Agents,
    /// An app that sends to other phones.
    AppMediated,
    /// A cable.
    WiredSplitter,
    /// The maker's party mode.
    VendorParty,
    /// The phone's own second output.
    DualAudio,
    /// Browsers that play.
    Browsers,
    /// Of a guide that serves all of them.
    Any,
}

impl MethodId {
    /// Those that a check judges.
    pub const ALL: [Self; 8] = [
        Self::VendorStereo,
        Self::HostPair,
        Self::Agents,
        Self::AppMediated,
        Self::WiredSplitter,
        Self::VendorParty,
        Self::DualAudio,
        Self::Browsers,
    ];

    /// As in the catalogue and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VendorStereo => "vendor_stereo",
            Self::HostPair => "host_pair",
            Self::Agents => "agents",
            Self::AppMediated => "app_mediated",
            Self::WiredSplitter => "wired_splitter",
            Self::VendorParty => "vendor_party",
            Self::DualAudio => "dual_audio",
            Self::Browsers => "browsers",
            Self::Any => "any",
        }
    }
}

impl fmt::Display for MethodId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
