//! `antiphon explain`: questions and myths.

use antiphon_api::advice::{ADVICE_SCHEMA, AnswerReport, ExplainReport};
use antiphon_api::json;
use antiphon_catalog::explain::Answer;
use antiphon_catalog::{Catalogue, Evidence};

use super::args::ExplainArgs;
use super::page::Page;
use super::proofs::{self, Proofs};
use crate::exit::{Exit, Failure};
use crate::terminal;

/// Answers.
pub fn run(args: &ExplainArgs) -> Result<Exit, Failure> {
    let catalogue = Catalogue::embedded();
    let question = args.question.join(" ");
    let answers = answers(&catalogue, &question);
    let text = match (args.json, question.trim()) {
        (true, _) => json::write_pretty(&of(&catalogue, &answers)),
        (false, "") => questions(&catalogue),
        (false, _) => page(&catalogue, &answers),
    };
    terminal::print(&text);
    if answers.is_empty() {
        let message = "nothing is known about that; `antiphon explain` lists what is answered, and \
                       `antiphon doctor` looks at this machine";
        return Err(Failure::new(Exit::NotFound, message));
    }
    Ok(Exit::Ok)
}

/// The answers for programs; to no question all there are.
pub fn report(question: &str) -> ExplainReport {
    let catalogue = Catalogue::embedded();
    of(&catalogue, &answers(&catalogue, question))
}

fn answers<'a>(catalogue: &'a Catalogue, question: &str) -> Vec<&'a Answer> {
    match question.trim() {
        "" => catalogue.answers.iter().collect(),
        question => catalogue.explain(question),
    }
}

fn questions(catalogue: &Catalogue) -> String {
    let mut page = Page::default();
    page.say(
        0,
        "Ask in your own words: antiphon explain \"second speaker disconnects the first\". Answered are:",
    );
    page.gap();
    catalogue.answers.iter().for_each(|answer| page.item(2, "- ", &answer.question));
    page.text()
}

fn page(catalogue: &Catalogue, answers: &[&Answer]) -> String {
    let (mut page, mut proofs) = (Page::default(), Proofs::new(catalogue));
    for answer in answers {
        page.gap();
        page.say(0, &answer.question);
        page.gap();
        tell(&mut page, &mut proofs, answer);
    }
    if !answers.is_empty() {
        proofs.list(&mut page);
    }
    page.text()
}

/// What is refuted is said first, and why.
fn tell(page: &mut Page, proofs: &mut Proofs, answer: &Answer) {
    match (&answer.claim, &answer.proof.evidence) {
        (Some(claim), Evidence::Refuted { because, .. }) => {
            let because = because.as_deref().unwrap_or("it does not hold.");
            let (claimed, by) = proofs.refutation(&answer.proof);
            page.say(2, &format!("Refuted: {claim:?} {claimed} That is wrong: {because} {by}"));
            page.gap();
            page.say(2, &answer.short);
        }
        (Some(claim), _) => {
            page.say(2, &answer.short);
            page.gap();
            let mark = proofs.mark(&answer.proof);
            page.say(2, &format!("Elsewhere it is said: {claim:?} {mark}"));
        }
        (None, _) => {
            let mark = proofs.mark(&answer.proof);
            page.say(2, &format!("{} {mark}", answer.short));
        }
    }
    if !answer.todo.is_empty() {
        page.gap();
        answer.todo.iter().for_each(|todo| page.item(2, "* ", todo));
    }
}

fn of(catalogue: &Catalogue, answers: &[&Answer]) -> ExplainReport {
    let report = |answer: &&Answer| AnswerReport {
        id: answer.id.clone(),
        question: answer.question.clone(),
        answer: answer.short.clone(),
        claim: answer.claim.clone(),
        proof: proofs::report(catalogue, &answer.proof),
        todo: answer.todo.clone(),
    };
    ExplainReport { schema: ADVICE_SCHEMA, answers: answers.iter().map(report).collect() }
}
