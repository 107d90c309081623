//! The speakers to be measured, each with a channel of its own, and what they play.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use antiphon_api::{
    ApiError, Client, DoneReason, ProgrammeState, SourceCommand, SourceLink, SourceNotice, SourcePace,
    SourceTarget, SpeakerStatus, TransportAction, TransportRequest,
};
use antiphon_base::Role;
use antiphon_measure::lab::Excitation;

use super::Ended;
use crate::exit::{Exit, Failure};
use crate::play::audience::{self, Came};

/// Speakers know the time after a second, on busy Wi-Fi after six.
const SYNC_PATIENCE: Duration = Duration::from_secs(15);

/// How often the hub is asked whether they do.
const LOOK: Duration = Duration::from_millis(100);

/// Frames rendered at a time: 50 ms.
const RUN: usize = 2_400;

/// Speakers that are ready to be measured. The channels that they play are theirs while the signal plays.
pub struct Stage {
    client: Client,
    /// One name for each channel of the signal.
    names: Vec<String>,
    targets: Vec<SourceTarget>,
}

impl Stage {
    /// Gets the speakers `named` (NAME, or NAME:both for the two sides of a stereo device) ready;
    /// without names all that have joined.
    ///
    /// # Errors
    /// Somebody is missing, muted or has no clock yet; something plays already.
    pub fn enter(client: Client, named: &[String], stop: &AtomicBool) -> Result<Self, Ended> {
        let wanted = named.iter().map(|text| wanted(text)).collect::<Result<Vec<_>, _>>()?;
        Self::set(client, &wanted, stop)
    }

    /// Gets one speaker ready, whatever stands in its name.
    ///
    /// # Errors
    /// As [`enter`](Self::enter).
    pub fn of(client: Client, name: &str, stop: &AtomicBool) -> Result<Self, Ended> {
        Self::set(client, &[(name.to_owned(), false)], stop)
    }

    fn set(client: Client, wanted: &[(String, bool)], stop: &AtomicBool) -> Result<Self, Ended> {
        let asked: Vec<_> =
            wanted.iter().map(|(name, _)| SourceTarget { name: name.clone(), role: None }).collect();
        if audience::wait(&client, &asked, audience::RUNNING_HUB, stop)? == Came::Interrupted {
            return Err(Ended::Interrupted);
        }
        let speakers = ready(&client, &asked, stop)?;
        let sides = matches!(wanted, [(_, true)]);
        if wanted.len() > 1 && wanted.iter().any(|(_, sides)| *sides) {
            let message =
                "the two sides of a stereo device (NAME:both) are measured alone: name one speaker only";
            return Err(Failure::new(Exit::Usage, message).into());
        }
        let (names, targets) = parts(&speakers, sides)?;
        Ok(Self { client, names, targets })
    }

    /// Gets a left and a right speaker ready: the two named, in this order, or the only ones with these
    /// roles.
    ///
    /// # Errors
    /// As [`enter`](Self::enter); there are not exactly two.
    pub fn pair(client: Client, named: &[String], stop: &AtomicBool) -> Result<Self, Ended> {
        let named = match named {
            [] => sides(&client.status()?.speakers),
            [left, right] => Some([left.clone(), right.clone()]),
            _ => None,
        };
        let Some(named) = named else {
            let message = "following needs one left and one right speaker: name them in this order, --to LEFT --to RIGHT";
            return Err(Failure::new(Exit::Usage, message).into());
        };
        Self::enter(client, &named, stop)
    }

    /// What the channels of the signal are called.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The hub.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Begins to play what `feed` gives, a channel for each of the [`names`](Self::names).
    ///
    /// # Errors
    /// The hub is not there or will not.
    pub fn play<F: Feed>(&self, feed: F, title: &str) -> Result<Performance<'_, F>, Ended> {
        let channels = self.names.len();
        let open = SourceCommand::Open {
            channels: channels as u16,
            title: title.into(),
            duration_frames: feed.frames(),
            targets: self.targets.clone(),
            wait_ms: 5_000,
            seekable: false,
            first_frame: 0,
            pace: SourcePace::Stored,
        };
        let link = self.client.source(&open)?;
        Ok(Performance { stage: self, link, feed, channels, sent: false, over: false })
    }
}

