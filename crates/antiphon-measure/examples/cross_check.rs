//! Two measurements of one thing: makes recordings with a known, moving spread, measures them with
//! this crate and with the independent `scripts/check_spread.py`, and fails if they differ by more
//! than a microsecond anywhere.
//!
//! `cargo run -p antiphon-measure --example cross_check -- scripts/check_spread.py`

use std::error::Error;
use std::path::Path;
use std::process::Command;

use antiphon_base::{Frames, SampleRate, Timestamp, True};
use antiphon_measure::recording::{Recording, Wav, timeline_path, write_wav};
use antiphon_measure::spread::{Request, Settings, measure};
use antiphon_measure::timeline::{Segment, TrueTimeline};
use antiphon_measure::{music, summary::Summary};

const SECONDS: usize = 10;
const UPTIME_NS: i64 = 987_654_321_012_345;
const AGREE_US: f64 = 1.0;

fn main() -> Result<(), Box<dyn Error>> {
    let script = std::env::args().nth(1).ok_or("usage: cross_check PATH/TO/check_spread.py")?;
    let dir = tempfile::tempdir()?;
    let source = music::piece(SECONDS * 48_000, 5);
    let (source_left, source_right): (Vec<f32>, Vec<f32>) =
        source.chunks_exact(2).map(|f| (f[0], f[1])).unzip();
    let left = speaker(&source_left, 40.0, |_| 0.0);
    // 40 us late at the start, then within a few microseconds, and moving.
    let right = speaker(&source_right, -25.0, |s| 40e3 * (-s / 0.7).exp() + 4e3 * (s * 1.3).sin());
    write(dir.path(), "left.wav", &left)?;
    write(dir.path(), "right.wav", &right)?;
    let source = Wav { rate: SampleRate::MEDIA, channels: 2, samples: source };
    write_wav(&dir.path().join("source.wav"), &source)?;

    let request = Request {
        source_left: &source_left,
        source_right: &source_right,
        left: &left,
        right: &right,
        start: None,
        stalls: &[],
        settings: Settings::default(),
    };
    let ours = measure(&request)?.all;
    let theirs = independent(&script, dir.path())?;
    compare(&ours, &theirs)
}

/// A sound card `ppm` fast that wanders, with its programme `late_ns(seconds)` late.
fn speaker(source: &[f32], ppm: f64, late_ns: impl Fn(f64) -> f64) -> Recording {
    let mut at = UPTIME_NS - 300_000_000;
    let mut segments = Vec::new();
    for second in 0..SECONDS as i64 + 1 {
        let rate_hz = 48_000.0 * (1.0 + (ppm + (second as f64).sin()) * 1e-6);
        segments.push(Segment { frame: Frames(second * 48_000), at: Timestamp::from_ns(at), rate_hz });
        at += (48_000.0 * 1e9 / rate_hz).round() as i64;
    }
    let timeline = TrueTimeline::new(segments).expect("ascending by construction");
    let origin = Timestamp::<True>::from_ns(UPTIME_NS);
    Recording::ideal(source, (SECONDS + 1) * 48_000, timeline, origin, |ns| ns - late_ns(ns.max(0.0) / 1e9))
}

fn write(dir: &Path, name: &str, recording: &Recording) -> Result<(), Box<dyn Error>> {
    let path = dir.join(name);
    let wav = Wav { rate: recording.rate, channels: 1, samples: recording.samples.clone() };
    write_wav(&path, &wav)?;
    Ok(std::fs::write(timeline_path(&path), recording.timeline.to_text())?)
}

/// What the script says, as a summary.
fn independent(script: &str, dir: &Path) -> Result<Summary, Box<dyn Error>> {
    let python = Path::new(script).with_file_name("python");
    let output = Command::new(&python)
        .arg(script)
        .arg(dir)
        .output()
        .map_err(|e| format!("cannot run {}: {e}", python.display()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(format!("{script} failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let field = |name: &str| -> Result<f64, Box<dyn Error>> {
        let after = said.split(&format!("\"{name}\": ")).nth(1).ok_or(format!("no {name} in {said}"))?;
        Ok(after.split([',', '}']).next().unwrap_or_default().trim().parse()?)
    };
    Ok(Summary {
        count: field("measured")? as usize,
        p50: field("p50")?,
        p95: field("p95")?,
        p99: field("p99")?,
        max: field("max")?,
        bias: field("bias")?,
    })
}

fn compare(ours: &Summary, theirs: &Summary) -> Result<(), Box<dyn Error>> {
    println!("antiphon-measure: {ours:?}\ncheck_spread.py:  {theirs:?}");
    let pairs = [
        (ours.p50, theirs.p50),
        (ours.p95, theirs.p95),
        (ours.p99, theirs.p99),
        (ours.max, theirs.max),
        (ours.bias, theirs.bias),
    ];
    let worst = pairs.iter().map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    if worst > AGREE_US || ours.count == 0 || ours.count != theirs.count {
        return Err(format!("the two measurements differ by up to {worst:.3} us").into());
    }
    println!("they agree within {worst:.3} us");
    Ok(())
}
