//! Puts the threads together and takes them apart.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use antiphon_api::json;
use antiphon_base::ClockId;
use antiphon_engine::HubEngineConfig;
use antiphon_net::{UdpPort, discovery};
use antiphon_proto::session::PROTOCOL;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::http::events::Events;
use crate::http::{Entrance, Https, Shared, places, router, serve, watch_status};
use crate::local::{LocalDoor, reachable};
use crate::media::{Event, Media};
use crate::options::{HubError, HubOptions, MAX_LATENCY, MIN_LATENCY};
use crate::services::{Change, Services, Tell};
use crate::state::{JoinCodes, Store, random_bytes};
use crate::tls::Certificate;

/// Changes of settings that may wait for the disk: as many as a hub has speakers.
const EVENTS: usize = 512;

/// How long goodbyes may take to leave: a round trip, and no more than a person waits at Ctrl-C.
const FAREWELL: Duration = Duration::from_millis(300);

/// How connections are encrypted.
type Tls = Arc<rustls::ServerConfig>;

/// Tries to find one number free for both protocols when the system chooses the port.
const PORT_TRIES: usize = 16;

/// A hub.
#[derive(Debug)]
pub struct HubDaemon;

/// A hub that runs; it stops when this is dropped.
pub struct HubHandle {
    listen: SocketAddr,
    https: Option<Https>,
    media: Media,
    services: Option<Arc<dyn Services>>,
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
        let store = Store::open(&options.state_dir)?;
        Self::start_with(options, store)
    }

    /// As [`start`](Self::start), with the latency that somebody set while it ran, where somebody did.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn resume(options: HubOptions) -> Result<HubHandle, HubError> {
        options.check()?;
        let store = Store::open(&options.state_dir)?;
        let latency = store.latency().unwrap_or(options.latency).clamp(MIN_LATENCY, MAX_LATENCY);
        Self::start_with(HubOptions { latency, ..options }, store)
    }

    fn start_with(options: HubOptions, store: Store) -> Result<HubHandle, HubError> {
        let store = Arc::new(store);
        let join_codes = JoinCodes::open(&options.state_dir)?;
        let (control, port) = bind(options.listen)?;
        let listen = control.local_addr()?;
        let local =
            LocalDoor::open(&options.runtime_dir, store.clone(), &options.name, options.open, listen)?;
        let https = options.https.and_then(|port| encrypted(&options, listen, port));
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
        let shown = https.as_ref().map(|(_, https)| https.clone());
        let services = options.services.clone();
        let shared =
            Shared::new(media.clone(), store.clone(), join_codes, clock, listen, shown.clone(), &options);
        let tell = teller(shared.events.clone());
        let (stop_control, stopped) = oneshot::channel();
        let control_thread = spawn_control(
            [Some((control, None)), https.map(|(entrance, _)| entrance)],
            Arc::new(shared),
            keep_settings(store, queue),
            stopped,
        )?;
        if let Some(services) = &services {
            services.begin(reachable(listen), tell);
        }
        Ok(HubHandle {
            listen,
            https: shown,
            media,
            services,
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

    /// Port of the encrypted page, where it is served, and SHA-256 of its certificate.
    pub fn https(&self) -> Option<(u16, &str)> {
        self.https.as_ref().map(|https| (https.port, https.fingerprint.as_str()))
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
        // While the hub still answers: players end as they do for everybody.
        if let Some(services) = &self.services {
            services.end();
        }
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

/// The listener of the encrypted page. A hub without it serves everybody but phones' microphones.
fn encrypted(
    options: &HubOptions,
    listen: SocketAddr,
    port: u16,
) -> Option<((TcpListener, Option<Tls>), Https)> {
    let open = || -> Result<_, HubError> {
        let certificate = Certificate::open(&options.state_dir, &options.name)?;
        let listen = SocketAddr::new(listen.ip(), port);
        let refused = |source| HubError::Listen { listen, source };
        let listener = TcpListener::bind(listen).map_err(refused)?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        Ok(((listener, Some(certificate.config)), Https { port, fingerprint: certificate.fingerprint }))
    };
    open().map_err(|error| tracing::warn!("the page is not served encrypted: {error}")).ok()
}

fn spawn_control(
    listeners: [Option<(TcpListener, Option<Tls>)>; 2],
    shared: Arc<Shared>,
    keeper: impl Future<Output = ()> + Send + 'static,
    stopped: oneshot::Receiver<()>,
) -> Result<JoinHandle<()>, HubError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let entrance = |(listener, tls): (TcpListener, Option<Tls>)| -> io::Result<Entrance> {
        let _context = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        Ok(Entrance { listener, tls: tls.map(Into::into) })
    };
    let entrances = listeners.into_iter().flatten().map(entrance).collect::<io::Result<Vec<_>>>()?;
    let thread = std::thread::Builder::new()
        .name("antiphon-control".into())
        .spawn(move || run_control(&runtime, entrances, shared, keeper, stopped))?;
    Ok(thread)
}

fn run_control(
    runtime: &Runtime,
    entrances: Vec<Entrance>,
    shared: Arc<Shared>,
    keeper: impl Future<Output = ()> + Send + 'static,
    stopped: oneshot::Receiver<()>,
) {
    runtime.block_on(async move {
        let keeper = tokio::spawn(keeper);
        let (router, places) = (router(shared.clone()), places());
        let mut serving = JoinSet::new();
        entrances.into_iter().for_each(|entrance| {
            serving.spawn(serve(entrance, router.clone(), places.clone()));
        });
        tokio::select! {
            _ = serving.join_next() => {}
            () = watch_status(shared) => {}
            _ = stopped => {}
        }
        serving.abort_all();
        // The keeper ends when the media thread has told it everything; sessions say goodbye meanwhile.
        let _ = tokio::time::timeout(FAREWELL, async {
            let _ = keeper.await;
            tokio::time::sleep(FAREWELL).await;
        })
        .await;
    });
}

/// What services tell goes to every page.
fn teller(events: Events) -> Tell {
    Arc::new(move |change| match change {
        Change::Queue(queue) => events.publish("queue", json::text(&queue)),
        Change::Job(job) => events.publish_one("job", &job.id, json::text(&job)),
    })
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
