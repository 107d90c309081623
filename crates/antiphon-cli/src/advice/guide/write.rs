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

#[cfg(test)]
mod tests {
    use antiphon_catalog::check::{Host, Question};
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::args::Args;

    /// A command line in words; what stands in quotes is one.
    fn words(line: &str) -> Vec<String> {
        let parts = line.split('"').enumerate();
        parts
            .flat_map(|(n, part)| match n % 2 {
                0 => part.split_whitespace().map(str::to_owned).collect(),
                _ => vec![part.to_owned()],
            })
            .map(|word| if word == "VERSION" { "1.2.3".to_owned() } else { word })
            .collect()
    }

    fn is_one_of_ours(line: &str) {
        let words = words(line);
        if words.first().is_some_and(|word| word == "antiphon") {
            let read = Args::try_parse_from(&words);
            assert!(
                read.is_ok(),
                "{line}: {}",
                read.err().map(|error| error.to_string()).unwrap_or_default()
            );
        }
    }

    /// Every step of every guide, for every model with steps of its own.
    fn steps(catalogue: &Catalogue) -> Vec<Step> {
        let of_guides = catalogue.guides.iter().flat_map(|guide| guide.steps.clone());
        let of_models =
            catalogue.models.iter().flat_map(|model| model.steps.iter().map(|(_, step)| step.clone()));
        of_guides.chain(of_models).collect()
    }

    #[test]
    fn every_command_that_is_given_to_type_is_one_of_this_program() {
        let catalogue = Catalogue::embedded();
        steps(&catalogue).iter().filter_map(|step| step.run.as_deref()).for_each(is_one_of_ours);
        for host in Host::ALL {
            let question =
                Question { first: "JBL Flip 6", second: None, firmware: [None; 2], app: None, host };
            let report = catalogue.check(&question);
            report.methods.iter().flat_map(|judged| &judged.how).for_each(|line| is_one_of_ours(line));
        }
    }

    #[test]
    fn every_verb_that_is_named_in_a_sentence_is_one_of_this_program() {
        let command = Args::command();
        let verbs: Vec<&str> = command.get_subcommands().map(|verb| verb.get_name()).collect();
        let catalogue = Catalogue::embedded();
        let steps = steps(&catalogue);
        let of_steps = steps
            .iter()
            .flat_map(|step| [&step.task, &step.see].into_iter().chain(&step.run).chain(&step.otherwise));
        let of_answers =
            catalogue.answers.iter().flat_map(|answer| [&answer.short].into_iter().chain(&answer.todo));
        for text in of_steps.chain(of_answers) {
            for rest in text.split("antiphon ").skip(1) {
                let verb: String = rest.chars().take_while(char::is_ascii_lowercase).collect();
                assert!(verbs.contains(&verb.as_str()), "{verb:?} in {text:?}");
            }
        }
    }
}
