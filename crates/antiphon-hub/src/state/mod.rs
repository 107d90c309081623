//! What outlives the hub's process: its key, whom it is paired with, how each speaker is set.
//!
//! Two files in the state directory: `hub.key` (the private key, 64 hex digits) and `hub.toml`
//! (pairings with their secrets, settings, calibrations). Both are readable by their owner only, are replaced
//! whole or not at all, and are never written over when they do not read.

pub mod files;

mod calibration;

mod record;

mod join_codes;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use antiphon_base::SpeakerId;
use antiphon_proto::session::{Identity, Pairing, PublicKey, Remembered, SpeakerSettings, Trim};
use nix::fcntl::{Flock, FlockArg};

use crate::options::HubError;
pub use calibration::{Calibration, Calibrations};
pub use join_codes::{JoinCodes, Judged, KeptCode, MAX_CODES as MAX_JOIN_CODES};
use record::Record;
pub use record::parse_id;

/// Most pairings, and most settings, that are kept: twice the speakers a hub can hold, so that
/// speakers given away do not crowd out those in use.
pub const MAX_REMEMBERED: usize = 1024;

/// The hub's memory. Cheap to share by reference; each change is on disk when the call returns.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    identity: Identity,
    record: Mutex<Record>,
    /// Held as long as the hub runs, so that two hubs never write one file.
    _lock: Flock<File>,
}

impl Store {
    /// Opens the memory in `dir`, which is made if it is not there.
    ///
    /// # Errors
    /// Another hub has it open; a file does not read (it is left as it is); the system refuses.
    pub fn open(dir: &Path) -> Result<Self, HubError> {
        files::make_private_dir(dir)?;
        let lock = lock(dir)?;
        let path = dir.join("hub.toml");
        let record = match files::read(&path)? {
            Some(text) => Record::parse(&text)
                .map_err(|why| HubError::Damaged { path: path.clone(), why: why.to_string() })?,
            None => Record::default(),
        };
        Ok(Self { identity: identity(&dir.join("hub.key"))?, path, record: Mutex::new(record), _lock: lock })
    }

    /// The hub's key pair.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The pairing with the speaker whose public key this is.
    pub fn pairing(&self, peer: &PublicKey) -> Option<Pairing> {
        self.record().pairings.iter().find(|pairing| pairing.peer == *peer).cloned()
    }

    /// Whether a paired speaker, connected or not, is called `name`.
    pub fn is_paired_name(&self, name: &str) -> bool {
        self.record().pairings.iter().any(|pairing| pairing.name == name)
    }

    /// How a speaker was last set.
    pub fn settings(&self, id: SpeakerId) -> Option<SpeakerSettings> {
        self.record().settings.get(&id).map(|(_, settings)| settings.clone())
    }

    /// Remembers a pairing; one with the same key is replaced.
    ///
    /// # Errors
    /// The file cannot be written; the pairing is then not remembered.
    pub fn pair(&self, pairing: Pairing) -> Result<(), HubError> {
        self.change(|record| {
            record.pairings.retain(|old| old.peer != pairing.peer);
            record.pairings.push(pairing);
            let excess = record.pairings.len().saturating_sub(MAX_REMEMBERED);
            record.pairings.drain(..excess);
        })
    }

    /// Remembers how a speaker is set.
    ///
    /// # Errors
    /// The file cannot be written; the setting is then forgotten at the hub's end.
    pub fn set(&self, id: SpeakerId, name: &str, settings: SpeakerSettings) -> Result<(), HubError> {
        self.change(|record| {
            if record.settings.len() >= MAX_REMEMBERED && !record.settings.contains_key(&id) {
                record.settings.pop_first();
            }
            record.settings.insert(id, (name.to_owned(), settings));
        })
    }

    /// What is remembered of a speaker that joins.
    pub fn remembered(&self, id: SpeakerId) -> Remembered {
        Remembered { settings: self.settings(id), trim: self.trim(id) }
    }

    /// What a speaker's calibration adds to its settings; nothing without one.
    pub fn trim(&self, id: SpeakerId) -> Trim {
        self.record().calibrations.get(&id).map_or(Trim::default(), |kept| kept.in_force().trim())
    }

    /// Every speaker that is calibrated, by identity.
    pub fn calibrations(&self) -> Vec<(SpeakerId, Calibrations)> {
        self.record().calibrations.iter().map(|(id, kept)| (*id, kept.clone())).collect()
    }

    /// Puts calibrations in force, all or none; see [`Calibrations::add`] for `refine`.
    ///
    /// # Errors
    /// The file cannot be written; nothing has changed then.
    pub fn calibrate(&self, new: Vec<NewCalibration>, refine: bool) -> Result<(), HubError> {
        self.change(|record| new.into_iter().for_each(|new| record.calibrate(new, refine)))
    }

    /// Brings the previous calibrations of these speakers back, where there are any.
    ///
    /// # Errors
    /// The file cannot be written; nothing has changed then.
    pub fn undo_calibration(&self, ids: &[SpeakerId]) -> Result<(), HubError> {
        self.change(|record| {
            for id in ids {
                if let Some(earlier) = record.calibrations.remove(id).and_then(Calibrations::undone) {
                    record.calibrations.insert(*id, earlier);
                }
            }
        })
    }

