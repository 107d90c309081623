//! `antiphon check`: which methods work for two speakers.

use antiphon_api::advice::{
    ADVICE_SCHEMA, CheckReport, FactReport, GateReport, MethodReport, SaidReport, SpeakerReport, ToldReport,
};
use antiphon_api::json;
use antiphon_catalog::check::{Gate, Judged, Question, Report, Speaker, Standing};
use antiphon_catalog::{Catalogue, Named};

use super::args::{CaseArgs, CheckArgs};
use super::files;
use super::page::{Page, offered};
use super::proofs::{self, Proofs};
use super::subject::Subjects;
use crate::exit::{Exit, Failure};
use crate::terminal;

/// Judges, tells, and ends with "not found" where a model is not known: what works for any speaker was told.
pub fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    let catalogue = files::sound(&args.with.with)?;
    let subjects = Subjects::of(&catalogue, args)?;
    let firmware = subjects.firmware.each_ref().map(Option::as_ref);
    let question = args.case.question(&subjects.first, subjects.second.as_deref())?;
    let question = Question { firmware, ..question };
    let report = catalogue.check(&question);
    let text = match args.json {
        true => json::write_pretty(&of(&catalogue, &report, subjects.told)),
        false => page(&catalogue, &report, &subjects.told),
    };
    // Done, whether somebody reads it or not.
    terminal::print(&text);
    let unknown = unknown(&report);
    unknown.iter().for_each(|line| terminal::note(line));
    Ok(if unknown.is_empty() { Exit::Ok } else { Exit::NotFound })
}

/// The judgement for programs.
///
/// # Errors
/// More than two firmwares.
pub fn report(case: &CaseArgs, first: &str, second: Option<&str>) -> Result<CheckReport, Failure> {
    let catalogue = Catalogue::embedded();
    let report = catalogue.check(&case.question(first, second)?);
    Ok(of(&catalogue, &report, Vec::new()))
}

/// What is to be said of names that mean no model, or several.
fn unknown(report: &Report) -> Vec<String> {
    let of = |speaker: &Speaker| match &speaker.named {
        Named::Known(_) => None,
        Named::Several(names) => {
            Some(format!("antiphon: {:?} may be {}; say which", speaker.typed, offered(names, " or ")))
        }
        Named::Unknown(nearest) => Some(format!(
            "antiphon: the catalogue has no {:?}; nearest: {}. What was said holds for any Bluetooth speaker. \
             `antiphon catalog new` adds one",
            speaker.typed,
            nearest.join(", ")
        )),
    };
    let mut lines: Vec<String> = report.speakers.iter().filter_map(of).collect();
    lines.dedup();
    lines
}

/// Names that may mean other models as well.
fn taken_for(report: &Report) -> Vec<String> {
    let guessed = |speaker: &Speaker| {
        let found = speaker.found().filter(|found| found.is_guess(&speaker.typed))?;
        Some(format!("{:?} is taken for {}.", speaker.typed, found.name))
    };
    let mut lines: Vec<String> = report.speakers.iter().filter_map(guessed).collect();
    lines.dedup();
    lines
}

fn page(catalogue: &Catalogue, report: &Report, told: &[ToldReport]) -> String {
    let (mut page, mut proofs) = (Page::default(), Proofs::new(catalogue));
    page.say(0, &report.verdict);
    taken_for(report).iter().for_each(|line| page.say(0, line));
    if !told.is_empty() {
        page.gap();
        page.say(0, "What the speakers told");
        told.iter().for_each(|one| page.item(2, "- ", &one.text));
    }
    for (n, judged) in report.methods.iter().enumerate() {
        page.gap();
        method(&mut page, &mut proofs, n + 1, judged, judged.method.id == report.best);
    }
    facts(&mut page, &mut proofs, report);
    proofs.list(&mut page);
    page.text()
}

fn standing(standing: Standing, best: bool) -> &'static str {
    match standing {
        _ if best => "THE BEST AS THINGS ARE",
        Standing::Works => "works",
        Standing::Maybe => "works if",
        Standing::NotYet => "works after",
        Standing::WithMore => "works with more devices",
        Standing::Cannot => "cannot",
        Standing::Later => "not in this version",
    }
}

