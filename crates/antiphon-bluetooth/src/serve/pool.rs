//! The endpoints on every adapter.

use std::collections::BTreeMap;
use std::sync::Arc;

use zbus::{ObjectPath, Variant};

use crate::bus::{Bus, ENDPOINT, MEDIA, Properties};
use crate::endpoint::{Desk, Endpoint};
use crate::sbc::SbcCapabilities;
use crate::tree::{AUDIO_SOURCE, uuid};

/// One more speaker that joins, and one whose old stream BlueZ has not yet cleared.
const SPARE: usize = 2;

/// AVDTP has 62 endpoint numbers for everybody on an adapter together.
const MOST: usize = 24;

/// What is registered: adapter's path -> how many.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    registered: BTreeMap<String, usize>,
}

impl Pool {
    /// Brings the endpoints of `adapter` up to what so many members need.
    pub async fn fill(
        &mut self,
        bus: &Bus,
        desk: &Arc<Desk>,
        adapter: &str,
        members: usize,
    ) -> zbus::Result<()> {
        let wanted = (members + SPARE).min(MOST);
        let have = self.registered.entry(adapter.to_owned()).or_default();
        while *have < wanted {
            register(bus, desk, adapter, *have).await?;
            *have += 1;
        }
        Ok(())
    }

    /// BlueZ has dropped those of `adapter`.
    pub async fn forget(&mut self, bus: &Bus, adapter: &str) {
        for number in 0..self.registered.remove(adapter).unwrap_or(0) {
            let _ = bus.connection.object_server().remove::<Endpoint, _>(path(adapter, number)).await;
        }
    }

    /// Takes all of them back.
    pub async fn drain(&mut self, bus: &Bus) {
        let adapters: Vec<_> =
            self.registered.iter().map(|(adapter, count)| (adapter.clone(), *count)).collect();
        for (adapter, count) in adapters {
            for number in 0..count {
                let place = path(&adapter, number);
                let Ok(place) = ObjectPath::try_from(place.as_str()) else { continue };
                let _ = bus.call(&adapter, MEDIA, "UnregisterEndpoint", &place).await;
            }
            self.forget(bus, &adapter).await;
        }
    }
}

async fn register(bus: &Bus, desk: &Arc<Desk>, adapter: &str, number: usize) -> zbus::Result<()> {
    let place = path(adapter, number);
    let endpoint = Endpoint { desk: Arc::clone(desk), adapter: adapter.to_owned() };
    bus.connection.object_server().at(place.as_str(), endpoint).await?;
    let properties = Properties::from([
        ("UUID", Variant::from(uuid(AUDIO_SOURCE))),
        ("Codec", Variant::from(0u8)),
        ("DelayReporting", Variant::from(true)),
        ("Capabilities", Variant::from(SbcCapabilities::ALL.octets().to_vec())),
    ]);
    let body = (ObjectPath::try_from(place.as_str())?, properties);
    if let Err(error) = bus.call(adapter, MEDIA, "RegisterEndpoint", &body).await {
        let _ = bus.connection.object_server().remove::<Endpoint, _>(place).await;
        tracing::warn!(adapter, number, %error, interface = ENDPOINT, "BlueZ does not take an endpoint");
        return Err(error);
    }
    Ok(())
}

/// `adapter` is as in `/org/bluez/hci0`.
fn path(adapter: &str, number: usize) -> String {
    let name = adapter.rsplit('/').next().unwrap_or("hci");
    format!("/io/antiphon/bluetooth/{name}/sbc{number}")
}
