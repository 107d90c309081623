//! The whole system in virtual time: one hub, its speakers, the network and the sound cards.
//!
//! Only the engines that ship are run here; everything around them is a model. Nothing reads a
//! clock: the next event decides what time it is, so ten minutes pass in seconds and a seed
//! repeats a run to the sample.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use antiphon_base::{ClockId, Frames, Hub, Local, Role, SessionId, Span, SpeakerId, Timestamp, True};
use antiphon_engine::{
    EngineEvent, HubEngine, HubEngineConfig, SourcePace, SourceSpec, SpeakerEngine, SpeakerEngineConfig,
    Target,
};
use antiphon_measure::recording::Recording;
use antiphon_measure::timeline::{Segment, TrueTimeline};
use antiphon_playout::{Filter, Renderer, RendererConfig};
use antiphon_proto::Transport;
use antiphon_proto::session::{
    Codec, Hello, HubMessage, PROTOCOL, Remembered, SpeakerMessage, SpeakerSettings, SpeakerStats,
};
use antiphon_proto::wire::seal::SessionKeys;

use crate::clock::{ClockSpec, SimClock};
use crate::network::{DelayModel, Link, LossModel};
use crate::rng::Rng;
use crate::sound_card::{CardSpec, SoundCard, Wake};

/// The control connection is TCP: nothing is lost, and a message takes this long.
const CONTROL_DELAY: Span = Span::from_ms(3);

/// A speaker of the world.
#[derive(Debug, Clone)]
pub struct SpeakerSpec {
    /// Its name.
    pub name: String,
    /// What it plays.
    pub role: Role,
    /// How it is sent to.
    pub codec: Codec,
    /// Its host's clock.
    pub clock: ClockSpec,
    /// Its sound card.
    pub card: CardSpec,
    /// The way from the hub.
    pub down: (DelayModel, LossModel),
    /// The way to the hub.
    pub up: (DelayModel, LossModel),
}

/// What happens in a world apart from its own course.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action {
    /// A speaker joins (again).
    Join(usize),
    /// From here on nothing passes to or from a speaker, or everything does again.
    Network(usize, bool),
    /// The programme is paused.
    Pause,
    /// The programme goes on.
    Resume,
    /// The programme goes on from another place, in seconds of the source.
    Seek(f64),
    /// A speaker's own delay is set, in microseconds.
    Delay(usize, i64),
    /// A speaker's output says that so much lies between its converter and the sound.
    OutputDelay(usize, Span),
    /// A speaker's gain is set, in decibels.
    Gain(usize, f32),
    /// A speaker's sound card stands still.
    Stall(usize, Span),
    /// The hub dies and a new one starts, with another clock; speakers join it at once.
    Restart,
}

enum Event {
    ToHub(usize, Vec<u8>),
    ToSpeaker(usize, Vec<u8>),
    MessageToHub(usize, SpeakerMessage),
    MessageToSpeaker(usize, HubMessage),
    HubTimer,
    SpeakerTimer(usize),
    CardWake(usize, Wake),
    Scripted(Action),
}

struct SimSpeaker {
    spec: SpeakerSpec,
    clock: SimClock<Local>,
    card: SoundCard,
    engine: SpeakerEngine,
    renderer: Renderer,
    recorded: Vec<f32>,
    /// True time of a recorded frame, one pair every [`TIMELINE_STEP`] frames.
    times: Vec<Segment>,
    down: Link,
    up: Link,
    connected: bool,
    session: Option<SessionId>,
    timer: Option<Timestamp<True>>,
}

/// One point of the true timeline each 4,800 frames: clocks bend by nanoseconds in between.
const TIMELINE_STEP: i64 = 4_800;

/// A world about to run, or one that has run.
pub struct World {
    rng: Rng,
    now: Timestamp<True>,
    sequence: u64,
    events: BTreeMap<(i64, u64), Event>,
    hub: HubEngine,
    hub_boots: u32,
    /// True time at which this hub's clock reads zero.
    hub_zero: Timestamp<True>,
    hub_timer: Option<Timestamp<True>>,
    latency: Span,
    speakers: Vec<SimSpeaker>,
    source: Vec<f32>,
    pushed: usize,
    finished: bool,
    asked: Option<Timestamp<True>>,
    /// The source is a device whose clock is off by so much, in ppm.
    device_ppm: Option<f64>,
    handshakes: u64,
}

