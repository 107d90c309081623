//! Members that are kept connected.

use std::time::Duration;

use antiphon_base::Span;
use antiphon_bluetooth::LinkEvent;
use antiphon_bluez_fake::{FakeBluez, Speaker, Vanishes};
use antiphon_codec::sbc::SbcMode;

use crate::support::{LEFT, RIGHT, STRANGER, at, bluetooth, down, left, member, next, passes, right, up};

fn fake_pair() -> FakeBluez {
    let fake = FakeBluez::start();
    fake.add(left().paired());
    fake.add(right().paired());
    fake
}

#[test]
fn two_speakers_on_one_adapter_each_get_a_stream_of_their_own() {
    let fake = fake_pair();
    let (_served, events) = bluetooth(&fake).serve(vec![member(LEFT), member(RIGHT)]).unwrap();
    for address in [LEFT, RIGHT] {
        let link = up(&events, address);
        assert_eq!((link.adapter.as_str(), link.connection, link.write_mtu), ("hci0", 1, 672));
        assert_eq!((link.sbc.rate().hz(), link.sbc.mode(), link.sbc.bitpool()), (48_000, SbcMode::Mono, 29));
        assert!(passes(&link.socket, fake.far_end(address).unwrap()), "{address}");
    }
    assert_eq!(fake.endpoints("hci0"), 4, "two members and two spare");
}

#[test]
fn the_delay_that_a_speaker_reports_comes_after_the_link_and_when_it_changes() {
    let fake = FakeBluez::start();
    fake.add(Speaker { delay: None, ..left().paired() });
    let (_served, events) = bluetooth(&fake).serve(vec![member(LEFT)]).unwrap();
    assert_eq!(up(&events, LEFT).reported, None, "BlueZ says 0 until the speaker reports");
    fake.report_delay(LEFT, 1500);
    let delay = |event| match event {
        LinkEvent::Delay(_, delay) => Some(delay),
        _ => None,
    };
    assert_eq!(next(&events, delay), Some(Span::from_ms(150)));
    fake.report_delay(LEFT, 2505);
    assert_eq!(next(&events, delay), Some(Span::from_us(250_500)));
    fake.report_delay(LEFT, 0);
    assert_eq!(next(&events, delay), None);
}

#[test]
fn volume_goes_both_ways_and_a_speaker_without_one_says_so() {
    let fake = FakeBluez::start();
    fake.add(left().paired());
    let mut fixed = right().paired();
    fixed.volume = None;
    fake.add(fixed);
    let (served, events) = bluetooth(&fake).serve(vec![member(LEFT), member(RIGHT)]).unwrap();
    let volume = |whose: &'static str| {
        move |event| match event {
            LinkEvent::Volume(address, volume) if address == at(whose) => Some(volume),
            _ => None,
        }
    };
    assert_eq!(next(&events, volume(LEFT)), Some(64));
    fake.turn_volume(LEFT, 90);
    assert_eq!(next(&events, volume(LEFT)), Some(90));
    served.set_volume(at(LEFT), 30);
    assert!(fake.wait_until(|fake| fake.volume(LEFT) == Some(30)));
    assert_eq!(next(&events, volume(LEFT)), Some(30));
    drop((served, events));

    let (_served, events) = bluetooth(&fake).serve(vec![member(RIGHT)]).unwrap();
    assert_eq!(next(&events, volume(RIGHT)), None);
}

#[test]
fn a_volume_that_is_set_before_the_speaker_is_there_waits_for_it() {
    let fake = fake_pair();
    fake.script(LEFT, |speaker| speaker.in_reach = false);
    let (served, events) = bluetooth(&fake).serve(vec![member(LEFT)]).unwrap();
    served.set_volume(at(LEFT), 17);
    down(&events, LEFT);
    fake.script(LEFT, |speaker| speaker.in_reach = true);
    up(&events, LEFT);
    assert!(fake.wait_until(|fake| fake.volume(LEFT) == Some(17)));
}

#[test]
fn the_charge_of_a_speaker_is_told() {
    let fake = fake_pair();
    let (_served, events) = bluetooth(&fake).serve(vec![member(LEFT)]).unwrap();
    let battery = |event| match event {
        LinkEvent::Battery(_, percent) => Some(percent),
        _ => None,
    };
    assert_eq!(next(&events, battery), 80);
}

