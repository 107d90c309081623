//! Questions over the network.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::Token;
use crate::packet::{MAX_PACKET, PacketError, hello, open, read_header, seal};

/// Where devices listen.
pub const PORT: u16 = 54_321;

/// A device that has answered a hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Where it is.
    pub address: SocketAddr,
    /// Its number.
    pub id: u32,
    /// Its time, in seconds since it was switched on.
    pub stamp: u32,
    /// It told its token to whoever asks: it was never set up.
    pub token: Option<Token>,
}

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
pub enum MiioError {
    /// The system refused a socket, or there is no way there.
    #[error("cannot send to {to}: {source}; check the address and this machine's network")]
    Network {
        /// Where to.
        to: SocketAddr,
        /// The system's own words.
        source: io::Error,
    },
    /// Not even a hello.
    #[error(
        "{0} does not answer: is it a Xiaomi Wi-Fi device, on, and in this network? Bluetooth speakers have no \
         network and tell their firmware to the maker's app alone"
    )]
    Silent(SocketAddr),
    /// It says hello and answers no question.
    #[error(
        "{0} is there and does not answer the question: most likely the token is wrong; it changes whenever the \
         device is set up anew, so get it again"
    )]
    WrongToken(SocketAddr),
    /// It answers with something else.
    #[error("{0} answers with what is no answer; is it a Xiaomi device?")]
    Garbage(SocketAddr),
}

/// A hello is sent as often: UDP may lose two.
const HELLOS: u32 = 3;

/// Between two of the same.
const AGAIN: Duration = Duration::from_millis(300);

/// A device in one's own network answers within a tenth of it; all of a question takes at most twice this.
const PATIENCE: Duration = Duration::from_millis(1_200);

/// Says hello to `to`, a device or a broadcast address, and tells each device once as it answers, for `time`.
///
/// # Errors
/// The network refuses.
pub fn discover(
    to: SocketAddr,
    time: Duration,
    each: &mut dyn FnMut(&Device),
) -> Result<Vec<Device>, MiioError> {
    let socket = socket(to)?;
    let end = Instant::now() + time;
    let mut found: Vec<Device> = Vec::new();
    let mut said = 0;
    loop {
        if said < HELLOS {
            send(&socket, &hello(), to)?;
            said += 1;
        }
        let until = if said < HELLOS { end.min(Instant::now() + AGAIN) } else { end };
        while let Some((bytes, from)) = receive(&socket, until) {
            if let Some(device) = device(&bytes, from)
                && !found.iter().any(|known| known.address == device.address)
                && found.len() < MOST
            {
                each(&device);
                found.push(device);
            }
        }
        if Instant::now() >= end {
            return Ok(found);
        }
    }
}

/// More devices than a house has; somebody who floods fills no memory.
const MOST: usize = 1_000;

/// Asks the device at `to` one question and gives its answer, both as texts. Takes at most 3 s.
///
/// # Errors
/// Nobody answers, garbage comes, or the token is not the device's.
pub fn ask(to: SocketAddr, token: &Token, question: &[u8]) -> Result<(Device, Vec<u8>), MiioError> {
    let socket = socket(to)?;
    let device = first_hello(&socket, to)?;
    // A device takes a question once for each stamp, and none from before its own time.
    let bytes = seal(token, device.id, device.stamp.wrapping_add(1), question);
    let end = Instant::now() + PATIENCE;
    let mut worst = MiioError::WrongToken(to);
    while Instant::now() < end {
        send(&socket, &bytes, to)?;
        while let Some((answer, _)) = receive(&socket, end.min(Instant::now() + AGAIN)) {
            match open(token, &answer) {
                Ok(text) if !text.is_empty() => return Ok((device, text)),
                // A late answer to a hello.
                Ok(_) => {}
                Err(PacketError::OtherToken) if answer.len() == hello().len() => {}
                Err(PacketError::OtherToken) => return Err(MiioError::WrongToken(to)),
                Err(PacketError::Nonsense) => worst = MiioError::Garbage(to),
            }
        }
    }
    Err(worst)
}

fn first_hello(socket: &UdpSocket, to: SocketAddr) -> Result<Device, MiioError> {
    let end = Instant::now() + PATIENCE;
    let mut silence = MiioError::Silent(to);
    while Instant::now() < end {
        send(socket, &hello(), to)?;
        while let Some((bytes, from)) = receive(socket, end.min(Instant::now() + AGAIN)) {
            match device(&bytes, from) {
                Some(device) => return Ok(device),
                None => silence = MiioError::Garbage(to),
            }
        }
    }
    Err(silence)
}

fn device(bytes: &[u8], from: SocketAddr) -> Option<Device> {
    let header = read_header(bytes).ok().filter(|_| bytes.len() == hello().len() && bytes != hello())?;
    Some(Device {
        address: from,
        id: header.device,
        stamp: header.stamp,
        token: Token::exposed(header.checksum),
    })
}

fn socket(to: SocketAddr) -> Result<UdpSocket, MiioError> {
    let made = || -> io::Result<UdpSocket> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_broadcast(true)?;
        socket.bind(&SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)).into())?;
        Ok(socket.into())
    };
    made().map_err(|source| MiioError::Network { to, source })
}

fn send(socket: &UdpSocket, bytes: &[u8], to: SocketAddr) -> Result<(), MiioError> {
    match socket.send_to(bytes, to) {
        // Nobody listens there: the next send is told so; silence is what it amounts to.
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        sent => sent.map(|_| ()).map_err(|source| MiioError::Network { to, source }),
    }
}

/// The next datagram before `until`.
fn receive(socket: &UdpSocket, until: Instant) -> Option<(Vec<u8>, SocketAddr)> {
    let mut bytes = [0; MAX_PACKET + 1];
    loop {
        let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        socket.set_read_timeout(Some(left)).ok()?;
        match socket.recv_from(&mut bytes) {
            Ok((length, from)) => return Some((bytes[..length].to_vec(), from)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return None,
            Err(_) => {}
        }
    }
}
