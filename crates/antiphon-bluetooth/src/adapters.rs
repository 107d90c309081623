//! This machine's adapters: which there are, which is used, and whether it may be.

use std::path::Path;

use crate::bus::{ADAPTER, Bus};
use crate::rfkill::{Block, block_of};
use crate::tree::{Adapter, Tree};
use crate::trouble::{Trouble, about_bus};
use crate::{Address, Bluetooth};

impl Bluetooth {
    /// This machine's adapters, in the order of their names.
    ///
    /// # Errors
    /// No bus or no BlueZ; no adapter is no error here.
    pub fn adapters(&self) -> Result<Vec<Adapter>, Trouble> {
        Ok(self.wait(self.bus.look())?.adapters())
    }

    /// Switches an adapter on, all of them for `None`, and says which are on.
    ///
    /// # Errors
    /// No such adapter, one that rfkill holds off, no permission.
    pub fn power_on(&self, name: Option<&str>) -> Result<Vec<Adapter>, Trouble> {
        self.wait(async {
            let tree = self.bus.look().await?;
            let wanted = named(&tree, name)?;
            let mut on = Vec::new();
            let mut last = Err(Trouble::NoAdapter);
            for mut adapter in wanted {
                last = power(&self.bus, &adapter, &self.rfkill).await;
                if last.is_ok() {
                    adapter.powered = true;
                    on.push(adapter);
                }
            }
            if on.is_empty() { last.map(|()| on) } else { Ok(on) }
        })
    }
}

/// The adapters meant by a name as in `hci0` or an address; all for `None`.
pub(crate) fn named(tree: &Tree, name: Option<&str>) -> Result<Vec<Adapter>, Trouble> {
    let all = tree.adapters();
    if all.is_empty() {
        return Err(Trouble::NoAdapter);
    }
    let Some(wanted) = name else { return Ok(all) };
    let address = wanted.parse::<Address>().ok();
    let there = all.iter().map(|adapter| adapter.name.clone()).collect();
    let meant =
        |adapter: &Adapter| adapter.name == wanted || (address.is_some() && adapter.address == address);
    let found: Vec<_> = all.into_iter().filter(meant).collect();
    if found.is_empty() {
        return Err(Trouble::NoSuchAdapter { wanted: wanted.to_owned(), there });
    }
    Ok(found)
}

/// Whether an adapter may be used as it is.
pub(crate) fn ready(adapter: &Adapter, rfkill: &Path) -> Result<(), Trouble> {
    match block_of(rfkill, &adapter.name) {
        _ if adapter.powered => Ok(()),
        Some(Block::Soft) => Err(Trouble::Blocked(adapter.name.clone())),
        Some(Block::Hard) => Err(Trouble::HardBlocked(adapter.name.clone())),
        None => Err(Trouble::AdapterOff(adapter.name.clone())),
    }
}

/// Switches one on.
pub(crate) async fn power(bus: &Bus, adapter: &Adapter, rfkill: &Path) -> Result<(), Trouble> {
    match ready(adapter, rfkill) {
        Err(Trouble::AdapterOff(name)) => {
            let set = bus.set(&adapter.path, ADAPTER, "Powered", true).await;
            set.map_err(|error| match about_bus(&error) {
                Trouble::NoBus(_) if block_of(rfkill, &name).is_some() => Trouble::Blocked(name),
                Trouble::NoBus(_) => Trouble::AdapterOff(name),
                other => other,
            })
        }
        other => other,
    }
}

/// The adapter for a speaker that no adapter is paired with yet: of those that are on and have
/// heard it, the one with the fewest speakers.
pub(crate) fn emptiest(tree: &Tree, heard_by: &[String]) -> Option<Adapter> {
    let paired = |adapter: &Adapter| {
        let devices = tree.devices().into_iter();
        devices.filter(|device| device.adapter == adapter.path && device.paired && device.plays()).count()
    };
    let on = tree.adapters().into_iter().filter(|adapter| adapter.powered);
    on.filter(|adapter| heard_by.contains(&adapter.path)).min_by_key(paired)
}
