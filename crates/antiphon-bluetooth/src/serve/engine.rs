//! The task behind [`Served`](super::Served): BlueZ's signals, our endpoints' news, finished
//! tries and the owner's wishes come in, and every member moves from phase to phase.
//!
//! It never waits for a speaker: what takes time runs beside it and reports back. So BlueZ's
//! questions to the endpoints are answered within the 3 s that it grants.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio::sync::mpsc;
use zbus::Message;

use super::attempt::{self, Acquired};
use super::pool::Pool;
use super::seat::{Phase, Seat, reported};
use super::{Events, Settings, Wishes};
use crate::bus::{ADAPTER, BATTERY, BLUEZ, Bus, DEVICE, TRANSPORT};
use crate::endpoint::{Desk, Told};
use crate::tree::{AUDIO_SINK, Change, Device, Tree, uuid};
use crate::trouble::{Doing, about_bus, about_device};
use crate::{Address, Link, LinkEvent, Member, Trouble};

/// BlueZ opens the stream before it says that a device is connected, or right after; a speaker
/// that connected by itself is given this long to be asked for its stream.
const STREAM_TIMEOUT: Duration = Duration::from_secs(4);

/// A lost bus is a system that goes down or comes up.
const BUS_RETRY: Duration = Duration::from_secs(2);

/// Endpoints' news and finished tries that wait: a few for each member.
const NEWS: usize = 64;

/// What a try came to.
enum Done {
    Connected(Address, zbus::Result<()>),
    Acquired(Address, String, zbus::Result<Acquired>),
}

/// How a life on one connection ended.
enum End {
    Stopped,
    BusLost,
}

/// Keeps the members connected until told to stop.
pub(crate) async fn keep(first: Bus, settings: Settings, events: Events, wishes: Arc<Wishes>) {
    let mut carried = Carried { seats: BTreeMap::new(), events };
    let mut bus = Some(first);
    loop {
        if let Some(bus) = bus.take() {
            let mut engine = Engine::new(bus, &settings, &wishes, &mut carried);
            if let End::Stopped = engine.live().await {
                return engine.leave().await;
            }
            engine.all_down(&Trouble::NoBus("the connection ended".into()));
        }
        tokio::select! {
            () = wishes.news.notified() => if wishes.stopped() { return },
            () = tokio::time::sleep(BUS_RETRY) => {}
        }
        bus = Bus::connect(settings.bus.as_deref()).await.ok();
    }
}

/// What outlives a connection to the bus.
struct Carried {
    seats: BTreeMap<Address, Seat>,
    events: Events,
}

struct Engine<'a> {
    bus: Bus,
    settings: &'a Settings,
    wishes: &'a Wishes,
    carried: &'a mut Carried,
    tree: Tree,
    desk: Arc<Desk>,
    pool: Pool,
    /// BlueZ's unique name while it runs.
    owner: Option<String>,
    told: mpsc::Receiver<Told>,
    done: mpsc::Receiver<Done>,
    report: mpsc::Sender<Done>,
}

impl<'a> Engine<'a> {
    fn new(bus: Bus, settings: &'a Settings, wishes: &'a Wishes, carried: &'a mut Carried) -> Self {
        let (tell, told) = mpsc::channel(NEWS);
        let (report, done) = mpsc::channel(NEWS);
        let desk = Arc::new(Desk::new(bus.clone(), tell));
        let (tree, pool) = (Tree::default(), Pool::default());
        Self { bus, settings, wishes, carried, tree, desk, pool, owner: None, told, done, report }
    }