fn method(page: &mut Page, proofs: &mut Proofs, number: usize, judged: &Judged, best: bool) {
    let (method, indent) = (judged.method, 4);
    let title = format!("{}: {}", method.title, standing(judged.standing, best));
    page.item(0, &format!("{number:>2}. "), &title);
    let marks: Vec<String> = judged.proofs.iter().map(|proof| proofs.mark(proof)).collect();
    page.say(indent, &format!("{} {}", judged.why, marks.join(" ")));
    if matches!(judged.standing, Standing::Cannot | Standing::Later) {
        return;
    }
    page.say(indent, &format!("Gives {}.", method.sound));
    if let Some((ms, proof)) = &judged.latency_ms {
        let mark = proofs.mark(proof);
        page.say(indent, &format!("The two are then {ms} ms apart {mark}."));
    }
    for (text, proof) in &method.says {
        let mark = proofs.mark(proof);
        let refuted = if proof.evidence.stands() { "" } else { "Not so: " };
        page.item(indent, "- ", &format!("{refuted}{text} {mark}"));
    }
    judged.gates.iter().for_each(|one| gate(page, proofs, one));
    judged.how.iter().for_each(|command| page.command(indent, &format!("> {command}")));
}

fn gate(page: &mut Page, proofs: &mut Proofs, gate: &Gate) {
    let have = match (&gate.have, gate.met) {
        (Some(have), Some(true)) => format!("{have} is enough"),
        (Some(have), Some(false)) => format!("{have} is not enough"),
        (Some(have), None) => format!("{have} cannot be compared"),
        (None, _) => "yours is not known".to_owned(),
    };
    let mark = gate.proof.as_ref().map_or(String::new(), |proof| format!(" {}", proofs.mark(proof)));
    let sign = match gate.met {
        Some(true) => "[x] ",
        Some(false) => "[ ] ",
        None => "[?] ",
    };
    page.item(4, sign, &format!("{}: {}; {have}.{mark}", gate.what, gate.need));
    gate.todo.iter().for_each(|todo| page.item(8, "* ", todo));
}

fn facts(page: &mut Page, proofs: &mut Proofs, report: &Report) {
    let mut of = "";
    for (name, fact) in &report.facts {
        if name != of {
            page.gap();
            page.say(0, &format!("What is said of {name}"));
            of = name;
        }
        let mark = proofs.mark(&fact.proof);
        page.item(2, "- ", &format!("{} {mark}", fact.statement.words()));
    }
}

fn of(catalogue: &Catalogue, report: &Report, told: Vec<ToldReport>) -> CheckReport {
    CheckReport {
        schema: ADVICE_SCHEMA,
        speakers: report.speakers.iter().map(speaker).collect(),
        alike: report.alike,
        source: report.host.to_string(),
        verdict: report.verdict.clone(),
        best: report.best.to_string(),
        methods: report.methods.iter().map(|judged| method_report(catalogue, judged)).collect(),
        facts: report.facts.iter().map(|(name, fact)| fact_report(catalogue, name, fact)).collect(),
        told,
    }
}

fn speaker(speaker: &Speaker) -> SpeakerReport {
    let model = speaker.found().map(|found| found.model);
    SpeakerReport {
        typed: speaker.typed.clone(),
        name: speaker.found().map(|found| found.name.to_owned()),
        id: model.map(|model| model.id.clone()),
        brand: model.map(|model| model.brand.clone()),
        kind: model.map(|model| model.kind.as_str().to_owned()),
        nearest: match &speaker.named {
            Named::Known(_) => Vec::new(),
            Named::Several(names) | Named::Unknown(names) => names.clone(),
        },
    }
}

fn method_report(catalogue: &Catalogue, judged: &Judged) -> MethodReport {
    let proof = |proof| proofs::report(catalogue, proof);
    MethodReport {
        id: judged.method.id.to_string(),
        title: judged.method.title.clone(),
        sound: judged.method.sound.clone(),
        standing: judged.standing.as_str().to_owned(),
        why: judged.why.clone(),
        latency_ms: judged.latency_ms.as_ref().map(|(ms, _)| *ms),
        latency_proof: judged.latency_ms.as_ref().map(|(_, of)| proof(of)),
        proofs: judged.proofs.iter().map(proof).collect(),
        gates: judged.gates.iter().map(|gate| gate_report(catalogue, gate)).collect(),
        says: judged
            .method
            .says
            .iter()
            .map(|(text, of)| SaidReport { text: text.clone(), proof: proof(of) })
            .collect(),
        how: judged.how.clone(),
    }
}

fn gate_report(catalogue: &Catalogue, gate: &Gate) -> GateReport {
    GateReport {
        what: gate.what.clone(),
        need: gate.need.clone(),
        have: gate.have.clone(),
        met: gate.met,
        todo: gate.todo.clone(),
        proof: gate.proof.as_ref().map(|proof| proofs::report(catalogue, proof)),
    }
}

/// A fact for programs.
pub fn fact_report(catalogue: &Catalogue, of: &str, fact: &antiphon_catalog::Fact) -> FactReport {
    FactReport {
        of: of.to_owned(),
        text: fact.statement.words(),
        proof: proofs::report(catalogue, &fact.proof),
    }
}
