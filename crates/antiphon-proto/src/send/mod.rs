//! From source frames to datagrams: route, packetize, protect, pace, fan out.

pub mod route;

pub mod variant;

pub mod packetize;

pub mod history;

pub mod pace;

pub mod fanout;

pub use fanout::FanOut;
pub use history::History;
pub use pace::Pace;
pub use packetize::{MAX_PAYLOAD, packet_frames};
pub use route::route;
pub use variant::Variant;
