//! Frames to the hub, by credit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use antiphon_api::{
    ApiError, Client, DoneReason, ErrorCode, ProgrammeState, ProgrammeStatus, SeekTo, SourceCommand,
    SourceLink, SourceNotice, SourceTarget, SpeakerPatch, TransportAction, TransportRequest,
};
use antiphon_audio::desktop::Lateness;
use antiphon_audio::source::{self, List, News, Place, Polled, Prefetch, SourceError, SourceInfo, Track};
use antiphon_base::{Frames, SampleRate, Span};

use super::audience::{self, Came};
use super::cannot_play;
use super::keys::{Key, Keys};
use super::mpris::{Mpris, Now};
use super::reach::Reach;
use super::roll::{self, Roll};
use super::screen::Screen;
use super::successor::{self, Wishes};
use super::tracks::{self, Tracks};
use crate::exit::{Exit, Failure};

/// How long to wait for the hub's word before looking at keys and signals: a finger does not feel it.
const PATIENCE: Duration = Duration::from_millis(20);

/// The same while the decoder is behind: it is not the hub that is waited for.
const HURRY: Duration = Duration::from_millis(2);

/// Frames read at a time: 100 ms.
const RUN: usize = 4_800;

/// What an arrow key moves by.
const SEEK_S: f64 = 10.0;

/// What plus and minus change.
const VOLUME_DB: f32 = 1.0;

/// A hub that was restarted answers within seconds; after this long somebody has switched it off.
const RETURN: Duration = Duration::from_secs(60);

/// How often it is asked: as often as speakers do.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// How often the hub is asked how late it plays: it changes when a speaker comes that needs more.
const LATENESS: Duration = Duration::from_secs(1);

/// From a device to the hub: a piece, and half of one on the way.
const ON_THE_WAY: Span = Span::from_ms(10);

/// Who decides while it plays what is heard instead, where that is not written in a list.
pub trait Leader: Send {
    /// Whether something else is wanted.
    fn wish(&mut self) -> Option<Wish>;

    /// The track that is so many further is wanted; none: there is none, and playing ends.
    fn skip(&mut self, by: i32) -> Option<List>;

    /// The track `tag` is heard.
    fn heard(&mut self, tag: u64);

    /// A station says what it plays.
    fn on_air(&mut self, title: &str);

    /// Something is left out.
    fn trouble(&mut self, error: &SourceError);
}

/// What a [`Leader`] wants.
pub enum Wish {
    /// This, at once.
    Play(Box<List>),
    /// Silence.
    Stop,
}

/// A programme on its way.
pub struct Stream {
    reach: Reach,
    client: Client,
    link: SourceLink,
    source: Prefetch,
    channels: usize,
    open: SourceCommand,
    targets: Vec<SourceTarget>,
    /// Of a list.
    tracks: Tracks,
    /// What comes next has another number of channels: it is a programme of its own, after this one's end.
    turn: Option<Box<Track>>,
    /// Where the programme stood when the hub last said so.
    place: ProgrammeStatus,
    /// What is heard.
    heard: SourceInfo,
    /// What a station said last that it plays.
    on_air: Option<String>,
    /// The hub's number of a frame, less the source's: what a hub missed while it was away was read all the same.
    counted: Frames,
    screen: Screen,
    /// Of a player of somebody's.
    mpris: Option<Mpris>,
    leader: Option<Box<dyn Leader>>,
    keys: Option<Keys>,
    stop: Arc<AtomicBool>,
    /// Everything was sent.
    ended: bool,
    /// What was wrong with the source, once what came before it has been heard.
    failure: Option<Failure>,
    /// Who plays, as far as it was said.
    roll: Roll,
    /// Why a speaker inside this program plays no more.
    lost: Option<Failure>,
    /// Who wants to know how late the source is heard, and when that was last told.
    lateness: Option<(Lateness, Option<Instant>)>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// To its end.
    Played,
    /// Somebody has ended it.
    Stopped,
    /// Another player plays in its place.
    Replaced,
    /// This program is to end.
    Interrupted,
}

