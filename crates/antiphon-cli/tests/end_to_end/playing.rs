//! Real processes, judged by the samples that came out.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::conclusive::unless_the_machine_stands_still;
use crate::house::{House, Process, eventually, sleep_ms, write_tones};
use antiphon_api::{ProgrammeState, SourceCommand, SourceLink, SourceNotice, SourcePace, SourceTarget};
use antiphon_base::Role;
use antiphon_measure::recording::Recording;

const LEFT_HZ: f64 = 443.7;
const RIGHT_HZ: f64 = 617.3;
const AMPLITUDE: f64 = 0.6;

/// The fourth difference of the tones is below 0.0001, of Opus's noise below 0.02; that of a step is up
/// to six times the step.
const CLICK: f32 = 0.1;

fn recorded(path: &Path) -> Recording {
    Recording::read(path, 0).unwrap()
}

/// The place and size of the roughest spot.
fn roughest(samples: &[f32]) -> (f64, f32) {
    let rough = |w: &[f32]| (w[0] - 4.0 * w[1] + 6.0 * w[2] - 4.0 * w[3] + w[4]).abs();
    let spots = samples.windows(5).map(rough).enumerate();
    let (at, size) = spots.fold((0, 0.0), |worst, spot| if spot.1 > worst.1 { spot } else { worst });
    (at as f64 / 48_000.0, size)
}

/// The amplitude of `hz` in `samples`, through a Hann window.
fn amplitude(samples: &[f32], hz: f64) -> f64 {
    let n = samples.len() as f64;
    let (mut re, mut im) = (0.0, 0.0);
    for (k, sample) in samples.iter().enumerate() {
        let window = 1.0 - (std::f64::consts::TAU * k as f64 / n).cos();
        let (sin, cos) = (hz * std::f64::consts::TAU * k as f64 / 48_000.0).sin_cos();
        re += f64::from(*sample) * window * cos;
        im += f64::from(*sample) * window * sin;
    }
    2.0 * re.hypot(im) / n
}

/// Quarters of a second in which the speaker played on at one volume.
fn steady(samples: &[f32]) -> impl Iterator<Item = &[f32]> {
    let is_full = |block: &[f32]| {
        let peak = block.iter().fold(0.0f32, |peak, s| peak.max(s.abs()));
        (f64::from(peak) / AMPLITUDE - 1.0).abs() < 0.02
    };
    samples.chunks_exact(12_000).filter(move |quarter| quarter.chunks_exact(480).all(is_full))
}

/// Does to a playing programme all that a person can; the recordings of `a` and `b`. `None` when the
/// machine stalled for so long that an output ran dry: then a click is no fault of the program.
fn everything_is_changed() -> Option<(Recording, Recording)> {
    let house = House::new();
    write_tones(&house.path("tones.wav"), 60, (LEFT_HZ, RIGHT_HZ), AMPLITUDE);
    let speakers = [house.speaker("a", "+40"), house.speaker("b", "-25")];
    let file = house.path("tones.wav");
    let args = ["play", file.to_str().unwrap(), "--left", "a", "--right", "b"];
    let mut player = house.start("play.log", &args);
    playing(&house);
    let orders = "ctl pause|ctl resume|ctl seek +10s|volume a -6dB|volume a 0dB|delay a 2.5ms|delay a 0ms|\
                  role a right|role a both|role a left|codec a opus|codec a flac|codec a l16|codec a l24|\
                  codec b opus|role a right|codec a opus|latency 150ms|volume a mute|volume a unmute|ctl stop";
    for order in orders.split('|') {
        house.order(&order.split_whitespace().collect::<Vec<_>>());
        sleep_ms(450);
    }
    let dry = ["a", "b"]
        .iter()
        .any(|name| house.status_of(name).and_then(|s| s.report).is_none_or(|report| report.underruns > 0));
    assert_eq!(player.end(), Some(0));
    for speaker in speakers {
        assert_eq!(speaker.interrupt(), Some(0));
    }
    (!dry).then(|| (recorded(&house.path("a.wav")), recorded(&house.path("b.wav"))))
}

