//! A relay that behaves like a bad network: `antiphon impair`.
//!
//! It listens on UDP and TCP at one port and passes everything on to one server and back, late and
//! with losses, by a stated model ([`PathModel`]) from a seed. Every client has its own path. TCP is
//! only delayed: the model's losses would be repaired below it.

mod model;

mod udp;

mod tcp;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use antiphon_base::{Span, Timestamp, True};

use crate::clock::raw_now;
use crate::udp::UdpPort;
use crate::wait::{Waiter, Waker};
pub use model::{Blackout, Delay, Fate, Jitter, Loss, ParseImpairError, PathModel, parse_span};

/// How often a free port is looked for that UDP and TCP both have.
const PORT_TRIES: usize = 16;

/// What a [`Relay`] does.
#[derive(Debug, Clone, PartialEq)]
pub struct RelayConfig {
    /// Where clients come; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The server.
    pub to: SocketAddr,
    /// The fixed part of the way, each way.
    pub delay: Delay,
    /// The varying part of the delay.
    pub jitter: Jitter,
    /// Lost datagrams, if any.
    pub loss: Option<Loss>,
    /// Whether a datagram waits for those before it, as in one queue; otherwise jitter reorders.
    pub keep_order: bool,
    /// When nothing passes at all, counted from the relay's start.
    pub blackouts: Vec<Blackout>,
    /// Seed of all randomness.
    pub seed: u64,
}

impl RelayConfig {
    /// A perfect path from `listen` to `to`.
    pub fn perfect(listen: SocketAddr, to: SocketAddr) -> Self {
        Self {
            listen,
            to,
            delay: Delay::default(),
            jitter: Jitter::None,
            loss: None,
            keep_order: false,
            blackouts: Vec::new(),
            seed: 1,
        }
    }
}

/// What became of the datagrams and connections of a [`Relay`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RelayCounters {
    /// Datagrams passed on, both ways.
    pub passed: u64,
    /// Datagrams that the loss model took.
    pub lost: u64,
    /// Datagrams that came in or fell due in a blackout.
    pub blacked_out: u64,
    /// Datagrams refused because a bound was reached: clients, or datagrams under way.
    pub refused: u64,
    /// TCP connections taken.
    pub connections: u64,
    /// The largest time by which a datagram left after it was due.
    pub worst_late: Span,
}

/// Makes relays.
#[derive(Debug)]
pub struct Relay;

impl Relay {
    /// Binds and starts.
    ///
    /// # Errors
    /// The address is taken or not this machine's, or the system gives no thread.
    pub fn start(config: RelayConfig) -> io::Result<RelayHandle> {
        let (listener, port) = bind(config.listen)?;
        let local = port.local_addr();
        let waiter = Waiter::new(&port)?;
        let shared = Arc::new(Shared::new(config));
        let mut handle = RelayHandle { shared, waker: waiter.waker(), local, threads: Vec::new() };
        let shared = Arc::clone(&handle.shared);
        handle.adopt("relay-udp", move || udp::run(port, waiter, &shared))?;
        let shared = Arc::clone(&handle.shared);
        handle.adopt("relay-tcp", move || tcp::run(&listener, &shared))?;
        Ok(handle)
    }
}

/// A running relay; dropping it ends it.
#[derive(Debug)]
pub struct RelayHandle {
    shared: Arc<Shared>,
    waker: Waker,
    local: SocketAddr,
    threads: Vec<JoinHandle<()>>,
}

impl RelayHandle {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Lets nothing pass, or everything again; beside the blackouts of the configuration.
    pub fn set_blackout(&self, dark: bool) {
        self.shared.dark.store(dark, Ordering::Release);
    }

    /// Whether nothing passes.
    pub fn is_dark(&self) -> bool {
        self.shared.is_dark(raw_now())
    }

    /// What became of everything so far.
    pub fn counters(&self) -> RelayCounters {
        let connections = self.shared.connections.load(Ordering::Relaxed);
        RelayCounters { connections, ..*self.shared.counters.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    /// Ends it, with all its connections.
    pub fn stop(self) {}

    fn adopt(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads.push(std::thread::Builder::new().name(name.to_owned()).spawn(work)?);
        Ok(())
    }
}

impl Drop for RelayHandle {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        self.waker.wake();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a relay thread panicked");
            }
        }
    }
}

#[derive(Debug)]
struct Shared {
    config: RelayConfig,
    start: Timestamp<True>,
    stop: AtomicBool,
    dark: AtomicBool,
    connections: AtomicU64,
    counters: Mutex<RelayCounters>,
}

impl Shared {
    fn new(config: RelayConfig) -> Self {
        Self {
            config,
            start: raw_now(),
            stop: AtomicBool::new(false),
            dark: AtomicBool::new(false),
            connections: AtomicU64::new(0),
            counters: Mutex::default(),
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    fn is_dark(&self, now: Timestamp<True>) -> bool {
        let since = now - self.start;
        self.dark.load(Ordering::Acquire)
            || self.config.blackouts.iter().any(|blackout| blackout.covers(since))
    }
}

/// TCP first: a free port that it gives is mostly free for UDP too.
fn bind(addr: SocketAddr) -> io::Result<(TcpListener, UdpPort)> {
    let mut tries_left = if addr.port() == 0 { PORT_TRIES } else { 1 };
    loop {
        let listener = TcpListener::bind(addr)?;
        tries_left -= 1;
        match UdpPort::bind(listener.local_addr()?) {
            Ok(port) => return Ok((listener, port)),
            Err(error) if tries_left == 0 => return Err(error),
            Err(_) => {}
        }
    }
}
