//! What a maker's mode asks for, and whether it is so.

use std::cmp::Ordering;

use super::judge::Case;
use super::{Gate, Speaker};
use crate::model::{Fact, Purpose, Statement};
use crate::version::VendorVersion;

/// The gates of `purpose`, each once for both speakers where they agree.
pub(super) fn of(case: &Case, purpose: Purpose) -> Vec<Gate> {
    let mut gates = Vec::new();
    for (n, speaker) in case.speakers.iter().enumerate() {
        if n == 1 && case.alike {
            break;
        }
        for fact in speaker.facts() {
            match &fact.statement {
                Statement::Firmware(of, least) if *of == purpose => {
                    gates.extend(firmware(case, speaker, n, fact, least));
                }
                Statement::App(of, app, least) if *of == purpose => {
                    gates.push(the_app(case, fact, app, least))
                }
                Statement::Hardware(of, revision) if *of == purpose => {
                    gates.push(hardware(speaker, fact, revision))
                }
                _ => {}
            }
        }
    }
    if let [Some(one), Some(other)] = case.question.firmware
        && case.alike
        && one.compare(other) != Some(Ordering::Equal)
    {
        gates.push(unlike(one, other));
    }
    gates
}

fn firmware(case: &Case, speaker: &Speaker, n: usize, fact: &Fact, least: &VendorVersion) -> Vec<Gate> {
    let told = case.question.firmware;
    let mut have = if case.alike { told.to_vec() } else { vec![told[n]] };
    have.dedup_by_key(|version| version.map(ToString::to_string));
    let only_one = have.len() > 1 && have.iter().any(Option::is_none);
    let mut gates: Vec<Gate> =
        have.into_iter().map(|have| one_firmware(case, speaker, fact, least, have)).collect();
    for gate in gates.iter_mut().filter(|gate| only_one && gate.have.is_none()) {
        gate.what = "firmware of the other one".into();
    }
    gates
}

fn one_firmware(
    case: &Case,
    speaker: &Speaker,
    fact: &Fact,
    least: &VendorVersion,
    have: Option<&VendorVersion>,
) -> Gate {
    let order = have.and_then(|have| have.compare(least));
    let name = speaker.name();
    let both = if case.alike { "both speakers" } else { name };
    let update = [
        format!("Update {both} in the maker's app before pairing, each to the end, on the charger."),
        "Switch them off and on. Only then pair: antiphon guide vendor-stereo has the steps.".to_owned(),
        "Pairs that were made before the update: reset both first (antiphon guide reset).".to_owned(),
    ];
    let read = match speaker.found().and_then(|found| found.model.firmware_by.as_deref()) {
        Some("miio") => "Read it in the maker's app, or over the network: antiphon miio info ADDRESS.".to_owned(),
        _ => "Read it in the maker's app. Few Bluetooth speakers tell it to a computer; antiphon check --speaker NAME \
              asks one that is known here."
            .to_owned(),
    };
    let todo = match (have, order) {
        (_, Some(Ordering::Equal | Ordering::Greater)) => Vec::new(),
        (_, Some(Ordering::Less)) => update.to_vec(),
        (Some(other), None) => {
            vec![format!("{other} is a version of another product than {least}: compare the names.")]
        }
        (None, None) => vec![read, format!("Then: antiphon check {name:?} --firmware VERSION")],
    };
    Gate {
        what: "firmware".into(),
        need: format!("{least} or later"),
        have: have.map(ToString::to_string),
        met: order.map(Ordering::is_ge),
        todo,
        proof: Some(fact.proof.clone()),
    }
}

fn the_app(case: &Case, fact: &Fact, app: &str, least: &VendorVersion) -> Gate {
    let order = case.question.app.and_then(|have| have.compare(least));
    let todo = match order {
        Some(Ordering::Equal | Ordering::Greater) => Vec::new(),
        Some(Ordering::Less) => vec![format!("Update {app} on the phone, before the speakers' firmware.")],
        None => vec![format!("Look in {app}'s settings, under About; then: --app VERSION")],
    };
    Gate {
        what: app.to_owned(),
        need: format!("{least} or later"),
        have: case.question.app.map(ToString::to_string),
        met: order.map(Ordering::is_ge),
        todo,
        proof: Some(fact.proof.clone()),
    }
}

fn hardware(speaker: &Speaker, fact: &Fact, revision: &str) -> Gate {
    let told = speaker.typed.contains(revision);
    Gate {
        what: "hardware".into(),
        need: format!("the one of {revision}"),
        have: told.then(|| revision.to_owned()),
        met: told.then_some(true),
        todo: if told { Vec::new() } else { vec!["Look at the label under the speaker.".into()] },
        proof: Some(fact.proof.clone()),
    }
}

fn unlike(one: &VendorVersion, other: &VendorVersion) -> Gate {
    Gate {
        what: "the same firmware".into(),
        need: "one version on both".into(),
        have: Some(format!("{one} and {other}")),
        met: Some(false),
        todo: vec![
            "Update both to the same version before pairing them; then switch both off and on.".into(),
        ],
        proof: None,
    }
}
