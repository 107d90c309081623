//! What was named, against what there is: before anything is started, and before anybody is waited for.

use antiphon_api::outputs::{OutputReport, OutputsReport};
use antiphon_api::{Client, HubAddress, SpeakerStatus};
use antiphon_audio::uri::{OutputUri, ParseOutputError};
use antiphon_speaker::pairs::Pairs;

use crate::exit::{Exit, Failure};
use crate::members::Cast;
use crate::{members, outputs};

/// So many outputs are named where one may be meant; `antiphon outputs` has the others.
const MOST: usize = 4;

/// Whoever is named by an output on which a speaker of the hub plays already is that speaker: two programs cannot
/// send to one Bluetooth speaker, and a name is one speaker.
pub fn use_speakers_of_hub(cast: &mut Cast, speakers: &[SpeakerStatus]) {
    let mut taken = Vec::new();
    cast.named.retain(|member| {
        let output = OutputUri::Bluetooth(member.address.to_string()).to_string();
        let there = speakers.iter().find(|speaker| speaker.output.eq_ignore_ascii_case(&output));
        taken.extend(there.map(|speaker| (member.speaker.clone(), speaker.name.clone())));
        there.is_none()
    });
    cast.devices.retain(|device| {
        let output = device.output.to_string();
        let is_it = |speaker: &&SpeakerStatus| {
            speaker.name == device.speaker && speaker.output == output && is_here(speaker)
        };
        !speakers.iter().any(|speaker| is_it(&speaker))
    });
    for target in &mut cast.targets {
        if let Some((_, name)) = taken.iter().find(|(typed, _)| *typed == target.name) {
            target.name.clone_from(name);
        }
    }
}

/// Another machine may have an output of the same name.
fn is_here(speaker: &SpeakerStatus) -> bool {
    let addr = speaker.address.as_ref().and_then(|address| address.parse::<std::net::SocketAddr>().ok());
    addr.is_some_and(|addr| addr.ip().to_canonical().is_loopback())
}

/// Nobody is waited for who cannot come: a name that is written like an output of a kind that does not exist, or that
/// is what an output of this machine is called. The latter may be a speaker's name as well: whoever has said that he
/// `waits` is let wait.
///
/// # Errors
/// [`Exit::NotFound`], with what to write.
pub fn refuse_what_is_no_speaker(
    cast: &Cast,
    speakers: &[SpeakerStatus],
    waits: bool,
) -> Result<(), Failure> {
    let strangers: Vec<&str> = strangers(cast, speakers).collect();
    let refused = |message: String| Err(Failure::new(Exit::NotFound, message));
    if let Some(name) = strangers.iter().find(|name| has_scheme(name)) {
        return refused(ParseOutputError::Scheme(name.chars().take(60).collect()).to_string());
    }
    // Looking takes a moment, and whoever is known needs no hint.
    if strangers.is_empty() || waits {
        return Ok(());
    }
    let report = outputs::report(&[]);
    strangers.iter().find_map(|name| hint(name, &report)).map_or(Ok(()), refused)
}

/// Those who are named, and whom neither the hub nor this machine knows.
fn strangers<'a>(cast: &'a Cast, speakers: &'a [SpeakerStatus]) -> impl Iterator<Item = &'a str> {
    let names = cast.targets.iter().map(|target| target.name.as_str());
    names.filter(|name| {
        let of_hub = speakers.iter().any(|speaker| speaker.name == *name);
        let bluetooth = cast.named.iter().chain(&cast.saved).any(|member| member.speaker == *name);
        !of_hub && !bluetooth && !cast.devices.iter().any(|device| device.speaker == *name)
    })
}

/// `usb:1`, but not `TV: the left one`.
fn has_scheme(name: &str) -> bool {
    let is_scheme = |scheme: &str| !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_lowercase());
    name.split_once(':').is_some_and(|(scheme, rest)| is_scheme(scheme) && !rest.starts_with(' '))
}

/// What to write for an output that was named as people call it.
fn hint(name: &str, report: &OutputsReport) -> Option<String> {
    let called = |output: &&OutputReport| {
        let device = output.uri.split_once(':').map_or("", |(_, device)| device);
        [output.name.as_str(), device].contains(&name)
    };
    let uris: Vec<_> =
        report.outputs.iter().filter(called).map(|output| output.uri.as_str()).take(MOST).collect();
    (!uris.is_empty()).then(|| {
        format!(
            "no speaker is called {name:?}, but an output of this machine is: name it as {} (or let a speaker of that \
             name come with --wait 15s)",
            uris.join(" or ")
        )
    })
}