fn playing(house: &House) {
    let state = || house.client().status().is_ok_and(|s| s.programme.state == ProgrammeState::Playing);
    eventually("it plays", state);
    sleep_ms(700);
}

/// How many threads of a process run before all ordinary ones (SCHED_FIFO; proc(5), field 41 of stat).
fn real_time_threads(process: u32) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let stats = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("stat")).ok());
    // The name may hold anything but ends with the last bracket; field 3 follows.
    let policy = |stat: &String| stat.rsplit_once(") ")?.1.split(' ').nth(38)?.parse().ok();
    stats.filter(|stat| policy(stat) == Some(1)).count()
}

#[test]
fn what_must_be_on_time_runs_before_ordinary_threads_where_the_system_allows_it() {
    let house = House::new();
    let speaker = house.speaker("left", "0");
    // What a thread of this process may, theirs may. By default they log nothing of it.
    let allowed = std::thread::spawn(antiphon_net::real_time_priority).join().unwrap();
    assert_eq!(real_time_threads(house.hub_id()) > 0, allowed, "the hub's media thread");
    // Its clock and its packets; the virtual output's own thread.
    assert_eq!(real_time_threads(speaker.0.id()) > 1, allowed, "the speaker's threads");
}

#[test]
fn nothing_that_is_changed_while_it_plays_clicks_and_a_right_speaker_hears_only_right() {
    unless_the_machine_stands_still(|| {
        let (a, b) = (0..2).find_map(|_| everything_is_changed()).expect("a machine that does not stall");
        for (name, recording) in [("a", &a), ("b", &b)] {
            let (at, size) = roughest(&recording.samples);
            assert!(size < CLICK, "{name} clicks at {at:.3} s: {size}");
        }
        let quarters: Vec<_> = steady(&b.samples).collect();
        assert!(quarters.len() >= 8, "b was heard for {} quarters of a second", quarters.len());
        for quarter in quarters {
            let (left, right) = (amplitude(quarter, LEFT_HZ), amplitude(quarter, RIGHT_HZ));
            assert!((right / AMPLITUDE - 1.0).abs() < 0.02 && left < 1e-3 * right, "{left} {right}");
        }
    });
}

#[test]
fn a_hub_that_dies_comes_back_and_playing_goes_on_where_it_was() {
    unless_the_machine_stands_still(|| {
        let mut house = House::new();
        write_tones(&house.path("tones.wav"), 60, (LEFT_HZ, RIGHT_HZ), AMPLITUDE);
        let _speaker = house.speaker("a", "+40");
        let file = house.path("tones.wav");
        let mut player = house.start("play.log", &["play", file.to_str().unwrap(), "--left", "a"]);
        playing(&house);
        house.order(&["ctl", "seek", "30s"]);
        playing(&house);
        let before = house.client().status().unwrap().programme.position_s;
        house.kill_hub();
        eventually("the player notices", || house.said("play.log").contains("the hub is gone"));
        house.start_hub();
        playing(&house);
        let after = house.client().status().unwrap().programme.position_s;
        assert!((before - 0.5..before + 20.0).contains(&after) && after > 29.5, "{before} s, then {after} s");
        house.order(&["ctl", "stop"]);
        assert_eq!(player.end(), Some(0), "{}", house.said("play.log"));
    });
}

#[test]
fn a_role_that_was_set_on_the_hub_outlives_it_and_so_does_one_that_only_the_command_line_gave() {
    let mut house = House::new();
    let start = |name: &str| {
        let args = ["speaker", "--name", name, "--role", "left", "--output", "null:"];
        house.start(&format!("{name}.log"), &args)
    };
    let _speakers = ["given", "set"].map(start);
    let role = |house: &House, name: &str| house.status_of(name).map(|speaker| speaker.role);
    eventually("both join", || ["given", "set"].iter().all(|name| role(&house, name) == Some(Role::Left)));
    house.order(&["role", "set", "right"]);
    eventually("the speaker knows", || house.said("set.log").contains("role right"));
    house.kill_hub();
    house.start_hub();
    eventually("both are back", || role(&house, "given").is_some() && role(&house, "set").is_some());
    assert_eq!((role(&house, "given"), role(&house, "set")), (Some(Role::Left), Some(Role::Right)));
}