impl World {
    /// A hub of this target latency, and nothing else yet.
    pub fn new(latency: Span, seed: u64) -> Self {
        let mut world = Self {
            rng: Rng::new(seed),
            now: Timestamp::ZERO,
            sequence: 0,
            events: BTreeMap::new(),
            hub: engine(1, latency),
            hub_boots: 1,
            hub_zero: Timestamp::from_ns(-777_000_000_000),
            hub_timer: None,
            latency,
            speakers: Vec::new(),
            source: Vec::new(),
            pushed: 0,
            finished: false,
            asked: None,
            device_ppm: None,
            handshakes: 0,
        };
        world.schedule(Timestamp::ZERO, Event::HubTimer);
        world
    }

    /// Adds a speaker that is switched on at the world's beginning and joins after `joins`.
    pub fn add(&mut self, spec: SpeakerSpec, joins: Span) -> usize {
        let index = self.speakers.len();
        let rng = self.rng.fork(1_000 + index as u64);
        let (renderer, controller) = Renderer::new(RendererConfig {
            dac_rate: spec.card.rate,
            channels: spec.role.channels(),
            ring: Span::from_s(3),
            max_period: spec.card.period,
            filter: Filter::Transparent,
        });
        let engine = SpeakerEngine::new(
            SpeakerEngineConfig {
                rate: spec.card.rate,
                channels: spec.role.channels(),
                period: spec.card.period,
                output_latency: spec.card.latency,
            },
            controller,
            SpeakerSettings::default(),
        );
        let clock = SimClock::new(&spec.clock, &mut rng.fork(1));
        let mut card = SoundCard::new(spec.card, Timestamp::ZERO, rng.fork(2));
        let first = card.wake(&clock);
        let link = |way: (DelayModel, LossModel), label| Link::new(way.0, way.1, rng.fork(label));
        let speaker = SimSpeaker {
            down: link(spec.down, 3),
            up: link(spec.up, 4),
            clock,
            card,
            engine,
            renderer,
            recorded: Vec::new(),
            times: Vec::new(),
            connected: true,
            session: None,
            timer: None,

            spec,
        };
        self.speakers.push(speaker);
        self.schedule(first.when, Event::CardWake(index, first));
        self.schedule(Timestamp::ZERO + joins, Event::Scripted(Action::Join(index)));
        index
    }

    /// Lets `action` happen at `at`.
    pub fn script(&mut self, at: Span, action: Action) {
        self.schedule(Timestamp::ZERO + at, Event::Scripted(action));
    }

    /// As [`play`](Self::play), from a device that gives the source in pieces of 20 ms by a clock of its own.
    pub fn play_live(&mut self, source: Vec<f32>, ppm: f64) {
        self.device_ppm = Some(ppm);
        self.play(source);
    }

    /// Plays interleaved stereo `source` on every speaker from the present on.
    pub fn play(&mut self, source: Vec<f32>) {
        let now = self.hub_now();
        let targets =
            self.speakers.iter().map(|s| Target { name: s.spec.name.clone(), role: Some(s.spec.role) });
        let spec = SourceSpec {
            channels: 2,
            title: "simulated".into(),
            duration: Some(Frames((source.len() / 2) as i64)),
            targets: targets.collect(),
            wait_for: Span::ZERO,
            pace: if self.device_ppm.is_some() { SourcePace::Clocked } else { SourcePace::Stored },
        };
        self.source = source;
        (self.pushed, self.finished) = (0, false);
        self.asked = Some(self.now);
        // Two channels and distinct names are what this world is made of.
        let opened = self.hub.open_source(now, spec);
        debug_assert!(opened.is_ok());
        self.feed();
        self.settle_hub();
    }

