//! The lab for somebody who is not at this terminal: the same work, with its progress told and its result as data.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use antiphon_api::measurement::{CalibrateReport, MeasurementReport};
use antiphon_api::{Client, HubAddress, SpeakerStatus};
use antiphon_audio::capture::InputUri;
use antiphon_base::{Role, SampleRate};
use antiphon_measure::lab::measurement::Measurement;
use antiphon_measure::lab::tracks::TestTrack;
use antiphon_measure::lab::{self, Excitation, Options};

use super::args::{CalibrateArgs, MicrophoneArgs, ResultArgs};
use super::microphone::Microphone;
use super::stage::{Feed, Stage};
use super::{Ended, calibrate, convert, recording};
use crate::args::HubOnlyArgs;
use crate::exit::{Exit, Failure};
use crate::terminal;

/// Reading is most of the work; the rest is worked out at once.
const READING: f64 = 0.8;

/// Periods of the signal, as the verb has them unless told otherwise.
const PERIODS: u8 = 6;

/// Whoever wants to know how far it is, from 0 to 1.
pub type Progress<'a> = &'a dyn Fn(f64);

/// Measures the recording `file`, which is called `name`; the result and its verdict in words.
///
/// # Errors
/// It is no recording of anything; interrupted.
pub fn measure(
    file: &Path,
    name: &str,
    stop: &AtomicBool,
    progress: Progress<'_>,
) -> Result<(MeasurementReport, String), Ended> {
    let measurement = measured(file, name, ["left".into(), "right".into()], stop, progress)?;
    let report = convert::report(&measurement, name);
    let verdict = report.verdict.clone();
    Ok((report, verdict))
}

/// Corrects the hub's left and right speaker by the recording `file` of the measure track.
///
/// # Errors
/// There are not exactly two; as [`measure`].
pub fn calibrate_by_recording(
    hub: &HubAddress,
    file: &Path,
    name: &str,
    stop: &AtomicBool,
    progress: Progress<'_>,
) -> Result<(CalibrateReport, String), Ended> {
    let client = Client::new(hub.clone());
    // Before the work, and not after it.
    let names = left_and_right(&client.status()?.speakers)?;
    let measurement = measured(file, name, names, stop, progress)?;
    Ok(calibrate::calibrate_by(&client, &measurement, name)?)
}

/// Calibrates by a microphone of this machine: all speakers, or those named.
///
/// # Errors
/// The microphone, the hub or a speaker is missing; interrupted.
pub fn calibrate_by_microphone(
    hub: &HubAddress,
    mic: &InputUri,
    speakers: &[String],
    stop: &AtomicBool,
) -> Result<(CalibrateReport, String), Ended> {
    let args = CalibrateArgs {
        live: MicrophoneArgs {
            mic: Some(mic.clone()),
            mic_format: None,
            to: speakers.to_vec(),
            periods: PERIODS,
            at: HubOnlyArgs { hub: Some(hub.clone()) },
        },
        equal_distance: false,
        follow: None,
        correct: false,
        keep: false,
        undo: false,
        result: ResultArgs { report: None, json: false },
    };
    let stage = Stage::enter(Client::new(hub.clone()), speakers, stop)?;
    let mut microphone = Microphone::open(mic, None, stop)?;
    calibrate::calibrate_quietly(&args, stage, &mut microphone, stop)
}

/// Lets the speaker `name` beep, and no other.
///
/// # Errors
/// It is not there, is muted, or something plays; interrupted.
pub fn identify(
    hub: &HubAddress,
    name: &str,
    stop: &AtomicBool,
    progress: Progress<'_>,
) -> Result<(), Ended> {
    beeps(Client::new(hub.clone()), name, Beeps::all(), stop, progress)
}

/// Lets the speaker `name` beep once, for a second.
///
/// # Errors
/// As [`identify`].
pub fn beep(client: Client, name: &str, stop: &AtomicBool) -> Result<(), Ended> {
    beeps(client, name, Beeps::one(), stop, &|_| {})
}

fn beeps(
    client: Client,
    name: &str,
    beeps: Beeps,
    stop: &AtomicBool,
    progress: Progress<'_>,
) -> Result<(), Ended> {
    let stage = Stage::of(client, name, stop)?;
    let frames = beeps.samples.len() as f64;
    let mut performance = stage.play(beeps, &format!("{name} beeps"))?;
    while !performance.go_on(super::take::LOOK)? {
        if stop.load(Ordering::Acquire) {
            return Err(Ended::Interrupted);
        }
        progress(performance.feed.given as f64 / frames);
    }
    Ok(())
}

fn measured(
    file: &Path,
    name: &str,
    names: [String; 2],
    stop: &AtomicBool,
    progress: Progress<'_>,
) -> Result<Measurement, Ended> {
    let excitation = Excitation::track();
    let mut go_on = |part: f64| {
        progress(part * READING);
        !stop.load(Ordering::Acquire)
    };
    let heard = recording::read_while(file, &excitation, &mut go_on).map_err(|failure| {
        // Its path is nobody's business.
        let message = failure.message.replace(&file.display().to_string(), name);
        Failure { message, ..failure }
    })?;
    if stop.load(Ordering::Acquire) {
        return Err(Ended::Interrupted);
    }
    heard
        .remarks
        .iter()
        .for_each(|remark| terminal::note(&remark.replace(&file.display().to_string(), name)));
    terminal::note("working it out");
    let options = Options { names: names.to_vec(), near: None };
    Ok(lab::measure_found(&heard.found, &excitation, &options))
}

/// The names of the only left and the only right speaker.
fn left_and_right(speakers: &[SpeakerStatus]) -> Result<[String; 2], Failure> {
    super::stage::sides(speakers).ok_or_else(|| {
        let count = |role| speakers.iter().filter(|speaker| speaker.role == role).count();
        let (left, right) = (count(Role::Left), count(Role::Right));
        let message = format!(
            "the track tells one left speaker from one right speaker, and this hub has {left} left and {right} right: give \
             one speaker each role, play the track, and record it again"
        );
        Failure::new(Exit::Usage, message)
    })
}

/// The left side of the track that tells sides apart, as one channel.
struct Beeps {
    samples: Vec<f32>,
    given: usize,
}

impl Beeps {
    fn all() -> Self {
        Self { samples: TestTrack::Identify.render().into_iter().step_by(2).collect(), given: 0 }
    }

    /// The second beep of the left side alone, with the silence around it: the first one rises from nothing.
    fn one() -> Self {
        let at = |s: f64| (s * f64::from(SampleRate::MEDIA.hz())) as usize;
        let spec = TestTrack::Identify.spec();
        let (before, beep) = (&spec.sections[1], &spec.sections[2]);
        let (begin, end) = (at(before.begin_s + before.length_s), at(beep.begin_s + beep.length_s));
        Self { samples: Self::all().samples[begin..end].to_vec(), given: 0 }
    }
}

impl Feed for Beeps {
    fn frames(&self) -> Option<i64> {
        Some(self.samples.len() as i64)
    }

    fn next(&mut self, frames: usize, out: &mut Vec<f32>) -> Result<Option<usize>, Failure> {
        let frames = frames.min(self.samples.len() - self.given);
        out.extend_from_slice(&self.samples[self.given..self.given + frames]);
        self.given += frames;
        Ok(Some(frames))
    }
}
