//! The speaker's end: datagrams and position stamps in, chunks and targets for the renderer out.

mod decode;

mod seam;

mod steer;

mod stats;

use std::collections::VecDeque;

use antiphon_base::{ClockMap, Epoch, Frames, Hub as HubClock, Local, SampleRate, Span, Timestamp};
use antiphon_playout::{Command, Controller, Telemetry};
use antiphon_proto::session::{HubMessage, SpeakerMessage, SpeakerSettings, Welcome};
use antiphon_proto::sync::{DacFilter, ResetReason};
use antiphon_proto::timeline::Timeline;
use antiphon_proto::wire::seal::SessionKeys;
use antiphon_proto::{Speaker, SpeakerConfig, SpeakerEvent};

use decode::{Decoding, StreamForm};

/// What a speaker is told of its output at the start.
#[derive(Debug, Clone)]
pub struct SpeakerEngineConfig {
    /// The output's nominal rate.
    pub rate: SampleRate,
    /// The output's channels.
    pub channels: u16,
    /// Frames that the output asks for at once.
    pub period: Frames,
    /// From a callback to its frames' conversion, as the output states it.
    pub output_latency: Span,
}

/// What the shell must know or do.
#[derive(Debug, Clone, PartialEq)]
pub enum EngineEvent {
    /// No authenticated datagram for a while: the connection is to be made again.
    HubSilent,
    /// The hub asked for other settings.
    Settings(SpeakerSettings),
    /// A report for the hub is due: the state changed.
    StatsDue,
}

/// How often the renderer is given a new target while playing. Its loop is far slower, and each
/// target costs the same small composition of maps.
const TARGET_PERIOD: Span = Span::from_ms(100);

/// While the clocks are still being learnt, targets come this often.
const EARLY_TARGET_PERIOD: Span = Span::from_ms(25);

/// How long after the start of a session "still being learnt" lasts.
const EARLY: Span = Span::from_s(3);

/// Reports to the hub while nothing special happens.
const STATS_PERIOD: Span = Span::from_s(1);

/// The longest that gain changes take to reach their end: short enough to feel instant, long
/// enough not to click.
const GAIN_RAMP: Span = Span::from_ms(20);

/// An output that has said no position for so long has no device: one that is started or moved says one within a
/// few periods.
const DEVICE_GONE: Span = Span::from_s(1);

/// What a target latency must leave beyond what the output holds: a packet of the hub's, its way, and a
/// scheduling hiccup.
const LATENCY_MARGIN: Span = Span::from_ms(30);

/// A speaker, sans-IO. Its [`Renderer`](antiphon_playout::Renderer) runs in the output's callback;
/// everything else is here. Call `handle_*` with what happened, then drain `poll_transmit`,
/// `poll_message` and `poll_event`, then sleep until `poll_timeout`.
pub struct SpeakerEngine {
    config: SpeakerEngineConfig,
    proto: Speaker,
    decoding: Decoding,
    dac: DacFilter,
    playout: Controller,
    telemetry: Telemetry,
    settings: SpeakerSettings,
    timeline: Option<Timeline>,
    stopped: Option<Epoch>,
    /// The newest media frame that came, in its epoch.
    newest: (Epoch, Frames),
    clock_id: Option<u32>,
    session_since: Option<Timestamp<Local>>,
    next_target: Option<Timestamp<Local>>,
    next_stats: Option<Timestamp<Local>>,
    was_ready: bool,
    xruns: u64,
    /// Since when nothing is known of where the output stands.
    placeless_since: Option<Timestamp<Local>>,
    /// From the DAC to the sound, where the output has said so.
    output_delay: Span,
    /// The output executes the settings' `volume` itself.
    own_volume: bool,
    /// Commanded moves so far: see [`Target::moves`](antiphon_playout::Target::moves).
    moves: u32,
    /// Chunks that the renderer's queue had no room for.
    crowded: u64,
    events: VecDeque<EngineEvent>,
}

impl SpeakerEngine {
    /// A speaker without a session. `playout` is the other end of the renderer that the output calls.
    pub fn new(config: SpeakerEngineConfig, playout: Controller, settings: SpeakerSettings) -> Self {
        let mut proto = Speaker::new(SpeakerConfig::default());
        proto.set_release_lead(release_lead(&config));
        Self {
            proto,
            decoding: Decoding::new(),
            dac: DacFilter::new(config.rate),
            playout,
            telemetry: Telemetry::default(),
            settings,
            timeline: None,
            stopped: None,
            newest: (Epoch(0), Frames(0)),
            clock_id: None,
            session_since: None,
            next_target: None,
            next_stats: None,
            was_ready: false,
            xruns: 0,
            placeless_since: None,
            output_delay: Span::ZERO,
            own_volume: false,
            moves: 0,
            crowded: 0,
            events: VecDeque::new(),
            config,
        }
    }

