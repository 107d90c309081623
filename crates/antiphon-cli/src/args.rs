//! The command line as typed.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use antiphon_api::HubAddress;
use antiphon_audio::source::PcmFormat;
use antiphon_audio::uri::OutputUri;
use antiphon_base::{Role, Span};
use antiphon_net::Warp;
use antiphon_net::impair::{Blackout, Delay, Jitter, Loss};
use antiphon_proto::session::Codec;
use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::{ArgAction, Parser, Subcommand};

use crate::access::AccessArgs;
use crate::advice::{CatalogArgs, CheckArgs, ExplainArgs, GuideArgs};
use crate::bluetooth::BluetoothArgs;
use crate::demo::DemoArgs;
use crate::doctor::DoctorArgs;
use crate::group::GroupArgs;
use crate::lab::{CalibrateArgs, MeasureArgs, SignalArgs};
use crate::miio::MiioArgs;
use crate::pair::PairArgs;
use crate::plan::{Place, Volume, parse_life, parse_signed_span, parse_span};

/// One source on two or more speakers, exactly together
#[derive(Debug, Parser)]
#[command(name = "antiphon", version, propagate_version = true, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 ok, 1 failed, 2 usage, 3 hub unreachable, 4 not found, 5 not permitted, \
                        6 measurement not trustworthy, 130 interrupted."
)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub verb: Verb,

    /// Say more on stderr; twice: everything. ANTIPHON_LOG=module=level says it finer
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// What the program does.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show that it works: two speakers without hardware, judged by their recordings
    Demo(DemoArgs),

    /// Run the hub: speakers join it, players stream to it
    Hub(HubArgs),

    /// Run a speaker: joins a hub and plays its part
    Speaker(SpeakerArgs),

    /// Play files, folders and playlists on speakers
    Play(PlayArgs),

    /// Show the hub, what plays, and how well every speaker keeps time
    Status(ReadArgs),

    /// List the speakers
    Speakers(ReadArgs),

    /// List what this machine can play on: sound cards, the sound server's devices, Bluetooth speakers
    Outputs(OutputsArgs),

    /// Set a speaker's volume: 0dB, -6.5dB, 40%, mute or unmute
    Volume(VolumeArgs),

    /// Let a speaker play later (or earlier): 2.5ms, -300us
    Delay(DelayArgs),

    /// Set which part of the programme a speaker plays: left, right, both, mono, ch1 to ch32
    Role(RoleArgs),

    /// Call a speaker otherwise; the hub keeps the name
    Rename(RenameArgs),

    /// Set how a speaker's audio is encoded: l16, l24, flac, opus
    Codec(CodecArgs),

    /// Set the time from hub to loudspeaker, the same for all: 15ms to 2s
    Latency(LatencyArgs),

    /// What the hub plays by itself: listed, added to, emptied
    Queue(QueueArgs),

    /// Control what is playing
    Ctl(CtlArgs),

    /// Test tracks: listed, written as WAV or FLAC, or played
    Signal(SignalArgs),

    /// Say from a recording how far apart two speakers are, of any kind and make
    Measure(MeasureArgs),

    /// Bring speakers together by a microphone: measure, correct, check, and keep what is better
    Calibrate(CalibrateArgs),

    /// Make two Bluetooth speakers of any brands a stereo pair, step by step
    Pair(PairArgs),

    /// Bluetooth speakers: find them, pair them, see what they are
    Bluetooth(BluetoothArgs),

    /// Say which method makes two speakers play together: of which model, firmware, app and source
    Check(CheckArgs),

    /// Lead through a method step by step, check what can be checked, and prove the result
    Guide(GuideArgs),

    /// Answer a question about two speakers, and say what is a myth
    Explain(ExplainArgs),

    /// Look at this machine and its speakers, and say what is in the way, with the command that helps
    Doctor(DoctorArgs),

    /// Xiaomi's Wi-Fi devices: who is there, and which firmware they have
    Miio(MiioArgs),

    /// The speakers that are known: listed, checked, added to
    Catalog(CatalogArgs),

    /// Show a code that lets a browser, another machine or its speaker in; list who was let in, throw out
    Access(AccessArgs),

    /// Groups of speakers: a stereo pair, all of the house; their roles set at once
    Group(GroupArgs),

    /// Make any phone a speaker: a link, or a QR code, that its browser opens
    Join(JoinArgs),

    /// Relay UDP and TCP as a bad network would: delay, jitter, loss
    Impair(ImpairArgs),

    /// Log this machine's own stalls as JSON lines
    Witness(WitnessArgs),

    /// Play many speakers without sound in this process, to measure a hub
    #[command(hide = true)]
    Load(LoadArgs),

    /// Print completions for a shell
    #[command(hide = true)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },

    /// Print the manual page
    #[command(hide = true)]
    Man,
}

