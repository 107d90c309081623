//! What is to be played: a file, a pipe, a device, or what the desktop plays.

use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use antiphon_api::{SourcePace, SourceTarget};
use antiphon_audio::desktop::{self, Desktop, Lateness};
use antiphon_audio::source::{self, PcmFormat, PcmSample, Problem, Reopen, Source, SourceSpec};
use antiphon_audio::{InputUri, capture, pulse};

use super::cannot_play;
use crate::args::PlayArgs;
use crate::exit::{Exit, Failure};

/// What librespot and shairport-sync write into a pipe unless they are told otherwise.
const PIPE_FORMAT: PcmFormat = PcmFormat { sample: PcmSample::S16le, rate: 44_100, channels: 2 };

/// Something that is about to be played.
pub struct Programme {
    /// Its sound.
    pub source: Source,
    /// How its frames come.
    pub pace: SourcePace,
    /// Who wants to know how late it is heard.
    pub lateness: Option<Lateness>,
}

impl From<Source> for Programme {
    fn from(source: Source) -> Self {
        Self { source, pace: SourcePace::Stored, lateness: None }
    }
}

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum What {
    /// A file, or raw samples on standard input.
    Stored(SourceSpec),
    /// A named pipe.
    Pipe(SourceSpec),
    /// A microphone or line input.
    Device(InputUri),
    /// What other programs play.
    Desktop,
}

impl What {
    /// What `args` ask for.
    ///
    /// # Errors
    /// A format where none is, or none where one must be.
    pub fn of(args: &PlayArgs) -> Result<Self, Failure> {
        // Several are a list.
        let named = args.files.first().map_or(Path::new(""), PathBuf::as_path);
        let what = Self::named(named, args.format);
        let takes_format = matches!(&what, Self::Pipe(_) | Self::Stored(SourceSpec::Stdin { .. }));
        if args.format.is_some() && !takes_format {
            let message = "--format is for raw samples on standard input or in a named pipe; anything else says itself \
                           what it is, so leave it away";
            return Err(Failure::new(Exit::Usage, message));
        }
        if args.format.is_none() && named.as_os_str() == "-" {
            let message = "raw samples on standard input have no header; say what they are with --format, e.g. \
                           --format s16le:48000:2";
            return Err(Failure::new(Exit::Usage, message));
        }
        Ok(what)
    }

    fn named(name: &Path, format: Option<PcmFormat>) -> Self {
        let format = format.unwrap_or(PIPE_FORMAT);
        match name.to_str() {
            Some("-") => return Self::Stored(SourceSpec::Stdin { format }),
            Some("desktop") => return Self::Desktop,
            Some(text) if text.starts_with("pulse:") || text.starts_with("alsa:") => {
                if let Ok(uri) = text.parse() {
                    return Self::Device(uri);
                }
            }
            Some(text) if source::is_url(text) => return Self::Stored(SourceSpec::Url(text.to_owned())),
            _ => {}
        }
        let path: PathBuf = name.strip_prefix("file:").unwrap_or(name).to_owned();
        if path.metadata().is_ok_and(|it| it.file_type().is_fifo()) {
            return Self::Pipe(SourceSpec::Pipe { path, format });
        }
        Self::Stored(SourceSpec::Path(path))
    }

    /// Opens it, for `targets`.
    ///
    /// # Errors
    /// It is not there, holds no sound, or would hear itself.
    pub fn open(self, targets: &[SourceTarget]) -> Result<Programme, Failure> {
        match self {
            Self::Stored(spec) => opened(&spec).map(Programme::from),
            Self::Pipe(spec) => {
                Ok(Programme { source: opened(&spec)?, pace: SourcePace::Pulled, lateness: None })
            }
            Self::Device(uri) => {
                refuse_unbuilt(&uri)?;
                refuse_echo(&uri, targets)?;
                let reopen: Reopen = Box::new({
                    let uri = uri.clone();
                    move || capture::open(&uri, None)
                });
                device(&uri.to_string(), reopen, None)
            }
            Self::Desktop => {
                refuse_itself(targets)?;
                let lateness = Lateness::default();
                let told = lateness.clone();
                let reopen: Reopen = Box::new(move || Ok(Box::new(Desktop::open(&told)?)));
                device("desktop", reopen, Some(lateness))
            }
        }
    }
}

fn device(name: &str, mut reopen: Reopen, lateness: Option<Lateness>) -> Result<Programme, Failure> {
    let capture = reopen().map_err(|error| Failure::failed(error.to_string()))?;
    let source = source::open_device(name, capture, reopen);
    Ok(Programme { source, pace: SourcePace::Clocked, lateness })
}

