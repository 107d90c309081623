//! `antiphon play`

pub mod targets;

pub mod reach;

pub mod audience;

mod stream;

mod screen;

mod keys;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use antiphon_api::{Client, SourceCommand, SourceTarget};
use antiphon_audio::source::{self, Problem, Source, SourceError, SourceSpec};
use antiphon_speaker::pairs::{PairMember, Pairs};

use crate::args::{AudienceArgs, PlayArgs};
use crate::exit::{Exit, Failure};
use crate::members::{Cast, Manner, Members};
use crate::{members, signals};

/// Plays, until the end or until asked to stop.
pub fn run(args: PlayArgs) -> Result<Exit, Failure> {
    let targets = targets::plan(&args.on)?;
    let spec = source_spec(&args)?;
    // Before any thread is there, and before the hub: what cannot be played starts nothing.
    let stop = signals::stop_flag()?;
    let source = source::open(&spec).map_err(|error| {
        let raw = matches!(error.problem, Problem::NotAudio { .. });
        let mut failure = cannot_play(error);
        if raw {
            failure.message.push_str("; raw samples come on standard input, with --format");
        }
        failure
    })?;
    perform(source, targets, &args.on, stop)
}

/// Plays `source` on those that `on` names: what every verb that plays a whole programme does.
///
/// # Errors
/// No hub, a speaker that did not come, a damaged source.
pub fn perform(
    source: Source,
    targets: Vec<SourceTarget>,
    on: &AudienceArgs,
    stop: Arc<AtomicBool>,
) -> Result<Exit, Failure> {
    let source = source::prefetch(source)
        .map_err(|error| Failure::failed(format!("cannot start the decoder: {error}")))?;
    let pairs = members::saved()?;
    let mut cast = members::cast(targets, &pairs)?;
    let (mut reach, client) = reach::Reach::new(on)?;
    let members = local_speakers(&mut cast, &pairs, &reach, &client)?;
    reach.adopt(members);
    let targets = cast.targets;
    let patience = reach.patience();
    let came = audience::wait_unless(&client, &targets, patience, &stop, || reach.failure())?;
    if came == audience::Came::Interrupted {
        return Ok(Exit::Interrupted);
    }
    let info = source.info();
    let open = SourceCommand::Open {
        channels: info.channels,
        title: title(info),
        duration_frames: info.frames.map(|frames| frames.0),
        targets,
        wait_ms: (on.wait.as_ns() / 1_000_000).max(0) as u64,
        seekable: info.seekable,
        first_frame: 0,
    };
    let keys = keys::Keys::open();
    let screen = screen::Screen::new(info, &open, keys.is_some());
    stream::Stream::connect((reach, client), source, open, screen, keys, stop)?.run()
}

/// Runs the speakers that are asked for and that nobody else runs: those named by their output, and, where the
/// hub is in this program, the saved ones. Where nobody is named, all that are saved play.
fn local_speakers(
    cast: &mut Cast,
    pairs: &Pairs,
    reach: &reach::Reach,
    client: &Client,
) -> Result<Option<Members>, Failure> {
    let mut run = std::mem::take(&mut cast.named);
    if reach.is_own() {
        let saved = std::mem::take(&mut cast.saved);
        run.extend(if cast.targets.is_empty() { members::all(pairs) } else { saved });
    }
    if run.is_empty() && cast.devices.is_empty() {
        return Ok(None);
    }
    if cast.targets.is_empty() {
        let target =
            |member: &PairMember| SourceTarget { name: member.speaker.clone(), role: Some(member.role) };
        cast.targets = run.iter().map(target).collect();
    }
    let manner = Manner { hub: Some(client.hub().to_string()), ..Manner::default() };
    Members::start(&run, &cast.devices, &manner).map(Some)
}

fn source_spec(args: &PlayArgs) -> Result<SourceSpec, Failure> {
    let piped = args.file.as_os_str() == "-";
    match (piped, args.format) {
        (false, None) => Ok(SourceSpec::Path(args.file.clone())),
        (true, Some(format)) => Ok(SourceSpec::Stdin { format }),
        (true, None) => Err(Failure::new(
            Exit::Usage,
            "raw samples on standard input have no header; say what they are with --format, e.g. --format s16le:48000:2",
        )),
        (false, Some(_)) => Err(Failure::new(
            Exit::Usage,
            "--format is for raw samples on standard input; a file says itself what it is, so leave it away",
        )),
    }
}

/// What is wrong with a source, with its exit code.
pub fn cannot_play(error: SourceError) -> Failure {
    let exit = match &error.problem {
        Problem::Open(system) => match system.kind() {
            std::io::ErrorKind::NotFound => Exit::NotFound,
            std::io::ErrorKind::PermissionDenied => Exit::NotPermitted,
            _ => Exit::Failed,
        },
        _ => Exit::Failed,
    };
    Failure::new(exit, error.to_string())
}

fn title(info: &source::SourceInfo) -> String {
    match &info.artist {
        Some(artist) => format!("{artist} - {}", info.title_or_name()),
        None => info.title_or_name(),
    }
}
