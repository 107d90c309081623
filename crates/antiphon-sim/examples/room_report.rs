//! Measures a simulated room and writes the report, to see a page without owning two speakers.
//!
//! `cargo run --release -p antiphon-sim --example room_report -- DIR SEED [DELAY_MS] [SPEAKERS]`
//!
//! The room is drawn from the seed. With DELAY_MS the last speaker plays so much later than the others, which
//! play together; without, every speaker has its own delay.

use std::error::Error;
use std::path::Path;

use antiphon_measure::lab::report::{self, ReportContext};
use antiphon_measure::lab::{Excitation, Options, Recorded, measure};
use antiphon_sim::room::Scene;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, seed, rest @ ..] = args.as_slice() else {
        return Err("usage: room_report DIR SEED [DELAY_MS] [SPEAKERS]".into());
    };
    let delay_ms = rest.first().map(|s| s.parse::<f64>()).transpose()?;
    let speakers = rest.get(1).map_or(Ok(2), |s| s.parse::<usize>())?;
    let scene = scene(seed.parse()?, delay_ms, speakers);

    let signal = Excitation::new(speakers, 8).ok_or("1 to 32 speakers")?;
    let recorded = Recorded { channels: vec![scene.record(&sources(&signal))], begin_s: 0.0 };
    let names = if speakers == 2 { vec!["left".to_owned(), "right".to_owned()] } else { names(speakers) };
    let measurement = measure(&recorded, &signal, &Options { names, near: None });

    let context = ReportContext {
        title: format!("Simulated room {seed}"),
        facts: vec![("recording".to_owned(), "made by the simulator".to_owned())],
        ..ReportContext::default()
    };
    let folder = Path::new(folder);
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("report.html"), report::html(&measurement, &context))?;
    for (name, svg) in report::pictures(&measurement) {
        std::fs::write(folder.join(format!("{name}.svg")), svg)?;
    }
    Ok(())
}

fn scene(seed: u64, delay_ms: Option<f64>, speakers: usize) -> Scene {
    let mut scene = Scene::random_with(seed, speakers);
    if let Some(delay_ms) = delay_ms {
        for (n, loudspeaker) in scene.room.loudspeakers.iter_mut().enumerate() {
            loudspeaker.delay_s = if n + 1 == speakers { delay_ms / 1e3 } else { 0.0 };
        }
    }
    scene
}

/// What each speaker is sent.
fn sources(signal: &Excitation) -> Vec<Vec<f32>> {
    let mut samples = vec![0.0; signal.frames() * signal.channels()];
    signal.render(0, &mut samples);
    let channel = |c: usize| samples.iter().skip(c).step_by(signal.channels()).copied().collect();
    (0..signal.channels()).map(channel).collect()
}

fn names(count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("speaker {n}")).collect()
}
