//! `antiphon demo`: two speakers in time, without any hardware, judged by samples.
//!
//! Real processes (hub, two speakers, player) with wrong clocks and a network that behaves like
//! Wi-Fi between them. What counts is what the two virtual sound cards converted, correlated with
//! the source on the machine's own clock; nothing that the program says of itself decides.

mod rig;

mod analyse;

mod calibration;

mod print;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use antiphon_api::demo::{CalibratedReport, DemoReport};
use antiphon_api::json;
use antiphon_base::{SampleRate, Span, Timestamp, True};
use antiphon_measure::music;
use antiphon_measure::recording::{Wav, write_wav};
use antiphon_net::witness::Witness;

use crate::terminal;
use rig::{Cost, Rig};

/// How to run the demo.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArgs {
    /// Length of the music in seconds
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(5..=3600))]
    pub seconds: u32,

    /// Print one JSON object instead of words
    #[arg(long)]
    pub json: bool,

    /// Keep recordings, stereo.wav, spread.svg and logs here [default: a new temporary directory]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// The network between hub and speakers
    #[arg(long, value_enum, default_value_t = Network::Quiet)]
    pub network: Network,

    /// Loss as average/mean burst, for example 5%/20ms
    #[arg(long, value_name = "LOSS")]
    pub loss: Option<String>,

    /// Fixed delay to the hub/back, for example 6ms/1ms
    #[arg(long, value_name = "DELAY")]
    pub delay: Option<String>,

    /// Target latency
    #[arg(long, default_value = "200ms", value_parser = crate::plan::parse_span, value_name = "TIME")]
    pub latency: Span,

    /// Let one speaker play late by a delay that nobody is told, calibrate by a microphone in a simulated
    /// room, and judge by the recordings what that has brought
    #[arg(long)]
    pub calibrate: bool,

    /// The hidden delay of the right speaker, 0 to 300 [default: drawn at random]
    #[arg(long, value_name = "MS", requires = "calibrate", value_parser = clap::value_parser!(u32).range(0..=300))]
    pub hidden_ms: Option<u32>,

    /// What the rest of the rig is, for measurements
    #[command(flatten)]
    pub rig: RigArgs,
}

/// The rig of the demo, where a measurement needs another than the demo's own.
#[derive(Debug, Clone, clap::Args)]
pub struct RigArgs {
    /// What a virtual sound card holds between callback and loudspeaker, in milliseconds
    #[arg(long, default_value_t = 12.0, hide = true)]
    pub card_latency_ms: f64,

    /// Frames between two callbacks of a virtual sound card
    #[arg(long, default_value_t = 256, hide = true)]
    pub card_period: u32,

    /// How much faster than nominal each sound card runs, left/right, in ppm
    #[arg(long, default_value = "+40/-25", value_parser = parse_pair, allow_hyphen_values = true, hide = true)]
    pub card_ppm: (f64, f64),

    /// How far each sound card drifts while it warms up, in ppm
    #[arg(long, default_value_t = 3.0, hide = true)]
    pub warmup_ppm: f64,

    /// Fixed delay to the hub/back on the right speaker's path alone, for example 6ms/1ms
    #[arg(long, value_name = "DELAY", hide = true)]
    pub right_path: Option<String>,

    /// What `antiphon delay right` is set to before the music begins
    #[arg(long, default_value = "0ms", value_parser = crate::plan::parse_signed_span, allow_hyphen_values = true, hide = true)]
    pub right_delay: Span,
}

fn parse_pair(text: &str) -> Result<(f64, f64), String> {
    let number = |part: &str| part.parse::<f64>().ok().filter(|ppm| ppm.is_finite());
    text.split_once('/')
        .and_then(|(left, right)| Some((number(left)?, number(right)?)))
        .ok_or_else(|| format!("{text:?} is not LEFT/RIGHT, for example +40/-25"))
}

/// Networks that the relay can play.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Network {
    /// No relay: the machine's own loopback
    None,
    /// A wired network
    Lan,
    /// Wi-Fi with little else on it
    Quiet,
    /// Wi-Fi that others use too
    Busy,
}