#[test]
fn a_speaker_that_was_off_is_back_by_itself_and_the_other_never_notices() {
    let fake = fake_pair();
    let (_served, events) = bluetooth(&fake).serve(vec![member(LEFT), member(RIGHT)]).unwrap();
    let (first, other) = (up(&events, LEFT), up(&events, RIGHT));
    fake.script(LEFT, |speaker| speaker.in_reach = false);
    fake.drop_link(LEFT);
    let lost = down(&events, LEFT);
    assert!(!lost.needs_help && lost.why.contains("Left"), "{lost:?}");
    fake.script(LEFT, |speaker| speaker.in_reach = true);
    let again = up(&events, LEFT);
    assert_eq!((first.connection, again.connection), (1, 2));
    assert!(fake.far_end(LEFT).is_some());
    assert!(passes(&again.socket, fake.far_end(LEFT).unwrap()), "the second connection's socket");
    assert!(passes(&other.socket, fake.far_end(RIGHT).unwrap()));
}

#[test]
fn a_speaker_that_connects_by_itself_is_taken_before_its_next_turn() {
    let fake = fake_pair();
    fake.script(LEFT, |speaker| speaker.connect_fault = Some(("Failed", "br-connection-page-timeout")));
    let (_served, events) = bluetooth(&fake).serve(vec![member(LEFT)]).unwrap();
    assert!(down(&events, LEFT).why.contains("does not answer"));
    fake.connects_by_itself(LEFT);
    assert_eq!(up(&events, LEFT).connection, 1);
}

#[test]
fn a_restarted_bluez_gets_the_endpoints_anew_and_the_speakers_return() {
    let fake = fake_pair();
    let (_served, events) = bluetooth(&fake).serve(vec![member(LEFT), member(RIGHT)]).unwrap();
    for address in [LEFT, RIGHT] {
        up(&events, address);
    }
    fake.stop_service();
    let gone = down(&events, LEFT);
    assert!(gone.needs_help && gone.why.contains("systemctl start bluetooth"), "{gone:?}");
    fake.start_service();
    assert_eq!(up(&events, LEFT).connection, 2);
    assert_eq!(up(&events, RIGHT).connection, 2);
    assert_eq!(fake.endpoints("hci0"), 4);
}

#[test]
fn an_adapter_that_is_pulled_and_plugged_again_brings_the_speakers_back() {
    let fake = fake_pair();
    let (_served, events) = bluetooth(&fake).serve(vec![member(LEFT)]).unwrap();
    up(&events, LEFT);
    fake.unplug("hci0");
    // BlueZ takes the link away first, then the adapter.
    while !down(&events, LEFT).why.contains("adapter") {}
    fake.plug("hci0", true);
    assert_eq!(up(&events, LEFT).connection, 2);
}

#[test]
fn speakers_stay_on_the_adapter_that_they_are_paired_with() {
    let fake = FakeBluez::start();
    fake.plug("hci1", true);
    fake.add_on(left().paired(), "/org/bluez/hci0");
    fake.add_on(right().paired(), "/org/bluez/hci1");
    let (_served, events) = bluetooth(&fake).serve(vec![member(LEFT), member(RIGHT)]).unwrap();
    assert_eq!(up(&events, LEFT).adapter, "hci0");
    assert_eq!(up(&events, RIGHT).adapter, "hci1");
}

#[test]
fn a_stranger_falls_through_to_the_desktops_sound_server() {
    let fake = fake_pair();
    let (_served, events) = bluetooth(&fake).serve(vec![member(LEFT)]).unwrap();
    up(&events, LEFT);
    fake.register_desktop("hci0");
    fake.add(antiphon_bluez_fake::Speaker::new(STRANGER, "Headset").paired());
    fake.connects_by_itself(STRANGER);
    let log = fake.log();
    assert!(log.iter().any(|line| line == &format!("the desktop takes {STRANGER}")), "{log:#?}");
}

#[test]
fn a_member_that_is_off_opens_no_door_for_a_stranger() {
    let fake = fake_pair();
    fake.script(LEFT, |speaker| speaker.in_reach = false);
    let (_served, events) = bluetooth(&fake).serve(vec![member(LEFT)]).unwrap();
    down(&events, LEFT);
    fake.register_desktop("hci0");
    fake.add(antiphon_bluez_fake::Speaker::new(STRANGER, "Headset").paired());
    fake.connects_by_itself(STRANGER);
    let log = fake.log();
    assert!(log.iter().any(|line| line == &format!("the desktop takes {STRANGER}")), "{log:#?}");
}

