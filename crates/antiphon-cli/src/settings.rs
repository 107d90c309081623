//! Verbs that change one thing.

use antiphon_api::{SpeakerPatch, SpeakerStatus, TransportAction, TransportRequest};

use crate::args::{
    CodecArgs, CtlAction, CtlArgs, DelayArgs, HubOnlyArgs, LatencyArgs, RenameArgs, RoleArgs, VolumeArgs,
};
use crate::exit::{Exit, Failure};
use crate::plan::Volume;
use crate::{find, names, terminal};

/// Sets a volume.
pub fn volume(args: &VolumeArgs) -> Result<Exit, Failure> {
    let patch = match args.volume {
        Volume::Gain(gain) => SpeakerPatch { gain_db: Some(gain), ..SpeakerPatch::default() },
        Volume::Percent(percent) => SpeakerPatch { volume: Some(percent), ..SpeakerPatch::default() },
        Volume::Mute => SpeakerPatch { muted: Some(true), ..SpeakerPatch::default() },
        Volume::Unmute => SpeakerPatch { muted: Some(false), ..SpeakerPatch::default() },
    };
    set(&args.at, &args.name, &patch)
}

/// Sets a delay.
pub fn delay(args: &DelayArgs) -> Result<Exit, Failure> {
    let delay_us = args.delay.as_ns() / 1_000;
    set(&args.at, &args.name, &SpeakerPatch { delay_us: Some(delay_us), ..SpeakerPatch::default() })
}

/// Sets a role.
pub fn role(args: &RoleArgs) -> Result<Exit, Failure> {
    set(&args.at, &args.name, &SpeakerPatch { role: Some(args.role), ..SpeakerPatch::default() })
}

/// Calls a speaker otherwise.
pub fn rename(args: &RenameArgs) -> Result<Exit, Failure> {
    set(&args.at, &args.name, &SpeakerPatch { name: Some(args.new.clone()), ..SpeakerPatch::default() })
}

/// Sets a codec.
pub fn codec(args: &CodecArgs) -> Result<Exit, Failure> {
    set(&args.at, &args.name, &SpeakerPatch { codec: Some(args.codec), ..SpeakerPatch::default() })
}

/// Sets the target latency.
pub fn latency(args: &LatencyArgs) -> Result<Exit, Failure> {
    let set = find::client(args.at.hub.as_ref())?.set_latency(args.latency.as_ns() / 1_000)?;
    say(&format!("latency {} ms", set.latency_us as f64 / 1e3))
}

/// Controls what is playing.
pub fn ctl(args: &CtlArgs) -> Result<Exit, Failure> {
    let (action, to) = match args.action {
        CtlAction::Pause => (TransportAction::Pause, None),
        CtlAction::Resume => (TransportAction::Resume, None),
        CtlAction::Toggle => (TransportAction::Toggle, None),
        CtlAction::Stop => (TransportAction::Stop, None),
        CtlAction::Next => (TransportAction::Next, None),
        CtlAction::Previous => (TransportAction::Previous, None),
        CtlAction::Seek { to } => (TransportAction::Seek, Some(to.0)),
    };
    let programme = find::client(args.at.hub.as_ref())?.transport(&TransportRequest { action, to })?;
    say(&programme.state.to_string())
}

fn set(at: &HubOnlyArgs, name: &str, patch: &SpeakerPatch) -> Result<Exit, Failure> {
    let client = find::client(at.hub.as_ref())?;
    let speaker = client.set_speaker(&names::at(&client, name)?, patch)?;
    say(&format!(
        "{}: {}, {}, {}, delay {} ms",
        speaker.name,
        speaker.role,
        speaker.codec,
        loudness(&speaker),
        speaker.delay_us as f64 / 1e3
    ))
}

/// Both volumes of a speaker: the programme's gain, and the loudspeaker's own where that has one.
pub fn loudness(speaker: &SpeakerStatus) -> String {
    let own = speaker.volume.map_or(String::new(), |percent| format!(", {percent} %"));
    let muted = if speaker.muted { ", muted" } else { "" };
    format!("{:+} dB{own}{muted}", speaker.gain_db)
}

fn say(line: &str) -> Result<Exit, Failure> {
    // Done, whether somebody reads it or not.
    let _ = terminal::print(&format!("{line}\n"));
    Ok(Exit::Ok)
}
