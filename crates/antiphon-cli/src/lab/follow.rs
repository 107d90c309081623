//! `antiphon calibrate --follow FILE`: music plays, the microphone listens, and how the delay between
//! left and right changes is told, and with `--correct` slowly taken off.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use antiphon_api::measurement::{FollowReport, MEASUREMENT_SCHEMA};
use antiphon_api::{
    CalibrationGrade, CalibrationMethod, CalibrationRequest, Client, SpeakerCalibration, json,
};
use antiphon_audio::source::{self, Prefetch, SourceSpec};
use antiphon_measure::lab::follow::{Certainty, CorrectionConfig, FollowCorrection, FollowState};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::CalibrateArgs;
use super::follower::Worker;
use super::microphone::Microphone;
use super::stage::{Feed, Stage};
use super::{Ended, words};
use crate::exit::{Exit, Failure};
use crate::play::cannot_play;
use crate::{find, signals, terminal};

/// How long to wait for the hub's word: the microphone is looked at as often.
const LOOK: Duration = Duration::from_millis(20);

/// How often programs are told.
const EVERY: Duration = Duration::from_secs(1);

/// How often people without a terminal are told.
const SELDOM: Duration = Duration::from_secs(10);

/// The microphone still hears the music for so long after its end.
const AFTER: Duration = Duration::from_millis(2_500);

/// Follows to the end of the music.
pub fn run(args: &CalibrateArgs, file: &Path) -> Result<Exit, Failure> {
    let source = source::open(&SourceSpec::Path(file.to_owned())).map_err(cannot_play)?;
    if source.info().channels != 2 {
        let message = format!(
            "{} has {} channels; following compares left and right, so it needs a stereo file",
            file.display(),
            source.info().channels
        );
        return Err(Failure::failed(message));
    }
    let stop = signals::stop_flag()?;
    let title = source.info().title_or_name();
    let source = source::prefetch(source)
        .map_err(|error| Failure::failed(format!("cannot start the decoder: {error}")))?;
    follow(args, source, &title, &stop).or_else(Ended::exit)
}

fn follow(args: &CalibrateArgs, source: Prefetch, title: &str, stop: &AtomicBool) -> Result<Exit, Ended> {
    let Some(uri) = &args.live.mic else {
        return Err(Failure::new(Exit::Usage, "a microphone is needed: --mic URI (see --help)").into());
    };
    let stage = Stage::pair(find::client(args.live.at.hub.as_ref())?, &args.live.to, stop)?;
    let mut microphone = Microphone::open(uri, args.live.mic_format, stop)?;
    let [left, right] = [&stage.names()[0], &stage.names()[1]];
    terminal::note(&format!("Playing {title}: {left} plays left, {right} plays right."));
    let follower = Worker::start()?;
    let mut correction = args.correct.then(|| FollowCorrection::new(CorrectionConfig::default()));
    let mut returned = Returned::default();
    let mut teller = Teller::new(args.result.json, right);
    microphone.forget();
    let mut performance = stage.play(Music { source, sent: Vec::new() }, title)?;
    let mut ended = None;
    while ended.is_none_or(|at: Instant| at.elapsed() < AFTER) {
        if performance.go_on(LOOK)? {
            ended.get_or_insert_with(Instant::now);
        }
        if stop.load(Ordering::Acquire) {
            return Err(Ended::Interrupted);
        }
        if !performance.feed.sent.is_empty() {
            follower.programme(std::mem::take(&mut performance.feed.sent))?;
        }
        while let Some(block) = microphone.next()? {
            let heard: Vec<f32> = block.iter().step_by(microphone.channels()).copied().collect();
            follower.microphone(heard)?;
        }
        let state = follower.state();
        let advice = match (&mut correction, returned.look(stage.client(), [left, right], state.heard_s)) {
            (Some(correction), Some(since_s)) => correction.put_back(&state, since_s),
            (Some(correction), None) => correction.advise(&state),
            (None, _) => None,
        };
        if let Some(by_us) = advice {
            returned.forget();
            shift(stage.client(), (left, right), by_us, &state)?;
            follower.corrected(by_us as f64)?;
        }
        teller.tell(&state);
    }
    Ok(teller.close(&follower.state()))
}

/// Whether a speaker left and came back since its calibration: what was measured is void then.
#[derive(Default)]
struct Returned {
    looked: Option<Instant>,
    since_s: Option<f64>,
}

impl Returned {
    /// Asks the hub once a second; since when, in seconds of microphone, one of `names` no longer holds.
    fn look(&mut self, client: &Client, names: [&String; 2], heard_s: f64) -> Option<f64> {
        if self.looked.is_some_and(|looked| looked.elapsed() < EVERY) {
            return self.since_s;
        }
        self.looked = Some(Instant::now());
        // A hub that does not answer is noticed by whoever plays.
        if let Ok(status) = client.status() {
            let is_stale = |speaker: &antiphon_api::SpeakerStatus| {
                names.contains(&&speaker.name)
                    && speaker.calibration.as_ref().is_some_and(|found| found.stale.is_some())
            };
            let stale = status.speakers.iter().any(is_stale);
            self.since_s = stale.then(|| self.since_s.unwrap_or(heard_s));
        }
        self.since_s
    }

    /// It was dealt with: whether it holds is the hub's to say, at the next look.
    fn forget(&mut self) {
        (self.looked, self.since_s) = (Some(Instant::now()), None);
    }
}

/// The music, with what was sent of it.
struct Music {
    source: Prefetch,
    /// Interleaved, since somebody last took it.
    sent: Vec<f32>,
}

