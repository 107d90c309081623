//! Devices as tables, lines and JSON.

use std::fmt::Write;

use antiphon_api::bluetooth::{AdapterReport, BLUETOOTH_SCHEMA, BluetoothReport, DeviceReport, SinkReport};
use antiphon_bluetooth::{Adapter, Facts, Kind, SinkCodec, Told, bluez_version, hazards};

const WIDTHS: [usize; 7] = [24, 19, 10, 8, 22, 16, 28];

/// One device, as it is heard.
pub fn heard(facts: &Facts) -> String {
    let rssi = facts.rssi.map(|rssi| format!(", {rssi} dBm")).unwrap_or_default();
    format!("  {}  {} ({}{rssi})", facts.address, named(facts), kind(facts.kind))
}

/// All of them.
pub fn table(devices: &[Facts]) -> String {
    if devices.is_empty() {
        return "No Bluetooth speaker. Switch one to pairing, then: antiphon bluetooth scan\n".to_owned();
    }
    let mut out = String::new();
    row(&mut out, &["NAME", "ADDRESS", "WHAT", "SIGNAL", "STATE", "CODECS", "MAKER", "FIRMWARE"]);
    for facts in devices {
        let signal = facts.rssi.map_or("-".to_owned(), |rssi| format!("{rssi} dBm"));
        let (name, address, state) = (named(facts), facts.address.to_string(), state(facts));
        let maker = facts.maker.as_deref().unwrap_or("-");
        let firmware = match &facts.firmware {
            Told::Unasked => "-".to_owned(),
            told => told.to_string(),
        };
        let cells: [&str; 8] =
            [&name, &address, kind(facts.kind), &signal, &state, &codecs(facts), maker, &firmware];
        row(&mut out, &cells);
    }
    out
}

/// The report for programs.
pub fn of(adapters: &[Adapter], devices: &[Facts]) -> BluetoothReport {
    let version = bluez_version();
    BluetoothReport {
        schema: BLUETOOTH_SCHEMA,
        bluez: version.map(|version| version.to_string()),
        hazards: version.map(hazards).unwrap_or_default().into_iter().map(str::to_owned).collect(),
        adapters: adapters.iter().map(adapter).collect(),
        devices: devices.iter().map(device).collect(),
    }
}

fn row(out: &mut String, cells: &[&str]) {
    for (at, cell) in cells.iter().enumerate() {
        let width = WIDTHS.get(at).copied().unwrap_or(0);
        let gap = if cell.chars().count() >= width && width > 0 { " " } else { "" };
        let _ = write!(out, "{cell:<width$}{gap}");
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
}

/// A name comes from the air: nothing in it may steer the terminal.
pub fn named(facts: &Facts) -> String {
    printable(facts.name.as_deref().unwrap_or("-"))
}

/// Without anything that steers a terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

fn state(facts: &Facts) -> String {
    let held = match (facts.connected, facts.paired) {
        (true, _) => "connected",
        (false, true) => "paired",
        (false, false) => "new",
    };
    facts.battery.map_or(held.to_owned(), |percent| format!("{held}, battery {percent} %"))
}

fn codecs(facts: &Facts) -> String {
    if facts.sinks.is_empty() {
        return "-".to_owned();
    }
    let names: Vec<&str> = facts.sinks.iter().map(|sink| sink.codec.as_str()).collect();
    let delay = if facts.delay_reporting() == Some(true) { ", tells delay" } else { "" };
    format!("{}{delay}", names.join(" "))
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Speaker => "speaker",
        Kind::ProbablySpeaker => "speaker?",
        Kind::SourceOnly => "source",
        Kind::NotAudio => "no audio",
        Kind::Unknown => "unknown",
    }
}

fn adapter(adapter: &Adapter) -> AdapterReport {
    AdapterReport {
        name: adapter.name.clone(),
        address: adapter.address.map(|address| address.to_string()),
        alias: adapter.alias.clone(),
        powered: adapter.powered,
    }
}

fn device(facts: &Facts) -> DeviceReport {
    let kind = match facts.kind {
        Kind::Speaker => "speaker",
        Kind::ProbablySpeaker => "probably_speaker",
        Kind::SourceOnly => "source_only",
        Kind::NotAudio => "not_audio",
        Kind::Unknown => "unknown",
    };
    DeviceReport {
        address: facts.address.to_string(),
        name: facts.name.clone(),
        adapter: facts.adapter.clone(),
        kind: kind.to_owned(),
        maker: facts.maker.clone(),
        class: facts.class,
        rssi_dbm: facts.rssi,
        paired: facts.paired,
        trusted: facts.trusted,
        connected: facts.connected,
        battery_percent: facts.battery,
        sinks: facts.sinks.iter().map(sink).collect(),
        firmware: facts.firmware.said().map(str::to_owned),
        firmware_note: facts.firmware.said().is_none().then(|| facts.firmware.to_string()),
        model: facts.model.clone(),
    }
}

fn sink(sink: &SinkCodec) -> SinkReport {
    SinkReport {
        codec: sink.codec.clone(),
        delay_reporting: sink.delay_reporting,
        rates_hz: sink.sbc.iter().flat_map(|sbc| sbc.rates().collect::<Vec<_>>()).collect(),
        bitpools: sink.sbc.map(|sbc| sbc.bitpools()),
    }
}
