//! Pairing, connecting, disconnecting and forgetting one speaker.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use zbus::ObjectPath;

use crate::adapters::{emptiest, named, power, ready};
use crate::agent::{AGENT_PATH, Agent, Asked, PairingAgent};
use crate::bus::{ADAPTER, Bus, DEVICE};
use crate::endpoint::Desk;
use crate::facts::{Facts, why_no_sink};
use crate::gatt;
use crate::serve::{attempt, pool::Pool};
use crate::tree::{Adapter, Device, Tree};
use crate::trouble::{Doing, Trouble, about_bus, about_device, words};
use crate::{Address, Bluetooth, ChannelWish};

/// Where a pairing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Switching the adapter on.
    Power,
    /// It is not known yet: scanning for it.
    Search,
    /// Exchanging keys.
    Pair,
    /// Letting it connect by itself from here on.
    Trust,
    /// Opening its audio.
    Connect,
}

/// An inquiry lasts 10.24 s, and a speaker may miss one.
const SEARCH_TIME: Duration = Duration::from_secs(25);

/// BlueZ gives a person 60 s to answer and the speaker 30 s around that.
const PAIR_TIMEOUT: Duration = Duration::from_secs(100);

/// Heard by one adapter, a speaker is soon heard by the others, if they can; the one with the fewest speakers is
/// waited for so long.
const ELSEWHERE: Duration = Duration::from_secs(3);

/// After a connection BlueZ reads the speaker's endpoints and services.
const SETTLE_TIME: Duration = Duration::from_secs(3);

impl Bluetooth {
    /// Finds a speaker, pairs it, trusts it and connects it, one after the other. One that is
    /// paired already is only trusted and connected.
    ///
    /// # Errors
    /// What is the matter; a stale bond is named and left as it is.
    pub fn pair(
        &self,
        address: Address,
        adapter: Option<&str>,
        person: Box<dyn PairingAgent>,
        progress: &mut dyn FnMut(Step),
    ) -> Result<Facts, Trouble> {
        self.wait(async {
            let bus = self.own_bus().await?;
            let device = find(&bus, address, adapter, &self.rfkill, progress).await?;
            if !device.paired {
                progress(Step::Pair);
                exchange_keys(&bus, &device, address, person).await?;
            }
            progress(Step::Trust);
            let who = bus.look().await?.who(address);
            let trusted = bus.set(&device.path, DEVICE, "Trusted", true).await;
            trusted.map_err(|error| about_device(&error, Doing::Pairing, &who))?;
            progress(Step::Connect);
            let connected = connect(&bus, address, &self.rfkill).await;
            let _ = bus.connection.close().await;
            connected
        })
    }

    /// Connects a paired speaker and tells what it is. Where no other sound server takes its
    /// stream, ours holds it for this call, so that the speaker tells its codecs.
    ///
    /// # Errors
    /// What is the matter.
    pub fn connect_device(&self, address: Address) -> Result<Facts, Trouble> {
        self.wait(async {
            let bus = self.own_bus().await?;
            let connected = connect(&bus, address, &self.rfkill).await;
            let _ = bus.connection.close().await;
            connected
        })
    }

    /// Disconnects a device; one that is not connected is left as it is.
    ///
    /// # Errors
    /// A device that is not known; what BlueZ says.
    pub fn disconnect(&self, address: Address) -> Result<(), Trouble> {
        self.wait(async {
            let tree = self.bus.look().await?;
            let who = tree.who(address);
            let device = tree.find(address).ok_or_else(|| Trouble::Unknown(who.clone()))?;
            if !device.connected {
                return Ok(());
            }
            match self.bus.call(&device.path, DEVICE, "Disconnect", &()).await {
                Err(error) if !words(&error).0.ends_with("NotConnected") => {
                    Err(about_device(&error, Doing::Connecting, &who))
                }
                _ => Ok(()),
            }
        })
    }

