//! Adapters, BlueZ, and the speakers that it knows.

use antiphon_bluetooth::{Facts, Kind, Trouble, hazards};

use super::{Findings, Level};
use crate::bluetooth::named;
use crate::doctor::machine::{Bluez, Machine};

pub(super) fn look(machine: &Machine, out: &mut Findings) {
    switches(machine, out);
    match &machine.bluez {
        None => {}
        Some(Err(trouble)) => no_bluez(machine, trouble, out),
        Some(Ok(bluez)) => {
            out.pass("bluez", "BlueZ, the Bluetooth service, answers");
            adapters(machine, bluez, out);
            speakers(bluez, out);
        }
    }
    version(machine, out);
    tried(machine, out);
}

fn switches(machine: &Machine, out: &mut Findings) {
    let radios = machine.switches.iter().filter(|switch| switch.kind == "bluetooth");
    for radio in radios {
        let name = &radio.name;
        match (radio.hard, radio.soft) {
            (true, _) => out.add(
                Level::Fail,
                "rfkill",
                format!("{name} is blocked by a switch of this machine"),
                &["Look for a key or a slider with the wireless sign, or in the BIOS; no command can free it."],
            ),
            (false, true) => {
                out.add(Level::Fail, "rfkill", format!("{name} is blocked"), &["rfkill unblock bluetooth"]);
            }
            (false, false) => out.pass("rfkill", format!("{name} is not blocked")),
        }
    }
}

/// What is the matter, and what to do: a trouble's text ends with that.
fn parted(text: &str) -> (String, Vec<String>) {
    let Some((what, todo)) = text.rsplit_once(": ") else { return (text.to_owned(), Vec::new()) };
    let mut letters = todo.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    (what.to_owned(), vec![format!("{first}{}.", letters.as_str())])
}

fn no_bluez(machine: &Machine, trouble: &Trouble, out: &mut Findings) {
    let (what, todo) = parted(&trouble.to_string());
    out.say(Level::Fail, "bluez", what, todo);
    match machine.kernel_adapters.as_slice() {
        [] => out.add(
            Level::Fail,
            "adapter",
            "the kernel has no Bluetooth adapter",
            &["Plug one in: any USB adapter with Bluetooth 4.0 or later.", "sudo dmesg | grep -i bluetooth"],
        ),
        some => out.pass("adapter", format!("the kernel has {}", some.join(", "))),
    }
}

fn adapters(machine: &Machine, bluez: &Bluez, out: &mut Findings) {
    if bluez.adapters.is_empty() {
        let (what, todo): (_, &[&str]) = if machine.kernel_adapters.is_empty() {
            (
                "this machine has no Bluetooth adapter",
                &[
                    "Plug one in: any USB adapter with Bluetooth 4.0 or later.",
                    "sudo dmesg | grep -i bluetooth",
                ],
            )
        } else {
            (
                "the kernel has an adapter that BlueZ does not show",
                &["sudo systemctl restart bluetooth", "sudo dmesg | grep -i 'bluetooth\\|firmware'"],
            )
        };
        out.add(Level::Fail, "adapter", what, todo);
        return;
    }
    for adapter in &bluez.adapters {
        let name = &adapter.name;
        match (adapter.powered, adapter.discovering) {
            (false, _) => {
                out.add(Level::Fail, "adapter", format!("the adapter {name} is off"), &["bluetoothctl power on"]);
            }
            (true, true) => out.add(
                Level::Warn,
                "adapter",
                format!("the adapter {name} is on, and some program searches all the time: it takes the air from music"),
                &["Close Bluetooth settings windows; bluetoothctl scan off"],
            ),
            (true, false) => out.pass("adapter", format!("the adapter {name} is on")),
        }
        if adapter.powered && !adapter.has_media {
            out.add(
                Level::Fail,
                "media",
                format!("{name} offers no audio: BlueZ runs without its A2DP plugin"),
                &["Look for DisablePlugins or --noplugin in /etc/bluetooth/main.conf and in systemctl cat bluetooth."],
            );
        }
    }
}