impl Feed for Music {
    fn frames(&self) -> Option<i64> {
        self.source.info().frames.map(|frames| frames.0)
    }

    fn next(&mut self, frames: usize, out: &mut Vec<f32>) -> Result<Option<usize>, Failure> {
        let before = out.len();
        let read = self.source.try_read(frames, out).map_err(cannot_play)?;
        self.sent.extend_from_slice(&out[before..]);
        Ok(read)
    }
}

/// Lets the right speaker play `by_us` later, or the left one if right would have to play early.
fn shift(
    client: &Client,
    (left, right): (&str, &str),
    by_us: i64,
    state: &FollowState,
) -> Result<(), Failure> {
    let status = client.status()?;
    let in_force = |name: &str| {
        let speaker = status.speakers.iter().find(|speaker| speaker.name == name);
        speaker.and_then(|speaker| speaker.calibration.clone())
    };
    let of_right = in_force(right).map_or(0, |calibration| calibration.delay_us);
    let (name, by_us) = if of_right + by_us >= 0 { (right, by_us) } else { (left, -by_us) };
    let moved =
        |name: &str, by_us: i64, present: Option<antiphon_api::CalibrationStatus>| SpeakerCalibration {
            name: name.to_owned(),
            delay_us: present.as_ref().map_or(0, |p| p.delay_us) + by_us,
            gain_db: present.as_ref().map_or(0.0, |p| p.gain_db),
            grade: present.as_ref().map_or(CalibrationGrade::Usable, |p| p.grade),
            uncertainty_us: state.drift_us.half_95().clamp(0.0, 1e6),
            method: present.as_ref().map_or(CalibrationMethod::Place, |p| p.method),
            verified: present.as_ref().is_some_and(|p| p.verified),
        };
    let mut speakers = vec![moved(name, by_us, in_force(name))];
    // The other was heard to be in place: what it has holds for today's connection too.
    let other = if name == right { left } else { right };
    speakers.extend(in_force(other).map(|present| moved(other, 0, Some(present))));
    client.calibrate(&CalibrationRequest { speakers, refine: true })?;
    Ok(())
}

/// Says what is known: a line that changes on a terminal, a line now and then elsewhere, JSON lines
/// for programs.
struct Teller<'a> {
    json: bool,
    right: &'a str,
    bar: Option<ProgressBar>,
    told: Option<Instant>,
    /// It was sure at some time.
    sure: bool,
}

impl<'a> Teller<'a> {
    fn new(json: bool, right: &'a str) -> Self {
        let live = !json && std::io::stderr().is_terminal();
        let bar = live.then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // A template of our own that does not parse would show the usual one.
            bar.set_style(
                ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar
        });
        Self { json, right, bar, told: None, sure: false }
    }

    fn tell(&mut self, state: &FollowState) {
        self.sure |= state.certainty == Certainty::Sure;
        let every = if self.json || self.bar.is_some() { EVERY } else { SELDOM };
        if self.told.is_some_and(|told| told.elapsed() < every) {
            return;
        }
        self.told = Some(Instant::now());
        match &self.bar {
            Some(bar) => bar.set_message(line(self.right, state)),
            // Whoever reads no further has enough.
            None if self.json => drop(terminal::print(&json_line(state))),
            None => terminal::note(&line(self.right, state)),
        }
    }

    fn close(self, state: &FollowState) -> Exit {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let text = match self.json {
            true => json_line(state),
            false => format!("{}\n", line(self.right, state)),
        };
        let _ = terminal::print(&text);
        if self.sure { Exit::Ok } else { Exit::Untrustworthy }
    }
}

/// One line for people.
fn line(right: &str, state: &FollowState) -> String {
    let at = crate::status::clock(state.heard_s);
    if state.reference_s.is_none() {
        return format!("{at}  {}", state.certainty);
    }
    let (drift, rate) = (state.drift_us, state.rate_us_per_s);
    let way = if drift.value < 0.0 { "earlier" } else { "later" };
    let delay = match state.delay_us {
        Some(delay) => format!("; {} in all", side(right, delay.value)),
        None => String::new(),
    };
    let corrected = match state.corrected_us {
        0.0 => String::new(),
        us => format!("; {} taken off", words::span(us.abs())),
    };
    format!(
        "{at}  {right} plays {} {way} than at first, +- {}, {:+.2} us a second{delay}{corrected}; {}",
        words::span(drift.value.abs()),
        words::span(drift.half_95()),
        rate.value,
        state.certainty
    )
}

fn side(right: &str, delay_us: f64) -> String {
    let way = if delay_us < 0.0 { "early" } else { "late" };
    format!("{right} {} {way}", words::span(delay_us.abs()))
}

fn json_line(state: &FollowState) -> String {
    let finite = |value: f64| value.is_finite().then_some(value);
    let report = FollowReport {
        schema: MEASUREMENT_SCHEMA,
        heard_s: state.heard_s,
        sure: state.certainty == Certainty::Sure,
        certainty: state.certainty.to_string(),
        delay_us: state.delay_us.and_then(|delay| finite(delay.value)),
        delay_uncertainty_us: state.delay_us.and_then(|delay| finite(delay.half_95())),
        drift_us: state.reference_s.and_then(|_| finite(state.drift_us.value)),
        drift_uncertainty_us: state.reference_s.and_then(|_| finite(state.drift_us.half_95())),
        rate_us_per_s: state.reference_s.and_then(|_| finite(state.rate_us_per_s.value)),
        corrected_us: state.corrected_us,
    };
    format!("{}\n", String::from_utf8_lossy(&json::write(&report)))
}
