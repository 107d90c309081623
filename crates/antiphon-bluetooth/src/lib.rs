//! Law: edge, Linux: BlueZ over D-Bus and the sockets of its transports; no policy about programmes.
//!
//! Bluetooth speakers as outputs: finding and pairing them ([`Address`] names one), endpoints of
//! our own for any number of them on one adapter, and their links, over which one thread sends
//! every speaker of this machine the same number of samples.

mod address;

mod link;

pub use address::{Address, ParseAddressError};
pub use link::{ChannelWish, Down, Link, LinkEvent, Member};