    /// Removes a device and its key from every adapter; it must be paired anew.
    ///
    /// # Errors
    /// A device that is not known; what BlueZ says.
    pub fn forget(&self, address: Address) -> Result<(), Trouble> {
        self.wait(async {
            let tree = self.bus.look().await?;
            let who = tree.who(address);
            let known = tree.known(address);
            if known.is_empty() {
                return Err(Trouble::Unknown(who));
            }
            for device in known {
                let path = ObjectPath::try_from(device.path.as_str())
                    .map_err(|error| about_device(&error, Doing::Connecting, &who))?;
                let removed = self.bus.call(&device.adapter, ADAPTER, "RemoveDevice", &path).await;
                removed.map_err(|error| about_device(&error, Doing::Connecting, &who))?;
            }
            Ok(())
        })
    }
}

/// The device object to pair: on the adapter that has its key, else on the emptiest that hears it.
async fn find(
    bus: &Bus,
    address: Address,
    adapter: Option<&str>,
    rfkill: &Path,
    progress: &mut dyn FnMut(Step),
) -> Result<Device, Trouble> {
    let mut tree = bus.look().await?;
    let adapters = switched_on(bus, named(&tree, adapter)?, rfkill, progress).await?;
    if let Some(device) = among(&tree, address, &adapters, true) {
        return Ok(device);
    }
    progress(Step::Search);
    let paths: Vec<_> = adapters.iter().map(|adapter| adapter.path.clone()).collect();
    let best = emptiest(&tree, &paths).map(|adapter| adapter.name);
    let mut heard = None;
    let mut until = |facts: &Facts| {
        if facts.address != address || facts.rssi.is_none() {
            return ControlFlow::Continue(());
        }
        let since = *heard.get_or_insert_with(Instant::now);
        let here = best.as_ref().is_none_or(|best| *best == facts.adapter);
        if here || since.elapsed() > ELSEWHERE { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    crate::scan::discover(bus, tree, &adapters, SEARCH_TIME, &mut until).await?;
    tree = bus.look().await?;
    let who = tree.who(address);
    among(&tree, address, &adapters, false).ok_or(Trouble::Unknown(who))
}

/// All of `adapters` that can be on, on.
async fn switched_on(
    bus: &Bus,
    adapters: Vec<Adapter>,
    rfkill: &Path,
    progress: &mut dyn FnMut(Step),
) -> Result<Vec<Adapter>, Trouble> {
    let mut on = Vec::new();
    let mut last = Trouble::NoAdapter;
    for mut adapter in adapters {
        if !adapter.powered {
            progress(Step::Power);
        }
        match power(bus, &adapter, rfkill).await {
            Ok(()) => {
                adapter.powered = true;
                on.push(adapter);
            }
            Err(trouble) => last = trouble,
        }
    }
    if on.is_empty() { Err(last) } else { Ok(on) }
}

/// The device on one of `adapters`; `sure`: only where it is paired.
fn among(tree: &Tree, address: Address, adapters: &[Adapter], sure: bool) -> Option<Device> {
    let here = |device: &Device| adapters.iter().any(|adapter| adapter.path == device.adapter);
    let known: Vec<_> = tree.known(address).into_iter().filter(here).collect();
    if let Some(paired) = known.iter().find(|device| device.paired) {
        return Some(paired.clone());
    }
    if sure {
        return None;
    }
    let heard: Vec<_> = known.iter().map(|device| device.adapter.clone()).collect();
    let best = emptiest(tree, &heard)?;
    known.into_iter().find(|device| device.adapter == best.path)
}

/// Our agent answers while the keys are exchanged, and only about this device.
async fn exchange_keys(
    bus: &Bus,
    device: &Device,
    address: Address,
    person: Box<dyn PairingAgent>,
) -> Result<(), Trouble> {
    let who = crate::Who { address, name: device.name.clone() };
    let asked = Arc::new(Mutex::new(Asked::default()));
    let agent = Agent {
        device: device.path.clone(),
        who: who.clone(),
        person: Arc::new(Mutex::new(person)),
        asked: Arc::clone(&asked),
    };
    let place = ObjectPath::try_from(AGENT_PATH).map_err(|error| about_bus(&error))?;
    let served = bus.connection.object_server().at(AGENT_PATH, agent).await;
    served.map_err(|error| about_bus(&error))?;
    let manager = "org.bluez.AgentManager1";
    let registered = bus.call("/org/bluez", manager, "RegisterAgent", &(&place, "KeyboardDisplay")).await;
    registered.map_err(|error| about_bus(&error))?;
    let paired = tokio::time::timeout(PAIR_TIMEOUT, bus.call(&device.path, DEVICE, "Pair", &())).await;
    if paired.is_err() {
        let _ = bus.call(&device.path, DEVICE, "CancelPairing", &()).await;
    }
    let _ = bus.call("/org/bluez", manager, "UnregisterAgent", &place).await;
    let _ = bus.connection.object_server().remove::<Agent, _>(AGENT_PATH).await;
    let asked = *asked.lock().unwrap_or_else(PoisonError::into_inner);
    match paired {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) if words(&error).0.ends_with("AlreadyExists") => Ok(()),
        Ok(Err(error)) => Err(why_not_paired(about_device(&error, Doing::Pairing, &who), asked)),
        Err(_) => Err(Trouble::PairingTimeout(who)),
    }
}

/// What BlueZ calls failed authentication is a wrong PIN only where there was a PIN.
fn why_not_paired(trouble: Trouble, asked: Asked) -> Trouble {
    match trouble {
        Trouble::WrongPin(who) | Trouble::PairingRejected(who) if asked.unanswered => Trouble::PinWanted(who),
        Trouble::WrongPin(who) if !asked.secret => Trouble::PairingRejected(who),
        other => other,
    }
}

/// Connects with endpoints of ours behind the others', so that a machine without a sound server
/// has one to connect to.
async fn connect(bus: &Bus, address: Address, rfkill: &Path) -> Result<Facts, Trouble> {
    let tree = bus.look().await?;
    let who = tree.who(address);
    let device = tree.find(address).ok_or_else(|| Trouble::Unknown(who.clone()))?;
    let adapter = tree.adapter(&device.adapter).ok_or(Trouble::NoAdapter)?;
    ready(&adapter, rfkill)?;
    if !device.paired {
        return Err(Trouble::NotPaired(who));
    }
    let (tell, mut told) = mpsc::channel(16);
    let desk = Arc::new(Desk::new(bus.clone(), tell));
    desk.set_members(std::iter::once((address, ChannelWish::Mono)));
    let mut pool = Pool::default();
    pool.fill(bus, &desk, &adapter.path, 1).await.map_err(|error| about_bus(&error))?;
    let drain = tokio::spawn(async move { while told.recv().await.is_some() {} });
    let connected = attempt::connect(bus, &device.path, false).await;
    let facts = match connected {
        Ok(()) => settled(bus, address).await,
        Err(error) => Err(about_device(&error, Doing::Connecting, &who)),
    };
    pool.drain(bus).await;
    drain.abort();
    facts
}

/// What the speaker is, once its endpoints are read.
async fn settled(bus: &Bus, address: Address) -> Result<Facts, Trouble> {
    let until = Instant::now() + SETTLE_TIME;
    loop {
        let tree = bus.look().await?;
        let who = tree.who(address);
        let device = tree.find(address).ok_or_else(|| Trouble::Unknown(who.clone()))?;
        let endpoints = tree.endpoints_of(&device.path);
        if let Some(trouble) = why_no_sink(&device, &endpoints, &who) {
            return Err(trouble);
        }
        let late = Instant::now() > until;
        if (!endpoints.is_empty() && device.services_resolved != Some(false)) || late {
            let mut facts = Facts::of(&device, &tree).ok_or(Trouble::Unknown(who))?;
            gatt::ask(bus, &tree, device, &mut facts).await;
            return Ok(facts);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
