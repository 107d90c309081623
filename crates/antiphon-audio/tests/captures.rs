//! Microphones that are pipes and files, as a recorder and a user would give them.

use std::f64::consts::TAU;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use antiphon_audio::capture::{self, Capture, CaptureError, InputUri};
use antiphon_base::SampleRate;

fn fixture(name: &str) -> String {
    format!("wav:{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn open(uri: &str, format: Option<&str>) -> Result<Box<dyn Capture>, CaptureError> {
    capture::open(&uri.parse::<InputUri>().unwrap(), format.map(|format| format.parse().unwrap()))
}

fn hear_all(capture: &mut dyn Capture) -> Vec<f32> {
    let mut heard = Vec::new();
    while capture.read(&mut heard).unwrap() > 0 {}
    heard
}

fn tone(rate: u32, seconds: f64) -> Vec<u8> {
    let sample = |i: u32| ((TAU * 1_000.0 * f64::from(i) / f64::from(rate)).sin() * 16_384.0) as i16;
    (0..(f64::from(rate) * seconds) as u32).flat_map(|i| sample(i).to_le_bytes()).collect()
}

/// A pipe that a recorder writes `bytes` to.
fn recorded(dir: &Path, bytes: Vec<u8>) -> String {
    let path = dir.join("mic");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let uri = format!("pipe:{}", path.display());
    std::thread::spawn(move || std::fs::File::create(path).unwrap().write_all(&bytes));
    uri
}

#[test]
fn a_recorders_pipe_is_heard_as_it_was_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let mut mic = open(&recorded(dir.path(), tone(48_000, 0.5)), None).unwrap();
    assert_eq!((mic.format().rate, mic.format().channels), (SampleRate::MEDIA, 1));
    let heard = hear_all(mic.as_mut());
    assert_eq!(heard.len(), 24_000);
    assert!((heard[12] - 0.5).abs() < 1e-3 && (heard[36] + 0.5).abs() < 1e-3, "a quarter and three of 1 kHz");
}

#[test]
fn a_pipe_of_another_rate_is_heard_at_48_khz() {
    let dir = tempfile::tempdir().unwrap();
    let mut mic = open(&recorded(dir.path(), tone(44_100, 0.5)), Some("s16le:44100:1")).unwrap();
    let heard = hear_all(mic.as_mut());
    assert_eq!(heard.len(), 24_000);
    let wanted = |i: usize| 0.5 * (TAU * i as f64 / 48.0).sin();
    let worst = (4_000..20_000).map(|i| (f64::from(heard[i]) - wanted(i)).abs()).fold(0.0, f64::max);
    assert!(worst < 1e-3, "{worst}");
}

#[test]
fn a_recording_comes_at_the_pace_of_real_time_in_small_blocks() {
    let mut mic = open(&fixture("stereo-44k.flac"), None).unwrap();
    assert_eq!(mic.format().channels, 2);
    let (began, mut heard, mut frames) = (Instant::now(), Vec::new(), 0);
    loop {
        let block = mic.read(&mut heard).unwrap();
        let due = Duration::from_micros(frames as u64 * 1_000_000 / 48_000);
        assert!(began.elapsed() >= due, "frame {frames} before it sounded");
        assert!(block <= 4_800);
        frames += block;
        if block == 0 {
            break;
        }
    }
    assert_eq!((frames, heard.len()), (12_000, 24_000));
    assert!(began.elapsed() >= Duration::from_millis(245));
}

#[test]
#[cfg(not(feature = "alsa"))]
fn a_microphone_that_is_not_built_in_is_refused_with_the_command_that_works() {
    for (uri, command) in [
        ("alsa:hw:1", "arecord -D hw:1 -t raw -f S16_LE -r 48000 -c 1 | antiphon"),
        ("alsa:", "arecord -t raw"),
    ] {
        let said = open(uri, None).err().expect(uri).to_string();
        assert!(said.contains(command) && said.contains("--mic -"), "{said}");
    }
}

#[test]
fn a_microphone_that_is_not_there_is_named() {
    for uri in ["pipe:/nowhere/mic", "wav:/nowhere/a.wav"] {
        let said = open(uri, None).err().expect(uri).to_string();
        assert!(said.contains("/nowhere/"), "{said}");
    }
    let said = open("room:a.wav", None).err().unwrap().to_string();
    assert!(said.contains("simulated room"), "{said}");
}
