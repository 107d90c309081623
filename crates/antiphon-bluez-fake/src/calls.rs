//! BlueZ's methods.

use std::sync::Arc;
use std::time::Duration;

use zbus::{Message, ObjectPath, OwnedObjectPath, OwnedVariant};

use crate::daemon::{Daemon, Failed, Reply, failed};
use crate::objects::{ADAPTER, CHARACTERISTIC, DEVICE, Held, MANAGER, PROPERTIES, TRANSPORT, copy, value};
use crate::speaker::{Answer, Pairing};
use crate::stream;
use crate::world::{Registered, World, device_path};

const AGENT: &str = "org.bluez.Agent1";

/// Between a scan's start and what it hears.
const HEARD_AFTER: Duration = Duration::from_millis(20);

pub async fn handle(daemon: &Arc<Daemon>, call: &Message) -> Result<Reply, Failed> {
    let header = call.header();
    let path = header.path().map(|path| path.to_string()).unwrap_or_default();
    let interface = header.interface().map(|name| name.to_string()).unwrap_or_default();
    let member = header.member().map(|name| name.to_string()).unwrap_or_default();
    let sender = header.sender().map(|name| name.to_string()).unwrap_or_default();
    match (interface.as_str(), member.as_str()) {
        (MANAGER, "GetManagedObjects") => Ok(Reply::Objects(daemon.lock().objects.managed())),
        (PROPERTIES, _) => properties(daemon, &path, &member, &sender, call).await,
        _ if !daemon.lock().objects.has(&path, &interface) => Err((
            "org.freedesktop.DBus.Error.UnknownObject".into(),
            format!("Method {member:?} with interface {interface:?} doesn't exist at {path:?}"),
        )),
        (_, "StartDiscovery") => start_scan(daemon, &path, sender).await,
        (_, "StopDiscovery") => stop_scan(daemon, &path, &sender).await,
        (_, "RemoveDevice") => remove_device(daemon, call).await,
        (_, "RegisterEndpoint") => register(daemon, path, sender, call),
        (_, "UnregisterEndpoint") => unregister(daemon, sender, call).await,
        (_, "RegisterAgent") => {
            let (agent, _): (OwnedObjectPath, String) = body(call)?;
            daemon.lock().agents.insert(sender, agent.to_string());
            Ok(Reply::Nothing)
        }
        (_, "UnregisterAgent") => {
            daemon.lock().agents.remove(&sender);
            Ok(Reply::Nothing)
        }
        (_, "Pair") => pair(daemon, &path, &sender).await,
        (_, "Connect" | "ConnectProfile") => stream::connect(daemon, &path).await.map(|()| Reply::Nothing),
        (_, "Disconnect" | "DisconnectProfile") => {
            daemon.log(format!("{member} {path}"));
            stream::disconnect(daemon, &path).await;
            Ok(Reply::Nothing)
        }
        (TRANSPORT, "Acquire" | "TryAcquire") => stream::acquire(daemon, &path, sender).await,
        (TRANSPORT, "Release") => stream::release(daemon, &path).await,
        (CHARACTERISTIC, "ReadValue") => read_value(daemon, &path).await,
        (_, "SetDiscoveryFilter" | "RequestDefaultAgent" | "CancelPairing") => Ok(Reply::Nothing),
        _ => Err(failed(("NotSupported", "Operation is not supported"))),
    }
}

fn body<T: for<'a> serde::Deserialize<'a> + zbus::Type>(call: &Message) -> Result<T, Failed> {
    let read = call.body().deserialize::<T>();
    read.map_err(|error| failed(("InvalidArguments", &error.to_string())))
}

async fn properties(
    daemon: &Arc<Daemon>,
    path: &str,
    member: &str,
    sender: &str,
    call: &Message,
) -> Result<Reply, Failed> {
    let unknown = || ("org.freedesktop.DBus.Error.UnknownObject".to_owned(), format!("no {path}"));
    if member == "Set" {
        let (interface, name, new): (String, String, OwnedVariant) = body(call)?;
        return set(daemon, path, &interface, &name, new, sender).await;
    }
    let name: Option<String> = if member == "Get" { Some(body::<(String, String)>(call)?.1) } else { None };
    let interface = if member == "Get" { body::<(String, String)>(call)?.0 } else { body::<String>(call)? };
    let world = daemon.lock();
    let held = world.objects.all.get(path).and_then(|all| all.get(&interface)).ok_or_else(unknown)?;
    match name {
        None => Ok(Reply::All(copy(held))),
        Some(name) => {
            let one = held.get(&name).and_then(|held| held.try_clone().ok()).ok_or_else(unknown)?;
            Ok(Reply::One(one))
        }
    }
}

