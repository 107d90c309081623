//! `antiphon guide`: a method step by step, at a terminal, as text, or as data.

mod args;

mod choose;

mod write;

mod looks;

mod lead;

use std::fs;
use std::path::{Path, PathBuf};

use antiphon_api::advice::GuideReport;
use antiphon_api::json;
use antiphon_catalog::Catalogue;
use antiphon_catalog::guide::{Plan, Saved, Walk};

pub use args::GuideArgs;

use super::CaseArgs;
use super::files;
use crate::exit::{Exit, Failure};
use crate::pair::{AtTerminal, Person, yes_or_no};
use crate::{dirs, terminal};
use choose::Wish;
use lead::Ended;
use looks::Looks;

/// Leads, prints or writes.
pub fn run(args: &GuideArgs) -> Result<Exit, Failure> {
    let catalogue = files::sound(&args.with.with)?;
    let mut person = AtTerminal::new(args.print || args.json);
    let kept = if person.is_there() && !args.again { saved(&file()?) } else { None };
    let (plan, model) = match choose::plan(&catalogue, args, kept.as_ref())? {
        Wish::Plan(plan, model) => (*plan, model),
        Wish::List => {
            terminal::print(&choose::list(&catalogue));
            return Ok(Exit::Ok);
        }
    };
    if args.json {
        terminal::print(&json::write_pretty(&write::report(&catalogue, &plan)));
        return Ok(Exit::Ok);
    }
    if !person.is_there() {
        terminal::print(&write::page(&catalogue, &plan));
        return Ok(Exit::Ok);
    }
    interactive(&catalogue, &plan, kept, model.as_deref(), &mut person)
}

/// The steps of the guide `method`, or of the best method for two models, for programs.
///
/// # Errors
/// Neither is named, or known.
pub fn report(
    case: &CaseArgs,
    method: Option<&str>,
    model: Option<&str>,
    other: Option<&str>,
) -> Result<GuideReport, Failure> {
    let catalogue = Catalogue::embedded();
    match choose::choice(&catalogue, case, method, model, other)? {
        Wish::Plan(plan, _) => Ok(write::report(&catalogue, &plan)),
        Wish::List => {
            Err(Failure::new(Exit::Usage, "name a method or a model: ?method=host-pair, ?model=flip+6"))
        }
    }
}

fn interactive(
    catalogue: &Catalogue,
    plan: &Plan,
    kept: Option<Saved>,
    model: Option<&str>,
    person: &mut AtTerminal,
) -> Result<Exit, Failure> {
    let file = file()?;
    let Some(walk) = taken_up(plan, kept, person) else { return left(person) };
    let keep = |walk: &Walk| write_atomically(&file, &Saved::of(walk, plan, &[]).to_text());
    let mut looks = Looks::new(catalogue, plan, model);
    match lead::lead(plan, walk, person, &mut looks, &keep)? {
        Ended::Done => {
            // It is no longer of use, and its absence says so.
            let _ = fs::remove_file(&file);
            person.tell("Done. To undo all of it: antiphon guide undo");
            Ok(Exit::Ok)
        }
        Ended::Left => left(person),
    }
}

/// That is an end too.
fn left(person: &mut dyn Person) -> Result<Exit, Failure> {
    person.tell("Kept. To go on: antiphon guide");
    Ok(Exit::Ok)
}

/// The walk that was left, if somebody wants it, else a new one; `None`: somebody leaves.
fn taken_up(plan: &Plan, kept: Option<Saved>, person: &mut dyn Person) -> Option<Walk> {
    let Some(saved) = kept.filter(|saved| saved.guide == plan.guide && saved.model == plan.model) else {
        return Some(Walk::new());
    };
    match saved.walk(plan) {
        Ok(walk) if walk != Walk::new() => {
            let at = walk.step(plan).map_or("its end", |planned| planned.step.task.as_str());
            let question = format!("You were at: {at}\nGo on there?");
            yes_or_no(person, &question, Some(true)).map(|yes| if yes { walk } else { Walk::new() })
        }
        Ok(walk) => Some(walk),
        Err(error) => {
            person.tell(&format!("The place that was kept cannot be taken up: {error}. From the beginning."));
            Some(Walk::new())
        }
    }
}

fn file() -> Result<PathBuf, Failure> {
    Ok(dirs::state()?.join("guide.toml"))
}

/// What was kept; nothing, if it does not read: it is worth a step or two, not an error.
fn saved(file: &Path) -> Option<Saved> {
    let text = fs::read_to_string(file).ok()?;
    Saved::from_text(&text)
        .inspect_err(|error| tracing::warn!("{} is of no use: {error}", file.display()))
        .ok()
}

fn write_atomically(file: &Path, text: &str) -> Result<(), Failure> {
    let beside = file.with_extension("toml.new");
    let parent = file.parent().unwrap_or(Path::new("."));
    let written = fs::create_dir_all(parent)
        .and_then(|()| fs::write(&beside, text))
        .and_then(|()| fs::rename(&beside, file));
    written.map_err(|error| {
        let message = format!(
            "cannot keep your place in {}: {error}; name another directory with ANTIPHON_STATE_DIR",
            file.display()
        );
        Failure::failed(message)
    })
}
