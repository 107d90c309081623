//! The text of `hub.toml`.

use std::collections::BTreeMap;

use antiphon_api::{AccessRole, Group};
use antiphon_base::SpeakerId;
use antiphon_proto::session::{Pairing, SpeakerSettings};
use serde::{Deserialize, Serialize};

use super::{Calibration, Calibrations, MAX_REMEMBERED, NewCalibration, Settings};

/// The layout that this program writes. It also reads version 1, which had no calibrations, 2, whose
/// calibrations knew no links, 3, which knew no groups, let in speakers only, and had no end mark, and 4, which knew no latency and
/// called speakers as they called themselves.
const VERSION: u32 = 5;

/// The first version that ends with [`END`].
const ENDS_SINCE: u32 = 4;

/// The last line: a file without it was cut off, though what is left of it may well be TOML.
pub const END: &str = "# This is the end of the file.";

/// What the hub remembers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Record {
    /// In the order in which they were made.
    pub pairings: Vec<Pairing>,
    /// By identity.
    pub settings: Settings,
    /// By identity.
    pub calibrations: BTreeMap<SpeakerId, Calibrations>,
    /// Browsers and machines that were let in, in this order.
    pub access: Vec<Access>,
    /// By name.
    pub groups: BTreeMap<String, Group>,
    /// The target latency that somebody has set.
    pub latency_us: Option<i64>,
    /// What speakers are called here, by identity; the others are called as they call themselves.
    pub names: BTreeMap<SpeakerId, String>,
}

/// A browser or machine that was let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// To revoke it by.
    pub id: String,
    /// As it called itself.
    pub name: String,
    /// What it may do.
    pub role: AccessRole,
    /// Seconds since 1970 (UTC).
    pub since: u64,
    /// Of its token, which is kept nowhere: 64 hex digits.
    pub token_sha256: String,
}

