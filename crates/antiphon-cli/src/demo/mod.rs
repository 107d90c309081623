//! `antiphon demo`: two speakers in time, without any hardware, judged by samples.
//!
//! Real processes (hub, two speakers, player) with wrong clocks and a network that behaves like
//! Wi-Fi between them. What counts is what the two virtual sound cards converted, correlated with
//! the source on the machine's own clock; nothing that the program says of itself decides.

mod rig;

mod analyse;

mod print;

use std::path::PathBuf;
use std::time::Duration;

use antiphon_api::demo::DemoReport;
use antiphon_base::{SampleRate, Span, Timestamp, True};
use antiphon_measure::music;
use antiphon_measure::recording::{Wav, write_wav};
use antiphon_net::witness::Witness;

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

    /// What a virtual sound card holds between callback and loudspeaker, in milliseconds
    #[arg(long, default_value_t = 12, hide = true)]
    pub output_latency_ms: u32,

    /// How far each sound card drifts while it warms up, in ppm
    #[arg(long, default_value_t = 3.0, hide = true)]
    pub warmup_ppm: f64,
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
    output_latency_ms: u32,
    warmup_ppm: f64,
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
    /// The player failed.
    #[error("the player failed; its log is {0}")]
    Player(PathBuf),
    /// The hub said something strange.
    #[error("the hub says it listens at {0:?}")]
    Nonsense(String),
    /// The recordings could not be judged.
    #[error("the recordings in {0} cannot be judged: {1}")]
    Judge(PathBuf, String),
}

/// What a run leaves to be judged.
struct Run {
    asked: Timestamp<True>,
    ended: Timestamp<True>,
    costs: Vec<(Cost, Cost)>,
    status: Option<antiphon_api::Status>,
    stalls: Vec<antiphon_measure::spread::Stall>,
}

/// Runs the demo and returns the exit code.
///
/// # Errors
/// See [`DemoError`].
pub fn run(args: &DemoArgs) -> Result<DemoReport, DemoError> {
    let plan = plan(args)?;
    let note = |text: &str| {
        if !args.json {
            eprintln!("{text}");
        }
    };
    note(&print::opening(&plan));
    let source = compose(&plan)?;
    let run = perform(&plan, &source.1, &note)?;
    note("Correlating both recordings with the source ...");
    let report = analyse::judge(&plan, &source.0, &run)?;
    if args.json {
        print!("{}", antiphon_api::json::write_pretty(&report));
    } else {
        print!("{}", print::report(&report, &plan));
    }
    Ok(report)
}

fn plan(args: &DemoArgs) -> Result<DemoPlan, DemoError> {
    let out = args.out.clone().unwrap_or_else(|| {
        std::env::temp_dir().join(format!("antiphon-demo-out-{}", std::process::id()))
    });
    std::fs::create_dir_all(&out).map_err(|e| DemoError::Write(out.clone(), e))?;
    let out = out.canonicalize().map_err(|e| DemoError::Write(args.out.clone().unwrap_or_default(), e))?;
    Ok(DemoPlan {
        seconds: args.seconds,
        out,
        network: args.network.model().or((args.loss.is_some() || args.delay.is_some()).then_some("none")),
        loss: args.loss.clone(),
        delay: args.delay.clone(),
        latency: args.latency,
        output_latency_ms: args.output_latency_ms,
        warmup_ppm: args.warmup_ppm,
    })
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

fn perform(plan: &DemoPlan, file: &std::path::Path, note: &dyn Fn(&str)) -> Result<Run, DemoError> {
    let witness = Witness::start().map_err(|e| DemoError::System("watch for stalls", e))?;
    let mut rig = Rig::start(plan)?;
    note("Playing ...");
    let before = rig.costs();
    let asked = rig.play(file)?;
    let mut status = None;
    let mut during = rig.costs();
    let went_well = loop {
        std::thread::sleep(Duration::from_millis(100));
        if let Some(ended) = rig.player_ended()? {
            break ended;
        }
        during = rig.costs();
        // Asked for seldom, so that the demo does not measure itself.
        if (antiphon_net::raw_now() - asked).as_ns() / 100_000_000 % 20 == 0 {
            status = rig.status().or(status);
        }
    };
    let ended = antiphon_net::raw_now();
    let status = rig.status().or(status);
    if !went_well {
        return Err(DemoError::Player(plan.out.join("player.log")));
    }
    rig.finish()?;
    let cost_of = |cost: &Cost| before.iter().find(|b| b.name == cost.name).cloned();
    let costs = during.iter().filter_map(|cost| Some((cost_of(cost)?, cost.clone()))).collect();
    let stalls = witness.stalls();
    Ok(Run { asked, ended, costs, status, stalls: analyse::stalls(&stalls) })
}