/// Where the frames come from.
pub trait Feed {
    /// How many there are, where that is known.
    fn frames(&self) -> Option<i64>;

    /// Appends up to `frames` interleaved frames and returns how many: 0 at the end, `None` where
    /// none are there yet.
    ///
    /// # Errors
    /// The source is damaged.
    fn next(&mut self, frames: usize, out: &mut Vec<f32>) -> Result<Option<usize>, Failure>;
}

/// The measure signal at a level of its own.
pub struct Signal<'a> {
    excitation: &'a Excitation,
    gain: f32,
    given: usize,
}

impl<'a> Signal<'a> {
    /// `excitation`, `gain_db` above its own level.
    pub fn new(excitation: &'a Excitation, gain_db: f64) -> Self {
        Self { excitation, gain: 10f64.powf(gain_db / 20.0) as f32, given: 0 }
    }
}

impl Feed for Signal<'_> {
    fn frames(&self) -> Option<i64> {
        // What follows the last sound is silence in any case.
        Some(self.excitation.sounding().end as i64)
    }

    fn next(&mut self, frames: usize, out: &mut Vec<f32>) -> Result<Option<usize>, Failure> {
        let frames = frames.min(self.excitation.sounding().end - self.given);
        let before = out.len();
        out.resize(before + frames * self.excitation.channels(), 0.0);
        self.excitation.render(self.given, &mut out[before..]);
        out[before..].iter_mut().for_each(|sample| *sample *= self.gain);
        self.given += frames;
        Ok(Some(frames))
    }
}

/// Frames on their way. Dropping it before their end stops the sound.
pub struct Performance<'a, F> {
    stage: &'a Stage,
    link: SourceLink,
    /// Where the frames come from.
    pub feed: F,
    channels: usize,
    /// All that there is was sent.
    sent: bool,
    over: bool,
}

impl<F: Feed> Performance<'_, F> {
    /// Sends what the hub takes and hears what it says, waiting for at most `patience`; whether all
    /// has been played.
    ///
    /// # Errors
    /// The hub is gone, or somebody has stopped it.
    pub fn go_on(&mut self, patience: Duration) -> Result<bool, Failure> {
        if self.over {
            std::thread::sleep(patience);
            return Ok(true);
        }
        self.send()?;
        match self.link.poll(patience)? {
            Some(SourceNotice::Done { stopped, why }) => {
                self.over = true;
                not_to_its_end(why.or_from(stopped)).map_or(Ok(()), |why| Err(Failure::failed(why)))?;
            }
            Some(SourceNotice::Error(error)) => {
                self.over = true;
                return Err(ApiError::Refused(error).into());
            }
            _ => {}
        }
        Ok(self.over)
    }

    fn send(&mut self) -> Result<(), Failure> {
        let mut samples = Vec::with_capacity(RUN * self.channels);
        while !self.sent && self.link.credit() > 0 {
            samples.clear();
            match self.feed.next(RUN.min(self.link.credit()), &mut samples)? {
                None => return Ok(()),
                Some(0) => {
                    self.sent = true;
                    self.link.end()?;
                }
                Some(_) => self.link.push(&samples)?,
            }
        }
        Ok(())
    }
}

impl<F> Drop for Performance<'_, F> {
    fn drop(&mut self) {
        if !self.over {
            let stop = TransportRequest { action: TransportAction::Stop, to: None };
            // A hub that has ended it already is right too, and one that is gone plays nothing.
            let _ = self.stage.client.transport(&stop);
        }
    }
}

/// What became of a signal that was not played to its end.
fn not_to_its_end(why: DoneReason) -> Option<&'static str> {
    match why {
        DoneReason::Played => None,
        DoneReason::HubEnds => {
            Some("the hub ended while it played the measure signal: start it, then measure again")
        }
        DoneReason::Replaced => {
            Some("another player took over from the measure signal: measure again when it is quiet")
        }
        DoneReason::Stopped | DoneReason::Unknown => Some("somebody stopped the measure signal"),
    }
}

