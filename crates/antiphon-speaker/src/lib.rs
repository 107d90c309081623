//! Law: a shell: sockets, threads and files around [`antiphon_engine::SpeakerEngine`]; no audio arithmetic.
//!
//! The speaker agent: finds a hub, joins it, plays, and comes back for ever. Three threads: the
//! sink's (real-time, renders), this crate's *speaker thread* (UDP, the engine), and its *control
//! thread* (the WebSocket to the hub).

mod store;

mod control;

mod bluetooth;

pub mod pairs;

mod output;

mod agent;

mod process;

mod load;

pub use agent::{AgentConfig, AgentError, run};
pub use bluetooth::{BluetoothError, BluetoothHost};
pub use load::{LoadConfig, LoadReport, load};
pub use process::{Usage, UsageMeter};
pub use store::{SpeakerStore, StoreError};
