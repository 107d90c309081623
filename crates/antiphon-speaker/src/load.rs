//! Many speakers in one process, without sound: what a hub is measured with.
//!
//! Each has an identity, a pairing, a sealed session, a clock filter, retransmission and reports of
//! its own, as an agent has; its packets are opened, put in order and dropped. One thread serves
//! all of them in turns, another makes their connections.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use antiphon_base::{Local, Role, Span, Timestamp};
use antiphon_net::{Batch, Clock, UdpPort, Warp, precise_timers, raw_now, real_time_priority};
use antiphon_proto::session::{
    Codec, Hello, HubMessage, PROTOCOL, PacketCounters, SpeakerMessage, SpeakerState, SpeakerStats,
};
use antiphon_proto::{Speaker, SpeakerConfig, SpeakerEvent};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde::Serialize;

use crate::agent::AgentError;
use crate::control::connect::{Connection, connect};
use crate::control::{ControlConfig, link};
use crate::process::UsageMeter;
use crate::store::SpeakerStore;

/// The speakers are looked after this often: their packets come every 10 ms, and replies to their
/// clock probes are dated by the kernel, so what it adds to a retransmission is all that it costs.
const TURN: Span = Span::from_ms(2);

/// As agents report.
const STATS_PERIOD: Span = Span::from_s(1);

/// As agents do, a speaker is ready when its clock is this sure.
const READY_SD_US: f64 = 30.0;

/// Between two attempts to connect.
const RETRY: std::time::Duration = std::time::Duration::from_millis(250);

/// What to play at.
#[derive(Debug, Clone)]
pub struct LoadConfig {
    /// `HOST:PORT`.
    pub hub: String,
    /// How many speakers; half of them left, half right.
    pub speakers: usize,
    /// How long, from the moment that all are connected; without it until stopped.
    pub time: Option<Span>,
    /// Where their identities are kept.
    pub state_dir: PathBuf,
    /// Where a hub on this machine has its socket, by which they are paired.
    pub runtime_dir: PathBuf,
    /// How their audio is encoded.
    pub codec: Codec,
}

/// What became of it, all speakers together.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct LoadReport {
    /// Speakers asked for.
    pub speakers: usize,
    /// Connected at the end.
    pub connected: usize,
    /// Of those, sure of the hub's time.
    pub synced: usize,
    /// Connections that broke.
    pub broken: u64,
    /// From the moment that all were connected.
    pub seconds: f64,
    /// Media packets that arrived in time.
    pub received: u64,
    /// Media packets that did not.
    pub lost: u64,
    /// Media packets that arrived after their time.
    pub late: u64,
    /// Media packets that arrived because they were asked for again.
    pub recovered: u64,
    /// Requests for packets.
    pub nacked: u64,
    /// Datagrams that did not open or parse.
    pub refused: u64,
    /// Clock exchanges completed.
    pub exchanges: u64,
    /// How long before its presentation the latest packet of all came, in milliseconds.
    pub least_margin_ms: Option<f64>,
    /// What this process used, in percent of one core.
    pub cpu_percent: f64,
    /// Its resident memory, in KiB.
    pub rss_kb: u64,
}

/// Plays many speakers until the time is over or `stop`.
///
/// # Errors
/// Identities cannot be kept, or the system has no socket or thread left.
pub fn load(config: &LoadConfig, stop: &Arc<AtomicBool>) -> Result<LoadReport, AgentError> {
    // Two descriptors a speaker. Where it is refused, the socket that is one too many says so.
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
    let (wanted, jobs) = channel();
    let (made, connections) = channel();
    let makers = Makers::new(config, Arc::clone(stop))?;
    for n in 0..config.speakers {
        // The thread that takes it starts below.
        let _ = wanted.send(n);
    }
    let thread = std::thread::Builder::new().name("connect".into());
    let maker = thread
        .spawn(move || makers.run(&jobs, &made))
        .map_err(|e| AgentError::System("start a thread", e))?;
    let mut crowd = Crowd::new(config.speakers);
    let result = crowd.run(config.time, stop, &wanted, &connections);
    stop.store(true, Ordering::Relaxed);
    drop(wanted);
    if maker.join().is_err() {
        tracing::error!("the connecting thread panicked; this is a fault of the program");
    }
    result.map(|()| crowd.report())
}

/// Makes connections, one after the other.
struct Makers {
    members: Vec<(ControlConfig, SpeakerStore)>,
    stop: Arc<AtomicBool>,
}

impl Makers {
    fn new(config: &LoadConfig, stop: Arc<AtomicBool>) -> Result<Self, AgentError> {
        let member = |n: usize| {
            let name = format!("load {n}");
            let mut random = [0; 32];
            getrandom::fill(&mut random)
                .map_err(|e| AgentError::System("get random bytes", std::io::Error::other(e)))?;
            let store = SpeakerStore::open(&config.state_dir.join("load"), &name, random)?;
            Ok((control_config(config, name, n), store))
        };
        let members = (0..config.speakers).map(member).collect::<Result<_, AgentError>>()?;
        Ok(Self { members, stop })
    }

