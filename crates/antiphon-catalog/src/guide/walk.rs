//! Somebody's place in a plan.

use serde::{Deserialize, Serialize};

use super::plan::{Plan, Planned};

/// A place in a plan, and how one came there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk {
    /// Index of the step; as many as there are steps: the end.
    at: usize,
    /// How often the step has failed since it was come to.
    failures: usize,
    /// How often a failure has led back.
    rounds: usize,
    /// The steps before, oldest first.
    path: Vec<usize>,
}

/// What somebody says, or a check has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It is done, and looks as it should.
    Done,
    /// It did not work.
    Failed,
    /// To the step before.
    Back,
}

/// Where a walk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Now<'a> {
    /// At a step.
    At {
        /// From 1.
        number: usize,
        /// Of how many.
        of: usize,
        /// What to try, after a failure.
        advice: Option<&'a str>,
    },
    /// Everything that was known for this step has been tried. [`Event::Done`] goes on all the same,
    /// [`Event::Failed`] tries the step anew, [`Event::Back`] goes back.
    Stuck {
        /// From 1.
        number: usize,
        /// Of how many.
        of: usize,
    },
    /// All is done.
    End,
}

/// Twice through the same steps for nothing is enough: something else is wrong.
const MAX_ROUNDS: usize = 2;

/// No plan has as many steps: a saved path that is longer is not ours.
const MAX_PATH: usize = 200;

impl Default for Walk {
    fn default() -> Self {
        Self::new()
    }
}

impl Walk {
    /// At the first step.
    pub fn new() -> Self {
        Self { at: 0, failures: 0, rounds: 0, path: Vec::new() }
    }

    /// Where it stands.
    pub fn now<'a>(&self, plan: &'a Plan) -> Now<'a> {
        let (number, of) = (self.at + 1, plan.steps.len());
        let Some(planned) = plan.steps.get(self.at) else { return Now::End };
        let tried = planned.step.otherwise.len();
        match self.failures {
            0 => Now::At { number, of, advice: None },
            n if n <= tried => Now::At { number, of, advice: Some(&planned.step.otherwise[n - 1]) },
            _ => Now::Stuck { number, of },
        }
    }

    /// The step where it stands; `None` at the end.
    pub fn step<'a>(&self, plan: &'a Plan) -> Option<&'a Planned> {
        plan.steps.get(self.at)
    }

    /// Moves.
    pub fn handle(&mut self, plan: &Plan, event: Event) {
        let stuck = matches!(self.now(plan), Now::Stuck { .. });
        let Some(planned) = plan.steps.get(self.at) else {
            if event == Event::Back {
                self.back();
            }
            return;
        };
        match event {
            Event::Done => self.go(self.at + 1),
            Event::Back => self.back(),
            Event::Failed if stuck => self.failures = 0,
            Event::Failed => self.fail(planned),
        }
    }

    /// The next piece of advice; after the last one back to where the failure may have begun.
    fn fail(&mut self, planned: &Planned) {
        self.failures += 1;
        let exhausted = self.failures > planned.step.otherwise.len();
        if let Some(back_to) = planned.back_to.filter(|_| exhausted && self.rounds < MAX_ROUNDS) {
            self.rounds += 1;
            self.go(back_to);
        }
    }

    fn go(&mut self, to: usize) {
        self.path.push(self.at);
        if self.path.len() > MAX_PATH {
            self.path.remove(0);
        }
        (self.at, self.failures) = (to, 0);
    }

    fn back(&mut self) {
        self.at = self.path.pop().unwrap_or(self.at.saturating_sub(1));
        self.failures = 0;
    }
}

/// A walk as it is kept: by the names of its steps, so that it survives new ones among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    version: u32,
    /// The guide's id.
    pub guide: String,
    /// The model's name, or as it was typed.
    pub model: Option<String>,
    /// Its speakers on this computer, as they were named.
    #[serde(default)]
    pub speakers: Vec<String>,
    step: String,
    failures: usize,
    rounds: usize,
    path: Vec<String>,
}

/// A saved walk that cannot be taken up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SavedError {
    /// It does not read.
    #[error("{0}")]
    Nonsense(String),
    /// Its step is no longer in the plan.
    #[error("the guide has changed since, and has no step {0:?}")]
    StepGone(String),
}

/// The layout that this program writes and reads.
const VERSION: u32 = 1;

/// The name of the place behind the last step.
const END: &str = "end";

impl Saved {
    /// `walk`, to be kept.
    pub fn of(walk: &Walk, plan: &Plan, speakers: &[String]) -> Self {
        let name = |at: usize| plan.steps.get(at).map_or(END.to_owned(), |planned| planned.id.clone());
        Self {
            version: VERSION,
            guide: plan.guide.clone(),
            model: plan.model.clone(),
            speakers: speakers.to_vec(),
            step: name(walk.at),
            failures: walk.failures,
            rounds: walk.rounds,
            path: walk.path.iter().map(|at| name(*at)).collect(),
        }
    }

    /// As TOML.
    ///
    /// # Panics
    /// Never: text and numbers always have a form in TOML.
    pub fn to_text(&self) -> String {
        toml::to_string(self).expect("text and numbers have a form in TOML")
    }

    /// From TOML.
    ///
    /// # Errors
    /// Where it stops making sense.
    pub fn from_text(text: &str) -> Result<Self, SavedError> {
        let saved: Self = toml::from_str(text).map_err(|error| SavedError::Nonsense(error.to_string()))?;
        if saved.version != VERSION || saved.path.len() > MAX_PATH {
            return Err(SavedError::Nonsense("it was saved by another version of the program".into()));
        }
        Ok(saved)
    }

    /// The walk in `plan`.
    ///
    /// # Errors
    /// Its step is no longer there.
    pub fn walk(&self, plan: &Plan) -> Result<Walk, SavedError> {
        let place = |id: &String| match plan.steps.iter().position(|planned| planned.id == *id) {
            None if id == END => Some(plan.steps.len()),
            found => found,
        };
        let at = place(&self.step).ok_or_else(|| SavedError::StepGone(self.step.clone()))?;
        let path = self.path.iter().filter_map(place).collect();
        Ok(Walk { at, failures: self.failures.min(MAX_PATH), rounds: self.rounds.min(MAX_ROUNDS), path })
    }
}

#[cfg(test)]
mod tests;
