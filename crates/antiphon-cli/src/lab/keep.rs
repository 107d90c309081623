//! `antiphon calibrate --keep`: stays beside the hub, and calibrates anew what no longer holds.
//!
//! A Bluetooth speaker starts up at another delay each time it connects, so what was measured is void
//! when it returns. Nobody shall have to think of it: while nothing plays, the quiet signal is played
//! once more, and the speakers are together again. A new calibration that turns out worse is taken
//! back as ever.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use antiphon_api::{Client, ProgrammeState, SpeakerStatus, Status};

use super::args::CalibrateArgs;
use super::microphone::Microphone;
use super::stage::Stage;
use super::{Ended, calibrate, live};
use crate::exit::{Exit, Failure};
use crate::{find, signals, terminal};

/// How often the hub is asked.
const LOOK: Duration = Duration::from_millis(500);

/// Nothing has played for so long: it was no gap between two pieces of music.
const QUIET_FOR: Duration = Duration::from_secs(3);

/// After an attempt that changed nothing the next waits for this, and twice as long each time: the
/// reason (noise, a speaker out of the microphone's reach) lasts, and the signal is a nuisance.
const FIRST_PAUSE: Duration = Duration::from_secs(30);

/// The longest such pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1_800);

/// Watches until it is asked to stop.
pub fn run(args: &CalibrateArgs) -> Result<Exit, Failure> {
    match keep(args) {
        // That is how it is meant to end.
        Err(Ended::Interrupted) => Ok(Exit::Ok),
        ended => ended.or_else(Ended::exit),
    }
}

fn keep(args: &CalibrateArgs) -> Result<Exit, Ended> {
    let stop = signals::stop_flag()?;
    let client = find::client(args.live.at.hub.as_ref())?;
    let mut microphone = live::microphone(&args.live, &stop)?;
    terminal::note("Watching. What no longer holds is calibrated anew while nothing plays. Ctrl-C ends it.");
    let mut watch = Watch::default();
    loop {
        if stop.load(Ordering::Acquire) {
            return Err(Ended::Interrupted);
        }
        // The recorder goes on, and nobody listens yet.
        microphone.forget();
        if microphone.is_over() {
            return Err(Failure::failed("the microphone gave no more: its recorder was stopped").into());
        }
        match client.status() {
            Ok(status) => {
                if let Some(names) = watch.look(&status, &args.live.to, Instant::now()) {
                    let done = renew(args, &client, names, &mut microphone, &stop)?;
                    watch.after(done, Instant::now());
                }
            }
            Err(error) => watch.say(format!("the hub does not answer ({error}); looking again")),
        }
        std::thread::sleep(LOOK);
    }
}

/// Calibrates `names`; whether something now holds that did not.
fn renew(
    args: &CalibrateArgs,
    client: &Client,
    names: Vec<String>,
    microphone: &mut Microphone,
    stop: &AtomicBool,
) -> Result<bool, Ended> {
    let mut args = args.clone();
    args.live.to = names;
    let attempt = Stage::enter(client.clone(), &args.live.to, stop)
        .and_then(|stage| calibrate::calibrate(&args, stage, microphone, stop));
    match attempt {
        Ok(exit) => Ok(exit == Exit::Ok),
        Err(Ended::Interrupted) => Err(Ended::Interrupted),
        // Somebody began to play, a speaker left: it is looked at again later.
        Err(Ended::Failed(failure)) => {
            terminal::note(&format!("not calibrated: {failure}"));
            Ok(false)
        }
    }
}

/// What the watcher remembers between two looks.
#[derive(Debug, Default)]
struct Watch {
    quiet_since: Option<Instant>,
    not_before: Option<Instant>,
    pause: Option<Duration>,
    said: String,
}

impl Watch {
    /// The speakers to calibrate now, if any: all of the group, since each is placed against the others.
    fn look(&mut self, status: &Status, wanted: &[String], now: Instant) -> Option<Vec<String>> {
        let idle = matches!(status.programme.state, ProgrammeState::Idle | ProgrammeState::Ended);
        self.quiet_since = idle.then(|| self.quiet_since.unwrap_or(now));
        let group = group(status, wanted);
        let is_due = |s: &&&SpeakerStatus| match &s.calibration {
            Some(calibration) => calibration.stale.is_some(),
            None => !wanted.is_empty(),
        };
        let stale: Vec<&str> = group.iter().filter(is_due).map(|s| s.name.as_str()).collect();
        if stale.is_empty() {
            (self.pause, self.not_before) = (None, None);
            self.said.clear();
            return None;
        }
        if group.len() < 2 {
            self.say(format!("{} waits for another speaker to be compared with", stale.join(", ")));
            return None;
        }
        if self.quiet_since.is_none_or(|since| now - since < QUIET_FOR) {
            self.say(format!("{} no longer holds; it is measured when nothing plays", stale.join(", ")));
            return None;
        }
        if self.not_before.is_some_and(|at| now < at) {
            return None;
        }
        self.say(format!("{} no longer holds: measuring", stale.join(", ")));
        Some(group.into_iter().map(|speaker| speaker.name.clone()).collect())
    }

    /// An attempt was made; `done`: what did not hold does now.
    fn after(&mut self, done: bool, now: Instant) {
        if done {
            self.quiet_since = None;
        }
        self.said.clear();
        self.pause = (!done).then(|| self.pause.map_or(FIRST_PAUSE, |last| (2 * last).min(LONGEST_PAUSE)));
        self.not_before = self.pause.map(|pause| now + pause);
        if let Some(pause) = self.pause {
            self.say(format!("trying again in {} s", pause.as_secs()));
        }
    }