    fn run(mut self, jobs: &Receiver<usize>, made: &Sender<(usize, Connection)>) {
        while let Ok(n) = jobs.recv() {
            let (config, store) = &mut self.members[n];
            while !self.stop.load(Ordering::Relaxed) {
                match connect(config, store) {
                    Ok(connection) => {
                        // The other end goes away at the end only.
                        let _ = made.send((n, connection));
                        break;
                    }
                    Err(error) => tracing::warn!("speaker {n}: {error}; trying again"),
                }
                std::thread::sleep(RETRY);
            }
        }
    }
}

fn control_config(config: &LoadConfig, name: String, n: usize) -> ControlConfig {
    ControlConfig {
        hub: Some(config.hub.clone()),
        runtime_dir: config.runtime_dir.clone(),
        code: None,
        open: false,
        hello: Hello {
            protocol: PROTOCOL,
            name,
            software: concat!("antiphon ", env!("CARGO_PKG_VERSION"), " (load)").to_owned(),
            codecs: vec![config.codec],
            channels: 1,
            output: "none".to_owned(),
            role: Some(if n.is_multiple_of(2) { Role::Left } else { Role::Right }),
            min_latency_us: 0,
        },
    }
}

/// One speaker.
struct Member {
    speaker: Speaker,
    line: Option<Line>,
    next_stats: Timestamp<Local>,
    was_ready: bool,
    margin: Option<Span>,
}

/// A member's ways to the hub.
struct Line {
    connection: Connection,
    port: UdpPort,
    hub: SocketAddr,
}

impl Line {
    fn new(connection: Connection) -> std::io::Result<Self> {
        connection.socket.get_ref().set_nonblocking(true)?;
        let hub = connection.hub;
        let any = match hub {
            SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        Ok(Self { connection, port: UdpPort::bind(any)?, hub })
    }
}

impl Member {
    fn new() -> Self {
        Self {
            speaker: Speaker::new(SpeakerConfig::default()),
            line: None,
            next_stats: Timestamp::ZERO,
            was_ready: false,
            margin: None,
        }
    }

    fn join(&mut self, now: Timestamp<Local>, connection: Connection) -> Result<(), AgentError> {
        let mut line = Line::new(connection).map_err(|e| AgentError::System("open a UDP socket", e))?;
        let keys = line.connection.keys.take();
        self.speaker.start_session(now, &line.connection.welcome, keys);
        (self.next_stats, self.was_ready) = (now + STATS_PERIOD, false);
        self.line = Some(line);
        Ok(())
    }

    /// Takes what came, by what the poll says.
    fn receive(&mut self, clock: &Clock<Local>, datagrams: bool, messages: bool) -> Result<(), String> {
        let Self { speaker, line: Some(line), .. } = self else { return Ok(()) };
        // Until a batch is not full: nothing waits then.
        let mut waiting = datagrams;
        while waiting {
            let take = |_, at, bytes: &mut [u8]| speaker.handle_datagram(clock.now(), at, bytes);
            waiting = line.port.recv(clock, take).map_err(|e| e.to_string())? >= 16;
        }
        if messages {
            let take = |message: HubMessage| speaker.handle_message(clock.now(), message);
            link::receive(&mut line.connection, take)?;
        }
        Ok(())
    }

    /// Does what is due, and sends it.
    fn turn(&mut self, clock: &Clock<Local>, batch: &mut Batch, out: &mut Vec<u8>) -> Result<(), String> {
        let now = clock.now();
        let due = self.speaker.poll_timeout().is_some_and(|deadline| deadline.at <= now);
        if due {
            self.speaker.handle_timeout(now);
        }
        let mut silent = false;
        while let Some(event) = self.speaker.poll_event() {
            match event {
                SpeakerEvent::Packet { payload, .. } => self.speaker.recycle(payload),
                SpeakerEvent::HubSilent => silent = true,
                _ => {}
            }
        }
        let Some(line) = &mut self.line else { return Ok(()) };
        while self.speaker.poll_transmit(clock.now(), out) {
            batch.push(line.hub, out);
            line.port.send(batch);
        }
        if silent {
            return Err("the hub is silent".into());
        }
        self.report(now)
    }

    fn report(&mut self, now: Timestamp<Local>) -> Result<(), String> {
        let ready = self.is_ready(now);
        let news = ready && !self.was_ready;
        self.was_ready = ready;
        if !news && now < self.next_stats {
            return Ok(());
        }
        self.next_stats = now + STATS_PERIOD;
        let stats = self.stats(now);
        let Some(line) = &mut self.line else { return Ok(()) };
        link::say(&mut line.connection, &SpeakerMessage::Stats(stats))
    }

    fn is_ready(&self, now: Timestamp<Local>) -> bool {
        self.speaker.clock().is_some_and(|map| map.sd_ns_at(now) / 1e3 <= READY_SD_US)
    }

