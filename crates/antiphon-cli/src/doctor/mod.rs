//! `antiphon doctor`: looks at this machine and its speakers, and says what to do.
//!
//! `gather` looks and concludes nothing; `judge` concludes and looks at nothing, so that it can be tried
//! with machines that are not here.

mod args;

mod machine;

mod gather;

mod judge;

mod print;

mod mask;

mod bundle;

pub use args::DoctorArgs;

use antiphon_api::doctor::DoctorReport;
use antiphon_api::json;

use crate::exit::{Exit, Failure};
use crate::terminal;
use judge::Level;

/// What was found of this machine, for programs; nothing is connected.
pub fn report() -> DoctorReport {
    print::report(&judge::all(&gather::machine(false)))
}

/// Looks and tells; ends with "failed" where something will not work as it is.
pub fn run(args: &DoctorArgs) -> Result<Exit, Failure> {
    if !args.json {
        terminal::note(if args.connect {
            "Looking at this machine, and trying each paired speaker ..."
        } else {
            "Looking at this machine ..."
        });
    }
    let machine = gather::machine(args.connect);
    let findings = judge::all(&machine);
    let report = print::report(&findings);
    if let Some(file) = &args.bundle {
        bundle::write(file, &machine, &findings)?;
        terminal::note(&format!(
            "{} has the report and what was looked at; names and addresses are masked. Read it before you send it.",
            file.display()
        ));
    }
    terminal::print(&if args.json { json::write_pretty(&report) } else { print::page(&findings) });
    let failed = findings.iter().any(|finding| finding.level == Level::Fail);
    Ok(if failed { Exit::Failed } else { Exit::Ok })
}
