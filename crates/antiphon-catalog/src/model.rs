//! A speaker, or a family of them, and what is known of it.

use serde::Deserialize;

use crate::guide::Step;
use crate::method::MethodId;
use crate::proof::Proof;
use crate::version::VendorVersion;

/// A model, or a family of models that are alike in this.
#[derive(Debug, Clone)]
pub struct Model {
    /// As in `mi-portable-speaker-3`; also its file's name.
    pub id: String,
    /// As its maker writes it.
    pub name: String,
    /// Who sells it.
    pub brand: String,
    /// What it is.
    pub kind: Kind,
    /// Of a family: the models' names, each as its maker writes it.
    pub covers: Vec<String>,
    /// What else it is called.
    pub aliases: Vec<String>,
    /// What reads its firmware, where anything but the maker's app does.
    pub firmware_by: Option<String>,
    /// What is known of it.
    pub facts: Vec<Fact>,
    /// Its own steps of a method, with their proofs.
    pub steps: Vec<(MethodId, Step)>,
    /// Everything that finds it.
    pub(crate) called: Vec<Called>,
}

/// One of the names that find a model.
#[derive(Debug, Clone)]
pub(crate) struct Called {
    /// As written.
    pub text: String,
    /// The name that the model then has.
    pub name: String,
    /// The text in words.
    pub words: Vec<String>,
}

impl Model {
    /// What is known of the model called `name`, which is this one's or one of those that it covers.
    pub fn facts_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Fact> {
        self.facts
            .iter()
            .filter(move |fact| fact.only.is_empty() || fact.only.iter().any(|only| only == name))
    }

    /// Every name that finds it, with the name that it then has.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.called.iter().map(|called| (called.text.as_str(), called.name.as_str()))
    }

    /// With its names gathered.
    pub(crate) fn called(mut self) -> Self {
        let called = |(text, name): (&str, &str)| Called {
            text: text.to_owned(),
            name: name.to_owned(),
            words: crate::name::words(text),
        };
        self.called = self.all_names().map(called).collect();
        self
    }

    fn all_names(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = std::iter::once((self.name.as_str(), self.name.as_str()));
        let covered = self.covers.iter().map(|name| (name.as_str(), name.as_str()));
        let aliases = self.aliases.iter().map(|alias| (alias.as_str(), self.meant_by(alias)));
        own.chain(covered).chain(aliases).chain(std::iter::once((self.id.as_str(), self.name.as_str())))
    }

    /// An alias may be that of one covered model: `UE BOOM 2` is `Ultimate Ears BOOM 2`.
    fn meant_by(&self, alias: &str) -> &str {
        let last = |name: &str| name.split_whitespace().skip(1).collect::<Vec<_>>().join(" ").to_lowercase();
        let alias = alias.to_lowercase();
        let covered = self.covers.iter().find(|name| {
            let name = name.to_lowercase();
            name.ends_with(&alias) || (!last(&alias).is_empty() && name.ends_with(&last(&alias)))
        });
        covered.map_or(self.name.as_str(), String::as_str)
    }
}

/// What a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A Bluetooth loudspeaker.
    Speaker,
    /// One with a voice assistant and a network.
    SmartSpeaker,
    /// A bar for a television.
    Soundbar,
    /// Two of them in a case: they are a stereo pair already.
    EarBuds,
}

impl Kind {
    /// As written in the catalogue.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Speaker => "speaker",
            Self::SmartSpeaker => "smart_speaker",
            Self::Soundbar => "soundbar",
            Self::EarBuds => "ear_buds",
        }
    }
}

/// One thing that is said of a model.
#[derive(Debug, Clone)]
pub struct Fact {
    /// What is said.
    pub statement: Statement,
    /// How sure it is.
    pub proof: Proof,
    /// Of a family: the covered models that it is about; empty: all.
    pub only: Vec<String>,
}

/// What can be said of a model.
#[derive(Debug, Clone)]
pub enum Statement {
    /// Version of its Bluetooth radio.
    Bluetooth(String),
    /// A codec that it takes besides SBC, which every speaker must, or SBC where that was seen.
    Codec(String),
    /// A way in that it has, or has not.
    Input(Input, bool),
    /// A way of its maker to let several play together.
    Pairing(Mode),
    /// It has none.
    NoPairing,
    /// The least firmware for it.
    Firmware(Purpose, VendorVersion),
    /// The maker's app and its least version for it.
    App(Purpose, String, VendorVersion),
    /// The hardware revision that has it.
    Hardware(Purpose, String),
    /// How far apart two of them then are, in milliseconds.
    LatencyMs(Purpose, f64),
    /// What to press.
    Press(Purpose, String),
    /// What else must be known.
    Quirk(String),
}