    async fn live(&mut self) -> End {
        let (Ok(mut signals), Ok(mut owners)) = (self.bus.signals().await, self.bus.owners().await) else {
            return End::BusLost;
        };
        self.take_wishes().await;
        if self.bus.bluez_owner().await.is_none() {
            self.bus.start_bluez().await;
        }
        self.meet(self.bus.bluez_owner().await).await;
        loop {
            self.start_next();
            let wake = self.wakes_at();
            tokio::select! {
                signal = signals.next() => match signal {
                    Some(Ok(signal)) => self.on_signal(&signal).await,
                    Some(Err(_)) => {}
                    None => return End::BusLost,
                },
                change = owners.next() => match change {
                    Some(Ok(change)) => self.on_owner(&change).await,
                    Some(Err(_)) => {}
                    None => return End::BusLost,
                },
                Some(told) = self.told.recv() => self.on_told(told).await,
                Some(done) = self.done.recv() => self.on_done(done),
                () = self.wishes.news.notified() => self.take_wishes().await,
                () = tokio::time::sleep_until(wake.into()) => self.on_time(),
            }
            if self.wishes.stopped() {
                return End::Stopped;
            }
        }
    }

    /// Gives everything back.
    async fn leave(&mut self) {
        for seat in self.carried.seats.values() {
            if let Some(transport) = seat.transport() {
                let _ = self.bus.call(transport, TRANSPORT, "Release", &()).await;
            }
        }
        self.pool.drain(&self.bus).await;
    }

    async fn on_owner(&mut self, change: &Message) {
        if let Ok((name, _old, new)) = change.body().deserialize::<(String, String, String)>()
            && name == BLUEZ
        {
            self.meet(Some(new).filter(|new| !new.is_empty())).await;
        }
    }

    /// BlueZ is there, is gone, or is another than before: nothing of an earlier one holds.
    async fn meet(&mut self, owner: Option<String>) {
        if owner == self.owner && owner.is_some() {
            return;
        }
        let before = std::mem::replace(&mut self.owner, owner);
        for adapter in std::mem::take(&mut self.tree).adapters() {
            self.pool.forget(&self.bus, &adapter.path).await;
        }
        if before.is_some() || self.owner.is_none() {
            self.all_down(&Trouble::NoBluez);
        }
        if self.owner.is_none() {
            return;
        }
        match self.bus.tree().await {
            Ok(tree) => self.tree = tree,
            Err(error) => return self.all_down(&about_bus(&error)),
        }
        self.desk.learn(&self.tree);
        self.fill_pools().await;
        self.try_all_now();
    }

    async fn fill_pools(&mut self) {
        for adapter in self.tree.adapters().into_iter().filter(|adapter| adapter.has_media) {
            let members = self.carried.seats.len();
            if let Err(error) = self.pool.fill(&self.bus, &self.desk, &adapter.path, members).await {
                tracing::warn!(adapter = adapter.name, trouble = %about_bus(&error), "no endpoints");
            }
        }
    }

    async fn take_wishes(&mut self) {
        let members = self.wishes.lock().members.take();
        if let Some(members) = members {
            self.set_members(members).await;
        }
        let volumes = self.wishes.lock().volumes.clone();
        for (address, volume) in volumes {
            self.apply_volume(address, volume);
        }
    }

    async fn set_members(&mut self, members: Vec<Member>) {
        let now = Instant::now();
        let mut old = std::mem::take(&mut self.carried.seats);
        for member in members {
            let kept = old.remove(&member.address).filter(|seat| seat.member == member);
            let seat = kept.unwrap_or_else(|| Seat::new(member, now));
            self.carried.seats.insert(seat.member.address, seat);
        }
        for left in old.into_values() {
            if let Some(transport) = left.transport() {
                let _ = self.bus.call(transport, TRANSPORT, "Release", &()).await;
            }
        }
        let wishes = self.carried.seats.values().map(|seat| (seat.member.address, seat.member.channels));
        self.desk.set_members(wishes);
        self.carried.seats.values_mut().for_each(|seat| seat.agreed_anew = false);
        self.desk.learn(&self.tree);
        self.fill_pools().await;
    }

