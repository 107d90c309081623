//! Our endpoints, which BlueZ asks what to send a speaker and tells when a stream is agreed on.
//!
//! BlueZ up to 5.82 gives one endpoint one stream, so there is a pool of them on each adapter. It
//! asks them one after the other, with the speaker's capabilities and without its name; the first
//! that answers has it. A refusal lets it go on to the next, in the end to the desktop's sound
//! server: so everything that is not ours must be refused.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use zbus::message::Header;
use zbus::{OwnedObjectPath, OwnedVariant};

use crate::bus::{Bus, property};
use crate::sbc::{SbcCapabilities, configuration, configured, select};
use crate::tree::Tree;
use crate::{Address, ChannelWish};
use antiphon_codec::sbc::SbcParams;

/// What the endpoints have to know, and whom they tell.
#[derive(Debug)]
pub(crate) struct Desk {
    pub bus: Bus,
    pub told: mpsc::Sender<Told>,
    members: Mutex<HashMap<Address, Place>>,
}

/// One member as the endpoints see it.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    wish: ChannelWish,
    capabilities: Option<SbcCapabilities>,
}

/// What BlueZ told an endpoint.
#[derive(Debug)]
pub(crate) enum Told {
    /// A stream was agreed on.
    Configured { device: String, transport: String, sbc: SbcParams },
    /// It is no more.
    Cleared { transport: String },
    /// BlueZ dropped an endpoint of this adapter.
    Released { adapter: String },
}

/// Why an endpoint does not take a stream; BlueZ goes on to the next.
#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.bluez.Error")]
pub(crate) enum Refusal {
    #[zbus(error)]
    Bus(zbus::Error),
    Rejected(String),
}

impl Desk {
    pub fn new(bus: Bus, told: mpsc::Sender<Told>) -> Self {
        Self { bus, told, members: Mutex::default() }
    }

    /// Who belongs to us from here on; what was learned of those who stay is kept.
    pub fn set_members(&self, members: impl Iterator<Item = (Address, ChannelWish)>) {
        let mut held = self.lock();
        let known = std::mem::take(&mut *held);
        *held = members
            .map(|(address, wish)| {
                let capabilities = known.get(&address).and_then(|place| place.capabilities);
                (address, Place { wish, capabilities })
            })
            .collect();
    }

    /// Remembers what a member can do: the configuration of the others depends on it.
    pub fn learn(&self, tree: &Tree) {
        for (address, place) in self.lock().iter_mut() {
            if let Some(device) = tree.find(*address) {
                place.capabilities = tree.sbc_of(&device.path).or(place.capabilities);
            }
        }
    }

    /// The member that BlueZ must mean: on this adapter, connected, without a stream, and, where
    /// that is known, with these capabilities.
    fn meant(&self, tree: &Tree, adapter: &str, asked: &SbcCapabilities) -> Option<(Address, ChannelWish)> {
        let members = self.lock();
        let mut waiting: Vec<_> = tree
            .devices()
            .into_iter()
            .filter(|device| device.adapter == adapter && device.connected)
            .filter(|device| tree.transports_of(&device.path).is_empty())
            .filter_map(|device| {
                let address = device.address?;
                let known = tree.sbc_of(&device.path);
                let place = members.get(&address)?;
                known.is_none_or(|known| known == *asked).then_some((known.is_none(), address, place.wish))
            })
            .collect();
        // A member whose capabilities are known to be these goes before one that may have others.
        waiting.sort();
        waiting.first().map(|(_, address, wish)| (*address, *wish))
    }

    /// The configuration that a member would get now; `None` while it has not told what it can do.
    pub fn would_choose(&self, address: Address) -> Option<SbcParams> {
        let place = self.lock().get(&address).copied()?;
        select(&place.capabilities?, &self.others(address), place.wish).ok()
    }

    fn others(&self, address: Address) -> Vec<SbcCapabilities> {
        let members = self.lock();
        members
            .iter()
            .filter(|(other, _)| **other != address)
            .filter_map(|(_, place)| place.capabilities)
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Address, Place>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One endpoint of the pool, an SBC source.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub desk: Arc<Desk>,
    /// The adapter's object path.
    pub adapter: String,
}

#[zbus::interface(name = "org.bluez.MediaEndpoint1")]
impl Endpoint {
    /// Which configuration a speaker of these capabilities is to get.
    async fn select_configuration(
        &self,
        #[zbus(header)] header: Header<'_>,
        capabilities: Vec<u8>,
    ) -> Result<Vec<u8>, Refusal> {
        self.only_bluez(&header).await?;
        let asked = SbcCapabilities::from_octets(&capabilities)
            .map_err(|error| Refusal::Rejected(format!("no SBC capabilities: {error}")))?;
        let tree = self.desk.bus.tree().await?;
        let (address, wish) = self
            .desk
            .meant(&tree, &self.adapter, &asked)
            .ok_or_else(|| Refusal::Rejected("not a speaker of Antiphon's".into()))?;
        let params = select(&asked, &self.desk.others(address), wish)
            .map_err(|error| Refusal::Rejected(format!("no configuration fits: {error}")))?;
        if let Some(place) = self.desk.lock().get_mut(&address) {
            place.capabilities = Some(asked);
        }
        tracing::debug!(%address, ?params, "chose a configuration");
        Ok(configuration(&params, &asked).to_vec())
    }

    /// A stream is agreed on; its transport exists from here on.
    async fn set_configuration(
        &self,
        #[zbus(header)] header: Header<'_>,
        transport: OwnedObjectPath,
        properties: HashMap<String, OwnedVariant>,
    ) -> Result<(), Refusal> {
        self.only_bluez(&header).await?;
        let device = property::<OwnedObjectPath>(&properties, "Device")
            .ok_or_else(|| Refusal::Rejected("no device".into()))?;
        let tree = self.desk.bus.tree().await?;
        let address = tree.device(device.as_str()).and_then(|device| device.address);
        if !address.is_some_and(|address| self.desk.lock().contains_key(&address)) {
            return Err(Refusal::Rejected("not a speaker of Antiphon's".into()));
        }
        let octets: Vec<u8> = property(&properties, "Configuration").unwrap_or_default();
        let sbc = configured(&octets)
            .map_err(|error| Refusal::Rejected(format!("no configuration of SBC: {error}")))?;
        let (device, transport) = (device.to_string(), transport.to_string());
        self.tell(Told::Configured { device, transport, sbc }).await
    }

    /// The stream is no more.
    async fn clear_configuration(
        &self,
        #[zbus(header)] header: Header<'_>,
        transport: OwnedObjectPath,
    ) -> Result<(), Refusal> {
        self.only_bluez(&header).await?;
        self.tell(Told::Cleared { transport: transport.to_string() }).await
    }

    /// BlueZ dropped the endpoint.
    async fn release(&self, #[zbus(header)] header: Header<'_>) -> Result<(), Refusal> {
        self.only_bluez(&header).await?;
        self.tell(Told::Released { adapter: self.adapter.clone() }).await
    }
}

impl Endpoint {
    /// On a bus without a policy anybody could call.
    async fn only_bluez(&self, header: &Header<'_>) -> Result<(), Refusal> {
        let sender = header.sender().map(|sender| zbus::names::BusName::from(sender.to_owned()));
        match self.desk.bus.is_bluez(sender.as_ref()).await {
            true => Ok(()),
            false => Err(Refusal::Rejected("only BlueZ may call this".into())),
        }
    }

    async fn tell(&self, told: Told) -> Result<(), Refusal> {
        self.desk.told.send(told).await.map_err(|_| Refusal::Rejected("Antiphon is going".into()))
    }
}
