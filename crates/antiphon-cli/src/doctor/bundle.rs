//! The file for whoever helps.

use std::fs::OpenOptions;
use std::io::{Cursor, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use antiphon_api::{Client, json};
use antiphon_bluetooth::bluez_version;
use zip::result::ZipResult;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::judge::Finding;
use super::machine::Machine;
use super::mask::Mask;
use super::print;
use crate::bluetooth::report;
use crate::exit::Failure;

const READ_ME: &str = "What `antiphon doctor --bundle` saw of this machine.\n\n\
Names of speakers, of the machine and of its user, Bluetooth and network addresses are replaced by NAME-1,\n\
ADDRESS-1 and so on, the same one always by the same. Keys, tokens and recordings were not looked at.\n\n\
report.txt      what was found, with what helps\n\
report.json     the same for programs\n\
system.txt      the system, its programs that matter here, interfaces, switches\n\
bluetooth.json  adapters and devices, as `antiphon bluetooth list --json` tells them\n\
status.json     the hub's status, where one runs\n";

/// Writes it.
///
/// # Errors
/// The file cannot be written.
pub fn write(file: &Path, machine: &Machine, findings: &[Finding]) -> Result<(), Failure> {
    let status =
        machine.hub.as_ref().and_then(|hub| hub.parse().ok()).and_then(|hub| Client::new(hub).status().ok());
    let mut names = machine.private_names.clone();
    if let Some(Ok(bluez)) = &machine.bluez {
        names.extend(bluez.devices.iter().filter_map(|facts| facts.name.clone()));
        names.extend(bluez.adapters.iter().map(|adapter| adapter.alias.clone()));
    }
    if let Some(status) = &status {
        names.push(status.hub.name.clone());
        names.extend(status.speakers.iter().map(|speaker| speaker.name.clone()));
    }
    let mut mask = Mask::new(names);
    let mut entries = vec![
        ("README.txt", READ_ME.to_owned()),
        ("report.txt", mask.text(&print::page(findings))),
        ("report.json", mask.text(&json::write_pretty(&print::report(findings)))),
        ("system.txt", mask.text(&system(machine))),
    ];
    if let Some(Ok(bluez)) = &machine.bluez {
        let text = json::write_pretty(&report_of(bluez));
        entries.push(("bluetooth.json", mask.text(&text)));
    }
    if let Some(status) = &status {
        entries.push(("status.json", mask.text(&json::write_pretty(status))));
    }
    let bytes = zip(&entries).map_err(|error| Failure::failed(format!("cannot make the zip: {error}")))?;
    save(file, &bytes)
}

/// Stored as they are: they are some kilobytes, and any program can read them.
fn zip(entries: &[(&str, String)]) -> ZipResult<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, text) in entries {
        zip.start_file(*name, stored)?;
        zip.write_all(text.as_bytes())?;
    }
    Ok(zip.finish()?.into_inner())
}

fn report_of(bluez: &super::machine::Bluez) -> antiphon_api::bluetooth::BluetoothReport {
    report::of(&bluez.adapters, &bluez.devices)
}

/// Programs that matter here; what else runs is nobody's business.
const PROGRAMS: [&str; 14] = [
    "antiphon",
    "avahi-daemon",
    "bluealsa",
    "bluealsad",
    "bluetoothd",
    "firewalld",
    "jackd",
    "jackdbus",
    "pipewire",
    "pipewire-pulse",
    "pulseaudio",
    "snapclient",
    "snapserver",
    "wireplumber",
];

fn system(machine: &Machine) -> String {
    let running: Vec<&str> = PROGRAMS.into_iter().filter(|program| machine.runs(program)).collect();
    let version = bluez_version().map_or("unknown".to_owned(), |version| version.to_string());
    format!(
        "antiphon {}\n{}\nBlueZ {version}\nprocessors: {}\nclock source: {:?}\nreal-time priority: {}\nruns: {}\n\
         adapters of the kernel: {}\nswitches: {:#?}\ninterfaces: {:#?}\n",
        env!("CARGO_PKG_VERSION"),
        machine.system,
        machine.processors,
        machine.clock_source,
        machine.real_time,
        running.join(", "),
        machine.kernel_adapters.join(", "),
        machine.switches,
        machine.interfaces,
    )
}

/// For its owner alone: masked or not, it tells of a machine.
fn save(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file);
    opened.and_then(|mut open| open.write_all(bytes)).map_err(|error| {
        Failure::failed(format!("cannot write {}: {error}; name another place with --bundle", file.display()))
    })
}
