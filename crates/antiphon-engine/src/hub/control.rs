//! Speakers of the programme and their settings.

use antiphon_base::{Hub as HubClock, Role, Span, SpeakerId, Timestamp};
use antiphon_proto::session::{SpeakerSettings, Trim};
use antiphon_proto::{Hub, HubEvent as ProtoEvent, LeftReason, SessionSnapshot};

use super::programme::Phase;
use super::{HubEngine, HubEvent, SettingsChange, SourceSpec, SpeakerSnapshot, Target, UnknownSpeaker};

/// A speaker plays in time when its stated offset is this sure (two standard deviations of the
/// 60 us that listeners notice between stereo channels).
const READY_OFFSET_SD_US: f64 = 30.0;

/// A browser's clock reads in steps of up to 1 ms, on purpose: it is as sure as it gets long before 30 us.
const READY_BROWSER_SD_US: f64 = 1_000.0;

/// Names of targets that are not connected, or not yet sure of the time.
pub(super) fn missing_speakers(hub: &Hub, now: Timestamp<HubClock>, targets: &[Target]) -> Vec<String> {
    let sessions: Vec<_> = hub.sessions(now).collect();
    let is_ready = |target: &Target| {
        sessions.iter().any(|s| {
            let most = if s.transport.is_messages() { READY_BROWSER_SD_US } else { READY_OFFSET_SD_US };
            is_meant(target, s, &sessions)
                && s.stats.as_ref().is_some_and(|t| t.synced && t.offset_sd_us <= most)
        })
    };
    targets.iter().filter(|target| !is_ready(target)).map(|t| t.name.clone()).collect()
}

/// Whether `target` names this session: as it is called, or where nobody is called so as it calls itself (a saved pair
/// of loudspeakers knows no other name).
fn is_meant(target: &Target, session: &SessionSnapshot, all: &[SessionSnapshot]) -> bool {
    let is_called = |session: &SessionSnapshot| session.hello.name == target.name;
    is_called(session) || (session.given == target.name && !all.iter().any(is_called))
}

pub(super) fn event_of(event: ProtoEvent) -> Option<HubEvent> {
    match event {
        ProtoEvent::Joined { id, name, .. } => Some(HubEvent::Joined(id, name)),
        ProtoEvent::Left { id, reason, .. } => Some(HubEvent::Left(id, reason_text(&reason))),
        ProtoEvent::Stats { .. } => None,
    }
}

fn reason_text(reason: &LeftReason) -> String {
    match reason {
        LeftReason::Goodbye(why) | LeftReason::Closed(why) => why.clone(),
        LeftReason::Replaced => "it connected anew".into(),
        LeftReason::Silent => "nothing was heard of it".into(),
    }
}

impl HubEngine {
    /// Changes settings of a connected speaker.
    ///
    /// # Errors
    /// No connected speaker has that name.
    pub fn set(
        &mut self,
        now: Timestamp<HubClock>,
        name: &str,
        change: SettingsChange,
    ) -> Result<SpeakerSettings, UnknownSpeaker> {
        let unknown = || UnknownSpeaker(name.to_owned());
        let session = self.hub.sessions(now).find(|s| s.hello.name == name).ok_or_else(unknown)?;
        let (id, old) = (session.id, session.settings);
        let settings = SpeakerSettings {
            role: change.role.unwrap_or(old.role),
            gain_db: change.gain_db.unwrap_or(old.gain_db),
            muted: change.muted.unwrap_or(old.muted),
            volume: change.volume.or(old.volume),
            delay_us: change.delay_us.unwrap_or(old.delay_us),
            codec: change.codec.unwrap_or(old.codec),
            ..old
        };
        let settings = self.hub.set(now, id, settings).ok_or_else(unknown)?;
        if change.role.is_some() {
            self.take_from_programme(now, id);
        }
        self.events.push_back(HubEvent::SettingsChanged(id, settings.clone()));
        Ok(settings)
    }

    /// Calls the connected speaker `name` otherwise, in the programme too: it plays on. `None` where none has that name, or
    /// another one is called so already.
    pub fn rename(&mut self, now: Timestamp<HubClock>, name: &str, new: &str) -> Option<SpeakerId> {
        let id = self.hub.sessions(now).find(|session| session.hello.name == name)?.id;
        if !self.hub.rename(id, new) {
            return None;
        }
        let targets = self.programme.as_mut().map(|programme| &mut programme.spec.targets);
        if let Some(target) = targets.and_then(|all| all.iter_mut().find(|target| target.name == name)) {
            new.clone_into(&mut target.name);
        }
        Some(id)
    }

    /// Changes a speaker's calibration; `false` where it is not connected.
    pub fn set_trim(&mut self, id: SpeakerId, trim: Trim) -> bool {
        self.hub.set_trim(id, trim)
    }

