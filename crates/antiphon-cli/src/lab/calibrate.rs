//! `antiphon calibrate`: measure, correct, measure again, and keep what is better.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use antiphon_api::measurement::{CalibrateReport, CorrectionReport, MEASUREMENT_SCHEMA};
use antiphon_api::{
    CalibrationGrade, CalibrationMethod, CalibrationRequest, Client, SpeakerCalibration, json,
};
use antiphon_measure::lab::calibrate::{
    Correction, Present, Refusal, corrections, is_better, is_broken, stand_still,
};
use antiphon_measure::lab::measurement::{Grade, Measurement};

use super::args::CalibrateArgs;
use super::live::{self, Session};
use super::microphone::Microphone;
use super::stage::Stage;
use super::{Ended, convert, follow, keep, result, words};
use crate::exit::{Exit, Failure};
use crate::{find, signals, terminal};

/// Corrections below this are what two measurements differ by for no reason.
const SAME_US: i64 = 5;

/// The same for levels.
const SAME_DB: f32 = 0.5;

/// So many times more is it measured while the speakers' clocks have not settled. Those of speakers that
/// are none of Antiphon's own never do.
const SETTLE_TRIES: u32 = 2;

/// A speaker glides to its new delay within a fraction of this.
const SETTLE: Duration = Duration::from_millis(500);

/// Calibrates, once or whenever it is needed, follows, or takes the latest calibration back.
pub fn run(args: &CalibrateArgs) -> Result<Exit, Failure> {
    match &args.follow {
        _ if args.undo => undo(args),
        Some(music) => follow::run(args, music),
        None if args.keep => keep::run(args),
        None => once(args).or_else(Ended::exit),
    }
}

fn once(args: &CalibrateArgs) -> Result<Exit, Ended> {
    let stop = signals::stop_flag()?;
    let stage = live::stage(&args.live, &stop)?;
    let mut microphone = live::microphone(&args.live, &stop)?;
    calibrate(args, stage, &mut microphone, &stop)
}

/// Measures the speakers on `stage`, corrects them, checks it, and says what came of it.
///
/// # Errors
/// The hub or the microphone is gone; interrupted.
pub fn calibrate(
    args: &CalibrateArgs,
    stage: Stage,
    microphone: &mut Microphone,
    stop: &AtomicBool,
) -> Result<Exit, Ended> {
    let (microphone, before, attempt) = try_it(args, stage, microphone, stop)?;
    Ok(deliver(args, &microphone, &before, &attempt)?)
}

/// The same, for programs: what came of it, and that in words.
///
/// # Errors
/// As [`calibrate`].
pub fn calibrate_quietly(
    args: &CalibrateArgs,
    stage: Stage,
    microphone: &mut Microphone,
    stop: &AtomicBool,
) -> Result<(CalibrateReport, String), Ended> {
    let (microphone, before, attempt) = try_it(args, stage, microphone, stop)?;
    Ok((report(args.equal_distance, &microphone, &before, &attempt), tell(&attempt)))
}

/// The speakers have their roles back when it returns.
fn try_it(
    args: &CalibrateArgs,
    stage: Stage,
    microphone: &mut Microphone,
    stop: &AtomicBool,
) -> Result<(String, Measurement, Attempt), Ended> {
    let mut session = Session::begin(&args.live, stage, microphone, stop)?;
    let before = settled(&mut session, "measuring", stop)?;
    terminal::note(&format!("before: {}", words::verdict(&before)));
    let attempt = attempt(&mut session, args, &before, stop)?;
    Ok((session.name.clone(), before, attempt))
}

/// Corrects by a recording of the measure track that somebody made while the speakers played it. Whether they are
/// together then, the next recording tells.
///
/// # Errors
/// The hub is gone, or will not have it.
pub fn calibrate_by(
    client: &Client,
    measured: &Measurement,
    recording: &str,
) -> Result<(CalibrateReport, String), Failure> {
    let (present, method) = (present(client)?, CalibrationMethod::Place);
    let attempt = |outcome, corrections| Attempt { outcome, corrections, after: None };
    let attempt = match corrections(measured, &present, None) {
        Err(refusal) => attempt(Outcome::Refused(refusal), Vec::new()),
        Ok(corrections) if is_worth_it(&corrections, &present) => {
            client.calibrate(&request(&corrections, measured, method, false))?;
            attempt(Outcome::Applied, corrections)
        }
        Ok(corrections) => {
            confirm(client, &present, measured, method)?;
            attempt(Outcome::NothingToDo, corrections)
        }
    };
    Ok((report(false, recording, measured, &attempt), tell(&attempt)))
}

