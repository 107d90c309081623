//! What connected speakers tell of themselves: firmware and model.

use std::time::{Duration, Instant};

use antiphon_bluetooth::{Facts, Told};
use antiphon_bluez_fake::{Answer, FakeBluez, Speaker};

use crate::support::{LEFT, RIGHT, at, bluetooth, left, right};

const FIRMWARE: u16 = 0x2a26;

/// What a speaker with this service tells, and how long that took.
fn asked(information: Vec<(u16, Answer)>) -> (Facts, Duration) {
    let fake = FakeBluez::start();
    fake.add(Speaker { information, ..left().paired() });
    fake.register_desktop("hci0");
    let bluetooth = bluetooth(&fake);
    let begin = Instant::now();
    (bluetooth.connect_device(at(LEFT)).unwrap(), begin.elapsed())
}

#[test]
fn a_speaker_that_exposes_its_firmware_and_model_is_read() {
    let (facts, _) = asked(vec![
        (FIRMWARE, Answer::text("SPK-MIP3-V2.18.10\0")),
        (0x2a24, Answer::text("Mi Portable Speaker 3")),
        (0x2a29, Answer::text("Somebody else")),
    ]);
    assert_eq!(facts.firmware, Told::Said("SPK-MIP3-V2.18.10".into()));
    assert_eq!(facts.model.as_deref(), Some("Mi Portable Speaker 3"));
    assert_eq!(facts.maker.as_deref(), Some("Harman (JBL, Harman Kardon)"), "its number stands");
}

#[test]
fn a_maker_without_a_number_is_known_by_its_word_or_its_pnp_id() {
    let of = |information| {
        let fake = FakeBluez::start();
        fake.add(Speaker { information, modalias: None, ..left().paired() });
        fake.register_desktop("hci0");
        bluetooth(&fake).connect_device(at(LEFT)).unwrap().maker
    };
    assert_eq!(of(vec![(0x2a29, Answer::text("Xiaomi"))]).as_deref(), Some("Xiaomi"));
    let pnp = Answer::Bytes(vec![1, 0x57, 0, 0x20, 0x10, 0, 0x10]);
    assert_eq!(of(vec![(0x2a50, pnp)]).as_deref(), Some("Harman (JBL, Harman Kardon)"));
    assert_eq!(of(vec![]), None);
}

#[test]
fn one_without_the_service_refuses_nothing_and_exposes_nothing() {
    let (facts, _) = asked(vec![]);
    assert_eq!(facts.firmware, Told::NotExposed);
    assert_eq!(facts.firmware.to_string(), "not exposed by this device");
}

#[test]
fn refusal_nonsense_and_silence_are_told_apart_soon_and_the_speaker_plays_all_the_same() {
    for (answer, words) in [
        (Answer::Refuses, "refused to this computer"),
        (Answer::Bytes(vec![0xff, 0xfe, 0]), "no version"),
        (Answer::Bytes(vec![]), "no version"),
        (Answer::text("1.2\u{1b}[2J"), "no version"),
        (Answer::Never, "not answered"),
    ] {
        let (facts, took) = asked(vec![(FIRMWARE, answer.clone()), (0x2a24, Answer::text("Flip"))]);
        assert!(facts.firmware.to_string().contains(words), "{answer:?}: {:?}", facts.firmware);
        assert!(facts.firmware.said().is_none() && facts.model.as_deref() == Some("Flip"));
        assert!(facts.connected && !facts.sinks.is_empty());
        // Two seconds, on a machine that may stand still; a call to BlueZ may take 25.
        assert!(took < Duration::from_secs(10), "{took:?}");
    }
}

#[test]
fn many_are_asked_at_once_and_those_that_are_not_connected_are_not() {
    let fake = FakeBluez::start();
    let never = vec![(FIRMWARE, Answer::Never)];
    fake.add(Speaker { information: never.clone(), ..left().paired() });
    fake.add(Speaker { information: never, ..right().paired() });
    fake.add(Speaker::new("AA:BB:CC:DD:EE:03", "Asleep").paired());
    fake.register_desktop("hci0");
    fake.register_desktop("hci0");
    fake.connects_by_itself(LEFT);
    fake.connects_by_itself(RIGHT);
    let bluetooth = bluetooth(&fake);
    let mut devices = bluetooth.devices().unwrap();
    let begin = Instant::now();
    bluetooth.ask(&mut devices).unwrap();
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    let told: Vec<_> = devices.iter().map(|facts| facts.firmware.clone()).collect();
    assert!(matches!(told[..], [Told::Unreadable(_), Told::Unreadable(_), Told::Unasked]), "{told:?}");
}

#[test]
fn services_that_bluez_has_not_read_are_no_proof_of_absence() {
    let fake = FakeBluez::start();
    fake.add(Speaker { services_resolved: false, ..left().paired() });
    fake.register_desktop("hci0");
    let facts = bluetooth(&fake).connect_device(at(LEFT)).unwrap();
    assert!(facts.firmware.to_string().contains("still reading"), "{:?}", facts.firmware);
}
