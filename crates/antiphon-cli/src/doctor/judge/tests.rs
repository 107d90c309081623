//! Machines that are not here.

use antiphon_bluetooth::{Adapter, Address, BluezVersion, Facts, SinkCodec, Told, Who};

use super::*;
use crate::doctor::machine::{Bluez, Interface, Port, SoundServer, Switch};
use antiphon_bluetooth::{Kind, Trouble};

fn found<'a>(findings: &'a [Finding], id: &str) -> Vec<&'a Finding> {
    findings.iter().filter(|finding| finding.id == id).collect()
}

fn one(machine: &Machine, id: &str) -> Finding {
    let all = all(machine);
    let found = found(&all, id);
    assert_eq!(found.len(), 1, "{id}: {all:#?}");
    found[0].clone()
}

fn adapter(name: &str, powered: bool) -> Adapter {
    let mut adapter = Adapter::default();
    (adapter.name, adapter.powered, adapter.has_media) = (name.into(), powered, true);
    adapter
}

fn speaker(name: &str) -> Facts {
    Facts {
        address: Address([0xaa, 0xbb, 0xcc, 0xdd, 0xee, 1]),
        name: Some(name.into()),
        adapter: "hci0".into(),
        kind: Kind::Speaker,
        maker: None,
        class: None,
        uuids: Vec::new(),
        rssi: None,
        paired: true,
        bonded: Some(true),
        trusted: true,
        connected: true,
        battery: None,
        sinks: Vec::new(),
        firmware: Told::NotExposed,
        model: None,
    }
}

fn machine_with(devices: Vec<Facts>) -> Machine {
    let bluez = Bluez { adapters: vec![adapter("hci0", true)], devices };
    Machine {
        bluez: Some(Ok(bluez)),
        kernel_adapters: vec!["hci0".into()],
        bluez_version: Some(BluezVersion { major: 5, minor: 85 }),
        interfaces: vec![Interface { name: "eth0".into(), multicast: true, ..Interface::default() }],
        clock_source: Some(("tsc".into(), vec![])),
        real_time: true,
        processors: 4,
        ..Machine::default()
    }
}

