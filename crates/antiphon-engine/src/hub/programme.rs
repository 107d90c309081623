//! The programme's life: waiting for speakers, starting, playing, paused, ended; and its place on
//! the timeline.

use antiphon_base::{Frames, Hub as HubClock, Role, SampleRate, Span, Timestamp};
use antiphon_proto::timeline::Timeline;

use super::live::Live;
use super::tracks::{Track, Tracks};
use super::{HubEngine, HubEvent, PlayRefusal, SourcePace, SourceSpec, TransportState, TransportStatus};
use crate::source::{self, SourceWindow};

/// Frames to hold before a start: two encoder blocks of the longest codec, and a scheduling hiccup.
const PREBUFFER: Span = Span::from_ms(60);

/// How far ahead of sending a pipe may be read: what its writer has paused is heard for so long.
const PULLED_AHEAD: Span = Span::from_ms(250);

/// While a start waits for speakers or frames, how often to look again.
const LOOK_AGAIN: Span = Span::from_ms(5);

/// A frame that is sent with less than this share of the latency left would come too late for too
/// many speakers: the timeline breaks and starts anew.
const TOO_LATE_SHARE: i64 = 4;

/// Silence sent after the last frame, so that its end is decoded and heard before the stop.
const TAIL: Span = Span::from_ms(20);

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Phase {
    Waiting { until: Timestamp<HubClock> },
    Starting,
    Playing(Placed),
    Paused,
    Ended,
}

/// A timeline and the source frame that stands at its first media frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Placed {
    pub timeline: Timeline,
    pub source_first: Frames,
}

impl Placed {
    pub fn source_of(&self, media: Frames) -> Frames {
        self.source_first + (media - self.timeline.first_frame)
    }

    pub fn media_of(&self, source: Frames) -> Frames {
        self.timeline.first_frame + (source - self.source_first)
    }

    /// The source frame that is heard at `at`.
    pub fn heard_at(&self, at: Timestamp<HubClock>) -> Frames {
        self.source_of(self.timeline.frame_at(at).max(self.timeline.first_frame))
    }
}

#[derive(Debug)]
pub(super) struct Programme {
    pub spec: SourceSpec,
    pub window: SourceWindow,
    pub phase: Phase,
    /// Where to start or resume, in source frames.
    pub resume_at: Frames,
    /// The next source frame that no speaker was sent.
    pub sent: Frames,
    tracks: Tracks,
    pub missing: Vec<String>,
    pub starved: u64,
    /// Of a source with a clock of its own.
    live: Option<Live>,
    look_at: Timestamp<HubClock>,
}

impl Programme {
    /// When the phase itself wants to be looked at; while playing, the hub's pacing does that.
    pub fn wake_at(&self) -> Option<Timestamp<HubClock>> {
        match self.phase {
            Phase::Waiting { .. } | Phase::Starting => Some(self.look_at),
            Phase::Playing(placed) if self.window.is_finished() => {
                Some(placed.timeline.presentation_of(placed.media_of(self.window.end())) + TAIL)
            }
            _ => None,
        }
    }

    fn position(&self, now: Timestamp<HubClock>) -> Frames {
        match self.phase {
            Phase::Playing(placed) => placed.heard_at(now).min(self.window.end().max(self.resume_at)),
            Phase::Ended => self.window.end(),
            _ => self.resume_at,
        }
    }

    fn has_enough_to_start(&self) -> bool {
        let held = self.window.end() - self.resume_at;
        let enough = self.live.as_ref().map_or(PREBUFFER, Live::ahead);
        self.window.is_finished() || held >= SampleRate::MEDIA.frames_in(enough)
    }

