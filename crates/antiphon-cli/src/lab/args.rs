//! The lab's verbs as typed.

use std::path::PathBuf;

use antiphon_audio::capture::InputUri;
use antiphon_audio::source::PcmFormat;

use super::room;
use crate::args::{AudienceArgs, HubOnlyArgs};

/// `antiphon signal`
#[derive(Debug, clap::Args)]
pub struct SignalArgs {
    /// Which one: measure, width, identify, ...; without a name the list of them
    #[arg(value_name = "NAME")]
    pub name: Option<String>,

    /// Write FILE.wav or FILE.flac, to be played by anything; without it the track is played here
    #[arg(short, long, value_name = "FILE", requires = "name")]
    pub output: Option<PathBuf>,

    /// Bits of a sample in the file
    #[arg(long, default_value = "24", value_name = "16|24", value_parser = ["16", "24"])]
    pub bits: String,

    /// Who plays
    #[command(flatten)]
    pub on: AudienceArgs,
}

const WITH_A_PHONE: &str = "\
With a phone:
  1. antiphon signal measure -o track.wav
  2. Play track.wav on both speakers as you play music on them, and record all of it where
     you listen: the phone's plain recorder, noise reduction off, lying still.
  3. antiphon measure recording.m4a --report out

With a microphone at this machine, and Antiphon's own speakers:
  antiphon measure --mic URI

Microphones:";

/// `antiphon measure`
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{WITH_A_PHONE}\n{}\n{}", InputUri::HELP, room::HELP))]
#[command(group = clap::ArgGroup::new("heard").required(true).args(["recording", "mic"]))]
pub struct MeasureArgs {
    /// A recording of the measure track: WAV, FLAC, M4A, MP3, Opus, ...
    #[arg(value_name = "RECORDING")]
    pub recording: Option<PathBuf>,

    /// The track that was played: checks that it is one that can be measured
    #[arg(long, value_name = "FILE", conflicts_with = "mic")]
    pub signal: Option<PathBuf>,

    /// The microphone was held near this speaker: finds out whether left and right are exchanged
    #[arg(long, value_name = "left|right", value_parser = ["left", "right"], conflicts_with = "mic")]
    pub near: Option<String>,

    /// Who plays and who listens
    #[command(flatten)]
    pub live: MicrophoneArgs,

    /// How the result is told
    #[command(flatten)]
    pub result: ResultArgs,
}

/// A microphone that listens now, and the speakers that it shall hear.
#[derive(Debug, Clone, clap::Args)]
pub struct MicrophoneArgs {
    /// Listen now with this microphone, while the hub's speakers play the signal
    #[arg(long, value_name = "URI")]
    pub mic: Option<InputUri>,

    /// What a microphone's raw samples are: SAMPLE:RATE:CHANNELS, e.g. s16le:48000:1
    #[arg(long, visible_alias = "format", value_name = "FORMAT", requires = "mic")]
    pub mic_format: Option<PcmFormat>,

    /// A speaker to measure; NAME:both for the two sides of a stereo device [default: all speakers]
    #[arg(long, value_name = "NAME")]
    pub to: Vec<String>,

    /// How long: periods of 1.4 s at full level; more help against noise
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u8).range(2..=64))]
    pub periods: u8,

    /// Where to play
    #[command(flatten)]
    pub at: HubOnlyArgs,
}

/// How a measurement is told.
#[derive(Debug, Clone, clap::Args)]
pub struct ResultArgs {
    /// Write DIR/report.html with pictures: for any browser, a phone's too
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,

    /// Print JSON with a stable schema
    #[arg(long)]
    pub json: bool,
}

const CALIBRATING: &str = "\
Calibrating measures the speakers, lets the early ones wait for the late ones, turns the
loud ones down, measures again, and keeps the corrections only if the speakers are nearer to
each other with them. They hold for the place of the microphone: put it where you listen.

Microphones:";

/// `antiphon calibrate`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = format!("{CALIBRATING}\n{}\n{}", InputUri::HELP, room::HELP))]
#[command(group = clap::ArgGroup::new("what").required(true).args(["mic", "undo"]))]
pub struct CalibrateArgs {
    /// Who plays and who listens
    #[command(flatten)]
    pub live: MicrophoneArgs,

    /// The microphone is equally far from all speakers: correct the speakers alone, for every place
    #[arg(long)]
    pub equal_distance: bool,

    /// Play FILE, left on one speaker and right on the other (--to LEFT --to RIGHT), and follow by the
    /// microphone how the delay between them changes
    #[arg(long, value_name = "FILE", requires = "mic")]
    pub follow: Option<PathBuf>,

    /// Take what has changed off again, slowly enough not to be heard
    #[arg(long, requires = "follow")]
    pub correct: bool,

    /// Stay, and calibrate anew by itself, quietly and while nothing plays, whatever no longer holds:
    /// a Bluetooth speaker that came back, another codec
    #[arg(long, requires = "mic", conflicts_with_all = ["follow", "equal_distance"])]
    pub keep: bool,

    /// Take the latest calibration back; with --to that of one speaker
    #[arg(long, conflicts_with_all = ["mic", "equal_distance", "report", "follow"])]
    pub undo: bool,

    /// How the result is told
    #[command(flatten)]
    pub result: ResultArgs,
}