/// Where the hub is.
#[derive(Debug, Clone, clap::Args)]
pub struct HubOnlyArgs {
    /// The hub [default: the one on this machine, else the one found in the network]
    #[arg(long, global = true, value_name = "HOST:PORT", env = "ANTIPHON_HUB")]
    pub hub: Option<HubAddress>,
}

/// `antiphon hub`
#[derive(Debug, clap::Args)]
pub struct HubArgs {
    /// Address and port, TCP for control and UDP for media; port 0 takes a free one
    #[arg(long, default_value = "0.0.0.0:7755", value_name = "ADDR:PORT", env = "ANTIPHON_LISTEN")]
    pub listen: SocketAddr,

    /// The hub's name [default: this machine's]
    #[arg(long, env = "ANTIPHON_NAME")]
    pub name: Option<String>,

    /// Time from hub to loudspeaker, the same for all; without it the one that was set last, at first 200ms
    #[arg(long, value_parser = parse_span, value_name = "TIME", env = "ANTIPHON_LATENCY")]
    pub latency: Option<Span>,

    /// Let anybody in the network join and listen, unpaired and unencrypted
    #[arg(long)]
    pub open: bool,

    /// Port of the encrypted page [default: the one after the port of --listen]
    #[arg(long, value_name = "PORT", env = "ANTIPHON_HTTPS_PORT")]
    pub https_port: Option<u16>,

    /// Do not serve the page encrypted
    #[arg(long, conflicts_with = "https_port")]
    pub no_https: bool,

    /// Do not announce the hub in the network
    #[arg(long)]
    pub no_mdns: bool,

    /// Do not play on the saved Bluetooth speakers of this machine
    #[arg(long)]
    pub no_bluetooth: bool,

    /// A folder with music that pages may browse and play; may be repeated; "" for none [default: those in
    /// ANTIPHON_MUSIC, between colons, else this user's music folder]
    // The parser of paths refuses empty ones.
    #[arg(long, value_name = "DIR", value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub music: Vec<PathBuf>,
}

/// `antiphon speaker`
#[derive(Debug, clap::Args)]
pub struct SpeakerArgs {
    /// The speaker's name [default: this machine's]
    #[arg(long, env = "ANTIPHON_NAME")]
    pub name: Option<String>,

    /// The hub to join [default: the one on this machine, else the one found in the network]
    #[arg(long, value_name = "HOST:PORT", env = "ANTIPHON_HUB")]
    pub hub: Option<HubAddress>,

    /// Part of the programme: left, right, both, mono, ch1 to ch32
    #[arg(long)]
    pub role: Option<Role>,

    /// Where to play: pulse:SINK, pulse:SINK#left, alsa:hw:0, alsa:hw:0#left, bluetooth:ADDRESS,
    /// virtual:PATH?ppm=+40, wav:PATH, null:
    #[arg(long, default_value = "null:", value_name = "URI", env = "ANTIPHON_OUTPUT")]
    pub output: OutputUri,

    /// Run all speakers of a saved pair of Bluetooth speakers, each under its own name
    #[arg(long, value_name = "NAME", conflicts_with_all = ["name", "role", "output"])]
    pub pair: Option<String>,

    /// The six digits that `antiphon access` shows on the hub's machine
    #[arg(long, value_name = "DIGITS")]
    pub code: Option<String>,

    /// Join an open hub: anybody in the network can listen and interfere
    #[arg(long)]
    pub open: bool,

    /// Encodings to accept, best first, separated by commas
    #[arg(long, value_delimiter = ',', default_value = "l24,l16,flac,opus")]
    pub codecs: Vec<Codec>,

