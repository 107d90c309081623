//! Connections, the choice of an endpoint, and transports.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use zbus::ObjectPath;

use crate::daemon::{Daemon, Failed, Reply, failed};
use crate::objects::{ADAPTER, BATTERY, DEVICE, Held, Signal, TRANSPORT, copy, path_value, value};
use crate::speaker::Vanishes;
use crate::world::{InTheAir, Registered, Stream, World, uuid};

const ENDPOINT: &str = "org.bluez.MediaEndpoint1";

/// BlueZ's own limit for an endpoint's answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// `Device1.Connect`.
pub async fn connect(daemon: &Arc<Daemon>, device: &str) -> Result<(), Failed> {
    let Some(address) = daemon.lock().speaker_at(device) else {
        return Err(failed(("DoesNotExist", "Does Not Exist")));
    };
    daemon.log(format!("Connect {device}"));
    let adapter = adapter_of(device);
    {
        let world = daemon.lock();
        let air = &world.speakers[&address];
        if !world.objects.is_true(&adapter, ADAPTER, "Powered") {
            return Err(failed(("NotReady", "br-connection-adapter-not-powered")));
        }
        if !air.script.in_reach {
            return Err(failed(("Failed", "br-connection-page-timeout")));
        }
        if let Some(fault) = air.script.connect_fault {
            return Err(failed(fault));
        }
        if air.stream.is_some() {
            return Err(failed(("AlreadyConnected", "Already Connected")));
        }
    }
    bring_up(daemon, &address, device).await
}

/// The link is there: the speaker tells its endpoints, ours are asked.
pub async fn bring_up(daemon: &Arc<Daemon>, address: &str, device: &str) -> Result<(), Failed> {
    let up = |world: &mut World| {
        let mut signals: Vec<Signal> =
            world.objects.set(device, DEVICE, "Connected", Some(value(true))).into_iter().collect();
        signals.extend(world.show_endpoints(address, device));
        signals.extend(world.show_services(address, device));
        if let Some(charge) = world.speakers[address].script.battery {
            let held = Held::from([("Percentage".into(), value(charge))]);
            signals.push(world.objects.add(device, BATTERY, held));
        }
        signals
    };
    daemon.change(up).await;
    let services = daemon.lock().speakers[address].script.services.clone();
    if !services.contains(&0x110b) {
        // Connected by whatever else it has; no audio comes of it.
        return Ok(());
    }
    let chosen = choose(daemon, address, device).await;
    let Some((endpoint, configuration)) = chosen else {
        disconnect(daemon, device).await;
        return Err(failed(("Failed", "br-connection-create-socket")));
    };
    configure(daemon, address, device, &endpoint, configuration).await
}

/// Asks the endpoints in the order of their registration until one answers.
async fn choose(daemon: &Arc<Daemon>, address: &str, device: &str) -> Option<(Registered, Vec<u8>)> {
    let capabilities = daemon.lock().speakers[address].script.sbc?.to_vec();
    let adapter = adapter_of(device);
    let free: Vec<Registered> = daemon
        .lock()
        .endpoints
        .iter()
        .filter(|endpoint| endpoint.adapter == adapter && endpoint.device.is_none())
        .cloned()
        .collect();
    for endpoint in free {
        if endpoint.sender.is_empty() {
            daemon.log(format!("the desktop takes {address}"));
            return Some((endpoint, vec![0x21, 0x15, 2, 53]));
        }
        let asked = daemon.connection.call_method(
            Some(endpoint.sender.as_str()),
            endpoint.path.as_str(),
            Some(ENDPOINT),
            "SelectConfiguration",
            &capabilities,
        );
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, asked).await;
        match answer {
            Ok(Ok(reply)) => {
                let configuration: Vec<u8> = reply.body().deserialize().ok()?;
                daemon.log(format!("{} chose {configuration:02x?} for {address}", endpoint.path));
                return Some((endpoint, configuration));
            }
            Ok(Err(error)) => daemon.log(format!("{} rejected {address}: {error}", endpoint.path)),
            Err(_) => daemon.log(format!("{} was too slow for {address}", endpoint.path)),
        }
    }
    None
}

async fn configure(
    daemon: &Arc<Daemon>,
    address: &str,
    device: &str,
    endpoint: &Registered,
    configuration: Vec<u8>,
) -> Result<(), Failed> {
    if take_vanishing(daemon, address, Vanishes::AfterSelect) {
        disconnect(daemon, device).await;
        return Err(failed(("Failed", "br-connection-aborted-by-remote")));
    }
    let (transport, held) = add_transport(daemon, address, device, endpoint, configuration).await;
    if !endpoint.sender.is_empty() {
        let place = ObjectPath::try_from(transport.as_str()).expect("a path of ours");
        let body = (place, held);
        let asked = daemon.connection.call_method(
            Some(endpoint.sender.as_str()),
            endpoint.path.as_str(),
            Some(ENDPOINT),
            "SetConfiguration",
            &body,
        );
        if !matches!(tokio::time::timeout(ANSWER_TIMEOUT, asked).await, Ok(Ok(_))) {
            daemon.log(format!("{} refused to be set for {address}", endpoint.path));
            disconnect(daemon, device).await;
            return Err(failed(("Failed", "br-connection-create-socket")));
        }
    }
    report_delay(daemon, address, transport);
    Ok(())
}