    /// The transport takes a volume from its owner only, so a wish waits for the link.
    fn apply_volume(&mut self, address: Address, volume: u8) {
        let Some(seat) = self.carried.seats.get(&address) else {
            self.wishes.lock().volumes.remove(&address);
            return;
        };
        let Phase::Open { transport, volume: had, .. } = &seat.phase else { return };
        self.wishes.lock().volumes.remove(&address);
        if had.is_none() {
            return;
        }
        let (bus, transport) = (self.bus.clone(), transport.clone());
        tokio::spawn(async move {
            if let Err(error) = bus.set(&transport, TRANSPORT, "Volume", u16::from(volume)).await {
                tracing::warn!(%address, %error, "the volume was not set");
            }
        });
    }

    /// Starts the next connection if none is under way: two pages at once hinder each other.
    fn start_next(&mut self) {
        let busy = |seat: &Seat| matches!(seat.phase, Phase::Connecting | Phase::Expecting { .. });
        let now = Instant::now();
        while self.owner.is_some() && !self.carried.seats.values().any(busy) {
            let due = self.carried.seats.values().find(|seat| seat.is_due(now));
            let Some(address) = due.map(|seat| seat.member.address) else { return };
            match self.way_to(address) {
                Ok(device) => self.connect(address, &device),
                Err(trouble) => self.fail(address, &trouble),
            }
        }
    }

    /// The device object to connect, or what stands in the way.
    fn way_to(&self, address: Address) -> Result<Device, Trouble> {
        let adapters = self.tree.adapters();
        if adapters.is_empty() {
            return Err(Trouble::NoAdapter);
        }
        let who = self.tree.who(address);
        let seat = self.carried.seats.get(&address);
        let last = seat.and_then(|seat| seat.adapter.clone());
        let gone = last.filter(|last| !adapters.iter().any(|adapter| adapter.name == *last));
        let device = self
            .tree
            .find(address)
            .ok_or_else(|| gone.map_or(Trouble::NotPaired(who.clone()), Trouble::AdapterGone))?;
        let adapter = self.tree.adapter(&device.adapter).ok_or(Trouble::NoAdapter)?;
        crate::adapters::ready(&adapter, &self.settings.rfkill)?;
        if !device.paired {
            return Err(Trouble::NotPaired(who));
        }
        let foreign = !self.tree.transports_of(&device.path).is_empty();
        if foreign && seat.is_some_and(|seat| seat.took_over) {
            return Err(Trouble::OtherSoundServer(who));
        }
        Ok(device)
    }

    fn connect(&mut self, address: Address, device: &Device) {
        let foreign = !self.tree.transports_of(&device.path).is_empty();
        let Some(seat) = self.carried.seats.get_mut(&address) else { return };
        seat.phase = Phase::Connecting;
        seat.adapter = device.adapter.rsplit('/').next().map(str::to_owned);
        seat.took_over |= foreign;
        let (bus, report, path) = (self.bus.clone(), self.report.clone(), device.path.clone());
        tokio::spawn(async move {
            let done = attempt::connect(&bus, &path, foreign).await;
            let _ = report.send(Done::Connected(address, done)).await;
        });
    }

    fn on_done(&mut self, done: Done) {
        let now = Instant::now();
        match done {
            Done::Connected(address, result) => {
                let who = self.tree.who(address);
                let Some(seat) = self.carried.seats.get_mut(&address) else { return };
                match (&seat.phase, result) {
                    (Phase::Connecting, Ok(())) => {
                        seat.phase = Phase::Expecting { until: now + STREAM_TIMEOUT };
                    }
                    (Phase::Connecting, Err(error)) => {
                        self.fail(address, &about_device(&error, Doing::Connecting, &who));
                    }
                    // The stream came first.
                    _ => {}
                }
            }
            Done::Acquired(address, transport, result) => {
                let Some(seat) = self.carried.seats.get(&address) else { return };
                match (&seat.phase, result) {
                    (Phase::Acquiring { transport: awaited, sbc }, Ok(granted)) if *awaited == transport => {
                        let sbc = *sbc;
                        self.open(address, transport, sbc, granted);
                    }
                    (Phase::Acquiring { transport: awaited, .. }, Err(error)) if *awaited == transport => {
                        tracing::debug!(%address, %error, "no socket");
                        let who = self.tree.who(address);
                        self.fail(address, &Trouble::LinkLost(who));
                    }
                    // A link that is already gone; the socket closes here.
                    _ => {}
                }
            }
        }
    }

