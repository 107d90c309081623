//! The speaker thread: the engine between the UDP socket, the sink and the control thread.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use antiphon_audio::sink::{Changes, Running, SinkError, SinkEvent};
use antiphon_audio::uri::OutputUri;
use antiphon_base::{Frames, Local, Role, Span, Timestamp};
use antiphon_engine::{EngineEvent, SpeakerEngine, SpeakerEngineConfig};
use antiphon_net::{Batch, Clock, UdpPort, Waiter, Warp, precise_timers, raw_now, real_time_priority};
use antiphon_playout::{Controller, Renderer, RendererConfig};
use antiphon_proto::session::{
    Codec, Hello, LinkState, PROTOCOL, SpeakerMessage, SpeakerSettings, SpeakerState,
};
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::bluetooth::{BluetoothError, BluetoothHost};
use crate::control::{self, Channels, ControlConfig, FromControl, ToControl};
use crate::output::Output;
use crate::process::UsageMeter;
use crate::store::{SpeakerStore, StoreError};

/// What an agent is told at its start.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// Its name: what people play to.
    pub name: String,
    /// `HOST:PORT`; without it the hub on this machine, else one found by DNS-SD.
    pub hub: Option<String>,
    /// The role it asks for; the hub may remember another.
    pub role: Option<Role>,
    /// Where it plays.
    pub output: OutputUri,
    /// How its clock is made wrong on purpose, for tests.
    pub warp: Warp,
    /// Where its identity is kept.
    pub state_dir: PathBuf,
    /// Where a hub on this machine has its socket.
    pub runtime_dir: PathBuf,
    /// A pairing code, when it is to be paired by one.
    pub code: Option<String>,
    /// Whether it may join a hub without any seal.
    pub open: bool,
    /// What it offers to decode, best first.
    pub codecs: Vec<Codec>,
    /// The Bluetooth speakers of this machine, where the output is one of them.
    pub bluetooth: Option<Arc<BluetoothHost>>,
}

