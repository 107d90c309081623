//! `antiphon play`

mod targets;

mod reach;

mod audience;

mod stream;

mod screen;

mod keys;

use antiphon_api::SourceCommand;
use antiphon_audio::source::{self, Prefetch, Problem, SourceError, SourceSpec};

use crate::args::PlayArgs;
use crate::exit::{Exit, Failure};
use crate::signals;

/// Plays, until the end or until asked to stop.
pub fn run(args: PlayArgs) -> Result<Exit, Failure> {
    let targets = targets::plan(&args)?;
    let spec = source_spec(&args)?;
    // Before any thread is there, and before the hub: what cannot be played starts nothing.
    let stop = signals::stop_flag()?;
    let source = open(&spec)?;
    let (reach, client) = reach::Reach::new(&args)?;
    if audience::wait(&client, &targets, reach.patience(), &stop)? == audience::Came::Interrupted {
        return Ok(Exit::Interrupted);
    }
    let info = source.info();
    let open = SourceCommand::Open {
        channels: info.channels,
        title: title(info),
        duration_frames: info.frames.map(|frames| frames.0),
        targets,
        wait_ms: (args.wait.as_ns() / 1_000_000).max(0) as u64,
        seekable: info.seekable,
        first_frame: 0,
    };
    let keys = keys::Keys::open();
    let screen = screen::Screen::new(info, &open, keys.is_some());
    stream::Stream::connect((reach, client), source, open, screen, keys, stop)?.run()
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

fn open(spec: &SourceSpec) -> Result<Prefetch, Failure> {
    let source = source::open(spec).map_err(cannot_play)?;
    source::prefetch(source).map_err(|error| Failure::failed(format!("cannot start the decoder: {error}")))
}

/// What is wrong with a source, with its exit code.
fn cannot_play(error: SourceError) -> Failure {
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
