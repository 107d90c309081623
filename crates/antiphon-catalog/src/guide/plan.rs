//! The steps that somebody will walk.

use super::{Guide, Step};
use crate::catalogue::Catalogue;
use crate::model::{Purpose, Statement};
use crate::name::Found;

/// The steps of a guide with those that follow it, for one model or any.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The guide's id.
    pub guide: String,
    /// The model's name.
    pub model: Option<String>,
    /// For people.
    pub title: String,
    /// What one should have at hand.
    pub needs: Vec<String>,
    /// Why this version of the program cannot do it.
    pub later: Option<String>,
    /// In their order; never empty.
    pub steps: Vec<Planned>,
}

/// A step in its plan.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Names it within the plan: `prove/sides`.
    pub id: String,
    /// The step, with the model's name in it.
    pub step: Step,
    /// The place in the plan to go back to.
    pub back_to: Option<usize>,
}

/// Guides that follow guides: more would be a circle.
const MAX_CHAIN: usize = 4;

impl Catalogue {
    /// The plan of the guide called `id`; `None`: there is none.
    pub fn plan(&self, id: &str, model: Option<Found>) -> Option<Plan> {
        let first = self.guide(id)?;
        let mut steps = Vec::new();
        let mut needs = Vec::new();
        let mut next = Some(first);
        for _ in 0..MAX_CHAIN {
            let Some(guide) = next else { break };
            let of_model = model.map(|found| own_steps(&found, guide)).filter(|own| !own.is_empty());
            let mut of_guide = of_model.unwrap_or_else(|| guide.steps.clone());
            of_guide.retain(|step| !is_done(&steps, step));
            add(&mut steps, guide, of_guide, model.as_ref());
            needs.extend(guide.needs.iter().cloned());
            next = guide.then.as_ref().and_then(|then| self.guide(then));
        }
        Some(Plan {
            guide: first.id.clone(),
            model: model.map(|found| found.name.to_owned()),
            title: first.title.clone(),
            needs,
            later: first.later.clone(),
            steps,
        })
    }
}

/// Whether a guide before has let somebody run and see the same.
fn is_done(steps: &[Planned], step: &Step) -> bool {
    let same = |planned: &Planned| planned.step.run == step.run && planned.step.check == step.check;
    step.run.is_some() && step.check.is_some() && steps.iter().any(same)
}

fn own_steps(found: &Found, guide: &Guide) -> Vec<Step> {
    let own = found.model.steps.iter().filter(|(method, _)| *method == guide.method);
    own.map(|(_, step)| step.clone()).collect()
}

fn add(plan: &mut Vec<Planned>, guide: &Guide, steps: Vec<Step>, model: Option<&Found>) {
    let begin = plan.len();
    let place = |id: &String| steps.iter().position(|step| step.id == *id).map(|at| begin + at);
    let backs: Vec<Option<usize>> = steps.iter().map(|step| step.back_to.as_ref().and_then(place)).collect();
    for (step, back_to) in steps.into_iter().zip(backs) {
        plan.push(Planned { id: format!("{}/{}", guide.id, step.id), step: named(step, model), back_to });
    }
}

/// The step with what is known of the model put in.
fn named(mut step: Step, model: Option<&Found>) -> Step {
    let (reset, stereo) = (keys(model, Purpose::Reset), keys(model, Purpose::Stereo));
    let fill = |text: &str| {
        let text = text.replace("{reset}", &reset).replace("{stereo}", &stereo).trim().to_owned();
        match model {
            Some(found) => text.replace("check MODEL", &format!("check \"{}\"", found.name)),
            None => text,
        }
    };
    step.task = fill(&step.task);
    step.run = step.run.as_deref().map(fill);
    step.otherwise = step.otherwise.iter().map(|advice| fill(advice)).collect();
    step
}

/// What is said of the keys that do it on this model, and how sure that is; nothing where nobody says.
fn keys(model: Option<&Found>, purpose: Purpose) -> String {
    let said = model.and_then(|found| {
        found.model.facts_of(found.name).find_map(|fact| match &fact.statement {
            Statement::Press(of, what) if *of == purpose && fact.proof.evidence.stands() => {
                Some(format!("For this one: {what} ({}).", fact.proof.evidence.word()))
            }
            _ => None,
        })
    });
    said.unwrap_or_default()
}