    fn open(
        &mut self,
        address: Address,
        transport: String,
        sbc: antiphon_codec::sbc::SbcParams,
        granted: Acquired,
    ) {
        let told = self.tree.transport(&transport);
        let device = told.as_ref().and_then(|told| self.tree.device(&told.device));
        let adapter = device.as_ref().and_then(|device| self.tree.adapter(&device.adapter));
        let delay = reported(told.as_ref().and_then(|told| told.delay));
        let volume = told.and_then(|told| told.volume).map(|volume| volume.min(127) as u8);
        let Some(seat) = self.carried.seats.get_mut(&address) else { return };
        seat.connections += 1;
        (seat.failures, seat.told, seat.took_over) = (0, None, false);
        seat.phase = Phase::Open { transport, sbc, reported: delay, volume };
        let link = Link {
            address,
            socket: granted.socket,
            write_mtu: granted.write_mtu,
            sbc,
            connection: seat.connections,
            reported: delay,
            tells: adapter.as_ref().is_some_and(|adapter| adapter.tells_sent),
            adapter: adapter.map(|adapter| adapter.name).unwrap_or_default(),
        };
        self.carried.events.send(LinkEvent::Up(link));
        self.carried.events.send(LinkEvent::Volume(address, volume));
        if let Some(percent) = device.and_then(|device| device.battery) {
            self.carried.events.send(LinkEvent::Battery(address, percent));
        }
        let wish = self.wishes.lock().volumes.get(&address).copied();
        if let Some(volume) = wish {
            self.apply_volume(address, volume);
        }
        self.bring_to_one_rate();
    }

    /// A speaker that was agreed with before another's limits were known is agreed with anew: the
    /// group sends all of its members frames of one length at one rate.
    fn bring_to_one_rate(&mut self) {
        let odd: Vec<(Address, String)> = self
            .carried
            .seats
            .values()
            .filter(|seat| !seat.agreed_anew)
            .filter_map(|seat| {
                let Phase::Open { transport, sbc, .. } = &seat.phase else { return None };
                let better = self.desk.would_choose(seat.member.address)?;
                let differs = (better.rate(), better.frame_samples()) != (sbc.rate(), sbc.frame_samples());
                let device = transport.rsplit_once('/')?.0.to_owned();
                differs.then_some((seat.member.address, device))
            })
            .collect();
        for (address, device) in odd {
            let who = self.tree.who(address);
            if let Some(seat) = self.carried.seats.get_mut(&address) {
                seat.agreed_anew = true;
            }
            self.fail(address, &Trouble::OtherRate(who));
            let bus = self.bus.clone();
            tokio::spawn(async move {
                let _ = bus.call(&device, DEVICE, "DisconnectProfile", &uuid(AUDIO_SINK)).await;
            });
        }
    }

    async fn on_told(&mut self, told: Told) {
        match told {
            Told::Configured { device, transport, sbc } => {
                self.desk.learn(&self.tree);
                let Some(address) = self.address_of(&device) else { return };
                let Some(seat) = self.carried.seats.get_mut(&address) else { return };
                seat.phase = Phase::Acquiring { transport: transport.clone(), sbc };
                let (bus, report) = (self.bus.clone(), self.report.clone());
                tokio::spawn(async move {
                    let done = attempt::acquire(&bus, &transport).await;
                    let _ = report.send(Done::Acquired(address, transport, done)).await;
                });
            }
            Told::Cleared { transport } => self.lose_transport(&transport),
            Told::Released { adapter } => {
                self.pool.forget(&self.bus, &adapter).await;
                self.fill_pools().await;
            }
        }
    }

