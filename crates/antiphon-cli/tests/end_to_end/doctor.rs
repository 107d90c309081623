//! `antiphon doctor` on machines with and without Bluetooth.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use antiphon_api::doctor::{DoctorReport, FindingReport};
use antiphon_api::json;
use antiphon_bluez_fake::{Answer, FakeBluez, Speaker};

use crate::house::House;

const LEFT: &str = "AA:BB:CC:DD:EE:01";

fn report(house: &House, args: &[&str]) -> (Option<i32>, DoctorReport) {
    let output = house.run(&[&["doctor", "--json"], args].concat());
    (output.status.code(), json::read("the report", &output.stdout).unwrap())
}

fn of<'a>(report: &'a DoctorReport, id: &str) -> &'a FindingReport {
    report.findings.iter().find(|finding| finding.id == id).unwrap_or_else(|| panic!("{id}: {report:#?}"))
}

#[test]
fn a_machine_without_anything_is_told_what_it_lacks_and_what_works_all_the_same() {
    let mut house = House::empty();
    house.set_bus("unix:path=/nonexistent/bus");
    let output = house.run(&["doctor"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    for words in
        ["FAIL  the D-Bus system bus does not answer", "systemctl start dbus", "antiphon demo", "PASS"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80 || line.contains("> ")), "{text}");
    let (code, report) = report(&house, &[]);
    assert_eq!((code, report.worst.as_str(), of(&report, "bluez").level.as_str()), (Some(1), "fail", "fail"));
}

#[test]
fn speakers_that_are_known_are_looked_at_and_tried_when_asked() {
    let bluez = FakeBluez::start();
    bluez.add(Speaker::new(LEFT, "Flip 6").paired());
    let mut house = House::empty();
    house.set_bus(bluez.address());
    let (_, looked) = report(&house, &[]);
    assert_eq!(of(&looked, "bluez").level, "pass");
    assert!(looked.findings.iter().any(|finding| finding.what.contains("Flip 6")), "{looked:#?}");
    assert!(looked.findings.iter().all(|finding| finding.id != "connect"), "looking connects nothing");
    bluez.script(LEFT, |speaker| speaker.in_reach = false);
    let (_, tried) = report(&house, &["--connect"]);
    let connect = of(&tried, "connect");
    assert!(connect.level == "warn" && connect.what.contains("does not answer"), "{connect:?}");
}

#[test]
fn two_speakers_with_troubles_each_get_the_command_that_helps_by_their_address() {
    const RIGHT: &str = "AA:BB:CC:DD:EE:02";
    let bluez = FakeBluez::start();
    bluez.add(Speaker { connect_fault: Some(("Failed", "br-connection-key-missing")), ..stale() });
    bluez.add(Speaker {
        connect_fault: Some(("Failed", "br-connection-refused")),
        ..Speaker::new(RIGHT, "Flip 6").paired()
    });
    let mut house = House::empty();
    house.set_bus(bluez.address());
    let (code, tried) = report(&house, &["--connect"]);
    let troubles: Vec<_> = tried.findings.iter().filter(|finding| finding.id == "connect").collect();
    assert_eq!((code, troubles.len()), (Some(1), 2), "{troubles:#?}");
    let of = |n: usize| format!("{} {}", troubles[n].what, troubles[n].todo.join(" "));
    assert!(
        of(0).contains("has forgotten this machine") && of(0).contains(&format!("forget {LEFT}")),
        "{}",
        of(0)
    );
    assert!(of(1).contains("a phone or another computer holds it"), "{}", of(1));
}

fn stale() -> Speaker {
    Speaker::new(LEFT, "Mi Portable").paired()
}

#[test]
fn a_speaker_that_is_tried_tells_its_firmware_and_one_whose_key_was_not_kept_is_found_without_trying() {
    let bluez = FakeBluez::start();
    bluez.register_desktop("hci0");
    bluez.add(Speaker { information: vec![(0x2a26, Answer::text("3.1.0"))], ..stale() });
    let mut house = House::empty();
    house.set_bus(bluez.address());
    let (_, tried) = report(&house, &["--connect"]);
    assert!(tried.findings.iter().any(|finding| finding.what.contains("firmware: 3.1.0")), "{tried:#?}");
    let bluez = FakeBluez::start();
    bluez.add(Speaker { bonded: false, ..stale() });
    house.set_bus(bluez.address());
    let (_, looked) = report(&house, &[]);
    let finding = of(&looked, "stale-pairing");
    assert_eq!(finding.todo[0], format!("antiphon bluetooth forget {LEFT}"));
}

#[test]
fn a_bundle_is_a_zip_without_names_or_addresses_for_its_owner_alone() {
    let bluez = FakeBluez::start();
    bluez.add(Speaker::new(LEFT, "Anna's Flip").paired());
    let mut house = House::empty();
    house.set_bus(bluez.address());
    let file = house.path("help.zip");
    let output = house.run(&["doctor", "--bundle", file.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("Anna's Flip"), "on the screen all is plain");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\n\
                  print(z.namelist())\nfor n in z.namelist(): print(z.read(n).decode())";
    let read = Command::new("python3").args(["-c", script]).arg(&file).output().unwrap();
    let text = String::from_utf8(read.stdout).unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    for there in ["report.txt", "report.json", "bluetooth.json", "system.txt", "NAME-", "ADDRESS-"] {
        assert!(text.contains(there), "{there}: {text}");
    }
    for gone in ["Anna", LEFT] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
    let nowhere = house.run(&["doctor", "--bundle", "/nonexistent/x.zip"]);
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("another place with --bundle"));
}
