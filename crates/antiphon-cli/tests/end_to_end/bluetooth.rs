//! Two Bluetooth speakers of a BlueZ that exists only on a private bus, in real processes: what each was sent.

#[path = "../../../antiphon-codec/tests/sbc/decoder.rs"]
#[expect(dead_code, reason = "only the samples are looked at here")]
mod decoder;

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use antiphon_api::{LinkState, LinkStats};
use antiphon_bluez_fake::{FakeBluez, Speaker};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv};

use crate::conclusive::unless_the_machine_stands_still;
use crate::house::{House, eventually, sleep_ms, write_tones};

const DESK: &str = "AA:BB:CC:DD:EE:01";
const SHELF: &str = "AA:BB:CC:DD:EE:02";

/// Whole periods in a tenth of a second, so that windows leak nothing.
const LEFT_HZ: f64 = 440.0;
const RIGHT_HZ: f64 = 620.0;

const SAVED: &str = r#"
version = 1

[[pair]]
name = "living"

[[pair.member]]
address = "AA:BB:CC:DD:EE:01"
speaker = "desk"
role = "left"

[[pair.member]]
address = "AA:BB:CC:DD:EE:02"
speaker = "shelf"
role = "right"
"#;

/// What a speaker received on its connections, in order: (connection, packet).
type Tape = Arc<Mutex<Vec<(usize, Vec<u8>)>>>;

/// Two speakers, and somebody who takes what they are sent.
struct Room {
    bluez: Arc<FakeBluez>,
    tapes: [Tape; 2],
    stop: Arc<AtomicBool>,
    ears: Vec<JoinHandle<()>>,
}

impl Room {
    /// The left one reports 120 ms, the right one nothing.
    fn new() -> Self {
        let bluez = Arc::new(FakeBluez::start());
        let mut left = Speaker::new(DESK, "Desk").paired();
        left.delay = Some((1_200, Duration::from_millis(60)));
        let mut right = Speaker::new(SHELF, "Shelf").paired();
        (right.delay, right.delay_reporting) = (None, false);
        bluez.add(left);
        bluez.add(right);
        let stop = Arc::new(AtomicBool::new(false));
        let tapes = [Tape::default(), Tape::default()];
        let ear = |(address, tape): (&'static str, &Tape)| {
            let (bluez, tape, stop) = (Arc::clone(&bluez), Arc::clone(tape), Arc::clone(&stop));
            std::thread::spawn(move || listen(&bluez, address, &tape, &stop))
        };
        let ears = [DESK, SHELF].into_iter().zip(&tapes).map(ear).collect();
        Self { bluez, tapes, stop, ears }
    }

    fn packets(&self, speaker: usize, connection: usize) -> Vec<Vec<u8>> {
        let tape = self.tapes[speaker].lock().unwrap();
        tape.iter().filter(|(of, _)| *of == connection).map(|(_, packet)| packet.clone()).collect()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.ears.drain(..).for_each(|ear| drop(ear.join()));
    }
}

/// Takes every packet of every connection of a speaker.
fn listen(bluez: &FakeBluez, address: &str, tape: &Tape, stop: &AtomicBool) {
    let mut ends: Vec<OwnedFd> = Vec::new();
    let mut packet = [0; 2_048];
    while !stop.load(Ordering::Acquire) {
        ends.extend(bluez.far_end(address));
        let mut waiting: Vec<PollFd<'_>> = ends
            .last()
            .map(|end| PollFd::new(std::os::fd::AsFd::as_fd(end), PollFlags::POLLIN))
            .into_iter()
            .collect();
        let _ = poll(&mut waiting, PollTimeout::from(5u8));
        for (connection, end) in ends.iter().enumerate() {
            while let Ok(bytes @ 1..) = recv(end.as_raw_fd(), &mut packet, MsgFlags::MSG_DONTWAIT) {
                tape.lock().unwrap().push((connection, packet[..bytes].to_vec()));
            }
        }
        if ends.is_empty() {
            sleep_ms(2);
        }
    }
}

fn samples(packets: &[Vec<u8>]) -> Vec<f64> {
    let (mut decoder, mut samples) = (decoder::Decoder::new(), Vec::new());
    for packet in packets {
        let mut rest = &packet[13..];
        for _ in 0..packet[12] {
            let frame = decoder.decode(rest).expect("a frame of SBC");
            samples.extend(&frame.samples[0]);
            rest = &rest[frame.length..];
        }
    }
    samples
}

