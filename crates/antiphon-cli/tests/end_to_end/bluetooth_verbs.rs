//! `antiphon bluetooth` against a BlueZ on a private bus.

use std::process::{Command, Output, Stdio};

use antiphon_api::bluetooth::BluetoothReport;
use antiphon_api::json;
use antiphon_bluez_fake::{FakeBluez, Pairing, Speaker};

const LEFT: &str = "AA:BB:CC:DD:EE:01";
const RIGHT: &str = "AA:BB:CC:DD:EE:02";

fn run(bus: &str, line: &str) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_antiphon"))
        .args(["bluetooth"].into_iter().chain(line.split(' ')))
        .env("DBUS_SYSTEM_BUS_ADDRESS", bus)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn a_machine_without_a_system_bus_or_without_bluez_says_what_to_start() {
    let (code, out, said) = run("unix:path=/nonexistent/bus", "list");
    assert!(code == Some(1) && out.is_empty() && said.contains("systemctl start dbus"), "{said}");
    let fake = FakeBluez::without_service();
    let (code, _, said) = run(fake.address(), "scan");
    assert!(code == Some(1) && said.contains("systemctl start bluetooth"), "{said}");
}

#[test]
fn a_speaker_is_found_paired_listed_and_forgotten_by_its_name() {
    let fake = FakeBluez::start();
    fake.power("hci0", false);
    fake.add(Speaker::new(LEFT, "Flip 6"));
    let (code, out, said) = run(fake.address(), "scan --time 500ms");
    assert!(code == Some(0) && out.contains("Flip 6") && out.contains("Harman"), "{out}{said}");
    assert!(said.contains(LEFT), "heard as it appeared: {said}");
    let (code, out, said) = run(fake.address(), &format!("pair {LEFT} --json"));
    assert_eq!(code, Some(0), "{said}");
    let report: BluetoothReport = json::read("the report", out.as_bytes()).unwrap();
    let device = &report.devices[0];
    assert!(device.paired && device.trusted && device.sinks[0].codec == "SBC", "{device:?}");
    assert_eq!((device.sinks[0].delay_reporting, device.firmware.as_deref()), (Some(true), None));
    assert!(run(fake.address(), "list").1.contains("paired"));
    assert_eq!(run(fake.address(), &format!("forget {LEFT}")).0, Some(0));
    assert!(run(fake.address(), "list").1.contains("No Bluetooth speaker"));
}

#[test]
fn names_that_are_unknown_or_ambiguous_are_answered_with_what_there_is() {
    let fake = FakeBluez::start();
    fake.add(Speaker::new(LEFT, "Flip").paired());
    fake.add(Speaker::new(RIGHT, "Flip").paired());
    let (code, _, said) = run(fake.address(), "connect Flip");
    assert!(code == Some(2) && said.contains(LEFT) && said.contains(RIGHT), "{said}");
    let (code, _, said) = run(fake.address(), "disconnect Flop");
    assert!(code == Some(4) && said.contains("\"Flip\""), "{said}");
    let (code, _, said) = run(fake.address(), "scan --adapter hci9");
    assert!(code == Some(4) && said.contains("hci0"), "{said}");
}

#[test]
fn a_pin_is_asked_for_on_a_terminal_only() {
    let fake = FakeBluez::start();
    fake.add(Speaker { pairing: Pairing::Pin("4711".into()), ..Speaker::new(LEFT, "Old") });
    let (code, _, said) = run(fake.address(), &format!("pair {LEFT}"));
    assert!(code == Some(1) && said.contains("in a terminal"), "{said}");
}
