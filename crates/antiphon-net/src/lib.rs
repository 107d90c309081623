//! Law: edge: sockets, clocks and timers of this machine; no policy, and nothing about audio.
//!
//! What the shells need of the operating system: a clock (that tests may warp), UDP with kernel
//! receive timestamps, a wait with nanosecond timeouts, discovery of hubs; and two instruments, a
//! relay that behaves like a bad network and a witness of this machine's own stalls.

mod addresses;

mod clock;

mod stamps;

mod noise;

mod thread;

mod udp;

mod wait;

pub mod discovery;

pub mod impair;

pub mod witness;

pub use addresses::lan_address;
pub use clock::{Clock, Warp, WarpError, raw_now, sleep_until};
pub use noise::Noise;
pub use stamps::StampBridge;
pub use thread::{low_priority, precise_timers, real_time_priority};
pub use udp::{Batch, UdpCounters, UdpPort};
pub use wait::{Waiter, Waker, Woken};
