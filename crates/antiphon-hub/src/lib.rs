//! Law: a shell: sockets, threads and files around the hub engine; no rule of the protocol is decided here.
//!
//! [`HubDaemon::start`] binds one port for both protocols, TCP for control and UDP for media and
//! clock, and runs three threads: *media* owns the [`HubEngine`](antiphon_engine::HubEngine) and
//! the UDP socket and never waits for anybody; *control* runs every WebSocket and HTTP request on
//! one-threaded tokio; *local* answers processes of this machine on a Unix socket. Control and
//! local reach the engine only by errands through a bounded queue.

mod options;

mod state;

mod media;

mod convert;

mod tls;

mod http;

mod local;

mod daemon;

pub use daemon::{HubDaemon, HubHandle};
pub use options::{HubError, HubOptions, MAX_LATENCY, MIN_LATENCY};