    /// Runs until `end`.
    pub fn run_until(&mut self, end: Span) {
        let end = Timestamp::ZERO + end;
        while let Some(entry) = self.events.first_entry() {
            let at = Timestamp::from_ns(entry.key().0);
            if at > end {
                break;
            }
            let event = entry.remove();
            self.now = at;
            self.handle(event);
        }
        self.now = end;
    }

    /// How often the source came too late.
    pub fn starved(&self) -> u64 {
        self.hub.transport(self.hub_now()).starved
    }

    /// The present.
    pub fn now(&self) -> Timestamp<True> {
        self.now
    }

    /// When [`play`](Self::play) was called.
    pub fn asked(&self) -> Option<Timestamp<True>> {
        self.asked
    }

    /// What speaker `index` would report.
    pub fn stats(&mut self, index: usize) -> SpeakerStats {
        let now = self.now;
        let speaker = &mut self.speakers[index];
        speaker.engine.stats(speaker.clock.at(now))
    }

    /// The errors of speaker `index`'s clock estimate against the truth, and its stated standard
    /// deviation, both in nanoseconds: hub time of the present, estimated minus true.
    pub fn clock_error(&self, index: usize) -> Option<(f64, f64)> {
        let speaker = &self.speakers[index];
        let local = speaker.clock.at(self.now);
        let map = speaker.engine.clock()?;
        let truth = self.hub_now();
        Some(((map.apply(local) - truth).as_ns() as f64, map.sd_ns_at(local)))
    }

    /// What speaker `index`'s sound card converted, channel 0, with its true times.
    pub fn recording(&self, index: usize) -> Option<Recording> {
        let speaker = &self.speakers[index];
        let channels = usize::from(speaker.spec.role.channels());
        let samples = speaker.recorded.iter().step_by(channels).copied().collect();
        let timeline = TrueTimeline::new(speaker.times.clone()).ok()?;
        Some(Recording { rate: speaker.spec.card.rate, samples, timeline })
    }

    fn hub_now(&self) -> Timestamp<Hub> {
        Timestamp::from_ns((self.now - self.hub_zero).as_ns())
    }