#[test]
fn of_a_source_of_32_channels_each_speaker_hears_its_own() {
    unless_the_machine_stands_still(|| {
        let house = House::new();
        let roles = [("a", 1), ("b", 9), ("c", 32)];
        let speakers = roles.map(|(name, _)| house.speaker(name, "+40"));
        let targets = roles.map(|(name, n)| SourceTarget { name: name.into(), role: Some(Role::Channel(n)) });
        let open = SourceCommand::Open {
            channels: 32,
            title: "channels".into(),
            duration_frames: None,
            targets: targets.to_vec(),
            wait_ms: 10_000,
            seekable: false,
            first_frame: 0,
            pace: SourcePace::Stored,
        };
        let hz = |channel: usize| 300.0 + 40.0 * channel as f64;
        let mut link = SourceLink::connect(house.client().hub(), &open).unwrap();
        let (mut sent, length, mut ended) = (0, 3 * 48_000, false);
        loop {
            let run = link.credit().min(length - sent);
            let sample = |n: usize, channel| {
                AMPLITUDE * (n as f64 * hz(channel) * std::f64::consts::TAU / 48_000.0).sin()
            };
            let frames =
                (sent..sent + run).flat_map(|n| (1..=32).map(move |channel| sample(n, channel) as f32));
            link.push(&frames.collect::<Vec<_>>()).unwrap();
            sent += run;
            if sent == length && !std::mem::replace(&mut ended, true) {
                link.end().unwrap();
            }
            if let Some(SourceNotice::Done { .. }) = link.poll(Duration::from_millis(20)).unwrap() {
                break;
            }
        }
        speakers.into_iter().for_each(|speaker| assert_eq!(speaker.interrupt(), Some(0)));
        for (name, own) in roles {
            let recording = recorded(&house.path(&format!("{name}.wav")));
            let quarters: Vec<_> = steady(&recording.samples).collect();
            assert!(quarters.len() >= 4, "{name} was heard for {} quarters of a second", quarters.len());
            for quarter in quarters {
                let heard = amplitude(quarter, hz(own.into()));
                assert!((heard / AMPLITUDE - 1.0).abs() < 0.02, "{name}: {heard}");
                let others = (1..=32).filter(|channel| *channel != usize::from(own));
                let loudest = others.map(|channel| amplitude(quarter, hz(channel))).fold(0.0, f64::max);
                assert!(loudest < 1e-3, "{name} hears another channel at {loudest}");
            }
        }
    });
}

#[test]
fn what_comes_through_a_pipe_is_played_and_each_channel_goes_to_its_speaker() {
    unless_the_machine_stands_still(|| {
        let house = House::new();
        let speakers = [house.speaker("a", "+40"), house.speaker("b", "-25")];
        let args = ["play", "-", "--format", "s16le:48000:2", "--left", "a", "--right", "b"];
        let mut player = Process(house.antiphon(&args).stdin(Stdio::piped()).spawn().unwrap());
        let mut pipe = player.0.stdin.take().unwrap();
        for n in 0..3 * 48_000 {
            for hz in [LEFT_HZ, RIGHT_HZ] {
                let sample = AMPLITUDE * (f64::from(n) * hz * std::f64::consts::TAU / 48_000.0).sin();
                pipe.write_all(&((sample * 32_767.0) as i16).to_le_bytes()).unwrap();
            }
        }
        drop(pipe);
        assert_eq!(player.end(), Some(0));
        speakers.into_iter().for_each(|speaker| assert_eq!(speaker.interrupt(), Some(0)));
        for (name, own, other) in [("a", LEFT_HZ, RIGHT_HZ), ("b", RIGHT_HZ, LEFT_HZ)] {
            let recording = recorded(&house.path(&format!("{name}.wav")));
            let quarters: Vec<_> = steady(&recording.samples).collect();
            assert!(quarters.len() >= 4, "{name} was heard for {} quarters of a second", quarters.len());
            for quarter in quarters {
                assert!(amplitude(quarter, other) < 1e-3 * amplitude(quarter, own), "{name}");
            }
        }
    });
}