/// Why an agent could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The output.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The lasting state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The Bluetooth speakers.
    #[error(transparent)]
    Bluetooth(#[from] BluetoothError),
    /// A socket or a thread.
    #[error("cannot {0}: {1}")]
    System(&'static str, std::io::Error),
    /// The output stopped working while playing.
    #[error("the output {0} failed: {1}")]
    Output(String, String),
    /// The hub will not have it, and asking again cannot help.
    #[error("the hub refuses this speaker: {0}")]
    Refused(String),
}

/// The media ring: the longest target latency that the protocol allows is cut to what fits.
const RING: Span = Span::from_s(12);

/// The longest sleep while nothing is due: sink events and a stop are looked for this often.
const LONGEST_SLEEP: Span = Span::from_ms(50);

/// Sink events between two looks: a period of 64 frames gives 38 in 50 ms.
const SINK_EVENTS: usize = 1_024;

/// Runs an agent until `stop`.
///
/// # Errors
/// The output or the state cannot be used; a hub that is not there is no error, it is waited for.
pub fn run(config: AgentConfig, stop: Arc<AtomicBool>) -> Result<(), AgentError> {
    let mut agent = Agent::start(config, Arc::clone(&stop))?;
    let result = agent.serve(&stop);
    agent.shut_down(&stop);
    result
}

struct Agent {
    clock: Clock<Local>,
    output: Output,
    engine: SpeakerEngine,
    port: UdpPort,
    waiter: Waiter,
    batch: Batch,
    hub: Option<SocketAddr>,
    sink: Option<Running>,
    sink_events: rtrb::Consumer<SinkEvent>,
    /// Why it does not come back, while it is away.
    why_away: Changes,
    from_control: Receiver<FromControl>,
    to_control: Sender<ToControl>,
    wake_control: Arc<EventFd>,
    control: Option<JoinHandle<()>>,
    usage: UsageMeter,
    link_state: Option<LinkState>,
}

impl Agent {
    fn start(config: AgentConfig, stop: Arc<AtomicBool>) -> Result<Self, AgentError> {
        let clock = Clock::new(config.warp);
        let mut random = [0; 32];
        getrandom::fill(&mut random)
            .map_err(|e| AgentError::System("get random bytes", std::io::Error::other(e)))?;
        let store = SpeakerStore::open(&config.state_dir, &config.name, random)?;
        let output = Output::new(&config, &clock)?;
        let Opened { running, events: sink_events, controller, config: engine_config } = open(&output)?;
        let settings =
            SpeakerSettings { role: config.role.unwrap_or_default(), ..SpeakerSettings::default() };
        let mut engine = SpeakerEngine::new(engine_config.clone(), controller, settings);
        engine.set_output_delay(clock.now(), output.delay_behind());
        let control_config = control_config(&config, &engine_config, engine.min_latency());
        // Dual stack, so that a hub found under either family is reached.
        let any = SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 0));
        let port = UdpPort::bind(any)
            .or_else(|_| UdpPort::bind(SocketAddr::from(([0, 0, 0, 0], 0))))
            .map_err(|e| AgentError::System("open a UDP socket", e))?;
        let waiter = Waiter::new(&port).map_err(|e| AgentError::System("wait on a socket", e))?;

        let wake_control = EventFd::from_value_and_flags(0, EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)
            .map_err(|e| AgentError::System("make an event", e.into()))?;
        let wake_control = Arc::new(wake_control);
        let (to_speaker, from_control) = channel();
        let (to_control, from_speaker) = channel();
        let channels = Channels {
            to_speaker,
            wake_speaker: waiter.waker(),
            from_speaker,
            woken: Arc::clone(&wake_control),
            stop,
        };
        let control = std::thread::Builder::new()
            .name("control".into())
            .spawn(move || control::run(control_config, store, &channels))
            .map_err(|e| AgentError::System("start a thread", e))?;
        precise_timers();
        let granted = real_time_priority();
        tracing::debug!("real-time priority for the speaker thread: {granted}");
        Ok(Self {
            clock,
            output,
            engine,
            port,
            waiter,
            batch: Batch::new(),
            hub: None,
            sink: Some(running),
            sink_events,
            why_away: Changes::default(),
            from_control,
            to_control,
            wake_control,
            control: Some(control),
            usage: UsageMeter::default(),
            link_state: None,
        })
    }

    fn serve(&mut self, stop: &AtomicBool) -> Result<(), AgentError> {
        while !stop.load(Ordering::Relaxed) {
            let now = self.clock.now();
            let due = self.engine.poll_timeout().map_or(LONGEST_SLEEP, |at| at - now);
            let woken = self
                .waiter
                .wait(due.min(LONGEST_SLEEP).max(Span::ZERO))
                .map_err(|e| AgentError::System("wait on a socket", e))?;
            self.take_sink_events()?;
            if woken.readable {
                self.take_datagrams()?;
            }
            self.take_control()?;
            self.engine.handle_timeout(self.clock.now());
            self.send();
            self.watch_link();
        }
        Ok(())
    }

    fn take_sink_events(&mut self) -> Result<(), AgentError> {
        let mut reopen = false;
        while let Ok(event) = self.sink_events.pop() {
            match event {
                SinkEvent::Delay(delay) => self.engine.set_output_delay(self.clock.now(), delay),
                SinkEvent::Reopen => reopen = true,
                SinkEvent::Stamp { frame, at } => self.engine.handle_stamp(frame, at),
                SinkEvent::Xrun { missing, .. } => self.engine.handle_xrun(missing),
                SinkEvent::Moved => self.engine.handle_moved_output(),
                SinkEvent::Failed(why) => return Err(AgentError::Output(self.output.name(), why)),
            }
        }
        if reopen || self.sink.is_none() { self.reopen() } else { Ok(()) }
    }

    /// The output turned out to be another than it said: a renderer for that, in the same session. One that is gone
    /// again by now is tried again at the next look.
    fn reopen(&mut self) -> Result<(), AgentError> {
        if let Some(sink) = self.sink.take() {
            sink.stop();
        }
        let opened = match open(&self.output) {
            Err(
                error @ (SinkError::Server { .. }
                | SinkError::Card { .. }
                | SinkError::Own { .. }
                | SinkError::Unknown { .. }),
            ) => {
                if let Some(why) = self.why_away.changed(error.to_string()) {
                    tracing::warn!("the output is away: {why}");
                }
                return Ok(());
            }
            opened => opened?,
        };
        self.engine.replace_output(self.clock.now(), opened.config, opened.controller);
        (self.sink, self.sink_events) = (Some(opened.running), opened.events);
        tracing::warn!("the output {} is back", self.output.name());
        self.why_away = Changes::default();
        Ok(())
    }

    fn take_datagrams(&mut self) -> Result<(), AgentError> {
        let (engine, clock) = (&mut self.engine, &self.clock);
        let handle = |_from: SocketAddr, at: Timestamp<Local>, bytes: &mut [u8]| {
            engine.handle_datagram(clock.now(), at, bytes);
        };
        // A few batches and no more: a flood must not keep the loop from the clock and the sink.
        self.port.drain(clock, 4, handle).map_err(|e| AgentError::System("receive", e))
    }

    fn take_control(&mut self) -> Result<(), AgentError> {
        while let Ok(message) = self.from_control.try_recv() {
            let now = self.clock.now();
            match message {
                FromControl::Joined { hub, welcome, keys } => {
                    tracing::info!("joined {} at {hub} as session {}", welcome.hub_name, welcome.session);
                    self.hub = Some(self.reachable(hub));
                    self.engine.start_session(now, &welcome, keys);
                }
                FromControl::Message(message) => self.engine.handle_message(now, *message),
                FromControl::Lost(why) => tracing::warn!("no hub: {why}; trying again"),
                FromControl::Notice(text) => tracing::info!("{text}"),
                FromControl::Refused(refusal) => return Err(AgentError::Refused(refusal.message)),
            }
        }
        Ok(())
    }

    fn send(&mut self) {
        let mut datagram = Vec::new();
        if let Some(hub) = self.hub {
            while self.engine.poll_transmit(self.clock.now(), &mut datagram) {
                self.batch.push(hub, &datagram);
                self.port.send(&mut self.batch);
                self.batch.clear();
            }
        }
        while let Some(message) = self.engine.poll_message() {
            self.tell_control(ToControl::Send(Box::new(message)));
        }
        while let Some(event) = self.engine.poll_event() {
            match event {
                EngineEvent::HubSilent => self.tell_control(ToControl::Reconnect),
                EngineEvent::Settings(settings) => self.take_settings(&settings),
                EngineEvent::StatsDue => self.report(),
            }
        }
    }

    fn take_settings(&mut self, settings: &SpeakerSettings) {
        let muted = if settings.muted { " (muted)" } else { "" };
        tracing::info!(
            "role {}, gain {:+.1} dB{muted}, delay {:+.3} ms, codec {}",
            settings.role,
            settings.gain_db,
            settings.delay_us as f64 / 1e3,
            settings.codec
        );
        self.output.set_volume(settings.volume);
    }

    fn report(&mut self) {
        let mut stats = self.engine.stats(self.clock.now());
        (stats.cpu_percent, stats.rss_kb) = self.usage.read(raw_now());
        stats.link = self.output.link().map(Box::new);
        // Nobody is in time who cannot be heard.
        stats.synced &= stats.link.as_ref().is_none_or(|link| link.state == LinkState::Up);
        if stats.link.as_ref().is_some_and(|link| link.state == LinkState::Down) {
            (stats.state, stats.phase_error_us) = (SpeakerState::Failed, 0.0);
        }
        self.tell_control(ToControl::Send(Box::new(SpeakerMessage::Stats(stats))));
    }

    /// A hub may be waiting for the link, or somebody at the status: a change is told at once.
    fn watch_link(&mut self) {
        self.engine.set_own_volume(self.output.has_volume());
        let state = self.output.link_state();
        if std::mem::replace(&mut self.link_state, state) != state && self.hub.is_some() {
            self.report();
        }
    }

    fn tell_control(&self, message: ToControl) {
        // The control thread only goes away together with this one.
        let _ = self.to_control.send(message);
        let _ = self.wake_control.write(1);
    }

    /// An IPv4 address as the socket's family writes it.
    fn reachable(&self, hub: SocketAddr) -> SocketAddr {
        match (self.port.local_addr(), hub) {
            (SocketAddr::V6(_), SocketAddr::V4(v4)) => {
                SocketAddr::from((v4.ip().to_ipv6_mapped(), v4.port()))
            }
            _ => hub,
        }
    }

    fn shut_down(&mut self, stop: &AtomicBool) {
        self.tell_control(ToControl::Send(Box::new(SpeakerMessage::Goodbye {
            reason: "switched off".into(),
        })));
        stop.store(true, Ordering::Relaxed);
        let _ = self.wake_control.write(1);
        if let Some(control) = self.control.take()
            && control.join().is_err()
        {
            tracing::error!("the control thread panicked; this is a fault of the program");
        }
        if let Some(sink) = self.sink.take() {
            sink.stop();
        }
    }
}