#[test]
fn a_machine_that_is_as_it_should_be_has_no_complaint() {
    let sbc = SinkCodec { codec: "SBC".into(), delay_reporting: Some(true), sbc: None };
    let good = Facts { sinks: vec![sbc], ..speaker("Flip 6") };
    let findings = all(&machine_with(vec![good]));
    let complaints: Vec<_> = findings.iter().filter(|finding| finding.level > Level::Unknown).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn a_bare_machine_is_told_what_it_lacks_each_with_what_to_do() {
    let bare = Machine {
        bluez: Some(Err(Trouble::NoBus("no such file".into()))),
        processors: 2,
        ..Machine::default()
    };
    let findings = all(&bare);
    assert!(findings.iter().any(|finding| finding.level == Level::Fail));
    for finding in findings.iter().filter(|finding| finding.level >= Level::Warn) {
        assert!(!finding.todo.is_empty(), "{finding:?}");
    }
    let bus = one(&bare, "bluez");
    assert!(bus.todo[0].contains("systemctl start dbus") && bus.what.contains("does not answer"), "{bus:?}");
    assert!(one(&bare, "adapter").what.contains("no Bluetooth adapter"));
}

#[test]
fn each_trouble_has_its_level_and_its_command() {
    let good = || machine_with(vec![speaker("Flip 6")]);
    let switch = |soft, hard| Switch { kind: "bluetooth".into(), name: "hci0".into(), soft, hard };
    let wifi =
        |power_save, mhz| Interface { name: "wlan0".into(), multicast: true, wifi: true, power_save, mhz };
    let with = |change: &dyn Fn(&mut Machine)| {
        let mut machine = good();
        change(&mut machine);
        machine
    };
    let bluez = |adapters: Vec<Adapter>| Some(Ok(Bluez { adapters, devices: vec![] }));
    let cases: [(&str, Level, &str, Machine); 22] = [
        (
            "rfkill",
            Level::Fail,
            "rfkill unblock bluetooth",
            with(&|m| m.switches = vec![switch(true, false)]),
        ),
        ("rfkill", Level::Fail, "slider", with(&|m| m.switches = vec![switch(true, true)])),
        ("bluez", Level::Fail, "systemctl start bluetooth", with(&|m| m.bluez = Some(Err(Trouble::NoBluez)))),
        ("adapter", Level::Fail, "power on", with(&|m| m.bluez = bluez(vec![adapter("hci0", false)]))),
        ("adapter", Level::Fail, "restart bluetooth", with(&|m| m.bluez = bluez(vec![]))),
        (
            "media",
            Level::Fail,
            "DisablePlugins",
            with(&|m| {
                let mut mute = adapter("hci0", true);
                mute.has_media = false;
                m.bluez = bluez(vec![mute]);
            }),
        ),
        (
            "adapter",
            Level::Warn,
            "scan off",
            with(&|m| {
                let mut busy = adapter("hci0", true);
                busy.discovering = true;
                m.bluez = bluez(vec![busy]);
            }),
        ),
        ("bluez-version", Level::Unknown, "--version", with(&|m| m.bluez_version = None)),
        (
            "wifi-power-save",
            Level::Warn,
            "iw dev wlan0 set power_save off",
            with(&|m| m.interfaces = vec![wifi(Some(true), None)]),
        ),
        (
            "wifi-power-save",
            Level::Unknown,
            "apt install iw",
            with(&|m| m.interfaces = vec![wifi(None, None)]),
        ),
        ("wifi-band", Level::Warn, "5 GHz", with(&|m| m.interfaces = vec![wifi(Some(false), Some(2_412))])),
        ("firewall", Level::Warn, "ufw allow 7755/tcp", with(&|m| m.firewalls = vec!["ufw".into()])),
        ("firewall", Level::Warn, "firewall-cmd", with(&|m| m.firewalls = vec!["firewalld".into()])),
        ("port", Level::Fail, "ss -ltnup", with(&|m| m.port = Port { tcp_taken: true, udp_taken: false })),
        (
            "clock",
            Level::Warn,
            "echo tsc",
            with(&|m| m.clock_source = Some(("hpet".into(), vec!["hpet".into(), "tsc".into()]))),
        ),
        ("real-time", Level::Warn, "rtprio", with(&|m| m.real_time = false)),
        (
            "sound-server",
            Level::Warn,
            "start pipewire-pulse",
            with(&|m| (m.programs, m.sound_server) = (vec!["pipewire".into()], SoundServer::Absent)),
        ),
        (
            "sound-server",
            Level::Warn,
            "pulseaudio --start",
            with(&|m| (m.programs, m.sound_server) = (vec!["pulseaudio".into()], SoundServer::Absent)),
        ),
        (
            "sound-server",
            Level::Warn,
            "restart pipewire-pulse",
            with(&|m| m.sound_server = SoundServer::Unusable("it has gone away".into())),
        ),
        ("state", Level::Fail, "ANTIPHON_STATE_DIR", with(&|m| m.state_trouble = Some("read-only".into()))),
        ("snapcast", Level::Warn, "systemctl stop", with(&|m| m.programs = vec!["snapserver".into()])),
        (
            "endpoints",
            Level::Warn,
            "restart wireplumber",
            with(&|m| m.programs = vec!["wireplumber".into(), "gnome-shell".into()]),
        ),
    ];
    for (id, level, todo, machine) in cases {
        let finding = one(&machine, id);
        assert!(finding.level == level && finding.todo.join(" ").contains(todo), "{id}: {finding:?}");
    }
}

#[test]
fn hazards_of_a_bluez_are_told_and_one_that_antiphon_masters_is_none() {
    let at = |minor| {
        let machine =
            Machine { bluez_version: Some(BluezVersion { major: 5, minor }), ..machine_with(vec![]) };
        found(&all(&machine), "bluez-version").into_iter().cloned().collect::<Vec<_>>()
    };
    assert!(at(66).len() == 1 && at(66)[0].level == Level::Pass && at(66)[0].what.contains("#1037"));
    assert!(
        at(87).iter().all(|finding| finding.level == Level::Warn && !finding.todo.is_empty()),
        "{:?}",
        at(87)
    );
    for (minor, words) in [(83, "#1570"), (84, "#1570"), (86, "#2335"), (87, "#2285")] {
        let found = at(minor);
        assert!(found.iter().any(|finding| finding.what.contains(words)), "5.{minor}: {found:?}");
        assert!(
            found.iter().all(|finding| finding.level == Level::Warn && !finding.todo.is_empty()),
            "{found:?}"
        );
    }
    assert!(at(83)[0].todo[0].contains("microphone") && at(82)[0].level == Level::Pass);
    assert!(at(87).iter().any(|finding| finding.todo[0].contains("systemctl restart bluetooth")));
    assert_eq!(at(85)[0].level, Level::Pass);
}

#[test]
fn speakers_are_judged_one_by_one() {
    let sink = |codec: &str, delay| SinkCodec { codec: codec.into(), delay_reporting: delay, sbc: None };
    let level = |facts: Facts, id: &str| one(&machine_with(vec![facts]), id).level;
    assert_eq!(level(Facts { bonded: Some(false), ..speaker("a") }, "stale-pairing"), Level::Fail);
    assert_eq!(level(Facts { trusted: false, ..speaker("a") }, "trust"), Level::Warn);
    assert_eq!(level(Facts { paired: false, ..speaker("a") }, "speaker"), Level::Unknown);
    assert_eq!(level(Facts { sinks: vec![sink("AAC", None)], ..speaker("a") }, "codecs"), Level::Fail);
    let exposed =
        one(&machine_with(vec![Facts { sinks: vec![sink("SBC", None)], ..speaker("a") }]), "speaker");
    assert!(exposed.what.contains("not exposed by this device"), "{exposed:?}");
}

#[test]
fn a_speaker_that_was_tried_says_who_holds_it() {
    let who = Who { address: Address([1; 6]), name: Some("Flip 6".into()) };
    for (trouble, level, words) in [
        (Trouble::HeldElsewhere(who.clone()), Level::Fail, "phone"),
        (Trouble::StaleBond(who.clone()), Level::Fail, "forget"),
        (Trouble::OutOfRange(who), Level::Warn, "on, charged"),
    ] {
        let machine = Machine { tried: vec![("Flip 6".into(), Err(trouble))], ..machine_with(vec![]) };
        let finding = one(&machine, "connect");
        assert!(finding.level == level, "{finding:?}");
        assert!(format!("{} {}", finding.what, finding.todo.join(" ")).contains(words), "{finding:?}");
    }
}

#[test]
fn what_a_speaker_says_of_its_firmware_is_told_and_what_it_does_not_say_is_not_guessed() {
    let sbc = || vec![SinkCodec { codec: "SBC".into(), delay_reporting: Some(true), sbc: None }];
    for (firmware, words) in [
        (Told::Said("1.4.2".into()), "firmware: 1.4.2;"),
        (Told::NotExposed, "firmware: not exposed by this device;"),
        (Told::Unasked, "firmware: not known while it is not connected;"),
        (Told::Unreadable("asked for, and not answered by this device"), "not answered"),
    ] {
        let finding = one(&machine_with(vec![Facts { firmware, sinks: sbc(), ..speaker("a") }]), "speaker");
        assert!(finding.what.contains(words), "{finding:?}");
    }
}
