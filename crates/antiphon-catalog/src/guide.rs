//! A method step by step: what to do, what one should see, what a computer can check, what helps when
//! it fails, and the way back.
//!
//! A [`Plan`] is the steps of one guide, a model's own where it has them, and those that prove the
//! result. A [`Walk`] is somebody's place in a plan: [`Walk::handle`] moves it, [`Walk::now`] says
//! where it stands; it reads no clock and asks nobody, so a shell can save it and go on another day.

mod plan;

mod walk;

pub use plan::{Plan, Planned};
pub use walk::{Event, Now, Saved, SavedError, Walk};

use serde::Deserialize;

use crate::method::MethodId;
use crate::proof::Proof;
use crate::schema::RawGuide;

/// The steps of one method.
#[derive(Debug, Clone)]
pub struct Guide {
    /// As in `host-pair`.
    pub id: String,
    /// The method that it leads through.
    pub method: MethodId,
    /// For people.
    pub title: String,
    /// What one should have at hand.
    pub needs: Vec<String>,
    /// Why this version of the program cannot do it.
    pub later: Option<String>,
    /// The guide that goes on where this one ends.
    pub then: Option<String>,
    /// In their order.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Names it within its guide.
    pub id: String,
    /// What to do.
    pub task: String,
    /// What one should then see.
    pub see: String,
    /// A command that does it or shows it.
    pub run: Option<String>,
    /// What a computer can find out about its success.
    pub check: Option<Check>,
    /// What to try when it fails, the likeliest first.
    pub otherwise: Vec<String>,
    /// The step to go back to when all of that has failed.
    pub back_to: Option<String>,
    /// Where the step comes from, if it is a model's own.
    pub proof: Option<Proof>,
}

/// What a computer can find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// A Bluetooth adapter is there and on.
    Adapter,
    /// The speakers have no stale pairing here.
    Forgotten,
    /// Both speakers are paired.
    Paired,
    /// The speakers are connected.
    Connected,
    /// A hub answers.
    Hub,
    /// The firmware is what is needed.
    Firmware,
    /// Left and right come from where they should.
    Channels,
    /// A measurement says that they play together.
    Together,
}

impl Check {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Adapter,
        Self::Forgotten,
        Self::Paired,
        Self::Connected,
        Self::Hub,
        Self::Firmware,
        Self::Channels,
        Self::Together,
    ];

    /// As in the catalogue and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Adapter => "adapter",
            Self::Forgotten => "forgotten",
            Self::Paired => "paired",
            Self::Connected => "connected",
            Self::Hub => "hub",
            Self::Firmware => "firmware",
            Self::Channels => "channels",
            Self::Together => "together",
        }
    }
}

/// What a check has found. The texts are for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is so.
    Passed(String),
    /// It is not.
    Failed(String),
    /// Only a person can tell, and why.
    CannotTell(String),
}

/// Whoever can look: a computer with Bluetooth, or in tests a script.
pub trait Checker {
    /// Looks.
    fn check(&mut self, what: Check) -> Verdict;
}

impl From<RawGuide> for Guide {
    fn from(raw: RawGuide) -> Self {
        Self {
            id: raw.id,
            method: raw.method,
            title: raw.title,
            needs: raw.needs,
            later: raw.later,
            then: raw.then,
            steps: raw.step.into_iter().map(Step::from).collect(),
        }
    }
}
