//! Media keys and applets, through a session bus of the tests' own.

use std::path::Path;
use std::process::{Command, Stdio};

use antiphon_api::{ProgrammeState, ProgrammeStatus};

use crate::conclusive::unless_the_machine_stands_still;
use crate::house::{House, Process, eventually, write_tones};

const NAME: &str = "org.mpris.MediaPlayer2.antiphon.instance";
const PLAYER: &str = "org.mpris.MediaPlayer2.Player";
const PATH: &str = "/org/mpris/MediaPlayer2";

/// A `dbus-daemon` for one test.
struct SessionBus {
    address: String,
    _daemon: Process,
}

impl SessionBus {
    fn start(house: &House) -> Self {
        let socket = house.path("bus");
        let address = format!("unix:path={}", socket.display());
        let daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", &format!("--address={address}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon is installed (scripts/setup.sh)");
        let daemon = Process(daemon);
        eventually("the bus is there", || socket.exists());
        Self { address, _daemon: daemon }
    }

    /// What `dbus-send` says to a call, in one line without the first, where it goes well.
    fn send(&self, to: &str, path: &str, method: &str, args: &[&str]) -> Option<String> {
        let mut command = Command::new("dbus-send");
        command.args([
            &format!("--bus={}", self.address),
            "--print-reply",
            &format!("--dest={to}"),
            path,
            method,
        ]);
        let output = command.args(args).output().expect("dbus-send is installed (scripts/setup.sh)");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let answer = said.lines().skip(1).flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
        output.status.success().then_some(answer)
    }

    fn name_of(&self, player: &Process) -> String {
        let name = format!("{NAME}{}", player.0.id());
        let bus = "org.freedesktop.DBus";
        eventually("the player is on the bus", || {
            let names = self.send(bus, "/org/freedesktop/DBus", "org.freedesktop.DBus.ListNames", &[]);
            names.is_some_and(|names| names.contains(&name))
        });
        name
    }

    /// A property, as `string "Playing"`.
    fn property(&self, name: &str, interface: &str, property: &str) -> String {
        let (interface, property) = (format!("string:{interface}"), format!("string:{property}"));
        let answer = self.send(name, PATH, "org.freedesktop.DBus.Properties.Get", &[&interface, &property]);
        answer.and_then(|answer| answer.strip_prefix("variant ").map(str::to_owned)).unwrap_or_default()
    }

    fn call(&self, name: &str, method: &str, args: &[&str]) {
        let answer = self.send(name, PATH, &format!("{PLAYER}.{method}"), args);
        assert!(answer.is_some(), "{method} {args:?}");
    }
}

fn start(house: &House, bus: &str, files: &[&Path]) -> Process {
    let mut command = house.antiphon(&["play", "--left", "a"]);
    let log = std::fs::File::create(house.path("play.log")).unwrap();
    Process(command.args(files).env("DBUS_SESSION_BUS_ADDRESS", bus).stderr(log).spawn().unwrap())
}

fn programme(house: &House) -> ProgrammeStatus {
    house.client().status().map(|status| status.programme).unwrap_or_default()
}

fn microseconds(property: &str) -> i64 {
    property.strip_prefix("int64 ").and_then(|number| number.parse().ok()).unwrap_or(-1)
}