impl Network {
    fn model(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Lan => Some("lan"),
            Self::Quiet => Some("quiet"),
            Self::Busy => Some("busy"),
        }
    }
}

/// The demo as meant.
struct DemoPlan {
    seconds: u32,
    out: PathBuf,
    network: Option<&'static str>,
    loss: Option<String>,
    delay: Option<String>,
    latency: Span,
    /// What the right speaker's sound is late by, unknown to all but the rig.
    hidden_ms: u32,
    rig: RigArgs,
}

/// Why the demo could not be run.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The output directory.
    #[error("cannot write in {0}: {1}; name another directory with --out")]
    Write(PathBuf, std::io::Error),
    /// The system.
    #[error("cannot {0}: {1}")]
    System(&'static str, std::io::Error),
    /// A process did not come up.
    #[error("{0} did not come up within 20 s; its log is in {1}")]
    NotThere(&'static str, PathBuf),
    /// A process did not end.
    #[error("{0} did not end when it was told to")]
    Stuck(&'static str),
    /// Somebody asked it to stop; its processes are ended.
    #[error("interrupted")]
    Interrupted,
    /// The player failed.
    #[error("the player failed; its log is {0}")]
    Player(PathBuf),
    /// The hub did not take a setting.
    #[error("the hub did not set the right speaker's delay: {0}")]
    NotSet(String),
    /// The calibration did not come to an end.
    #[error("the calibration failed; its log is {0}")]
    Calibration(PathBuf),
    /// The hub said something strange.
    #[error("the hub says it listens at {0:?}")]
    Nonsense(String),
    /// The recordings could not be judged.
    #[error("the recordings in {0} cannot be judged: {1}")]
    Judge(PathBuf, String),
}

/// As late as Bluetooth speakers and television sets are.
const MAX_HIDDEN_MS: u32 = 300;

/// What a run leaves to be judged.
struct Run {
    asked: Timestamp<True>,
    ended: Timestamp<True>,
    costs: Vec<(Option<Cost>, Cost)>,
    status: Option<antiphon_api::Status>,
    /// What the speakers had counted, at instants through the music.
    counts: Vec<(Timestamp<True>, Counts)>,
    stalls: Vec<antiphon_measure::spread::Stall>,
}

/// What both speakers have counted together.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    lost: u64,
    recovered: u64,
    concealed_ms: f64,
    underruns: u64,
}

impl Counts {
    fn of(status: &antiphon_api::Status) -> Self {
        let reports = status.speakers.iter().filter_map(|speaker| speaker.report.as_ref());
        reports.fold(Self::default(), |sum, report| Self {
            lost: sum.lost + report.packets.lost,
            recovered: sum.recovered + report.packets.recovered,
            concealed_ms: sum.concealed_ms + report.concealed_ms,
            underruns: sum.underruns + report.underruns,
        })
    }
}

/// How a demo ended.
pub enum Told {
    /// Music was played.
    Played(Box<DemoReport>),
    /// Music was played before and after a calibration.
    Calibrated(Box<CalibratedReport>),
}

/// Runs the demo, prints its report and returns it.
///
/// # Errors
/// See [`DemoError`].
pub fn run(args: &DemoArgs, stop: &Arc<AtomicBool>) -> Result<Told, DemoError> {
    let plan = plan(args)?;
    let note = |text: &str| {
        if !args.json {
            eprintln!("{text}");
        }
    };
    note(&print::opening(&plan));
    if args.calibrate {
        let report = calibration::run(&plan, &note, stop)?;
        let text = if args.json { json::write_pretty(&report) } else { print::calibrated(&report) };
        // Whoever reads no further has enough.
        let _ = terminal::print(&text);
        return Ok(Told::Calibrated(Box::new(report)));
    }
    let source = compose(&plan)?;
    let run = perform(&plan, &source.1, &note, stop)?;
    note("Correlating both recordings with the source ...");
    let report = analyse::judge(&plan, &source.0, &run)?;
    let text = if args.json { json::write_pretty(&report) } else { print::report(&report, &plan) };
    let _ = terminal::print(&text);
    Ok(Told::Played(Box::new(report)))
}

fn plan(args: &DemoArgs) -> Result<DemoPlan, DemoError> {
    let out = args
        .out
        .clone()
        .unwrap_or_else(|| std::env::temp_dir().join(format!("antiphon-demo-out-{}", std::process::id())));
    std::fs::create_dir_all(&out).map_err(|e| DemoError::Write(out.clone(), e))?;
    let out = out.canonicalize().map_err(|e| DemoError::Write(args.out.clone().unwrap_or_default(), e))?;
    Ok(DemoPlan {
        seconds: args.seconds,
        out,
        network: args.network.model().or((args.loss.is_some() || args.delay.is_some()).then_some("none")),
        loss: args.loss.clone(),
        delay: args.delay.clone(),
        latency: args.latency,
        hidden_ms: hidden_ms(args),
        rig: args.rig.clone(),
    })
}

/// Drawn by the clock: nobody could have prepared for it.
fn hidden_ms(args: &DemoArgs) -> u32 {
    let drawn = || {
        let ns = antiphon_net::raw_now().as_ns() as u64 ^ u64::from(std::process::id());
        (ns.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33) as u32 % (MAX_HIDDEN_MS + 1)
    };
    if args.calibrate { args.hidden_ms.unwrap_or_else(drawn) } else { 0 }
}

/// The music, in memory and as `source.wav`.
fn compose(plan: &DemoPlan) -> Result<(Vec<f32>, PathBuf), DemoError> {
    let rate = SampleRate::MEDIA;
    let samples = music::piece(plan.seconds as usize * rate.hz() as usize, 1);
    let path = plan.out.join("source.wav");
    let wav = Wav { rate, channels: 2, samples: samples.clone() };
    write_wav(&path, &wav).map_err(|e| DemoError::Judge(plan.out.clone(), e.to_string()))?;
    Ok((samples, path))
}

/// Seldom, so that the demo does not measure itself.
const STATUS_INTERVAL: Span = Span::from_ms(2_000);

fn perform(
    plan: &DemoPlan,
    file: &std::path::Path,
    note: &dyn Fn(&str),
    stop: &Arc<AtomicBool>,
) -> Result<Run, DemoError> {
    let witness = Witness::start().map_err(|e| DemoError::System("watch for stalls", e))?;
    let mut rig = Rig::start(plan, Arc::clone(stop))?;
    note("Playing ...");
    let mut run = play(plan, &mut rig, file, stop)?;
    rig.finish()?;
    run.stalls = analyse::stalls(&witness.stalls());
    Ok(run)
}

/// Plays the music once; the stalls are for the caller to fill in.
fn play(plan: &DemoPlan, rig: &mut Rig, file: &std::path::Path, stop: &AtomicBool) -> Result<Run, DemoError> {
    let before = rig.costs();
    let asked = rig.play(file)?;
    let mut counts = Vec::new();
    let mut asked_status = asked;
    let mut during = rig.costs();
    let went_well = loop {
        std::thread::sleep(Duration::from_millis(100));
        if stop.load(Ordering::Relaxed) {
            return Err(DemoError::Interrupted);
        }
        if let Some(ended) = rig.ended("player")? {
            break ended;
        }
        during = rig.costs();
        let now = antiphon_net::raw_now();
        if now - asked_status >= STATUS_INTERVAL {
            asked_status = now;
            counts.extend(rig.status().map(|status| (now, Counts::of(&status))));
        }
    };
    let ended = antiphon_net::raw_now();
    let status = rig.status();
    counts.extend(status.as_ref().map(|status| (ended, Counts::of(status))));
    if !went_well {
        return Err(DemoError::Player(plan.out.join("player.log")));
    }
    // The player began with the music: before, it had used nothing.
    let cost_of = |cost: &Cost| before.iter().find(|b| b.name == cost.name).cloned();
    let costs = during.into_iter().map(|cost| (cost_of(&cost), cost)).collect();
    Ok(Run { asked, ended, costs, status, counts, stalls: Vec::new() })
}
