//! The object tree that the fake shows, and the signals of its changes.

use std::collections::{BTreeMap, HashMap};

use zbus::{Connection, ObjectPath, OwnedVariant, Variant};

pub const ADAPTER: &str = "org.bluez.Adapter1";
pub const DEVICE: &str = "org.bluez.Device1";
pub const MEDIA: &str = "org.bluez.Media1";
pub const TRANSPORT: &str = "org.bluez.MediaTransport1";
pub const ENDPOINT: &str = "org.bluez.MediaEndpoint1";
pub const BATTERY: &str = "org.bluez.Battery1";
pub const SERVICE: &str = "org.bluez.GattService1";
pub const CHARACTERISTIC: &str = "org.bluez.GattCharacteristic1";
pub const MANAGER: &str = "org.freedesktop.DBus.ObjectManager";
pub const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

pub type Held = HashMap<String, OwnedVariant>;
pub type Interfaces = HashMap<String, Held>;

/// path -> interface -> properties
#[derive(Debug, Default)]
pub struct Objects {
    pub all: BTreeMap<String, Interfaces>,
}

/// A signal to send once no lock is held.
#[derive(Debug)]
pub enum Signal {
    Added(String, Interfaces),
    Removed(String, Vec<String>),
    Changed(String, String, Held, Vec<String>),
}

pub fn value<'a>(value: impl Into<Variant<'a>>) -> OwnedVariant {
    OwnedVariant::try_from(value.into()).expect("a value without file descriptors")
}

pub fn path_value(path: &str) -> OwnedVariant {
    value(ObjectPath::try_from(path.to_owned()).expect("a path of ours"))
}

impl Objects {
    pub fn add(&mut self, path: &str, interface: &str, held: Held) -> Signal {
        self.all.entry(path.to_owned()).or_default().insert(interface.to_owned(), copy(&held));
        Signal::Added(path.to_owned(), Interfaces::from([(interface.to_owned(), held)]))
    }

    /// An object with all below it.
    pub fn remove(&mut self, path: &str) -> Vec<Signal> {
        let below = format!("{path}/");
        let doomed: Vec<String> =
            self.all.keys().filter(|held| *held == path || held.starts_with(&below)).rev().cloned().collect();
        let removed = doomed.into_iter().filter_map(|path| {
            let interfaces = self.all.remove(&path)?.into_keys().collect();
            Some(Signal::Removed(path, interfaces))
        });
        removed.collect()
    }

    /// `None` withdraws the property.
    pub fn set(
        &mut self,
        path: &str,
        interface: &str,
        name: &str,
        new: Option<OwnedVariant>,
    ) -> Option<Signal> {
        let held = self.all.get_mut(path)?.get_mut(interface)?;
        match new {
            Some(new) => {
                if held.get(name) == Some(&new) {
                    return None;
                }
                let changed = Held::from([(name.to_owned(), new.try_clone().ok()?)]);
                held.insert(name.to_owned(), new);
                Some(Signal::Changed(path.to_owned(), interface.to_owned(), changed, vec![]))
            }
            None => {
                held.remove(name)?;
                Some(Signal::Changed(
                    path.to_owned(),
                    interface.to_owned(),
                    Held::new(),
                    vec![name.to_owned()],
                ))
            }
        }
    }

    pub fn is_true(&self, path: &str, interface: &str, name: &str) -> bool {
        let held = self.all.get(path).and_then(|all| all.get(interface)).and_then(|held| held.get(name));
        held.is_some_and(|held| bool::try_from(held).unwrap_or(false))
    }

    pub fn has(&self, path: &str, interface: &str) -> bool {
        self.all.get(path).is_some_and(|all| all.contains_key(interface))
    }

    pub fn managed(&self) -> HashMap<ObjectPath<'static>, Interfaces> {
        let all = self.all.iter().filter_map(|(path, interfaces)| {
            let copies = interfaces.iter().map(|(name, held)| (name.clone(), copy(held))).collect();
            Some((ObjectPath::try_from(path.clone()).ok()?, copies))
        });
        all.collect()
    }
}

pub fn copy(held: &Held) -> Held {
    held.iter().filter_map(|(name, value)| Some((name.clone(), value.try_clone().ok()?))).collect()
}

pub async fn emit(connection: &Connection, signals: impl IntoIterator<Item = Signal>) {
    for signal in signals {
        let nobody = None::<&str>;
        let _ = match signal {
            Signal::Added(path, added) => {
                let Ok(object) = ObjectPath::try_from(path.as_str()) else { continue };
                connection.emit_signal(nobody, "/", MANAGER, "InterfacesAdded", &(object, added)).await
            }
            Signal::Removed(path, gone) => {
                let Ok(object) = ObjectPath::try_from(path.as_str()) else { continue };
                connection.emit_signal(nobody, "/", MANAGER, "InterfacesRemoved", &(object, gone)).await
            }
            Signal::Changed(path, interface, changed, gone) => {
                let body = (interface, changed, gone);
                connection.emit_signal(nobody, path.as_str(), PROPERTIES, "PropertiesChanged", &body).await
            }
        };
    }
}
