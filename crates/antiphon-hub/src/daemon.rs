//! Puts the threads together and takes them apart.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use antiphon_base::ClockId;
use antiphon_engine::HubEngineConfig;
use antiphon_net::{UdpPort, discovery};
use antiphon_proto::session::PROTOCOL;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};

use crate::http::{Shared, router, serve, watch_status};
use crate::local::{LocalDoor, reachable};
use crate::media::{Event, Media};
use crate::options::{HubError, HubOptions};
use crate::state::{Store, random_bytes};

/// Changes of settings that may wait for the disk: as many as a hub has speakers.
const EVENTS: usize = 512;

/// How long goodbyes may take to leave: a round trip, and no more than a person waits at Ctrl-C.
const FAREWELL: Duration = Duration::from_millis(300);

/// Tries to find one number free for both protocols when the system chooses the port.
const PORT_TRIES: usize = 16;

/// A hub.
#[derive(Debug)]
pub struct HubDaemon;

/// A hub that runs; it stops when this is dropped.
pub struct HubHandle {
    listen: SocketAddr,
    media: Media,
    threads: Vec<JoinHandle<()>>,
    stop_control: Option<oneshot::Sender<()>>,
    _announcement: Option<discovery::Announcement>,
    _local: LocalDoor,
}

impl HubDaemon {
    /// Starts a hub: when this returns, speakers and players can reach it.
    ///
    /// # Errors
    /// See [`HubError`]; nothing is left running.
    pub fn start(options: HubOptions) -> Result<HubHandle, HubError> {
        options.check()?;
        let store = Arc::new(Store::open(&options.state_dir)?);
        let (control, port) = bind(options.listen)?;
        let listen = control.local_addr()?;
        let local =
            LocalDoor::open(&options.runtime_dir, store.clone(), &options.name, options.open, listen)?;
        let clock = ClockId(u32::from_le_bytes(random_bytes()?));
        let config = HubEngineConfig {
            clock,
            name: options.name.clone(),
            latency: options.latency,
            open: options.open,
        };
        let (events, queue) = mpsc::channel(EVENTS);
        let hub_id = store.identity().speaker_id().to_string();
        let (media, media_thread) = Media::start(config, port, events)?;
        let shared =
            Shared::new(media.clone(), store.clone(), options.name.clone(), options.open, clock, listen);
        let (stop_control, stopped) = oneshot::channel();
        let control_thread = spawn_control(control, Arc::new(shared), keep_settings(store, queue), stopped)?;
        Ok(HubHandle {
            listen,
            media,
            threads: vec![media_thread, control_thread],
            stop_control: Some(stop_control),
            _announcement: options.mdns.then(|| announce(&options.name, listen, &hub_id)).flatten(),
            _local: local,
        })
    }
}

impl HubHandle {
    /// Where it listens.
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Where a process of this machine reaches it.
    pub fn addr(&self) -> SocketAddr {
        reachable(self.listen)
    }

    /// Whether its threads still run; a hub does not end by itself.
    pub fn is_running(&self) -> bool {
        self.threads.iter().all(|thread| !thread.is_finished())
    }

    /// Says goodbye to the speakers, keeps what is to be kept, and ends.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for HubHandle {
    fn drop(&mut self) {
        // Already ended: there is nobody to tell.
        let _ = self.media.tell(crate::media::Core::shut_down);
        if let Some(stop) = self.stop_control.take() {
            let _ = stop.send(());
        }
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the hub had panicked");
            }
        }
    }
}

impl std::fmt::Debug for HubHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HubHandle({})", self.listen)
    }
}

/// One port number for both protocols.
fn bind(listen: SocketAddr) -> Result<(TcpListener, UdpPort), HubError> {
    let refused = |error: io::Error| match error.kind() {
        ErrorKind::AddrInUse => HubError::PortInUse { host: listen.ip().to_string(), port: listen.port() },
        _ => HubError::Listen { listen, source: error },
    };
    let mut tries = if listen.port() == 0 { PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        let control = TcpListener::bind(listen).map_err(refused)?;
        match UdpPort::bind(control.local_addr().map_err(refused)?) {
            Ok(port) => {
                control.set_nonblocking(true)?;
                return Ok((control, port));
            }
            Err(error) if error.kind() == ErrorKind::AddrInUse && tries > 0 => {}
            Err(error) => return Err(refused(error)),
        }
    }
}

fn spawn_control(
    listener: TcpListener,
    shared: Arc<Shared>,
    keeper: impl Future<Output = ()> + Send + 'static,
    stopped: oneshot::Receiver<()>,
) -> Result<JoinHandle<()>, HubError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = {
        let _context = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    let thread = std::thread::Builder::new()
        .name("antiphon-control".into())
        .spawn(move || run_control(&runtime, listener, shared, keeper, stopped))?;
    Ok(thread)
}

fn run_control(
    runtime: &Runtime,
    listener: tokio::net::TcpListener,
    shared: Arc<Shared>,
    keeper: impl Future<Output = ()> + Send + 'static,
    stopped: oneshot::Receiver<()>,
) {
    runtime.block_on(async move {
        let keeper = tokio::spawn(keeper);
        tokio::select! {
            () = serve(listener, router(shared.clone())) => {}
            () = watch_status(shared) => {}
            _ = stopped => {}
        }
        // The keeper ends when the media thread has told it everything; sessions say goodbye meanwhile.
        let _ = tokio::time::timeout(FAREWELL, async {
            let _ = keeper.await;
            tokio::time::sleep(FAREWELL).await;
        })
        .await;
    });
}

/// Writes changes of settings down, those that came while it wrote together: a volume that is being turned
/// changes more often than a slow disk writes.
async fn keep_settings(store: Arc<Store>, mut events: mpsc::Receiver<Event>) {
    let mut changes = Vec::new();
    while events.recv_many(&mut changes, EVENTS).await > 0 {
        let (store, changes) = (store.clone(), std::mem::take(&mut changes));
        let settings = changes.into_iter().map(|Event::Settings(id, name, settings)| (id, name, settings));
        let written = tokio::task::spawn_blocking(move || store.set_all(settings)).await;
        if let Ok(Err(error)) = written {
            tracing::error!("settings are not kept: {error}");
        }
    }
}

/// A hub that cannot announce itself still serves everybody who knows its address.
fn announce(name: &str, listen: SocketAddr, hub_id: &str) -> Option<discovery::Announcement> {
    let advert = discovery::Advert {
        name: name.to_owned(),
        port: listen.port(),
        hub_id: hub_id.to_owned(),
        version: PROTOCOL.to_string(),
        path: "/session".to_owned(),
    };
    match discovery::advertise(&advert) {
        Ok(announcement) => Some(announcement),
        Err(error) => {
            tracing::warn!("the hub is not announced in the network: {error}");
            None
        }
    }
}
