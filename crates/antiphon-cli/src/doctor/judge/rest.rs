//! Sound servers, clocks, priorities, and Antiphon's own.

use super::{Findings, Level};
use crate::doctor::machine::{Machine, SoundServer};

pub(super) fn sound(machine: &Machine, out: &mut Findings) {
    server(machine, out);
    owner(machine, out);
    if machine.runs("wireplumber") && !seat(machine) {
        out.add(
            Level::Warn,
            "seat",
            "WirePlumber runs and nobody is logged in at the screen: it then drops its Bluetooth endpoints",
            &["Set monitor.bluez.seat-monitoring = disabled in ~/.config/wireplumber/wireplumber.conf.d"],
        );
    }
    for name in ["snapserver", "snapclient"] {
        if machine.runs(name) {
            let what = format!(
                "{name} runs: it and Antiphon do not disturb each other, but a speaker plays for one of them"
            );
            out.add(
                Level::Warn,
                "snapcast",
                what,
                &["Stop it while you use its speaker here: sudo systemctl stop snapclient"],
            );
        }
    }
}

/// Programs that have to do with sound.
const SERVERS: [&str; 7] =
    ["pipewire", "wireplumber", "pulseaudio", "bluealsa", "bluealsad", "jackd", "jackdbus"];

/// A server that runs is not yet one that plays for this user: it may be another's, or stand still.
fn server(machine: &Machine, out: &mut Findings) {
    let running: Vec<&str> = SERVERS.into_iter().filter(|name| machine.runs(name)).collect();
    let desktop = ["pipewire", "pulseaudio"].into_iter().find(|name| machine.runs(name));
    match (&machine.sound_server, desktop) {
        (SoundServer::Answers(devices), _) => out.pass(
            "sound-server",
            format!("the sound server answers, with {devices} output devices (antiphon outputs lists them)"),
        ),
        (SoundServer::Unusable(why), _) => {
            let restart = "systemctl --user restart pipewire-pulse";
            out.add(Level::Warn, "sound-server", why.as_str(), &[restart]);
        }
        (SoundServer::Absent, Some(name)) => {
            let what = format!(
                "{name} runs, but no sound server answers this user: nothing plays on pulse: outputs"
            );
            let start = match name {
                "pipewire" => "systemctl --user start pipewire-pulse",
                _ => "pulseaudio --start",
            };
            out.add(Level::Warn, "sound-server", what, &[start]);
        }
        (SoundServer::Absent | SoundServer::Unasked, _) if running.is_empty() => {
            out.pass("sound-server", "no sound server runs: nobody else wants the speakers");
        }
        (SoundServer::Absent | SoundServer::Unasked, _) => {
            out.pass("sound-server", format!("runs: {}", running.join(", ")));
        }
    }
}

/// Whose endpoints BlueZ asks first, as far as that can be told: those of whoever came first.
fn owner(machine: &Machine, out: &mut Findings) {
    let owners = [
        ("wireplumber", "WirePlumber"),
        ("pulseaudio", "PulseAudio"),
        ("bluealsa", "BlueALSA"),
        ("bluealsad", "BlueALSA"),
    ];
    let Some((program, name)) = owners.into_iter().find(|(program, _)| machine.runs(program)) else { return };
    if machine.kernel_adapters.is_empty() {
        return;
    }
    let remedy = match program {
        "wireplumber" => "systemctl --user restart wireplumber pipewire",
        "pulseaudio" => "pulseaudio -k",
        _ => "sudo systemctl restart bluealsa",
    };
    match &machine.hub {
        None => out.add(
            Level::Warn,
            "endpoints",
            format!("{name} has Bluetooth endpoints and was started before any hub: BlueZ asks it first"),
            &[&format!("If a speaker goes there: leave antiphon hub running, then: {remedy}")],
        ),
        Some(_) => out.pass(
            "endpoints",
            format!(
                "{name} has Bluetooth endpoints beside the hub's; antiphon status says who has which speaker"
            ),
        ),
    }
}

/// A graphical session is one of these.
fn seat(machine: &Machine) -> bool {
    [
        "gnome-shell",
        "plasmashell",
        "kwin_wayland",
        "Xorg",
        "Xwayland",
        "sway",
        "xfce4-session",
        "labwc",
        "wayfire",
    ]
    .iter()
    .any(|name| machine.runs(name))
}

/// Clock sources that are read in nanoseconds.
const QUICK: [&str; 6] =
    ["tsc", "arch_sys_counter", "kvm-clock", "hyperv_clocksource_tsc_page", "riscv_clocksource", "timebase"];

pub(super) fn time(machine: &Machine, out: &mut Findings) {
    match &machine.clock_source {
        None => out.add(Level::Unknown, "clock", "the kernel does not tell its clock source", &[]),
        Some((now, _)) if QUICK.contains(&now.as_str()) => {
            out.pass("clock", format!("the clock source is {now}"))
        }
        Some((now, others)) => {
            let better = others.iter().find(|other| QUICK.contains(&other.as_str()));
            let todo = better.map_or_else(
                || "sudo dmesg | grep -i clocksource says why no better one is used.".to_owned(),
                |better| {
                    format!("echo {better} | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource")
                },
            );
            let what = format!("the clock source is {now}: slow to read, so times are less sure");
            out.add(Level::Warn, "clock", what, &[&todo]);
        }
    }
    if machine.real_time {
        out.pass("real-time", "threads get real-time priority");
    } else {
        out.add(
            Level::Warn,
            "real-time",
            "threads get no real-time priority: music stops when the machine is busy",
            &[
                "echo '@audio - rtprio 20' | sudo tee /etc/security/limits.d/antiphon.conf",
                "sudo usermod -aG audio $USER",
                "Then log in again.",
            ],
        );
    }
    if machine.processors == 1 {
        out.add(Level::Warn, "processors", "one processor: whatever else runs, music waits for it", &[]);
    }
}

pub(super) fn antiphon(machine: &Machine, out: &mut Findings) {
    match &machine.state_trouble {
        None => out.pass("state", "the state directory can be written to"),
        Some(why) => out.add(
            Level::Fail,
            "state",
            format!("pairs and settings cannot be kept: {why}"),
            &["Give this user access, or name another directory with ANTIPHON_STATE_DIR."],
        ),
    }
}
