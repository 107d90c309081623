//! What the media thread owns, and the errands that others send it on.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use antiphon_api::{
    DoneReason, ErrorBody, ErrorCode, ProgrammeStatus, SeekTo, SpeakerStatus, TransportAction,
    TransportRequest,
};
use antiphon_base::{Frames, Hub, SampleRate, SessionId, Span, SpeakerId, Timestamp};
use antiphon_engine::{
    HubEngine, HubEvent, SettingsChange, SourcePace, SpeakerSnapshot, Track, TransportState,
};
use antiphon_net::{Clock, Warp};
use antiphon_proto::session::{
    Hello, HubMessage, Refusal, Remembered, SpeakerMessage, SpeakerSettings, Trim, Welcome,
};
use antiphon_proto::wire::seal::SessionKeys;
use antiphon_proto::{Transport, message_session};
use tokio::sync::mpsc;

use super::browser::Page;
use super::source_seat::{Question, SourceOffer, SourceSeat};
use crate::convert;

/// Control messages that may wait for one speaker. A hub sends a handful at a change and none
/// otherwise: a speaker that leaves this many unread has stopped reading.
const OUTBOX: usize = 64;

/// Who goes back from later than this means the beginning of the same track.
const BEGINNING: Span = Span::from_s(3);

/// How often a player is told where the programme stands, and how long that may wait for a turn that comes anyway.
const STATE_INTERVAL: Span = Span::from_ms(100);
const STATE_SLACK: Span = Span::from_ms(40);

/// What the rest of the hub must know.
#[derive(Debug)]
pub enum Event {
    /// A speaker was set otherwise: to be remembered.
    Settings(SpeakerId, String, SpeakerSettings),
}

/// A session's place in the media thread.
#[derive(Debug)]
pub(super) struct Seat {
    speaker: SpeakerId,
    pub(super) outbox: mpsc::Sender<HubMessage>,
    /// Where it is a browser.
    pub(super) page: Option<Page>,
}

/// What a session's task holds while it stands.
#[derive(Debug)]
pub struct Joined {
    /// The session.
    pub session: SessionId,
    /// The first message to the speaker.
    pub welcome: Welcome,
    /// What to tell the speaker after that; its end is the session's end.
    pub outbox: mpsc::Receiver<HubMessage>,
}

/// The engine, its clock, and who is connected.
pub struct Core {
    /// The hub's clock.
    pub clock: Clock<Hub>,
    engine: HubEngine,
    started: Timestamp<Hub>,
    pub(super) seats: BTreeMap<SessionId, Seat>,
    source: Option<SourceSeat>,
    next_link: u64,
    state_due: Timestamp<Hub>,
    events: mpsc::Sender<Event>,
    stopping: bool,
}

impl Core {
    pub(super) fn new(engine: HubEngine, events: mpsc::Sender<Event>) -> Self {
        let clock = Clock::new(Warp::default());
        let started = clock.now();
        Self {
            clock,
            engine,
            started,
            seats: BTreeMap::new(),
            source: None,
            next_link: 0,
            state_due: started,
            events,
            stopping: false,
        }
    }

    /// Seats a speaker whose handshake is done.
    ///
    /// # Errors
    /// What the speaker is to be told.
    pub fn join(
        &mut self,
        id: SpeakerId,
        hello: &Hello,
        keys: Option<SessionKeys>,
        remembered: Remembered,
    ) -> Result<Joined, Refusal> {
        self.seat(id, hello, keys, Transport::Datagrams, remembered, None)
    }

    pub(super) fn seat(
        &mut self,
        id: SpeakerId,
        hello: &Hello,
        keys: Option<SessionKeys>,
        transport: Transport,
        remembered: Remembered,
        page: Option<Page>,
    ) -> Result<Joined, Refusal> {
        let now = self.clock.now();
        let (session, welcome) = self.engine.join(now, id, hello, keys, transport, remembered)?;
        // An old session of the same speaker has ended with this; its seat goes before the new one comes.
        self.drain_events();
        let (sender, outbox) = mpsc::channel(OUTBOX);
        self.seats.insert(session, Seat { speaker: id, outbox: sender, page });
        Ok(Joined { session, welcome, outbox })
    }

    /// Hands on what a speaker said.
    pub fn message(&mut self, session: SessionId, message: SpeakerMessage) {
        if self.seats.contains_key(&session) {
            self.engine.handle_message(self.clock.now(), session, message);
        }
    }

