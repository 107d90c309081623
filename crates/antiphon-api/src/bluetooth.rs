//! The schema of `antiphon bluetooth scan|list|pair|connect --json`.

use serde::{Deserialize, Serialize};

/// Number of the schema; fields are only ever added under one number.
pub const BLUETOOTH_SCHEMA: u32 = 1;

/// This machine's Bluetooth and the devices it knows.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BluetoothReport {
    /// [`BLUETOOTH_SCHEMA`].
    pub schema: u32,
    /// BlueZ's version, as in `5.66`; null where no program of it tells.
    pub bluez: Option<String>,
    /// What is known to go wrong with that version, with the remedy.
    pub hazards: Vec<String>,
    /// In the order of their names.
    pub adapters: Vec<AdapterReport>,
    /// In the order of their addresses.
    pub devices: Vec<DeviceReport>,
}

/// An adapter of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AdapterReport {
    /// As in `hci0`.
    pub name: String,
    /// As in `AA:BB:CC:DD:EE:FF`.
    pub address: Option<String>,
    /// What others see it called.
    pub alias: String,
    /// Whether it is on.
    pub powered: bool,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DeviceReport {
    /// As in `AA:BB:CC:DD:EE:FF`.
    pub address: String,
    /// Null while it has told none.
    pub name: Option<String>,
    /// The adapter that knows it.
    pub adapter: String,
    /// `speaker`, `probably_speaker`, `source_only`, `not_audio` or `unknown`.
    pub kind: String,
    /// Who made it or its chip, from its Device ID record.
    pub maker: Option<String>,
    /// Class of device.
    pub class: Option<u32>,
    /// Signal strength when last heard in a scan.
    pub rssi_dbm: Option<i16>,
    /// A key is shared with it.
    pub paired: bool,
    /// It may connect by itself.
    pub trusted: bool,
    /// It is connected.
    pub connected: bool,
    /// Its charge.
    pub battery_percent: Option<u8>,
    /// Its audio sinks; empty before its first connection.
    pub sinks: Vec<SinkReport>,
    /// By its own word; null where it told none: `firmware_note` says why.
    pub firmware: Option<String>,
    /// Why there is no `firmware`: `not exposed by this device`, or what became of reading it.
    #[serde(default)]
    pub firmware_note: Option<String>,
    /// Its model by its own word; null where it told none.
    #[serde(default)]
    pub model: Option<String>,
}

/// One codec of a device's sink.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SinkReport {
    /// `SBC`, `AAC`, `LDAC`, ...
    pub codec: String,
    /// Whether it reports its delay; null where BlueZ does not say.
    pub delay_reporting: Option<bool>,
    /// SBC's sample rates; empty for other codecs.
    pub rates_hz: Vec<u32>,
    /// SBC's smallest and largest bitpool.
    pub bitpools: Option<(u8, u8)>,
}
