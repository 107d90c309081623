//! Speakers that belong together, by name: `bluetooth.toml` in the state directory.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use antiphon_base::Role;
use antiphon_bluetooth::{Address, Member};
use antiphon_proto::session::message::{is_name, role_text};
use serde::{Deserialize, Serialize};

use crate::output::channels_of;

/// The layout that this program writes and reads.
const VERSION: u32 = 1;

/// Most pairs, and most speakers of one: a house of them. One adapter carries seven links.
const MOST: usize = 32;

/// One speaker of a pair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairMember {
    /// Its Bluetooth address.
    #[serde(with = "address_text")]
    pub address: Address,
    /// Its name as a speaker of the hub.
    pub speaker: String,
    /// What it plays.
    #[serde(with = "role_text")]
    pub role: Role,
}

/// Speakers with a common name: two, or more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// What people call them.
    pub name: String,
    /// Each once.
    pub member: Vec<PairMember>,
}

/// All that are saved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pairs {
    pairs: Vec<Pair>,
}

/// Why pairs cannot be read or saved.
#[derive(Debug, thiserror::Error)]
pub enum PairsError {
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
    /// It is left as it is.
    #[error(
        "{path} does not read as saved Bluetooth speakers ({why}); mend it, or move it away and run `antiphon pair` again"
    )]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A pair that makes no sense.
    #[error("{0}")]
    Senseless(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    #[serde(default)]
    pair: Vec<Pair>,
}

impl Pair {
    /// What makes no sense: a name that is none, nobody in it, or somebody twice.
    ///
    /// # Errors
    /// What, and how it is mended.
    pub fn check(&self) -> Result<(), PairsError> {
        let senseless = |why: String| Err(PairsError::Senseless(why));
        let names = self.member.iter().map(|member| &member.speaker).chain([&self.name]);
        if let Some(name) = names.into_iter().find(|name| !is_name(name)) {
            return senseless(format!("{name:?} is no name; use 1 to 63 bytes, no control characters"));
        }
        if self.member.is_empty() || self.member.len() > MOST {
            return senseless(format!("{:?} has {} speakers; use 1 to {MOST}", self.name, self.member.len()));
        }
        for (n, member) in self.member.iter().enumerate() {
            let earlier = &self.member[..n];
            if earlier.iter().any(|other| other.address == member.address || other.speaker == member.speaker)
            {
                return senseless(format!("{:?} is in {:?} twice", member.speaker, self.name));
            }
        }
        Ok(())
    }

    /// What its speakers are to Bluetooth.
    pub fn members(&self) -> Vec<Member> {
        let member = |member: &PairMember| Member {
            address: member.address,
            channels: channels_of(Some(member.role)),
        };
        self.member.iter().map(member).collect()
    }
}

