//! A hub and speakers in virtual time, with a link between that delays, reorders, duplicates and loses.
//! Seeded: a seed reproduces a run.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use antiphon_base::{
    ClockId, ClockMap, Frames, Hub as HubClock, Local, SessionId, Span, SpeakerId, Timestamp, True,
};
use antiphon_proto::send::Variant;
use antiphon_proto::session::message::{Hello, HubMessage, SpeakerMessage};
use antiphon_proto::session::{Codec, PROTOCOL, Remembered};
use antiphon_proto::timeline::Timeline;
use antiphon_proto::wire::seal::SessionKeys;
use antiphon_proto::{Hub, HubConfig, JoinRequest, Speaker, SpeakerConfig, SpeakerEvent, Transport};

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in 0..1.
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn exponential(&mut self, mean: Span) -> Span {
        Span::from_ns((-(1.0 - self.unit()).ln() * mean.as_ns() as f64) as i64)
    }
}

/// What a way between two hosts does to datagrams.
#[derive(Clone, Copy)]
pub struct Link {
    pub delay: Span,
    /// Mean of an exponential, drawn for each datagram: they overtake each other.
    pub jitter: Span,
    /// Gilbert-Elliott: the share of time in which everything is lost.
    pub loss: f64,
    /// Mean length of a burst of loss.
    pub burst: Span,
    pub duplicates: f64,
}

impl Link {
    pub const LAN: Self = Self {
        delay: Span::from_us(150),
        jitter: Span::from_us(30),
        loss: 0.0,
        burst: Span::from_ms(20),
        duplicates: 0.0,
    };
    pub const WIFI: Self = Self { delay: Span::from_ms(1), jitter: Span::from_ms(1), ..Self::LAN };
}

/// One direction of a link, with its state of loss.
struct Way {
    link: Link,
    random: Random,
    bad: bool,
    until: Timestamp<True>,
}

impl Way {
    fn new(link: Link, seed: u64) -> Self {
        Self { link, random: Random(seed), bad: true, until: Timestamp::ZERO }
    }

    /// When a datagram sent at `now` arrives: once, twice or never.
    fn arrivals(&mut self, now: Timestamp<True>) -> Vec<Timestamp<True>> {
        if self.is_lost(now) {
            return Vec::new();
        }
        let copies = 1 + usize::from(self.random.unit() < self.link.duplicates);
        (0..copies).map(|_| now + self.link.delay + self.random.exponential(self.link.jitter)).collect()
    }

    fn is_lost(&mut self, now: Timestamp<True>) -> bool {
        if self.link.loss == 0.0 {
            return false;
        }
        while self.until <= now {
            self.bad = !self.bad;
            let good = Span::from_s_f64(self.link.burst.as_s_f64() * (1.0 / self.link.loss - 1.0));
            let mean = if self.bad { self.link.burst } else { good };
            self.until += self.random.exponential(mean) + Span::from_ns(1);
        }
        self.bad
    }
}

/// A speaker with its host's clock, its link, and a record of what it heard.
pub struct Host {
    pub speaker: Speaker,
    pub id: SpeakerId,
    pub hello: Hello,
    pub session: Option<SessionId>,
    pub addr: SocketAddr,
    pub clock: ClockMap<True, Local>,
    pub connected: bool,
    /// Every event with the time it came at.
    pub events: Vec<(Timestamp<True>, SpeakerEvent)>,
    /// Units that came in time, by first frame: their frames.
    pub heard: BTreeMap<Frames, Frames>,
    pub too_late: u64,
    /// Datagrams of requests sent.
    pub requests: u64,
    pub media_datagrams: u64,
    down: Way,
    up: Way,
}

enum Arrival {
    Datagram { host: usize, to_hub: bool, bytes: Vec<u8> },
    ToSpeaker { host: usize, session: SessionId, message: HubMessage },
    ToHub { session: SessionId, message: SpeakerMessage },
}

pub struct World {
    pub now: Timestamp<True>,
    pub hub: Hub,
    pub hub_clock: ClockMap<True, HubClock>,
    pub hosts: Vec<Host>,
    pub timeline: Option<Timeline>,
    pub release_lead: Span,
    /// Whether the sessions are sealed.
    pub sealed: bool,
    /// The hub's source stalls.
    pub starved: bool,
    arrivals: BTreeMap<(Timestamp<True>, u64), Arrival>,
    serial: u64,
    next_frame: Frames,
    seed: u64,
}

pub fn hub(clock: u32, latency: Span, open: bool) -> Hub {
    Hub::new(HubConfig { clock: ClockId(clock), name: "hub".to_owned(), latency, open })
}

pub fn hello(name: &str) -> Hello {
    Hello {
        protocol: PROTOCOL,
        name: name.to_owned(),
        software: "test".to_owned(),
        codecs: Codec::ALL.to_vec(),
        channels: 2,
        output: "null:".to_owned(),
        role: None,
        min_latency_us: 0,
    }
}