fn stamps(packets: &[Vec<u8>]) -> Vec<u32> {
    packets.iter().map(|packet| u32::from_be_bytes(packet[4..8].try_into().unwrap())).collect()
}

/// The amplitude of `hz` in `sound`.
fn amplitude(sound: &[f64], hz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, x) in sound.iter().enumerate() {
        let (sin, cos) = (hz * std::f64::consts::TAU * n as f64 / 48_000.0).sin_cos();
        (re, im) = (re + x * cos, im + x * sin);
    }
    2.0 * re.hypot(im) / sound.len() as f64
}

/// The tenths of a second in which something sounds.
fn sounding(sound: &[f64]) -> impl Iterator<Item = &[f64]> {
    sound.chunks_exact(4_800).filter(|part| part.iter().any(|x| x.abs() > 0.05))
}

/// Whether nothing but `own` is heard, and that for at least `tenths`.
fn assert_only(sound: &[f64], own: f64, other: f64, tenths: usize) {
    let parts: Vec<_> = sounding(sound).collect();
    assert!(parts.len() >= tenths, "only {} tenths of a second sound", parts.len());
    // Where the programme begins and ends, and where a move was faded, no tone is pure.
    let pure =
        parts.iter().filter(|part| amplitude(part, own) > 0.4 && amplitude(part, other) < 0.01).count();
    assert!(pure + 8 >= parts.len(), "{pure} of {} tenths are pure", parts.len());
}

fn link(house: &House, name: &str) -> Option<LinkStats> {
    house.status_of(name)?.link
}

fn is_up(house: &House, name: &str) -> bool {
    link(house, name).is_some_and(|link| link.state == LinkState::Up)
}

fn house_with_tones(bus: Option<&FakeBluez>) -> House {
    let mut house = House::empty();
    if let Some(bluez) = bus {
        house.set_bus(bluez.address());
    }
    std::fs::create_dir_all(house.path("state")).unwrap();
    write_tones(&house.path("tones.wav"), 20, (LEFT_HZ, RIGHT_HZ), 0.6);
    house
}

#[test]
fn a_saved_pair_plays_left_on_one_and_right_on_the_other_and_one_that_goes_returns_in_place() {
    unless_the_machine_stands_still(|| {
        let room = Room::new();
        let mut house = house_with_tones(Some(&room.bluez));
        std::fs::write(house.path("state/bluetooth.toml"), SAVED).unwrap();
        house.start_hub();
        let file = house.path("tones.wav");
        let player = house.start("play.log", &["play", file.to_str().unwrap(), "--to", "living"]);
        eventually("both links are up", || is_up(&house, "desk") && is_up(&house, "shelf"));
        let playing = |name: &str| {
            house.status_of(name).and_then(|s| s.report).is_some_and(|report| report.state == "playing")
        };
        eventually("both play", || playing("desk") && playing("shelf"));
        let shelf = link(&house, "shelf").unwrap();
        assert_eq!((shelf.reported_us, shelf.assumed_us), (None, Some(150_000)), "unknown stays unknown");
        eventually("the report has come", || {
            link(&house, "desk").is_some_and(|l| l.reported_us == Some(120_000))
        });
        assert_eq!(shelf.codec.split('/').next(), Some("sbc mono 48000"));
        let said = String::from_utf8(house.run(&["status"]).stdout).unwrap();
        assert!(said.contains("reports no delay; 150 ms assumed"), "{said}");
        assert!(said.contains("reports a delay of 120 ms") && said.contains("link: "), "{said}");

        sleep_ms(2_000);
        room.bluez.drop_link(SHELF);
        eventually("the end of the link is told", || {
            link(&house, "shelf").is_some_and(|l| l.state == LinkState::Down)
        });
        room.bluez.connects_by_itself(SHELF);
        eventually("it is back", || is_up(&house, "shelf"));
        sleep_ms(2_000);
        let counters = link(&house, "desk").unwrap();
        drop(player);
        if counters.skipped + counters.left_out > 0 {
            // The machine stood still for longer than any speaker's buffer: nothing can be said.
            eprintln!("inconclusive: {counters:?}");
            return;
        }

        let (desk, before, after) = (room.packets(0, 0), room.packets(1, 0), room.packets(1, 1));
        assert_only(&samples(&desk), LEFT_HZ, RIGHT_HZ, 35);
        assert_only(&samples(&before), RIGHT_HZ, LEFT_HZ, 10);
        assert_only(&samples(&after), RIGHT_HZ, LEFT_HZ, 10);
        // Frames are counted alike: each of one link's packets is there on the other.
        let all = stamps(&desk);
        let step = all[1] - all[0];
        assert!(all.windows(2).all(|pair| pair[1] - pair[0] == step), "the speaker that stayed has a hole");
        for part in [stamps(&before), stamps(&after)] {
            let missing = part.iter().filter(|stamp| !all.contains(stamp)).count();
            assert!(missing <= 2, "{missing} of {} packets were sent to one speaker only", part.len());
        }
    });
}

