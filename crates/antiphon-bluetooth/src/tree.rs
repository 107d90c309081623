//! BlueZ's objects as last told: adapters, devices, their endpoints, and transports.

use std::collections::{BTreeMap, HashMap};

use zbus::{Message, OwnedObjectPath, OwnedVariant};

use crate::Address;
use crate::bus::{ADAPTER, BATTERY, CHARACTERISTIC, DEVICE, ENDPOINT, MEDIA, SERVICE, TRANSPORT, property};
use crate::gatt::DEVICE_INFORMATION;
use crate::sbc::SbcCapabilities;
use crate::trouble::Who;

type Interfaces = HashMap<String, HashMap<String, OwnedVariant>>;

/// A mirror of BlueZ's object tree.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    objects: BTreeMap<String, Interfaces>,
}

/// A Bluetooth adapter of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Adapter {
    /// As in `hci0`.
    pub name: String,
    /// Its own address.
    pub address: Option<Address>,
    /// What others see it called.
    pub alias: String,
    /// Whether it is on.
    pub powered: bool,
    /// Whether somebody scans with it.
    pub discovering: bool,
    /// It offers audio: a BlueZ without its A2DP plugin does not.
    pub has_media: bool,
    /// It can tell when its radio is done with a packet: an older BlueZ would take that for an error of the link.
    pub tells_sent: bool,
    pub(crate) path: String,
}

/// A device as BlueZ knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Device {
    pub path: String,
    pub adapter: String,
    pub address: Option<Address>,
    pub name: Option<String>,
    pub class: Option<u32>,
    pub modalias: Option<String>,
    pub uuids: Vec<String>,
    pub rssi: Option<i16>,
    pub paired: bool,
    pub bonded: Option<bool>,
    pub trusted: bool,
    pub connected: bool,
    /// Its services have been read since it was connected; `None`: this BlueZ does not say.
    pub services_resolved: Option<bool>,
    pub battery: Option<u8>,
}

/// A GATT characteristic of a device's Device Information service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Characteristic {
    pub path: String,
    /// The 16 bits of its UUID.
    pub number: u16,
    pub readable: bool,
}

/// An endpoint of a device, `/org/bluez/hciN/dev_X/sepM`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RemoteEndpoint {
    pub uuid: String,
    pub codec: u8,
    pub vendor: Option<u32>,
    pub capabilities: Vec<u8>,
    pub delay_reporting: Option<bool>,
}

/// A stream's transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transport {
    pub path: String,
    pub device: String,
    pub state: String,
    pub delay: Option<u16>,
    pub volume: Option<u16>,
}

/// What a signal changed: the object, its interface, and which properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    Added(String),
    Removed { path: String, interfaces: Vec<String> },
    Properties { path: String, interface: String, names: Vec<String> },
}

impl Device {
    /// Whether it has told an audio sink.
    pub fn plays(&self) -> bool {
        self.uuids.iter().any(|uuid| is_uuid(uuid, AUDIO_SINK))
    }
}

impl Tree {
    pub fn new(objects: HashMap<OwnedObjectPath, Interfaces>) -> Self {
        Self { objects: objects.into_iter().map(|(path, held)| (path.to_string(), held)).collect() }
    }

    /// Takes a signal of BlueZ over; `None` for one that concerns no object.
    pub fn apply(&mut self, signal: &Message) -> Option<Change> {
        let header = signal.header();
        let body = signal.body();
        match header.member()?.as_str() {
            "InterfacesAdded" => {
                let (path, added): (OwnedObjectPath, Interfaces) = body.deserialize().ok()?;
                self.objects.entry(path.to_string()).or_default().extend(added);
                Some(Change::Added(path.to_string()))
            }
            "InterfacesRemoved" => {
                let (path, interfaces): (OwnedObjectPath, Vec<String>) = body.deserialize().ok()?;
                self.remove(path.as_str(), &interfaces);
                Some(Change::Removed { path: path.to_string(), interfaces })
            }
            "PropertiesChanged" => {
                let path = header.path()?.to_string();
                let (interface, changed, gone): (String, HashMap<String, OwnedVariant>, Vec<String>) =
                    body.deserialize().ok()?;
                let held = self.objects.get_mut(&path)?.get_mut(&interface)?;
                gone.iter().for_each(|name| drop(held.remove(name)));
                let names = changed.keys().cloned().chain(gone).collect();
                held.extend(changed);
                Some(Change::Properties { path, interface, names })
            }
            _ => None,
        }
    }