    /// Ends a session.
    pub fn leave(&mut self, session: SessionId, reason: &str) {
        if self.seats.remove(&session).is_some() {
            self.engine.leave(self.clock.now(), session, reason);
        }
    }

    /// Every connected speaker, by name.
    pub fn speakers(&self) -> Vec<SpeakerStatus> {
        let shown = |snapshot: SpeakerSnapshot| {
            let id = snapshot.id;
            let mut status = convert::speaker(snapshot);
            self.show_browser(id, &mut status);
            status
        };
        self.engine_speakers().into_iter().map(shown).collect()
    }

    pub(super) fn engine_speakers(&self) -> Vec<SpeakerSnapshot> {
        self.engine.speakers(self.clock.now())
    }

    /// Where the programme stands.
    pub fn programme(&self) -> ProgrammeStatus {
        convert::programme(self.engine.transport(self.clock.now()))
    }

    /// Time since the hub started.
    pub fn uptime(&self) -> Span {
        self.clock.now() - self.started
    }

    /// The target latency.
    pub fn latency(&self) -> Span {
        self.engine.latency()
    }

    /// Changes the target latency.
    pub fn set_latency(&mut self, latency: Span) {
        self.engine.set_latency(self.clock.now(), latency);
    }

    /// Changes one speaker's settings.
    ///
    /// # Errors
    /// No connected speaker has that name.
    pub fn set(&mut self, name: &str, change: SettingsChange) -> Result<SpeakerStatus, ErrorBody> {
        let set = self.engine.set(self.clock.now(), name, change);
        let speakers = self.speakers();
        if set.is_ok()
            && let Some(speaker) = speakers.iter().find(|speaker| speaker.name == name)
        {
            return Ok(speaker.clone());
        }
        Err(ErrorBody::unknown_speaker(name, speakers.iter().map(|speaker| speaker.name.as_str())))
    }

    /// Calls a connected speaker otherwise.
    ///
    /// # Errors
    /// No connected speaker is called `name`, or another one is called `new`.
    pub fn rename(&mut self, name: &str, new: &str) -> Result<SpeakerId, ErrorBody> {
        let speakers = self.engine_speakers();
        if !speakers.iter().any(|speaker| speaker.name == name) {
            return Err(ErrorBody::unknown_speaker(
                name,
                speakers.iter().map(|speaker| speaker.name.as_str()),
            ));
        }
        let taken = || {
            ErrorBody::new(
                ErrorCode::Conflict,
                format!("another speaker is called {new:?}: choose another name"),
            )
        };
        self.engine.rename(self.clock.now(), name, new).ok_or_else(taken)
    }

    /// Changes a speaker's calibration; one that is not connected has it when it comes.
    pub fn set_trim(&mut self, id: SpeakerId, trim: Trim) {
        self.engine.set_trim(id, trim);
    }

    /// Pause, resume, stop, seek, next, previous.
    ///
    /// # Errors
    /// Nothing plays, or the place makes no sense.
    pub fn transport(&mut self, request: &TransportRequest) -> Result<ProgrammeStatus, ErrorBody> {
        let now = self.clock.now();
        let state = self.engine.transport(now).state;
        if self.source.is_none() || matches!(state, TransportState::Idle | TransportState::Ended) {
            let message = "nothing is playing; start something with `antiphon play FILE`";
            return Err(ErrorBody::new(ErrorCode::Conflict, message));
        }
        match (request.action, state) {
            (TransportAction::Pause, _) => self.engine.pause(now),
            (TransportAction::Toggle, TransportState::Paused) | (TransportAction::Resume, _) => {
                self.engine.resume(now);
            }
            (TransportAction::Toggle, _) => self.engine.pause(now),
            (TransportAction::Stop, _) => self.stop(DoneReason::Stopped),
            (TransportAction::Seek, _) => self.seek(request.to)?,
            (TransportAction::Next, _) => self.skip(1)?,
            (TransportAction::Previous, _) => self.go_back()?,
        }
        self.state_due = now;
        Ok(self.programme())
    }

