//! Law: edge, Linux: BlueZ over D-Bus and the sockets of its transports; no policy about programmes.
//!
//! Bluetooth speakers as outputs: finding and pairing them ([`Bluetooth::scan`],
//! [`Bluetooth::pair`]), endpoints of our own for any number of them on one adapter
//! ([`Bluetooth::serve`]), and their links, over which one thread sends every speaker of this
//! machine the same number of samples. What can be the matter is a [`Trouble`], in plain words.

mod address;

mod link;

mod bluetooth;

mod bus;

mod tree;

mod adapters;

mod rfkill;

mod version;

mod trouble;

mod facts;

mod makers;

mod gatt;

mod scan;

mod agent;

mod pair;

mod sbc;

mod endpoint;

mod serve;

mod events;

pub mod stream;

pub use address::{Address, ParseAddressError};
pub use agent::PairingAgent;
pub use bluetooth::Bluetooth;
pub use events::LinkEvents;
pub use facts::{Facts, Kind, SinkCodec};
pub use gatt::Told;
#[doc(hidden)]
pub use gatt::gatt_text;
pub use link::{ChannelWish, Down, Link, LinkEvent, Member};
pub use pair::Step;
pub use sbc::{SbcCapabilities, SbcOctetsError};
pub use serve::Served;
pub use tree::Adapter;
pub use trouble::{Trouble, Who};
pub use version::{BluezVersion, bluez_version, hazards};
