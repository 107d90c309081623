//! Looking for speakers.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use zbus::{MessageStream, Variant};

use crate::adapters::named;
use crate::bus::{ADAPTER, Bus, Properties};
use crate::facts::Facts;
use crate::tree::{Adapter, Change, Tree};
use crate::trouble::{Trouble, about_bus};
use crate::{Address, Bluetooth};

impl Bluetooth {
    /// Scans for `time`, with one adapter or all that are on. `progress` is told every device that
    /// appears or changes, those known before included, and may end the scan; it must not itself call
    /// into this type.
    ///
    /// The scan belongs to a connection of its own, so it ends whatever happens here.
    ///
    /// # Errors
    /// No BlueZ, no adapter, none that is on, no permission; the adapter unplugged meanwhile.
    pub fn scan(
        &self,
        adapter: Option<&str>,
        time: Duration,
        progress: &mut dyn FnMut(&Facts) -> ControlFlow<()>,
    ) -> Result<Vec<Facts>, Trouble> {
        self.wait(async {
            let bus = self.own_bus().await?;
            let tree = bus.look().await?;
            let adapters = on(named(&tree, adapter)?, &self.rfkill)?;
            let found = discover(&bus, tree, &adapters, time, progress).await;
            let _ = bus.connection.close().await;
            found
        })
    }
}

/// Those that are on; why there is none otherwise.
fn on(adapters: Vec<Adapter>, rfkill: &std::path::Path) -> Result<Vec<Adapter>, Trouble> {
    let mut usable = Vec::new();
    let mut last = Trouble::NoAdapter;
    for adapter in adapters {
        match crate::adapters::ready(&adapter, rfkill) {
            Ok(()) => usable.push(adapter),
            Err(trouble) => last = trouble,
        }
    }
    if usable.is_empty() { Err(last) } else { Ok(usable) }
}

/// Scans with `adapters` and always stops. Gives what they heard.
pub(crate) async fn discover(
    bus: &Bus,
    tree: Tree,
    adapters: &[Adapter],
    time: Duration,
    progress: &mut dyn FnMut(&Facts) -> ControlFlow<()>,
) -> Result<Vec<Facts>, Trouble> {
    let signals = bus.signals().await.map_err(|error| about_bus(&error))?;
    let mut started = Vec::new();
    let mut outcome = Ok(());
    for adapter in adapters {
        match start(bus, adapter).await {
            Ok(()) => started.push(adapter.clone()),
            Err(trouble) => outcome = Err(trouble),
        }
    }
    let heard = if started.is_empty() {
        outcome.map(|()| Vec::new())
    } else {
        listen(signals, tree, &started, Instant::now() + time, progress).await
    };
    for adapter in &started {
        let _ = bus.call(&adapter.path, ADAPTER, "StopDiscovery", &()).await;
    }
    heard
}

/// Speakers stream over BR/EDR: the other radio's devices would only fill the list.
async fn start(bus: &Bus, adapter: &Adapter) -> Result<(), Trouble> {
    let filter = Properties::from([("Transport", Variant::from("bredr"))]);
    let told = |error: zbus::Error| match crate::trouble::words(&error).0.rsplit('.').next() {
        Some("NotReady") => Trouble::AdapterOff(adapter.name.clone()),
        _ => about_bus(&error),
    };
    bus.call(&adapter.path, ADAPTER, "SetDiscoveryFilter", &filter).await.map_err(told)?;
    bus.call(&adapter.path, ADAPTER, "StartDiscovery", &()).await.map_err(told)?;
    Ok(())
}

async fn listen(
    mut signals: MessageStream,
    mut tree: Tree,
    adapters: &[Adapter],
    until: Instant,
    progress: &mut dyn FnMut(&Facts) -> ControlFlow<()>,
) -> Result<Vec<Facts>, Trouble> {
    let mut heard: std::collections::BTreeMap<Address, Facts> = std::collections::BTreeMap::new();
    for device in tree.devices() {
        let facts = Facts::of(&device, &tree);
        if let Some(facts) = facts.filter(|_| device.rssi.is_some() || device.connected || device.paired)
            && tell(&mut heard, facts, progress).is_break()
        {
            return Ok(heard.into_values().collect());
        }
    }
    let end = tokio::time::Instant::from_std(until);
    while let Ok(signal) = tokio::time::timeout_at(end, signals.next()).await {
        let Some(Ok(signal)) = signal else { return Err(Trouble::NoBus("the connection ended".into())) };
        let path = match tree.apply(&signal) {
            Some(Change::Added(path) | Change::Properties { path, .. }) => path,
            Some(Change::Removed { path, .. }) if adapters.iter().any(|adapter| adapter.path == path) => {
                let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
                return Err(Trouble::AdapterGone(name));
            }
            _ => continue,
        };
        let facts = tree.device(&path).and_then(|device| Facts::of(&device, &tree));
        if facts.is_some_and(|facts| tell(&mut heard, facts, progress).is_break()) {
            break;
        }
    }
    Ok(heard.into_values().collect())
}

/// Tells what is new about a device.
fn tell(
    heard: &mut std::collections::BTreeMap<Address, Facts>,
    facts: Facts,
    progress: &mut dyn FnMut(&Facts) -> ControlFlow<()>,
) -> ControlFlow<()> {
    if heard.get(&facts.address) == Some(&facts) {
        return ControlFlow::Continue(());
    }
    let flow = progress(&facts);
    heard.insert(facts.address, facts);
    flow
}