    /// Changes the target latency; a playing programme goes on with the new one from where it is heard.
    pub fn set_latency(&mut self, now: Timestamp<HubClock>, latency: Span) {
        if latency == self.hub.configured_latency() {
            return;
        }
        self.change_latency(now, |hub| hub.set_latency(latency));
    }

    /// Where a speaker of the programme needs more latency than is in force, the programme goes on with
    /// more from where it is heard. Never with less: that waits for the next start.
    pub(super) fn follow_needs(&mut self, now: Timestamp<HubClock>) {
        if self.hub.needed_latency() > self.hub.latency() {
            self.change_latency(now, Hub::settle_latency);
        }
    }

    fn change_latency(&mut self, now: Timestamp<HubClock>, change: impl FnOnce(&mut Hub)) {
        let placed = self.is_placed();
        if placed {
            self.pause(now);
        }
        change(&mut self.hub);
        if placed {
            self.resume(now);
        }
    }

    /// Every connected speaker, in order of name.
    pub fn speakers(&self, now: Timestamp<HubClock>) -> Vec<SpeakerSnapshot> {
        let mut speakers: Vec<_> = self.hub.sessions(now).map(snapshot).collect();
        speakers.sort_by(|a, b| a.name.cmp(&b.name));
        speakers
    }

    /// A speaker of the source whose role is not in it, and that role.
    pub(super) fn without_place(
        &self,
        now: Timestamp<HubClock>,
        spec: &SourceSpec,
    ) -> Option<(String, Role)> {
        let named = |target: &Target| Some((target.name.clone(), target.role?));
        let sessions: Vec<_> = self.hub.sessions(now).collect();
        let connected = sessions.iter().filter_map(|session| {
            let target = spec.targets.iter().find(|target| is_meant(target, session, &sessions));
            // A role in the target is looked at whether the speaker is here or not.
            let plays = spec.targets.is_empty() || target.is_some_and(|target| target.role.is_none());
            plays.then(|| (session.hello.name.clone(), session.settings.role))
        });
        let mut roles = spec.targets.iter().filter_map(named).chain(connected);
        roles.find(|(_, role)| !role.is_in(spec.channels))
    }

    /// Decides which connected speakers belong to the programme, and gives them their parts.
    pub(super) fn choose_speakers(&mut self, now: Timestamp<HubClock>) {
        for session in self.hub.sessions(now).collect::<Vec<_>>() {
            self.choose(now, session.id);
        }
    }

    /// Decides whether a speaker belongs to the programme, and as what. A programme that has ended asks for nobody.
    pub(super) fn choose(&mut self, now: Timestamp<HubClock>, id: SpeakerId) {
        let sessions: Vec<_> = self.hub.sessions(now).collect();
        let Some(session) = sessions.iter().find(|session| session.id == id) else { return };
        let Some(programme) = self.programme.as_ref().filter(|programme| programme.phase != Phase::Ended)
        else {
            return;
        };
        let targets = &programme.spec.targets;
        let target = targets.iter().find(|target| is_meant(target, session, &sessions));
        let (streaming, part) =
            (targets.is_empty() || target.is_some(), target.and_then(|target| target.role));
        self.hub.set_streaming(now, id, streaming);
        self.hub.cast(now, id, part);
    }

    /// Every speaker has its own role again.
    pub(super) fn end_parts(&mut self, now: Timestamp<HubClock>) {
        for session in self.hub.sessions(now).collect::<Vec<_>>() {
            self.hub.cast(now, session.id, None);
        }
    }

    /// What a person says of a role counts for more than what the programme asked for, also where the speaker
    /// is away for a moment.
    fn take_from_programme(&mut self, now: Timestamp<HubClock>, id: SpeakerId) {
        let sessions: Vec<_> = self.hub.sessions(now).collect();
        let Some(session) = sessions.iter().find(|session| session.id == id) else { return };
        let targets = self.programme.iter_mut().flat_map(|programme| &mut programme.spec.targets);
        targets.filter(|target| is_meant(target, session, &sessions)).for_each(|target| target.role = None);
        self.hub.cast(now, id, None);
    }
}

fn snapshot(session: SessionSnapshot) -> SpeakerSnapshot {
    SpeakerSnapshot {
        id: session.id,
        name: session.hello.name,
        addr: session.addr,
        sealed: session.sealed,
        transport: session.transport,
        settings: session.settings,
        part: session.part,
        streaming: session.streaming,
        output: session.hello.output,
        software: session.hello.software,
        stats: session.stats,
        packets_sent: session.packets_sent,
        bytes_sent: session.bytes_sent,
        retransmitted: session.retransmitted,
        silent_for: session.silent_for,
    }
}
