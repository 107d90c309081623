//! The relay's datagrams: one thread, every datagram sent when it is due.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::PoisonError;

use antiphon_base::{Span, Timestamp, True};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use super::model::{Fate, PathModel};
use super::{RelayCounters, Shared};
use crate::clock::{Clock, Warp, raw_now};
use crate::thread::{precise_timers, real_time_priority};
use crate::udp::{Batch, UdpPort};
use crate::wait::Waiter;

/// Each client has a socket of its own; more clients than this are another experiment.
const MAX_CLIENTS: usize = 512;

/// Datagrams under way: a hundred stereo streams of L24, delayed by two tenths of a second, twice.
const MAX_UNDER_WAY: usize = 65_536;

/// A client that has been silent for this long is forgotten, as address translators do.
const FORGET: Span = Span::from_s(60);

/// The longest sleep: idle clients and a blackout's begin are looked for so often.
const LOOK: Span = Span::from_ms(500);

/// The kernel wakes a thread this much late at the most, mostly; so long before the time the
/// thread is awake and looks at the clock.
const SPIN: Span = Span::from_us(60);

/// Passes datagrams until the relay is stopped.
pub(super) fn run(front: UdpPort, waiter: Waiter, shared: &Shared) {
    precise_timers();
    real_time_priority();
    let mut relay = UdpRelay::new(front, shared);
    while !shared.stopped() {
        if let Err(error) = relay.turn(&waiter) {
            tracing::error!("the relay's sockets are broken: {error}; no datagrams pass");
            return;
        }
    }
}

struct UdpRelay<'a> {
    shared: &'a Shared,
    clock: Clock<True>,
    front: UdpPort,
    clients: BTreeMap<u64, Client>,
    next_client: u64,
    under_way: BinaryHeap<Reverse<Packet>>,
    next_packet: u64,
    counters: RelayCounters,
    batch: Batch,
}

struct Client {
    addr: SocketAddr,
    upstream: UdpPort,
    to_server: PathModel,
    back: PathModel,
    last_seen: Timestamp<True>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    ToServer,
    Back,
}

/// Ordered by when it is due, then by arrival.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Packet {
    due: Timestamp<True>,
    number: u64,
    client: u64,
    way: Way,
    bytes: Vec<u8>,
}

impl<'a> UdpRelay<'a> {
    fn new(front: UdpPort, shared: &'a Shared) -> Self {
        Self {
            shared,
            clock: Clock::new(Warp::default()),
            front,
            clients: BTreeMap::new(),
            next_client: 0,
            under_way: BinaryHeap::new(),
            next_packet: 0,
            counters: RelayCounters::default(),
            batch: Batch::new(),
        }
    }

    /// Waits for the next datagram or the next due time, and does what there is to do.
    fn turn(&mut self, waiter: &Waiter) -> io::Result<()> {
        self.wait(waiter)?;
        self.take_from_clients()?;
        self.take_from_server()?;
        self.send_due();
        self.forget_idle();
        *self.shared.counters.lock().unwrap_or_else(PoisonError::into_inner) = self.counters;
        Ok(())
    }

