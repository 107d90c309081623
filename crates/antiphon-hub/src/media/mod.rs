//! The media thread: the engine, its socket and its clock. It waits for time, datagrams and
//! errands, never for anybody's answer.

mod core;

mod lane;

mod browser;

mod source_seat;

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use antiphon_base::Span;
use antiphon_engine::{HubEngine, HubEngineConfig};
use antiphon_net::{UdpPort, Waiter, Waker};
use antiphon_proto::wire::MAX_DATAGRAM;
use tokio::sync::{mpsc, oneshot};

pub use self::browser::Visit;
pub use self::core::{Core, Event, Joined};
pub use self::lane::Lane;
pub use source_seat::SourceOffer;

/// Errands that may wait. Every session can have one under way and every request another; a queue
/// this long means that the media thread does not run at all.
const ERRANDS: usize = 1_024;

/// Something for the media thread to do between two datagrams; it must not wait.
type Errand = Box<dyn FnOnce(&mut Core) + Send>;

/// The way to the media thread.
#[derive(Clone)]
pub struct Media {
    errands: SyncSender<Errand>,
    waker: Waker,
}

/// The media thread takes no errands: it is stalled, or the hub is stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the hub is too busy or stopping; try again")]
pub struct Stalled;

impl Media {
    /// Starts the thread on `port`. Events are told through `events`; what does not fit is dropped
    /// and logged.
    ///
    /// # Errors
    /// The system refuses a thread or an event descriptor.
    pub fn start(
        config: HubEngineConfig,
        port: UdpPort,
        events: mpsc::Sender<Event>,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let waiter = Waiter::new(&port)?;
        let (errands, inbox) = sync_channel(ERRANDS);
        let media = Self { errands, waker: waiter.waker() };
        let core = Core::new(HubEngine::new(config), events);
        let thread = std::thread::Builder::new()
            .name("antiphon-media".into())
            .spawn(move || Loop { core, port, waiter, inbox }.run())?;
        Ok((media, thread))
    }

    /// Has `errand` done and returns its result.
    ///
    /// # Errors
    /// [`Stalled`] when the queue is full or the thread has ended.
    pub async fn ask<R: Send + 'static>(
        &self,
        errand: impl FnOnce(&mut Core) -> R + Send + 'static,
    ) -> Result<R, Stalled> {
        let (reply, answer) = oneshot::channel();
        self.tell(move |core| {
            // Nobody waits any more: the asker was cancelled.
            let _ = reply.send(errand(core));
        })?;
        answer.await.map_err(|_| Stalled)
    }

    /// Has `errand` done at the thread's next turn.
    ///
    /// # Errors
    /// [`Stalled`] when the queue is full or the thread has ended.
    pub fn tell(&self, errand: impl FnOnce(&mut Core) + Send + 'static) -> Result<(), Stalled> {
        match self.errands.try_send(Box::new(errand)) {
            Ok(()) => {
                self.waker.wake();
                Ok(())
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(Stalled),
        }
    }
}

/// Datagrams taken in a row before the engine gets its turn: a flood cannot stop the music.
const BATCHES_PER_TURN: usize = 8;

/// The loop also turns this often without cause, so that a missed deadline heals.
const LONGEST_WAIT: Span = Span::from_ms(500);

/// After a broken socket, the loop breathes this long: it keeps turning, without burning a core.
const BROKEN_SOCKET_PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

struct Loop {
    core: Core,
    port: UdpPort,
    waiter: Waiter,
    inbox: Receiver<Errand>,
}

impl Loop {
    fn run(mut self) {
        antiphon_net::precise_timers();
        let granted = antiphon_net::real_time_priority();
        tracing::debug!("real-time priority for the media thread: {granted}");
        let mut batch = antiphon_net::Batch::new();
        let mut datagram = Vec::with_capacity(MAX_DATAGRAM);
        while !self.core.is_stopping() {
            if self.sleep() {
                self.receive();
                // Replies to clock probes say when they leave: not after a burst for all speakers.
                self.send(&mut batch, &mut datagram);
            }
            self.inbox.try_iter().for_each(|errand| errand(&mut self.core));
            // Nor those of browsers, whose probes come as errands.
            self.send(&mut batch, &mut datagram);
            self.core.turn();
            self.send(&mut batch, &mut datagram);
        }
    }

    fn send(&mut self, batch: &mut antiphon_net::Batch, datagram: &mut Vec<u8>) {
        while let Some(to) = self.core.transmit(datagram) {
            batch.push(to, datagram);
        }
        self.port.send(batch);
    }

    /// Until something is due or comes; whether datagrams may wait.
    fn sleep(&self) -> bool {
        let wait = self.core.wait().min(LONGEST_WAIT);
        match self.waiter.wait(wait) {
            Ok(woken) => woken.readable,
            Err(error) => {
                tracing::error!("waiting failed: {error}");
                std::thread::sleep(BROKEN_SOCKET_PAUSE);
                true
            }
        }
    }

    fn receive(&mut self) {
        let clock = self.core.clock.clone();
        let core = &mut self.core;
        let handle = |from: std::net::SocketAddr, at, bytes: &mut [u8]| core.datagram(from, at, bytes);
        if let Err(error) = self.port.drain(&clock, BATCHES_PER_TURN, handle) {
            tracing::error!("the media socket failed: {error}");
            std::thread::sleep(BROKEN_SOCKET_PAUSE);
        }
    }
}
