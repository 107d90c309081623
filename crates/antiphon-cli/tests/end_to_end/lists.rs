//! Several files as one programme: no gap, and every word about the track that is heard.

use std::path::Path;

use antiphon_api::{ProgrammeState, ProgrammeStatus, TrackPlace};
use antiphon_measure::recording::Recording;

use crate::conclusive::unless_the_machine_stands_still;
use crate::house::{House, Process, eventually, sleep_ms, write_tones};

const HZ: f64 = 443.7;
const AMPLITUDE: f64 = 0.6;

/// The fourth difference of the tone is below 0.0001; that of a step is up to six times the step.
const CLICK: f32 = 0.02;

/// Seconds `from..to` of one tone on both channels.
fn write_part(path: &Path, rate: u32, (from, to): (u32, u32)) {
    let (bits_per_sample, sample_format) = (32, hound::SampleFormat::Float);
    let spec = hound::WavSpec { channels: 2, sample_rate: rate, bits_per_sample, sample_format };
    let mut file = hound::WavWriter::create(path, spec).unwrap();
    for n in from * rate..to * rate {
        let sample = AMPLITUDE * (f64::from(n) * HZ * std::f64::consts::TAU / f64::from(rate)).sin();
        (0..2).for_each(|_| file.write_sample(sample as f32).unwrap());
    }
    file.finalize().unwrap();
}

fn programme(house: &House) -> ProgrammeStatus {
    house.client().status().map(|status| status.programme).unwrap_or_default()
}

fn number(programme: &ProgrammeStatus) -> Option<u32> {
    programme.track.map(|track| track.number)
}

/// Waits until track `number` is heard; where in it.
fn hears(house: &House, wanted: u32) -> f64 {
    let heard = |programme: &ProgrammeStatus| {
        programme.state == ProgrammeState::Playing && number(programme) == Some(wanted)
    };
    eventually(&format!("track {wanted} is heard"), || heard(&programme(house)));
    programme(house).position_s
}

fn start(house: &House, args: &[&str]) -> Process {
    let args: Vec<&str> = ["play", "--left", "a"].iter().chain(args).copied().collect();
    house.start("play.log", &args)
}

/// Plays a tone that was cut into three files of 44.1 kHz; the recording of it. `None` when the machine
/// stalled for so long that an output ran dry.
fn three_parts_are_played() -> Option<(House, Recording)> {
    let house = House::new();
    for part in 0..3 {
        write_part(&house.path(&format!("part {}.wav", part + 1)), 44_100, (2 * part, 2 * part + 2));
    }
    let list = "#EXTM3U\npart 1.wav\ngone.wav\n#EXTINF:2,The second\npart 2.wav\npart 3.wav\n";
    std::fs::write(house.path("list.m3u"), list).unwrap();
    // Its output holds so much that stalls of half a second do not empty it.
    house.order(&["latency", "1500ms"]);
    let speaker = house.held_speaker("a", "+40", 600);
    let list = house.path("list.m3u");
    let mut player = start(&house, &[list.to_str().unwrap()]);
    for wanted in 1..=3 {
        let position = hears(&house, wanted);
        let told = programme(&house);
        assert!(position < 2.0 && told.duration_s == Some(2.0), "{position} of {told:?}");
        assert_eq!(told.track.map(|TrackPlace { of, .. }| of), Some(3));
    }
    let dry =
        house.status_of("a").and_then(|speaker| speaker.report).is_none_or(|report| report.underruns > 0);
    assert_eq!(player.end(), Some(0), "{}", house.said("play.log"));
    assert_eq!(speaker.interrupt(), Some(0));
    let recording = Recording::read(&house.path("a.wav"), 0).unwrap();
    (!dry).then_some((house, recording))
}

#[test]
fn a_recording_that_was_cut_into_files_is_heard_as_one() {
    unless_the_machine_stands_still(|| {
        let (house, recording) =
            (0..2).find_map(|_| three_parts_are_played()).expect("a machine that does not stall");
        let samples = &recording.samples;
        // Six seconds without a hole: every hundredth of a second of it is loud.
        let is_loud = |block: &[f32]| block.iter().any(|sample| f64::from(sample.abs()) > 0.9 * AMPLITUDE);
        let loud: Vec<bool> = samples.chunks(480).map(is_loud).collect();
        let (first, last) = (loud.iter().position(|l| *l).unwrap(), loud.iter().rposition(|l| *l).unwrap());
        assert!(loud[first..=last].iter().all(|loud| *loud), "it falls silent between its files");
        assert!(
            (595..=601).contains(&(last + 1 - first)),
            "it lasts {} hundredths of a second",
            last + 1 - first
        );
        // The tone itself breaks off at its end.
        let rough = |w: &[f32]| (w[0] - 4.0 * w[1] + 6.0 * w[2] - 4.0 * w[3] + w[4]).abs();
        let worst = samples[..(last - 1) * 480].windows(5).map(rough).fold(0.0, f32::max);
        assert!(worst < CLICK, "it clicks: {worst}");
        let said = house.said("play.log");
        assert!(said.contains("left out") && said.contains("gone.wav: no such file"), "{said}");
        let lines: Vec<usize> = ["1/3 part 1", "2/3 The second", "3/3 part 3"]
            .iter()
            .map(|line| said.find(line).expect(line))
            .collect();
        assert!(lines.is_sorted(), "{said}");
    });
}