/// An output that runs, and the ends of its queues.
struct Opened {
    running: Running,
    events: rtrb::Consumer<SinkEvent>,
    controller: Controller,
    config: SpeakerEngineConfig,
}

fn open(output: &Output) -> Result<Opened, SinkError> {
    let sink = output.open()?;
    let format = sink.format();
    let (mut renderer, controller) = Renderer::new(RendererConfig {
        dac_rate: format.rate,
        channels: format.channels,
        ring: RING,
        max_period: format.period,
        filter: output.filter(),
    });
    let (to_agent, events) = rtrb::RingBuffer::new(SINK_EVENTS);
    let render = Box::new(move |first: Frames, out: &mut [f32]| renderer.render(first, out));
    let config = SpeakerEngineConfig {
        rate: format.rate,
        channels: format.channels,
        period: format.period,
        output_latency: format.latency,
    };
    Ok(Opened { running: sink.start(render, to_agent)?, events, controller, config })
}

fn control_config(config: &AgentConfig, output: &SpeakerEngineConfig, min_latency: Span) -> ControlConfig {
    ControlConfig {
        hub: config.hub.clone(),
        runtime_dir: config.runtime_dir.clone(),
        code: config.code.clone(),
        open: config.open,
        hello: Hello {
            protocol: PROTOCOL,
            name: config.name.clone(),
            software: concat!("antiphon ", env!("CARGO_PKG_VERSION")).to_owned(),
            codecs: config.codecs.clone(),
            channels: output.channels,
            output: config.output.to_string().chars().take(200).collect(),
            role: config.role,
            min_latency_us: min_latency.as_ns() / 1_000,
        },
    }
}