/// Measures until the speakers' clocks agree and nothing breaks off, a few times: speakers that have just begun to play, or
/// whose network was disturbed, move by some tens of microseconds until they know the time again.
fn settled(session: &mut Session<'_>, what: &str, stop: &AtomicBool) -> Result<Measurement, Ended> {
    let mut measurement = session.measure(what, stop)?;
    for _ in 0..SETTLE_TRIES {
        let again = match stand_still(&measurement) {
            _ if is_broken(&measurement) => "once more, the sound jumped or broke off",
            Err(_) => "once more, the speakers were moving",
            Ok(()) => break,
        };
        measurement = session.measure(again, stop)?;
    }
    Ok(measurement)
}

/// What came of it.
enum Outcome {
    Kept,
    /// Set, and not checked yet.
    Applied,
    NothingToDo,
    PutBack(String),
    Refused(Refusal),
}

struct Attempt {
    outcome: Outcome,
    corrections: Vec<Correction>,
    after: Option<Measurement>,
}

fn attempt(
    session: &mut Session<'_>,
    args: &CalibrateArgs,
    before: &Measurement,
    stop: &AtomicBool,
) -> Result<Attempt, Ended> {
    // How far does not matter where it is equally far.
    let distances = args.equal_distance.then(|| vec![1.0; before.channels.len()]);
    let client = session.stage().client().clone();
    let present = present(&client)?;
    let corrections = match corrections(before, &present, distances.as_deref()) {
        Ok(corrections) => corrections,
        Err(refusal) => {
            return Ok(Attempt { outcome: Outcome::Refused(refusal), corrections: Vec::new(), after: None });
        }
    };
    let method =
        if args.equal_distance { CalibrationMethod::EqualDistance } else { CalibrationMethod::Place };
    if !is_worth_it(&corrections, &present) {
        confirm(&client, &present, before, method)?;
        return Ok(Attempt { outcome: Outcome::NothingToDo, corrections, after: None });
    }
    corrections.iter().for_each(|correction| terminal::note(&format!("set:    {}", set(correction))));
    let applied = Applied::put(&client, &corrections, before, method)?;
    std::thread::sleep(SETTLE);
    let after = settled(session, "checking", stop)?;
    terminal::note(&format!("after:  {}", words::verdict(&after)));
    let outcome = match is_better(before, &after, distances.as_deref()) {
        Ok(()) => {
            applied.keep(&corrections, &after, method)?;
            Outcome::Kept
        }
        Err(why) => Outcome::PutBack(why),
    };
    Ok(Attempt { outcome, corrections, after: Some(after) })
}

/// The calibrations in force while it was measured.
fn present(client: &Client) -> Result<Vec<Present>, Failure> {
    let named = |speaker: antiphon_api::SpeakerStatus| {
        speaker.calibration.map(|calibration| Present {
            name: speaker.name,
            delay_us: calibration.delay_us,
            gain_db: calibration.gain_db,
        })
    };
    Ok(client.status()?.speakers.into_iter().filter_map(named).collect())
}

fn is_worth_it(corrections: &[Correction], present: &[Present]) -> bool {
    let common = |of: &dyn Fn(&Correction) -> i64| corrections.iter().map(of).min().unwrap_or_default();
    let was = |name: &str| present.iter().find(|present| present.name == name);
    // What all wait for together is no correction.
    let shift = common(&|c| c.delay_us - was(&c.name).map_or(0, |p| p.delay_us));
    corrections.iter().any(|c| {
        let (delay, gain) = was(&c.name).map_or((0, 0.0), |p| (p.delay_us, p.gain_db));
        (c.delay_us - delay - shift).abs() > SAME_US || (c.gain_db - gain).abs() >= SAME_DB
    })
}

/// A calibration that was found to hold is dated anew.
fn confirm(
    client: &Client,
    present: &[Present],
    measured: &Measurement,
    method: CalibrationMethod,
) -> Result<(), Failure> {
    let held = |present: &Present| Correction {
        name: present.name.clone(),
        delay_us: present.delay_us,
        gain_db: present.gain_db,
    };
    let is_measured = |p: &&Present| measured.channels.iter().any(|channel| channel.name == p.name);
    let held: Vec<Correction> = present.iter().filter(is_measured).map(held).collect();
    if !held.is_empty() {
        client.calibrate(&request(&held, measured, method, true))?;
    }
    Ok(())
}

