//! Looking for speakers.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use antiphon_bluetooth::{Facts, Kind, Trouble};
use antiphon_bluez_fake::{FakeBluez, Speaker};

use crate::support::{LEFT, RIGHT, STRANGER, at, bluetooth, left, right};

#[test]
fn a_scan_tells_devices_as_they_appear_and_what_they_are() {
    let fake = FakeBluez::start();
    fake.add(Speaker { modalias: Some("bluetooth:v038Fp0001d0100".into()), ..left() });
    fake.add(Speaker { rssi: -80, ..right() });
    fake.add(Speaker { services: vec![0x110a], ..Speaker::new(STRANGER, "Phone") });
    let mut seen = Vec::new();
    let found = bluetooth(&fake).scan(None, Duration::from_secs(60), &mut |facts: &Facts| {
        seen.push(facts.address);
        if seen.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let found = found.unwrap();
    assert_eq!(seen, [at(LEFT), at(RIGHT), at(STRANGER)]);
    let kinds: Vec<_> = found.iter().map(|facts| (facts.kind, facts.rssi)).collect();
    assert_eq!(
        kinds,
        [(Kind::Speaker, Some(-50)), (Kind::Speaker, Some(-80)), (Kind::SourceOnly, Some(-50))]
    );
    assert_eq!(found[0].maker.as_deref(), Some("Xiaomi"));
    assert!(fake.wait_until(|fake| !fake.scans("hci0")));
}

#[test]
fn a_scan_ends_as_soon_as_its_reader_has_enough() {
    let fake = FakeBluez::start();
    fake.add(left());
    let began = Instant::now();
    let found = bluetooth(&fake).scan(None, Duration::from_secs(60), &mut |_: &Facts| ControlFlow::Break(()));
    assert_eq!(found.unwrap().len(), 1);
    assert!(began.elapsed() < Duration::from_secs(30));
    assert!(fake.log().iter().any(|line| line.starts_with("StopDiscovery")));
}

#[test]
fn a_scan_whose_reader_panics_is_stopped_too() {
    let fake = FakeBluez::start();
    fake.add(left());
    let bluetooth = bluetooth(&fake);
    let scan = std::panic::AssertUnwindSafe(|| {
        let _ = bluetooth.scan(None, Duration::from_secs(60), &mut |_: &Facts| panic!("on purpose"));
    });
    assert!(std::panic::catch_unwind(scan).is_err());
    assert!(fake.wait_until(|fake| !fake.scans("hci0")));
}

#[test]
fn an_adapter_that_is_pulled_ends_the_scan_with_its_name() {
    let fake = FakeBluez::start();
    fake.add(left());
    let found = bluetooth(&fake).scan(None, Duration::from_secs(60), &mut |_: &Facts| {
        // A callback is inside a runtime, where the fake cannot wait.
        std::thread::scope(|threads| drop(threads.spawn(|| fake.unplug("hci0")).join()));
        ControlFlow::Continue(())
    });
    assert_eq!(found.unwrap_err(), Trouble::AdapterGone("hci0".into()));
}