#[test]
fn a_pair_that_is_saved_while_the_hub_runs_is_played_on_by_it_also_by_its_addresses() {
    unless_the_machine_stands_still(|| {
        let room = Room::new();
        let mut house = house_with_tones(Some(&room.bluez));
        house.start_hub();
        std::fs::write(house.path("state/bluetooth.toml"), SAVED).unwrap();
        eventually("the hub plays on both", || is_up(&house, "desk") && is_up(&house, "shelf"));
        let file = house.path("tones.wav");
        let (left, right) = (format!("bluetooth:{DESK}"), format!("bluetooth:{SHELF}"));
        let _player =
            house.start("play.log", &["play", file.to_str().unwrap(), "--left", &left, "--right", &right]);
        let plays = || house.said("play.log").contains("on desk (left), shelf (right)");
        eventually("the hub's own speakers are used", plays);
        eventually("both sound", || {
            (0..2).all(|speaker| sounding(&samples(&room.packets(speaker, 0))).next().is_some())
        });
    });
}

#[test]
fn a_speaker_that_is_switched_off_is_called_missing_and_told_when_it_comes() {
    unless_the_machine_stands_still(|| {
        let room = Room::new();
        room.bluez.script(SHELF, |shelf| shelf.in_reach = false);
        let mut house = house_with_tones(Some(&room.bluez));
        std::fs::write(house.path("state/bluetooth.toml"), SAVED).unwrap();
        house.start_hub();
        eventually("one is there", || is_up(&house, "desk"));
        let file = house.path("tones.wav");
        eventually("the other one is known to be away", || {
            link(&house, "shelf").is_some_and(|link| link.state == LinkState::Down)
        });
        // By name and without any: both ways it is said.
        for (log, args) in [("named.log", &["--to", "living"][..]), ("all.log", &[])] {
            let args: Vec<&str> =
                ["play", file.to_str().unwrap()].into_iter().chain(args.iter().copied()).collect();
            let player = house.start(log, &args);
            let missing = "on desk (left); shelf (right) is missing: is it on?";
            eventually("it is said", || house.said(log).contains(missing));
            if log == "all.log" {
                room.bluez.script(SHELF, |shelf| shelf.in_reach = true);
                room.bluez.connects_by_itself(SHELF);
                eventually("its coming is said", || house.said(log).contains("shelf (right) plays too"));
            }
            assert_eq!(player.interrupt(), Some(130));
        }
    });
}

#[test]
fn two_addresses_are_enough_and_sound_comes_soon() {
    unless_the_machine_stands_still(|| {
        let room = Room::new();
        let house = house_with_tones(Some(&room.bluez));
        let file = house.path("tones.wav");
        let (left, right) = (format!("bluetooth:{DESK}"), format!("bluetooth:{SHELF}"));
        let began = Instant::now();
        let player =
            house.start("play.log", &["play", file.to_str().unwrap(), "--left", &left, "--right", &right]);
        eventually("the player's own hub is there", || house.is_there());
        let sounds = |speaker| sounding(&samples(&room.packets(speaker, 0))).next().is_some();
        eventually("both sound", || sounds(0) && sounds(1));
        println!("from the command to sound on both: {:.2} s", began.elapsed().as_secs_f64());
        // How much the hub had to wait is in its latency: at least the longest delay.
        let latency = house.client().status().unwrap().hub.latency_us;
        assert!((200_000..=400_000).contains(&latency), "{latency}");
        drop(player);
    });
}

#[test]
fn what_cannot_be_is_said_in_plain_words() {
    let house = house_with_tones(None);
    let said = |output: std::process::Output| String::from_utf8(output.stderr).unwrap();
    let output = house.run(&["speaker", "--pair", "attic"]);
    assert_eq!(output.status.code(), Some(4));
    assert!(said(output).contains("antiphon pair"));
    let output = house.run(&["speaker", "--output", "bluetooth:desk"]);
    assert!(said(output).contains("AA:BB:CC:DD:EE:FF"));
}