fn opened(spec: &SourceSpec) -> Result<Source, Failure> {
    source::open(spec).map_err(|error| {
        let raw = matches!(error.problem, Problem::NotAudio { .. }) && !source::is_url(&error.name);
        let mut failure = cannot_play(error);
        if raw {
            failure.message.push_str("; raw samples come on standard input, with --format");
        }
        failure
    })
}

/// What this program was built without comes through a recorder's pipe.
fn refuse_unbuilt(uri: &InputUri) -> Result<(), Failure> {
    match uri.recorder(2) {
        Some(recorder) if !cfg!(feature = "alsa") => Err(Failure::failed(format!(
            "{uri} is not built into this program: {recorder} | antiphon play - --format s16le:48000:2"
        ))),
        _ => Ok(()),
    }
}

/// A device that plays what it is played would ring for ever; and the default device may become that one at any time.
fn refuse_itself(targets: &[SourceTarget]) -> Result<(), Failure> {
    for target in targets {
        let why = match sink_of(target) {
            Some(desktop::SINK_NAME) => "it is the device that is listened to",
            Some("") => "it is the default device, which may be the one that is listened to",
            _ => continue,
        };
        let message = format!(
            "{} cannot play what the desktop plays: {why}; name another of `antiphon outputs`",
            target.name
        );
        return Err(Failure::new(Exit::Usage, message));
    }
    Ok(())
}

/// So would a source of the sound server that hears what one of its devices plays, played on that device.
fn refuse_echo(uri: &InputUri, targets: &[SourceTarget]) -> Result<(), Failure> {
    let InputUri::Pulse(source) = uri else { return Ok(()) };
    for target in targets {
        let Some(sink) = sink_of(target) else { continue };
        // What is wrong with the server itself is said when the source is opened.
        if let Ok(Some(echo)) = pulse::echo(source, sink) {
            let message = format!(
                "{uri} cannot be played on {}: it hears what {} plays, and would ring; {}",
                target.name,
                echo.sink,
                instead(&echo.others)
            );
            return Err(Failure::new(Exit::Usage, message));
        }
    }
    Ok(())
}

fn instead(inputs: &[String]) -> String {
    match inputs {
        [] => "there is no microphone or line input; `antiphon play desktop` plays what other programs play"
            .into(),
        some => {
            let names: Vec<String> = some.iter().map(|name| format!("pulse:{name}")).collect();
            format!("name a microphone or line input: {}", names.join(", "))
        }
    }
}

/// The sink of the sound server that a target names by its output; empty for the default one.
fn sink_of(target: &SourceTarget) -> Option<&str> {
    let whole = target.name.split('#').next()?;
    // ALSA's own default device is the sound server's, where there is one.
    let default = whole.strip_prefix("alsa:").is_some_and(|name| name.is_empty() || name == "default");
    if default { Some("") } else { whole.strip_prefix("pulse:") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_devices_are_told_from_files() {
        let named = |name: &str| What::named(Path::new(name), None);
        assert_eq!(named("desktop"), What::Desktop);
        assert_eq!(named("./desktop"), What::Stored(SourceSpec::Path("./desktop".into())));
        assert_eq!(named("pulse:alsa_input.usb"), What::Device(InputUri::Pulse("alsa_input.usb".into())));
        assert_eq!(named("song.flac"), What::Stored(SourceSpec::Path("song.flac".into())));
        assert_eq!(named("a:b.wav"), What::Stored(SourceSpec::Path("a:b.wav".into())));
    }

    #[test]
    fn a_named_pipe_is_one_by_its_kind_and_has_the_format_of_those_who_write_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("spotify");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(What::named(&path, None), What::Pipe(SourceSpec::Pipe { path, format: PIPE_FORMAT }));
    }

    #[test]
    #[cfg(not(feature = "alsa"))]
    fn a_device_without_a_driver_is_answered_with_a_command_that_plays_it() {
        let said = refuse_unbuilt(&InputUri::Alsa("hw:1".into())).unwrap_err().message;
        assert!(
            said.contains("arecord -D hw:1") && said.contains("-c 2 | antiphon play - --format"),
            "{said}"
        );
        assert!(refuse_unbuilt(&InputUri::Pulse(String::new())).is_ok());
    }

    #[test]
    fn a_desktop_does_not_play_to_itself() {
        let target = |name: &str| [SourceTarget { name: name.into(), role: None }];
        for own in
            ["pulse:antiphon", "pulse:antiphon#left", "pulse:", "pulse:#right", "alsa:", "alsa:default#left"]
        {
            assert_eq!(refuse_itself(&target(own)).unwrap_err().exit, Exit::Usage);
        }
        assert!(refuse_itself(&target("pulse:antiphony")).is_ok());
        assert!(refuse_itself(&target("alsa:hw:0")).is_ok());
    }
}