async fn set(
    daemon: &Arc<Daemon>,
    path: &str,
    interface: &str,
    name: &str,
    new: OwnedVariant,
    sender: &str,
) -> Result<Reply, Failed> {
    daemon.log(format!("Set {name} {path}"));
    if (interface, name) == (TRANSPORT, "Volume") {
        let world = daemon.lock();
        let owners = world.speakers.values().filter_map(|air| air.stream.as_ref());
        let owned = owners
            .filter(|stream| stream.transport == path)
            .any(|stream| stream.owner.as_deref() == Some(sender));
        if !owned {
            return Err(failed(("NotAuthorized", "Operation Not Authorized")));
        }
    }
    daemon.change(|world| world.objects.set(path, interface, name, Some(new)).into_iter().collect()).await;
    Ok(Reply::Nothing)
}

async fn read_value(daemon: &Daemon, characteristic: &str) -> Result<Reply, Failed> {
    daemon.log(format!("ReadValue {characteristic}"));
    let answer = daemon.lock().answer(characteristic);
    match answer {
        Some(Answer::Bytes(bytes)) => Ok(Reply::Bytes(bytes)),
        Some(Answer::Never) => std::future::pending().await,
        Some(Answer::Refuses) | None => Err(failed(("NotPermitted", "Read not permitted"))),
    }
}

async fn start_scan(daemon: &Arc<Daemon>, adapter: &str, sender: String) -> Result<Reply, Failed> {
    if !daemon.lock().objects.is_true(adapter, ADAPTER, "Powered") {
        return Err(failed(("NotReady", "Resource Not Ready")));
    }
    daemon.log(format!("StartDiscovery {adapter}"));
    daemon.lock().scans.entry(adapter.to_owned()).or_default().insert(sender);
    discovering(daemon, adapter).await;
    let (daemon, adapter) = (Arc::clone(daemon), adapter.to_owned());
    tokio::spawn(async move {
        let speakers: Vec<String> = daemon.lock().speakers.keys().cloned().collect();
        for address in speakers {
            tokio::time::sleep(HEARD_AFTER).await;
            let change = |world: &mut World| {
                let on = world.scans.get(&adapter).is_some_and(|scans| !scans.is_empty());
                let near = world.speakers.get(&address).is_some_and(|air| air.script.in_reach);
                if on && near { world.show(&address, &adapter, true) } else { vec![] }
            };
            daemon.change(change).await;
        }
    });
    Ok(Reply::Nothing)
}

async fn stop_scan(daemon: &Arc<Daemon>, adapter: &str, sender: &str) -> Result<Reply, Failed> {
    let known = daemon.lock().scans.get_mut(adapter).is_some_and(|scans| scans.remove(sender));
    if !known {
        return Err(failed(("Failed", "No discovery started")));
    }
    daemon.log(format!("StopDiscovery {adapter}"));
    discovering(daemon, adapter).await;
    Ok(Reply::Nothing)
}

async fn discovering(daemon: &Arc<Daemon>, adapter: &str) {
    let change = |world: &mut World| {
        let on = world.scans.get(adapter).is_some_and(|scans| !scans.is_empty());
        world.objects.set(adapter, ADAPTER, "Discovering", Some(value(on))).into_iter().collect()
    };
    daemon.change(change).await;
}

async fn remove_device(daemon: &Arc<Daemon>, call: &Message) -> Result<Reply, Failed> {
    let device: OwnedObjectPath = body(call)?;
    daemon.log(format!("RemoveDevice {device}"));
    stream::disconnect(daemon, device.as_str()).await;
    let change = |world: &mut World| {
        let adapter = device.as_str().rsplit_once('/').map_or("", |(adapter, _)| adapter).to_owned();
        if let Some(address) = world.speaker_at(device.as_str())
            && let Some(air) = world.speakers.get_mut(&address)
        {
            air.bonds.remove(&adapter);
        }
        world.objects.remove(device.as_str())
    };
    daemon.change(change).await;
    Ok(Reply::Nothing)
}

fn register(daemon: &Daemon, adapter: String, sender: String, call: &Message) -> Result<Reply, Failed> {
    let (endpoint, _): (OwnedObjectPath, Held) = body(call)?;
    let path = endpoint.to_string();
    let mut world = daemon.lock();
    world.log.push(format!("RegisterEndpoint {path}"));
    world.endpoints.push(Registered { sender, path, adapter, device: None });
    Ok(Reply::Nothing)
}