#[test]
fn a_speaker_that_the_desktop_has_is_asked_for_once_and_then_explained() {
    let fake = FakeBluez::start();
    fake.register_desktop("hci0");
    fake.add(left().paired());
    fake.connects_by_itself(LEFT);
    let (_served, events) = bluetooth(&fake).serve(vec![member(LEFT)]).unwrap();
    let why = down(&events, LEFT);
    assert!(why.needs_help && why.why.contains("restart wireplumber"), "{why:?}");
    let ended = fake.log().iter().filter(|line| line.starts_with("DisconnectProfile")).count();
    assert_eq!(ended, 1);
    // The remedy it names.
    fake.restart_desktop();
    up(&events, LEFT);
}

#[test]
fn a_pair_with_one_speaker_of_44_100_hz_plays_at_it() {
    let fake = FakeBluez::start();
    let mut narrow = left().paired();
    narrow.sbc = Some([0x2f, 0xff, 2, 53]);
    fake.add(narrow);
    fake.add(right().paired());
    let (_served, events) = bluetooth(&fake).serve(vec![member(LEFT), member(RIGHT)]).unwrap();
    assert_eq!(up(&events, LEFT).sbc.rate().hz(), 44_100);
    assert_eq!(up(&events, RIGHT).sbc.rate().hz(), 44_100);
}

#[test]
fn the_first_of_a_pair_is_agreed_on_anew_when_the_second_cannot_follow() {
    let fake = FakeBluez::start();
    fake.add(left().paired());
    let mut narrow = right().paired();
    narrow.sbc = Some([0x21, 0x15, 2, 40]);
    // Else it may be the first.
    narrow.in_reach = false;
    fake.add(narrow);
    let (_served, events) = bluetooth(&fake).serve(vec![member(LEFT), member(RIGHT)]).unwrap();
    assert_eq!(up(&events, LEFT).sbc.rate().hz(), 48_000);
    fake.script(RIGHT, |speaker| speaker.in_reach = true);
    let link = up(&events, RIGHT);
    assert_eq!((link.sbc.rate().hz(), link.sbc.mode()), (44_100, SbcMode::JointStereo));
    let link = up(&events, LEFT);
    assert_eq!((link.sbc.rate().hz(), link.connection), (44_100, 2));
}

#[test]
fn a_speaker_that_goes_in_the_middle_of_its_connection_is_tried_again() {
    for moment in [Vanishes::AfterSelect, Vanishes::AtAcquire] {
        let fake = fake_pair();
        fake.script(LEFT, |speaker| speaker.vanishes = Some(moment));
        let (_served, events) = bluetooth(&fake).serve(vec![member(LEFT)]).unwrap();
        down(&events, LEFT);
        assert!(passes(&up(&events, LEFT).socket, fake.far_end(LEFT).unwrap()), "{moment:?}");
    }
}

#[test]
fn a_transport_that_is_not_ready_is_asked_for_again() {
    let fake = fake_pair();
    fake.script(LEFT, |speaker| speaker.refuses_acquire = 3);
    let (_served, events) = bluetooth(&fake).serve(vec![member(LEFT)]).unwrap();
    assert_eq!(up(&events, LEFT).connection, 1);
}

#[test]
fn a_speaker_that_suspends_its_stream_is_started_again() {
    let fake = fake_pair();
    let (_served, events) = bluetooth(&fake).serve(vec![member(LEFT)]).unwrap();
    up(&events, LEFT);
    fake.suspend(LEFT);
    down(&events, LEFT);
    assert_eq!(up(&events, LEFT).connection, 2);
}

#[test]
fn a_handle_that_is_dropped_gives_streams_and_endpoints_back() {
    let fake = fake_pair();
    let (served, events) = bluetooth(&fake).serve(vec![member(LEFT)]).unwrap();
    up(&events, LEFT);
    drop(served);
    assert_eq!(fake.endpoints("hci0"), 0);
    assert!(fake.log().iter().any(|line| line.starts_with("Release ")), "{:#?}", fake.log());
    while events.recv_timeout(Duration::from_secs(5)).is_some() {}
    assert!(events.is_closed());
}

#[test]
fn members_come_and_go_while_others_play() {
    let fake = fake_pair();
    let (served, events) = bluetooth(&fake).serve(vec![member(LEFT)]).unwrap();
    let first = up(&events, LEFT);
    served.set_members(vec![member(LEFT), member(RIGHT)]);
    up(&events, RIGHT);
    assert_eq!(fake.endpoints("hci0"), 4);
    served.set_members(vec![member(LEFT)]);
    assert!(fake.wait_until(|fake| !fake.is_acquired(RIGHT)));
    assert!(passes(&first.socket, fake.far_end(LEFT).unwrap()));
}
