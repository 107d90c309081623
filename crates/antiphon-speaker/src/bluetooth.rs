//! This machine's Bluetooth speakers: one process has them, as one group.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::Arc;

use antiphon_audio::sink::SinkError;
use antiphon_bluetooth::stream::{Group, LinkSource};
use antiphon_bluetooth::{Address, Bluetooth, Member, ParseAddressError, Served, Trouble};
use antiphon_net::{Clock, Warp};

/// Why Bluetooth speakers cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BluetoothError {
    /// No address.
    #[error(transparent)]
    Address(#[from] ParseAddressError),
    /// BlueZ, or the way to it.
    #[error(transparent)]
    Trouble(#[from] Trouble),
    /// Two processes would send two streams at two paces.
    #[error(
        "another Antiphon program on this machine plays on its Bluetooth speakers (a hub, a player or a speaker); \
         stop that one, or name its speakers there"
    )]
    InUse,
    /// The system refuses a socket or random bytes.
    #[error("cannot have this machine's Bluetooth speakers: {0}")]
    System(std::io::Error),
    /// The sending thread.
    #[error(transparent)]
    Sink(#[from] SinkError),
}

/// The Bluetooth speakers of this machine, in this process.
#[derive(Debug)]
pub struct BluetoothHost {
    /// Ends before the links are released: nobody writes to them then.
    group: Group,
    served: Served,
    boot: u32,
    _owner: UnixListener,
}

impl BluetoothHost {
    /// Connects `members` and keeps them connected, for as long as this lives.
    ///
    /// # Errors
    /// There is no bus, or another process has this machine's speakers.
    pub fn start(members: Vec<Member>, warp: Warp) -> Result<Arc<Self>, BluetoothError> {
        let owner = own()?;
        let (served, events) = Bluetooth::connect()?.serve(members)?;
        Self::over(owner, served, Box::new(move || events.try_recv()), warp)
    }

    fn over(
        owner: UnixListener,
        served: Served,
        links: LinkSource,
        warp: Warp,
    ) -> Result<Arc<Self>, BluetoothError> {
        let mut random = [0; 4];
        getrandom::fill(&mut random).map_err(|e| BluetoothError::System(std::io::Error::other(e)))?;
        let group = Group::start(Clock::new(warp), links)?;
        Ok(Arc::new(Self { group, served, boot: u32::from_ne_bytes(random), _owner: owner }))
    }

    /// The group.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Sets a speaker's own volume, 0 to 127; one without stays as it is.
    pub fn set_volume(&self, address: Address, volume: u8) {
        self.served.set_volume(address, volume);
    }

    /// Tells this run of the program from others.
    pub fn boot(&self) -> u32 {
        self.boot
    }
}

/// A name that one process of the machine can have, gone with the process. Tests with a bus of their own
/// have a machine of their own.
fn own() -> Result<UnixListener, BluetoothError> {
    let bus = std::env::var("DBUS_SYSTEM_BUS_ADDRESS").unwrap_or_default();
    // An abstract name has at most 107 bytes; addresses differ in their ends.
    let bus: String = bus.chars().filter(char::is_ascii).collect();
    let name = format!("antiphon-bluetooth {}", &bus[bus.len().saturating_sub(80)..]);
    let address = SocketAddr::from_abstract_name(name).map_err(BluetoothError::System)?;
    UnixListener::bind_addr(&address).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => BluetoothError::InUse,
        _ => BluetoothError::System(error),
    })
}
