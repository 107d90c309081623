//! Whatever is wrong ends in one sentence that names the thing and the remedy, and in its exit code.

use std::fs;
use std::process::Output;
use std::time::{Duration, Instant};

use crate::house::House;

/// What it said in its last line, having ended with `code`.
fn said(what: &str, output: &Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{what}: {text}");
    assert!(!text.contains("panicked"), "{what}: {text}");
    text
}

fn wav(channels: u16, rate: u32) -> Vec<u8> {
    let frame = u32::from(channels) * 2;
    let data = vec![0; frame as usize * 4_800];
    let mut file = b"RIFF\0\0\0\0WAVEfmt ".to_vec();
    file.extend(16u32.to_le_bytes());
    file.extend([1, 0]);
    file.extend(channels.to_le_bytes());
    file.extend(rate.to_le_bytes());
    file.extend((rate.wrapping_mul(frame)).to_le_bytes());
    file.extend((frame as u16).to_le_bytes());
    file.extend([16, 0]);
    file.extend(b"data");
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    let length = (file.len() - 8) as u32;
    file[4..8].copy_from_slice(&length.to_le_bytes());
    file
}

#[test]
fn files_that_cannot_be_played_are_named_and_start_nothing() {
    let house = House::empty();
    let noise: Vec<u8> = (0..100_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let files: [(&str, &[u8]); 6] = [
        ("empty.flac", b""),
        ("text.flac", b"these are words and no music\n"),
        ("noise.flac", &noise),
        ("none.wav", &wav(0, 48_000)),
        ("many.wav", &wav(64, 48_000)),
        ("slow.wav", &wav(2, 1)),
    ];
    for (name, contents) in files {
        let path = house.path(name);
        fs::write(&path, contents).unwrap();
        let text = said(name, &house.run(&["play", path.to_str().unwrap()]), 1);
        assert!(text.contains(path.to_str().unwrap()) && text.lines().count() == 1, "{text}");
    }
    let missing = house.path("missing.flac");
    let text = said("missing", &house.run(&["play", missing.to_str().unwrap()]), 4);
    assert!(text.contains("missing.flac") && text.contains("check the path"), "{text}");
    assert!(!house.path("state").exists(), "nothing was begun");
}

#[test]
fn nobody_is_waited_for_who_cannot_come_and_a_wait_is_as_long_as_was_said() {
    let house = House::empty();
    fs::write(house.path("a.wav"), wav(2, 48_000)).unwrap();
    let file = house.path("a.wav");
    let play = |more: &[&str]| {
        let args: Vec<&str> = ["play", file.to_str().unwrap()].iter().chain(more).copied().collect();
        let began = Instant::now();
        (said("play", &house.run(&args), 4), began.elapsed())
    };
    let (text, took) = play(&["--left", "usb:1"]);
    assert!(text.contains("unknown output \"usb:1\"") && text.contains("pulse:SINK"), "{text}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    let (text, took) = play(&["--left", "desk", "--wait", "100ms"]);
    assert!(text.contains("\"desk\"") && took < Duration::from_secs(10), "{took:?}: {text}");
    // Whether this machine has a sound card or not, it says so before it waits.
    let (text, _) = play(&["--wait", "100ms"]);
    let there = ["no speaker is named; this machine can play on", "this machine has nothing to play on"];
    let at = there.iter().find_map(|words| text.find(words)).expect(&text);
    assert!(at < text.find("no speaker has joined").expect(&text), "{text}");
}

#[test]
fn what_makes_no_sense_is_a_matter_of_usage() {
    let house = House::empty();
    for (line, words) in [
        ("play a.flac --left x --right x", "named twice"),
        ("play a.flac --to x:centre", "\"centre\""),
        ("play -", "--format"),
        ("play - --format s16le:48000:64", "1 to 8 channels"),
        ("play - --format s16le:48000:0", "1 to 8 channels"),
        ("speaker --name x --role centre", "ch1 to ch32"),
        ("speaker --name x --output nowhere:x", "wav:PATH"),
        ("speaker --name x --codecs mp3", "opus"),
        ("speaker --name x --code 12x", "six digits"),
        ("codec x mp3", "opus"),
        ("volume x loud", "-6dB"),
        ("volume x 10", "write 10% for the loudspeaker's own volume or +10dB"),
        ("measure", "--mic"),
        ("hub --latency soon", "200ms"),
    ] {
        let text = said(line, &house.run(&line.split(' ').collect::<Vec<_>>()), 2);
        assert!(text.contains(words), "{line}: {text}");
    }
}

#[test]
fn a_hub_that_listens_to_this_machine_only_invites_nobody_else_and_says_so() {
    let house = House::new();
    for (line, code) in [("access", 0), ("join", 0), ("join --qr", 1)] {
        let text = said(line, &house.run(&line.split(' ').collect::<Vec<_>>()), code);
        assert!(text.contains("this machine only") && text.contains("--listen 0.0.0.0"), "{line}: {text}");
        assert!(!text.contains("on a phone"), "{line}: {text}");
    }
}

#[test]
fn a_role_that_is_none_makes_no_group_and_no_name() {
    let house = House::new();
    let text = said("group", &house.run(&["group", "set", "x", "desk:middle"]), 2);
    assert!(text.contains("\"middle\"") && text.contains("mono"), "{text}");
}

#[test]
fn a_hub_that_is_not_there_is_named_with_the_remedy() {
    let house = House::empty();
    for line in ["status --hub 127.0.0.1:1", "ctl pause --hub 127.0.0.1:1", "volume x 0dB --hub 127.0.0.1:1"]
    {
        let text = said(line, &house.run(&line.split(' ').collect::<Vec<_>>()), 3);
        assert!(text.contains("127.0.0.1:1") && text.contains("antiphon hub"), "{text}");
    }
}

#[test]
fn outputs_and_ports_that_cannot_be_had_are_named() {
    let house = House::new();
    let nowhere = format!("wav:{}", house.path("nowhere/x.wav").display());
    let text = said("output", &house.run(&["speaker", "--name", "x", "--output", &nowhere]), 1);
    assert!(text.contains("nowhere/x.wav") && text.contains("directory"), "{text}");
    let listen = house.client().hub().to_string();
    let mut second = house.antiphon(&["hub", "--no-mdns", "--listen", &listen]);
    second.env("ANTIPHON_STATE_DIR", house.path("s2")).env("ANTIPHON_RUNTIME_DIR", house.path("r2"));
    let text = said("port", &second.stderr(std::process::Stdio::piped()).output().unwrap(), 1);
    assert!(text.contains("in use") && text.contains("--listen"), "{text}");
    let text = said("lock", &house.run(&["hub", "--no-mdns", "--listen", "127.0.0.1:0"]), 1);
    assert!(text.contains("ANTIPHON_STATE_DIR"), "{text}");
}

#[test]
fn a_name_is_one_speaker_and_one_that_is_unknown_has_neighbours() {
    let house = House::new();
    let _kitchen = house.speaker("kitchen", "+40");
    let again = house.run(&["speaker", "--name", "kitchen"]);
    let text = said("same machine", &again, 1);
    assert!(text.contains("\"kitchen\" already runs") && text.contains("--name"), "{text}");
    let mut other = house.antiphon(&["speaker", "--name", "kitchen"]);
    other.env("ANTIPHON_STATE_DIR", house.path("elsewhere")).stderr(std::process::Stdio::piped());
    let text = said("another speaker", &other.output().unwrap(), 5);
    assert!(text.contains("\"kitchen\"") && text.contains("--name"), "{text}");
    let text = said("typing error", &house.run(&["volume", "kichen", "0dB"]), 4);
    assert!(text.contains("did you mean kitchen?"), "{text}");
    let text = said("nothing near", &house.run(&["volume", "attic", "0dB"]), 4);
    assert!(!text.contains("did you mean") && text.contains("antiphon speakers"), "{text}");
    said("a beginning", &house.run(&["volume", "Kit", "-6"]), 0);
    assert_eq!(house.status_of("kitchen").map(|speaker| speaker.gain_db), Some(-6.0));
    let text = said("nothing plays", &house.run(&["ctl", "pause"]), 1);
    assert!(text.contains("antiphon play"), "{text}");
}