    /// The hub accepted this speaker.
    pub fn start_session(&mut self, now: Timestamp<Local>, welcome: &Welcome, keys: Option<SessionKeys>) {
        // Another boot of the hub counts epochs and frames anew: what is held means nothing.
        if self.clock_id.replace(welcome.clock) != Some(welcome.clock) {
            self.command(Command::Flush);
            (self.timeline, self.stopped, self.newest) = (None, None, (Epoch(0), Frames(0)));
            self.decoding.forget();
        }
        self.proto.start_session(now, welcome, keys);
        self.session_since = Some(now);
        self.next_target = Some(now);
        self.next_stats = Some(now + STATS_PERIOD);
        self.was_ready = false;
        self.drain(now);
    }

    /// The connection is gone for good: what is buffered plays out, then silence.
    pub fn end_session(&mut self, now: Timestamp<Local>) {
        self.proto.end_session(now);
        self.next_stats = None;
    }

    /// A control message of the hub.
    pub fn handle_message(&mut self, now: Timestamp<Local>, message: HubMessage) {
        self.proto.handle_message(now, message);
        self.drain(now);
    }

    /// A datagram; `received_at` is the kernel's receive stamp.
    pub fn handle_datagram(
        &mut self,
        now: Timestamp<Local>,
        received_at: Timestamp<Local>,
        bytes: &mut [u8],
    ) {
        self.proto.handle_datagram(now, received_at, bytes);
        self.drain(now);
    }

    /// The output says that `frame` was being converted at `at`.
    pub fn handle_stamp(&mut self, frame: Frames, at: Timestamp<Local>) {
        self.dac.handle_stamp(frame, at);
    }

    /// The output ran dry for `missing` frames; its counter went on.
    pub fn handle_xrun(&mut self, _missing: Frames) {
        self.xruns += 1;
    }

    /// The output was moved or restarted: what was learnt of its counter is void.
    pub fn handle_moved_output(&mut self) {
        self.dac.reset(ResetReason::Moved);
        self.command(Command::Reprime);
    }

    /// How long after its conversion a frame is heard, where there is more behind the converter. A
    /// change in the middle of a programme is a commanded move: sound goes over to its new place by a
    /// cross-fade.
    pub fn set_output_delay(&mut self, now: Timestamp<Local>, delay: Span) {
        if std::mem::replace(&mut self.output_delay, delay) != delay {
            self.proto.set_min_latency(self.min_latency());
            self.move_line(now);
        }
    }

    /// The output was opened anew, with another format: `playout` feeds its renderer.
    pub fn replace_output(
        &mut self,
        now: Timestamp<Local>,
        config: SpeakerEngineConfig,
        playout: Controller,
    ) {
        self.dac = DacFilter::new(config.rate);
        (self.config, self.playout, self.telemetry) = (config, playout, Telemetry::default());
        self.command(self.gain());
        self.move_line(now);
    }

    /// Whether the output executes the settings' `volume` itself; else it is part of the gain.
    pub fn set_own_volume(&mut self, own: bool) {
        if std::mem::replace(&mut self.own_volume, own) != own {
            self.command(self.gain());
        }
    }

    /// The least target latency at which this output can play.
    pub fn min_latency(&self) -> Span {
        self.output_delay + release_lead(&self.config) + LATENCY_MARGIN
    }

