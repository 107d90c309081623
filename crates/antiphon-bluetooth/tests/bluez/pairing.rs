//! Pairing in all ways that speakers know.

use antiphon_bluetooth::{Bluetooth, Facts, Step, Trouble};
use antiphon_bluez_fake::{FakeBluez, Pairing, Speaker};

use crate::support::{LEFT, Person, RIGHT, at, bluetooth, left, right};

fn pair(bluetooth: &Bluetooth, address: &str, person: Person) -> (Result<Facts, Trouble>, Vec<Step>) {
    let mut steps = Vec::new();
    let done = bluetooth.pair(at(address), None, Box::new(person), &mut |step| steps.push(step));
    (done, steps)
}

/// How it goes with a speaker that pairs in this way.
fn tried(pairing: Pairing, person: Person) -> Result<Facts, Trouble> {
    let fake = FakeBluez::start();
    let mut speaker = left();
    speaker.pairing = pairing;
    fake.add(speaker);
    pair(&bluetooth(&fake), LEFT, person).0
}

#[test]
fn a_speaker_is_found_paired_trusted_and_connected_one_after_the_other() {
    let fake = FakeBluez::start();
    fake.power("hci0", false);
    fake.add(left());
    let (facts, steps) = pair(&bluetooth(&fake), LEFT, Person::default());
    let facts = facts.unwrap();
    assert_eq!(steps, [Step::Power, Step::Search, Step::Pair, Step::Trust, Step::Connect]);
    assert_eq!(facts.sinks[0].codec, "SBC");
    assert_eq!(facts.delay_reporting(), Some(true));
    assert!(facts.paired && fake.device_is("hci0", LEFT, "Trusted"));
    let log = fake.log();
    let place = |call: &str| log.iter().position(|line| line.starts_with(call)).unwrap();
    assert!(place("StopDiscovery") < place("Pair"), "no scan while pairing: {log:#?}");
    assert!(fake.wait_until(|fake| fake.endpoints("hci0") == 0 && !fake.scans("hci0")));
}

#[test]
fn a_pin_that_is_right_pairs_and_one_that_is_wrong_is_told() {
    let wants = || Pairing::Pin("4711".into());
    let knows = |pin: &str| Person { pin: Some(pin.into()), ..Person::default() };
    assert!(tried(wants(), knows("4711")).is_ok());
    let wrong = tried(wants(), knows("0000")).unwrap_err();
    assert!(matches!(wrong, Trouble::WrongPin(_)) && wrong.to_string().contains("0000 or 1234"), "{wrong}");
    let nobody = tried(wants(), Person::default()).unwrap_err();
    assert!(nobody.to_string().contains("in a terminal"), "{nobody}");
}

#[test]
fn digits_are_entered_or_confirmed_by_the_person() {
    let sees = |digits| Person { sees: Some(digits), passkey: Some(digits), ..Person::default() };
    assert!(tried(Pairing::Confirm(123_456), sees(123_456)).is_ok());
    assert!(matches!(tried(Pairing::Confirm(123_456), sees(1)), Err(Trouble::PairingRejected(_))));
    assert!(tried(Pairing::Passkey(7), sees(7)).is_ok());
    assert!(matches!(tried(Pairing::Passkey(7), sees(8)), Err(Trouble::WrongPin(_))));
}

#[test]
fn what_bluez_says_of_a_pairing_is_put_in_plain_words() {
    let faults = [
        (("AuthenticationRejected", "Authentication Rejected"), "switch it to pairing"),
        (("AuthenticationFailed", "Authentication Failed"), "switch it to pairing"),
        (("AuthenticationTimeout", "Authentication Timeout"), "took too long"),
        (("ConnectionAttemptFailed", "Page Timeout"), "does not answer"),
        (("InProgress", "In Progress"), "busy"),
    ];
    for (fault, words) in faults {
        let error = tried(Pairing::Fails(fault), Person::default()).unwrap_err();
        assert!(error.to_string().contains(words), "{fault:?}: {error}");
    }
}

#[test]
fn a_stale_bond_is_explained_and_kept_until_it_is_removed_on_request() {
    let fake = FakeBluez::start();
    let mut stale = left().paired();
    stale.connect_fault = Some(("Failed", "br-connection-key-missing"));
    fake.add(stale);
    let bluetooth = bluetooth(&fake);
    let error = pair(&bluetooth, LEFT, Person::default()).0.unwrap_err();
    assert!(matches!(error, Trouble::StaleBond(_)), "{error}");
    assert!(fake.device_is("hci0", LEFT, "Paired"), "it is left as it is");
    bluetooth.forget(at(LEFT)).unwrap();
    fake.script(LEFT, |speaker| speaker.connect_fault = None);
    assert!(pair(&bluetooth, LEFT, Person::default()).0.is_ok());
}

#[test]
fn new_speakers_go_to_the_adapter_with_the_fewest() {
    let fake = FakeBluez::start();
    fake.plug("hci1", true);
    fake.add(left());
    fake.add(right());
    let bluetooth = bluetooth(&fake);
    let first = pair(&bluetooth, LEFT, Person::default()).0.unwrap();
    let second = pair(&bluetooth, RIGHT, Person::default()).0.unwrap();
    assert_eq!((first.adapter.as_str(), second.adapter.as_str()), ("hci0", "hci1"));
}

#[test]
fn a_speaker_is_disconnected_and_forgotten_when_asked() {
    let fake = FakeBluez::start();
    fake.add(left().paired());
    fake.register_desktop("hci0");
    let bluetooth = bluetooth(&fake);
    assert!(bluetooth.connect_device(at(LEFT)).unwrap().connected);
    bluetooth.disconnect(at(LEFT)).unwrap();
    assert!(!fake.device_is("hci0", LEFT, "Connected"));
    bluetooth.disconnect(at(LEFT)).unwrap();
    bluetooth.forget(at(LEFT)).unwrap();
    assert_eq!(bluetooth.devices().unwrap(), []);
}

#[test]
fn a_phone_that_pairs_is_told_to_be_no_speaker() {
    let fake = FakeBluez::start();
    let phone = Speaker { services: vec![0x110a], sbc: None, ..left() };
    fake.add(phone);
    let error = pair(&bluetooth(&fake), LEFT, Person::default()).0.unwrap_err();
    assert!(matches!(error, Trouble::SourceOnly(_)), "{error}");
}