    fn stats(&mut self, now: Timestamp<Local>) -> SpeakerStats {
        let (quality, clock) = (self.speaker.clock_quality(), self.speaker.clock());
        let margin = self.speaker.take_margin();
        self.margin = [self.margin, margin].into_iter().flatten().min();
        SpeakerStats {
            state: if margin.is_some() { SpeakerState::Playing } else { SpeakerState::Idle },
            offset_us: clock.map_or(0.0, |map| (map.apply(now).as_ns() - now.as_ns()) as f64 / 1e3),
            offset_sd_us: clock.map_or(0.0, |map| map.sd_ns_at(now) / 1e3),
            skew_ppm: clock.map_or(0.0, |map| map.ppm().0),
            rtt_us: quality.min_rtt.map_or(0.0, |rtt| rtt.as_us_f64()),
            synced: self.was_ready,
            margin_ms: margin.map_or(0.0, |margin| margin.as_ms_f64()),
            packets: self.speaker.counters(),
            exchanges: quality.exchanges,
            ..SpeakerStats::default()
        }
        .finite()
    }
}

/// All of them.
struct Crowd {
    clock: Clock<Local>,
    members: Vec<Member>,
    broken: u64,
    since: Option<Timestamp<Local>>,
    usage: UsageMeter,
}

impl Crowd {
    fn new(speakers: usize) -> Self {
        let members = (0..speakers).map(|_| Member::new()).collect();
        let clock = Clock::new(Warp::default());
        Self { clock, members, broken: 0, since: None, usage: UsageMeter::default() }
    }

    fn run(
        &mut self,
        time: Option<Span>,
        stop: &AtomicBool,
        wanted: &Sender<usize>,
        connections: &Receiver<(usize, Connection)>,
    ) -> Result<(), AgentError> {
        precise_timers();
        // So that what comes late is the hub's doing; where it is refused, the margin shows it.
        real_time_priority();
        let (mut batch, mut out) = (Batch::new(), Vec::new());
        while !stop.load(Ordering::Relaxed) && !self.is_over(time) {
            std::thread::sleep(TURN.to_std());
            while let Ok((n, connection)) = connections.try_recv() {
                self.members[n].join(self.clock.now(), connection)?;
            }
            let ready = self.look().map_err(|e| AgentError::System("wait on sockets", e.into()))?;
            for (n, (datagrams, messages)) in ready.into_iter().enumerate() {
                let member = &mut self.members[n];
                let done = member.receive(&self.clock, datagrams, messages);
                if let Err(why) = done.and_then(|()| member.turn(&self.clock, &mut batch, &mut out)) {
                    tracing::warn!("speaker {n}: {why}");
                    member.line = None;
                    member.speaker.end_session(self.clock.now());
                    self.broken += 1;
                    // The other end goes away at the end only.
                    let _ = wanted.send(n);
                }
            }
        }
        Ok(())
    }

    /// Whose datagrams and whose messages wait.
    fn look(&self) -> nix::Result<Vec<(bool, bool)>> {
        let lines = || self.members.iter().filter_map(|member| member.line.as_ref());
        let mut fds: Vec<_> = lines()
            .flat_map(|line| [line.port.as_fd(), line.connection.socket.get_ref().as_fd()])
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        match poll(&mut fds, PollTimeout::ZERO) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
        let mut waits = fds.iter().map(|fd| fd.any().unwrap_or(false));
        let mut pair = || (waits.next().unwrap_or(false), waits.next().unwrap_or(false));
        let each = self.members.iter();
        Ok(each.map(|member| member.line.as_ref().map_or((false, false), |_| pair())).collect())
    }

    /// Whether the time is over, which begins when all are connected.
    fn is_over(&mut self, time: Option<Span>) -> bool {
        if self.since.is_none() && self.members.iter().all(|member| member.line.is_some()) {
            self.since = Some(self.clock.now());
            self.usage.read(raw_now());
            tracing::info!("{} speakers are connected", self.members.len());
        }
        self.since.zip(time).is_some_and(|(since, time)| self.clock.now() - since >= time)
    }

    fn report(&mut self) -> LoadReport {
        let now = self.clock.now();
        let (cpu_percent, rss_kb) = self.usage.read(raw_now());
        let mut report = LoadReport {
            speakers: self.members.len(),
            broken: self.broken,
            seconds: self.since.map_or(0.0, |since| (now - since).as_s_f64()),
            cpu_percent,
            rss_kb,
            ..LoadReport::default()
        };
        for member in &mut self.members {
            let PacketCounters {
                received, lost, late, recovered, nacked, malformed, replayed, forged, ..
            } = member.speaker.counters();
            report.connected += usize::from(member.line.is_some());
            report.synced += usize::from(member.line.is_some() && member.is_ready(now));
            report.received += received;
            report.lost += lost;
            report.late += late;
            report.recovered += recovered;
            report.nacked += nacked;
            report.refused += malformed + replayed + forged;
            report.exchanges += member.speaker.clock_quality().exchanges;
            let margin = [member.margin, member.speaker.take_margin()].into_iter().flatten().min();
            let least = [margin.map(|margin| margin.as_ms_f64()), report.least_margin_ms];
            report.least_margin_ms = least.into_iter().flatten().reduce(f64::min);
        }
        report
    }
}