    fn remove(&mut self, path: &str, interfaces: &[String]) {
        let Some(held) = self.objects.get_mut(path) else { return };
        interfaces.iter().for_each(|interface| drop(held.remove(interface)));
        if held.is_empty() {
            self.objects.remove(path);
        }
    }

    /// In the order of their names.
    pub fn adapters(&self) -> Vec<Adapter> {
        self.with(ADAPTER).map(|(path, held)| adapter(path, held, &self.objects[path])).collect()
    }

    pub fn adapter(&self, path: &str) -> Option<Adapter> {
        self.adapters().into_iter().find(|adapter| adapter.path == path)
    }

    pub fn devices(&self) -> Vec<Device> {
        self.with(DEVICE).map(|(path, held)| device(path, held, &self.objects[path])).collect()
    }

    pub fn device(&self, path: &str) -> Option<Device> {
        let interfaces = self.objects.get(path)?;
        Some(device(path, interfaces.get(DEVICE)?, interfaces))
    }

    /// The same speaker may be known to several adapters: the connected one first, then the one
    /// that it is paired with, then one that is on.
    pub fn find(&self, address: Address) -> Option<Device> {
        let mut known = self.known(address);
        known.sort_by_key(|device| {
            let powered = self.adapter(&device.adapter).is_some_and(|adapter| adapter.powered);
            std::cmp::Reverse((device.connected, device.paired, powered))
        });
        known.into_iter().next()
    }

    pub fn known(&self, address: Address) -> Vec<Device> {
        self.devices().into_iter().filter(|device| device.address == Some(address)).collect()
    }

    pub fn who(&self, address: Address) -> Who {
        Who { address, name: self.find(address).and_then(|device| device.name) }
    }

    pub fn endpoints_of(&self, device: &str) -> Vec<RemoteEndpoint> {
        let prefix = format!("{device}/");
        self.with(ENDPOINT)
            .filter(|(path, _)| path.starts_with(&prefix))
            .map(|(_, held)| RemoteEndpoint {
                uuid: property(held, "UUID").unwrap_or_default(),
                codec: property(held, "Codec").unwrap_or_default(),
                vendor: property(held, "Vendor"),
                capabilities: property(held, "Capabilities").unwrap_or_default(),
                delay_reporting: property(held, "DelayReporting"),
            })
            .collect()
    }

    /// What a device's Device Information service has to read.
    pub fn information_of(&self, device: &str) -> Vec<Characteristic> {
        let prefix = format!("{device}/");
        let of_service = |held: &HashMap<String, OwnedVariant>| {
            let service: Option<OwnedObjectPath> = property(held, "Service");
            let service = service.and_then(|path| self.objects.get(path.as_str())?.get(SERVICE));
            service.is_some_and(|held| uuid_of(held) == Some(DEVICE_INFORMATION))
        };
        let within =
            self.with(CHARACTERISTIC).filter(|(path, held)| path.starts_with(&prefix) && of_service(held));
        let read = |(path, held): (&str, &HashMap<String, OwnedVariant>)| {
            let flags: Vec<String> = property(held, "Flags").unwrap_or_default();
            let readable = flags.iter().any(|flag| flag == "read");
            Some(Characteristic { path: path.to_owned(), number: uuid_of(held)?, readable })
        };
        within.filter_map(read).collect()
    }

    /// What a speaker's SBC sink can do, where BlueZ shows it.
    pub fn sbc_of(&self, device: &str) -> Option<SbcCapabilities> {
        let mut seps = self.endpoints_of(device).into_iter();
        let sep = seps.find(|sep| sep.codec == 0 && is_uuid(&sep.uuid, AUDIO_SINK))?;
        SbcCapabilities::from_octets(&sep.capabilities).ok()
    }

