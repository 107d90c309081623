//! What a test does with the fake.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::daemon::Daemon;
use crate::objects::{ADAPTER, DEVICE, Signal, TRANSPORT, value};
use crate::private_bus::PrivateBus;
use crate::speaker::Speaker;
use crate::stream;
use crate::world::{InTheAir, Registered, World, device_path, initial};

/// A private bus with a scripted BlueZ on it. All methods block.
#[derive(Debug)]
pub struct FakeBluez {
    runtime: Runtime,
    world: Arc<Mutex<World>>,
    daemon: Mutex<Option<Arc<Daemon>>>,
    /// Last: clients go before their bus.
    bus: PrivateBus,
}

impl FakeBluez {
    /// With one adapter, `hci0`, that is on.
    pub fn start() -> Self {
        let fake = Self::without_service();
        fake.lock().plug("hci0", true);
        fake.start_service();
        fake
    }

    /// A bus, and nobody who owns `org.bluez`.
    ///
    /// # Panics
    /// Where the system gives no thread.
    pub fn without_service() -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).thread_name("fake bluez").enable_all().build();
        let mut world = World::default();
        world.objects.all = initial();
        Self {
            runtime: runtime.expect("threads"),
            world: Arc::new(Mutex::new(world)),
            daemon: Mutex::new(None),
            bus: PrivateBus::start(),
        }
    }

    /// The bus, in D-Bus's own form: for `DBUS_SYSTEM_BUS_ADDRESS`.
    pub fn address(&self) -> &str {
        self.bus.address()
    }

    /// Takes the name `org.bluez`.
    pub fn start_service(&self) {
        let daemon = self.runtime.block_on(Daemon::start(self.address(), Arc::clone(&self.world)));
        *self.slot() = Some(daemon);
    }

    /// The service dies: its name, objects of streams and everything registered are gone.
    pub fn stop_service(&self) {
        let Some(daemon) = self.slot().take() else { return };
        {
            let mut world = self.lock();
            let all: Vec<String> = world.speakers.keys().cloned().collect();
            all.iter().for_each(|address| drop(world.disconnected(address)));
            world.endpoints.clear();
            world.agents.clear();
            world.scans.clear();
        }
        let _ = self.runtime.block_on(daemon.connection.clone().close());
    }

    /// `systemctl restart bluetooth`.
    pub fn restart_service(&self) {
        self.stop_service();
        self.start_service();
    }

    /// Plugs an adapter in.
    pub fn plug(&self, adapter: &str, powered: bool) {
        self.change(|world| world.plug(adapter, powered));
    }

    /// Pulls it out.
    pub fn unplug(&self, adapter: &str) {
        let path = format!("/org/bluez/{adapter}");
        self.change(|world| {
            let connected: Vec<String> = world
                .speakers
                .keys()
                .filter(|address| world.connected_at(address).is_some_and(|device| device.starts_with(&path)))
                .cloned()
                .collect();
            let mut signals: Vec<Signal> =
                connected.iter().flat_map(|address| world.disconnected(address)).collect();
            world.endpoints.retain(|endpoint| endpoint.adapter != path);
            signals.extend(world.objects.remove(&path));
            signals
        });
    }

    /// Switches an adapter on or off.
    pub fn power(&self, adapter: &str, on: bool) {
        let path = format!("/org/bluez/{adapter}");
        self.change(|world| {
            world.objects.set(&path, ADAPTER, "Powered", Some(value(on))).into_iter().collect()
        });
    }

    /// Puts a speaker in reach of all adapters; a paired one is known to the first.
    pub fn add(&self, speaker: Speaker) {
        let first = self.lock().adapters.keys().next().cloned();
        self.add_on(speaker, first.as_deref().unwrap_or("/org/bluez/hci0"));
    }

    /// As [`Self::add`]; a paired one is known to this adapter (object path).
    pub fn add_on(&self, speaker: Speaker, adapter: &str) {
        self.change(|world| {
            let address = speaker.address.clone();
            let paired = speaker.paired;
            let bonds = paired.then(|| adapter.to_owned()).into_iter().collect();
            let air = InTheAir { script: speaker, bonds, stream: None, far: vec![], link: None };
            world.speakers.insert(address.clone(), air);
            if paired { world.show(&address, adapter, false) } else { vec![] }
        });
    }

    /// Changes a speaker's script; what is connected stays as it is.
    ///
    /// # Panics
    /// For a speaker that was never added.
    pub fn script(&self, address: &str, change: impl FnOnce(&mut Speaker)) {
        change(&mut self.lock().speakers.get_mut(address).expect("a speaker of this fake").script);
    }

    /// The link breaks, as when the speaker is switched off.
    pub fn drop_link(&self, address: &str) {
        let device = self.lock().connected_at(address);
        if let (Some(device), Some(daemon)) = (device, self.slot().clone()) {
            self.runtime.block_on(stream::disconnect(&daemon, &device));
        }
    }

    /// The speaker connects by itself, as when it is switched on.
    pub fn connects_by_itself(&self, address: &str) {
        let adapter = self.lock().speakers[address].bonds.iter().next().cloned();
        if let (Some(adapter), Some(daemon)) = (adapter, self.slot().clone()) {
            let device = device_path(&adapter, address);
            let _ = self.runtime.block_on(stream::bring_up(&daemon, address, &device));
        }
    }

    /// The speaker reports another delay, in tenths of milliseconds.
    pub fn report_delay(&self, address: &str, tenths: u16) {
        self.set_transport(address, "Delay", tenths);
    }

    /// Somebody pressed the speaker's keys.
    pub fn turn_volume(&self, address: &str, volume: u16) {
        self.set_transport(address, "Volume", volume);
    }

    /// The speaker suspends its stream; the connection stays.
    pub fn suspend(&self, address: &str) {
        let transport = self.transport(address);
        let daemon = self.slot().clone();
        if let (Some(transport), Some(daemon)) = (transport, daemon) {
            if let Some(air) = self.lock().speakers.get_mut(address)
                && let Some(stream) = &mut air.stream
            {
                stream.owner = None;
            }
            self.runtime.block_on(stream::state(&daemon, &transport, "idle"));
        }
    }

    fn set_transport(&self, address: &str, name: &str, new: u16) {
        if let Some(transport) = self.transport(address) {
            let change = |world: &mut World| {
                world.objects.set(&transport, TRANSPORT, name, Some(value(new))).into_iter().collect()
            };
            self.change(change);
        }
    }

    /// The desktop's sound server registers an endpoint that takes everybody.
    pub fn register_desktop(&self, adapter: &str) {
        let adapter = format!("/org/bluez/{adapter}");
        let mut world = self.lock();
        let path = format!("/desktop{}", world.endpoints.len());
        world.endpoints.push(Registered { sender: String::new(), path, adapter, device: None });
    }

    /// The sound server is restarted: its streams end, its endpoints come last.
    pub fn restart_desktop(&self) {
        let held: Vec<String> = {
            let world = self.lock();
            let desktops = world.endpoints.iter().filter(|endpoint| endpoint.sender.is_empty());
            desktops.filter_map(|endpoint| endpoint.device.clone()).collect()
        };
        if let Some(daemon) = self.slot().clone() {
            held.iter().for_each(|device| self.runtime.block_on(stream::disconnect(&daemon, device)));
        }
        let mut world = self.lock();
        let (desktop, mut others): (Vec<_>, Vec<_>) =
            world.endpoints.drain(..).partition(|endpoint| endpoint.sender.is_empty());
        others.extend(desktop);
        world.endpoints = others;
    }

    /// The speaker's end of its oldest connection that was not asked for yet.
    pub fn far_end(&self, address: &str) -> Option<OwnedFd> {
        let mut world = self.lock();
        let far = &mut world.speakers.get_mut(address)?.far;
        (!far.is_empty()).then(|| far.remove(0))
    }

    /// Whether somebody has the speaker's socket.
    pub fn is_acquired(&self, address: &str) -> bool {
        let world = self.lock();
        let stream = world.speakers.get(address).and_then(|air| air.stream.as_ref());
        stream.is_some_and(|stream| stream.owner.is_some())
    }

    /// A boolean property of a device on an adapter.
    pub fn device_is(&self, adapter: &str, address: &str, name: &str) -> bool {
        let device = device_path(&format!("/org/bluez/{adapter}"), address);
        self.lock().objects.is_true(&device, DEVICE, name)
    }

    /// Whether an adapter scans.
    pub fn scans(&self, adapter: &str) -> bool {
        self.lock().objects.is_true(&format!("/org/bluez/{adapter}"), ADAPTER, "Discovering")
    }

    /// How many endpoints clients have registered on an adapter.
    pub fn endpoints(&self, adapter: &str) -> usize {
        let path = format!("/org/bluez/{adapter}");
        let world = self.lock();
        world.endpoints.iter().filter(|one| one.adapter == path && !one.sender.is_empty()).count()
    }

    /// The speaker's volume as its transport has it.
    pub fn volume(&self, address: &str) -> Option<u16> {
        let transport = self.transport(address)?;
        let world = self.lock();
        let held = world.objects.all.get(&transport)?.get(TRANSPORT)?.get("Volume")?;
        u16::try_from(held).ok()
    }

    fn transport(&self, address: &str) -> Option<String> {
        let world = self.lock();
        world.speakers.get(address)?.stream.as_ref().map(|stream| stream.transport.clone())
    }

    /// Calls and what came of them, so far.
    pub fn log(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    /// Waits until `is` holds, for at most ten seconds; says whether it does.
    pub fn wait_until(&self, is: impl Fn(&Self) -> bool) -> bool {
        let until = Instant::now() + Duration::from_secs(10);
        while !is(self) {
            if Instant::now() > until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }

    fn change(&self, change: impl FnOnce(&mut World) -> Vec<Signal>) {
        let signals = change(&mut self.lock());
        if let Some(daemon) = self.slot().clone() {
            self.runtime.block_on(daemon.emit(signals));
        }
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<Daemon>>> {
        self.daemon.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