    /// Opens a source, in the place of the one that may be playing.
    ///
    /// # Errors
    /// What the player is to be told.
    pub fn open_source(&mut self, offer: SourceOffer) -> Result<u64, ErrorBody> {
        self.stop(DoneReason::Replaced);
        let now = self.clock.now();
        let pace = offer.spec.pace;
        self.engine
            .open_source(now, offer.spec)
            .map_err(|refusal| ErrorBody::new(ErrorCode::BadRequest, refusal.to_string()))?;
        if offer.first_frame != Frames(0) {
            self.engine.seek(now, offer.first_frame);
        }
        self.next_link += 1;
        self.source = Some(SourceSeat::new(self.next_link, offer.seekable, pace, offer.notices));
        self.state_due = now;
        Ok(self.next_link)
    }

    /// Takes frames of the source behind `link`.
    ///
    /// # Errors
    /// More than it has credit for: the link ends.
    pub fn push_source(&mut self, link: u64, channels: u16, samples: &[f32]) -> Result<(), ErrorBody> {
        let now = self.clock.now();
        let Some(seat) = self.source.as_mut().filter(|seat| seat.link == link) else { return Ok(()) };
        let frames = samples.len() as u64 / u64::from(channels.max(1));
        if !seat.take(frames) {
            let message = "the player sent more than it had credit for";
            return Err(ErrorBody::new(ErrorCode::BadRequest, message));
        }
        if !seat.is_seeking() {
            self.engine.push_source(now, samples);
        }
        Ok(())
    }

    /// The source behind `link` answers a seek or a skip: it goes on at `position`.
    pub fn source_position(&mut self, link: u64, position: Frames) {
        if let Some(seat) = self.source.as_mut().filter(|seat| seat.link == link) {
            seat.answered_seek();
            if !seat.is_seeking() {
                self.engine.resume_source(position);
            }
        }
    }

    /// The source behind `link` says that a track begins.
    pub fn source_track(&mut self, link: u64, track: Track) {
        if self.source.as_ref().is_some_and(|seat| seat.link == link && seat.counts_alike()) {
            self.engine.begin_track(self.clock.now(), track);
            self.state_due = self.clock.now();
        }
    }

    /// The source behind `link` is a station that plays `title` from frame `first` on.
    pub fn source_on_air(&mut self, link: u64, first: Frames, title: String) {
        if self.source.as_ref().is_some_and(|seat| seat.link == link && seat.counts_alike()) {
            self.engine.on_air(self.clock.now(), first, title);
        }
    }

    /// The source behind `link` has sent all.
    pub fn finish_source(&mut self, link: u64) {
        // Between a seek and its answer the player speaks of a place that is void.
        if self.source.as_ref().is_some_and(|seat| seat.link == link && !seat.is_seeking()) {
            self.engine.finish_source(self.clock.now());
        }
    }

    /// The player behind `link` is gone.
    pub fn close_source(&mut self, link: u64) {
        if self.source.as_ref().is_some_and(|seat| seat.link == link) {
            self.stop(DoneReason::Stopped);
        }
    }

    /// Says goodbye to everybody; the thread ends after this turn.
    pub fn shut_down(&mut self) {
        self.stop(DoneReason::HubEnds);
        for seat in self.seats.values() {
            let goodbye = HubMessage::Goodbye { reason: "the hub is stopping".into() };
            // A speaker that reads nothing will find the connection closed.
            let _ = seat.outbox.try_send(goodbye);
        }
        self.seats.clear();
        self.stopping = true;
    }

    fn stop(&mut self, why: DoneReason) {
        if let Some(seat) = self.source.take() {
            self.engine.stop(self.clock.now());
            seat.done(why);
        }
    }

    fn seek(&mut self, to: Option<SeekTo>) -> Result<(), ErrorBody> {
        let now = self.clock.now();
        let status = self.engine.transport(now);
        let within = convert::seek_target(to, status.position, status.duration)?;
        let frames = status.track.map_or(Frames(0), |track| track.first) + within;
        match &mut self.source {
            Some(seat) if seat.seekable => {
                self.engine.seek(now, frames);
                seat.ask(Question::Seek(frames));
                Ok(())
            }
            _ => {
                let message = "this cannot be sought in: it is live, or its server gives no parts of it";
                Err(ErrorBody::new(ErrorCode::Conflict, message))
            }
        }
    }