    /// Says a thing once.
    fn say(&mut self, what: String) {
        if what != self.said {
            terminal::note(&what);
            self.said = what;
        }
    }
}

/// Those that were named, else those that a calibration has placed, as far as they can be heard.
fn group<'s>(status: &'s Status, wanted: &[String]) -> Vec<&'s SpeakerStatus> {
    let is_meant = |speaker: &&SpeakerStatus| match wanted {
        [] => speaker.calibration.is_some(),
        names => names.contains(&speaker.name),
    };
    let can_play = |speaker: &&SpeakerStatus| {
        !speaker.muted && speaker.report.as_ref().is_some_and(|report| report.synced)
    };
    status.speakers.iter().filter(is_meant).filter(can_play).collect()
}

#[cfg(test)]
mod tests {
    use antiphon_api::{
        CalibratedThrough, CalibrationGrade, CalibrationMethod, CalibrationStatus, HubStatus,
        ProgrammeStatus, SentCounts, SpeakerReport,
    };
    use antiphon_base::Role;
    use antiphon_proto::session::Codec;

    use super::*;

    fn speaker(name: &str, stale: Option<&str>) -> SpeakerStatus {
        let through = CalibratedThrough {
            codec: Codec::L24,
            output: String::new(),
            software: String::new(),
            link: None,
        };
        let calibration = CalibrationStatus {
            delay_us: 100,
            gain_db: 0.0,
            measured_at: 0,
            age_s: 0,
            grade: CalibrationGrade::Good,
            uncertainty_us: 1.0,
            method: CalibrationMethod::Place,
            verified: true,
            through,
            stale: stale.map(str::to_owned),
            previous: 0,
        };
        SpeakerStatus {
            id: String::new(),
            name: name.into(),
            address: None,
            sealed: true,
            browser: false,
            streaming: false,
            role: Role::Left,
            codec: Codec::L24,
            gain_db: 0.0,
            muted: false,
            volume: None,
            link: None,
            delay_us: 0,
            latency_us: 200_000,
            output: String::new(),
            software: String::new(),
            calibration: Some(calibration),
            silent_ms: 0,
            sent: SentCounts::default(),
            report: Some(SpeakerReport { synced: true, ..SpeakerReport::default() }),
        }
    }

    fn status(state: ProgrammeState, speakers: Vec<SpeakerStatus>) -> Status {
        let hub = HubStatus {
            name: String::new(),
            version: String::new(),
            listen: String::new(),
            open: false,
            latency_us: 200_000,
            uptime_s: 0,
            clock: 1,
        };
        let programme = ProgrammeStatus { state, ..ProgrammeStatus::default() };
        Status { schema: 1, hub, programme, speakers }
    }

    fn pair(state: ProgrammeState, stale: Option<&str>) -> Status {
        status(state, vec![speaker("left", None), speaker("right", stale)])
    }

    /// What is measured when the same status is seen for `seconds`.
    fn seen(watch: &mut Watch, status: &Status, from: Instant, seconds: u64) -> Option<Vec<String>> {
        (0..=seconds).find_map(|second| watch.look(status, &[], from + Duration::from_secs(second)))
    }

    #[test]
    fn a_speaker_that_came_back_is_measured_with_its_partner_once_nothing_plays() {
        let (mut watch, now) = (Watch::default(), Instant::now());
        let playing = pair(ProgrammeState::Playing, Some("reconnected"));
        assert_eq!(seen(&mut watch, &playing, now, 60), None);
        let later = now + Duration::from_secs(60);
        let idle = pair(ProgrammeState::Ended, Some("reconnected"));
        assert_eq!(watch.look(&idle, &[], later), None, "a gap between two pieces");
        assert_eq!(seen(&mut watch, &idle, later, 5), Some(vec!["left".to_owned(), "right".to_owned()]));
    }

    #[test]
    fn what_holds_is_left_alone() {
        assert_eq!(seen(&mut Watch::default(), &pair(ProgrammeState::Idle, None), Instant::now(), 600), None);
    }

    #[test]
    fn what_cannot_be_mended_is_tried_ever_more_seldom() {
        let (mut watch, start) = (Watch::default(), Instant::now());
        let idle = pair(ProgrammeState::Idle, Some("reconnected"));
        let mut tries = Vec::new();
        for second in 0..1_000 {
            let now = start + Duration::from_secs(second);
            if watch.look(&idle, &[], now).is_some() {
                tries.push(second);
                watch.after(false, now);
            }
        }
        assert_eq!(tries, [3, 33, 93, 213, 453, 933]);
        assert_eq!(watch.look(&pair(ProgrammeState::Idle, None), &[], start), None);
        assert_eq!(watch.pause, None, "and begins anew once it held");
    }

    #[test]
    fn a_speaker_without_another_waits_for_it() {
        let alone = status(ProgrammeState::Idle, vec![speaker("right", Some("reconnected"))]);
        assert_eq!(seen(&mut Watch::default(), &alone, Instant::now(), 60), None);
    }

    #[test]
    fn who_is_named_is_calibrated_for_the_first_time_too() {
        let names = ["left".to_owned(), "right".to_owned()];
        let mut new = pair(ProgrammeState::Idle, None);
        new.speakers[1].calibration = None;
        let (mut watch, now) = (Watch::default(), Instant::now());
        assert_eq!(watch.look(&new, &names, now), None);
        assert_eq!(watch.look(&new, &names, now + QUIET_FOR), Some(names.to_vec()));
    }
}
