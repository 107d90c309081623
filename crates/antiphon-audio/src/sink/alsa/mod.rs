//! A sound card by ALSA, or one of its channels.
//!
//! The card's thread renders what the card has room for each time it calls, and asks it where it is. Both channels of a
//! card may be two outputs: they share the thread, and each has its renderer.

mod driver;

mod place;

mod shared;

mod stream;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use antiphon_base::{Frames, Local};
use antiphon_net::Clock;

use super::{Render, Running, Sink, SinkError, SinkEvent, SinkFormat};
use crate::alsa::Trouble;
use crate::uri::DeviceUri;
use driver::{Slot, channels_of, period};
use shared::Lease;

/// A card, or a part of one, that is open and silent yet.
pub(crate) struct AlsaSink {
    uri: DeviceUri,
    clock: Clock<Local>,
    lease: Lease,
}

impl AlsaSink {
    /// Opens it.
    ///
    /// # Errors
    /// No such card or channel, or somebody has it.
    pub fn open(uri: &DeviceUri, clock: Clock<Local>) -> Result<Self, SinkError> {
        Ok(Self { lease: Lease::take(uri)?, uri: uri.clone(), clock })
    }
}

impl Sink for AlsaSink {
    fn format(&self) -> SinkFormat {
        let setup = self.lease.setup();
        let (_, channels) = channels_of(self.uri.part, usize::from(setup.channels));
        SinkFormat {
            rate: setup.rate,
            channels: channels as u16,
            period: period(setup.rate),
            latency: setup.rate.span_of(Frames(setup.buffer)),
        }
    }

    fn start(
        self: Box<Self>,
        render: Render,
        events: rtrb::Producer<SinkEvent>,
    ) -> Result<Running, SinkError> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut running = Running::new(Arc::clone(&stop));
        let Self { uri, clock, lease } = *self;
        lease.enter(Slot { part: uri.part, render, events, clock, stop });
        running.then(move || lease.see_out());
        Ok(running)
    }
}

fn failed(uri: &DeviceUri, trouble: Trouble) -> SinkError {
    let output = format!("alsa:{uri}");
    match trouble {
        Trouble::Unknown(nearest) => SinkError::Unknown { output, nearest },
        other => SinkError::Card { output, why: other.to_string() },
    }
}

fn in_use_here(uri: &DeviceUri) -> SinkError {
    let why = "another speaker of this program plays on it; two may share a card as its #left and its #right"
        .into();
    SinkError::Card { output: format!("alsa:{uri}"), why }
}
