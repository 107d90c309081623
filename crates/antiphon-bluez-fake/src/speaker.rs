//! What a scripted speaker is and does.

use std::time::Duration;

/// An error of BlueZ: name below `org.bluez.Error.`, message.
pub type Fault = (&'static str, &'static str);

/// How a speaker pairs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pairing {
    /// Without a question.
    JustWorks,
    /// It shows six digits that must be confirmed.
    Confirm(u32),
    /// It wants this PIN.
    Pin(String),
    /// It shows six digits that must be entered.
    Passkey(u32),
    /// It fails in this way.
    Fails(Fault),
}

/// When a speaker vanishes, for races.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vanishes {
    /// After an endpoint chose a configuration, before it is set.
    AfterSelect,
    /// While its transport's socket is asked for.
    AtAcquire,
}

/// How a speaker answers when a GATT characteristic is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// With these bytes.
    Bytes(Vec<u8>),
    /// With a refusal.
    Refuses,
    /// Never.
    Never,
}

impl Answer {
    /// With this text.
    pub fn text(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }
}

/// A speaker in the air of the fake.
#[derive(Debug, Clone)]
pub struct Speaker {
    /// As in `AA:BB:CC:DD:EE:01`.
    pub address: String,
    /// Its name.
    pub name: String,
    /// Class of device.
    pub class: u32,
    /// Device ID record.
    pub modalias: Option<String>,
    /// 16-bit UUIDs of its services.
    pub services: Vec<u16>,
    /// Signal strength in a scan.
    pub rssi: i16,
    /// SBC sink: the four octets; `None`: it has no SBC sink.
    pub sbc: Option<[u8; 4]>,
    /// Whether its sink reports delays.
    pub delay_reporting: bool,
    /// The delay it reports, in tenths of milliseconds, and how long after the connection.
    pub delay: Option<(u16, Duration)>,
    /// Its absolute volume.
    pub volume: Option<u16>,
    /// Its charge in percent.
    pub battery: Option<u8>,
    /// How it pairs.
    pub pairing: Pairing,
    /// Paired with every adapter from the start.
    pub paired: bool,
    /// How a connection fails; `None`: it does not.
    pub connect_fault: Option<Fault>,
    /// Whether it is on and near.
    pub in_reach: bool,
    /// When it vanishes, once.
    pub vanishes: Option<Vanishes>,
    /// How many times a transport is refused before it is granted.
    pub refuses_acquire: u32,
    /// Most bytes in one write.
    pub mtu: u16,
    /// Its Device Information service: characteristics by their 16-bit UUIDs; empty: it has no such service.
    pub information: Vec<(u16, Answer)>,
    /// Its services are read soon after the connection; else never.
    pub services_resolved: bool,
    /// Whether the key of a paired one was kept.
    pub bonded: bool,
}

impl Speaker {
    /// A usual speaker: all of SBC up to bitpool 53, reports 150 ms, just works.
    pub fn new(address: &str, name: &str) -> Self {
        Self {
            address: address.to_owned(),
            name: name.to_owned(),
            class: 0x24_0414,
            modalias: Some("bluetooth:v0057p1020d1000".into()),
            services: vec![0x110b, 0x110e, 0x1200],
            rssi: -50,
            sbc: Some([0x3f, 0xff, 2, 53]),
            delay_reporting: true,
            delay: Some((1500, Duration::from_millis(50))),
            volume: Some(64),
            battery: Some(80),
            pairing: Pairing::JustWorks,
            paired: false,
            connect_fault: None,
            in_reach: true,
            vanishes: None,
            refuses_acquire: 0,
            mtu: 672,
            information: vec![],
            services_resolved: true,
            bonded: true,
        }
    }

    /// The same, paired already.
    #[must_use]
    pub fn paired(mut self) -> Self {
        self.paired = true;
        self
    }
}
