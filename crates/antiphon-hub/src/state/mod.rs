//! What outlives the hub's process: its key, whom it is paired with, how each speaker is set and called.
//!
//! Two files in the state directory: `hub.key` (the private key, 64 hex digits) and `hub.toml`
//! (pairings with their secrets, settings, calibrations, groups, who was let in). Both are readable by their
//! owner only, are replaced whole or not at all, and have a copy beside them (`hub.toml.copy`): a file that is
//! damaged is moved aside and its copy taken; without a copy it is never written over.

pub mod files;

mod calibration;

mod record;

mod join_codes;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use antiphon_api::Group;
use antiphon_base::{Span, SpeakerId};
use antiphon_proto::session::{Identity, Pairing, PublicKey, Remembered, SpeakerSettings, Trim};
use nix::fcntl::{Flock, FlockArg};

use crate::options::HubError;
pub use calibration::{Calibration, Calibrations};
pub use join_codes::{JoinCodes, Judged, KeptCode, MAX_CODES as MAX_JOIN_CODES};
use record::Record;
pub use record::{Access, parse_id};

/// Most pairings, and most settings, that are kept: twice the speakers a hub can hold, so that
/// speakers given away do not crowd out those in use.
pub const MAX_REMEMBERED: usize = 1024;

/// Most browsers and machines that are let in at once: a large household, several browsers each.
pub const MAX_ACCESS: usize = 128;

