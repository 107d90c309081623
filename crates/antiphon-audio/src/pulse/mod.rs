//! The desktop's sound server: PulseAudio's native protocol, which PipeWire speaks as well.
//!
//! What is asked of a server is here: where it is, messages, a connection, its devices. What streams do is beside what they
//! are for. Messages are encoded by the crate `pulseaudio`; its client is not used, since it tells nothing of
//! streams that were moved, killed or ran dry, and takes no time stamps.

mod place;

mod wire;

mod connection;

mod device;

pub use connection::ServerError;
pub(crate) use connection::{Connection, Message, text};
pub use device::{Echo, OutputDevice, echo, output_devices};
pub(crate) use device::{Server, find_sink, find_source, played_through, sinks, sources};
pub(crate) use wire::Wire;
