//! All steps at once: as text, and as data for a web page.

use antiphon_api::advice::{ADVICE_SCHEMA, GuideReport, StepReport};
use antiphon_catalog::Catalogue;
use antiphon_catalog::guide::{Plan, Planned, Step};

use crate::advice::page::Page;
use crate::advice::proofs::{self, Proofs};

/// The plan for reading.
pub fn page(catalogue: &Catalogue, plan: &Plan) -> String {
    let (mut page, mut proofs) = (Page::default(), Proofs::new(catalogue));
    page.say(0, &title(plan));
    if let Some(later) = &plan.later {
        page.gap();
        page.say(0, later);
    }
    page.gap();
    page.say(0, "You need:");
    plan.needs.iter().for_each(|need| page.item(2, "- ", need));
    for (n, planned) in plan.steps.iter().enumerate() {
        page.gap();
        step(&mut page, &mut proofs, n, planned);
    }
    proofs.list(&mut page);
    page.text()
}

/// The guide and its model.
pub fn title(plan: &Plan) -> String {
    match &plan.model {
        Some(model) => format!("{} ({model})", plan.title),
        None => plan.title.clone(),
    }
}

fn step(page: &mut Page, proofs: &mut Proofs, n: usize, planned: &Planned) {
    let one = &planned.step;
    let mark = one.proof.as_ref().map_or(String::new(), |proof| format!(" {}", proofs.mark(proof)));
    page.item(0, &format!("{:>2}. ", n + 1), &format!("{}{mark}", one.task));
    body(page, one, 4);
    for (n, advice) in one.otherwise.iter().enumerate() {
        page.item(4, if n == 0 { "If not: " } else { "        " }, advice);
    }
    if let Some(back) = planned.back_to {
        page.item(
            4,
            if one.otherwise.is_empty() { "If not: " } else { "        " },
            &format!("If nothing helps, go back to step {}.", back + 1),
        );
    }
}

/// The command, and what one should see.
pub fn body(page: &mut Page, step: &Step, indent: usize) {
    if let Some(run) = &step.run {
        page.command(indent, &format!("> {run}"));
    }
    page.item(indent, "You should see: ", &step.see);
}

/// The plan for programs.
pub fn report(catalogue: &Catalogue, plan: &Plan) -> GuideReport {
    let step = |planned: &Planned| StepReport {
        id: planned.id.clone(),
        task: planned.step.task.clone(),
        run: planned.step.run.clone(),
        see: planned.step.see.clone(),
        check: planned.step.check.map(|check| check.as_str().to_owned()),
        otherwise: planned.step.otherwise.clone(),
        back_to: planned.back_to.and_then(|at| plan.steps.get(at)).map(|planned| planned.id.clone()),
        proof: planned.step.proof.as_ref().map(|proof| proofs::report(catalogue, proof)),
    };
    GuideReport {
        schema: ADVICE_SCHEMA,
        id: plan.guide.clone(),
        title: plan.title.clone(),
        model: plan.model.clone(),
        later: plan.later.clone(),
        needs: plan.needs.clone(),
        steps: plan.steps.iter().map(step).collect(),
    }
}
