//! `antiphon bluetooth` against a BlueZ on a private bus.

use antiphon_api::bluetooth::BluetoothReport;
use antiphon_api::json;
use antiphon_bluez_fake::{Answer, FakeBluez, Pairing, Speaker};

use crate::house::House;

const LEFT: &str = "AA:BB:CC:DD:EE:01";
const RIGHT: &str = "AA:BB:CC:DD:EE:02";

fn run(bus: &str, line: &str) -> (Option<i32>, String, String) {
    let mut house = House::empty();
    house.set_bus(bus);
    let output = house.run(&["bluetooth"].into_iter().chain(line.split(' ')).collect::<Vec<_>>());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
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
    assert_eq!(device.firmware_note.as_deref(), Some("not exposed by this device"));
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
fn firmware_is_shown_where_a_speaker_exposes_it_and_its_absence_is_called_that() {
    let fake = FakeBluez::start();
    let information = vec![(0x2a26, Answer::text("1.4.2")), (0x2a24, Answer::text("FLIP6"))];
    fake.add(Speaker { information, ..Speaker::new(LEFT, "Flip").paired() });
    fake.add(Speaker { information: vec![(0x2a26, Answer::Refuses)], ..Speaker::new(RIGHT, "Shy").paired() });
    fake.register_desktop("hci0");
    fake.register_desktop("hci0");
    let (code, out, said) = run(fake.address(), "connect Flip --json");
    assert_eq!(code, Some(0), "{said}");
    let report: BluetoothReport = json::read("the report", out.as_bytes()).unwrap();
    let device = &report.devices[0];
    assert_eq!((device.firmware.as_deref(), device.model.as_deref()), (Some("1.4.2"), Some("FLIP6")));
    assert_eq!(device.firmware_note, None);
    let (_, out, _) = run(fake.address(), "list");
    assert!(out.contains("FIRMWARE") && out.contains("1.4.2"), "{out}");
    let (_, out, _) = run(fake.address(), "connect Shy");
    assert!(out.contains("refused to this computer"), "{out}");
}

#[test]
fn a_pin_is_asked_for_on_a_terminal_only() {
    let fake = FakeBluez::start();
    fake.add(Speaker { pairing: Pairing::Pin("4711".into()), ..Speaker::new(LEFT, "Old") });
    let (code, _, said) = run(fake.address(), &format!("pair {LEFT}"));
    assert!(code == Some(1) && said.contains("in a terminal"), "{said}");
}