/// The only left and the only right speaker.
pub fn sides(speakers: &[SpeakerStatus]) -> Option<[String; 2]> {
    let only = |role| {
        let mut of = speakers.iter().filter(|speaker| speaker.role == role);
        let first = of.next()?;
        of.next().is_none().then(|| first.name.clone())
    };
    Some([only(Role::Left)?, only(Role::Right)?])
}

/// A name, and whether both sides of it are meant.
fn wanted(text: &str) -> Result<(String, bool), Failure> {
    match text.rsplit_once(':') {
        None => Ok((text.to_owned(), false)),
        Some((name, "both")) => Ok((name.to_owned(), true)),
        Some((name, role)) => {
            let message = format!(
                "--to {text}: every speaker is measured with a signal of its own, whatever its role; write --to \
                 {name}, or --to {name}:both for the two sides of a stereo device, not {role:?}"
            );
            Err(Failure::new(Exit::Usage, message))
        }
    }
}

/// The speakers asked for, or all, once each knows the time.
fn ready(client: &Client, asked: &[SourceTarget], stop: &AtomicBool) -> Result<Vec<SpeakerStatus>, Ended> {
    let until = Instant::now() + SYNC_PATIENCE;
    loop {
        let status = client.status()?;
        if !matches!(status.programme.state, ProgrammeState::Idle | ProgrammeState::Ended) {
            let message = format!(
                "{:?} is playing; stop it first (antiphon ctl stop), since a measurement needs the speakers alone",
                status.programme.title
            );
            return Err(Failure::failed(message).into());
        }
        let speakers = chosen(status.speakers, asked);
        if let Some(muted) = speakers.iter().find(|speaker| speaker.muted) {
            let name = &muted.name;
            return Err(Failure::failed(format!(
                "{name} is muted; let it play with: antiphon volume {name} unmute"
            ))
            .into());
        }
        let unready = |s: &&SpeakerStatus| !s.report.as_ref().is_some_and(|report| report.synced);
        let Some(late) = speakers.iter().find(unready) else { return Ok(speakers) };
        if stop.load(Ordering::Acquire) {
            return Err(Ended::Interrupted);
        }
        if Instant::now() >= until {
            let message = format!("{} does not know the time yet; see `antiphon status`", late.name);
            return Err(Failure::failed(message).into());
        }
        std::thread::sleep(LOOK);
    }
}

/// Those asked for, in that order.
fn chosen(speakers: Vec<SpeakerStatus>, asked: &[SourceTarget]) -> Vec<SpeakerStatus> {
    if asked.is_empty() {
        return speakers;
    }
    asked.iter().filter_map(|target| speakers.iter().find(|s| s.name == target.name)).cloned().collect()
}

/// Names of the channels, and who plays which.
fn parts(speakers: &[SpeakerStatus], sides: bool) -> Result<(Vec<String>, Vec<SourceTarget>), Failure> {
    if let ([speaker], true) = (speakers, sides) {
        let target = SourceTarget { name: speaker.name.clone(), role: Some(Role::Both) };
        let names = ["left", "right"].map(|side| format!("{} {side}", speaker.name));
        return Ok((names.to_vec(), vec![target]));
    }
    if speakers.len() > Excitation::MAX_CHANNELS {
        let most = Excitation::MAX_CHANNELS;
        let message = format!(
            "{} speakers are more than the {most} that play at once; name some with --to",
            speakers.len()
        );
        return Err(Failure::new(Exit::Usage, message));
    }
    let target = |(n, speaker): (usize, &SpeakerStatus)| SourceTarget {
        name: speaker.name.clone(),
        role: Some(Role::Channel(n as u8 + 1)),
    };
    let names = speakers.iter().map(|speaker| speaker.name.clone()).collect();
    Ok((names, speakers.iter().enumerate().map(target).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_makes_no_sense_but_both_sides_of_one_device_do() {
        assert_eq!(wanted("desk").unwrap(), ("desk".to_owned(), false));
        assert_eq!(wanted("pair:both").unwrap(), ("pair".to_owned(), true));
        let failure = wanted("desk:left").unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.contains("desk:left") && failure.message.contains("--to desk,"), "{failure}");
    }
}
