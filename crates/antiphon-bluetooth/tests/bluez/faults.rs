//! What can be the matter, and what is said of it.

use std::fs;
use std::ops::ControlFlow;
use std::time::Duration;

use antiphon_bluetooth::{Bluetooth, Trouble};
use antiphon_bluez_fake::{FakeBluez, Fault, Speaker};

use crate::support::{LEFT, at, bluetooth, down, left, member};

fn scan(bluetooth: &Bluetooth) -> Result<usize, Trouble> {
    let mut go_on = |_: &antiphon_bluetooth::Facts| ControlFlow::Continue(());
    bluetooth.scan(None, Duration::from_millis(50), &mut go_on).map(|found| found.len())
}

/// What members of a pair are told about this speaker.
fn told(speaker: Speaker) -> String {
    let fake = FakeBluez::start();
    fake.add(speaker);
    let (_served, events) = bluetooth(&fake).serve(vec![member(LEFT)]).unwrap();
    down(&events, LEFT).why
}

#[test]
fn no_bus_is_told_with_its_remedy() {
    let error = Bluetooth::connect_to("unix:path=/nonexistent/bus").unwrap_err();
    assert!(error.to_string().contains("systemctl start dbus"), "{error}");
}

#[test]
fn no_bluez_is_told_with_its_remedy() {
    let fake = FakeBluez::without_service();
    let error = scan(&bluetooth(&fake)).unwrap_err();
    assert_eq!(error, Trouble::NoBluez);
    assert!(error.to_string().contains("apt install bluez"), "{error}");
    let (_served, events) = bluetooth(&fake).serve(vec![member(LEFT)]).unwrap();
    assert!(down(&events, LEFT).needs_help);
}

#[test]
fn no_adapter_is_told_and_none_of_that_name_too() {
    let fake = FakeBluez::start();
    let bluetooth = bluetooth(&fake);
    let error = bluetooth.power_on(Some("hci7")).unwrap_err();
    assert!(error.to_string().contains("hci7") && error.to_string().contains("hci0"), "{error}");
    fake.unplug("hci0");
    assert_eq!(scan(&bluetooth).unwrap_err(), Trouble::NoAdapter);
}

#[test]
fn an_adapter_that_is_off_is_told_apart_from_one_that_is_blocked() {
    let fake = FakeBluez::start();
    fake.power("hci0", false);
    assert_eq!(scan(&bluetooth(&fake)).unwrap_err(), Trouble::AdapterOff("hci0".into()));
    let switches = tempfile::tempdir().unwrap();
    let switch = switches.path().join("rfkill3");
    fs::create_dir(&switch).unwrap();
    for (file, text) in [("type", "bluetooth"), ("name", "hci0"), ("soft", "1"), ("hard", "0")] {
        fs::write(switch.join(file), text).unwrap();
    }
    let blocked = bluetooth(&fake).with_rfkill(switches.path());
    assert!(scan(&blocked).unwrap_err().to_string().contains("`rfkill unblock bluetooth`"));
    fs::write(switch.join("hard"), "1").unwrap();
    assert_eq!(scan(&blocked).unwrap_err(), Trouble::HardBlocked("hci0".into()));
}

#[test]
fn an_adapter_is_switched_on_when_asked() {
    let fake = FakeBluez::start();
    fake.power("hci0", false);
    let on = bluetooth(&fake).power_on(None).unwrap();
    assert!(on.len() == 1 && on[0].powered);
    assert_eq!(scan(&bluetooth(&fake)), Ok(0));
}

#[test]
fn a_member_on_an_adapter_that_is_switched_off_comes_when_it_is_on() {
    let fake = FakeBluez::start();
    fake.power("hci0", false);
    fake.add(left().paired());
    let (_served, events) = bluetooth(&fake).serve(vec![member(LEFT)]).unwrap();
    assert!(down(&events, LEFT).why.contains("bluetoothctl power on"));
    fake.power("hci0", true);
    crate::support::up(&events, LEFT);
}

#[test]
fn a_speaker_that_was_never_paired_is_told_how_to() {
    let fake = FakeBluez::start();
    let (_served, events) = bluetooth(&fake).serve(vec![member(LEFT)]).unwrap();
    let why = down(&events, LEFT).why;
    assert!(why.contains(&format!("antiphon bluetooth pair {LEFT}")), "{why}");
}

#[test]
fn what_bluez_says_of_a_connection_is_put_in_plain_words() {
    let faults: [(Fault, &str); 12] = [
        (("Failed", "br-connection-page-timeout"), "does not answer"),
        (("Failed", "Host is down (112)"), "does not answer"),
        (("Failed", "br-connection-refused"), "a phone or another computer holds it"),
        (("Failed", "br-connection-aborted-by-remote"), "a phone or another computer holds it"),
        (("Failed", "br-connection-key-missing"), "antiphon bluetooth forget AA:BB:CC:DD:EE:01"),
        (("AuthenticationFailed", "Authentication Failed"), "antiphon bluetooth forget"),
        (("Failed", "br-connection-create-socket"), "restart wireplumber"),
        (("Failed", "br-connection-busy"), "busy"),
        (("InProgress", "In Progress"), "busy"),
        (("BREDR.ProfileUnavailable", "No more profiles to connect to"), "no audio device"),
        (("AccessDenied", "denied"), "usermod -aG bluetooth"),
        (("Failed", "Something new"), "Something new"),
    ];
    for (fault, words) in faults {
        let mut speaker = left().paired();
        speaker.connect_fault = Some(fault);
        let why = told(speaker);
        assert!(why.contains(words), "{fault:?}: {why}");
    }
}

#[test]
fn a_phone_is_no_speaker() {
    let mut phone = left().paired();
    phone.services = vec![0x110a, 0x110c];
    phone.sbc = None;
    let why = told(phone);
    assert!(why.contains("source of audio"), "{why}");
}

#[test]
fn a_speaker_without_sbc_is_told() {
    let mut odd = left().paired();
    odd.sbc = None;
    let why = told(odd);
    assert!(why.contains("SBC") || why.contains("wireplumber"), "{why}");
}

#[test]
fn devices_that_nobody_knows_are_told() {
    let fake = FakeBluez::start();
    let bluetooth = bluetooth(&fake);
    for error in [
        bluetooth.disconnect(at(LEFT)).unwrap_err(),
        bluetooth.forget(at(LEFT)).unwrap_err(),
        bluetooth.connect_device(at(LEFT)).unwrap_err(),
    ] {
        assert!(error.to_string().contains("antiphon bluetooth scan"), "{error}");
    }
}