/// A calibration on trial: it goes back when this is dropped, unless it was kept.
struct Applied<'a> {
    client: &'a Client,
    kept: bool,
}

impl<'a> Applied<'a> {
    fn put(
        client: &'a Client,
        corrections: &[Correction],
        measured: &Measurement,
        method: CalibrationMethod,
    ) -> Result<Self, Failure> {
        client.calibrate(&request(corrections, measured, method, false))?;
        Ok(Self { client, kept: false })
    }

    fn keep(
        mut self,
        corrections: &[Correction],
        measured: &Measurement,
        method: CalibrationMethod,
    ) -> Result<(), Failure> {
        self.client.calibrate(&request(corrections, measured, method, true))?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Applied<'_> {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if let Err(error) = self.client.undo_calibration(None) {
            tracing::warn!(
                "what was before could not be put back: {error}; do it with `antiphon calibrate --undo`"
            );
        }
    }
}

fn request(
    corrections: &[Correction],
    measured: &Measurement,
    method: CalibrationMethod,
    verified: bool,
) -> CalibrationRequest {
    let grade = if measured.grade == Grade::Good { CalibrationGrade::Good } else { CalibrationGrade::Usable };
    let speaker = |correction: &Correction| SpeakerCalibration {
        name: correction.name.clone(),
        delay_us: correction.delay_us,
        gain_db: correction.gain_db,
        grade,
        uncertainty_us: uncertainty_us(measured, &correction.name),
        method,
        verified,
    };
    CalibrationRequest {
        speakers: corrections.iter().map(speaker).collect(),
        ..CalibrationRequest::default()
    }
}

/// How well a speaker's delay is known against the one it is known worst against.
fn uncertainty_us(measured: &Measurement, name: &str) -> f64 {
    let is_of = |channel: usize| measured.channels.get(channel).is_some_and(|c| c.name == name);
    let pairs = measured.pairs.iter().filter(|pair| is_of(pair.a) || is_of(pair.b));
    pairs.map(|pair| pair.delay_us.half_95()).fold(0.0, f64::max)
}

fn set(correction: &Correction) -> String {
    let waits = match correction.delay_us {
        0 => "waits for nobody".to_owned(),
        us => format!("waits {}", words::span(us as f64)),
    };
    let down = match correction.gain_db {
        gain if gain > -0.05 => String::new(),
        gain => format!(", turned down by {:.1} dB", -gain),
    };
    format!("{} {waits}{down}", correction.name)
}

fn deliver(
    args: &CalibrateArgs,
    microphone: &str,
    before: &Measurement,
    attempt: &Attempt,
) -> Result<Exit, Failure> {
    if let Some(dir) = &args.result.report {
        write_pages(dir, microphone, before, attempt)?;
        result::write(
            dir,
            "calibration.json",
            &json::write_pretty(&report(args.equal_distance, microphone, before, attempt)),
        )?;
    }
    let text = match args.result.json {
        true => json::write_pretty(&report(args.equal_distance, microphone, before, attempt)),
        false => tell(attempt),
    };
    // Done, whether somebody reads it or not.
    let _ = terminal::print(&text);
    Ok(match &attempt.outcome {
        Outcome::Kept | Outcome::Applied | Outcome::NothingToDo => Exit::Ok,
        Outcome::Refused(_) => Exit::Untrustworthy,
        Outcome::PutBack(_) => {
            attempt.after.as_ref().map_or(Exit::Failed, |after| match result::exit(after) {
                Exit::Ok => Exit::Failed,
                untrustworthy => untrustworthy,
            })
        }
    })
}

/// The page of how it is, and beside it that of how it was.
fn write_pages(dir: &Path, microphone: &str, before: &Measurement, attempt: &Attempt) -> Result<(), Failure> {
    let Some(after) = &attempt.after else {
        return result::write_report(dir, result::PAGE, before, microphone, &[tell(attempt)]);
    };
    let mut notes = vec![tell(attempt), format!("Before the calibration: {}", words::verdict(before))];
    notes.extend(attempt.corrections.iter().map(set));
    result::write_report(dir, result::PAGE, after, microphone, &notes)?;
    result::write_report(dir, "before.html", before, microphone, &[])
}