    fn schedule(&mut self, at: Timestamp<True>, event: Event) {
        self.sequence += 1;
        self.events.insert((at.as_ns().max(self.now.as_ns()), self.sequence), event);
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::ToHub(index, bytes) => self.hub_receives(index, bytes),
            Event::ToSpeaker(index, bytes) => self.speaker_receives(index, bytes),
            Event::MessageToHub(index, message) => {
                if let Some(session) = self.speakers[index].session {
                    self.hub.handle_message(self.hub_now(), session, message);
                    self.settle_hub();
                }
            }
            Event::MessageToSpeaker(index, message) => {
                let now = self.local_now(index);
                self.speakers[index].engine.handle_message(now, message);
                self.settle_speaker(index);
            }
            Event::HubTimer => {
                self.hub_timer = None;
                self.hub.handle_timeout(self.hub_now());
                self.feed();
                self.settle_hub();
            }
            Event::SpeakerTimer(index) => {
                self.speakers[index].timer = None;
                self.settle_speaker(index);
            }
            Event::CardWake(index, wake) => self.card_wakes(index, &wake),
            Event::Scripted(action) => self.act(action),
        }
    }

    fn local_now(&self, index: usize) -> Timestamp<Local> {
        self.speakers[index].clock.at(self.now)
    }

    fn hub_receives(&mut self, index: usize, mut bytes: Vec<u8>) {
        let now = self.hub_now();
        self.hub.handle_datagram(now, now, address(index), &mut bytes);
        self.settle_hub();
    }

    fn speaker_receives(&mut self, index: usize, mut bytes: Vec<u8>) {
        let now = self.local_now(index);
        self.speakers[index].engine.handle_datagram(now, now, &mut bytes);
        self.settle_speaker(index);
    }

    fn card_wakes(&mut self, index: usize, wake: &Wake) {
        let speaker = &mut self.speakers[index];
        let channels = usize::from(speaker.spec.role.channels());
        let from = speaker.recorded.len();
        let frame = wake.first_frame;
        if frame.0 % TIMELINE_STEP < wake.frames.0 {
            let at = speaker.card.converted_at(frame);
            let next = speaker.card.converted_at(frame + Frames(TIMELINE_STEP));
            let rate_hz = TIMELINE_STEP as f64 / (next - at).as_s_f64();
            speaker.times.push(Segment { frame, at, rate_hz });
        }
        speaker.recorded.resize(from + wake.frames.0 as usize * channels, 0.0);
        speaker.renderer.render(frame, &mut speaker.recorded[from..]);
        speaker.engine.handle_stamp(wake.stamp_frame, wake.stamp_at);
        let next = speaker.card.wake(&speaker.clock);
        self.schedule(next.when, Event::CardWake(index, next));
    }

    fn act(&mut self, action: Action) {
        let now = self.hub_now();
        match action {
            Action::Join(index) => self.join(index),
            Action::Network(index, up) => self.speakers[index].connected = up,
            Action::Pause => self.hub.pause(now),
            Action::Resume => self.hub.resume(now),
            Action::Seek(seconds) => {
                let frame = (seconds * 48_000.0) as usize;
                self.hub.seek(now, Frames(frame as i64));
                (self.pushed, self.finished) = (frame * 2, false);
                self.feed();
            }
            Action::Delay(index, delay_us) => self.change(index, |s| s.delay_us = Some(delay_us)),
            Action::OutputDelay(index, delay) => {
                let speaker = &mut self.speakers[index];
                let now = speaker.clock.at(self.now);
                speaker.engine.set_output_delay(now, delay);
            }
            Action::Gain(index, gain_db) => self.change(index, |s| s.gain_db = Some(gain_db)),
            Action::Stall(index, span) => self.speakers[index].card.stall(span),
            Action::Restart => self.restart(),
        }
        self.settle_hub();
    }

    fn change(&mut self, index: usize, set: impl FnOnce(&mut antiphon_engine::SettingsChange)) {
        let mut change = antiphon_engine::SettingsChange::default();
        set(&mut change);
        let now = self.hub_now();
        // Unknown only while it is not connected; then there is nothing to set.
        let _ = self.hub.set(now, &self.speakers[index].spec.name.clone(), change);
    }

    fn restart(&mut self) {
        self.hub_boots += 1;
        self.hub = engine(self.hub_boots, self.latency);
        self.hub_zero = self.now - Span::from_s(i64::from(self.hub_boots) * 100);
        self.hub_timer = None;
        for index in 0..self.speakers.len() {
            self.speakers[index].session = None;
            self.join(index);
        }
        let source = std::mem::take(&mut self.source);
        let asked = self.asked;
        self.play(source);
        self.asked = asked;
    }

    fn join(&mut self, index: usize) {
        let spec = &self.speakers[index].spec;
        let hello = Hello {
            protocol: PROTOCOL,
            name: spec.name.clone(),
            software: "simulated".into(),
            codecs: vec![spec.codec],
            channels: spec.role.channels(),
            output: "simulated".into(),
            role: Some(spec.role),
            min_latency_us: 5_000,
        };
        let id = SpeakerId([index as u8 + 1; 16]);
        // Every handshake gives other keys: what the former session still has under way does not open.
        self.handshakes += 1;
        let seed = Rng::new(self.handshakes);
        let key = |way: u64| std::array::from_fn(|byte| seed.fork(way * 32 + byte as u64).bits() as u8);
        let keys = || SessionKeys { to_speaker: key(1), to_hub: key(2) };
        let settings = SpeakerSettings { role: spec.role, codec: spec.codec, ..SpeakerSettings::default() };
        let now = self.hub_now();
        if let Ok((session, welcome)) = self.hub.join(
            now,
            id,
            &hello,
            Some(keys()),
            Transport::Datagrams,
            Remembered { settings: Some(settings), ..Remembered::default() },
        ) {
            let local = self.local_now(index);
            self.speakers[index].session = Some(session);
            self.speakers[index].engine.start_session(local, &welcome, Some(keys()));
            self.settle_speaker(index);
        }
    }

    /// Pushes as much of the source as the hub has room for.
    fn feed(&mut self) {
        let now = self.hub_now();
        let room = self.hub.source_room().0.max(0) as usize * 2;
        let end = (self.pushed + room).min(self.source.len()).min(self.heard());
        if end > self.pushed {
            self.hub.push_source(now, &self.source[self.pushed..end]);
            self.pushed = end;
        }
        if self.pushed == self.source.len() && !self.source.is_empty() && !self.finished {
            self.finished = true;
            self.hub.finish_source(now);
        }
    }

    /// The samples that a device has given by now; of a file, all.
    fn heard(&self) -> usize {
        let (Some(ppm), Some(asked)) = (self.device_ppm, self.asked) else { return usize::MAX };
        let pieces = (self.now - asked).as_s_f64() * 50.0 * (1.0 + ppm * 1e-6);
        pieces as usize * 960 * 2
    }

    /// Sends what the hub has to send and sets its timer.
    fn settle_hub(&mut self) {
        let mut datagram = Vec::new();
        while let Some(to) = self.hub.poll_transmit(&mut datagram) {
            let index = usize::from(to.port());
            let sent = self.now;
            let speaker = &mut self.speakers[index];
            let arrival = speaker.down.carry(sent).filter(|_| speaker.connected);
            if let Some(at) = arrival {
                self.schedule(at, Event::ToSpeaker(index, datagram.clone()));
            }
        }
        while let Some((session, message)) = self.hub.poll_message() {
            if let Some(index) = self.speakers.iter().position(|s| s.session == Some(session)) {
                self.schedule(self.now + CONTROL_DELAY, Event::MessageToSpeaker(index, message));
            }
        }
        while self.hub.poll_event().is_some() {}
        let due = self.hub.poll_timeout().map(|at| self.hub_zero + Span::from_ns(at.as_ns()));
        if let Some(at) = due
            && self.hub_timer.is_none_or(|timer| at < timer)
        {
            self.hub_timer = Some(at.max(self.now));
            self.schedule(at, Event::HubTimer);
        }
    }

    /// Lets a speaker act on the present, sends what it has to send and sets its timer.
    fn settle_speaker(&mut self, index: usize) {
        let now = self.local_now(index);
        let sent = self.now;
        self.speakers[index].engine.handle_timeout(now);
        let mut datagram = Vec::new();
        while self.speakers[index].engine.poll_transmit(now, &mut datagram) {
            let speaker = &mut self.speakers[index];
            let arrival = speaker.up.carry(sent).filter(|_| speaker.connected);
            if let Some(at) = arrival {
                self.schedule(at, Event::ToHub(index, datagram.clone()));
            }
        }
        self.settle_messages(index, now);
        let speaker = &mut self.speakers[index];

        let due = speaker.engine.poll_timeout().map(|at| speaker.clock.when(at) + Span::from_ns(1));
        if let Some(at) = due
            && speaker.timer.is_none_or(|timer| at < timer)
        {
            speaker.timer = Some(at);
            self.schedule(at, Event::SpeakerTimer(index));
        }
    }

    fn settle_messages(&mut self, index: usize, now: Timestamp<Local>) {
        while let Some(message) = self.speakers[index].engine.poll_message() {
            self.schedule(self.now + CONTROL_DELAY, Event::MessageToHub(index, message));
        }
        while let Some(event) = self.speakers[index].engine.poll_event() {
            if event == EngineEvent::StatsDue {
                let stats = self.speakers[index].engine.stats(now);
                self.schedule(
                    self.now + CONTROL_DELAY,
                    Event::MessageToHub(index, SpeakerMessage::Stats(stats)),
                );
            }
        }
    }
}

fn engine(boot: u32, latency: Span) -> HubEngine {
    HubEngine::new(HubEngineConfig { clock: ClockId(boot), name: "simulated".into(), latency, open: false })
}

/// Speakers are told apart by port.
fn address(index: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], index as u16))
}