    fn address_of(&self, device: &str) -> Option<Address> {
        let known = self.tree.device(device).and_then(|device| device.address);
        known.or_else(|| device.rsplit("dev_").next()?.parse().ok())
    }

    async fn on_signal(&mut self, signal: &Message) {
        let sender = signal.header().sender().map(|sender| sender.to_string());
        if self.owner.is_none() || sender != self.owner {
            return;
        }
        match self.tree.apply(signal) {
            Some(Change::Added(path)) => self.on_added(&path).await,
            Some(Change::Removed { path, interfaces }) => self.on_removed(&path, &interfaces).await,
            Some(Change::Properties { path, interface, names }) => {
                self.on_properties(&path, &interface, &names)
            }
            None => {}
        }
    }

    async fn on_added(&mut self, path: &str) {
        self.desk.learn(&self.tree);
        if self.tree.adapter(path).is_some() {
            self.fill_pools().await;
            self.try_all_now();
        } else if let Some(device) = self.tree.device(path) {
            self.on_device(&device);
        }
    }

    async fn on_removed(&mut self, path: &str, interfaces: &[String]) {
        let has = |interface: &str| interfaces.iter().any(|gone| gone == interface);
        if has(ADAPTER) {
            self.pool.forget(&self.bus, path).await;
            self.try_all_now();
            let name = path.rsplit('/').next().unwrap_or(path).to_owned();
            let below = format!("{path}/");
            self.lose(|transport| transport.starts_with(&below), &|_| Trouble::AdapterGone(name.clone()));
        } else if has(TRANSPORT) {
            self.lose_transport(path);
            // Ours or the desktop's: the way may be free.
            let device = path.rsplit_once('/').map_or("", |(device, _)| device);
            self.try_device(device);
        } else if has(DEVICE) {
            let below = format!("{path}/");
            let who = |address| crate::Who { address, name: None };
            self.lose(|transport| transport.starts_with(&below), &|address| Trouble::NotPaired(who(address)));
        }
    }

    fn on_properties(&mut self, path: &str, interface: &str, names: &[String]) {
        let has = |name: &str| names.iter().any(|changed| changed == name);
        match interface {
            ADAPTER if has("Powered") => self.try_all_now(),
            DEVICE if has("Connected") || has("Paired") => {
                if let Some(device) = self.tree.device(path) {
                    self.on_device(&device);
                }
            }
            BATTERY => {
                if let Some(device) = self.tree.device(path) {
                    self.on_device(&device);
                }
            }
            TRANSPORT => self.on_transport(path),
            _ => {}
        }
    }

    fn on_device(&mut self, device: &Device) {
        let Some(address) = device.address else { return };
        let Some(seat) = self.carried.seats.get_mut(&address) else { return };
        match (&seat.phase, device.connected) {
            // It came by itself: BlueZ may ask an endpoint of ours at any moment.
            (Phase::Waiting { .. }, true) if device.paired => {
                seat.phase = Phase::Expecting { until: Instant::now() + STREAM_TIMEOUT };
            }
            (Phase::Waiting { .. }, false) if device.paired && seat.connections == 0 => {
                seat.try_now(Instant::now());
            }
            (Phase::Open { .. }, true) => {
                if let Some(percent) = device.battery {
                    self.carried.events.send(LinkEvent::Battery(address, percent));
                }
            }
            _ => {}
        }
    }

    fn on_transport(&mut self, path: &str) {
        let Some(told) = self.tree.transport(path) else { return };
        let found = self.carried.seats.values_mut().find(|seat| seat.transport() == Some(path));
        let Some(seat) = found else { return };
        let address = seat.member.address;
        let Phase::Open { reported: delay, volume, .. } = &mut seat.phase else { return };
        let (newer, louder) = (reported(told.delay), told.volume.map(|volume| volume.min(127) as u8));
        if *delay != newer {
            *delay = newer;
            self.carried.events.send(LinkEvent::Delay(address, newer));
        }
        if *volume != louder {
            *volume = louder;
            self.carried.events.send(LinkEvent::Volume(address, louder));
        }
        // The speaker suspended the stream; BlueZ keeps the transport, and its socket is dead.
        if told.state == "idle" {
            self.lose_transport(path);
        }
    }

