//! Everything the fake remembers.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;

use crate::objects::{
    ADAPTER, CHARACTERISTIC, DEVICE, ENDPOINT, Held, Interfaces, MEDIA, Objects, SERVICE, Signal, path_value,
    value,
};
use crate::speaker::{Answer, Speaker};

/// One registered endpoint.
#[derive(Debug, Clone)]
pub struct Registered {
    /// Its owner's unique name; empty: the fake's own "desktop".
    pub sender: String,
    pub path: String,
    pub adapter: String,
    /// The device whose stream it has: one, as in BlueZ up to 5.82.
    pub device: Option<String>,
}

/// A stream to a speaker.
#[derive(Debug)]
pub struct Stream {
    pub transport: String,
    pub endpoint: (String, String),
    pub owner: Option<String>,
}

/// One speaker and what it is up to.
#[derive(Debug)]
pub struct InTheAir {
    pub script: Speaker,
    /// Adapters (paths) that share a key with it.
    pub bonds: BTreeSet<String>,
    pub stream: Option<Stream>,
    /// The speaker's ends of sockets, in the order of their connections, for the test.
    pub far: Vec<OwnedFd>,
    /// Ours, to close the link with.
    pub link: Option<OwnedFd>,
}

#[derive(Debug, Default)]
pub struct World {
    pub objects: Objects,
    pub adapters: BTreeMap<String, String>,
    pub speakers: BTreeMap<String, InTheAir>,
    pub endpoints: Vec<Registered>,
    pub agents: BTreeMap<String, String>,
    pub scans: BTreeMap<String, BTreeSet<String>>,
    /// Calls and what came of them, for tests.
    pub log: Vec<String>,
    pub next_stream: u32,
}

impl World {
    pub fn plug(&mut self, name: &str, powered: bool) -> Vec<Signal> {
        let path = format!("/org/bluez/{name}");
        let number = self.adapters.len() as u8;
        let own = self.adapters.entry(path.clone()).or_insert(format!("00:00:5E:00:53:{number:02X}")).clone();
        let adapter = Held::from([
            ("Address".into(), value(own)),
            ("Alias".into(), value("fake")),
            ("Powered".into(), value(powered)),
            ("Discovering".into(), value(false)),
        ]);
        let mut signals = vec![self.objects.add(&path, ADAPTER, adapter)];
        signals.push(self.objects.add(&path, MEDIA, Held::new()));
        let known: Vec<String> = self.speakers.keys().cloned().collect();
        for address in known {
            if self.speakers[&address].bonds.contains(&path) {
                signals.extend(self.show(&address, &path, false));
            }
        }
        signals
    }

    /// Shows a speaker on an adapter; `heard`: with its signal strength.
    pub fn show(&mut self, address: &str, adapter: &str, heard: bool) -> Vec<Signal> {
        let air = &self.speakers[address];
        let path = device_path(adapter, address);
        let rssi = value(air.script.rssi);
        if self.objects.has(&path, DEVICE) {
            return self.objects.set(&path, DEVICE, "RSSI", heard.then_some(rssi)).into_iter().collect();
        }
        let paired = air.bonds.contains(adapter);
        let mut held = Held::from([
            ("Address".into(), value(address)),
            ("Alias".into(), value(air.script.name.as_str())),
            ("Name".into(), value(air.script.name.as_str())),
            ("Class".into(), value(air.script.class)),
            ("Adapter".into(), path_value(adapter)),
            ("Paired".into(), value(paired)),
            ("Bonded".into(), value(paired && air.script.bonded)),
            ("Trusted".into(), value(paired)),
            ("Connected".into(), value(false)),
            ("ServicesResolved".into(), value(false)),
            ("UUIDs".into(), value(uuids(&air.script))),
        ]);
        if let Some(modalias) = &air.script.modalias {
            held.insert("Modalias".into(), value(modalias.as_str()));
        }
        if heard {
            held.insert("RSSI".into(), rssi);
        }
        vec![self.objects.add(&path, DEVICE, held)]
    }

    /// The endpoints that a connected speaker has told.
    pub fn show_endpoints(&mut self, address: &str, device: &str) -> Vec<Signal> {
        let script = &self.speakers[address].script;
        let mut told = Vec::new();
        if let Some(sbc) = script.sbc {
            told.push((0u8, sbc.to_vec(), 0x110b));
        }
        if script.services.contains(&0x110b) {
            told.push((2u8, vec![0x80, 0x01, 0x04, 0x03, 0x5b, 0x60], 0x110b));
        }
        if script.services.contains(&0x110a) {
            told.push((0u8, vec![0x3f, 0xff, 2, 53], 0x110a));
        }
        let delay_reporting = script.delay_reporting;
        let mut signals = Vec::new();
        for (number, (codec, capabilities, service)) in told.into_iter().enumerate() {
            let held = Held::from([
                ("UUID".into(), value(uuid(service))),
                ("Codec".into(), value(codec)),
                ("Capabilities".into(), value(capabilities)),
                ("Device".into(), path_value(device)),
                ("DelayReporting".into(), value(delay_reporting)),
            ]);
            signals.push(self.objects.add(&format!("{device}/sep{}", number + 1), ENDPOINT, held));
        }
        signals
    }

