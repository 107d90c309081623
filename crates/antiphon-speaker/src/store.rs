//! What an agent keeps between its runs: its identity and the hubs it is paired with.

use std::fs::File as Handle;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use antiphon_proto::session::{Identity, Pairing};
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

/// One agent's lasting state, in one TOML file that only its owner can read.
#[derive(Debug)]
pub struct SpeakerStore {
    path: PathBuf,
    identity: Identity,
    hubs: Vec<Pairing>,
    /// Two processes with one identity would take the session from each other for ever.
    _lock: Flock<Handle>,
}

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refused.
    #[error(
        "cannot {verb} {path}: {source}; give this user access, or name another directory with ANTIPHON_STATE_DIR"
    )]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is damaged; it is left as it is.
    #[error(
        "{path} does not read as a speaker's state ({why}); mend it, or move it away to begin with a new identity"
    )]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Another process has this identity.
    #[error("a speaker called {0:?} already runs on this machine; give this one another --name")]
    InUse(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    secret: String,
    #[serde(default)]
    hubs: Vec<Pairing>,
}

/// An agent remembers so many hubs; the one paired longest ago goes first.
const MAX_HUBS: usize = 32;

impl SpeakerStore {
    /// Opens the state of the speaker `name` in `dir`, or makes it from 32 bytes of `random`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn open(dir: &Path, name: &str, random: [u8; 32]) -> Result<Self, StoreError> {
        let path = dir.join(file_name(name));
        let make = |source| StoreError::Io { verb: "make", path: dir.to_owned(), source };
        std::fs::create_dir_all(dir).map_err(make)?;
        let lock = lock(&path.with_extension("lock"), name)?;
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::read(path, &text, lock),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let identity = Identity::from_secret(random);
                let store = Self { path, identity, hubs: Vec::new(), _lock: lock };
                store.save()?;
                Ok(store)
            }
            Err(source) => Err(StoreError::Io { verb: "read", path, source }),
        }
    }

    fn read(path: PathBuf, text: &str, lock: Flock<Handle>) -> Result<Self, StoreError> {
        let corrupt = |path: &Path, why: String| StoreError::Corrupt { path: path.to_owned(), why };
        let file: File = toml::from_str(text).map_err(|e| corrupt(&path, e.message().to_owned()))?;
        let identity = Identity::from_hex(&file.secret).map_err(|e| corrupt(&path, e.to_string()))?;
        Ok(Self { path, identity, hubs: file.hubs, _lock: lock })
    }

    /// Who this speaker is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The hubs it is paired with.
    pub fn hubs(&self) -> &[Pairing] {
        &self.hubs
    }

    /// Remembers a pairing; one with the same hub is replaced.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn add(&mut self, pairing: Pairing) -> Result<(), StoreError> {
        self.hubs.retain(|hub| hub.peer != pairing.peer);
        self.hubs.push(pairing);
        let surplus = self.hubs.len().saturating_sub(MAX_HUBS);
        self.hubs.drain(..surplus);
        self.save()
    }

    /// Writes beside, syncs, renames: a loss of power leaves the old file or the new one.
    fn save(&self) -> Result<(), StoreError> {
        let file = File { secret: self.identity.to_hex(), hubs: self.hubs.clone() };
        let text = toml::to_string(&file)
            .map_err(|e| StoreError::Corrupt { path: self.path.clone(), why: e.to_string() })?;
        let beside = self.path.with_extension("new");
        let io = |verb| move |source| StoreError::Io { verb, path: self.path.clone(), source };
        let mut out = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)
            .map_err(io("write"))?;
        out.write_all(text.as_bytes()).and_then(|()| out.sync_all()).map_err(io("write"))?;
        std::fs::rename(&beside, &self.path).map_err(io("replace"))
    }
}

/// The lock lies beside the file, which is replaced whole; it goes with the process, however that ends.
fn lock(path: &Path, name: &str) -> Result<Flock<Handle>, StoreError> {
    let io = |source| StoreError::Io { verb: "make", path: path.to_owned(), source };
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    Flock::lock(file.map_err(io)?, FlockArg::LockExclusiveNonblock)
        .map_err(|_| StoreError::InUse(name.to_owned()))
}

/// Names may hold anything; a file name holds letters, digits and a few signs. Two names that
/// fold to the same file differ by the hash.
fn file_name(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).take(40).collect();
    // FNV-1a, 32 bit: tells apart the few names of one machine.
    let hash = name.bytes().fold(0x811c_9dc5_u32, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
    format!("speaker-{plain}-{hash:08x}.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairing(n: u8) -> Pairing {
        Pairing { peer: Identity::from_secret([n; 32]).public(), psk: [n; 32], name: format!("hub {n}") }
    }

    #[test]
    fn an_identity_and_its_pairings_survive_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = SpeakerStore::open(dir.path(), "kitchen", [7; 32]).unwrap();
        store.add(pairing(1)).unwrap();
        store.add(pairing(2)).unwrap();
        store.add(pairing(1)).unwrap();
        drop(store);
        let again = SpeakerStore::open(dir.path(), "kitchen", [9; 32]).unwrap();
        assert_eq!(again.identity().to_hex(), Identity::from_secret([7; 32]).to_hex());
        assert_eq!(again.hubs().iter().map(|h| h.psk[0]).collect::<Vec<_>>(), [2, 1]);
    }

    #[test]
    fn one_identity_is_one_process() {
        let dir = tempfile::tempdir().unwrap();
        let first = SpeakerStore::open(dir.path(), "desk", [1; 32]).unwrap();
        let said = SpeakerStore::open(dir.path(), "desk", [1; 32]).unwrap_err().to_string();
        assert!(said.contains("\"desk\"") && said.contains("--name"), "{said}");
        SpeakerStore::open(dir.path(), "shelf", [1; 32]).unwrap();
        drop(first);
        SpeakerStore::open(dir.path(), "desk", [1; 32]).unwrap();
    }

    #[test]
    fn two_names_have_two_identities_even_when_they_look_alike_as_files() {
        let dir = tempfile::tempdir().unwrap();
        let a = SpeakerStore::open(dir.path(), "a/b", [1; 32]).unwrap();
        let b = SpeakerStore::open(dir.path(), "a_b", [2; 32]).unwrap();
        assert_ne!(a.identity().to_hex(), b.identity().to_hex());
    }

    #[test]
    fn a_damaged_file_is_named_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(file_name("x"));
        std::fs::write(&path, "secret = \"beef\"").unwrap();
        let said = SpeakerStore::open(dir.path(), "x", [1; 32]).unwrap_err().to_string();
        assert!(said.contains(path.to_str().unwrap()), "{said}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "secret = \"beef\"");
    }

    #[test]
    fn the_file_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        SpeakerStore::open(dir.path(), "x", [1; 32]).unwrap();
        let mode = std::fs::metadata(dir.path().join(file_name("x"))).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }
}
