//! `antiphon pair`, as a person at a terminal and as a script: against a BlueZ on a private bus.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use antiphon_api::json;
use antiphon_api::pair::PairReport;
use antiphon_base::Role;
use antiphon_bluez_fake::{FakeBluez, Speaker};
use nix::pty::openpty;
use nix::sys::socket::{MsgFlags, recv};

use crate::house::{House, Process, eventually, sleep_ms};

const NEAR: &str = "AA:BB:CC:DD:EE:01";
const FAR: &str = "AA:BB:CC:DD:EE:02";
const PHONE: &str = "AA:BB:CC:DD:EE:03";

/// A house whose air holds two speakers and a phone.
fn house() -> (House, Arc<FakeBluez>) {
    let bluez = Arc::new(FakeBluez::start());
    bluez.add(Speaker { rssi: -40, ..Speaker::new(NEAR, "Flip 6") });
    bluez.add(Speaker { rssi: -70, ..Speaker::new(FAR, "Mi Portable") });
    bluez.add(Speaker { services: vec![0x110a], sbc: None, ..Speaker::new(PHONE, "A phone") });
    let mut house = House::empty();
    house.set_bus(bluez.address());
    (house, bluez)
}

/// Takes what speakers are sent, as they would, and counts it.
struct Ears {
    heard: Arc<Mutex<[usize; 2]>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ears {
    fn of(bluez: &Arc<FakeBluez>) -> Self {
        let (heard, stop) = (Arc::new(Mutex::new([0; 2])), Arc::new(AtomicBool::new(false)));
        let (counts, ended, bluez) = (Arc::clone(&heard), Arc::clone(&stop), Arc::clone(bluez));
        let thread = std::thread::spawn(move || {
            let mut ends: [Option<OwnedFd>; 2] = [None, None];
            let mut packet = [0; 2_048];
            while !ended.load(Ordering::Acquire) {
                for (n, address) in [NEAR, FAR].into_iter().enumerate() {
                    ends[n] = bluez.far_end(address).or(ends[n].take());
                    let Some(end) = &ends[n] else { continue };
                    while let Ok(1..) = recv(end.as_raw_fd(), &mut packet, MsgFlags::MSG_DONTWAIT) {
                        counts.lock().unwrap()[n] += 1;
                    }
                }
                sleep_ms(5);
            }
        });
        Self { heard, stop, thread: Some(thread) }
    }
}

impl Drop for Ears {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.thread.take().map(JoinHandle::join);
    }
}

/// A program on a terminal of its own, and somebody who reads it and types.
pub struct Terminal {
    pub child: Process,
    keys: File,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    pub fn of(house: &House, args: &[&str]) -> Self {
        let pty = openpty(None, None).unwrap();
        let end = || Stdio::from(pty.slave.try_clone().unwrap());
        let child: Child = house.antiphon(args).stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        drop(pty.slave);
        let keys = File::from(pty.master);
        let (mut glass, screen) = (keys.try_clone().unwrap(), Arc::new(Mutex::new(String::new())));
        let shown = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = [0; 1_024];
            // The terminal ends with its program.
            while let Ok(count @ 1..) = glass.read(&mut bytes) {
                shown.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        Self { child: Process(child), keys, screen }
    }

    pub fn screen(&self) -> String {
        self.screen.lock().unwrap().clone()
    }

    pub fn answer(&mut self, question: &str, line: &str) {
        eventually(question, || self.screen().contains(question));
        writeln!(self.keys, "{line}").unwrap();
    }
}

#[test]
fn somebody_at_a_terminal_is_led_to_a_pair_whose_sides_were_heard() {
    let (house, bluez) = house();
    let ears = Ears::of(&bluez);
    let mut terminal = Terminal::of(&house, &["pair", "--name", "living room", "--time", "1s"]);
    terminal.answer("Which two", "1 2");
    // The first beeps, and it is the one on the right.
    terminal.answer("From where did it come", "r");
    let code = terminal.child.end();
    let screen = terminal.screen();
    assert_eq!(code, Some(0), "{screen}");
    assert!(!screen.contains("A phone"), "only what plays is offered: {screen}");
    assert!(screen.contains("1  Flip 6") && screen.contains("2  Mi Portable"), "{screen}");
    assert!(screen.contains("antiphon play song.flac --to \"living room\""), "{screen}");
    let saved = std::fs::read_to_string(house.path("state/bluetooth.toml")).unwrap();
    let (left, right) = (saved.find(FAR).unwrap(), saved.find(NEAR).unwrap());
    assert!(left < right && saved[..right].contains("left"), "exchanged: {saved}");
    let heard = *ears.heard.lock().unwrap();
    assert!(heard[0] > 20 && heard[1] == 0, "one beeps alone: {heard:?}");
}

#[test]
fn a_script_names_both_and_gets_json_and_what_is_removed_is_gone() {
    let (house, bluez) = house();
    let output = house.run(&[
        "pair",
        "--left",
        "mi portable",
        "--right",
        NEAR,
        "--name",
        "desk",
        "--time",
        "2s",
        "--json",
    ]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let report: PairReport = json::read("the report", &output.stdout).unwrap();
    let speakers: Vec<_> = report.speakers.iter().map(|s| (s.address.as_str(), s.role)).collect();
    assert_eq!(speakers, [(FAR, Role::Left), (NEAR, Role::Right)]);
    for speaker in &report.speakers {
        assert!(!speaker.codecs.is_empty(), "{speaker:?} {:#?}\n{said}", bluez.log());
    }
    assert_eq!((report.name.as_str(), report.sides_confirmed), ("desk", false));
    let removed = house.run(&["pair", "--remove", "desk"]);
    assert_eq!(removed.status.code(), Some(0));
    assert_eq!(house.run(&["pair", "--remove", "desk"]).status.code(), Some(4));
}

#[test]
fn what_hinders_is_said_before_anything_is_saved() {
    let (house, bluez) = house();
    let said = |args: &[&str]| {
        let output = house.run(args);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, text) = said(&["pair"]);
    assert!(code == Some(2) && text.contains("--left and --right"), "{text}");
    let (code, text) = said(&["pair", "--left", NEAR, "--right", NEAR]);
    assert!(code == Some(2) && text.contains("two speakers"), "{text}");
    bluez.script(NEAR, |speaker| speaker.in_reach = false);
    let (code, text) = said(&["pair", "--left", "Flip 7", "--right", FAR, "--time", "300ms"]);
    assert!(code == Some(4) && text.contains("Flip 7"), "{text}");
    bluez.unplug("hci0");
    let (_, text) = said(&["pair", "--left", NEAR, "--right", FAR]);
    assert!(text.contains("no Bluetooth adapter"), "{text}");
    assert!(!house.path("state/bluetooth.toml").exists());
}