    /// Its Device Information service, as BlueZ shows one, and that its services are read.
    pub fn show_services(&mut self, address: &str, device: &str) -> Vec<Signal> {
        let script = self.speakers[address].script.clone();
        let mut signals = Vec::new();
        let service = format!("{device}/service0010");
        if !script.information.is_empty() {
            let held = Held::from([
                ("UUID".into(), value(uuid(0x180a))),
                ("Device".into(), path_value(device)),
                ("Primary".into(), value(true)),
            ]);
            signals.push(self.objects.add(&service, SERVICE, held));
        }
        for (number, _) in &script.information {
            let held = Held::from([
                ("UUID".into(), value(uuid(*number))),
                ("Service".into(), path_value(&service)),
                ("Flags".into(), value(vec!["read".to_owned()])),
            ]);
            signals.push(self.objects.add(&format!("{service}/char{number:04x}"), CHARACTERISTIC, held));
        }
        let resolved = Some(value(script.services_resolved));
        signals.extend(self.objects.set(device, DEVICE, "ServicesResolved", resolved));
        signals
    }

    /// How the speaker answers when this characteristic is read.
    pub fn answer(&self, characteristic: &str) -> Option<Answer> {
        let (device, _) = characteristic.split_once("/service")?;
        let number = u16::from_str_radix(characteristic.rsplit_once("/char")?.1, 16).ok()?;
        let script = &self.speakers.get(&self.speaker_at(device)?)?.script;
        script.information.iter().find(|(of, _)| *of == number).map(|(_, answer)| answer.clone())
    }

    pub fn speaker_at(&self, device: &str) -> Option<String> {
        let address = device.rsplit("dev_").next()?.replace('_', ":");
        self.speakers.contains_key(&address).then_some(address)
    }

    /// The adapter and device that a speaker is connected over.
    pub fn connected_at(&self, address: &str) -> Option<String> {
        self.adapters
            .keys()
            .map(|adapter| device_path(adapter, address))
            .find(|device| self.objects.is_true(device, DEVICE, "Connected"))
    }

    pub fn endpoint_mut(&mut self, key: &(String, String)) -> Option<&mut Registered> {
        self.endpoints.iter_mut().find(|endpoint| (&endpoint.sender, &endpoint.path) == (&key.0, &key.1))
    }

    /// Nothing of a connection is left; the object of an unpaired device stays.
    pub fn disconnected(&mut self, address: &str) -> Vec<Signal> {
        let Some(device) = self.connected_at(address) else { return vec![] };
        let Some(air) = self.speakers.get_mut(address) else { return vec![] };
        let stream = air.stream.take();
        if let Some(link) = air.link.take() {
            use std::os::fd::AsRawFd;
            let _ = nix::sys::socket::shutdown(link.as_raw_fd(), nix::sys::socket::Shutdown::Both);
        }
        let mut signals = Vec::new();
        if let Some(stream) = stream {
            if let Some(endpoint) = self.endpoint_mut(&stream.endpoint) {
                endpoint.device = None;
            }
            signals.extend(self.objects.remove(&stream.transport));
        }
        for number in 1..=4 {
            signals.extend(self.objects.remove(&format!("{device}/sep{number}")));
        }
        signals.extend(self.objects.remove(&format!("{device}/service0010")));
        for name in ["Connected", "ServicesResolved"] {
            signals.extend(self.objects.set(&device, DEVICE, name, Some(value(false))));
        }
        signals
    }
}

pub fn device_path(adapter: &str, address: &str) -> String {
    format!("{adapter}/dev_{}", address.replace(':', "_"))
}

pub fn uuid(short: u16) -> String {
    format!("0000{short:04x}-0000-1000-8000-00805f9b34fb")
}

fn uuids(script: &Speaker) -> Vec<String> {
    script.services.iter().map(|short| uuid(*short)).collect()
}

/// What a daemon that starts finds: adapters and the devices it has keys for.
pub fn initial() -> BTreeMap<String, Interfaces> {
    BTreeMap::from([(
        "/org/bluez".to_owned(),
        Interfaces::from([("org.bluez.AgentManager1".to_owned(), Held::new())]),
    )])
}