impl Pairs {
    /// What is saved in `dir`; nothing where nothing was.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub fn load(dir: &Path) -> Result<Self, PairsError> {
        let path = path(dir);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(PairsError::Io { verb: "read", path, source }),
        };
        let corrupt = |why: String| PairsError::Corrupt { path: path.clone(), why };
        let file: File = toml::from_str(&text).map_err(|e| corrupt(e.message().to_owned()))?;
        if file.version != VERSION {
            return Err(corrupt(format!("it is of version {}, this program knows {VERSION}", file.version)));
        }
        for pair in &file.pair {
            pair.check().map_err(|e| corrupt(e.to_string()))?;
        }
        Ok(Self { pairs: file.pair })
    }

    /// Writes beside, syncs, renames: a loss of power leaves the old file or the new one.
    ///
    /// # Errors
    /// The file cannot be written; the old one is then as it was.
    pub fn save(&self, dir: &Path) -> Result<(), PairsError> {
        let path = path(dir);
        let io = |verb| {
            let path = path.clone();
            move |source| PairsError::Io { verb, path, source }
        };
        std::fs::create_dir_all(dir).map_err(io("make"))?;
        let file = File { version: VERSION, pair: self.pairs.clone() };
        let text = toml::to_string(&file)
            .map_err(|e| PairsError::Corrupt { path: path.clone(), why: e.to_string() })?;
        let beside = path.with_extension("new");
        let open =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside);
        let mut out = open.map_err(io("write"))?;
        out.write_all(text.as_bytes()).and_then(|()| out.sync_all()).map_err(io("write"))?;
        std::fs::rename(&beside, &path).map_err(io("replace"))
    }

    /// All, in the order in which they were saved.
    pub fn all(&self) -> &[Pair] {
        &self.pairs
    }

    /// The pair of that name.
    pub fn get(&self, name: &str) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.name == name)
    }

    /// Adds a pair; one of the same name is replaced, and a speaker of another pair leaves it.
    ///
    /// # Errors
    /// See [`Pair::check`]; or there are too many.
    pub fn put(&mut self, pair: Pair) -> Result<(), PairsError> {
        pair.check()?;
        self.pairs.retain(|old| old.name != pair.name);
        let taken = |member: &PairMember| {
            pair.member.iter().any(|new| new.address == member.address || new.speaker == member.speaker)
        };
        self.pairs.iter_mut().for_each(|old| old.member.retain(|member| !taken(member)));
        self.pairs.retain(|old| !old.member.is_empty());
        if self.pairs.len() >= MOST {
            return Err(PairsError::Senseless(format!("{MOST} pairs are saved already; forget one first")));
        }
        self.pairs.push(pair);
        Ok(())
    }

    /// Forgets a pair; whether there was one of that name.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.pairs.len();
        self.pairs.retain(|pair| pair.name != name);
        self.pairs.len() < before
    }
}

fn path(dir: &Path) -> PathBuf {
    dir.join("bluetooth.toml")
}

mod address_text {
    use antiphon_bluetooth::Address;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(address: &Address, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(address)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Address, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(n: u8, speaker: &str, role: Role) -> PairMember {
        PairMember { address: Address([0, 0, 0, 0, 0, n]), speaker: speaker.into(), role }
    }

    fn pair(name: &str, members: &[(u8, &str)]) -> Pair {
        let roles = [Role::Left, Role::Right];
        let member = |(k, (n, speaker)): (usize, &(u8, &str))| member(*n, speaker, roles[k % 2]);
        Pair { name: name.into(), member: members.iter().enumerate().map(member).collect() }
    }

    #[test]
    fn what_was_saved_is_there_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Pairs::load(dir.path()).unwrap(), Pairs::default());
        let mut pairs = Pairs::default();
        pairs.put(pair("living room", &[(1, "desk"), (2, "shelf")])).unwrap();
        pairs.save(dir.path()).unwrap();
        let read = Pairs::load(dir.path()).unwrap();
        assert_eq!(read, pairs);
        assert_eq!(read.get("living room").unwrap().member[1].role, Role::Right);
    }

    #[test]
    fn a_speaker_is_in_one_pair_and_a_pair_is_replaced_by_its_name() {
        let mut pairs = Pairs::default();
        pairs.put(pair("a", &[(1, "desk"), (2, "shelf")])).unwrap();
        pairs.put(pair("b", &[(2, "shelf"), (3, "door")])).unwrap();
        assert_eq!(pairs.get("a").unwrap().member.len(), 1);
        pairs.put(pair("a", &[(4, "wall")])).unwrap();
        assert_eq!(pairs.all().len(), 2);
        assert!(pairs.remove("a") && !pairs.remove("a"));
    }

    #[test]
    fn nonsense_is_refused_and_a_damaged_file_named_and_left() {
        let mut pairs = Pairs::default();
        assert!(pairs.put(pair("", &[(1, "desk")])).is_err());
        assert!(pairs.put(pair("a", &[(1, "desk"), (1, "shelf")])).is_err());
        assert!(pairs.put(pair("a", &[])).is_err());
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("bluetooth.toml");
        for text in ["version = 1\n[[pair]]\nname = 3", "version = 9", "half"] {
            std::fs::write(&file, text).unwrap();
            let said = Pairs::load(dir.path()).unwrap_err().to_string();
            assert!(said.contains("bluetooth.toml") && said.contains("antiphon pair"), "{said}");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        }
    }
}
