//! What comes from other programs: the desktop, a device, a pipe; judged by what the speakers were given.

use std::f64::consts::TAU;
use std::io::Write;
use std::path::Path;

use crate::conclusive::unless_the_machine_stands_still;
use crate::house::{House, Process, eventually, sleep_ms};
use crate::sound_server::SoundServer;

/// Where everything is heard: two channels, a speaker on each.
const OUT: &str = "module-null-sink sink_name=out rate=48000 channels=2";
const LEFT: &str = "pulse:out#left";
const RIGHT: &str = "pulse:out#right";

/// The tone of each channel.
const TONES: [f64; 2] = [440.0, 1_000.0];

/// Both tones for `seconds`, interleaved.
fn tones(rate: u32, seconds: u32) -> Vec<f32> {
    let at = |n: u32, hz: f64| ((f64::from(n) / f64::from(rate) * hz * TAU).sin() * 0.3) as f32;
    (0..rate * seconds).flat_map(|n| TONES.map(|hz| at(n, hz))).collect()
}

fn write_tones(path: &Path, seconds: u32) {
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec).unwrap();
    tones(48_000, seconds).iter().for_each(|x| file.write_sample((x * 32_767.0) as i16).unwrap());
    file.finalize().unwrap();
}

/// The amplitude of `hz` in one of two channels, over the frames given.
fn amplitude(frames: &[[f32; 2]], channel: usize, hz: f64) -> f64 {
    let (mut s, mut c) = (0.0, 0.0);
    for (n, frame) in frames.iter().enumerate() {
        let turn = n as f64 / 48_000.0 * hz * TAU;
        s += f64::from(frame[channel]) * turn.sin();
        c += f64::from(frame[channel]) * turn.cos();
    }
    2.0 * s.hypot(c) / frames.len() as f64
}

/// Tenths of a second in which each channel has its own tone and not the other's, and those in which it is silent.
fn judge(recording: &Path) -> (usize, usize) {
    let bytes = std::fs::read(recording).unwrap();
    let sample = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    let frames: Vec<[f32; 2]> = bytes.chunks_exact(8).map(|f| [sample(&f[..4]), sample(&f[4..])]).collect();
    let right = |window: &[[f32; 2]]| {
        (0..2).all(|c| amplitude(window, c, TONES[c]) > 0.25 && amplitude(window, c, TONES[1 - c]) < 0.01)
    };
    let silent = |window: &[[f32; 2]]| window.iter().flatten().all(|x| x.abs() < 1e-4);
    let windows = || frames.chunks_exact(4_800);
    (windows().filter(|w| right(w)).count(), windows().filter(|w| silent(w)).count())
}

fn house(server: &SoundServer) -> House {
    let mut house = House::empty();
    house.set_sound_server(&server.socket());
    house.start_hub();
    house
}

fn plays(house: &House, what: &str) -> Process {
    let player = house.start("play.log", &["play", what, "--left", LEFT, "--right", RIGHT]);
    let is_synced = |name: &str| {
        house.status_of(name).is_some_and(|speaker| speaker.report.is_some_and(|report| report.synced))
    };
    eventually("the speakers are in time", || is_synced(LEFT) && is_synced(RIGHT));
    player
}

fn records(server: &SoundServer, house: &House, name: &str, ms: u64) -> (usize, usize) {
    let file = house.path(name);
    let recorder = server.record("out.monitor", "front-left,front-right", &file);
    sleep_ms(ms);
    drop(recorder);
    judge(&file)
}

/// Most of two seconds; a machine that stands still, or a sound server without priority, makes gaps.
fn is_heard_for_long(server: &SoundServer, house: &House) -> bool {
    let (right, silent) = records(server, house, "long.raw", 2_000);
    eprintln!("{right} tenths of a second are right, {silent} silent");
    right >= 12
}

fn has_sink(server: &SoundServer, name: &str) -> bool {
    let sinks = server.pactl(&["list", "short", "sinks"]).unwrap_or_default();
    sinks.lines().any(|line| line.split_whitespace().nth(1) == Some(name))
}

/// A program plays both tones to the device called Antiphon, and both speakers of `server` sound, each its own.
fn desktop_is_heard(server: &SoundServer) {
    server.load(OUT);
    let house = house(server);
    let player = plays(&house, "desktop");
    eventually("the device is there", || has_sink(server, "antiphon"));
    let file = house.path("tones.wav");
    write_tones(&file, 180);
    let program = server.play(&file, "antiphon");
    eventually("it is heard", || records(server, &house, "first.raw", 500).0 > 0);
    eventually("it is heard for long", || is_heard_for_long(server, &house));
    drop(program);
    eventually("without a program it is silent", || records(server, &house, "silent.raw", 500).1 >= 3);
    let program = server.play(&file, "antiphon");
    eventually("the next program is heard", || records(server, &house, "next.raw", 500).0 > 2);
    drop(program);
    // Killed, as by a crash.
    drop(player);
    eventually("the device is gone with the program", || !has_sink(server, "antiphon"));
}

