//! What processes of one user on one machine ask the hub through its Unix socket.
//!
//! One line of JSON each way, then the connection closes. The socket lies in the hub's runtime
//! directory and answers only the hub's own user (and root): whoever can reach it could read the
//! hub's keys anyway, so a speaker on the same machine is paired without a question.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::client::ApiError;
use crate::error::ErrorBody;

/// Longest line either way: a reply is under 400 bytes.
pub const MAX_LINE: u64 = 4096;

/// Either side gives up after this: the other is a process on the same machine, alive or not.
pub const TIMEOUT: Duration = Duration::from_secs(2);

/// Where the hub of `runtime_dir` listens.
pub fn socket_path(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("hub.sock")
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LocalRequest {
    /// Where does the hub listen?
    Whereabouts,
    /// Pair this speaker.
    Pair {
        /// Its public key, 64 hex digits.
        speaker_public: String,
        /// Its name.
        name: String,
    },
}

/// The answer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum LocalReply {
    /// To [`LocalRequest::Whereabouts`].
    Here {
        /// The hub's name.
        name: String,
        /// `HOST:PORT` that reaches it from this machine.
        address: String,
        /// It runs without pairing and sealing.
        open: bool,
    },
    /// To [`LocalRequest::Pair`].
    Paired {
        /// The hub's public key, 64 hex digits.
        hub_public: String,
        /// The secret both now share, 64 hex digits.
        psk: String,
        /// The hub's name.
        hub_name: String,
        /// `HOST:PORT` that reaches it from this machine.
        address: String,
    },
    /// To anything it will not do.
    Refused(ErrorBody),
}

impl std::fmt::Debug for LocalReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Here { name, address, .. } => write!(f, "Here({name} at {address})"),
            // The secret stays out of logs.
            Self::Paired { hub_name, .. } => write!(f, "Paired({hub_name})"),
            Self::Refused(error) => write!(f, "Refused({error})"),
        }
    }
}

/// Asks the hub that listens at `socket`.
///
/// # Errors
/// [`ApiError::Unreachable`] where none listens, [`ApiError::Refused`] where it will not,
/// [`ApiError::Nonsense`] where something else listens.
pub fn ask(socket: &Path, request: &LocalRequest) -> Result<LocalReply, ApiError> {
    let unreachable = |error: std::io::Error| ApiError::Unreachable {
        hub: socket.display().to_string(),
        why: error.to_string(),
    };
    let mut stream = UnixStream::connect(socket).map_err(unreachable)?;
    stream.set_read_timeout(Some(TIMEOUT)).map_err(unreachable)?;
    stream.set_write_timeout(Some(TIMEOUT)).map_err(unreachable)?;
    let mut line = serde_json::to_vec(request).map_err(ApiError::nonsense)?;
    line.push(b'\n');
    stream.write_all(&line).map_err(unreachable)?;
    let mut answer = String::new();
    BufReader::new(stream.take(MAX_LINE)).read_line(&mut answer).map_err(unreachable)?;
    match serde_json::from_str(&answer).map_err(ApiError::nonsense)? {
        LocalReply::Refused(error) => Err(ApiError::Refused(error)),
        reply => Ok(reply),
    }
}
