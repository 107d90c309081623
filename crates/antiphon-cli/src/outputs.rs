//! `antiphon outputs`: what this machine can play on.

use std::fmt::Write;

use antiphon_api::json;
use antiphon_api::outputs::{OUTPUTS_SCHEMA, OutputReport, OutputsReport};
use antiphon_audio::pulse::{self, OutputDevice};
use antiphon_bluetooth::{Bluetooth, Facts};
use antiphon_speaker::pairs::PairMember;

use crate::args::OutputsArgs;
use crate::bluetooth::named;
use crate::exit::{Exit, Failure};
use crate::{members, terminal};

/// Lists them.
///
/// # Errors
/// What is saved on this machine is damaged.
pub fn run(args: &OutputsArgs) -> Result<Exit, Failure> {
    let report = report(&members::all(&members::saved()?));
    let text = if args.json { json::write_pretty(&report) } else { table(&report) };
    terminal::print(&text);
    Ok(Exit::Ok)
}

pub fn report(saved: &[PairMember]) -> OutputsReport {
    let mut report = OutputsReport { schema: OUTPUTS_SCHEMA, ..OutputsReport::default() };
    match pulse::output_devices() {
        Ok(devices) if devices.is_empty() => {
            report.missing.push("the sound server has no output device".into())
        }
        Ok(devices) => report.outputs.extend(devices.iter().map(of_server)),
        Err(error) => report.missing.push(error.to_string()),
    }
    add_cards(&mut report);
    match Bluetooth::connect().and_then(|bluetooth| bluetooth.devices()) {
        Ok(devices) => {
            let may_play = |facts: &&Facts| facts.may_play() && (facts.paired || facts.connected);
            report.outputs.extend(devices.iter().filter(may_play).map(of_bluetooth));
        }
        Err(trouble) => report.missing.push(format!("Bluetooth: {trouble}")),
    }
    let listed = |member: &&PairMember| report.outputs.iter().any(|output| output.uri == uri_of(member));
    let unlisted: Vec<_> = saved.iter().filter(|member| !listed(member)).map(unknown).collect();
    report.outputs.extend(unlisted);
    report
}

fn of_server(device: &OutputDevice) -> OutputReport {
    let remarks = [
        (device.is_dummy, "it stands for a missing device"),
        (device.is_unplugged, "nothing is plugged in"),
        (device.is_muted, "muted in the sound settings"),
    ];
    let remark = remarks.iter().find(|(applies, _)| *applies).map(|(_, remark)| (*remark).to_owned());
    OutputReport {
        uri: format!("pulse:{}", device.name),
        name: printable(&device.description),
        kind: "sound_server".into(),
        is_default: device.is_default,
        usable: !device.is_unplugged && !device.is_dummy,
        remark,
        rate_hz: Some(device.rate_hz),
        channels: Some(device.channels),
        clock: if device.is_hardware { "card" } else { "server" }.into(),
        splits: device.splits,
    }
}

#[cfg(feature = "alsa")]
fn add_cards(report: &mut OutputsReport) {
    let cards = antiphon_audio::alsa::output_cards();
    if cards.is_empty() {
        report.missing.push("ALSA knows no sound card".into());
    }
    report.outputs.extend(cards.into_iter().map(of_card));
}

#[cfg(not(feature = "alsa"))]
fn add_cards(report: &mut OutputsReport) {
    report
        .missing
        .push("ALSA is not built into this program: cards are played to by a sound server only".into());
}

/// A card without the sound server: it is played to by one program at a time.
#[cfg(feature = "alsa")]
fn of_card(card: antiphon_audio::alsa::OutputCard) -> OutputReport {
    let (known, remark) = match card.state {
        Ok(known) => (Some(known), None),
        Err(why) => (None, Some(why)),
    };
    let channels = known.map(|(_, channels)| channels);
    OutputReport {
        uri: format!("alsa:{}", card.name),
        name: printable(&card.description),
        kind: "alsa".into(),
        usable: known.is_some(),
        remark,
        rate_hz: known.map(|(rate_hz, _)| rate_hz),
        channels,
        clock: "card".into(),
        splits: channels.is_some_and(|channels| channels >= 2),
        ..OutputReport::default()
    }
}

fn of_bluetooth(facts: &Facts) -> OutputReport {
    let remark =
        if facts.connected { None } else { Some("away; it is connected when it is switched on".into()) };
    OutputReport {
        uri: format!("bluetooth:{}", facts.address),
        name: named(facts),
        kind: "bluetooth".into(),
        usable: facts.connected,
        remark,
        clock: "hub".into(),
        ..OutputReport::default()
    }
}

