//! Two measurements of one thing: makes recordings of the measure track with a known delay, a recorder
//! whose clock is wrong and a few reflections, measures them with this crate and with the
//! independent `scripts/check_measure.py`, and fails if either is more than some microseconds off.
//!
//! `cargo run -p antiphon-measure --example cross_check_lab -- scripts/check_measure.py`

use std::error::Error;
use std::path::Path;
use std::process::Command;

use antiphon_base::SampleRate;
use antiphon_measure::lab::{self, Excitation, Options, Recorded};
use antiphon_measure::recording::{Wav, write_wav};

/// Right later than left in microseconds, and how much too fast the recorder runs, in ppm.
const CASES: [(f64, f64); 3] = [(0.0, 0.0), (-341.7, 130.0), (137_012.3, -75.0)];
/// The measurement promises 20 us in real rooms; in this easy one both must do far better.
const OURS_WITHIN_US: f64 = 2.0;
const THEIRS_WITHIN_US: f64 = 5.0;
/// Reflections: frames after the direct sound, and their size against it.
const REFLECTIONS: [(usize, f32); 4] = [(171, 0.45), (293, -0.3), (610, 0.25), (1_450, 0.15)];
/// Half of a windowed sinc.
const HALF: i64 = 32;

fn main() -> Result<(), Box<dyn Error>> {
    let script = std::env::args().nth(1).ok_or("usage: cross_check_lab PATH/TO/check_measure.py")?;
    let dir = tempfile::tempdir()?;
    let signal = Excitation::track();
    let mut track = vec![0.0; signal.frames() * signal.channels()];
    signal.render(0, &mut track);
    write(&dir.path().join("track.wav"), 2, &track)?;
    for (delay_us, ppm) in CASES {
        let heard = recording(&track, delay_us, ppm);
        write(&dir.path().join("heard.wav"), 1, &heard)?;
        let ours = measured(&signal, heard)?;
        let theirs = independent(&script, dir.path())?;
        println!("{delay_us:9.1} us, {ppm:+4} ppm: measured {ours:.2} us, independently {theirs:.2} us");
        if (ours - delay_us).abs() > OURS_WITHIN_US || (theirs - delay_us).abs() > THEIRS_WITHIN_US {
            return Err("a measurement is off by more than it may be".into());
        }
    }
    Ok(())
}

fn measured(signal: &Excitation, heard: Vec<f32>) -> Result<f64, Box<dyn Error>> {
    let recorded = Recorded { channels: vec![heard], begin_s: 0.0 };
    let options = Options { names: vec!["left".into(), "right".into()], near: None };
    let result = lab::measure(&recorded, signal, &options);
    let pair = result.pairs.first().ok_or_else(|| format!("no pair: {:?}", result.findings))?;
    Ok(pair.delay_us.value)
}

fn independent(script: &str, dir: &Path) -> Result<f64, Box<dyn Error>> {
    let run = Command::new("scripts/python")
        .arg(script)
        .args([dir.join("track.wav"), dir.join("heard.wav")])
        .output()?;
    let text = String::from_utf8(run.stdout)?;
    let failed = || format!("{script} said {text:?} {}", String::from_utf8_lossy(&run.stderr));
    let (_, after) = text.split_once("\"delay_us\":").ok_or_else(failed)?;
    Ok(after.split(',').next().unwrap_or_default().trim().parse()?)
}

/// What a recorder `ppm` fast hears of the track from half a second on, the right channel later by
/// `delay_us`, both with the same reflections.
fn recording(track: &[f32], delay_us: f64, ppm: f64) -> Vec<f32> {
    let frames = track.len() / 2 + 96_000;
    let mut heard = vec![0.0; frames];
    for (channel, later_us) in [(0, 0.0), (1, delay_us)] {
        let samples: Vec<f32> = track.iter().skip(channel).step_by(2).copied().collect();
        let late = 24_000.25 + later_us * 0.048;
        let direct: Vec<f32> =
            (0..frames).map(|n| value_at(&samples, n as f64 / (1.0 + ppm * 1e-6) - late)).collect();
        for (after, size) in [(0, 1.0)].into_iter().chain(REFLECTIONS) {
            heard[after..].iter_mut().zip(&direct).for_each(|(out, x)| *out += size * x);
        }
    }
    heard
}

/// The signal between its samples: a sinc under a window that reaches zero at its ends.
fn value_at(samples: &[f32], place: f64) -> f32 {
    let (whole, part) = (place.floor() as i64, place - place.floor());
    let near = |m: i64| usize::try_from(m).ok().and_then(|m| samples.get(m)).copied().unwrap_or(0.0);
    if part == 0.0 {
        return near(whole);
    }
    // The sine of a whole number of half turns more only changes its sign.
    let sine = (std::f64::consts::PI * part).sin();
    let term = |m: i64| {
        let x = part - m as f64;
        let sign = if m % 2 == 0 { 1.0 } else { -1.0 };
        let window = 1.0 - (x / HALF as f64).powi(2);
        sign * sine / (std::f64::consts::PI * x) * window * window * f64::from(near(whole + m))
    };
    (1 - HALF..=HALF).map(term).sum::<f64>() as f32
}

fn write(path: &Path, channels: usize, samples: &[f32]) -> Result<(), Box<dyn Error>> {
    Ok(write_wav(path, &Wav { rate: SampleRate::MEDIA, channels, samples: samples.to_vec() })?)
}
