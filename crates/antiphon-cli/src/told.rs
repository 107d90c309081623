//! What speakers have told of themselves, kept: a speaker tells its firmware while it is connected, and `check` and
//! `guide` want it on another day. `told.toml` in the state directory; nothing in it is secret.

use std::fs;
use std::path::{Path, PathBuf};

use antiphon_bluetooth::Facts;
use antiphon_catalog::{Catalogue, Named};
use serde::{Deserialize, Serialize};

use crate::bluetooth::printable;
use crate::dirs;

/// One speaker's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telling {
    /// How it was asked.
    pub by: By,
    /// Its Bluetooth address, or its number in miIO.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Its model by its own word.
    pub model: Option<String>,
    /// Its firmware by its own word.
    pub firmware: String,
    /// When, as in `2026-03-31`.
    pub date: String,
}

/// How a speaker is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// GATT.
    Bluetooth,
    /// Xiaomi's protocol over Wi-Fi.
    Miio,
}

impl By {
    /// In a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::Bluetooth => "by Bluetooth",
            Self::Miio => "over the network (miIO)",
        }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    told: Vec<Telling>,
}

/// More speakers than anybody has: the oldest go.
const MOST: usize = 64;

impl Telling {
    /// What a Bluetooth speaker says, if it says what firmware it has.
    pub fn of(facts: &Facts) -> Option<Self> {
        let firmware = facts.firmware.said()?.to_owned();
        let (id, name) = (facts.address.to_string(), crate::bluetooth::named(facts));
        Some(Self { by: By::Bluetooth, id, name, model: facts.model.clone(), firmware, date: today() })
    }

    /// The model that it is, by what it calls itself; `None`: the catalogue knows none of that name.
    pub fn model_in<'a>(&self, catalogue: &'a Catalogue) -> Option<&'a str> {
        let mut names = self.model.iter().chain(std::iter::once(&self.name));
        names.find_map(|name| model_called(catalogue, name))
    }
}

/// The one model that is meant by what a speaker calls itself.
pub fn model_called<'a>(catalogue: &'a Catalogue, name: &str) -> Option<&'a str> {
    match catalogue.find(name) {
        Named::Known(found) => Some(found.name),
        Named::Several(_) | Named::Unknown(_) => None,
    }
}

/// Today, as in `2026-03-31`, by universal time.
pub fn today() -> String {
    jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

/// The day on which a file was written, likewise.
pub fn day_of(file: &Path) -> Option<String> {
    let written = fs::metadata(file).and_then(|facts| facts.modified()).ok()?;
    Some(jiff::Timestamp::try_from(written).ok()?.to_zoned(jiff::tz::TimeZone::UTC).date().to_string())
}

/// Keeps what a Bluetooth speaker says of its firmware.
pub fn keep(facts: &Facts) {
    if let Some(telling) = Telling::of(facts) {
        keep_it(telling);
    }
}

/// Keeps it. It is worth asking again, not an error, where it cannot be kept.
pub fn keep_it(telling: Telling) {
    let mut all = kept();
    all.retain(|old| (old.by, &old.id) != (telling.by, &telling.id));
    all.insert(0, telling);
    all.truncate(MOST);
    if let Err(error) = write(all) {
        tracing::warn!("what the speaker told could not be kept: {error}");
    }
}

/// Everything that was kept, the newest first; nothing, where the file does not read.
pub fn kept() -> Vec<Telling> {
    let text = file().and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
    let read =
        toml::from_str::<File>(&text).inspect_err(|error| tracing::warn!("told.toml is of no use: {error}"));
    let mut told = read.unwrap_or_default().told;
    for one in &mut told {
        // The file may have been written by hand.
        for text in [&mut one.name, &mut one.firmware].into_iter().chain(one.model.as_mut()) {
            *text = printable(text);
        }
    }
    told
}

fn write(told: Vec<Telling>) -> std::io::Result<()> {
    let nowhere = || std::io::Error::other("this user has no home directory");
    let file = file().ok_or_else(nowhere)?;
    let text = toml::to_string(&File { told }).map_err(std::io::Error::other)?;
    let beside = file.with_extension("toml.new");
    file.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(&beside, text)?;
    fs::rename(&beside, &file)
}

fn file() -> Option<PathBuf> {
    Some(dirs::state().ok()?.join("told.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speaker_is_known_by_its_model_first_and_then_by_its_name() {
        let catalogue = Catalogue::embedded();
        let telling = |model: Option<&str>, name: &str| Telling {
            by: By::Bluetooth,
            id: "AA".into(),
            name: name.into(),
            model: model.map(str::to_owned),
            firmware: "1".into(),
            date: today(),
        };
        let of = |model, name| telling(model, name).model_in(&catalogue).map(str::to_owned);
        assert_eq!(of(Some("Mi Portable Speaker 3"), "Kitchen").as_deref(), Some("Mi Portable Speaker 3"));
        assert_eq!(of(None, "JBL Flip 6").as_deref(), Some("JBL Flip 6"));
        assert_eq!(of(Some("MDZ-99-XX"), "JBL Flip 6").as_deref(), Some("JBL Flip 6"));
        assert_eq!(of(Some("MDZ-99-XX"), "Kitchen"), None);
    }

    #[test]
    fn today_has_the_shape_that_the_catalogue_wants() {
        let shape: String = today().chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "0000-00-00");
    }

    #[test]
    fn what_is_kept_reads_back() {
        let telling = Telling {
            by: By::Miio,
            id: "00bc614e".into(),
            name: "xiaomi.wifispeaker.lx01".into(),
            model: None,
            firmware: "1.56.1".into(),
            date: "2026-03-31".into(),
        };
        let text = toml::to_string(&File { told: vec![telling.clone()] }).unwrap();
        assert_eq!(toml::from_str::<File>(&text).unwrap().told, [telling]);
    }
}