impl Stream {
    /// Connects to the hub and offers it `source`.
    ///
    /// # Errors
    /// The hub is not there or will not.
    pub fn connect(
        (reach, client): (Reach, Client),
        source: Prefetch,
        open: SourceCommand,
        screen: Screen,
        keys: Option<Keys>,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, Failure> {
        let link = client.source(&open)?;
        let targets = match &open {
            SourceCommand::Open { targets, .. } => targets.clone(),
            _ => Vec::new(),
        };
        let channels = usize::from(source.info().channels.max(1));
        let (place, heard) = (ProgrammeStatus::default(), source.info().clone());
        let (repeats, at) = (source.repeats(), Instant::now());
        let now = Now { client: client.clone(), programme: place.clone(), at, info: heard.clone(), repeats };
        // A screen that shows nothing is nobody's.
        let mpris = screen.is_shown().then(|| Mpris::start(now));
        Ok(Self {
            reach,
            client,
            link,
            source,
            channels,
            open,
            targets,
            tracks: Tracks::default(),
            turn: None,
            place,
            heard,
            on_air: None,
            counted: Frames(0),
            screen,
            mpris,
            leader: None,
            keys,
            stop,
            ended: false,
            failure: None,
            roll: Roll::default(),
            lost: None,
            lateness: None,
        })
    }

    /// Lets `lateness` say for as long as it plays how late the source is heard.
    pub fn tell_lateness(mut self, lateness: Option<Lateness>) -> Self {
        self.lateness = lateness.map(|lateness| (lateness, None));
        self
    }

    /// Lets `leader` decide what is heard instead.
    pub fn led_by(mut self, leader: Box<dyn Leader>) -> Self {
        self.leader = Some(leader);
        self
    }

    /// Plays to the end.
    ///
    /// # Errors
    /// The hub went away, or the source is damaged (what came before is heard).
    pub fn run(mut self) -> Result<Exit, Failure> {
        let end = self.play_out();
        self.screen.close();
        match end? {
            End::Interrupted => Ok(Exit::Interrupted),
            End::Stopped => {
                self.screen.remark("stopped");
                Ok(Exit::Ok)
            }
            End::Replaced => Ok(self.give_way()),
            End::Played => match self.failure.or(self.lost.map(not_everywhere)) {
                Some(failure) => Err(failure),
                None => Ok(Exit::Ok),
            },
        }
    }

    /// The same, and how it ended. Damage to the source is no failure.
    ///
    /// # Errors
    /// The hub went away.
    pub fn play_out(&mut self) -> Result<End, Failure> {
        loop {
            match self.play() {
                Err(gone) if gone.exit == Exit::HubUnreachable && self.reach.may_return() => {
                    match self.come_back(&gone) {
                        Ok(None) => {}
                        Ok(Some(end)) => return Ok(end),
                        Err(failure) => return Err(failure),
                    }
                }
                end => return end,
            }
        }
    }

    fn play(&mut self) -> Result<End, Failure> {
        loop {
            if self.stop.load(Ordering::Acquire) {
                return self.interrupted();
            }
            if self.press_keys() {
                self.stop_hub();
                return Ok(End::Stopped);
            }
            match self.leader.as_mut().and_then(|leader| leader.wish()) {
                Some(Wish::Play(list)) => self.begin_list(*list)?,
                Some(Wish::Stop) => {
                    self.stop_hub();
                    return Ok(End::Stopped);
                }
                None => {}
            }
            self.look_at_lateness()?;
            self.look_at_speakers()?;
            let hungry = self.feed()?;
            self.tell_news()?;
            let notice = self.link.poll(if hungry { HURRY } else { PATIENCE })?;
            match notice.map(|notice| self.heed(notice)).transpose()?.flatten() {
                Some(End::Played) if self.turn.is_some() => self.begin_turn()?,
                Some(end) => return Ok(end),
                None => {}
            }
        }
    }

    fn look_at_lateness(&mut self) -> Result<(), Failure> {
        // Before the hub has said what it holds, nothing is known.
        let Some(held) = self.place.held_us.map(Span::from_us) else { return Ok(()) };
        let Some((lateness, told)) = &mut self.lateness else { return Ok(()) };
        if told.is_none_or(|told| told.elapsed() >= LATENESS) {
            *told = Some(Instant::now());
            let hub = Span::from_us(self.client.status()?.hub.latency_us);
            lateness.set(hub + held + ON_THE_WAY);
        }
        Ok(())
    }

    /// Says at once who does not play any more, and who does; an error when nobody is left.
    fn look_at_speakers(&mut self) -> Result<(), Failure> {
        if let Some(failure) = self.reach.failure() {
            self.screen.remark(&format!("antiphon: {failure}"));
            self.lost.get_or_insert(failure);
        }
        if !self.screen.is_shown() || !self.roll.is_due(self.place.state) {
            return Ok(());
        }
        // A hub that is gone is noticed where frames are sent.
        let Ok(status) = self.client.status() else { return Ok(()) };
        self.roll.call(&status, &self.targets).iter().for_each(|line| self.screen.remark(line));
        match self.lost.take_if(|_| roll::is_deserted(&status, &self.targets)) {
            Some(Failure { exit, message }) => {
                self.stop_hub();
                Err(Failure::new(exit, format!("nobody is left to play: {message}")))
            }
            None => Ok(()),
        }
    }

    /// Sends what the credit allows and the decoder has; whether there is credit left for more.
    fn feed(&mut self) -> Result<bool, Failure> {
        let mut samples = Vec::with_capacity(RUN * self.channels);
        while !self.ended && self.link.credit() > 0 {
            samples.clear();
            let frames = RUN.min(self.link.credit());
            match self.source.poll(frames, &mut samples) {
                Polled::Frames(_) => self.link.push(&samples)?,
                Polled::Nothing => return Ok(true),
                Polled::Track(track) => self.begin_track(track)?,
                Polled::Trouble(error) => self.leave_out(&error),
                Polled::End(None) => self.end()?,
                Polled::End(Some(error)) => {
                    self.screen.remark(&format!("antiphon: {error}"));
                    self.failure = Some(cannot_play(error));
                    self.end()?;
                }
            }
        }
        Ok(false)
    }

    /// Shows what the source has to tell.
    fn tell_news(&mut self) -> Result<(), Failure> {
        while let Some(news) = self.source.news() {
            match news {
                News::Title(title) => {
                    self.screen.remark(&format!("now: {title}"));
                    if let Some(leader) = &mut self.leader {
                        leader.on_air(&title);
                    }
                    self.on_air = Some(title);
                    self.tell_on_air()?;
                }
                News::Remark(line) => self.screen.remark(&line),
            }
        }
        Ok(())
    }

    /// The hub shows it when it is heard.
    fn tell_on_air(&mut self) -> Result<(), Failure> {
        let Some(title) = &self.on_air else { return Ok(()) };
        let from = self.source.position() + self.counted;
        Ok(self.link.on_air(title, from.0.max(0))?)
    }

    fn end(&mut self) -> Result<(), Failure> {
        self.ended = true;
        Ok(self.link.end()?)
    }

    fn heed(&mut self, notice: SourceNotice) -> Result<Option<End>, Failure> {
        match notice {
            SourceNotice::Credit { .. } => {}
            SourceNotice::State(programme) => self.show(programme),
            SourceNotice::Seek { frame } => self.seek(frame)?,
            SourceNotice::Skip { from, by } => self.skip(from, by)?,
            SourceNotice::Done { stopped, why } => return self.done(why.or_from(stopped)).map(Some),
            SourceNotice::Error(error) => return Err(ApiError::Refused(error).into()),
        }
        Ok(None)
    }

    /// A hub that ends has not played to the end: that is a hub that is gone.
    fn done(&self, why: DoneReason) -> Result<End, Failure> {
        match why {
            DoneReason::Played => Ok(End::Played),
            DoneReason::Replaced => Ok(End::Replaced),
            DoneReason::Stopped | DoneReason::Unknown => Ok(End::Stopped),
            DoneReason::HubEnds => {
                let hub = self.client.hub().to_string();
                Err(ApiError::Unreachable { hub, why: "it has ended".into() }.into())
            }
        }
    }

    /// What the player in this one's place needs of this program stays until that has ended.
    fn give_way(&mut self) -> Exit {
        // Nothing of this one is heard: applets show the other.
        self.mpris = None;
        let (keys, screen) = (&self.keys, &self.screen);
        let quits = || keys.as_ref().is_some_and(|keys| keys.pressed().contains(&Key::Quit));
        let wishes = Wishes { stop: &self.stop, quits: &quits };
        successor::outlast(&mut self.reach, &self.client, &wishes, &|line| screen.remark(line))
    }

    fn show(&mut self, programme: ProgrammeStatus) {
        if let Some(track) = programme.track.and_then(|place| self.tracks.heard(place)) {
            self.screen.track(track);
            self.heard.clone_from(&track.info);
            if let Some(leader) = &mut self.leader {
                leader.heard(track.tag);
            }
        }
        self.screen.show(&programme);
        if let Some(mpris) = &self.mpris {
            mpris.tell(Now {
                client: self.client.clone(),
                programme: programme.clone(),
                at: Instant::now(),
                info: self.heard.clone(),
                repeats: self.source.repeats(),
            });
        }
        self.place = programme;
    }

    fn seek(&mut self, frame: i64) -> Result<(), Failure> {
        if self.source.is_list() {
            return self.seek_in_list(Frames(frame.max(0)));
        }
        let to = SampleRate::MEDIA.span_of(Frames(frame.max(0)));
        let reached = self.source.seek(to).map_err(cannot_play)?;
        self.ended = false;
        self.failure = None;
        Ok(self.link.position(reached.0)?)
    }

    /// Does what was typed; whether that was the wish to quit.
    fn press_keys(&mut self) -> bool {
        for key in &self.pressed() {
            let done = match key {
                Key::Toggle => self.transport(TransportAction::Toggle, None),
                Key::Forward => self.transport(TransportAction::Seek, Some(SeekTo::OffsetS(SEEK_S))),
                Key::Back => self.transport(TransportAction::Seek, Some(SeekTo::OffsetS(-SEEK_S))),
                Key::Next => self.transport(TransportAction::Next, None),
                Key::Previous => self.transport(TransportAction::Previous, None),
                Key::Louder => self.change_volume(VOLUME_DB),
                Key::Softer => self.change_volume(-VOLUME_DB),
                Key::Quit => return true,
            };
            if let Err(error) = done {
                self.screen.remark(&error.to_string());
            }
        }
        false
    }

    fn pressed(&self) -> Vec<Key> {
        self.keys.as_ref().map(Keys::pressed).unwrap_or_default()
    }

    fn transport(&self, action: TransportAction, to: Option<SeekTo>) -> Result<(), ApiError> {
        self.client.transport(&TransportRequest { action, to }).map(drop)
    }

    fn change_volume(&self, by: f32) -> Result<(), ApiError> {
        let status = self.client.status()?;
        let is_ours = |name: &str| self.targets.is_empty() || self.targets.iter().any(|t| t.name == name);
        for speaker in status.speakers.iter().filter(|speaker| is_ours(&speaker.name)) {
            let patch = SpeakerPatch { gain_db: Some(speaker.gain_db + by), ..SpeakerPatch::default() };
            let speaker = self.client.set_speaker(&speaker.name, &patch)?;
            self.screen.remark(&format!("{} {:+.1} dB", speaker.name, speaker.gain_db));
        }
        Ok(())
    }

    fn interrupted(&mut self) -> Result<End, Failure> {
        self.stop_hub();
        Ok(End::Interrupted)
    }

    /// Asks the hub to end the programme, so that it fades instead of breaking off. A hub that has
    /// ended it already is right too.
    fn stop_hub(&self) {
        match self.transport(TransportAction::Stop, None) {
            Err(ApiError::Refused(error)) if error.code == ErrorCode::Conflict => {}
            Err(error) => self.screen.remark(&error.to_string()),
            Ok(()) => {}
        }
    }
}

/// Lists.
impl Stream {
    fn begin_track(&mut self, mut track: Box<Track>) -> Result<(), Failure> {
        if self.tracks.last() == Some(&*track) {
            // Said already, when the list was begun.
            return Ok(());
        }
        if usize::from(track.info.channels) != self.channels {
            self.turn = Some(track);
            return self.end();
        }
        self.tracks.tell_apart(&mut track);
        self.link.track(&tracks::told(&track))?;
        self.tracks.begin(*track);
        Ok(())
    }

