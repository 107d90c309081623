//! `antiphon catalog add-measurement`: from a measurement to a fact.

use std::fs;
use std::path::{Path, PathBuf};

use antiphon_api::json;
use antiphon_api::measurement::MeasurementReport;
use antiphon_catalog::{Catalogue, Found, Measured, Named};

use super::args::AddArgs;
use super::catalog::FOLDER;
use super::files;
use super::page::offered;
use crate::exit::{Exit, Failure};
use crate::terminal;
use crate::told::day_of;

/// Writes the fact into the model's file, or prints it where there is none.
pub fn run(args: &AddArgs) -> Result<Exit, Failure> {
    let own = args.file.clone().map_or_else(begun, |file| vec![file]);
    let (catalogue, _) = files::load(&own)?;
    let found = model(&catalogue, &args.model)?;
    let measured = measured(args)?;
    let there = PathBuf::from(FOLDER).join(format!("{}.toml", found.model.id));
    let Some(file) = args.file.clone().or_else(|| there.is_file().then_some(there)) else {
        terminal::print(measured.fact(&found).trim_start());
        terminal::note(&format!(
            "It belongs at the end of {FOLDER}/{}.toml of Antiphon's sources; run this there, or name a file with --file.",
            found.model.id
        ));
        return Ok(Exit::Ok);
    };
    add(&measured, &found, &file)
}

/// Files of the folder that the program may not carry yet.
fn begun() -> Vec<PathBuf> {
    let entries = fs::read_dir(FOLDER).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "toml")).collect();
    files.sort();
    files
}

fn add(measured: &Measured, found: &Found, file: &Path) -> Result<Exit, Failure> {
    let (_, text) = files::read(file)?;
    let (text, flaws) = measured.added_to(&text, found);
    if let Some(flaw) = flaws.first() {
        return Err(Failure::failed(format!("nothing was written: {flaw}")));
    }
    let beside = file.with_extension("toml.new");
    let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, file));
    written.map_err(|error| Failure::failed(format!("cannot write {}: {error}", file.display())))?;
    terminal::note(&format!(
        "{} says that two {} play {} ms apart. See it: antiphon check {:?} --with {}",
        file.display(),
        found.name,
        (measured.latency_ms * 100.0).round() / 100.0,
        found.name,
        file.display()
    ));
    Ok(Exit::Ok)
}

fn model<'a>(catalogue: &'a Catalogue, typed: &str) -> Result<Found<'a>, Failure> {
    let (names, lead) = match catalogue.find(typed) {
        Named::Known(found) => return Ok(found),
        Named::Several(names) => (names, "may be"),
        Named::Unknown(names) => (names, "is not known; antiphon catalog new begins a file. Nearest:"),
    };
    Err(Failure::new(Exit::NotFound, format!("{typed:?} {lead} {}", offered(&names, ", "))))
}

fn measured(args: &AddArgs) -> Result<Measured, Failure> {
    let path = args.result.display();
    let bytes = fs::read(&args.result)
        .map_err(|error| Failure::new(Exit::NotFound, format!("cannot read {path}: {error}")))?;
    let report: MeasurementReport = json::read("the measurement", &bytes).map_err(|error| {
        Failure::new(Exit::Usage, format!("{path} is not what antiphon measure --json writes: {error}"))
    })?;
    let firmware = args.firmware.as_ref().map(|version| format!("firmware {version}; ")).unwrap_or_default();
    Ok(Measured {
        latency_ms: apart_ms(&report)?,
        purpose: args.purpose,
        date: args.date.clone().or_else(|| day_of(&args.result)).unwrap_or_default(),
        grade: report.grade.clone(),
        conditions: format!("{firmware}{}", args.conditions.trim()),
    })
}

/// How far apart the two were.
fn apart_ms(report: &MeasurementReport) -> Result<f64, Failure> {
    let widest = report.pairs.iter().map(|pair| pair.delay_us.abs()).max_by(f64::total_cmp);
    match (report.grade.as_str(), widest) {
        ("good" | "usable", Some(delay_us)) => Ok(delay_us / 1_000.0),
        (_, None) => Err(Failure::failed("the measurement has not heard two speakers: nothing was written")),
        (grade, _) => {
            let why = report.reasons.first().map(String::as_str).unwrap_or_default();
            let grade = grade.replace('_', " ");
            Err(Failure::failed(format!("the measurement is {grade} and proves nothing: {why}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use antiphon_api::measurement::PairReport;

    use super::*;

    #[test]
    fn only_a_measurement_that_is_to_be_trusted_becomes_a_fact() {
        let report = |grade: &str, delays: &[f64]| MeasurementReport {
            grade: grade.into(),
            reasons: vec!["it clips".into()],
            pairs: delays.iter().map(|us| PairReport { delay_us: *us, ..PairReport::default() }).collect(),
            ..MeasurementReport::default()
        };
        assert_eq!(apart_ms(&report("good", &[-5_000.0])).unwrap(), 5.0);
        assert_eq!(apart_ms(&report("usable", &[10.0, -70.0])).unwrap(), 0.07);
        let refused = apart_ms(&report("not_trustworthy", &[1.0])).unwrap_err();
        assert!(
            refused.message.contains("not trustworthy") && refused.message.contains("it clips"),
            "{refused}"
        );
        assert!(apart_ms(&report("good", &[])).is_err());
    }
}