    /// To the track that is `by` further.
    fn skip(&mut self, by: i32) -> Result<(), ErrorBody> {
        let now = self.clock.now();
        match (self.engine.transport(now).track, &mut self.source) {
            (Some(track), Some(seat)) => {
                self.engine.skip(now, track.number.saturating_add_signed(by), track.of);
                seat.ask(Question::Skip(track.number, by));
                Ok(())
            }
            _ => {
                let message =
                    "only one thing is playing; `antiphon play` takes several files, folders and playlists";
                Err(ErrorBody::new(ErrorCode::Conflict, message))
            }
        }
    }

    fn go_back(&mut self) -> Result<(), ErrorBody> {
        let status = self.engine.transport(self.clock.now());
        match status.track {
            Some(_) if SampleRate::MEDIA.span_of(status.position) < BEGINNING => self.skip(-1),
            _ => self.seek(Some(SeekTo::PositionS(0.0))),
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping
    }

    pub(super) fn datagram(&mut self, from: SocketAddr, at: Timestamp<Hub>, bytes: &mut [u8]) {
        // Browsers' addresses are made up here: whoever sends from one has forged it.
        if message_session(from).is_none() {
            self.take_datagram(from, at, bytes);
        }
    }

    pub(super) fn take_datagram(&mut self, from: SocketAddr, at: Timestamp<Hub>, bytes: &mut [u8]) {
        self.engine.handle_datagram(self.clock.now(), at, from, bytes);
    }

    pub(super) fn transmit(&mut self, out: &mut Vec<u8>) -> Option<SocketAddr> {
        loop {
            out.clear();
            let to = self.engine.poll_transmit(out)?;
            if !self.hand_over(to, out) {
                return Some(to);
            }
        }
    }

    pub(super) fn wait(&self) -> Span {
        let state = self.source.as_ref().map(|_| self.state_due + STATE_SLACK);
        match self.engine.poll_timeout().into_iter().chain(state).min() {
            Some(due) => due.saturating_since(self.clock.now()).max(Span::ZERO),
            None => Span::MAX,
        }
    }

    pub(super) fn turn(&mut self) {
        let now = self.clock.now();
        self.engine.handle_timeout(now);
        self.drain_events();
        self.deliver(now);
        self.serve_source(now);
    }

    fn drain_events(&mut self) {
        while let Some(event) = self.engine.poll_event() {
            match event {
                HubEvent::Joined(id, name) => tracing::info!("speaker {name} joined ({id})"),
                HubEvent::Left(id, reason) => self.left(id, &reason),
                HubEvent::SettingsChanged(id, settings) => self.remember(id, settings),
                HubEvent::SourceEnded => self.ended(),
                HubEvent::SourceStarved => self.starved(),
                HubEvent::Started(_) => {}
            }
        }
    }

    fn starved(&self) {
        match self.source.as_ref().map(|seat| seat.pace) {
            // Nobody plays anything at the moment: that is no fault.
            Some(SourcePace::Pulled | SourcePace::Clocked) => tracing::debug!("the source is silent"),
            _ => tracing::warn!("the source does not keep up; playing waits for it"),
        }
    }

    fn left(&mut self, id: SpeakerId, reason: &str) {
        tracing::info!("speaker {id} left: {reason}");
        self.seats.retain(|_, seat| seat.speaker != id);
    }

    fn remember(&self, id: SpeakerId, settings: SpeakerSettings) {
        let name = self.engine.speakers(self.clock.now()).into_iter().find(|speaker| speaker.id == id);
        let Some(name) = name.map(|speaker| speaker.name) else { return };
        if self.events.try_send(Event::Settings(id, name, settings)).is_err() {
            tracing::warn!("the settings of {id} were not kept: too many changes at once");
        }
    }

    fn ended(&mut self) {
        if let Some(seat) = self.source.take() {
            seat.done(DoneReason::Played);
        }
    }

    fn deliver(&mut self, now: Timestamp<Hub>) {
        while let Some((session, message)) = self.engine.poll_message() {
            let Some(seat) = self.seats.get(&session) else { continue };
            if seat.outbox.try_send(message).is_err() {
                self.seats.remove(&session);
                self.engine.leave(now, session, "it does not read its control messages");
            }
        }
    }

    fn serve_source(&mut self, now: Timestamp<Hub>) {
        let room = self.engine.source_room();
        let Some(seat) = &mut self.source else { return };
        seat.grant(room);
        if now >= self.state_due {
            let programme = convert::programme(self.engine.transport(now));
            if let Some(seat) = &self.source {
                seat.state(programme);
            }
            self.state_due = now + STATE_INTERVAL;
        }
    }
}
