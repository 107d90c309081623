//! Real sound servers, judged by what their devices were given.

use std::path::Path;
use std::time::Duration;

use antiphon_api::json;
use antiphon_api::measurement::MeasurementReport;
use antiphon_api::outputs::OutputsReport;

use crate::conclusive::unless_the_machine_stands_still;
use crate::house::{House, Process, eventually, sleep_ms, within};
use crate::sound_server::SoundServer;

/// A burst begins every 200 ms; on the right every fifth is left out, so that nobody can be taken for the other.
const GRID_S: f64 = 0.2;
const BURST_S: f64 = 0.02;

/// Bursts that belong together are heard within this: a thousandth of what a machine's stall does, ten times what
/// playing does.
const TOGETHER_S: f64 = 0.000_5;

/// The four channels of the device that is recorded, and the pair of each speaker.
const FOUR: &str = "front-left,front-right,rear-left,rear-right";
const HOUSE: &str = "module-null-sink sink_name=house rate=48000 channels=4 \
                     channel_map=front-left,front-right,rear-left,rear-right";
const A: &str = "module-remap-sink sink_name=A master=house remix=no channels=2 channel_map=front-left,front-right \
                 master_channel_map=front-left,front-right";
const B: &str = "module-remap-sink sink_name=B master=house remix=no channels=2 channel_map=front-left,front-right \
                 master_channel_map=rear-left,rear-right";

pub fn write_bursts(path: &Path, rate: u32, seconds: u32) {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec).unwrap();
    for n in 0..rate * seconds {
        let at = f64::from(n) / f64::from(rate);
        let (nth, past) = ((at / GRID_S).floor() as u32, at % GRID_S);
        let wave = if past < BURST_S { (past * 1_000.0 * std::f64::consts::TAU).cos() * 0.5 } else { 0.0 };
        let right = if nth % 5 == 0 { 0.0 } else { wave };
        for sample in [wave, right] {
            file.write_sample((sample * 32_767.0) as i16).unwrap();
        }
    }
    file.finalize().unwrap();
}

/// Seconds at which bursts begin in channel `channel` of a recording of `channels`.
fn bursts(path: &Path, channels: usize, channel: usize) -> Vec<f64> {
    let bytes = std::fs::read(path).unwrap();
    let sample = |frame: &[u8]| {
        let at = channel * 4;
        f32::from_le_bytes([frame[at], frame[at + 1], frame[at + 2], frame[at + 3]])
    };
    let mut found: Vec<f64> = Vec::new();
    for (n, frame) in bytes.chunks_exact(channels * 4).enumerate() {
        let at = n as f64 / 48_000.0;
        if sample(frame).abs() > 0.2 && found.last().is_none_or(|last| at - last > GRID_S / 2.0) {
            found.push(at);
        }
    }
    found
}

/// Bursts of the right speaker with the nearest one of the left, as (when, how far apart).
fn pairs(left: &[f64], right: &[f64]) -> Vec<(f64, f64)> {
    let nearest = |at: f64| left.iter().map(|l| l - at).min_by(|a, b| a.abs().total_cmp(&b.abs()));
    right.iter().filter_map(|at| Some((*at, nearest(*at)?))).collect()
}

/// The share of them that are together.
fn together(pairs: &[(f64, f64)]) -> f64 {
    pairs.iter().filter(|(_, apart)| apart.abs() < TOGETHER_S).count() as f64 / pairs.len().max(1) as f64
}

/// Whether four seconds of `source` have both speakers, each its own channel, together. A machine that stands still
/// spoils some of them; what is wrong spoils all.
pub fn are_together(
    server: &SoundServer,
    house: &House,
    source: &str,
    channels: &str,
    second: usize,
) -> bool {
    let file = house.path("heard.raw");
    let recorder = server.record(source, channels, &file);
    sleep_ms(4_000);
    drop(recorder);
    let count = channels.split(',').count();
    let (left, right) = (bursts(&file, count, 0), bursts(&file, count, second));
    let share = together(&pairs(&left, &right));
    eprintln!("{} and {} bursts, {share:.2} of them together", left.len(), right.len());
    right.len() > 8 && left.len() as f64 > right.len() as f64 * 1.1 && share > 0.8
}