pub fn keys(n: u8) -> SessionKeys {
    SessionKeys { to_speaker: [n; 32], to_hub: [n ^ 0x80; 32] }
}

/// What the fake encoder makes of a unit: of the codec's size, and telling of its variant and frame.
pub fn payload(variant: Variant, first_frame: Frames) -> Vec<u8> {
    let frames = variant.packet_frames().0 as usize * usize::from(variant.channels());
    let length = match variant.codec {
        Codec::L16 => frames * 2,
        Codec::L24 => frames * 3,
        Codec::Flac => frames * 2,
        Codec::Opus => 160,
    };
    let mut random = Random(first_frame.0 as u64 ^ variant.role.channels() as u64);
    (0..length).map(|_| random.next() as u8).collect()
}

impl World {
    pub fn new(seed: u64, latency: Span) -> Self {
        Self {
            now: Timestamp::from_ns(1_000_000_000),
            hub: hub(1, latency, false),
            hub_clock: ClockMap::exact(Timestamp::ZERO, Timestamp::from_ns(77_000_000_000), 0.0),
            hosts: Vec::new(),
            timeline: None,
            release_lead: Span::from_ms(8),
            sealed: true,
            starved: false,
            arrivals: BTreeMap::new(),
            serial: 0,
            next_frame: Frames(48_000),
            seed,
        }
    }

    /// Adds a speaker behind `link` and joins it.
    pub fn add(&mut self, name: &str, link: Link) -> usize {
        let n = self.hosts.len();
        let mut id = [0; 16];
        id[0] = n as u8 + 1;
        let offset = Timestamp::from_ns((n as i64 + 1) * 1_234_500_000_000);
        let ppm = if n.is_multiple_of(2) { 40e-6 } else { -40e-6 };
        let seed = self.seed.wrapping_mul(1_000).wrapping_add(n as u64 * 2);
        self.hosts.push(Host {
            speaker: Speaker::new(SpeakerConfig { release_lead: self.release_lead }),
            id: SpeakerId(id),
            hello: hello(name),
            session: None,
            addr: SocketAddr::from(([10, 0, 0, n as u8], 4_000)),
            clock: ClockMap::exact(Timestamp::ZERO, offset, ppm),
            connected: true,
            events: Vec::new(),
            heard: BTreeMap::new(),
            too_late: 0,
            requests: 0,
            media_datagrams: 0,
            down: Way::new(link, seed),
            up: Way::new(link, seed + 1),
        });
        self.join(n);
        n
    }

    /// A session for a speaker: what the shells agree on over their connection.
    pub fn join(&mut self, n: usize) {
        let now = self.hub_now();
        let host = &mut self.hosts[n];
        let keys = self.sealed.then(|| keys(n as u8));
        let join = JoinRequest {
            id: host.id,
            hello: host.hello.clone(),
            keys: keys.clone(),
            transport: Transport::Datagrams,
        };
        let (session, welcome) = self.hub.join(now, join, Remembered::default()).unwrap();
        host.session = Some(session);
        host.speaker.start_session(host.clock.apply(self.now), &welcome, keys);
        self.hub.set_streaming(now, host.id, true);
        self.settle();
    }

    pub fn hub_now(&self) -> Timestamp<HubClock> {
        self.hub_clock.apply(self.now)
    }

    pub fn start(&mut self) -> Timeline {
        let timeline = self.hub.start(self.hub_now(), self.next_frame);
        self.timeline = Some(timeline);
        self.settle();
        timeline
    }