    pub fn transport(&self, path: &str) -> Option<Transport> {
        let held = self.objects.get(path)?.get(TRANSPORT)?;
        Some(transport(path, held))
    }

    pub fn transports_of(&self, device: &str) -> Vec<Transport> {
        self.with(TRANSPORT)
            .map(|(path, held)| transport(path, held))
            .filter(|transport| transport.device == device)
            .collect()
    }

    fn with<'a>(
        &'a self,
        interface: &'static str,
    ) -> impl Iterator<Item = (&'a str, &'a HashMap<String, OwnedVariant>)> {
        self.objects
            .iter()
            .filter_map(move |(path, held)| held.get(interface).map(|held| (path.as_str(), held)))
    }
}

pub(crate) const AUDIO_SOURCE: u16 = 0x110a;
pub(crate) const AUDIO_SINK: u16 = 0x110b;
/// The UUID of the standard's profiles, for the 16 bits that differ.
pub(crate) fn uuid(short: u16) -> String {
    format!("0000{short:04x}-0000-1000-8000-00805f9b34fb")
}

pub(crate) fn is_uuid(text: &str, short: u16) -> bool {
    text.eq_ignore_ascii_case(&uuid(short))
}

/// The 16 bits of a standard's UUID.
fn uuid_of(held: &HashMap<String, OwnedVariant>) -> Option<u16> {
    let text: String = property(held, "UUID")?;
    let short = u16::from_str_radix(text.get(4..8)?, 16).ok()?;
    is_uuid(&text, short).then_some(short)
}

fn adapter(path: &str, held: &HashMap<String, OwnedVariant>, all: &Interfaces) -> Adapter {
    Adapter {
        name: path.rsplit('/').next().unwrap_or(path).to_owned(),
        address: address(held),
        alias: property(held, "Alias").unwrap_or_default(),
        powered: property(held, "Powered").unwrap_or(false),
        discovering: property(held, "Discovering").unwrap_or(false),
        path: path.to_owned(),
        has_media: all.contains_key(MEDIA),
        tells_sent: all.get(MEDIA).is_some_and(|held| has_feature(held, "tx-timestamping")),
    }
}

fn has_feature(media: &HashMap<String, OwnedVariant>, feature: &str) -> bool {
    property::<Vec<String>>(media, "SupportedFeatures")
        .is_some_and(|held| held.iter().any(|one| one == feature))
}

fn device(path: &str, held: &HashMap<String, OwnedVariant>, all: &Interfaces) -> Device {
    Device {
        path: path.to_owned(),
        adapter: property::<OwnedObjectPath>(held, "Adapter")
            .map(|path| path.to_string())
            .unwrap_or_default(),
        address: address(held),
        name: property::<String>(held, "Alias")
            .or_else(|| property(held, "Name"))
            .filter(|name| !is_address(name)),
        class: property(held, "Class"),
        modalias: property(held, "Modalias"),
        uuids: property(held, "UUIDs").unwrap_or_default(),
        rssi: property(held, "RSSI"),
        paired: property(held, "Paired").unwrap_or(false),
        bonded: property(held, "Bonded"),
        trusted: property(held, "Trusted").unwrap_or(false),
        connected: property(held, "Connected").unwrap_or(false),
        services_resolved: property(held, "ServicesResolved"),
        battery: all.get(BATTERY).and_then(|held| property(held, "Percentage")),
    }
}

fn transport(path: &str, held: &HashMap<String, OwnedVariant>) -> Transport {
    Transport {
        path: path.to_owned(),
        device: property::<OwnedObjectPath>(held, "Device").map(|path| path.to_string()).unwrap_or_default(),
        state: property(held, "State").unwrap_or_default(),
        delay: property(held, "Delay"),
        volume: property(held, "Volume"),
    }
}

fn address(held: &HashMap<String, OwnedVariant>) -> Option<Address> {
    property::<String>(held, "Address")?.parse().ok()
}

/// BlueZ gives a device that has not told its name its address as one.
fn is_address(name: &str) -> bool {
    name.parse::<Address>().is_ok()
}