async fn add_transport(
    daemon: &Arc<Daemon>,
    address: &str,
    device: &str,
    endpoint: &Registered,
    configuration: Vec<u8>,
) -> (String, Held) {
    let mut told = Held::new();
    let mut transport = String::new();
    let add = |world: &mut World| {
        transport = format!("{device}/fd{}", world.next_stream);
        world.next_stream += 1;
        let air = world.speakers.get_mut(address).expect("it was found before");
        let key = (endpoint.sender.clone(), endpoint.path.clone());
        air.stream = Some(Stream { transport: transport.clone(), endpoint: key.clone(), owner: None });
        let mut held = Held::from([
            ("Device".into(), path_value(device)),
            ("UUID".into(), value(uuid(0x110a))),
            ("Codec".into(), value(0u8)),
            ("Configuration".into(), value(configuration)),
            ("State".into(), value("idle")),
        ]);
        if air.script.delay_reporting {
            held.insert("Delay".into(), value(0u16));
        }
        if let Some(volume) = air.script.volume {
            held.insert("Volume".into(), value(volume));
        }
        told = copy(&held);
        if let Some(endpoint) = world.endpoint_mut(&key) {
            endpoint.device = Some(device.to_owned());
        }
        vec![world.objects.add(&transport, TRANSPORT, held)]
    };
    daemon.change(add).await;
    (transport, told)
}

/// A speaker reports some time after the stream is set up.
fn report_delay(daemon: &Arc<Daemon>, address: &str, transport: String) {
    let scripted = daemon.lock().speakers[address].script.delay;
    let Some((tenths, after)) = scripted else { return };
    let daemon = Arc::clone(daemon);
    tokio::spawn(async move {
        tokio::time::sleep(after).await;
        let told = |world: &mut World| {
            world.objects.set(&transport, TRANSPORT, "Delay", Some(value(tenths))).into_iter().collect()
        };
        daemon.change(told).await;
    });
}

/// Whether the speaker goes at this very moment; it is back in reach at once.
fn take_vanishing(daemon: &Daemon, address: &str, moment: Vanishes) -> bool {
    let mut world = daemon.lock();
    let air = world.speakers.get_mut(address).filter(|air| air.script.vanishes == Some(moment));
    air.is_some_and(|air| air.script.vanishes.take().is_some())
}

/// Ends a connection and tells the endpoint that had its stream.
pub async fn disconnect(daemon: &Arc<Daemon>, device: &str) {
    let Some(address) = daemon.lock().speaker_at(device) else { return };
    let stream = daemon.lock().speakers.get(&address).and_then(|air| {
        air.stream.as_ref().map(|stream| (stream.endpoint.clone(), stream.transport.clone()))
    });
    if let Some(((sender, path), transport)) = stream
        && daemon.lock().endpoints.iter().any(|one| one.sender == sender && one.path == path)
        && !sender.is_empty()
        && let Ok(transport) = ObjectPath::try_from(transport)
    {
        let told = daemon.connection.call_method(
            Some(sender),
            path,
            Some(ENDPOINT),
            "ClearConfiguration",
            &transport,
        );
        let _ = tokio::time::timeout(ANSWER_TIMEOUT, told).await;
    }
    daemon.change(|world| world.disconnected(&address)).await;
}

/// `MediaTransport1.Acquire`.
pub async fn acquire(daemon: &Arc<Daemon>, transport: &str, sender: String) -> Result<Reply, Failed> {
    let device = transport.rsplit_once('/').map_or("", |(device, _)| device).to_owned();
    let address = daemon.lock().speaker_at(&device).unwrap_or_default();
    if take_vanishing(daemon, &address, Vanishes::AtAcquire) {
        disconnect(daemon, &device).await;
        return Err(failed(("Failed", "Operation canceled")));
    }
    let (near, mtu) = {
        let mut world = daemon.lock();
        let not_now = || failed(("NotAuthorized", "Operation Not Authorized"));
        let air = world.speakers.get_mut(&address).ok_or_else(not_now)?;
        if air.script.refuses_acquire > 0 {
            air.script.refuses_acquire -= 1;
            return Err(not_now());
        }
        let stream = air.stream.as_mut().filter(|stream| stream.owner.is_none()).ok_or_else(not_now)?;
        stream.owner = Some(sender);
        (open(air), air.script.mtu)
    };
    state(daemon, transport, "active").await;
    Ok(Reply::Socket(near, mtu))
}

/// A new socket; the speaker's end waits for the test.
fn open(air: &mut InTheAir) -> OwnedFd {
    let pair = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC);
    let (near, far) = pair.expect("a socket pair");
    air.link = far.try_clone().ok();
    air.far.push(far);
    near
}

/// `MediaTransport1.Release`.
pub async fn release(daemon: &Arc<Daemon>, transport: &str) -> Result<Reply, Failed> {
    daemon.log(format!("Release {transport}"));
    {
        let mut world = daemon.lock();
        let streams = world.speakers.values_mut().filter_map(|air| air.stream.as_mut());
        streams.filter(|stream| stream.transport == transport).for_each(|stream| stream.owner = None);
    }
    state(daemon, transport, "idle").await;
    Ok(Reply::Nothing)
}

pub async fn state(daemon: &Arc<Daemon>, transport: &str, state: &str) {
    let told = |world: &mut World| {
        world.objects.set(transport, TRANSPORT, "State", Some(value(state))).into_iter().collect()
    };
    daemon.change(told).await;
}

pub fn adapter_of(device: &str) -> String {
    device.rsplit_once('/').map_or("", |(adapter, _)| adapter).to_owned()
}