    fn change(&self, edit: impl FnOnce(&mut Record)) -> Result<(), HubError> {
        let mut record = self.record();
        let mut changed = record.clone();
        edit(&mut changed);
        if changed == *record {
            return Ok(());
        }
        files::replace(&self.path, changed.to_text().as_bytes())?;
        *record = changed;
        Ok(())
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        // A panic elsewhere cannot leave it half-changed: it is replaced in one assignment.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A calibration, and whom it is for.
#[derive(Debug, Clone, PartialEq)]
pub struct NewCalibration {
    /// The speaker.
    pub id: SpeakerId,
    /// Its name.
    pub name: String,
    /// What was measured.
    pub calibration: Calibration,
}

/// Sorted by identity, so that the file changes only where a setting does.
pub(crate) type Settings = BTreeMap<SpeakerId, (String, SpeakerSettings)>;

fn lock(dir: &Path) -> Result<Flock<File>, HubError> {
    let path = dir.join("hub.lock");
    let file = File::create(&path).map_err(|source| HubError::File { what: "create", path, source })?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|_| HubError::AlreadyRunning(dir.to_owned()))
}

fn identity(path: &Path) -> Result<Identity, HubError> {
    if let Some(text) = files::read(path)? {
        let damaged = || HubError::Damaged { path: path.to_owned(), why: "it is not 64 hex digits".into() };
        return Identity::from_hex(text.trim()).map_err(|_| damaged());
    }
    let identity = Identity::from_secret(random_bytes()?);
    files::replace(path, format!("{}\n", identity.to_hex()).as_bytes())?;
    Ok(identity)
}

/// Bytes that nobody can guess.
///
/// # Errors
/// The system has no randomness to give.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], HubError> {
    let mut bytes = [0; N];
    let filled = getrandom::fill(&mut bytes);
    filled.map_err(|error| HubError::System(std::io::Error::other(error.to_string())))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairing(n: u8) -> Pairing {
        Pairing { peer: Identity::from_secret([n; 32]).public(), psk: [n; 32], name: format!("s{n}") }
    }

    #[test]
    fn what_was_remembered_is_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let (id, settings) = (SpeakerId([4; 16]), SpeakerSettings { gain_db: -3.0, ..Default::default() });
        let public = {
            let store = Store::open(dir.path()).unwrap();
            store.pair(pairing(1)).unwrap();
            store.set(id, "desk", settings.clone()).unwrap();
            store.identity().public()
        };
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.identity().public(), public);
        assert_eq!(store.settings(id), Some(settings));
        assert_eq!(store.pairing(&pairing(1).peer), Some(pairing(1)));
        assert_eq!(store.pairing(&pairing(2).peer), None);
    }

    #[test]
    fn calibrations_are_there_after_a_restart_and_so_is_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let id = SpeakerId([4; 16]);
        let new =
            |delay| NewCalibration { id, name: "desk".into(), calibration: calibration::tests::of(delay) };
        {
            let store = Store::open(dir.path()).unwrap();
            assert_eq!(store.trim(id), Trim::default());
            store.calibrate(vec![new(1_000)], false).unwrap();
            store.calibrate(vec![new(2_000)], false).unwrap();
        }
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.trim(id), Trim { delay_us: 2_000, gain_db: -1.5 });
        store.undo_calibration(&[id]).unwrap();
        assert_eq!(store.trim(id).delay_us, 1_000);
        store.undo_calibration(&[id]).unwrap();
        assert_eq!((store.trim(id), store.calibrations()), (Trim::default(), vec![]));
    }

    #[test]
    fn a_second_hub_in_the_same_directory_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let _first = Store::open(dir.path()).unwrap();
        assert!(matches!(Store::open(dir.path()), Err(HubError::AlreadyRunning(_))));
    }

    #[test]
    fn a_damaged_file_is_named_and_left_as_it_is() {
        for (file, text) in [("hub.toml", "version = 1\n[[paired]\n"), ("hub.key", "not a key")] {
            let dir = tempfile::tempdir().unwrap();
            std::fs::write(dir.path().join(file), text).unwrap();
            let said = Store::open(dir.path()).unwrap_err().to_string();
            assert!(said.contains(file) && said.contains("move it away"), "{said}");
            assert_eq!(std::fs::read_to_string(dir.path().join(file)).unwrap(), text);
        }
    }

    #[test]
    fn pairings_are_bounded_and_the_oldest_goes() {
        let old = |n: usize| Pairing { psk: [0; 32], name: n.to_string(), ..pairing(1) };
        let record = Record { pairings: (0..MAX_REMEMBERED).map(old).collect(), ..Record::default() };
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        *store.record() = record;
        store.pair(pairing(2)).unwrap();
        let record = store.record();
        // All the others share one key, so only the newest of them could have been replaced by it.
        assert_eq!(record.pairings.len(), MAX_REMEMBERED);
        assert_eq!(record.pairings.last(), Some(&pairing(2)));
    }
}
