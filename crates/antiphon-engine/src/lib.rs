//! Law: joins, and decides nothing about time or loss: sans-IO; no clock reads, sockets, threads; no unsafe.
//!
//! `antiphon-proto` moves packets and `antiphon-playout` renders frames, and neither knows the
//! other. This crate is where they meet, once for every use: the hub daemon drives a
//! [`HubEngine`], an agent drives a [`SpeakerEngine`], and the simulator drives both in virtual
//! time. What a shell adds is only sockets, threads and files.

mod source;

mod hub;

mod speaker;

pub use hub::{
    HubEngine, HubEngineConfig, HubEvent, PlayRefusal, SettingsChange, SourcePace, SourceSpec,
    SpeakerSnapshot, Target, Track, TransportState, TransportStatus, UnknownSpeaker,
};
pub use speaker::{EngineEvent, SpeakerEngine, SpeakerEngineConfig};