/// Most groups: more than anybody finds in a list.
pub const MAX_GROUPS: usize = 64;

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
        let record = files::load(&path, |text| Record::parse(text).map_err(|why| why.to_string()))?;
        let record = record.unwrap_or_default();
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

    /// Whether another speaker than `id`, connected or not, was given this name here, or is paired and has it.
    pub fn is_name_of_another(&self, id: SpeakerId, name: &str) -> bool {
        let record = self.record();
        let named = record.names.iter().any(|(other, given)| *other != id && given == name);
        let is_paired = |pairing: &Pairing| {
            let other = pairing.peer.speaker_id();
            other != id && pairing.name == name && !record.names.contains_key(&other)
        };
        named || record.pairings.iter().any(is_paired)
    }

    /// Calls a speaker `new` from now on, also in what is kept under the name `old`.
    ///
    /// # Errors
    /// The file cannot be written; nothing has changed then.
    pub fn rename(&self, id: SpeakerId, old: &str, new: &str) -> Result<(), HubError> {
        self.change(|record| record.rename(id, old, new))
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

    /// Remembers how speakers are set.
    ///
    /// # Errors
    /// The file cannot be written; the settings are then forgotten at the hub's end.
    pub fn set_all(
        &self,
        changes: impl IntoIterator<Item = (SpeakerId, String, SpeakerSettings)>,
    ) -> Result<(), HubError> {
        self.change(|record| {
            for (id, name, settings) in changes {
                if record.settings.len() >= MAX_REMEMBERED && !record.settings.contains_key(&id) {
                    record.settings.pop_first();
                }
                record.settings.insert(id, (name, settings));
            }
        })
    }

    /// What is remembered of a speaker that joins.
    pub fn remembered(&self, id: SpeakerId) -> Remembered {
        let name = self.record().names.get(&id).cloned();
        Remembered { settings: self.settings(id), trim: self.trim(id), name }
    }

    /// What a speaker's calibration adds to its settings; nothing without one.
    pub fn trim(&self, id: SpeakerId) -> Trim {
        self.record().calibrations.get(&id).map_or(Trim::default(), |kept| kept.in_force().trim())
    }

    /// Every speaker that is calibrated, by identity.
    pub fn calibrations(&self) -> Vec<(SpeakerId, Calibrations)> {
        self.record().calibrations.iter().map(|(id, kept)| (*id, kept.clone())).collect()
    }

    /// Puts calibrations in force, all or none; see [`Record::calibrate`] for `refine`.
    ///
    /// # Errors
    /// The file cannot be written; nothing has changed then.
    pub fn calibrate(&self, new: Vec<NewCalibration>, refine: bool) -> Result<(), HubError> {
        self.change(|record| record.calibrate(new, refine))
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

    /// The target latency that somebody has set.
    pub fn latency(&self) -> Option<Span> {
        self.record().latency_us.map(Span::from_us)
    }

    /// Remembers the target latency.
    ///
    /// # Errors
    /// The file cannot be written; it is forgotten at the hub's end then.
    pub fn set_latency(&self, latency: Span) -> Result<(), HubError> {
        self.change(|record| record.latency_us = Some(latency.as_ns() / 1_000))
    }

    /// Everybody who was let in, the longest first.
    pub fn access(&self) -> Vec<Access> {
        self.record().access.clone()
    }

    /// Who has the token of this hash.
    pub fn access_by_token(&self, token_sha256: &str) -> Option<Access> {
        self.record().access.iter().find(|access| access.token_sha256 == token_sha256).cloned()
    }

    /// Whether somebody is still let in.
    pub fn has_access(&self, id: &str) -> bool {
        self.record().access.iter().any(|access| access.id == id)
    }

    /// Lets somebody in. Beyond [`MAX_ACCESS`] those who were let in the longest ago are thrown out: their ids.
    ///
    /// # Errors
    /// The file cannot be written; nobody was let in then.
    pub fn let_in(&self, access: Access) -> Result<Vec<String>, HubError> {
        let mut gone = Vec::new();
        self.change(|record| {
            record.access.push(access);
            let excess = record.access.len().saturating_sub(MAX_ACCESS);
            gone = record.access.drain(..excess).map(|access| access.id).collect();
        })?;
        Ok(gone)
    }

    /// Throws somebody out; `false` where nobody has this id.
    ///
    /// # Errors
    /// The file cannot be written; nothing has changed then.
    pub fn throw_out(&self, id: &str) -> Result<bool, HubError> {
        let mut found = false;
        self.change(|record| {
            let before = record.access.len();
            record.access.retain(|access| access.id != id);
            found = record.access.len() < before;
        })?;
        Ok(found)
    }

    /// Every group, by name.
    pub fn groups(&self) -> Vec<Group> {
        self.record().groups.values().cloned().collect()
    }

    /// Keeps a group; one of the same name is replaced.
    ///
    /// # Errors
    /// There are [`MAX_GROUPS`] others (`Ok(false)`), or the file cannot be written.
    pub fn put_group(&self, group: Group) -> Result<bool, HubError> {
        let mut room = true;
        self.change(|record| {
            room = record.groups.len() < MAX_GROUPS || record.groups.contains_key(&group.name);
            if room {
                record.groups.insert(group.name.clone(), group);
            }
        })?;
        Ok(room)
    }

    /// Forgets a group; `false` where none has this name.
    ///
    /// # Errors
    /// The file cannot be written; nothing has changed then.
    pub fn remove_group(&self, name: &str) -> Result<bool, HubError> {
        let mut found = false;
        self.change(|record| found = record.groups.remove(name).is_some())?;
        Ok(found)
    }

    fn change(&self, edit: impl FnOnce(&mut Record)) -> Result<(), HubError> {
        let mut record = self.record();
        let mut changed = record.clone();
        edit(&mut changed);
        if changed == *record {
            return Ok(());
        }
        files::keep(&self.path, changed.to_text().as_bytes())?;
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
    let parse =
        |text: &str| Identity::from_hex(text.trim()).map_err(|_| "it is not 64 hex digits".to_owned());
    if let Some(identity) = files::load(path, parse)? {
        return Ok(identity);
    }
    let identity = Identity::from_secret(random_bytes()?);
    files::keep(path, format!("{}\n", identity.to_hex()).as_bytes())?;
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
            store.set_all([(id, "desk".into(), settings.clone())]).unwrap();
            store.identity().public()
        };
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.identity().public(), public);
        assert_eq!(store.settings(id), Some(settings));
        assert_eq!(store.pairing(&pairing(1).peer), Some(pairing(1)));
        assert_eq!(store.pairing(&pairing(2).peer), None);
    }

    #[test]
    fn the_latency_that_was_set_is_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Store::open(dir.path()).unwrap().latency(), None);
        Store::open(dir.path()).unwrap().set_latency(Span::from_ms(90)).unwrap();
        assert_eq!(Store::open(dir.path()).unwrap().latency(), Some(Span::from_ms(90)));
    }

    #[test]
    fn a_name_that_was_given_here_is_there_after_a_restart_and_in_all_that_was_kept_under_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let (id, other) = (SpeakerId([4; 16]), SpeakerId([5; 16]));
        {
            let store = Store::open(dir.path()).unwrap();
            store.set_all([(id, "desk".into(), SpeakerSettings::default())]).unwrap();
            store
                .calibrate(
                    vec![NewCalibration { id, name: "desk".into(), calibration: calibration::tests::of(1) }],
                    false,
                )
                .unwrap();
            let member = antiphon_api::GroupMember { speaker: "desk".into(), role: Default::default() };
            let kind = antiphon_api::GroupKind::Party;
            store.put_group(Group { name: "den".into(), kind, members: vec![member] }).unwrap();
            store.rename(id, "desk", "shelf").unwrap();
        }
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.remembered(id).name.as_deref(), Some("shelf"));
        assert_eq!(store.calibrations()[0].1.name, "shelf");
        assert_eq!(store.groups()[0].members[0].speaker, "shelf");
        assert!(store.is_name_of_another(other, "shelf") && !store.is_name_of_another(id, "shelf"));
    }

    #[test]
    fn a_paired_speaker_keeps_its_name_from_others_until_it_is_given_another() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.pair(pairing(1)).unwrap();
        let (id, guest) = (pairing(1).peer.speaker_id(), SpeakerId([5; 16]));
        assert!(store.is_name_of_another(guest, "s1") && !store.is_name_of_another(id, "s1"));
        store.rename(id, "s1", "shelf").unwrap();
        assert!(!store.is_name_of_another(guest, "s1") && store.is_name_of_another(guest, "shelf"));
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
    fn a_measurement_is_undone_for_all_of_its_speakers_and_a_check_of_it_is_no_other_one() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let ids = [SpeakerId([4; 16]), SpeakerId([5; 16])];
        let run = |delays: [i64; 2]| {
            let name = "desk".to_owned();
            let of = |n: usize| NewCalibration {
                id: ids[n],
                name: name.clone(),
                calibration: calibration::tests::of(delays[n]),
            };
            store.calibrate(vec![of(0), of(1)], false).unwrap();
        };
        run([5_000, 0]);
        // The left speaker corrects as before.
        run([5_000, 2_000]);
        run([5_000, 2_000]);
        let trims = || ids.map(|id| store.trim(id).delay_us);
        assert_eq!(trims(), [5_000, 2_000]);
        store.undo_calibration(&ids).unwrap();
        assert_eq!(trims(), [5_000, 0]);
        store.undo_calibration(&ids).unwrap();
        assert_eq!(store.calibrations(), vec![]);
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
    fn a_file_cut_off_at_any_byte_is_replaced_by_its_copy_and_kept_aside() {
        let dir = tempfile::tempdir().unwrap();
        let id = SpeakerId([4; 16]);
        let public = {
            let store = Store::open(dir.path()).unwrap();
            store.pair(pairing(1)).unwrap();
            store
                .set_all([(id, "desk".into(), SpeakerSettings { gain_db: -3.0, ..Default::default() })])
                .unwrap();
            store.identity().public()
        };
        for name in ["hub.toml", "hub.key"] {
            let path = dir.path().join(name);
            let whole = std::fs::read(&path).unwrap();
            for cut in 0..whole.len() - 1 {
                std::fs::write(&path, &whole[..cut]).unwrap();
                let store = Store::open(dir.path()).unwrap();
                assert_eq!(store.identity().public(), public, "{name} cut at {cut}");
                assert_eq!(
                    store.settings(id).map(|settings| settings.gain_db),
                    Some(-3.0),
                    "{name} cut at {cut}"
                );
                assert_eq!(store.pairing(&pairing(1).peer), Some(pairing(1)));
                assert_eq!(std::fs::read(&path).unwrap(), whole);
                let aside = std::fs::read(dir.path().join(format!("{name}.damaged"))).unwrap();
                assert_eq!(aside, whole[..cut]);
            }
        }
    }

    #[test]
    fn where_file_and_copy_are_damaged_the_hub_says_so_and_touches_neither() {
        let dir = tempfile::tempdir().unwrap();
        Store::open(dir.path()).unwrap().pair(pairing(1)).unwrap();
        for name in ["hub.toml", "hub.toml.copy"] {
            std::fs::write(dir.path().join(name), "version = 5\n").unwrap();
        }
        let said = Store::open(dir.path()).unwrap_err().to_string();
        assert!(said.contains("hub.toml is damaged (it is cut off)"), "{said}");
        assert_eq!(std::fs::read_to_string(dir.path().join("hub.toml")).unwrap(), "version = 5\n");
    }

    #[test]
    fn who_was_thrown_out_is_not_let_in_again_and_the_list_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let access = |n: usize| Access {
            id: n.to_string(),
            name: format!("phone {n}"),
            role: antiphon_api::AccessRole::Listen,
            since: 0,
            token_sha256: format!("{n:064x}"),
        };
        {
            let store = Store::open(dir.path()).unwrap();
            store.let_in(access(1)).unwrap();
            store.let_in(access(2)).unwrap();
            assert!(store.throw_out("1").unwrap() && !store.throw_out("1").unwrap());
        }
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.access(), [access(2)]);
        assert_eq!(store.access_by_token(&access(1).token_sha256), None);
        store.record().access = (0..MAX_ACCESS).map(access).collect();
        assert_eq!(store.let_in(access(MAX_ACCESS)).unwrap(), ["0"], "who was let in first has to go");
        assert_eq!((store.access().len(), store.access()[0].id.as_str()), (MAX_ACCESS, "1"));
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
