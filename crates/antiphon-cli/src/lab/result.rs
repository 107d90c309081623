//! A measurement handed over: words or JSON, pages, and the exit code.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use antiphon_api::json;
use antiphon_measure::lab::measurement::{Grade, Measurement};
use antiphon_measure::lab::report::{self, ReportContext};

use super::args::ResultArgs;
use super::{convert, words};
use crate::exit::{Exit, Failure};
use crate::terminal;

/// The page of a result.
pub const PAGE: &str = "report.html";

/// Tells `measurement` of `recording` as asked.
///
/// # Errors
/// The report cannot be written.
pub fn deliver(measurement: &Measurement, recording: &str, to: &ResultArgs) -> Result<Exit, Failure> {
    if let Some(dir) = &to.report {
        write_report(dir, PAGE, measurement, recording, &[])?;
        for (name, svg) in report::pictures(measurement) {
            write(dir, &format!("{name}.svg"), &svg)?;
        }
        write(dir, "measurement.json", &json::write_pretty(&convert::report(measurement, recording)))?;
        terminal::note(&format!("the report is {}", dir.join(PAGE).display()));
    }
    let text = match to.json {
        true => json::write_pretty(&convert::report(measurement, recording)),
        false => words::tell(measurement),
    };
    // Done, whether somebody reads it or not.
    let _ = terminal::print(&text);
    Ok(exit(measurement))
}

/// The exit code of a measurement.
pub fn exit(measurement: &Measurement) -> Exit {
    if measurement.grade == Grade::NotTrustworthy { Exit::Untrustworthy } else { Exit::Ok }
}

/// Writes the page `name` into `dir`, which is made if it is not there.
///
/// # Errors
/// The place cannot be written.
pub fn write_report(
    dir: &Path,
    name: &str,
    measurement: &Measurement,
    recording: &str,
    notes: &[String],
) -> Result<(), Failure> {
    let fact = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let context = ReportContext {
        title: "How far apart the speakers are".into(),
        when: utc(today()),
        facts: vec![
            fact("Heard by", recording),
            fact("Worked out by", concat!("antiphon ", env!("CARGO_PKG_VERSION"))),
        ],
        notes: notes.to_vec(),
    };
    write(dir, name, &report::html(measurement, &context))
}

#[expect(clippy::disallowed_methods, reason = "a page bears a date; nothing is timed with it")]
fn today() -> SystemTime {
    SystemTime::now()
}

/// Writes one file of a report.
///
/// # Errors
/// The place cannot be written.
pub fn write(dir: &Path, name: &str, text: &str) -> Result<(), Failure> {
    let path = dir.join(name);
    std::fs::create_dir_all(dir).and_then(|()| std::fs::write(&path, text)).map_err(|error| {
        let message =
            format!("cannot write {}: {error}; name another directory with --report", path.display());
        Failure::failed(message)
    })
}

/// Date and time in words that sort: days to year, month and day as in Howard Hinnant's
/// `civil_from_days`.
fn utc(at: SystemTime) -> String {
    let s = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let days = s / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {:02}:{:02} UTC", s / 3_600 % 24, s / 60 % 60)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_date_is_the_one_in_the_calendar() {
        for (s, date) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (1_767_225_599, "2025-12-31 23:59 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(s)), date);
        }
    }
}