/// Why a text is no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not TOML, or not of this shape; says where.
    #[error("{}", .0.to_string().trim().replace('\n', " "))]
    Shape(#[from] toml::de::Error),
    /// Written by a newer program.
    #[error("it is of version {0}, and this program knows version {VERSION}: update the program")]
    Version(u32),
    /// It does not end as a file of its version ends.
    #[error("it is cut off")]
    CutOff,
    /// An identity is not 32 hex digits.
    #[error("{0:?} is no speaker identity")]
    Identity(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    latency_us: Option<i64>,
    #[serde(default)]
    paired: Vec<Pairing>,
    #[serde(default)]
    speaker: Vec<SpeakerText>,
    #[serde(default)]
    calibrated: Vec<CalibratedText>,
    #[serde(default)]
    access: Vec<Access>,
    #[serde(default)]
    group: Vec<Group>,
    #[serde(default)]
    named: Vec<NamedText>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NamedText {
    id: String,
    name: String,
}

#[derive(Serialize, Deserialize)]
struct SpeakerText {
    id: String,
    name: String,
    #[serde(flatten)]
    settings: SpeakerSettings,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CalibratedText {
    id: String,
    name: String,
    /// Oldest first; the last is in force.
    calibration: Vec<Calibration>,
}

impl Record {
    /// Puts the calibrations of one measurement in force. They take the place of those in force where `refine` says so or
    /// where all correct as before: a check of them. Otherwise each is kept behind its new one, also where that one corrects
    /// alike: what is undone later is the measurement, for all of its speakers.
    pub fn calibrate(&mut self, new: Vec<NewCalibration>, refine: bool) {
        let is_alike = |new: &NewCalibration| {
            let kept = self.calibrations.get(&new.id);
            kept.is_some_and(|kept| new.calibration.corrects_as(kept.in_force()))
        };
        let replace = refine || new.iter().all(is_alike);
        new.into_iter().for_each(|new| self.put(new, replace));
    }

    fn put(&mut self, new: NewCalibration, replace: bool) {
        let NewCalibration { id, name, calibration } = new;
        if let Some(kept) = self.calibrations.get_mut(&id) {
            kept.add(calibration, replace);
            kept.name = name;
        } else if let Some(first) = Calibrations::from_chain(name, vec![calibration]) {
            if self.calibrations.len() >= MAX_REMEMBERED {
                self.calibrations.pop_first();
            }
            self.calibrations.insert(id, first);
        }
    }

    /// Calls a speaker `new`, also in what is kept under the name `old`.
    pub fn rename(&mut self, id: SpeakerId, old: &str, new: &str) {
        if self.names.len() >= MAX_REMEMBERED && !self.names.contains_key(&id) {
            self.names.pop_first();
        }
        self.names.insert(id, new.to_owned());
        if let Some((name, _)) = self.settings.get_mut(&id) {
            new.clone_into(name);
        }
        if let Some(calibrations) = self.calibrations.get_mut(&id) {
            new.clone_into(&mut calibrations.name);
        }
        let members = self.groups.values_mut().flat_map(|group| &mut group.members);
        members.filter(|member| member.speaker == old).for_each(|member| new.clone_into(&mut member.speaker));
    }

    /// Reads a record.
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        let whole = text.trim_end().ends_with(END);
        let text: Text = toml::from_str(text)?;
        if !(1..=VERSION).contains(&text.version) {
            return Err(RecordError::Version(text.version));
        }
        if text.version >= ENDS_SINCE && !whole {
            return Err(RecordError::CutOff);
        }
        let mut settings = BTreeMap::new();
        for speaker in text.speaker {
            let id = parse_id(&speaker.id).ok_or(RecordError::Identity(speaker.id))?;
            settings.insert(id, (speaker.name, speaker.settings.held_in_limits()));
        }
        let mut calibrations = BTreeMap::new();
        for speaker in text.calibrated {
            let id = parse_id(&speaker.id).ok_or(RecordError::Identity(speaker.id))?;
            calibrations
                .extend(Calibrations::from_chain(speaker.name, speaker.calibration).map(|kept| (id, kept)));
        }
        let groups = text.group.into_iter().map(|group| (group.name.clone(), group)).collect();
        let named = |named: NamedText| {
            parse_id(&named.id).map(|id| (id, named.name)).ok_or(RecordError::Identity(named.id))
        };
        let names = text.named.into_iter().map(named).collect::<Result<_, _>>()?;
        let (pairings, access, latency_us) = (text.paired, text.access, text.latency_us);
        Ok(Self { pairings, settings, calibrations, access, groups, latency_us, names })
    }

    /// The record as text.
    pub fn to_text(&self) -> String {
        let speaker = |(id, (name, settings)): (&SpeakerId, &(String, SpeakerSettings))| SpeakerText {
            id: id.to_string(),
            name: name.clone(),
            settings: settings.clone(),
        };
        let speaker = self.settings.iter().map(speaker).collect();
        let calibrated = |(id, kept): (&SpeakerId, &Calibrations)| CalibratedText {
            id: id.to_string(),
            name: kept.name.clone(),
            calibration: kept.chain().to_vec(),
        };
        let calibrated = self.calibrations.iter().map(calibrated).collect();
        let text = Text {
            version: VERSION,
            latency_us: self.latency_us,
            paired: self.pairings.clone(),
            speaker,
            calibrated,
            access: self.access.clone(),
            group: self.groups.values().cloned().collect(),
            named: self
                .names
                .iter()
                .map(|(id, name)| NamedText { id: id.to_string(), name: name.clone() })
                .collect(),
        };
        // Strings, numbers and tables of them only: TOML has a form for each.
        let text = toml::to_string(&text).expect("a record always has a text");
        format!("{text}\n{END}\n")
    }
}

/// A speaker's identity from its 32 hex digits.
pub fn parse_id(text: &str) -> Option<SpeakerId> {
    if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(|id| SpeakerId(id.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use antiphon_api::{GroupKind, GroupMember};
    use antiphon_base::Role;
    use antiphon_proto::session::Identity;

    use super::super::calibration::tests::of as calibration;
    use super::*;

    fn calibrations() -> Calibrations {
        Calibrations::from_chain("desk".into(), [137_000, 137_250].map(calibration).to_vec()).unwrap()
    }

    fn record() -> Record {
        let peer = Identity::from_secret([3; 32]).public();
        let settings =
            SpeakerSettings { role: Role::Channel(3), gain_db: -6.5, delay_us: -250, ..Default::default() };
        Record {
            pairings: vec![Pairing { peer, psk: [9; 32], name: "K\u{fc}che \"2\"".into() }],
            settings: [(SpeakerId([7; 16]), ("desk".into(), settings))].into(),
            calibrations: [(SpeakerId([7; 16]), calibrations())].into(),
            access: vec![Access {
                id: "3f0a".into(),
                name: "Anna's phone".into(),
                role: AccessRole::Control,
                since: 1_800_000_000,
                token_sha256: "ab".repeat(32),
            }],
            groups: [("den".to_owned(), den())].into(),
            latency_us: Some(120_000),
            names: [(SpeakerId([8; 16]), "shelf".to_owned())].into(),
        }
    }

    fn den() -> Group {
        let members = [("desk", Role::Left), ("tv", Role::Right)];
        let member = |(speaker, role): (&str, Role)| GroupMember { speaker: speaker.into(), role };
        Group { name: "den".into(), kind: GroupKind::Stereo, members: members.map(member).into() }
    }

    #[test]
    fn a_record_that_is_cut_off_anywhere_is_no_record() {
        let text = record().to_text();
        for cut in 0..text.len() - 1 {
            let Ok(rest) = std::str::from_utf8(&text.as_bytes()[..cut]) else { continue };
            assert!(Record::parse(rest).is_err(), "at {cut}: {rest}");
        }
    }

    #[test]
    fn a_record_survives_its_text() {
        let text = record().to_text();
        assert_eq!(Record::parse(&text).unwrap(), record(), "{text}");
        assert_eq!(Record::parse(&Record::default().to_text()).unwrap(), Record::default());
    }

    #[test]
    fn a_file_of_before_calibrations_is_read() {
        let old =
            record().to_text().replace("version = 5", "version = 1").replace("latency_us = 120000\n", "");
        let old = &old[..old.find("[[calibrated]]").unwrap()];
        let read = Record::parse(old).unwrap();
        let since = Record { pairings: record().pairings, settings: record().settings, ..Record::default() };
        assert_eq!(read, since);
        assert!(Record::parse("version = 0").is_err());
    }

    #[test]
    fn a_damaged_record_says_where_it_is_damaged() {
        let text = record().to_text().replace("gain_db = -6.5", "gain_db = loud");
        let said = Record::parse(&text).unwrap_err().to_string();
        assert!(said.contains("line"), "{said}");
        assert!(Record::parse("version = 6").unwrap_err().to_string().contains("version 6"));
    }

    #[test]
    fn an_identity_that_is_none_is_refused() {
        let text = record().to_text().replace(&"07".repeat(16), "seven");
        assert!(matches!(Record::parse(&text), Err(RecordError::Identity(id)) if id == "seven"));
    }
}