    fn lose_transport(&mut self, path: &str) {
        let names: BTreeMap<Address, crate::Who> =
            self.carried.seats.keys().map(|address| (*address, self.tree.who(*address))).collect();
        self.lose(|transport| transport == path, &|address| {
            Trouble::LinkLost(names.get(&address).cloned().unwrap_or(crate::Who { address, name: None }))
        });
    }

    fn lose(&mut self, which: impl Fn(&str) -> bool, trouble: &dyn Fn(Address) -> Trouble) {
        let lost: Vec<Address> = self
            .carried
            .seats
            .values()
            .filter(|seat| seat.transport().is_some_and(&which))
            .map(|seat| seat.member.address)
            .collect();
        for address in lost {
            self.fail(address, &trouble(address));
        }
    }

    fn try_device(&mut self, path: &str) {
        if let Some(address) = self.address_of(path)
            && let Some(seat) = self.carried.seats.get_mut(&address)
            && seat.told.as_ref().is_some_and(|told| told.needs_help)
        {
            seat.try_now(Instant::now());
        }
    }

    fn try_all_now(&mut self) {
        let now = Instant::now();
        self.carried.seats.values_mut().for_each(|seat| seat.try_now(now));
    }

    fn all_down(&mut self, trouble: &Trouble) {
        let all: Vec<Address> = self.carried.seats.keys().copied().collect();
        for address in all {
            self.fail(address, trouble);
        }
    }

    /// No link, for this reason; told once, tried again later.
    fn fail(&mut self, address: Address, trouble: &Trouble) {
        let Some(seat) = self.carried.seats.get_mut(&address) else { return };
        seat.back_off(Instant::now());
        let down = trouble.down();
        if seat.told.as_ref() != Some(&down) {
            tracing::info!(%address, why = down.why, "no link");
            seat.told = Some(down.clone());
            self.carried.events.send(LinkEvent::Down(address, down));
        }
    }

    fn wakes_at(&self) -> Instant {
        let idle = Instant::now() + Duration::from_secs(3600);
        let expecting = |seat: &Seat| matches!(seat.phase, Phase::Expecting { .. });
        let busy = self.carried.seats.values().any(|seat| matches!(seat.phase, Phase::Connecting));
        // While one connects, or BlueZ is away, only an overdue stream is due.
        let seats = self
            .carried
            .seats
            .values()
            .filter(|seat| expecting(seat) || (self.owner.is_some() && !busy && !self.any_expecting()));
        seats.filter_map(Seat::wakes_at).min().unwrap_or(idle)
    }

    fn any_expecting(&self) -> bool {
        self.carried.seats.values().any(|seat| matches!(seat.phase, Phase::Expecting { .. }))
    }

    fn on_time(&mut self) {
        let now = Instant::now();
        let overdue: Vec<Address> = self
            .carried
            .seats
            .values()
            .filter(|seat| matches!(seat.phase, Phase::Expecting { until } if until <= now))
            .map(|seat| seat.member.address)
            .collect();
        for address in overdue {
            let trouble = self.why_no_stream(address);
            self.fail(address, &trouble);
        }
    }

    /// It is connected, and no stream came to us.
    fn why_no_stream(&self, address: Address) -> Trouble {
        let who = self.tree.who(address);
        let Some(device) = self.tree.find(address) else { return Trouble::NotPaired(who) };
        if !device.connected {
            return Trouble::LinkLost(who);
        }
        if !self.tree.transports_of(&device.path).is_empty() {
            return Trouble::OtherSoundServer(who);
        }
        crate::facts::why_no_sink(&device, &self.tree.endpoints_of(&device.path), &who)
            .unwrap_or(Trouble::NoStream(who))
    }
}
