//! The two things that take time: connecting a speaker, and asking for a stream's socket.

use std::os::fd::OwnedFd;
use std::time::Duration;

use crate::bus::{Bus, DEVICE, TRANSPORT};
use crate::tree::{AUDIO_SINK, uuid};
use crate::trouble::words;

/// A page takes 5 s, a name and service search some more; BlueZ itself gives up after 20 to 30 s.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(40);

/// BlueZ refuses while the stream is still being opened, which takes some radio round trips.
const ACQUIRE_PAUSES_MS: [u64; 7] = [0, 50, 100, 200, 400, 800, 1600];

/// A speaker that accepts a stream and never starts it: BlueZ answers after its own AVDTP timers.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// What was granted.
#[derive(Debug)]
pub(crate) struct Acquired {
    pub socket: OwnedFd,
    pub write_mtu: usize,
}

/// Connects a device. `take_over`: a stream that another sound server has with it ends first, so
/// that BlueZ asks all endpoints anew.
pub(crate) async fn connect(bus: &Bus, device: &str, take_over: bool) -> zbus::Result<()> {
    if take_over {
        let ended = bus.call(device, DEVICE, "DisconnectProfile", &uuid(AUDIO_SINK)).await;
        tracing::info!(device, ?ended, "asked for the stream that another sound server has");
    }
    let connecting = bus.call(device, DEVICE, "Connect", &());
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Err(error)) if words(&error).0.ends_with("AlreadyConnected") => Ok(()),
        Ok(done) => done.map(|_| ()),
        Err(_) => {
            let _ = bus.call(device, DEVICE, "Disconnect", &()).await;
            Err(zbus::Error::Failure("the connection timed out".into()))
        }
    }
}

/// Asks for a transport's socket until it is granted or cannot be.
pub(crate) async fn acquire(bus: &Bus, transport: &str) -> zbus::Result<Acquired> {
    let mut last = zbus::Error::InvalidReply;
    for pause in ACQUIRE_PAUSES_MS {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let asked = tokio::time::timeout(ACQUIRE_TIMEOUT, acquire_once(bus, transport)).await;
        match asked {
            Ok(Ok(granted)) => return Ok(granted),
            Ok(Err(error)) if is_gone(&error) => return Err(error),
            Ok(Err(error)) => last = error,
            Err(_) => return Err(zbus::Error::Failure("the stream did not start".into())),
        }
    }
    Err(last)
}

async fn acquire_once(bus: &Bus, transport: &str) -> zbus::Result<Acquired> {
    let reply = bus.call(transport, TRANSPORT, "Acquire", &()).await?;
    let (socket, _read_mtu, write_mtu): (zbus::OwnedFd, u16, u16) = reply.body().deserialize()?;
    let socket = OwnedFd::from(socket);
    set_non_blocking(&socket).map_err(|error| zbus::Error::InputOutput(std::sync::Arc::new(error.into())))?;
    Ok(Acquired { socket, write_mtu: usize::from(write_mtu) })
}

fn set_non_blocking(socket: &OwnedFd) -> nix::Result<()> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let flags = OFlag::from_bits_retain(fcntl(socket, FcntlArg::F_GETFL)?);
    fcntl(socket, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map(|_| ())
}

/// The transport is no more: no further try can help.
fn is_gone(error: &zbus::Error) -> bool {
    let (name, _) = words(error);
    ["UnknownObject", "UnknownMethod", "DoesNotExist", "ServiceUnknown", "NameHasNoOwner"]
        .iter()
        .any(|end| name.ends_with(end))
}