/// A saved speaker that BlueZ does not know, or that nobody can be asked about.
fn unknown(member: &PairMember) -> OutputReport {
    OutputReport {
        uri: uri_of(member),
        name: member.speaker.clone(),
        kind: "bluetooth".into(),
        remark: Some("saved, but this machine's Bluetooth does not know it at present".into()),
        clock: "hub".into(),
        ..OutputReport::default()
    }
}

fn uri_of(member: &PairMember) -> String {
    format!("bluetooth:{}", member.address)
}

/// Names come from devices: nothing in them may steer the terminal.
fn printable(name: &str) -> String {
    name.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

fn table(report: &OutputsReport) -> String {
    let mut out = String::new();
    let width = |cell: fn(&OutputReport) -> usize| report.outputs.iter().map(cell).max().unwrap_or(0);
    let name = width(|output| output.name.chars().count()).clamp(4, 40);
    let uri = width(|output| output.uri.chars().count()).clamp(3, 60);
    if !report.outputs.is_empty() {
        let _ = writeln!(
            out,
            "{:name$}  {:uri$}  {:9}  {:8}  {:6}  NOW",
            "NAME", "URI", "RATE", "CHANNELS", "CLOCK"
        );
    }
    for output in &report.outputs {
        let rate = output.rate_hz.map_or("-".into(), |hz| format!("{hz} Hz"));
        let channels = output.channels.map_or("-".into(), |n| n.to_string());
        let _ = writeln!(
            out,
            "{:name$}  {:uri$}  {rate:9}  {channels:8}  {:6}  {}",
            output.name,
            output.uri,
            output.clock,
            at_present(output)
        );
    }
    for missing in &report.missing {
        let _ = writeln!(out, "({missing})");
    }
    out.push_str(advice(report));
    out
}

fn at_present(output: &OutputReport) -> String {
    let now = if output.usable { "usable" } else { "not usable" };
    let default = if output.is_default { ", the default (pulse:)" } else { "" };
    let remark = output.remark.as_ref().map(|remark| format!(": {remark}")).unwrap_or_default();
    format!("{now}{default}{remark}")
}

fn advice(report: &OutputsReport) -> &'static str {
    if report.outputs.is_empty() {
        return "No output device. `antiphon demo` shows without any what Antiphon does.\n";
    }
    if report.outputs.iter().any(|output| output.splits) {
        return "\nTwo speakers on one stereo output are URI#left and URI#right. Their cable goes from one stereo plug to two\n\
                mono ones (as sold for two mono inputs); a Y-splitter for headphones gives both speakers both channels.\n";
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_outputs_is_told_of_the_demo() {
        let report = OutputsReport { missing: vec!["no sound server".into()], ..OutputsReport::default() };
        let said = table(&report);
        assert!(said.contains("(no sound server)") && said.contains("antiphon demo"), "{said}");
    }

    #[test]
    #[cfg(feature = "alsa")]
    fn a_card_is_listed_with_what_it_is_or_why_it_cannot_be_played_to() {
        let card = |state| antiphon_audio::alsa::OutputCard {
            name: "hw:Box,1".into(),
            description: "Box\u{7}, USB".into(),
            state,
        };
        let free = of_card(card(Ok((44_100, 2))));
        assert_eq!(
            (free.uri.as_str(), free.name.as_str(), free.splits),
            ("alsa:hw:Box,1", "Box?, USB", true)
        );
        assert_eq!((at_present(&free).as_str(), free.rate_hz), ("usable", Some(44_100)));
        let taken = of_card(card(Err("it is in use by mpd (process 7)".into())));
        assert!(at_present(&taken).contains("not usable: it is in use by mpd"), "{taken:?}");
        assert!(!taken.splits);
    }

    #[test]
    fn a_saved_speaker_is_listed_even_where_nobody_knows_of_it() {
        let member = PairMember {
            address: antiphon_bluetooth::Address([0, 0, 0, 0, 0, 7]),
            speaker: "desk".into(),
            role: antiphon_base::Role::Left,
        };
        let output = unknown(&member);
        assert!(!output.usable && output.uri == "bluetooth:00:00:00:00:00:07", "{output:?}");
        assert!(at_present(&output).starts_with("not usable: saved"), "{output:?}");
    }
}
