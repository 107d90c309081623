//! `antiphon measure`: from a recording, or from a microphone that listens now, to a verdict.

use std::path::Path;

use antiphon_measure::lab::{self, Excitation, Options};

use super::args::MeasureArgs;
use super::live::{self, Session};
use super::{Ended, recording, result, track};
use crate::exit::{Exit, Failure};
use crate::{signals, terminal};

/// Measures.
pub fn run(args: &MeasureArgs) -> Result<Exit, Failure> {
    match &args.recording {
        Some(recording) => offline(args, recording),
        None => listening(args).or_else(Ended::exit),
    }
}

fn offline(args: &MeasureArgs, file: &Path) -> Result<Exit, Failure> {
    let excitation = Excitation::track();
    if let Some(file) = &args.signal {
        terminal::note(&track::check(file, &excitation)?);
    }
    let options = Options {
        names: vec!["left".into(), "right".into()],
        near: args.near.as_deref().map(|near| usize::from(near == "right")),
    };
    let heard = recording::read(file, &excitation)?;
    heard.remarks.iter().for_each(|remark| terminal::note(remark));
    let measurement = lab::measure_found(&heard.found, &excitation, &options);
    result::deliver(&measurement, &file.display().to_string(), &args.result)
}

fn listening(args: &MeasureArgs) -> Result<Exit, Ended> {
    let stop = signals::stop_flag()?;
    let stage = live::stage(&args.live, &stop)?;
    let mut microphone = live::microphone(&args.live, &stop)?;
    let mut session = Session::begin(&args.live, stage, &mut microphone, &stop)?;
    let measurement = session.measure("measuring", &stop)?;
    let microphone = session.name.clone();
    // The speakers get their roles back before a report is written.
    drop(session);
    Ok(result::deliver(&measurement, &microphone, &args.result)?)
}
