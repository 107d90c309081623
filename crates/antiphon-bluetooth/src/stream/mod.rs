//! The speakers of this machine as one group: one thread sends every one of them the same number of
//! samples, and each is a sink like any other to its agent.
//!
//! [`Group::start`] takes what [`LinkEvent`]s say; [`Group::sink`] gives the sink of one speaker,
//! whether it is connected or not. [`Group::status`] says how its link stands.

mod pace;

mod packet;

mod socket;

mod radio;

mod status;

mod sender;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use antiphon_audio::sink::{Render, Running, Sink, SinkError, SinkEvent, SinkFormat};
use antiphon_base::{Frames, Local, SampleRate, Span};
use antiphon_net::Clock;

use crate::{Address, ChannelWish, LinkEvent};
use sender::{Attach, Sender};

pub use pace::Counters;
pub use status::{ASSUMED_DELAY, LinkState, LinkStatus, codec_text};

/// Sinks that may wait to be taken in: as many as anybody has speakers, twice over.
const ERRANDS: usize = 64;

/// Where link events come from: the next one, if there is one; it must not wait.
pub type LinkSource = Box<dyn FnMut() -> Option<LinkEvent> + Send>;

type Shared = Arc<Mutex<BTreeMap<Address, LinkStatus>>>;

/// The group; dropping it ends its thread.
#[derive(Debug)]
pub struct Group {
    attach: SyncSender<Attach>,
    shared: Shared,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Group {
    /// Starts a group without members, whose links come and go by `links`. Position stamps are given in
    /// `clock`.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(clock: Clock<Local>, links: LinkSource) -> Result<Self, SinkError> {
        let (attach, errands) = sync_channel(ERRANDS);
        let (shared, stop) = (Shared::default(), Arc::new(AtomicBool::new(false)));
        let mut sender = Sender::new(clock, errands, links, Arc::clone(&shared));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("bluetooth".into())
            .spawn(move || sender.run(&stopped))
            .map_err(SinkError::Thread)?;
        Ok(Self { attach, shared, stop, thread: Some(thread) })
    }

    /// The sink of a speaker. Its format is what is known of the speaker: open it anew when
    /// [`SinkEvent::Reopen`] says that more is known.
    pub fn sink(&self, address: Address, wish: ChannelWish) -> Box<dyn Sink> {
        let rate = self.status(address).sbc.map_or(SampleRate::MEDIA, |sbc| sbc.rate());
        let channels = if wish == ChannelWish::Stereo { 2 } else { 1 };
        Box::new(BluetoothSink { address, rate, channels, attach: self.attach.clone() })
    }

    /// Whether the link to a speaker is up, and if not, how it stands.
    pub fn state(&self, address: Address) -> LinkState {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.get(&address).map_or(LinkState::Connecting, |status| status.state)
    }

    /// Whether a speaker is known to have a volume of its own.
    pub fn has_volume(&self, address: Address) -> bool {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.get(&address).is_some_and(|status| status.volume.is_some())
    }

    /// All that is known of the link to a speaker.
    pub fn status(&self, address: Address) -> LinkStatus {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.get(&address).cloned().unwrap_or_default()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the Bluetooth thread panicked; this is a fault of the program");
        }
    }
}

/// One speaker of the group as a sink.
struct BluetoothSink {
    address: Address,
    rate: SampleRate,
    channels: u16,
    attach: SyncSender<Attach>,
}

impl Sink for BluetoothSink {
    fn format(&self) -> SinkFormat {
        SinkFormat {
            rate: self.rate,
            channels: self.channels,
            period: Frames(pace::MOST_SAMPLES),
            // A packet is rendered when its first frame is due.
            latency: Span::ZERO,
        }
    }

    fn start(
        self: Box<Self>,
        render: Render,
        events: rtrb::Producer<SinkEvent>,
    ) -> Result<Running, SinkError> {
        let stop = Arc::new(AtomicBool::new(false));
        let attach = Attach {
            address: self.address,
            rate: self.rate,
            channels: self.channels,
            render,
            events,
            stop: Arc::clone(&stop),
        };
        let full = || std::io::Error::other("the Bluetooth thread takes no more speakers");
        self.attach.try_send(attach).map_err(|_| SinkError::Thread(full()))?;
        Ok(Running::new(stop))
    }
}