    /// The programme before has been heard; the next one begins.
    fn begin_turn(&mut self) -> Result<(), Failure> {
        let Some(track) = self.turn.take() else { return Ok(()) };
        let first = track.first;
        self.open_with(*track, first)
    }

    /// A link for a programme that begins in `track`, at its frame `begin`.
    fn open_with(&mut self, track: Track, begin: Frames) -> Result<(), Failure> {
        let info = &track.info;
        if let SourceCommand::Open { channels, title, duration_frames, first_frame, seekable, .. } =
            &mut self.open
        {
            (*channels, *title, *seekable) = (info.channels, super::title(info), info.seekable);
            (*duration_frames, *first_frame) = (info.frames.map(|frames| frames.0), begin.0);
        }
        self.channels = usize::from(info.channels.max(1));
        self.link = self.client.source(&self.open)?;
        self.link.track(&tracks::told(&track))?;
        self.tracks.restart(track);
        (self.ended, self.failure, self.turn) = (false, None, None);
        Ok(())
    }

    /// Another list in place of the one that plays.
    fn begin_list(&mut self, list: List) -> Result<(), Failure> {
        let track = list.first();
        self.source = ahead(list)?;
        self.open_with(track, Frames(0))
    }

    fn skip_led(&mut self, by: i32) -> Result<(), Failure> {
        match self.leader.as_mut().and_then(|leader| leader.skip(by)) {
            None => self.end_here(Frames(0)),
            Some(list) => {
                let track = list.first();
                self.source = ahead(list)?;
                self.land(track, Frames(0))
            }
        }
    }