fn tell(attempt: &Attempt) -> String {
    match &attempt.outcome {
        Outcome::Kept => {
            let after = attempt.after.as_ref().map(words::verdict).unwrap_or_default();
            format!("Calibrated. {after}\nKept by the hub; take it back with: antiphon calibrate --undo\n")
        }
        Outcome::Applied => {
            let set: Vec<String> = attempt.corrections.iter().map(set).collect();
            let set = set.join("; ");
            format!(
                "Corrected: {set}. Record the track once more to see that they are together; it can be undone.\n"
            )
        }
        Outcome::NothingToDo => "The speakers are together already; nothing was changed.\n".into(),
        Outcome::PutBack(why) => format!("Not kept: {why}. The speakers play as they did before.\n"),
        Outcome::Refused(refusal) => format!("Nothing was changed: {refusal}.\n"),
    }
}

fn report(
    equal_distance: bool,
    microphone: &str,
    before: &Measurement,
    attempt: &Attempt,
) -> CalibrateReport {
    let (outcome, reasons) = match &attempt.outcome {
        Outcome::Kept => ("kept", vec![]),
        Outcome::Applied => ("applied", vec![]),
        Outcome::NothingToDo => ("nothing_to_do", vec![]),
        Outcome::PutBack(why) => ("put_back", vec![why.clone()]),
        Outcome::Refused(refusal) => ("refused", vec![refusal.to_string()]),
    };
    let correction =
        |c: &Correction| CorrectionReport { name: c.name.clone(), delay_us: c.delay_us, gain_db: c.gain_db };
    CalibrateReport {
        schema: MEASUREMENT_SCHEMA,
        outcome: outcome.to_owned(),
        reasons,
        method: if equal_distance { "equal_distance" } else { "place" }.to_owned(),
        before: convert::report(before, microphone),
        corrections: attempt.corrections.iter().map(correction).collect(),
        after: attempt.after.as_ref().map(|after| convert::report(after, microphone)),
    }
}

fn undo(args: &CalibrateArgs) -> Result<Exit, Failure> {
    let client = find::client(args.live.at.hub.as_ref())?;
    let mut reply = None;
    if args.live.to.is_empty() {
        reply = Some(client.undo_calibration(None)?);
    }
    for name in &args.live.to {
        reply = Some(client.undo_calibration(Some(name))?);
    }
    let reply = reply.unwrap_or_default();
    let text = match args.result.json {
        true => json::write_pretty(&reply),
        false if reply.speakers.is_empty() => "Undone. No speaker is calibrated.\n".to_owned(),
        false => {
            let line = |speaker: &antiphon_api::NamedCalibration| {
                let (delay_us, gain_db) = (speaker.calibration.delay_us, speaker.calibration.gain_db);
                let name = speaker.name.clone();
                format!("  {}\n", set(&Correction { name, delay_us, gain_db }))
            };
            let lines: String = reply.speakers.iter().map(line).collect();
            format!("Undone. In force is what was before:\n{lines}")
        }
    };
    let _ = terminal::print(&text);
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn correction(name: &str, delay_us: i64, gain_db: f32) -> Correction {
        Correction { name: name.into(), delay_us, gain_db }
    }

    #[test]
    fn a_correction_is_said_in_words() {
        assert_eq!(set(&correction("desk", 137_012, -0.8)), "desk waits 137.012 ms, turned down by 0.8 dB");
        assert_eq!(set(&correction("shelf", 0, 0.0)), "shelf waits for nobody");
    }

    #[test]
    fn what_nobody_could_hear_is_no_correction_and_neither_is_a_wait_of_all() {
        let small = [correction("a", 3, 0.0), correction("b", 0, -0.3)];
        assert!(!is_worth_it(&small, &[]));
        assert!(is_worth_it(&[correction("a", 40, 0.0), correction("b", 0, 0.0)], &[]));
        assert!(is_worth_it(&[correction("a", 0, 0.0), correction("b", 0, -2.0)], &[]));
        let present = |name: &str| Present { name: name.into(), delay_us: 100, gain_db: 0.0 };
        let same = [correction("a", 0, 0.0), correction("b", 2, 0.0)];
        assert!(!is_worth_it(&same, &[present("a"), present("b")]));
    }
}
