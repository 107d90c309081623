//! `antiphon play`

pub mod targets;

pub mod reach;

pub mod audience;

mod named;

mod roll;

pub mod what;

mod list;

mod tracks;

mod mpris;

pub mod stream;

pub mod screen;

mod successor;

mod keys;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use antiphon_api::{Client, SourceCommand, SourcePace, SourceTarget};
use antiphon_audio::desktop::Lateness;
use antiphon_audio::source::{self, Prefetch, Problem, Refusal, SourceError};
use antiphon_base::Span;
use antiphon_speaker::pairs::{PairMember, Pairs};

use crate::args::{AudienceArgs, PlayArgs};
use crate::exit::{Exit, Failure};
use crate::members::{Cast, Manner, Members};
use crate::{members, signals, terminal};
use audience::Came;
use reach::Reach;
use what::Programme;

/// How long speakers that have joined may take until all of them know the time: one that is connected by Bluetooth
/// for the first time needs the longest.
const READY: Duration = Duration::from_secs(5);

/// Plays, until the end or until asked to stop.
pub fn run(args: PlayArgs) -> Result<Exit, Failure> {
    let targets = targets::plan(&args.on)?;
    if list::is_list(&args) {
        let list = list::open(&args)?;
        let stop = signals::stop_flag()?;
        let manner = (SourcePace::Stored, None);
        return perform_ahead(source::prefetch_list(list), manner, targets, &args.on, stop);
    }
    let what = what::What::of(&args)?;
    // Before any thread is there, and before the hub: what cannot be played starts nothing.
    let stop = signals::stop_flag()?;
    perform(what.open(&targets)?, targets, &args.on, stop)
}

/// Plays `programme` on those that `on` names: what every verb that plays a whole programme does.
///
/// # Errors
/// No hub, a speaker that did not come, a damaged source.
pub fn perform(
    programme: impl Into<Programme>,
    targets: Vec<SourceTarget>,
    on: &AudienceArgs,
    stop: Arc<AtomicBool>,
) -> Result<Exit, Failure> {
    let Programme { source, pace, lateness } = programme.into();
    let ahead = if pace == SourcePace::Stored { source::prefetch } else { source::prefetch_live };
    perform_ahead(ahead(source), (pace, lateness), targets, on, stop)
}

fn perform_ahead(
    source: std::io::Result<Prefetch>,
    (pace, lateness): (SourcePace, Option<Lateness>),
    targets: Vec<SourceTarget>,
    on: &AudienceArgs,
    stop: Arc<AtomicBool>,
) -> Result<Exit, Failure> {
    let source = source.map_err(|error| Failure::failed(format!("cannot start the decoder: {error}")))?;
    let Some((reach, client, targets)) = gather(targets, on, &stop)? else { return Ok(Exit::Interrupted) };
    let info = source.info();
    let open = SourceCommand::Open {
        channels: info.channels,
        title: title(info),
        duration_frames: info.frames.map(|frames| frames.0),
        targets,
        wait_ms: on.wait.map_or(READY, duration).as_millis() as u64,
        seekable: info.seekable,
        first_frame: 0,
        pace,
    };
    let keys = keys::Keys::open();
    let screen = screen::Screen::new(info, source.is_list(), keys.is_some());
    stream::Stream::connect((reach, client), source, open, screen, keys, stop)?.tell_lateness(lateness).run()
}

/// The hub, and those who play, once they have joined it; `None` where somebody did not want to wait.
fn gather(
    targets: Vec<SourceTarget>,
    on: &AudienceArgs,
    stop: &AtomicBool,
) -> Result<Option<(Reach, Client, Vec<SourceTarget>)>, Failure> {
    let pairs = members::saved()?;
    let mut cast = members::cast(targets, &pairs)?;
    let (mut reach, running) = Reach::look(on)?;
    let status = running.as_ref().map(Client::status).transpose()?;
    let speakers = status.map_or(Vec::new(), |status| status.speakers);
    named::use_speakers_of_hub(&mut cast, &speakers);
    named::refuse_what_is_no_speaker(&cast, &speakers, on.wait.is_some())?;
    let client = match running {
        Some(client) => client,
        None => reach.start()?,
    };
    adopt_local_speakers(&mut cast, &pairs, &mut reach, &client)?;
    if cast.targets.is_empty() && reach.is_own() {
        terminal::note(&named::what_there_is());
    }
    let patience = on.wait.map_or(reach.patience(), duration);
    let came = audience::wait_unless(&client, &cast.targets, patience, stop, || reach.failure())
        .map_err(|failure| named::with_what_is_saved(failure, &cast, &pairs, &client))?;
    Ok((came == Came::All).then_some((reach, client, cast.targets)))
}

fn duration(span: Span) -> Duration {
    Duration::from_nanos(span.as_ns().max(0).unsigned_abs())
}

/// Runs the speakers that are asked for and that nobody else runs: those named by their output, and, where the
/// hub is in this program, the saved ones. Where nobody is named, all that are saved play.
fn adopt_local_speakers(
    cast: &mut Cast,
    pairs: &Pairs,
    reach: &mut Reach,
    client: &Client,
) -> Result<(), Failure> {
    let mut run = cast.named.clone();
    if reach.is_own() {
        run.extend(if cast.targets.is_empty() { members::all(pairs) } else { cast.saved.clone() });
    }
    if run.is_empty() && cast.devices.is_empty() {
        return Ok(());
    }
    if cast.targets.is_empty() {
        let target =
            |member: &PairMember| SourceTarget { name: member.speaker.clone(), role: Some(member.role) };
        cast.targets = run.iter().map(target).collect();
    }
    let manner = Manner { hub: Some(client.hub().to_string()), ..Manner::default() };
    let names = run.iter().map(|member| &member.speaker);
    let names = names.chain(cast.devices.iter().map(|device| &device.speaker)).cloned().collect();
    reach.adopt(Members::start(&run, &cast.devices, &manner)?, names);
    Ok(())
}

/// What is wrong with a source, with its exit code.
pub fn cannot_play(error: SourceError) -> Failure {
    let exit = match error.cause() {
        Problem::Open(system) => match system.kind() {
            std::io::ErrorKind::NotFound => Exit::NotFound,
            std::io::ErrorKind::PermissionDenied => Exit::NotPermitted,
            _ => Exit::Failed,
        },
        Problem::Http(Refusal::Host | Refusal::Status(404 | 410)) => Exit::NotFound,
        Problem::Http(Refusal::Status(401 | 403)) => Exit::NotPermitted,
        _ => Exit::Failed,
    };
    Failure::new(exit, error.to_string())
}

/// What the hub shows of it.
pub fn title(info: &source::SourceInfo) -> String {
    match &info.artist {
        Some(artist) => format!("{artist} - {}", info.title_or_name()),
        None => info.title_or_name(),
    }
}