fn version(machine: &Machine, out: &mut Findings) {
    let Some(version) = machine.bluez_version else {
        out.add(Level::Unknown, "bluez-version", "BlueZ's version is not known", &["bluetoothctl --version"]);
        return;
    };
    let known = hazards(version);
    if known.is_empty() {
        out.pass("bluez-version", format!("BlueZ {version}: nothing is known to go wrong with it"));
    }
    for hazard in known {
        let (what, todo) = parted(hazard);
        if hazard.ends_with("nothing to do") {
            out.pass("bluez-version", format!("BlueZ {version}: {hazard}"));
        } else {
            out.say(Level::Warn, "bluez-version", format!("BlueZ {version}: {what}"), todo);
        }
    }
}

fn speakers(bluez: &Bluez, out: &mut Findings) {
    let known: Vec<&Facts> = bluez.devices.iter().filter(|facts| facts.may_play()).collect();
    if known.is_empty() {
        out.add(
            Level::Unknown,
            "speakers",
            "no Bluetooth speaker is known here yet",
            &["Switch both to pairing, then: antiphon pair"],
        );
    }
    known.iter().for_each(|facts| speaker(facts, out));
    let sources = bluez.devices.iter().filter(|facts| facts.kind == Kind::SourceOnly && facts.connected);
    for source in sources {
        let what =
            format!("{} is connected and sends audio here: it takes a share of the air", named(source));
        out.add(Level::Warn, "source", what, &["Disconnect it while you listen."]);
    }
    let playing = known.iter().filter(|facts| facts.connected).count();
    if playing > 3 && bluez.adapters.len() == 1 {
        let what = format!("{playing} speakers are connected to one adapter: about a sixth of its air each");
        out.add(Level::Warn, "air", what, &["Use a second adapter for some of them."]);
    }
}

fn speaker(facts: &Facts, out: &mut Findings) {
    let (name, address) = (named(facts), facts.address);
    if facts.paired && facts.bonded == Some(false) {
        out.add(
            Level::Fail,
            "stale-pairing",
            format!("{name} is paired, but its key was not kept: it will be refused next time"),
            &[
                &format!("antiphon bluetooth forget {address}"),
                &format!("Switch it to pairing, then: antiphon bluetooth pair {address}"),
            ],
        );
        return;
    }
    if !facts.paired {
        out.add(
            Level::Unknown,
            "speaker",
            format!("{name} is known and not paired"),
            &[&format!("Switch it to pairing, then: antiphon bluetooth pair {address}")],
        );
        return;
    }
    if !facts.trusted {
        out.add(
            Level::Warn,
            "trust",
            format!("{name} is paired and may not come back by itself"),
            &[&format!("bluetoothctl trust {address}")],
        );
    }
    codecs(facts, &name, out);
}

fn codecs(facts: &Facts, name: &str, out: &mut Findings) {
    let state = if facts.connected { "connected" } else { "paired" };
    if facts.sinks.is_empty() {
        out.pass("speaker", format!("{name} is {state}; its codecs are known once it was connected"));
        return;
    }
    let codecs: Vec<&str> = facts.sinks.iter().map(|sink| sink.codec.as_str()).collect();
    let known = format!("{name} is {state}; codecs {}; firmware: {}", codecs.join(", "), facts.firmware);
    match facts.delay_reporting() {
        _ if !codecs.contains(&"SBC") => out.add(
            Level::Fail,
            "codecs",
            format!("{known}; it offers no SBC, which every speaker must"),
            &["Switch it off and on; update its firmware in the maker's app."],
        ),
        Some(true) => out.pass("speaker", format!("{known}; it reports its delay")),
        Some(false) => out.add(
            Level::Warn,
            "delay",
            format!("{known}; it does not report its delay, so 150 ms are assumed"),
            &["antiphon calibrate --mic pulse: finds it, by a microphone here."],
        ),
        None => out.pass("speaker", format!("{known}; whether it reports its delay is not shown here")),
    }
}

fn tried(machine: &Machine, out: &mut Findings) {
    for (name, trouble) in &machine.tried {
        match trouble {
            Ok(told) => {
                out.pass("connect", format!("{name} was connected for a moment, without trouble"));
                codecs(told, name, out);
            }
            Err(trouble) => {
                let (what, todo) = parted(&trouble.to_string());
                let level = match trouble {
                    Trouble::OutOfRange(_) => Level::Warn,
                    _ => Level::Fail,
                };
                out.say(level, "connect", what, todo);
            }
        }
    }
}