    /// For tests: make this process's clock wrong, e.g. ppm=+40&offset_s=1234.5&wander_ppm=1
    #[arg(long, value_name = "WARP")]
    pub local_clock: Option<Warp>,
}

/// `antiphon play`
#[derive(Debug, clap::Args)]
pub struct PlayArgs {
    /// An audio file; http://... or https://... for a radio station; - for raw samples on standard input; a named
    /// pipe; pulse:SOURCE or alsa:hw:1 for a microphone or line input; desktop for what this computer's programs
    /// play to the device "Antiphon"; or several: files, folders (with all below), playlists (.m3u, .m3u8, .pls)
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// Play files in an order drawn at random
    #[arg(long)]
    pub shuffle: bool,

    /// Begin again after the end, until stopped
    #[arg(long)]
    pub repeat: bool,

    /// What standard input or a named pipe holds: SAMPLE:RATE:CHANNELS [default of a pipe: s16le:44100:2]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<PcmFormat>,

    /// Who plays
    #[command(flatten)]
    pub on: AudienceArgs,
}

/// Who plays, where, and how late: the same for every verb that plays.
#[derive(Debug, Clone, clap::Args)]
pub struct AudienceArgs {
    /// A speaker that plays the left channel: its name, or an output: pulse:SINK, alsa:hw:0#left,
    /// bluetooth:ADDRESS
    #[arg(long, value_name = "NAME")]
    pub left: Vec<String>,

    /// A speaker that plays the right channel: its name, or an output
    #[arg(long, value_name = "NAME")]
    pub right: Vec<String>,

    /// A speaker, in its own role or in the one given, or a saved pair [default: all speakers, each in its own]
    #[arg(long, value_name = "NAME[:ROLE]")]
    pub to: Vec<String>,

    /// Time from hub to loudspeaker, the same for all
    #[arg(long, value_parser = parse_span, value_name = "TIME", env = "ANTIPHON_LATENCY")]
    pub latency: Option<Span>,

    /// How long to wait for the named speakers [default: 15s to join where this program is the hub, 1.5s where one
    /// runs already; then 5s until all can play]
    #[arg(long, value_parser = parse_span, value_name = "TIME")]
    pub wait: Option<Span>,

    /// The hub [default: the one on this machine, else one inside this program]
    #[arg(long, value_name = "HOST:PORT", env = "ANTIPHON_HUB")]
    pub hub: Option<HubAddress>,
}

/// Verbs that read.
#[derive(Debug, Clone, clap::Args)]
pub struct ReadArgs {
    /// Where to ask
    #[command(flatten)]
    pub at: HubOnlyArgs,

    /// Print JSON with a stable schema
    #[arg(long)]
    pub json: bool,

    /// Go on, once a second
    #[arg(long)]
    pub watch: bool,
}

/// `antiphon outputs`
#[derive(Debug, clap::Args)]
pub struct OutputsArgs {
    /// Print JSON with a stable schema
    #[arg(long)]
    pub json: bool,
}

/// `antiphon volume`
#[derive(Debug, clap::Args)]
pub struct VolumeArgs {
    /// The speaker: its name, or as much of its beginning as no other has
    #[arg(value_name = "NAME")]
    pub name: String,
    /// 0dB is as the source, by gain, -6 or -6dB quieter, +3dB louder; 40% is of the loudspeaker's own; mute and unmute
    /// keep both
    #[arg(value_name = "VOLUME", allow_hyphen_values = true)]
    pub volume: Volume,
    /// Where to ask
    #[command(flatten)]
    pub at: HubOnlyArgs,
}

/// `antiphon delay`
#[derive(Debug, clap::Args)]
pub struct DelayArgs {
    /// The speaker: its name, or as much of its beginning as no other has
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Later than the others; negative: earlier
    #[arg(value_name = "TIME", value_parser = parse_signed_span, allow_hyphen_values = true)]
    pub delay: Span,
    /// Where to ask
    #[command(flatten)]
    pub at: HubOnlyArgs,
}

/// `antiphon role`
#[derive(Debug, clap::Args)]
pub struct RoleArgs {
    /// The speaker: its name, or as much of its beginning as no other has
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Its part of the programme
    #[arg(value_name = "ROLE")]
    pub role: Role,
    /// Where to ask
    #[command(flatten)]
    pub at: HubOnlyArgs,
}