/// A house that plays bursts to `left` and `right` of a server.
fn playing(server: &SoundServer, rate: u32, left: &str, right: &str) -> (House, Process) {
    let mut house = House::empty();
    house.set_sound_server(&server.socket());
    house.start_hub();
    let file = house.path("bursts.wav");
    write_bursts(&file, rate, 240);
    let args = ["play", file.to_str().unwrap(), "--left", left, "--right", right];
    let player = house.start("play.log", &args);
    for name in [left, right] {
        comes_in_time(&house, name);
    }
    (house, player)
}

/// PipeWire stamps its client's wake-ups: on a busy machine their scatter is the machine's, and it takes as many of them until they
/// agree to 30 us.
pub fn comes_in_time(house: &House, name: &str) {
    within(Duration::from_secs(180), "the speaker is in time", || is_synced(house, name));
}

pub fn is_synced(house: &House, name: &str) -> bool {
    house.status_of(name).is_some_and(|speaker| speaker.report.is_some_and(|report| report.synced))
}

#[test]
fn two_sinks_play_each_its_own_channel_together_and_one_that_was_away_comes_back_in_place() {
    unless_the_machine_stands_still(|| {
        let Some(server) = SoundServer::pulseaudio() else { return };
        server.load(HOUSE);
        server.load(A);
        let b = server.load(B);
        // A file at another rate than the device's.
        let (house, player) = playing(&server, 44_100, "pulse:A", "pulse:B");
        eventually("they are together", || are_together(&server, &house, "house.monitor", FOUR, 2));

        server.pactl(&["unload-module", &b]).unwrap();
        eventually("it is known to be away", || !is_synced(&house, "pulse:B"));
        eventually("nobody calls it playing", || {
            let report = house.status_of("pulse:B").and_then(|speaker| speaker.report);
            report.is_some_and(|report| report.state == "failed" && report.phase_error_us == 0.0)
        });
        server.load(B);
        comes_in_time(&house, "pulse:B");
        eventually("they are together again", || are_together(&server, &house, "house.monitor", FOUR, 2));
        player.interrupt();
    });
}

#[test]
fn a_server_that_is_killed_and_comes_back_is_played_to_again() {
    unless_the_machine_stands_still(|| {
        let Some(mut server) = SoundServer::pulseaudio() else { return };
        server.load(HOUSE);
        server.load(A);
        server.load(B);
        let (house, player) = playing(&server, 48_000, "pulse:A", "pulse:B");
        server.kill();
        for name in ["pulse:A", "pulse:B"] {
            eventually("nobody is in time who cannot be heard", || !is_synced(&house, name));
        }
        server.run();
        server.load(HOUSE);
        server.load(A);
        server.load(B);
        for name in ["pulse:A", "pulse:B"] {
            comes_in_time(&house, name);
        }
        eventually("they are together again", || are_together(&server, &house, "house.monitor", FOUR, 2));
        player.interrupt();
    });
}

fn splits(server: &SoundServer) {
    server.load("module-null-sink sink_name=card rate=48000 channels=2 channel_map=front-left,front-right");
    let (house, player) = playing(server, 48_000, "pulse:card#left", "pulse:card#right");
    let both = "front-left,front-right";
    eventually("they are together", || are_together(server, &house, "card.monitor", both, 1));
    player.interrupt();
}

#[test]
fn the_channels_of_one_device_are_two_speakers() {
    unless_the_machine_stands_still(|| {
        if let Some(server) = SoundServer::pulseaudio() {
            splits(&server);
        }
    });
}