    /// Takes frames of a source with a clock of its own; whether all of them.
    fn push_live(&mut self, now: Timestamp<HubClock>, latency: Span, samples: &[f32]) -> bool {
        let Some(live) = &mut self.live else { return false };
        match self.phase {
            Phase::Playing(placed) => {
                let sending = placed.source_of(placed.timeline.frame_at(now + latency));
                let ahead = SampleRate::MEDIA.span_of(self.window.end() - sending);
                self.window.push(live.resample(now, ahead, samples), self.sent)
            }
            Phase::Waiting { .. } | Phase::Starting => {
                // What was heard long before anybody plays it is not live.
                self.sent = self.window.end();
                let taken = self.window.push(samples, self.sent);
                self.resume_at = self.window.keep_last(SampleRate::MEDIA.frames_in(live.ahead()));
                self.sent = self.resume_at;
                taken
            }
            Phase::Paused | Phase::Ended => true,
        }
    }
}

impl HubEngine {
    /// Opens a programme; one that was open is stopped.
    ///
    /// # Errors
    /// See [`PlayRefusal`].
    pub fn open_source(&mut self, now: Timestamp<HubClock>, spec: SourceSpec) -> Result<(), PlayRefusal> {
        if !(1..=u16::from(Role::MAX_CHANNEL)).contains(&spec.channels) {
            return Err(PlayRefusal::Channels(spec.channels));
        }
        let mut names: Vec<_> = spec.targets.iter().map(|target| &target.name).collect();
        names.sort();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(PlayRefusal::NamedTwice(twice[0].clone()));
        }
        if let Some((speaker, role)) = self.without_place(now, &spec) {
            let (role, channels) = (role.to_string(), spec.channels);
            return Err(PlayRefusal::NoPlace { speaker, role, channels });
        }
        self.stop(now);
        self.programme = Some(Programme {
            window: SourceWindow::new(spec.channels, Frames(0)),
            phase: Phase::Waiting { until: now + spec.wait_for },
            resume_at: Frames(0),
            sent: Frames(0),
            tracks: Tracks::default(),
            missing: Vec::new(),
            starved: 0,
            live: (spec.pace == SourcePace::Clocked).then(|| Live::new(spec.channels)),
            look_at: now,
            spec,
        });
        self.choose_speakers(now);
        self.advance(now);
        Ok(())
    }

    /// How many more frames the source may push now.
    pub fn source_room(&self) -> Frames {
        self.programme.as_ref().map_or(Frames(0), |programme| match programme.spec.pace {
            SourcePace::Stored => programme.window.room(programme.sent, source::AHEAD),
            SourcePace::Pulled => programme.window.room(programme.sent, PULLED_AHEAD),
            // It comes when it comes, and never piles up here.
            SourcePace::Clocked => SampleRate::MEDIA.frames_in(source::AHEAD),
        })
    }

    /// Interleaved frames of the open programme, full scale +-1. Returns false where there is no
    /// programme or the source did not keep to [`source_room`](Self::source_room).
    pub fn push_source(&mut self, now: Timestamp<HubClock>, samples: &[f32]) -> bool {
        let Some(programme) = &mut self.programme else { return false };
        let taken = match programme.spec.pace {
            SourcePace::Clocked => programme.push_live(now, self.hub.latency(), samples),
            SourcePace::Stored | SourcePace::Pulled => programme.window.push(samples, programme.sent),
        };
        self.advance(now);
        taken
    }

    /// No more frames will come: what is held is played out.
    pub fn finish_source(&mut self, now: Timestamp<HubClock>) {
        if let Some(programme) = &mut self.programme {
            programme.window.finish();
        }
        self.advance(now);
    }

    /// Fades out on every speaker at one instant and keeps the place.
    pub fn pause(&mut self, now: Timestamp<HubClock>) {
        let heard = self.silence(now);
        if let Some(programme) = &mut self.programme
            && programme.phase != Phase::Ended
        {
            programme.resume_at = heard.unwrap_or(programme.resume_at);
            programme.phase = Phase::Paused;
        }
    }

    /// Goes on from where it was paused.
    pub fn resume(&mut self, now: Timestamp<HubClock>) {
        if let Some(programme) = &mut self.programme
            && programme.phase == Phase::Paused
        {
            programme.phase = Phase::Starting;
            programme.look_at = now;
            if programme.live.is_some() {
                // What was held before the pause is past.
                let end = programme.window.end();
                programme.window = SourceWindow::new(programme.spec.channels, end);
                (programme.resume_at, programme.sent) = (end, end);
            }
            self.advance(now);
        }
    }

    /// Ends the programme.
    pub fn stop(&mut self, now: Timestamp<HubClock>) {
        self.silence(now);
        self.programme = None;
        self.end_parts(now);
    }

    /// Drops what is held; the source must push from `position` on.
    pub fn seek(&mut self, now: Timestamp<HubClock>, position: Frames) {
        self.silence(now);
        let Some(programme) = &mut self.programme else { return };
        programme.window = SourceWindow::new(programme.spec.channels, position);
        programme.resume_at = position;
        programme.sent = position;
        let ended = programme.phase == Phase::Ended;
        // A pause stays one, and speakers that are waited for are waited for.
        if !matches!(programme.phase, Phase::Paused | Phase::Waiting { .. }) {
            programme.phase = Phase::Starting;
        }
        programme.look_at = now;
        if ended {
            self.choose_speakers(now);
        }
    }

    /// The source says that a track begins at a frame that it will push, or has.
    pub fn begin_track(&mut self, now: Timestamp<HubClock>, track: Track) {
        if let Some(programme) = &mut self.programme {
            let heard = programme.position(now);
            programme.tracks.begin(track, heard);
        }
    }

    /// The source is a station, and says that it plays `title` from a frame on that it will push, or has.
    pub fn on_air(&mut self, now: Timestamp<HubClock>, first: Frames, title: String) {
        if let Some(programme) = &mut self.programme {
            let heard = programme.position(now);
            programme.tracks.say(first, title, heard);
        }
    }

    /// After a seek the source goes on at `position`: what it said of tracks behind is void.
    pub fn resume_source(&mut self, position: Frames) {
        if let Some(programme) = &mut self.programme {
            programme.tracks.cut(position + Frames(1));
        }
    }

    /// Drops what is held; the source must push another track, number `number` if there is one, whose
    /// first frame is frame 0 of the programme from here on.
    pub fn skip(&mut self, now: Timestamp<HubClock>, number: u32, of: u32) {
        self.seek(now, Frames(0));
        if let Some(programme) = &mut self.programme {
            programme.tracks.skip_to(number, of);
        }
    }

    /// The transport as people see it.
    pub fn transport(&self, now: Timestamp<HubClock>) -> TransportStatus {
        let Some(programme) = &self.programme else {
            return TransportStatus {
                state: TransportState::Idle,
                position: Frames(0),
                duration: None,
                title: String::new(),
                on_air: None,
                started: None,
                track: None,
                missing: Vec::new(),
                starved: 0,
                held: None,
            };
        };
        let (state, started) = match programme.phase {
            Phase::Waiting { .. } => (TransportState::Waiting, None),
            Phase::Starting => (TransportState::Starting, None),
            Phase::Playing(placed) if now < placed.timeline.presentation => {
                (TransportState::Starting, Some(placed.timeline.presentation))
            }
            Phase::Playing(placed) => (TransportState::Playing, Some(placed.timeline.presentation)),
            Phase::Paused => (TransportState::Paused, None),
            Phase::Ended => (TransportState::Ended, None),
        };
        let position = programme.position(now);
        let (title, first, duration) = match programme.tracks.at(position) {
            Some(track) => (&track.title, track.first, track.duration),
            None => (&programme.spec.title, Frames(0), programme.spec.duration),
        };
        TransportStatus {
            state,
            position: (position - first).max(Frames(0)),
            duration,
            title: title.clone(),
            on_air: programme.tracks.on_air(position).map(str::to_owned),
            started,
            track: programme.tracks.at(position).cloned(),
            missing: programme.missing.clone(),
            starved: programme.starved,
            held: programme.live.as_ref().map(Live::ahead),
        }
    }

    /// Whether the programme has a place on the timeline.
    pub(super) fn is_placed(&self) -> bool {
        self.programme.as_ref().is_some_and(|programme| matches!(programme.phase, Phase::Playing(_)))
    }

    /// Moves the programme through its phases.
    pub(super) fn advance(&mut self, now: Timestamp<HubClock>) {
        let Some(programme) = &mut self.programme else { return };
        programme.look_at = now + LOOK_AGAIN;
        match programme.phase {
            Phase::Waiting { until } => {
                let missing = super::control::missing_speakers(&self.hub, now, &programme.spec.targets);
                programme.missing = missing;
                if programme.missing.is_empty() || now >= until {
                    programme.phase = Phase::Starting;
                    self.advance(now);
                }
            }
            Phase::Starting if programme.has_enough_to_start() => self.place(now),
            Phase::Playing(placed) => self.follow(now, placed),
            _ => {}
        }
    }

    /// Puts the programme on the timeline.
    fn place(&mut self, now: Timestamp<HubClock>) {
        self.hub.settle_latency();
        let Some(programme) = &mut self.programme else { return };
        let timeline = self.hub.start(now, self.next_media);
        programme.phase = Phase::Playing(Placed { timeline, source_first: programme.resume_at });
        programme.sent = programme.resume_at;
        if let Some(live) = &mut programme.live {
            live.restart();
        }
        self.encoders.start(timeline.first_frame);
        self.events.push_back(HubEvent::Started(timeline.presentation));
    }

    /// Watches a playing programme for its end and for a source that does not keep up.
    fn follow(&mut self, now: Timestamp<HubClock>, placed: Placed) {
        let Some(programme) = &mut self.programme else { return };
        let end = placed.timeline.presentation_of(placed.media_of(programme.window.end()));
        if programme.window.is_finished() {
            if now >= end + TAIL {
                self.silence(now);
                if let Some(programme) = &mut self.programme {
                    programme.phase = Phase::Ended;
                }
                self.end_parts(now);
                self.events.push_back(HubEvent::SourceEnded);
            }
        } else if now + self.hub.latency() / TOO_LATE_SHARE > end {
            programme.starved += 1;
            programme.resume_at = programme.window.end();
            self.silence_at_end();
            self.hold_more();
            self.events.push_back(HubEvent::SourceStarved);
        }
    }

    /// A live source that came too late begins anew with more in hand, and with nothing that was heard.
    fn hold_more(&mut self) {
        let Some(programme) = &mut self.programme else { return };
        if let Some(live) = &mut programme.live {
            live.ran_dry();
            programme.window = SourceWindow::new(programme.spec.channels, programme.resume_at);
            programme.sent = programme.resume_at;
        }
    }

    /// Leaves the timeline; the speakers run out of frames by themselves, and fade.
    fn silence_at_end(&mut self) {
        let Some(programme) = &mut self.programme else { return };
        if let Phase::Playing(placed) = programme.phase {
            self.next_media = self.encoders.frontier().max(placed.media_of(programme.window.end()));
            programme.phase = Phase::Starting;
            self.encoders.stop();
        }
    }

    /// Stops sound on every speaker at one instant; returns the source frame that is heard there.
    fn silence(&mut self, now: Timestamp<HubClock>) -> Option<Frames> {
        let Phase::Playing(placed) = self.programme.as_ref()?.phase else { return None };
        let (_, at) = self.hub.stop(now)?;
        self.next_media = self.encoders.frontier().max(self.next_media);
        self.encoders.stop();
        let programme = self.programme.as_mut()?;
        programme.phase = Phase::Starting;
        Some(placed.heard_at(at).max(programme.resume_at))
    }
}