    /// Lets `span` pass.
    pub fn run(&mut self, span: Span) {
        let end = self.now + span;
        while let Some(next) = self.next_wake().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.step();
        }
        self.now = end;
    }

    fn next_wake(&self) -> Option<Timestamp<True>> {
        let to_true = |host: &Host, at| host.clock.inverse().apply(at) + Span::from_ns(100);
        let hub = self.hub.poll_timeout().map(|next| self.hub_clock.inverse().apply(next.at));
        let speakers =
            self.hosts.iter().filter_map(|host| Some(to_true(host, host.speaker.poll_timeout()?.at)));
        let arrival = self.arrivals.keys().next().map(|(at, _)| *at);
        speakers.chain(hub).chain(arrival).min()
    }

    fn step(&mut self) {
        while let Some(entry) = self.arrivals.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let arrival = entry.remove();
            self.deliver(arrival);
        }
        let now = self.hub_now();
        self.hub.handle_timeout(now);
        self.encode();
        for host in &mut self.hosts {
            host.speaker.handle_timeout(host.clock.apply(self.now));
        }
        self.settle();
    }

    fn deliver(&mut self, arrival: Arrival) {
        let now = self.hub_now();
        match arrival {
            Arrival::Datagram { host, .. } if !self.hosts[host].connected => {}
            Arrival::Datagram { host, to_hub: true, mut bytes } => {
                self.hub.handle_datagram(now, now, self.hosts[host].addr, &mut bytes);
            }
            Arrival::Datagram { host, mut bytes, .. } => {
                let host = &mut self.hosts[host];
                let at = host.clock.apply(self.now);
                host.speaker.handle_datagram(at, at, &mut bytes);
            }
            Arrival::ToHub { session, message } => self.hub.handle_message(now, session, message),
            Arrival::ToSpeaker { host, session, message } => {
                let host = &mut self.hosts[host];
                let at = host.clock.apply(self.now);
                // A connection delivers late rather than never; one that was replaced is closed.
                if host.session == Some(session) {
                    host.speaker.handle_message(at, message);
                }
            }
        }
    }

    /// The caller's part: each variant is encoded up to the horizon.
    fn encode(&mut self) {
        let now = self.hub_now();
        let Some(horizon) = self.hub.encode_horizon(now).filter(|_| !self.starved) else { return };
        let variants: Vec<_> = self.hub.variants().collect();
        for variant in variants {
            while let Some(frame) = self.hub.next_frame(variant).filter(|frame| *frame < horizon) {
                let unit = payload(variant, frame);
                self.hub.handle_encoded(now, variant, frame, variant.packet_frames(), &unit);
                self.next_frame = self.next_frame.max(frame + variant.packet_frames());
            }
        }
    }

    /// Moves everything that waits to be moved.
    pub fn settle(&mut self) {
        let mut bytes = Vec::new();
        while let Some(to) = self.hub.poll_transmit(&mut bytes) {
            let Some(host) = self.hosts.iter().position(|host| host.addr == to) else { continue };
            self.send(host, false, &bytes);
        }
        while let Some((session, message)) = self.hub.poll_message() {
            let Some(host) = self.hosts.iter().position(|host| host.session == Some(session)) else {
                continue;
            };
            self.post(Span::from_ms(3), Arrival::ToSpeaker { host, session, message });
        }
        for n in 0..self.hosts.len() {
            self.settle_host(n, &mut bytes);
        }
    }

    fn settle_host(&mut self, n: usize, bytes: &mut Vec<u8>) {
        let at = self.hosts[n].clock.apply(self.now);
        while self.hosts[n].speaker.poll_transmit(at, bytes) {
            self.hosts[n].requests += u64::from(bytes[0] & 0x3F == 4);
            self.send(n, true, bytes);
        }
        while let Some(message) = self.hosts[n].speaker.poll_message() {
            if let Some(session) = self.hosts[n].session {
                self.post(Span::from_ms(3), Arrival::ToHub { session, message });
            }
        }
        while let Some(event) = self.hosts[n].speaker.poll_event() {
            self.note(n, event);
        }
    }

    fn send(&mut self, n: usize, to_hub: bool, bytes: &[u8]) {
        let host = &mut self.hosts[n];
        host.media_datagrams += u64::from(!to_hub && bytes[0] == 1);
        let way = if to_hub { &mut host.up } else { &mut host.down };
        for at in way.arrivals(self.now) {
            let arrival = Arrival::Datagram { host: n, to_hub, bytes: bytes.to_vec() };
            self.serial += 1;
            self.arrivals.insert((at, self.serial), arrival);
        }
    }

    fn post(&mut self, after: Span, arrival: Arrival) {
        self.serial += 1;
        self.arrivals.insert((self.now + after, self.serial), arrival);
    }

    /// Keeps an event; a unit must be what was encoded, and is heard if the playout gets it in time.
    fn note(&mut self, n: usize, event: SpeakerEvent) {
        let needed = self.hub_now() + self.release_lead;
        let timeline = self.timeline;
        let host = &mut self.hosts[n];
        let SpeakerEvent::Packet { epoch, codec, channels, first_frame, payload: bytes, .. } = event else {
            host.events.push((self.now, event));
            return;
        };
        let role = if channels == 2 { antiphon_base::Role::Both } else { antiphon_base::Role::Left };
        let variant = Variant { role, codec };
        assert_eq!(bytes, payload(variant, first_frame), "{codec} {channels} {first_frame:?}");
        host.speaker.recycle(bytes);
        let due = timeline.filter(|timeline| timeline.epoch == epoch);
        if due.is_some_and(|timeline| timeline.presentation_of(first_frame) >= needed) {
            host.heard.insert(first_frame, variant.packet_frames());
        } else {
            host.too_late += 1;
        }
    }
}

impl Host {
    /// How many of the frames in `range` were never there in time.
    pub fn missing(&self, range: std::ops::Range<Frames>) -> i64 {
        let (mut at, mut missing) = (range.start, 0);
        for (&first, &frames) in &self.heard {
            let (first, end) = (first.max(range.start), (first + frames).min(range.end));
            if end > at {
                missing += (first.0 - at.0).max(0);
                at = end;
            }
        }
        missing + (range.end.0 - at.0).max(0)
    }

    pub fn count(&self, which: impl Fn(&SpeakerEvent) -> bool) -> usize {
        self.events.iter().filter(|(_, event)| which(event)).count()
    }
}
