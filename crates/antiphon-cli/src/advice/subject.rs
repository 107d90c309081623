//! The speakers that a question is about: as typed, or as they tell of themselves.

use antiphon_api::advice::ToldReport;
use antiphon_bluetooth::{Bluetooth, Facts, Told};
use antiphon_catalog::{Catalogue, VendorVersion};

use super::args::CheckArgs;
use crate::bluetooth::{known, named, printable};
use crate::exit::{Exit, Failure};
use crate::told::{self, Telling};

/// One or two speakers: what the catalogue is asked for, their firmware, and what they told.
#[derive(Debug, Default)]
pub struct Subjects {
    /// The model of the first, or what it calls itself.
    pub first: String,
    /// Of the second; `None`: another of the first.
    pub second: Option<String>,
    /// Of both.
    pub firmware: [Option<VendorVersion>; 2],
    /// What they told.
    pub told: Vec<ToldReport>,
}

impl Subjects {
    /// Those of `args`. Speakers that are named are looked at; of models, what was told on another day is taken.
    ///
    /// # Errors
    /// None or more than two; no Bluetooth, no such speaker, something that plays nothing.
    pub fn of(catalogue: &Catalogue, args: &CheckArgs) -> Result<Self, Failure> {
        let live = look(&args.speaker)?;
        let typed = args.model.iter().chain(&args.other).map(|name| (name.clone(), None));
        let all: Vec<(String, Option<Facts>)> =
            typed.chain(live.into_iter().map(|facts| (called(catalogue, &facts), Some(facts)))).collect();
        let (first, second) = match &all[..] {
            [(one, _)] => (one.clone(), None),
            [(one, _), (other, _)] => (one.clone(), Some(other.clone())),
            _ => {
                let message = "two speakers are asked about at a time: one or two models, or speakers that this \
                               computer knows with --speaker NAME";
                return Err(Failure::new(Exit::Usage, message));
            }
        };
        let mut subjects = Self { first, second, ..Self::default() };
        let given = args.case.firmware()?;
        let is_given = given.iter().any(Option::is_some);
        let mut kept = told::kept();
        for (n, (name, facts)) in all.iter().enumerate() {
            match facts {
                Some(facts) => subjects.live(n, name, facts, &kept),
                None if !is_given => subjects.kept(catalogue, n, name, &mut kept),
                None => {}
            }
        }
        if is_given {
            subjects.firmware = given.map(|version| version.cloned());
        }
        Ok(subjects)
    }

    /// A speaker that was looked at.
    fn live(&mut self, n: usize, name: &str, facts: &Facts, kept: &[Telling]) {
        told::keep(facts);
        let before = kept.iter().find(|telling| telling.id == facts.address.to_string());
        let now = Telling::of(facts);
        let telling = now.as_ref().or(before);
        self.firmware[n] = telling.and_then(|telling| telling.firmware.parse().ok());
        let when = match (&now, before) {
            (Some(_), _) => format!("firmware {}", facts.firmware),
            (None, Some(before)) => format!("firmware {} on {}", before.firmware, before.date),
            (None, None) => firmware_of(facts),
        };
        let text = format!("{} ({}) {when}{}", named(facts), facts.address, abilities(facts));
        let by = "by Bluetooth".to_owned();
        let firmware = telling.map(|telling| telling.firmware.clone());
        self.told.push(ToldReport { of: name.to_owned(), by, model: facts.model.clone(), firmware, text });
    }

    /// A model, of which speakers may have told something before. Each is taken once.
    fn kept(&mut self, catalogue: &Catalogue, n: usize, name: &str, kept: &mut Vec<Telling>) {
        let Some(model) = told::model_called(catalogue, name) else { return };
        let places = if self.second.is_none() { n..2 } else { n..n + 1 };
        for place in places {
            let Some(at) = kept.iter().position(|telling| telling.model_in(catalogue) == Some(model)) else {
                return;
            };
            let telling = kept.remove(at);
            self.firmware[place] = telling.firmware.parse().ok();
            self.told.push(report(model, &telling));
        }
    }
}

/// Looks at speakers that this computer knows.
fn look(speakers: &[String]) -> Result<Vec<Facts>, Failure> {
    if speakers.is_empty() {
        return Ok(Vec::new());
    }
    let bluetooth = Bluetooth::connect()?;
    let devices = bluetooth.devices()?;
    let mut found = Vec::new();
    for speaker in speakers {
        let address = known(&bluetooth, speaker)?;
        let facts = devices.iter().find(|facts| facts.address == address).cloned();
        let facts = facts.ok_or_else(|| {
            let message = format!("{address} is not known here; see antiphon bluetooth list");
            Failure::new(Exit::NotFound, message)
        })?;
        if !facts.may_play() {
            let message = format!("{} plays nothing: it is no speaker", named(&facts));
            return Err(Failure::new(Exit::NotFound, message));
        }
        if found.iter().any(|other: &Facts| other.address == facts.address) {
            let message = format!("{} is one speaker; name two, or it once for two of it", named(&facts));
            return Err(Failure::new(Exit::Usage, message));
        }
        found.push(facts);
    }
    bluetooth.ask(&mut found)?;
    Ok(found)
}

/// The model's name, where what it calls itself is one; else that.
fn called(catalogue: &Catalogue, facts: &Facts) -> String {
    let names = facts.model.iter().chain(&facts.name);
    let model = names.clone().find_map(|name| told::model_called(catalogue, name));
    model
        .map(str::to_owned)
        .or_else(|| names.last().map(|name| printable(name)))
        .unwrap_or_else(|| named(facts))
}

fn firmware_of(facts: &Facts) -> String {
    match &facts.firmware {
        Told::Unasked => format!(
            "is not connected, and is asked for its firmware while it is: antiphon bluetooth connect {}",
            facts.address
        ),
        told => format!("firmware {told}"),
    }
}

fn abilities(facts: &Facts) -> String {
    let codecs: Vec<&str> = facts.sinks.iter().map(|sink| sink.codec.as_str()).collect();
    let codecs = if codecs.is_empty() { String::new() } else { format!("; takes {}", codecs.join(", ")) };
    let delay = match facts.delay_reporting() {
        Some(true) => "; reports its delay",
        Some(false) => "; does not report its delay",
        None => "",
    };
    let maker = facts.maker.as_ref().map(|maker| format!("; made by {}", printable(maker)));
    format!("{codecs}{delay}{}", maker.unwrap_or_default())
}

/// What one told on another day.
fn report(model: &str, telling: &Telling) -> ToldReport {
    let comparable = telling.firmware.parse::<VendorVersion>().is_ok();
    let cannot = if comparable { "" } else { "; it cannot be compared with what is needed" };
    ToldReport {
        of: model.to_owned(),
        by: telling.by.words().to_owned(),
        model: telling.model.clone(),
        firmware: Some(telling.firmware.clone()),
        text: format!(
            "{} ({}) firmware {}, read {} on {}{cannot}",
            telling.name,
            telling.id,
            telling.firmware,
            telling.by.words(),
            telling.date
        ),
    }
}