/// `antiphon rename`
#[derive(Debug, clap::Args)]
pub struct RenameArgs {
    /// The speaker
    #[arg(value_name = "NAME")]
    pub name: String,
    /// What it is called from now on
    #[arg(value_name = "NEW-NAME")]
    pub new: String,
    /// Where to ask
    #[command(flatten)]
    pub at: HubOnlyArgs,
}

/// `antiphon codec`
#[derive(Debug, clap::Args)]
pub struct CodecArgs {
    /// The speaker: its name, or as much of its beginning as no other has
    #[arg(value_name = "NAME")]
    pub name: String,
    /// How its audio is encoded
    #[arg(value_name = "CODEC")]
    pub codec: Codec,
    /// Where to ask
    #[command(flatten)]
    pub at: HubOnlyArgs,
}

/// `antiphon latency`
#[derive(Debug, clap::Args)]
pub struct LatencyArgs {
    /// Time from hub to loudspeaker
    #[arg(value_name = "TIME", value_parser = parse_span)]
    pub latency: Span,
    /// Where to ask
    #[command(flatten)]
    pub at: HubOnlyArgs,
}

/// `antiphon queue`
#[derive(Debug, clap::Args)]
pub struct QueueArgs {
    /// What to do [default: list]
    #[command(subcommand)]
    pub action: Option<QueueAction>,
    /// Where to ask
    #[command(flatten)]
    pub at: HubOnlyArgs,
    /// Print JSON with a stable schema
    #[arg(long, global = true)]
    pub json: bool,
}

/// What to do with the queue.
#[derive(Debug, Clone, Subcommand)]
pub enum QueueAction {
    /// List it
    List,
    /// Find files in the hub's music folders, by words in title, artist, album or name
    Find {
        /// The words
        #[arg(value_name = "WORD", required = true)]
        words: Vec<String>,
    },
    /// Add files and folders of the hub's library by their ids, files of this machine, stations, test tracks
    Add {
        /// An id of `antiphon queue find`, a file, http://..., or signal:NAME
        #[arg(value_name = "WHAT", required = true)]
        what: Vec<String>,
        /// Play them at once
        #[arg(long, conflicts_with = "next")]
        now: bool,
        /// Play them after the one that is heard
        #[arg(long)]
        next: bool,
    },
    /// Play it, from where it was or from one of the list on
    Play {
        /// Its number in the list
        #[arg(value_name = "NUMBER")]
        number: Option<usize>,
    },
    /// The next one
    Next,
    /// Move one of the list to another place in it
    Move {
        /// Its number in the list
        #[arg(value_name = "NUMBER")]
        number: usize,
        /// The number that it shall have
        #[arg(value_name = "TO")]
        to: usize,
    },
    /// Take one out
    Remove {
        /// Its number in the list
        #[arg(value_name = "NUMBER")]
        number: usize,
    },
    /// Empty it
    Clear,
}

/// `antiphon ctl`
#[derive(Debug, clap::Args)]
pub struct CtlArgs {
    /// What to do
    #[command(subcommand)]
    pub action: CtlAction,
    /// Where to ask
    #[command(flatten)]
    pub at: HubOnlyArgs,
}

/// What to do with what is playing.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum CtlAction {
    /// Halt in place
    Pause,
    /// Go on
    Resume,
    /// Pause or go on
    Toggle,
    /// End it
    Stop,
    /// The next track; behind the last one playing ends, unless it repeats
    Next,
    /// The beginning of the track; within its first three seconds, the track before it
    #[command(visible_alias = "prev")]
    Previous,
    /// Go to a place in the track: 1:30, 90s, or from here: +10s, -1:00
    Seek {
        /// Where to
        #[arg(value_name = "PLACE", allow_hyphen_values = true)]
        to: Place,
    },
}

/// `antiphon join`
#[derive(Debug, clap::Args)]
pub struct JoinArgs {
    /// Show the link as a QR code, for a phone's camera
    #[arg(long, conflicts_with_all = ["json", "list", "revoke"])]
    pub qr: bool,