/// What this machine can play on, for somebody who named nobody and has no speaker.
pub fn what_there_is() -> String {
    in_words(&outputs::report(&[]))
}

fn in_words(report: &OutputsReport) -> String {
    let usable: Vec<_> = report.outputs.iter().filter(|output| output.usable).collect();
    if usable.is_empty() {
        return "this machine has nothing to play on at present (`antiphon outputs` says why); `antiphon demo` needs \
                no device"
            .to_owned();
    }
    let shown = usable.iter().take(MOST).map(|output| format!("{} ({})", output.uri, output.name));
    let more = if usable.len() > MOST { ", and more: `antiphon outputs`" } else { "" };
    format!(
        "no speaker is named; this machine can play on {}{more}: name one with --to URI, or two with --left URI \
         --right URI",
        shown.collect::<Vec<_>>().join(", ")
    )
}

/// Adds to a speaker's absence that it is saved here, where the hub that is to play does not play on it.
pub fn with_what_is_saved(failure: Failure, cast: &Cast, pairs: &Pairs, client: &Client) -> Failure {
    let saved = if cast.targets.is_empty() { members::all(pairs) } else { cast.saved.clone() };
    let speakers = client.status().map(|status| status.speakers).unwrap_or_default();
    let unknown = |speaker: &str| !speakers.iter().any(|known| known.name == speaker);
    let names: Vec<_> =
        saved.into_iter().map(|member| member.speaker).filter(|name| unknown(name)).take(MOST).collect();
    if failure.exit != Exit::NotFound || names.is_empty() {
        return failure;
    }
    Failure::new(failure.exit, saved_and_not_played_on(&names.join(", "), client.hub()))
}

fn saved_and_not_played_on(names: &str, hub: &HubAddress) -> String {
    format!(
        "{names}: saved on this machine, but the hub at {hub} does not play there; a hub of this machine does unless \
         it was started with --no-bluetooth, or could not have this machine's Bluetooth (its log says why). Start it \
         anew, or stop it: `antiphon play` needs none"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use antiphon_api::SourceTarget;

    fn output(uri: &str, name: &str, usable: bool) -> OutputReport {
        OutputReport { uri: uri.into(), name: name.into(), usable, ..OutputReport::default() }
    }

    fn report() -> OutputsReport {
        let outputs = vec![
            output("pulse:living_room", "Living Room", true),
            output("alsa:hw:0", "Card", true),
            output("bluetooth:AA:BB:CC:DD:EE:01", "Desk", false),
        ];
        OutputsReport { outputs, ..OutputsReport::default() }
    }

    #[test]
    fn an_output_that_was_called_by_its_name_is_told_by_its_uri() {
        for (typed, uri) in [
            ("living_room", "pulse:living_room"),
            ("Living Room", "pulse:living_room"),
            ("hw:0", "alsa:hw:0"),
            ("Desk", "bluetooth:AA:BB:CC:DD:EE:01"),
        ] {
            let said = hint(typed, &report()).expect(typed);
            assert!(said.contains(&format!("name it as {uri} (")), "{said}");
        }
        assert_eq!(hint("kitchen", &report()), None);
    }

    #[test]
    fn what_is_written_like_an_output_of_no_known_kind_is_refused_at_once() {
        let cast = |name: &str| {
            let target = SourceTarget { name: name.into(), role: None };
            members::cast(vec![target], &Pairs::default()).unwrap()
        };
        let refused = refuse_what_is_no_speaker(&cast("usb:1"), &[], true).unwrap_err();
        assert!(refused.exit == Exit::NotFound && refused.message.contains("pulse:SINK"), "{refused}");
        assert!(!has_scheme("TV: left") && !has_scheme("Bath:2") && !has_scheme("kitchen"));
    }

    #[test]
    fn a_machine_says_what_it_can_play_on_or_that_it_has_nothing() {
        let said = in_words(&report());
        assert!(said.contains("pulse:living_room (Living Room), alsa:hw:0 (Card): name one"), "{said}");
        let said = in_words(&OutputsReport::default());
        assert!(said.contains("nothing to play on") && said.contains("antiphon demo"), "{said}");
    }
}
