//! A connection to the system bus and BlueZ's objects on it.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use serde::Serialize;
use zbus::message::Type;
use zbus::names::BusName;
use zbus::{Connection, DynamicType, MatchRule, Message, MessageStream, OwnedVariant, Variant};

use crate::tree::Tree;
use crate::trouble::{Trouble, about_bus};

pub(crate) const BLUEZ: &str = "org.bluez";
pub(crate) const ADAPTER: &str = "org.bluez.Adapter1";
pub(crate) const DEVICE: &str = "org.bluez.Device1";
pub(crate) const MEDIA: &str = "org.bluez.Media1";
pub(crate) const TRANSPORT: &str = "org.bluez.MediaTransport1";
pub(crate) const ENDPOINT: &str = "org.bluez.MediaEndpoint1";
pub(crate) const BATTERY: &str = "org.bluez.Battery1";
pub(crate) const SERVICE: &str = "org.bluez.GattService1";
pub(crate) const CHARACTERISTIC: &str = "org.bluez.GattCharacteristic1";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const OBJECT_MANAGER: &str = "org.freedesktop.DBus.ObjectManager";

/// More than BlueZ tells in the moments that a reader is busy; the bus waits beyond.
const SIGNALS: usize = 512;

/// Longer than any call takes, a pairing with a slow person included: only a bus that loses a
/// reply gets here.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);

/// systemd starts the service in well under a second where it can.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Above all objects of ours.
const ROOT: &str = "/io/antiphon/bluetooth";

/// Properties in a call.
pub(crate) type Properties<'a> = HashMap<&'a str, Variant<'a>>;

/// What stands at [`ROOT`].
struct Root;

#[zbus::interface(name = "io.antiphon.Bluetooth1")]
impl Root {
    /// This program's version.
    #[zbus(property(emits_changed_signal = "const"))]
    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }
}

/// A connection of its own: what is registered through it dies with it.
#[derive(Debug, Clone)]
pub(crate) struct Bus {
    pub connection: Connection,
}

impl Bus {
    /// Connects to the bus at `address`; `None`: the system's, which `DBUS_SYSTEM_BUS_ADDRESS` may
    /// name.
    pub async fn connect(address: Option<&str>) -> Result<Self, Trouble> {
        let builder = match address {
            Some(address) => zbus::connection::Builder::address(address),
            None => zbus::connection::Builder::system(),
        };
        // With an object from the beginning the connection is answering calls when it is made; objects that
        // come later would start that on the side, and BlueZ's first question could be lost.
        let builder = builder.method_timeout(CALL_TIMEOUT).serve_at(ROOT, Root);
        let connection = builder.build().await.map_err(|error| about_bus_itself(&error))?;
        Ok(Self { connection })
    }

    /// Calls a method of BlueZ.
    pub async fn call<B>(&self, path: &str, interface: &str, method: &str, body: &B) -> zbus::Result<Message>
    where
        B: Serialize + DynamicType,
    {
        self.connection.call_method(Some(BLUEZ), path, Some(interface), method, body).await
    }

    /// Sets a property.
    pub async fn set(
        &self,
        path: &str,
        interface: &str,
        name: &str,
        value: impl Into<Variant<'_>>,
    ) -> zbus::Result<()> {
        self.call(path, PROPERTIES, "Set", &(interface, name, value.into())).await.map(|_| ())
    }

    /// All of BlueZ's objects.
    pub async fn tree(&self) -> zbus::Result<Tree> {
        let reply = self.call("/", OBJECT_MANAGER, "GetManagedObjects", &()).await?;
        Ok(Tree::new(reply.body().deserialize()?))
    }

    /// All of BlueZ's objects, or why there are none.
    pub async fn look(&self) -> Result<Tree, Trouble> {
        if self.bluez_owner().await.is_none() && !self.start_bluez().await {
            return Err(Trouble::NoBluez);
        }
        self.tree().await.map_err(|error| about_bus(&error))
    }

    /// Has the bus start BlueZ where it may; a unit that is enabled and stopped can be.
    pub async fn start_bluez(&self) -> bool {
        let bus = "org.freedesktop.DBus";
        let body = (BLUEZ, 0u32);
        let asked = self.connection.call_method(
            Some(bus),
            "/org/freedesktop/DBus",
            Some(bus),
            "StartServiceByName",
            &body,
        );
        tokio::time::timeout(START_TIMEOUT, asked).await.is_ok_and(|started| started.is_ok())
            && self.bluez_owner().await.is_some()
    }

    /// What BlueZ tells unasked; other senders' signals may be among them.
    pub async fn signals(&self) -> zbus::Result<MessageStream> {
        let rule = MatchRule::builder().msg_type(Type::Signal).sender(BLUEZ).build()?;
        MessageStream::for_match_rule(rule, &self.connection, NonZeroUsize::new(SIGNALS)).await
    }

    /// BlueZ coming and going.
    pub async fn owners(&self) -> zbus::Result<MessageStream> {
        let rule = MatchRule::builder()
            .msg_type(Type::Signal)
            .sender("org.freedesktop.DBus")
            .member("NameOwnerChanged")
            .add_arg(BLUEZ)
            .build()?;
        MessageStream::for_match_rule(rule, &self.connection, NonZeroUsize::new(SIGNALS)).await
    }

    /// The unique name behind `org.bluez`.
    pub async fn bluez_owner(&self) -> Option<String> {
        let bus = "org.freedesktop.DBus";
        let reply = self
            .connection
            .call_method(Some(bus), "/org/freedesktop/DBus", Some(bus), "GetNameOwner", &BLUEZ)
            .await;
        reply.ok()?.body().deserialize().ok()
    }

    /// Whether `sender` is BlueZ: nobody else may tell an endpoint or an agent anything.
    pub async fn is_bluez(&self, sender: Option<&BusName<'_>>) -> bool {
        let owner = self.bluez_owner().await;
        owner.is_some() && owner.as_deref() == sender.map(BusName::as_str)
    }
}

fn about_bus_itself(error: &zbus::Error) -> Trouble {
    match error {
        zbus::Error::Handshake(why) => Trouble::NoPermission(why.clone()),
        zbus::Error::Connection(why, _) => Trouble::NoBus(why.to_string()),
        other => Trouble::NoBus(other.to_string()),
    }
}

/// One property out of many; `None` where it is absent or of another type.
pub(crate) fn property<T: TryFrom<OwnedVariant>>(
    properties: &HashMap<String, OwnedVariant>,
    name: &str,
) -> Option<T> {
    properties.get(name)?.try_clone().ok()?.try_into().ok()
}