/// A maker's way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mode {
    /// What it gives.
    pub purpose: Purpose,
    /// Its name; two speakers play together only with the same.
    pub protocol: Option<String>,
    /// Which speakers it takes.
    pub spans: Spans,
}

/// What something is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Left on one, right on the other.
    Stereo,
    /// The same on all.
    Party,
    /// Through the maker's app: the same on both.
    App,
    /// To forget everything.
    Reset,
    /// To be found.
    Pair,
}

impl Purpose {
    /// In a sentence.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stereo => "stereo",
            Self::Party => "party",
            Self::App => "app",
            Self::Reset => "reset",
            Self::Pair => "pair",
        }
    }
}

/// Which speakers a maker's way takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spans {
    /// Two of one model.
    Model,
    /// All of its maker's with the same system.
    Family,
}

/// A way in for sound besides Bluetooth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Input {
    /// A socket for a cable.
    Aux,
    /// The network.
    Wifi,
    /// Audio over USB.
    Usb,
}

impl Input {
    /// In a sentence.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aux => "an AUX input",
            Self::Wifi => "Wi-Fi",
            Self::Usb => "audio over USB",
        }
    }
}

impl Statement {
    /// In a sentence without its subject.
    pub fn words(&self) -> String {
        let of = |purpose: &Purpose| match purpose {
            Purpose::Stereo => "for its stereo mode",
            Purpose::Party => "for its party mode",
            Purpose::App => "for playing through the app",
            Purpose::Reset => "to reset it",
            Purpose::Pair => "to pair it",
        };
        match self {
            Self::Bluetooth(version) => format!("has Bluetooth {version}"),
            Self::Codec(codec) => format!("takes {codec}"),
            Self::Input(input, true) => format!("has {}", input.as_str()),
            Self::Input(input, false) => format!("has not {}", input.as_str()),
            Self::Pairing(mode) => mode.words(),
            Self::NoPairing => "has no mode for two speakers".into(),
            Self::Firmware(purpose, least) => format!("needs firmware {least} or later {}", of(purpose)),
            Self::App(purpose, app, least) => format!("needs {app} {least} or later {}", of(purpose)),
            Self::Hardware(purpose, revision) => {
                format!("must be the hardware of {revision} {}", of(purpose))
            }
            Self::LatencyMs(Purpose::Stereo, ms) => format!("plays {ms} ms apart as a stereo pair"),
            Self::LatencyMs(_, ms) => format!("plays {ms} ms apart through the app"),
            Self::Press(purpose, what) => format!("{}: {what}", of(purpose)),
            Self::Quirk(quirk) => quirk.clone(),
        }
    }

    /// Why both cannot be true of one model, or `None`.
    pub(crate) fn excludes(&self, other: &Self) -> Option<&'static str> {
        use Statement as S;
        match (self, other) {
            (S::Bluetooth(a), S::Bluetooth(b)) if a != b => Some("two Bluetooth versions"),
            (S::Input(a, yes), S::Input(b, no)) if a == b && yes != no => {
                Some("an input that it has and has not")
            }
            (S::Pairing(_), S::NoPairing) | (S::NoPairing, S::Pairing(_)) => Some("a mode, and none at all"),
            (S::Pairing(a), S::Pairing(b)) if a.purpose == b.purpose && a != b => {
                Some("one mode in two ways")
            }
            (S::Firmware(a, x), S::Firmware(b, y)) if a == b && differ(x, y) => Some("two least firmwares"),
            (S::App(a, app, x), S::App(b, other, y)) if a == b && app == other && differ(x, y) => {
                Some("two least versions of one app")
            }
            (S::Hardware(a, x), S::Hardware(b, y)) if a == b && x != y => Some("two hardware revisions"),
            (S::LatencyMs(a, x), S::LatencyMs(b, y)) if a == b && (x - y).abs() > 0.05 => {
                Some("two latencies")
            }
            (S::Press(a, x), S::Press(b, y)) if a == b && x != y => Some("two ways to press"),
            _ => None,
        }
    }
}

fn differ(a: &VendorVersion, b: &VendorVersion) -> bool {
    a.compare(b) != Some(std::cmp::Ordering::Equal)
}

impl Mode {
    fn words(&self) -> String {
        let what = match self.purpose {
            Purpose::Stereo => "makes a stereo pair with another of its model",
            Purpose::Party => "plays the same as others",
            _ => "plays the same as another through its maker's app",
        };
        let named = self.protocol.as_ref().map_or(String::new(), |name| format!(" ({name})"));
        let among = match (self.purpose, self.spans) {
            (Purpose::Party, Spans::Model) => ", of its own model only",
            (Purpose::Party, Spans::Family) => ", of its maker's with the same system only",
            _ => "",
        };
        format!("{what}{named}{among}")
    }
}
