//! What a hub is started with, and why it may not start.

use std::net::SocketAddr;
use std::path::PathBuf;

use antiphon_base::Span;

/// The least target latency: a few packets of 5 ms and a sound card's period fit; less could not
/// be kept on any machine this was tried on.
pub const MIN_LATENCY: Span = Span::from_ms(15);

/// The greatest: speakers hold at least two seconds of audio.
pub const MAX_LATENCY: Span = Span::from_ms(2_000);

/// What a hub is started with.
#[derive(Debug, Clone)]
pub struct HubOptions {
    /// Address and port, the same number for TCP and UDP; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The name that people see.
    pub name: String,
    /// From sending a frame to its leaving the loudspeakers; [`MIN_LATENCY`] to [`MAX_LATENCY`].
    pub latency: Span,
    /// Accept speakers without pairing, and send everything unencrypted.
    pub open: bool,
    /// Where keys, pairings and settings are kept.
    pub state_dir: PathBuf,
    /// Where the Unix socket lies.
    pub runtime_dir: PathBuf,
    /// Announce the hub by DNS-SD.
    pub mdns: bool,
    /// Port of the encrypted page; 0 lets the system choose, `None`: it is not served.
    pub https: Option<u16>,
}

/// Why a hub did not start.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// Something else has the port.
    #[error(
        "port {port} on {host} is in use: another hub or program has it; stop that one, or choose another port with --listen {host}:PORT"
    )]
    PortInUse {
        /// The address asked for.
        host: String,
        /// The port asked for.
        port: u16,
    },
    /// The system refuses the address.
    #[error(
        "cannot listen on {listen}: {source}; name an address of this machine, such as 0.0.0.0 for all of them"
    )]
    Listen {
        /// The address asked for.
        listen: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another hub runs with the same state directory.
    #[error(
        "another hub already runs with the state directory {0}; stop it, or give this one its own with ANTIPHON_STATE_DIR"
    )]
    AlreadyRunning(PathBuf),
    /// The latency is out of range.
    #[error(
        "a latency of {:.0} ms is out of range: choose {:.0} to {:.0} ms",
        .0.as_ms_f64(), MIN_LATENCY.as_ms_f64(), MAX_LATENCY.as_ms_f64()
    )]
    Latency(Span),
    /// The name is empty, too long or not printable.
    #[error("{0:?} is no name for a hub: use 1 to 63 printable characters")]
    Name(String),
    /// A state file does not read.
    #[error(
        "{path} is damaged ({why}) and was left as it is; restore it from a copy, or move it away to start anew (speakers then pair again)"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        why: String,
    },
    /// A directory or file cannot be read or written.
    #[error("cannot {what} {path}: {source}")]
    File {
        /// `read`, `write`, `create`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The system refuses threads, randomness or event descriptors.
    #[error("this system refuses what a hub needs: {0}")]
    System(#[from] std::io::Error),
}

impl HubOptions {
    /// Checks what can be checked before anything is opened.
    ///
    /// # Errors
    /// A latency or a name out of range.
    pub fn check(&self) -> Result<(), HubError> {
        if self.latency < MIN_LATENCY || self.latency > MAX_LATENCY {
            return Err(HubError::Latency(self.latency));
        }
        let printable = self.name.chars().all(|c| !c.is_control());
        // DNS-SD instance names are one label (RFC 6763 section 4.1.1): 63 bytes.
        if self.name.trim().is_empty() || self.name.len() > 63 || !printable {
            return Err(HubError::Name(self.name.clone()));
        }
        Ok(())
    }
}