    fn leave_out(&mut self, error: &SourceError) {
        if let Some(leader) = &mut self.leader {
            leader.trouble(error);
        }
        self.screen.remark(&format!("left out: {error}"));
    }

    fn seek_in_list(&mut self, frame: Frames) -> Result<(), Failure> {
        let (number, tag, first, within) = match self.tracks.at(frame) {
            Some((track, within)) => (track.number as i64, track.tag, track.first, within),
            None => (1, 0, Frames(0), frame),
        };
        self.go(Place { number, tag, backwards: false, at: SampleRate::MEDIA.span_of(within), first })
    }

    fn skip(&mut self, from: u32, by: i32) -> Result<(), Failure> {
        if self.leader.is_some() {
            return self.skip_led(by);
        }
        let number = i64::from(from) + i64::from(by);
        self.go(Place { number, tag: 0, backwards: by < 0, at: Span::ZERO, first: Frames(0) })
    }

    /// Answers the hub's wish for another place.
    fn go(&mut self, place: Place) -> Result<(), Failure> {
        match self.source.go(place).map_err(cannot_play)? {
            None => self.end_here(place.first),
            Some((track, position)) => self.land(*track, position),
        }
    }

    /// There is nothing at the place that was wished for.
    fn end_here(&mut self, first: Frames) -> Result<(), Failure> {
        self.turn = None;
        self.link.position(first.0)?;
        self.end()?;
        // A pause would keep the end from coming.
        let paused = self.place.state == ProgrammeState::Paused;
        if paused { Ok(self.transport(TransportAction::Resume, None)?) } else { Ok(()) }
    }