#[test]
fn an_applet_sees_what_is_heard_and_its_keys_work() {
    unless_the_machine_stands_still(|| {
        let house = House::new();
        let bus = SessionBus::start(&house);
        let files = ["one.wav", "two.wav"].map(|name| house.path(name));
        files.iter().for_each(|file| write_tones(file, 60, (443.7, 443.7), 0.1));
        let _speaker = house.speaker("a", "+40");
        let mut player = start(&house, &bus.address, &[&files[0], &files[1]]);
        let name = bus.name_of(&player);
        let get = |property: &str| bus.property(&name, PLAYER, property);
        let is = |property: &str, wanted: &str| get(property) == wanted;
        let plays =
            |title: &str| get("Metadata").contains(&format!("\"xesam:title\" variant string \"{title}\""));
        eventually("it plays the first", || is("PlaybackStatus", "string \"Playing\"") && plays("one"));
        assert_eq!(bus.property(&name, "org.mpris.MediaPlayer2", "Identity"), "string \"Antiphon\"");
        assert!(get("Metadata").contains("\"mpris:length\" variant int64 60000000"), "{}", get("Metadata"));
        for (property, wanted) in [
            ("CanGoNext", "boolean true"),
            ("CanGoPrevious", "boolean true"),
            ("CanSeek", "boolean true"),
            ("CanControl", "boolean true"),
        ] {
            assert_eq!(get(property), wanted, "{property}");
        }
        bus.call(&name, "PlayPause", &[]);
        eventually("it is paused", || is("PlaybackStatus", "string \"Paused\""));
        assert_eq!(programme(&house).state, ProgrammeState::Paused);
        // A place in a track that is not heard is none.
        bus.call(&name, "SetPosition", &["objpath:/io/antiphon/track/2", "int64:50000000"]);
        bus.call(&name, "SetPosition", &["objpath:/io/antiphon/track/1", "int64:30000000"]);
        eventually("it stands where it was put", || microseconds(&get("Position")) == 30_000_000);
        bus.call(&name, "Play", &[]);
        bus.call(&name, "Seek", &["int64:-10000000"]);
        eventually("it plays from there", || {
            is("PlaybackStatus", "string \"Playing\"")
                && (20_000_000..30_000_000).contains(&microseconds(&get("Position")))
        });
        let before = microseconds(&get("Position"));
        eventually("time passes", || microseconds(&get("Position")) > before + 300_000);
        bus.call(&name, "Next", &[]);
        eventually("it plays the second", || plays("two") && is("CanGoNext", "boolean false"));
        assert!(
            get("Metadata").contains("\"mpris:trackid\" variant object path \"/io/antiphon/track/2\""),
            "{}",
            get("Metadata")
        );
        bus.call(&name, "Next", &[]);
        bus.call(&name, "Previous", &[]);
        eventually("it plays the first again", || plays("one"));
        bus.call(&name, "Stop", &[]);
        assert_eq!(player.end(), Some(0), "{}", house.said("play.log"));
    });
}

#[test]
fn listeners_are_told_what_changes() {
    unless_the_machine_stands_still(|| {
        let house = House::new();
        let bus = SessionBus::start(&house);
        let file = house.path("tones.wav");
        write_tones(&file, 60, (443.7, 443.7), 0.1);
        let _speaker = house.speaker("a", "+40");
        let mut player = start(&house, &bus.address, &[&file]);
        let name = bus.name_of(&player);
        let log = std::fs::File::create(house.path("signals.log")).unwrap();
        let mut monitor = Command::new("dbus-monitor");
        monitor.args(["--address", &bus.address, &format!("type='signal',path='{PATH}'")]);
        let _listener =
            Process(monitor.stdin(Stdio::null()).stdout(log).stderr(Stdio::null()).spawn().unwrap());
        eventually("it plays", || bus.property(&name, PLAYER, "PlaybackStatus") == "string \"Playing\"");
        eventually("somebody listens", || !house.said("signals.log").is_empty());
        let heard = |what: &str| house.said("signals.log").contains(what);
        house.order(&["ctl", "seek", "30s"]);
        eventually("a jump is told", || heard("member=Seeked"));
        house.order(&["ctl", "pause"]);
        eventually("a pause is told", || heard("string \"Paused\""));
        house.order(&["ctl", "stop"]);
        assert_eq!(player.end(), Some(0));
    });
}

#[test]
fn without_a_session_bus_nothing_is_said() {
    let house = House::new();
    let file = house.path("tones.wav");
    write_tones(&file, 1, (443.7, 443.7), 0.1);
    let _speaker = house.speaker("a", "+40");
    let mut player = start(&house, "unix:path=/nonexistent/bus", &[&file]);
    assert_eq!(player.end(), Some(0));
    let said = house.said("play.log");
    assert!(!said.contains("bus") && !said.to_lowercase().contains("mpris"), "{said}");
}