#[test]
fn what_programs_play_to_the_device_called_antiphon_is_heard_on_two_speakers() {
    unless_the_machine_stands_still(|| {
        let Some(server) = SoundServer::pulseaudio() else { return };
        desktop_is_heard(&server);
    });
}

#[test]
fn on_pipewire_too_the_desktop_is_heard_on_two_speakers() {
    unless_the_machine_stands_still(|| {
        let Some(server) = SoundServer::pipewire() else { return };
        desktop_is_heard(&server);
    });
}

#[test]
fn what_a_source_of_the_sound_server_hears_is_played_and_goes_on_after_it_was_away() {
    unless_the_machine_stands_still(|| {
        let Some(server) = SoundServer::pulseaudio() else { return };
        server.load(OUT);
        let line = "module-null-sink sink_name=line rate=44100 channels=2";
        let module = server.load(line);
        let house = house(&server);
        let file = house.path("tones.wav");
        write_tones(&file, 180);
        let program = server.play(&file, "line");
        let player = plays(&house, "pulse:line.monitor");
        eventually("it is heard", || records(&server, &house, "first.raw", 500).0 > 0);
        eventually("it is heard for long", || is_heard_for_long(&server, &house));
        drop(program);
        server.pactl(&["unload-module", &module]).unwrap();
        sleep_ms(500);
        server.load(line);
        let program = server.play(&file, "line");
        eventually("it is heard again", || records(&server, &house, "again.raw", 500).0 > 2);
        drop(program);
        player.interrupt();
    });
}

#[test]
fn a_pipe_is_silent_while_its_writer_pauses_and_goes_on_with_the_next_writer() {
    unless_the_machine_stands_still(|| {
        let Some(server) = SoundServer::pulseaudio() else { return };
        server.load(OUT);
        let house = house(&server);
        let path = house.path("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let player = plays(&house, path.to_str().unwrap());
        for name in ["first", "second"] {
            let bytes: Vec<u8> =
                tones(44_100, 4).iter().flat_map(|x| ((x * 32_767.0) as i16).to_le_bytes()).collect();
            let to = path.clone();
            let writer = std::thread::spawn(move || {
                std::fs::File::options().write(true).open(to).unwrap().write_all(&bytes).unwrap();
            });
            eventually("it is heard", || records(&server, &house, name, 500).0 > 2);
            writer.join().unwrap();
            eventually("then it is silent", || records(&server, &house, name, 500).1 >= 3);
        }
        player.interrupt();
    });
}

#[test]
fn a_speaker_on_the_default_device_stays_out_of_the_device_that_is_listened_to() {
    unless_the_machine_stands_still(|| {
        let Some(server) = SoundServer::pulseaudio() else { return };
        server.load(OUT);
        server.pactl(&["set-default-sink", "out"]).unwrap();
        let house = house(&server);
        let _speaker = house.start("own.log", &["speaker", "--name", "own", "--output", "pulse:"]);
        let is_synced = || house.status_of("own").is_some_and(|own| own.report.is_some_and(|it| it.synced));
        eventually("the speaker is in time", is_synced);
        let _player = house.start("play.log", &["play", "desktop", "--to", "own"]);
        eventually("the device is there", || has_sink(&server, "antiphon"));
        server.pactl(&["set-default-sink", "antiphon"]).unwrap();
        eventually("it is said", || house.said("own.log").contains("heard again and again"));
        eventually("the speaker is back", || house.said("own.log").contains("is back, on out"));
        eventually("the speaker is in time again", is_synced);
        let file = house.path("tones.wav");
        write_tones(&file, 60);
        let _program = server.play(&file, "antiphon");
        eventually("what programs play is heard", || records(&server, &house, "heard.raw", 500).0 > 2);
        let said = house.run(&["speaker", "--name", "late", "--output", "pulse:"]);
        let said = String::from_utf8(said.stderr).unwrap();
        assert!(
            said.contains("leads to the device \"Antiphon\"") && said.contains("antiphon outputs"),
            "{said}"
        );
    });
}

#[test]
fn a_source_that_hears_what_it_would_be_played_on_is_refused_with_the_inputs_that_there_are() {
    let Some(server) = SoundServer::pulseaudio() else { return };
    server.load(OUT);
    server.load("module-remap-sink sink_name=filter master=out");
    server.load("module-null-sink sink_name=other");
    server.load("module-null-source source_name=line");
    server.load("module-remap-source source_name=filtered master=out.monitor");
    for default in [["set-default-sink", "out"], ["set-default-source", "out.monitor"]] {
        server.pactl(&default).unwrap();
    }
    let mut house = House::empty();
    house.set_sound_server(&server.socket());
    for (source, onto) in [
        ("pulse:out.monitor", LEFT),
        ("pulse:", "pulse:"),
        ("pulse:", "alsa:default"),
        ("pulse:filtered", "pulse:out"),
        ("pulse:out.monitor", "pulse:filter#right"),
    ] {
        let run = house.run(&["play", source, "--to", "pulse:other", "--left", onto]);
        let said = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{source} on {onto}: {said}");
        assert!(said.contains("hears what out plays") && said.contains("pulse:line"), "{said}");
    }
}