    /// Goes on in `track`, at the frame `position`.
    fn land(&mut self, track: Track, position: Frames) -> Result<(), Failure> {
        if usize::from(track.info.channels) != self.channels {
            let paused = self.place.state == ProgrammeState::Paused;
            self.open_with(track, position)?;
            return if paused { self.pause_new_programme() } else { Ok(()) };
        }
        self.link.position(position.0)?;
        self.link.track(&tracks::told(&track))?;
        self.tracks.restart(track);
        (self.ended, self.failure, self.turn) = (false, None, None);
        Ok(())
    }
}

/// It is over, and somebody has missed something.
fn not_everywhere(lost: Failure) -> Failure {
    Failure::new(lost.exit, format!("played to the end, but not on every speaker: {}", lost.message))
}

/// By what a list knows a track.
fn which(track: &Track) -> (i64, u64) {
    (track.number as i64, track.tag)
}

fn ahead(list: List) -> Result<Prefetch, Failure> {
    source::prefetch_list(list).map_err(|error| Failure::failed(format!("cannot start the decoder: {error}")))
}

/// After the hub was gone.
impl Stream {
    /// Waits for the hub and goes on from where it last said the programme stood; an end when somebody
    /// did not want to wait.
    fn come_back(&mut self, gone: &Failure) -> Result<Option<End>, Failure> {
        let patience = RETURN.as_secs();
        self.screen.remark(&format!("the hub is gone; playing goes on when it is back within {patience} s"));
        let until = Instant::now() + RETURN;
        loop {
            if self.stop.load(Ordering::Acquire) {
                return Ok(Some(End::Interrupted));
            }
            if self.pressed().contains(&Key::Quit) {
                return Ok(Some(End::Stopped));
            }
            if let Some(client) = self.reach.again()? {
                match self.take_up(client) {
                    Err(again) if again.exit == Exit::HubUnreachable => {}
                    done => return done,
                }
            }
            if Instant::now() >= until {
                let message = format!("the hub did not come back within {patience} s: {}", gone.message);
                return Err(Failure::new(Exit::HubUnreachable, message));
            }
            std::thread::sleep(ASK_AGAIN);
        }
    }

