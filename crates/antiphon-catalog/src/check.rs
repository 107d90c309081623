//! Which methods work for two speakers on one source, the best first, and how sure that is.

mod gates;

mod judge;

use std::fmt;
use std::str::FromStr;

use crate::catalogue::Catalogue;
use crate::method::{Method, MethodId};
use crate::model::Fact;
use crate::name::{Found, Named};
use crate::proof::Proof;
use crate::version::VendorVersion;

/// What the music comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// A Linux computer: the one that can do most.
    Linux,
    /// A phone or tablet.
    Android,
    /// A phone or tablet.
    Ios,
    /// A computer.
    Windows,
    /// A computer.
    Macos,
}

impl Host {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Linux, Self::Android, Self::Ios, Self::Windows, Self::Macos];

    /// As typed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Android => "android",
            Self::Ios => "ios",
            Self::Windows => "windows",
            Self::Macos => "macos",
        }
    }
}

impl Host {
    /// In a sentence.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Linux => "Linux",
            Self::Android => "Android",
            Self::Ios => "iOS",
            Self::Windows => "Windows",
            Self::Macos => "macOS",
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|host| host.as_str().eq_ignore_ascii_case(text));
        known.ok_or_else(|| format!("{text:?} is no source; it is linux, android, ios, windows or macos"))
    }
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// As typed.
    pub first: &'a str,
    /// As typed; `None`: another of the first.
    pub second: Option<&'a str>,
    /// What the first has, and the second; `None`: nobody told.
    pub firmware: [Option<&'a VendorVersion>; 2],
    /// Of the maker's app.
    pub app: Option<&'a VendorVersion>,
    /// What the music comes from.
    pub host: Host,
}

/// One of the two speakers.
#[derive(Debug, Clone)]
pub struct Speaker<'a> {
    /// As typed.
    pub typed: String,
    /// What it was found to be.
    pub named: Named<'a>,
}

impl<'a> Speaker<'a> {
    /// The model, where it is known.
    pub fn found(&self) -> Option<Found<'a>> {
        match self.named {
            Named::Known(found) => Some(found),
            Named::Several(_) | Named::Unknown(_) => None,
        }
    }

    /// For sentences.
    pub fn name(&self) -> &str {
        self.found().map_or(&self.typed, |found| found.name)
    }

    fn facts(&self) -> impl Iterator<Item = &'a Fact> + use<'a> {
        let facts = self.found().map(|found| found.model.facts_of(found.name));
        facts.into_iter().flatten().filter(|fact| fact.proof.evidence.stands())
    }
}

/// The answer.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// The two speakers.
    pub speakers: [Speaker<'a>; 2],
    /// Both are of one model.
    pub alike: bool,
    /// What the music comes from.
    pub host: Host,
    /// What to do, in one or two sentences.
    pub verdict: String,
    /// The best that works as things are; there always is one.
    pub best: MethodId,
    /// Every method, the best first.
    pub methods: Vec<Judged<'a>>,
    /// Everything that is known of the speakers, by name, what is refuted too.
    pub facts: Vec<(String, &'a Fact)>,
}

/// One method, judged.
#[derive(Debug, Clone)]
pub struct Judged<'a> {
    /// The method.
    pub method: &'a Method,
    /// Whether it works.
    pub standing: Standing,
    /// Why, in a sentence.
    pub why: String,
    /// What must be so, and whether it is.
    pub gates: Vec<Gate>,
    /// What the judgement rests on, the weakest first; empty where it rests on nothing said of the models.
    pub proofs: Vec<Proof>,
    /// How far apart the speakers then are, where somebody says so, in milliseconds.
    pub latency_ms: Option<(f64, Proof)>,
    /// How to begin.
    pub how: Vec<String>,
}

/// Whether a method works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It does, as things are.
    Works,
    /// It does if something that nobody told is so.
    Maybe,
    /// It does once something has been done.
    NotYet,
    /// It does with more devices.
    WithMore,
    /// It cannot.
    Cannot,
    /// This version of the program does not have it.
    Later,
}

impl Standing {
    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Works => "works",
            Self::Maybe => "maybe",
            Self::NotYet => "not_yet",
            Self::WithMore => "with_more",
            Self::Cannot => "cannot",
            Self::Later => "later",
        }
    }

    /// Those that help somebody come before those that do not.
    fn helps(self) -> bool {
        !matches!(self, Self::Cannot | Self::Later)
    }
}

/// Something that must be so.
#[derive(Debug, Clone)]
pub struct Gate {
    /// What: `firmware`, `app`, `hardware`, `same model`.
    pub what: String,
    /// What is needed.
    pub need: String,
    /// What there is; `None`: nobody told.
    pub have: Option<String>,
    /// Whether that is enough; `None`: not known.
    pub met: Option<bool>,
    /// What to do where it is not, or not known.
    pub todo: Vec<String>,
    /// Who says that it is needed.
    pub proof: Option<Proof>,
}

impl Catalogue {
    /// Judges every method for the speakers of `question`.
    pub fn check<'a>(&'a self, question: &Question) -> Report<'a> {
        let speaker = |typed: &str| Speaker { typed: typed.to_owned(), named: self.find(typed) };
        let speakers = [speaker(question.first), speaker(question.second.unwrap_or(question.first))];
        let alike = match (speakers[0].found(), speakers[1].found()) {
            (Some(one), Some(other)) => one.name == other.name,
            (None, None) => question.second.is_none_or(|second| second == question.first),
            _ => false,
        };
        let case = judge::Case { speakers: &speakers, alike, question };
        let mut methods: Vec<Judged> = self.methods.iter().map(|method| case.judge(method)).collect();
        methods.sort_by_key(|judged| (!judged.standing.helps(), judged.method.order));
        let best = best(&methods).method.id;
        let verdict = judge::verdict(&speakers, alike, question.host, &methods, best);
        let facts = everything_known(&speakers, alike);
        Report { alike, host: question.host, verdict, best, methods, facts, speakers }
    }
}

/// The first that works as things are; else the first that may, and so on.
fn best<'a, 'b>(methods: &'b [Judged<'a>]) -> &'b Judged<'a> {
    let rank = |judged: &&Judged| match judged.standing {
        Standing::Works if judge::is_stereo(judged.method.id) => 0,
        Standing::WithMore if judge::is_stereo(judged.method.id) => 2,
        Standing::Maybe if judge::is_stereo(judged.method.id) => 3,
        Standing::Works => 4,
        Standing::NotYet => 5,
        Standing::Maybe | Standing::WithMore => 6,
        Standing::Cannot | Standing::Later => 7,
    };
    methods.iter().min_by_key(rank).expect("the catalogue has methods")
}

fn everything_known<'a>(speakers: &[Speaker<'a>; 2], alike: bool) -> Vec<(String, &'a Fact)> {
    let shown = if alike { &speakers[..1] } else { &speakers[..] };
    let known = shown.iter().filter_map(Speaker::found);
    known
        .flat_map(|found| found.model.facts_of(found.name).map(move |fact| (found.name.to_owned(), fact)))
        .collect()
}

#[cfg(test)]
mod tests;
