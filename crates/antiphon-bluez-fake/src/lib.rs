//! Law: edge, for tests only: an `org.bluez` that exists only on a private bus; no other crate's code.
//!
//! What tests play against where the real BlueZ would be: an object manager with adapters, devices,
//! media endpoints and transports, whose sockets end in the test. [`FakeBluez::start`] brings up
//! the bus and the service; [`Speaker`] scripts what is in reach.

mod calls;

mod daemon;

mod objects;

mod private_bus;

mod speaker;

mod stream;

mod world;

mod fake;

pub use fake::FakeBluez;
pub use speaker::{Answer, Fault, Pairing, Speaker, Vanishes};
