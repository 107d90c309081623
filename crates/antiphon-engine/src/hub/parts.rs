//! Tests: what a programme asks of speakers lasts as long as the programme, and is told to nobody who remembers.

use antiphon_base::{ClockId, Hub as HubClock, Role, Span, SpeakerId, Timestamp};
use antiphon_proto::Transport;
use antiphon_proto::session::{Codec, Hello, HubMessage, PROTOCOL, Remembered, SpeakerSettings};

use super::{
    HubEngine, HubEngineConfig, HubEvent, SettingsChange, SourcePace, SourceSpec, Target, TransportState,
};

const LEFT: SpeakerId = SpeakerId([1; 16]);
const RIGHT: SpeakerId = SpeakerId([2; 16]);
const LATE: SpeakerId = SpeakerId([3; 16]);

/// A hub whose speakers "left" and "right" are set to their sides.
struct House {
    hub: HubEngine,
    now: Timestamp<HubClock>,
}

impl House {
    fn new() -> Self {
        let config = HubEngineConfig {
            clock: ClockId(7),
            name: "test".into(),
            latency: Span::from_ms(100),
            open: true,
        };
        let mut house = Self { hub: HubEngine::new(config), now: Timestamp::from_ns(1_000_000_000) };
        house.join(LEFT, "left", Role::Left);
        house.join(RIGHT, "right", Role::Right);
        house
    }

    /// A speaker that was set to `role` when it was here last.
    fn join(&mut self, id: SpeakerId, name: &str, role: Role) {
        let hello = Hello {
            protocol: PROTOCOL,
            name: name.into(),
            software: "test".into(),
            codecs: Codec::ALL.to_vec(),
            channels: 2,
            output: "null:".into(),
            role: None,
            min_latency_us: 0,
        };
        let settings = Some(SpeakerSettings { role, ..SpeakerSettings::default() });
        let remembered = Remembered { settings, ..Remembered::default() };
        self.hub.join(self.now, id, &hello, None, Transport::Datagrams, remembered).unwrap();
    }

    /// As a calibration does: each speaker gets a channel of its own.
    fn play(&mut self, targets: &[(&str, Role)]) {
        let target = |(name, role): &(&str, Role)| Target { name: (*name).into(), role: Some(*role) };
        let spec = SourceSpec {
            channels: 2,
            title: "beep".into(),
            duration: None,
            targets: targets.iter().map(target).collect(),
            wait_for: Span::ZERO,
            pace: SourcePace::Stored,
        };
        self.hub.open_source(self.now, spec).unwrap();
        assert!(self.hub.push_source(self.now, &[0.1; 2 * 4_800]));
        self.hub.finish_source(self.now);
    }

    fn test_each(&mut self) {
        self.play(&[("left", Role::Channel(1)), ("right", Role::Channel(2))]);
    }

    fn pass(&mut self, span: Span) {
        let until = self.now + span;
        while self.now < until {
            self.now += Span::from_ms(5);
            self.hub.handle_timeout(self.now);
        }
    }

    fn play_out(&mut self) {
        self.pass(Span::from_ms(500));
        assert_eq!(self.hub.transport(self.now).state, TransportState::Ended);
    }

    /// What each plays, by name.
    fn roles(&self) -> Vec<Role> {
        let speakers = self.hub.speakers(self.now);
        speakers.iter().map(|speaker| speaker.part.unwrap_or(speaker.settings.role)).collect()
    }

    fn set_role(&mut self, name: &str, role: Role) {
        let change = SettingsChange { role: Some(role), ..Default::default() };
        self.hub.set(self.now, name, change).unwrap();
    }

    /// The roles that were to be remembered since this was asked last.
    fn kept(&mut self) -> Vec<Role> {
        std::iter::from_fn(|| self.hub.poll_event())
            .filter_map(|event| match event {
                HubEvent::SettingsChanged(_, settings) => Some(settings.role),
                _ => None,
            })
            .collect()
    }
}

const SIDES: [Role; 2] = [Role::Left, Role::Right];
const CHANNELS: [Role; 2] = [Role::Channel(1), Role::Channel(2)];

#[test]
fn a_test_signal_gives_each_speaker_a_channel_and_after_it_all_are_as_before() {
    let mut house = House::new();
    house.test_each();
    assert_eq!(house.roles(), CHANNELS);
    house.play_out();
    assert_eq!(house.roles(), SIDES);
    house.test_each();
    house.hub.stop(house.now);
    assert_eq!(house.roles(), SIDES, "also where somebody stops it");
}

#[test]
fn nothing_of_it_is_remembered_so_that_a_hub_which_dies_meanwhile_comes_back_as_it_was() {
    let mut house = House::new();
    house.test_each();
    assert_eq!(house.kept(), []);
    house.hub.set(house.now, "left", SettingsChange { gain_db: Some(-6.0), ..Default::default() }).unwrap();
    assert_eq!(house.kept(), [Role::Left], "another setting is kept with the speaker's own role");
    assert_eq!(house.roles(), CHANNELS, "and takes nothing from the programme");
}

#[test]
fn who_joins_after_a_test_signal_changes_nobodys_role() {
    let mut house = House::new();
    house.test_each();
    house.play_out();
    house.join(LATE, "late", Role::Mono);
    house.join(LEFT, "left", Role::Left);
    assert_eq!(house.roles(), [Role::Mono, Role::Left, Role::Right]);
}

#[test]
fn who_joins_while_it_plays_gets_its_own_part_and_changes_nobody_elses() {
    let mut house = House::new();
    house.test_each();
    house.set_role("right", Role::Mono);
    house.join(LEFT, "left", Role::Left);
    assert_eq!(house.roles(), [Role::Channel(1), Role::Mono], "the left one has connected anew");
}

#[test]
fn a_role_that_a_person_sets_meanwhile_is_taken_at_once_and_kept() {
    let mut house = House::new();
    house.test_each();
    house.set_role("left", Role::Both);
    assert_eq!((house.roles(), house.kept()), (vec![Role::Both, Role::Channel(2)], vec![Role::Both]));
    house.join(LEFT, "left", Role::Both);
    assert_eq!(house.roles()[0], Role::Both, "the programme does not ask for it again");
    house.play_out();
    assert_eq!(house.roles(), [Role::Both, Role::Right]);
}

#[test]
fn a_speaker_is_told_of_its_part_and_of_its_end() {
    let mut house = House::new();
    house.test_each();
    house.play_out();
    let told: Vec<_> = std::iter::from_fn(|| house.hub.poll_message())
        .filter_map(|(_, message)| match message {
            HubMessage::Settings(settings) => Some(settings.role),
            _ => None,
        })
        .collect();
    assert_eq!(told.iter().filter(|role| **role == Role::Channel(1)).count(), 1);
    assert_eq!(told.iter().filter(|role| **role == Role::Left).count(), 1);
}