async fn unregister(daemon: &Arc<Daemon>, sender: String, call: &Message) -> Result<Reply, Failed> {
    let path: OwnedObjectPath = body(call)?;
    daemon.log(format!("UnregisterEndpoint {path}"));
    drop_endpoints(daemon, |endpoint| endpoint.sender == sender && endpoint.path == path.as_str()).await;
    Ok(Reply::Nothing)
}

/// A stream ends with its endpoint.
async fn drop_endpoints(daemon: &Arc<Daemon>, which: impl Fn(&Registered) -> bool) {
    let doomed: Vec<Registered> = daemon.lock().endpoints.iter().filter(|one| which(one)).cloned().collect();
    daemon.lock().endpoints.retain(|one| !which(one));
    for device in doomed.into_iter().filter_map(|endpoint| endpoint.device) {
        stream::disconnect(daemon, &device).await;
    }
}

pub async fn client_gone(daemon: &Arc<Daemon>, name: &str) {
    let scanning: Vec<String> = {
        let mut world = daemon.lock();
        world.agents.remove(name);
        let ended =
            world.scans.iter_mut().filter_map(|(adapter, scans)| scans.remove(name).then(|| adapter.clone()));
        ended.collect()
    };
    for adapter in scanning {
        daemon.log(format!("discovery of a client that left ended {adapter}"));
        discovering(daemon, &adapter).await;
    }
    drop_endpoints(daemon, |endpoint| endpoint.sender == name).await;
}

async fn pair(daemon: &Arc<Daemon>, device: &str, sender: &str) -> Result<Reply, Failed> {
    let Some(address) = daemon.lock().speaker_at(device) else {
        return Err(failed(("DoesNotExist", "Does Not Exist")));
    };
    daemon.log(format!("Pair {device}"));
    if daemon.lock().objects.is_true(device, DEVICE, "Paired") {
        return Err(failed(("AlreadyExists", "Already Exists")));
    }
    let (pairing, near) = {
        let world = daemon.lock();
        (world.speakers[&address].script.pairing.clone(), world.speakers[&address].script.in_reach)
    };
    if !near {
        return Err(failed(("ConnectionAttemptFailed", "Page Timeout")));
    }
    let agent = daemon.lock().agents.get(sender).cloned();
    let agent = agent.ok_or_else(|| failed(("AuthenticationFailed", "Authentication Failed")))?;
    agree(daemon, device, sender, &agent, pairing).await?;
    let change = |world: &mut World| {
        let adapter = device.rsplit_once('/').map_or("", |(adapter, _)| adapter).to_owned();
        debug_assert_eq!(device_path(&adapter, &address), device);
        if let Some(air) = world.speakers.get_mut(&address) {
            air.bonds.insert(adapter);
        }
        ["Paired", "Bonded"]
            .into_iter()
            .filter_map(|name| world.objects.set(device, DEVICE, name, Some(value(true))))
            .collect()
    };
    daemon.change(change).await;
    Ok(Reply::Nothing)
}

/// Asks the agent what the speaker's way of pairing needs.
async fn agree(
    daemon: &Arc<Daemon>,
    device: &str,
    sender: &str,
    agent: &str,
    pairing: Pairing,
) -> Result<(), Failed> {
    let device = ObjectPath::try_from(device).map_err(|_| failed(("InvalidArguments", "path")))?;
    let wrong = || failed(("AuthenticationFailed", "Authentication Failed"));
    let canceled = |error: zbus::Error| match error {
        zbus::Error::MethodError(name, ..) if name.ends_with("Rejected") => {
            failed(("AuthenticationRejected", "Authentication Rejected"))
        }
        _ => failed(("AuthenticationCanceled", "Authentication Canceled")),
    };
    let connection = &daemon.connection;
    match pairing {
        Pairing::JustWorks => Ok(()),
        Pairing::Fails(fault) => Err(failed(fault)),
        Pairing::Confirm(digits) => {
            let shown = (device, digits);
            let asked =
                connection.call_method(Some(sender), agent, Some(AGENT), "RequestConfirmation", &shown);
            asked.await.map(|_| ()).map_err(canceled)
        }
        Pairing::Pin(pin) => {
            let asked =
                connection.call_method(Some(sender), agent, Some(AGENT), "RequestPinCode", &device).await;
            let told: String = asked.map_err(canceled)?.body().deserialize().map_err(|_| wrong())?;
            if told == pin { Ok(()) } else { Err(wrong()) }
        }
        Pairing::Passkey(digits) => {
            let asked =
                connection.call_method(Some(sender), agent, Some(AGENT), "RequestPasskey", &device).await;
            let told: u32 = asked.map_err(canceled)?.body().deserialize().map_err(|_| wrong())?;
            if told == digits { Ok(()) } else { Err(wrong()) }
        }
    }
}