    fn wait(&self, waiter: &Waiter) -> io::Result<()> {
        let due = self.under_way.peek().map(|Reverse(packet)| packet.due);
        let left = due.map_or(LOOK, |due| (due - raw_now()).min(LOOK));
        if left <= SPIN {
            while due.is_some_and(|due| raw_now() < due) {
                std::hint::spin_loop();
            }
            return Ok(());
        }
        let wait_fd = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let upstreams = self.clients.values().map(|client| wait_fd(client.upstream.as_fd()));
        let mut fds: Vec<_> =
            [wait_fd(self.front.as_fd()), wait_fd(waiter.event_fd())].into_iter().chain(upstreams).collect();
        match ppoll(&mut fds, Some(TimeSpec::from((left - SPIN).to_std())), None) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn take_from_clients(&mut self) -> io::Result<()> {
        loop {
            let mut taken = Vec::new();
            self.front.recv(&self.clock, |from, at, bytes| taken.push((from, at, bytes.to_vec())))?;
            if taken.is_empty() {
                return Ok(());
            }
            for (from, at, bytes) in taken {
                match self.client(from, at) {
                    Some(id) => self.accept(id, Way::ToServer, at, bytes),
                    None => self.counters.refused += 1,
                }
            }
        }
    }

    fn take_from_server(&mut self) -> io::Result<()> {
        let server = self.shared.config.to;
        let mut taken = Vec::new();
        for (id, client) in &mut self.clients {
            let from_server = |from, at, bytes: &mut [u8]| {
                if from == server {
                    taken.push((*id, at, bytes.to_vec()));
                }
            };
            client.upstream.recv(&self.clock, from_server)?;
        }
        for (id, at, bytes) in taken {
            self.accept(id, Way::Back, at, bytes);
        }
        Ok(())
    }

    fn accept(&mut self, id: u64, way: Way, at: Timestamp<True>, bytes: Vec<u8>) {
        if self.shared.is_dark(at) {
            self.counters.blacked_out += 1;
            return;
        }
        if self.under_way.len() >= MAX_UNDER_WAY {
            self.counters.refused += 1;
            return;
        }
        let Some(client) = self.clients.get_mut(&id) else { return };
        let path = if way == Way::ToServer { &mut client.to_server } else { &mut client.back };
        match path.fate(at) {
            Fate::Lost => self.counters.lost += 1,
            Fate::Due(due) => {
                self.next_packet += 1;
                self.under_way.push(Reverse(Packet {
                    due,
                    number: self.next_packet,
                    client: id,
                    way,
                    bytes,
                }));
            }
        }
    }

    fn send_due(&mut self) {
        while self.under_way.peek().is_some_and(|Reverse(packet)| packet.due <= raw_now()) {
            let Some(Reverse(packet)) = self.under_way.pop() else { return };
            if self.shared.is_dark(packet.due) {
                self.counters.blacked_out += 1;
                continue;
            }
            let Some(client) = self.clients.get_mut(&packet.client) else { continue };
            let late = raw_now() - packet.due;
            let (port, to) = match packet.way {
                Way::ToServer => (&mut client.upstream, self.shared.config.to),
                Way::Back => (&mut self.front, client.addr),
            };
            self.batch.push(to, &packet.bytes);
            port.send(&mut self.batch);
            self.counters.passed += 1;
            self.counters.worst_late = self.counters.worst_late.max(late);
        }
    }

    /// The client at `addr`, a new one if need be; `None` where there are too many.
    fn client(&mut self, addr: SocketAddr, at: Timestamp<True>) -> Option<u64> {
        let known = self.clients.iter_mut().find(|(_, client)| client.addr == addr);
        if let Some((id, client)) = known {
            client.last_seen = at;
            return Some(*id);
        }
        if self.clients.len() >= MAX_CLIENTS {
            return None;
        }
        let id = self.next_client;
        let client = self.new_client(addr, id, at).inspect_err(|error| {
            tracing::warn!("no socket for client {addr}: {error}; its datagrams are dropped");
        });
        self.clients.insert(id, client.ok()?);
        self.next_client += 1;
        Some(id)
    }

    fn new_client(&self, addr: SocketAddr, id: u64, at: Timestamp<True>) -> io::Result<Client> {
        let config = &self.shared.config;
        let any: IpAddr = match config.to {
            SocketAddr::V4(to) if to.ip().is_loopback() => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(to) if to.ip().is_loopback() => Ipv6Addr::LOCALHOST.into(),
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let path = |delay, way| {
            // Neighbouring seeds give unrelated sequences: SplitMix64 scrambles them.
            let seed = config.seed.wrapping_mul(1 << 20).wrapping_add(2 * id + way);
            PathModel::new(delay, config.jitter, config.loss, config.keep_order, seed)
        };
        Ok(Client {
            addr,
            upstream: UdpPort::bind(SocketAddr::new(any, 0))?,
            to_server: path(config.delay.to_server, 0),
            back: path(config.delay.back, 1),
            last_seen: at,
        })
    }

    fn forget_idle(&mut self) {
        let now = raw_now();
        self.clients.retain(|_, client| now - client.last_seen < FORGET);
    }
}
