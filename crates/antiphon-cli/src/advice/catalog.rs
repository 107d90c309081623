//! `antiphon catalog`: what is known, whether it is sound, and how to add to it.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use antiphon_api::advice::{ADVICE_SCHEMA, CatalogueReport, ModelReport};
use antiphon_api::json;
use antiphon_catalog::{Catalogue, Model, template};

use super::add;
use super::args::{CatalogAction, CatalogArgs};
use super::check::fact_report;
use super::files;
use crate::exit::{Exit, Failure};
use crate::terminal;

/// Does it.
pub fn run(args: &CatalogArgs) -> Result<Exit, Failure> {
    match &args.action {
        CatalogAction::List { json } => list(*json),
        CatalogAction::Lint { files } => lint(files),
        CatalogAction::New { model, brand, dir } => new(model, brand.as_deref(), dir.as_deref()),
        CatalogAction::AddMeasurement(args) => add::run(args),
    }
}

fn list(as_json: bool) -> Result<Exit, Failure> {
    let catalogue = Catalogue::embedded();
    let text = match as_json {
        true => {
            let models = catalogue.models.iter().map(|model| report(&catalogue, model)).collect();
            json::write_pretty(&CatalogueReport { schema: ADVICE_SCHEMA, models })
        }
        false => catalogue.models.iter().map(line).collect(),
    };
    terminal::print(&text);
    Ok(Exit::Ok)
}

/// A line for a model, and one for each that a family covers.
fn line(model: &Model) -> String {
    let count = |word: &str| model.facts.iter().filter(|fact| fact.proof.evidence.word() == word).count();
    let counts: Vec<String> = ["measured", "documented", "claimed", "refuted"]
        .into_iter()
        .filter(|word| count(word) > 0)
        .map(|word| format!("{} {word}", count(word)))
        .collect();
    let mut text = format!("{:<40}{:<15}{}\n", model.name, model.kind.as_str(), counts.join(", "));
    for name in model.covers.iter().filter(|name| **name != model.name) {
        text.push_str(&format!("    {name}\n"));
    }
    text
}

fn report(catalogue: &Catalogue, model: &Model) -> ModelReport {
    let fact = |fact: &antiphon_catalog::Fact| {
        let of = if fact.only.is_empty() { model.name.clone() } else { fact.only.join(", ") };
        fact_report(catalogue, &of, fact)
    };
    ModelReport {
        id: model.id.clone(),
        name: model.name.clone(),
        brand: model.brand.clone(),
        kind: model.kind.as_str().to_owned(),
        covers: model.covers.clone(),
        facts: model.facts.iter().map(fact).collect(),
    }
}

fn lint(files: &[PathBuf]) -> Result<Exit, Failure> {
    let (catalogue, flaws) = files::load(files)?;
    flaws.iter().for_each(|flaw| terminal::note(&flaw.to_string()));
    match flaws.len() {
        0 => {
            terminal::note(&format!("{} models, nothing wrong", catalogue.models.len()));
            Ok(Exit::Ok)
        }
        n => Err(Failure::failed(format!("{n} thing{} to mend", if n == 1 { "" } else { "s" }))),
    }
}

/// Where the repository keeps them.
pub const FOLDER: &str = "catalog/speakers";

fn new(model: &str, brand: Option<&str>, dir: Option<&Path>) -> Result<Exit, Failure> {
    let made = template(model, brand).ok_or_else(|| {
        let message = format!("{model:?} is no model's name; write it as its maker does: \"JBL Flip 6\"");
        Failure::new(Exit::Usage, message)
    })?;
    let dir = dir.unwrap_or_else(|| Path::new(if Path::new(FOLDER).is_dir() { FOLDER } else { "." }));
    let path = dir.join(&made.file);
    let file = OpenOptions::new().write(true).create_new(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(made.text.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::failed(format!("{} is there already; edit it", path.display())),
        _ => Failure::failed(format!("cannot write {}: {error}; name a folder with --dir", path.display())),
    })?;
    terminal::print(&format!("{}\n", path.display()));
    let path = path.display();
    terminal::note(&format!("Write what you know into it, then: antiphon catalog lint {path}"));
    terminal::note(&format!("Try it: antiphon check {model:?} --with {path}"));
    Ok(Exit::Ok)
}