#[test]
fn the_channels_of_one_device_of_pipewire_are_two_speakers() {
    unless_the_machine_stands_still(|| {
        if let Some(server) = SoundServer::pipewire() {
            splits(&server);
        }
    });
}

#[test]
fn a_microphone_of_the_sound_server_hears_how_far_apart_two_speakers_are() {
    unless_the_machine_stands_still(|| {
        let Some(server) = SoundServer::pulseaudio() else { return };
        server
            .load("module-null-sink sink_name=card rate=48000 channels=2 channel_map=front-left,front-right");
        server.load("module-remap-source source_name=mic master=card.monitor channels=1 channel_map=mono master_channel_map=mono");
        let mut house = House::empty();
        house.set_sound_server(&server.socket());
        house.start_hub();
        let speaker = |name: &str, output: &str| {
            house.start(&format!("{name}.log"), &["speaker", "--name", name, "--output", output])
        };
        let _speakers = [speaker("a", "pulse:card#left"), speaker("b", "pulse:card#right")];
        for name in ["a", "b"] {
            comes_in_time(&house, name);
        }
        house.order(&["delay", "b", "2ms"]);
        // A machine that stands still spoils a measurement, which then says so: the first that is trusted counts.
        let measured = (0..3).find_map(|_| {
            let output = house.run(&["measure", "--mic", "pulse:mic", "--periods", "3", "--json"]);
            let report: MeasurementReport = json::read("the report", &output.stdout).ok()?;
            (output.status.code() == Some(0)).then_some(report)
        });
        let measured = measured.expect("a measurement that is trusted");
        assert!((measured.pairs[0].delay_us - 2_000.0).abs() < 500.0, "{measured:?}");
        let said = house.run(&["measure", "--mic", "pulse:mice"]);
        let said = String::from_utf8(said.stderr).unwrap();
        assert!(said.contains("did you mean pulse:mic"), "{said}");
    });
}

#[test]
fn outputs_lists_what_there_is_and_a_wrong_name_is_answered_with_the_nearest() {
    let Some(server) = SoundServer::pulseaudio() else { return };
    server
        .load("module-null-sink sink_name=living_room channels=2 sink_properties=device.description=Living");
    let mut house = House::empty();
    house.set_bus("unix:path=/nonexistent/bus");
    house.set_sound_server(&server.socket());
    let out = String::from_utf8(house.run(&["outputs"]).stdout).unwrap();
    assert!(out.contains("pulse:living_room") && out.contains("usable, the default"), "{out}");
    let out = String::from_utf8(house.run(&["outputs", "--json"]).stdout).unwrap();
    let report: OutputsReport = json::read("the outputs", out.as_bytes()).unwrap();
    let output = &report.outputs[0];
    assert_eq!((output.name.as_str(), output.rate_hz, output.splits), ("Living", Some(44_100), true));

    write_bursts(&house.path("bursts.wav"), 48_000, 1);
    let file = house.path("bursts.wav");
    for name in ["living_room", "Living"] {
        let run = house.run(&["play", file.to_str().unwrap(), "--left", name]);
        let said = String::from_utf8(run.stderr).unwrap();
        assert!(run.status.code() == Some(4) && said.contains("name it as pulse:living_room"), "{said}");
    }

    let run = house.run(&["speaker", "--name", "x", "--output", "pulse:livingroom"]);
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.code() == Some(1) && said.contains("did you mean pulse:living_room?"), "{said}");
}

#[test]
fn a_machine_without_a_sound_server_says_so() {
    let mut house = House::empty();
    house.set_bus("unix:path=/nonexistent/bus");
    let out = String::from_utf8(house.run(&["outputs"]).stdout).unwrap();
    assert!(out.contains("no sound server") && out.contains("antiphon demo"), "{out}");
    let run = house.run(&["speaker", "--name", "x", "--output", "pulse:"]);
    let said = String::from_utf8(run.stderr).unwrap();
    assert!(run.status.code() == Some(1) && said.contains("no sound server"), "{said}");
}