#[test]
fn next_previous_and_seek_are_of_the_track_that_is_heard_also_after_a_hub_that_died() {
    unless_the_machine_stands_still(|| {
        let mut house = House::new();
        std::fs::create_dir(house.path("music")).unwrap();
        for name in ["1.wav", "2.wav", "10.wav"] {
            write_tones(&house.path(&format!("music/{name}")), 40, (HZ, HZ), AMPLITUDE);
        }
        let _speaker = house.speaker("a", "+40");
        let folder = house.path("music");
        let mut player = start(&house, &[folder.to_str().unwrap()]);
        hears(&house, 1);
        house.order(&["ctl", "next"]);
        assert!(hears(&house, 2) < 10.0);
        assert_eq!(programme(&house).title, "2");
        house.order(&["ctl", "seek", "20s"]);
        eventually("it is there", || (20.0..30.0).contains(&hears(&house, 2)));
        // Later than three seconds: the beginning of the same. Then the one before.
        house.order(&["ctl", "previous"]);
        eventually("it is at the beginning", || hears(&house, 2) < 10.0);
        house.order(&["ctl", "pause"]);
        house.order(&["ctl", "seek", "1s"]);
        house.order(&["ctl", "prev"]);
        eventually("a pause stays one", || {
            let told = programme(&house);
            number(&told) == Some(1) && told.state == ProgrammeState::Paused && told.title == "1"
        });
        house.order(&["ctl", "resume"]);
        hears(&house, 1);
        house.order(&["ctl", "next"]);
        house.order(&["ctl", "seek", "30s"]);
        eventually("it is there", || hears(&house, 2) >= 30.0);
        sleep_ms(500);
        house.kill_hub();
        eventually("the player notices", || house.said("play.log").contains("the hub is gone"));
        house.start_hub();
        let position = hears(&house, 2);
        assert!((29.9..40.0).contains(&position), "{position}");
        // Over the end of the second, to the last, behind which there is the end.
        assert!(hears(&house, 3) < 10.0);
        house.order(&["ctl", "next"]);
        assert_eq!(player.end(), Some(0), "{}", house.said("play.log"));
    });
}

#[test]
fn files_with_other_channels_follow_after_a_pause_and_can_be_gone_to() {
    unless_the_machine_stands_still(|| {
        let house = House::new();
        write_part(&house.path("stereo.wav"), 48_000, (0, 3));
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 48_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut mono = hound::WavWriter::create(house.path("mono.wav"), spec).unwrap();
        (0..144_000).for_each(|n| mono.write_sample((n % 100 * 50) as i16).unwrap());
        mono.finalize().unwrap();
        let _speaker = house.speaker("a", "+40");
        let [stereo, mono] = ["stereo.wav", "mono.wav"].map(|name| house.path(name).display().to_string());
        let mut player = start(&house, &[&stereo, &mono, &stereo]);
        hears(&house, 1);
        hears(&house, 2);
        hears(&house, 3);
        house.order(&["ctl", "previous"]);
        hears(&house, 2);
        hears(&house, 3);
        assert_eq!(player.end(), Some(0), "{}", house.said("play.log"));
    });
}

#[test]
fn of_one_thing_there_is_no_next_and_what_cannot_be_played_at_all_is_said() {
    let house = House::new();
    write_tones(&house.path("tones.wav"), 60, (HZ, HZ), AMPLITUDE);
    let _speaker = house.speaker("a", "+40");
    let file = house.path("tones.wav");
    let mut player = start(&house, &[file.to_str().unwrap()]);
    eventually("it plays", || programme(&house).state == ProgrammeState::Playing);
    assert_eq!(programme(&house).track, None);
    let output = house.run(&["ctl", "next"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("only one thing is playing"));
    house.order(&["ctl", "seek", "30s"]);
    house.order(&["ctl", "previous"]);
    eventually("it begins again", || {
        let told = programme(&house);
        told.state == ProgrammeState::Playing && told.position_s < 20.0
    });
    house.order(&["ctl", "stop"]);
    assert_eq!(player.end(), Some(0));
    let output = house.run(&["play", "/gone/1.flac", "/gone/2.flac"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(4) && said.contains("none of 2 things can be played"), "{said}");
}