    fn take_up(&mut self, client: Client) -> Result<Option<End>, Failure> {
        if audience::wait(&client, &self.targets, audience::NEW_HUB, &self.stop)? == Came::Interrupted {
            return Ok(Some(End::Interrupted));
        }
        self.client = client;
        if self.source.is_list() {
            self.go_to_track()?;
        } else {
            let begin = self.go_to_place()?;
            if let SourceCommand::Open { first_frame, .. } = &mut self.open {
                *first_frame = begin.0;
            }
            self.link = self.client.source(&self.open)?;
            self.counted = begin - self.source.position();
            self.tell_on_air()?;
        }
        if self.place.state == ProgrammeState::Paused {
            self.pause_new_programme()?;
        }
        Ok(None)
    }

    /// A file is read again from the place; of a pipe, what the hub had taken with it is lost.
    fn go_to_place(&mut self) -> Result<Frames, Failure> {
        let place = Span::from_s_f64(self.place.position_s.max(0.0));
        if !self.source.info().seekable {
            return Ok(SampleRate::MEDIA.frames_in(place));
        }
        (self.ended, self.failure) = (false, None);
        self.source.seek(place).map_err(cannot_play)
    }

    /// The track that was heard is read again from its place; a hub that never said one begins with the
    /// first that was sent.
    fn go_to_track(&mut self) -> Result<(), Failure> {
        let heard = self.place.track.and_then(|place| self.tracks.heard(place)).map(which);
        let (number, tag) = heard.or(self.tracks.last().map(which)).unwrap_or((1, 0));
        let at = Span::from_s_f64(self.place.position_s.max(0.0));
        let place = Place { number, tag, backwards: false, at, first: Frames(0) };
        match self.source.go(place).map_err(cannot_play)? {
            Some((track, position)) => self.open_with(*track, position),
            None => Err(Failure::failed("nothing of the list can be played any more")),
        }
    }

    /// The hub takes a pause as soon as it has opened the source: no frame was sent yet.
    fn pause_new_programme(&mut self) -> Result<(), Failure> {
        let until = Instant::now() + ASK_AGAIN;
        while Instant::now() < until {
            match self.transport(TransportAction::Pause, None) {
                Err(ApiError::Refused(error)) if error.code == ErrorCode::Conflict => {}
                done => return Ok(done?),
            }
        }
        Ok(())
    }
}