    /// This host's clock to the hub's, as far as it is known.
    pub fn clock(&self) -> Option<ClockMap<Local, HubClock>> {
        self.proto.clock()
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Timestamp<Local>) {
        self.proto.handle_timeout(now);
        self.drain(now);
        self.playout.collect();
        if let Some(telemetry) = self.playout.telemetry() {
            self.telemetry = telemetry;
        }
        if self.next_target.is_some_and(|at| now >= at) {
            self.steer(now);
        }
        self.watch_readiness(now);
        self.placeless_since = self.dac.map().is_none().then(|| self.placeless_since.unwrap_or(now));
        if self.next_stats.is_some_and(|at| now >= at) {
            self.next_stats = Some(now + STATS_PERIOD);
            self.events.push_back(EngineEvent::StatsDue);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is wanted next.
    pub fn poll_timeout(&self) -> Option<Timestamp<Local>> {
        let proto = self.proto.poll_timeout().map(|deadline| deadline.at);
        proto.into_iter().chain(self.next_target).chain(self.next_stats).min()
    }

    /// The next datagram for the hub, written to `out`; `now` is put into clock probes, so send at once.
    pub fn poll_transmit(&mut self, now: Timestamp<Local>, out: &mut Vec<u8>) -> bool {
        self.proto.poll_transmit(now, out)
    }

    /// The next control message for the hub.
    pub fn poll_message(&mut self) -> Option<SpeakerMessage> {
        self.proto.poll_message()
    }

    /// The next event for the shell.
    pub fn poll_event(&mut self) -> Option<EngineEvent> {
        self.events.pop_front()
    }

    fn drain(&mut self, now: Timestamp<Local>) {
        while let Some(event) = self.proto.poll_event() {
            self.handle_event(now, event);
        }
    }

    fn handle_event(&mut self, now: Timestamp<Local>, event: SpeakerEvent) {
        match event {
            SpeakerEvent::Packet { stream, epoch, codec, channels, first_frame, payload } => {
                let form = StreamForm { stream, epoch, codec, channels };
                self.decode_packet(form, first_frame, &payload);
                self.newest = self.newest.max((epoch, first_frame));
                self.proto.recycle(payload);
            }
            SpeakerEvent::Lost { stream, epoch, first_frame, frames } => {
                self.decode_loss(stream, epoch, first_frame, frames);
            }
            SpeakerEvent::Timeline(timeline) => {
                self.stopped = self.stopped.filter(|epoch| *epoch == timeline.epoch);
                self.timeline = Some(timeline);
                self.steer(now);
            }
            SpeakerEvent::Stop { epoch, at } => self.stop(epoch, at),
            SpeakerEvent::Settings(settings) => {
                self.take_settings(now, settings.clone());
                self.events.push_back(EngineEvent::Settings(settings));
            }
            SpeakerEvent::HubSilent => self.events.push_back(EngineEvent::HubSilent),
            // The hub closes the connection too, and the shell sees that; a silence that ended needs nothing.
            SpeakerEvent::Goodbye(_) | SpeakerEvent::HubBack => {}
        }
    }

    fn take_settings(&mut self, now: Timestamp<Local>, settings: SpeakerSettings) {
        let moved = settings.delay_us != self.settings.delay_us;
        self.settings = settings;
        self.command(self.gain());
        if moved {
            self.move_line(now);
        }
    }

    fn gain(&self) -> Command {
        let SpeakerSettings { muted, gain_db, volume, .. } = self.settings;
        let volume = volume.filter(|_| !self.own_volume).map_or(1.0, |percent| f32::from(percent) / 100.0);
        let linear = if muted { 0.0 } else { 10f32.powf(gain_db.clamp(-120.0, 12.0) / 20.0) };
        // Loudness follows about the third root of amplitude: half of the way is half as loud.
        Command::Gain { linear: linear * volume.powi(3), ramp: GAIN_RAMP }
    }

    /// The line is another from here on because somebody said so, not because a clock was misjudged.
    fn move_line(&mut self, now: Timestamp<Local>) {
        self.moves = self.moves.wrapping_add(1);
        self.proto.set_release_lead(release_lead(&self.config) - self.delay());
        self.steer(now);
    }

    /// From a frame's presentation time to the conversion that makes it heard then, plus the speaker's
    /// own delay: negative where there is more behind the converter than the speaker is to lag.
    fn delay(&self) -> Span {
        Span::from_us(self.settings.delay_us) - self.output_delay
    }

    fn stop(&mut self, epoch: Epoch, at: Timestamp<HubClock>) {
        if self.timeline.is_none_or(|timeline| timeline.epoch != epoch) {
            return;
        }
        if let Some(dac_frame) = self.dac_frame_at(at) {
            self.command(Command::Stop { epoch, dac_frame });
        } else {
            self.command(Command::Flush);
        }
        self.stopped = Some(epoch);
    }

    fn command(&mut self, command: Command) {
        if self.playout.command(command).is_err() {
            self.crowded += 1;
        }
    }
}

/// A packet must be handed over before its presentation by what the output holds, one more period
/// that is being filled, and the resampler's look-ahead with a little scheduling room.
fn release_lead(config: &SpeakerEngineConfig) -> Span {
    config.output_latency + config.rate.span_of(config.period) + Span::from_ms(3)
}