    /// How long the link lets speakers in: 30m, 12h or 7d, at most 31d
    #[arg(long, default_value = "12h", value_parser = parse_life, value_name = "TIME")]
    pub valid: Span,

    /// The link of the encrypted page, which browsers warn of once; phones give it their microphone
    #[arg(long)]
    pub https: bool,

    /// The address of the hub that the link names [default: the likeliest]
    #[arg(long, value_name = "IP")]
    pub address: Option<IpAddr>,

    /// List the links that are in force, and who came by them
    #[arg(long, conflicts_with = "revoke")]
    pub list: bool,

    /// End a link, and send away who came by it
    #[arg(long, value_name = "ID")]
    pub revoke: Option<String>,

    /// Print JSON with a stable schema
    #[arg(long)]
    pub json: bool,

    /// Where to ask
    #[command(flatten)]
    pub at: HubOnlyArgs,
}

/// `antiphon impair`
#[derive(Debug, clap::Args)]
pub struct ImpairArgs {
    /// Where clients come
    #[arg(long, value_name = "ADDR:PORT")]
    pub listen: SocketAddr,

    /// The server: a hub
    #[arg(long, value_name = "HOST:PORT")]
    pub to: HubAddress,

    /// Fixed delay to the server/back, e.g. 6ms/1ms
    #[arg(long)]
    pub delay: Option<Delay>,

    /// Varying delay: none, lan, quiet (Wi-Fi), wifi (a busy one)
    #[arg(long, default_value = "none")]
    pub jitter: Jitter,

    /// Loss as average/mean burst, e.g. 5%/20ms
    #[arg(long)]
    pub loss: Option<Loss>,

    /// Datagrams never overtake each other
    #[arg(long)]
    pub keep_order: bool,

    /// Nothing passes from BEGIN on for LENGTH, e.g. 20s/10s; may be repeated
    #[arg(long, value_name = "BEGIN/LENGTH")]
    pub blackout: Vec<Blackout>,

    /// Seed of delays and losses
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// `antiphon witness`
#[derive(Debug, clap::Args)]
pub struct WitnessArgs {
    /// How long [default: until interrupted]
    #[arg(long, value_parser = parse_span, value_name = "TIME")]
    pub time: Option<Span>,
}

/// `antiphon load`
#[derive(Debug, clap::Args)]
pub struct LoadArgs {
    /// The hub
    #[arg(long, value_name = "HOST:PORT", env = "ANTIPHON_HUB")]
    pub hub: HubAddress,

    /// How many speakers: half of them left, half right
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=512))]
    pub speakers: u16,

    /// How long, from the moment that all are connected [default: until interrupted]
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u32).range(1..))]
    pub seconds: Option<u32>,

    /// How their audio is encoded
    #[arg(long, default_value = "l24")]
    pub codec: Codec,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn negative_values_are_values() {
        for line in [
            "antiphon volume desk -6dB",
            "antiphon delay desk -300us",
            "antiphon ctl seek -10s",
            "antiphon ctl pause --hub 127.0.0.1:7755",
            "antiphon ctl prev",
            "antiphon queue",
            "antiphon queue play 3",
            "antiphon queue move 5 1",
            "antiphon queue remove 2",
            "antiphon queue add --now abc song.flac --hub 127.0.0.1:7755",
            "antiphon hub --music /srv/music --music /srv/records",
            "antiphon access --role listen --hub 10.0.0.1:7755",
            "antiphon access --use 123456",
            "antiphon group set den desk:left tv:right --kind stereo",
            "antiphon play a.flac b.mp3 music list.m3u --shuffle --repeat --left desk --right tv",
            "antiphon play a.flac --left desk --to tv:mono --latency 20ms",
            "antiphon impair --listen 127.0.0.1:9 --to 127.0.0.1:10 --delay 6ms/1ms --jitter wifi --loss 5%/20ms",
            "antiphon join --qr --valid 30m --address 192.168.1.20 --https",
            "antiphon join --revoke 0a1b2c3d",
            "antiphon speaker --name a --local-clock ppm=+40&offset_s=1234.5&wander_ppm=1",
        ] {
            assert!(Args::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
        assert!(Args::try_parse_from(["antiphon", "hub", "--music", ""]).is_ok());
    }
}
