//! Devices as tables, lines and JSON.

use antiphon_api::bluetooth::{AdapterReport, BLUETOOTH_SCHEMA, BluetoothReport, DeviceReport, SinkReport};
use antiphon_bluetooth::{Adapter, Facts, Kind, SinkCodec, Told, bluez_version, hazards};

use crate::columns::Columns;

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
    let heads = ["NAME", "ADDRESS", "WHAT", "SIGNAL", "STATE", "CODECS", "MAKER", "FIRMWARE"];
    let mut rows = vec![heads.map(str::to_owned)];
    rows.extend(devices.iter().map(cells));
    let (columns, mut out) = (Columns::around(&rows), String::new());
    rows.iter().for_each(|row| columns.row(&mut out, row));
    out
}

fn cells(facts: &Facts) -> [String; 8] {
    let signal = facts.rssi.map_or("-".to_owned(), |rssi| format!("{rssi} dBm"));
    let maker = facts.maker.clone().unwrap_or_else(|| "-".to_owned());
    let firmware = match &facts.firmware {
        Told::Unasked => "-".to_owned(),
        told => told.to_string(),
    };
    let (address, kind) = (facts.address.to_string(), kind(facts.kind).to_owned());
    [named(facts), address, kind, signal, state(facts), codecs(facts), maker, firmware]
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

#[cfg(test)]
mod tests {
    use super::super::name::tests::device;
    use super::*;

    #[test]
    fn long_names_and_codecs_push_no_row_out_of_line() {
        let sink = |codec: &str| SinkCodec { codec: codec.into(), delay_reporting: Some(true), sbc: None };
        let sinks = vec![sink("SBC"), sink("AAC"), sink("aptX HD")];
        let long = Facts { sinks, ..device(1, "Mi Portable Bluetooth Speaker, the left one") };
        let text = table(&[long, device(2, "JBL")]);
        let maker = text.lines().next().unwrap().find("MAKER").unwrap();
        for line in text.lines().skip(1) {
            let cells: Vec<char> = line.chars().collect();
            assert!(cells[maker] == '-' && cells[maker - 1] == ' ', "{text}");
        }
    }
}
