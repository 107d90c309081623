//! `antiphon pair`: from two Bluetooth speakers in a box to a stereo pair with a name.
//!
//! Every step is also a verb of its own (`antiphon bluetooth ...`); this leads through them in the order
//! that works: one after the other, and no scan while anything connects or plays.

mod args;

mod person;

mod choose;

mod names;

mod identify;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use antiphon_api::json;
use antiphon_api::pair::{PAIR_SCHEMA, PairReport, PairedSpeaker};
use antiphon_bluetooth::{Address, Bluetooth, Facts, Step, Trouble, bluez_version, hazards};
use antiphon_proto::session::message::is_name;
use antiphon_speaker::pairs::Pair;

pub use args::PairArgs;
use choose::Choice;
pub use person::{AtTerminal, Person, yes_or_no};

use crate::bluetooth::{AtTheTerminal, meant, named};
use crate::exit::{Exit, Failure};
use crate::{dirs, members, signals, terminal, told};

/// Leads through it.
pub fn run(args: &PairArgs) -> Result<Exit, Failure> {
    if let Some(name) = &args.remove {
        return remove(name, args.json);
    }
    if !is_name(&args.name) {
        let message =
            format!("{:?} is no name for a pair; use 1 to 63 bytes, no control characters", args.name);
        return Err(Failure::new(Exit::Usage, message));
    }
    let mut person = AtTerminal::new(args.json);
    if !person.is_there() && args.right.is_none() {
        let message = "nobody can be asked without a terminal: name both speakers with --left and --right \
                       (see: antiphon bluetooth scan)";
        return Err(Failure::new(Exit::Usage, message));
    }
    let stop = signals::stop_flag()?;
    let bluetooth = Bluetooth::connect()?;
    bluetooth.power_on(args.adapter.as_deref())?;
    warn();
    let Some(chosen) = choose(&bluetooth, args, &mut person, &stop)? else {
        terminal::note("Nothing was changed.");
        return Ok(Exit::Interrupted);
    };
    let mut facts = Vec::new();
    for address in chosen {
        if stop.load(Ordering::Acquire) {
            return Ok(Exit::Interrupted);
        }
        facts.push(connect(&bluetooth, address, args.adapter.as_deref(), &mut person)?);
    }
    let [left, right] = &facts[..] else { return Err(Failure::failed("two speakers make a pair")) };
    let mut pair = names::pair(&args.name, [left, right]);
    // Whoever plays has a connection of its own.
    drop(bluetooth);
    let confirmed = match person.is_there() && !args.no_identify {
        true => confirm(&mut pair, &mut person, &stop)?,
        false => false,
    };
    save(&pair)?;
    deliver(args, &pair, &facts, confirmed);
    Ok(Exit::Ok)
}

/// What is known to go wrong with this BlueZ is said before it does.
fn warn() {
    let Some(version) = bluez_version() else { return };
    for hazard in hazards(version) {
        tracing::info!("BlueZ {version}: {hazard}");
    }
}

/// The two speakers, left first; `None`: somebody left.
fn choose(
    bluetooth: &Bluetooth,
    args: &PairArgs,
    person: &mut AtTerminal,
    stop: &AtomicBool,
) -> Result<Option<[Address; 2]>, Failure> {
    if let (Some(left), Some(right)) = (&args.left, &args.right) {
        return typed(bluetooth, args, left, right, stop).map(Some);
    }
    loop {
        let found = choose::speakers(&scan(bluetooth, args, stop)?);
        if stop.load(Ordering::Acquire) {
            return Ok(None);
        }
        terminal::note(choose::list(&found).trim_end());
        match choose::ask(person, &found) {
            Choice::These(two) => return Ok(Some(two)),
            Choice::Leave => return Ok(None),
            Choice::Again => {}
        }
    }
}

/// Those that were typed; a scan is needed for names that are not known yet only.
fn typed(
    bluetooth: &Bluetooth,
    args: &PairArgs,
    left: &str,
    right: &str,
    stop: &AtomicBool,
) -> Result<[Address; 2], Failure> {
    let known = bluetooth.devices()?;
    let both =
        |known: &[Facts]| -> Result<_, Failure> { Ok([address(left, known)?, address(right, known)?]) };
    let two = match both(&known) {
        Err(failure) if failure.exit == Exit::NotFound => both(&scan(bluetooth, args, stop)?),
        found => found,
    }?;
    if two[0] == two[1] {
        return Err(Failure::new(Exit::Usage, "left and right are two speakers; name two"));
    }
    Ok(two)
}

/// What `text` means: an address, or a name that one device has.
fn address(text: &str, known: &[Facts]) -> Result<Address, Failure> {
    text.parse().or_else(|_| meant(text, known))
}

/// What is heard within the time given; each speaker is told as it appears.
fn scan(bluetooth: &Bluetooth, args: &PairArgs, stop: &AtomicBool) -> Result<Vec<Facts>, Failure> {
    let seconds = args.time.as_s_f64();
    terminal::note(&format!("Looking for speakers for {seconds:.0} s. Switch both to pairing."));
    let mut told: Vec<(Address, Option<String>)> = Vec::new();
    let mut progress = |facts: &Facts| {
        let seen = (facts.address, facts.name.clone());
        if facts.may_play() && !told.contains(&seen) {
            terminal::note(&format!("  heard {}", choose::describe(facts)));
            told.push(seen);
        }
        if stop.load(Ordering::Acquire) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    Ok(bluetooth.scan(args.adapter.as_deref(), args.time.to_std(), &mut progress)?)
}

/// Pairs, trusts and connects one; a bond that the speaker has forgotten is removed if somebody agrees.
fn connect(
    bluetooth: &Bluetooth,
    address: Address,
    adapter: Option<&str>,
    person: &mut AtTerminal,
) -> Result<Facts, Failure> {
    let name = called(bluetooth, address);
    let attempt = || {
        let mut progress = |step: Step| terminal::note(&format!("{name}: {}", doing(step)));
        bluetooth.pair(address, adapter, Box::new(AtTheTerminal), &mut progress)
    };
    let paired = match attempt() {
        Err(trouble @ Trouble::StaleBond(_)) => {
            person.tell(&format!("{trouble}."));
            let question = "Forget it here and pair anew? It must be switched to pairing.";
            if yes_or_no(person, question, None) != Some(true) {
                return Err(trouble.into());
            }
            bluetooth.forget(address)?;
            attempt()
        }
        paired => paired,
    }?;
    person.tell(&format!("  {}", choose::describe(&paired)));
    person.tell(&format!("  firmware: {}", paired.firmware));
    told::keep(&paired);
    person.tell(match paired.delay_reporting() {
        Some(true) => "  it reports its delay",
        Some(false) => "  it does not report its delay: `antiphon calibrate` finds it",
        None => "  whether it reports its delay is seen when it plays",
    });
    Ok(paired)
}

/// Its name, where it has told one.
fn called(bluetooth: &Bluetooth, address: Address) -> String {
    let devices = bluetooth.devices().unwrap_or_default();
    let name = devices.iter().find(|facts| facts.address == address).filter(|facts| facts.name.is_some());
    name.map_or_else(|| address.to_string(), named)
}

fn doing(step: Step) -> &'static str {
    match step {
        Step::Power => "switching the adapter on",
        Step::Search => "looking for it",
        Step::Pair => "pairing",
        Step::Trust => "trusting it, so that it may come back by itself",
        Step::Connect => "connecting",
    }
}

/// Beeps. What hinders the beeping does not undo the pairing.
fn confirm(pair: &mut Pair, person: &mut AtTerminal, stop: &AtomicBool) -> Result<bool, Failure> {
    match identify::sides(pair, person, stop) {
        Err(failure) if failure.exit == Exit::Interrupted => Err(failure),
        Err(failure) => {
            person
                .tell(&format!("The speakers could not beep ({failure}). They are saved as you named them."));
            Ok(false)
        }
        confirmed => confirmed,
    }
}

fn save(pair: &Pair) -> Result<(), Failure> {
    let mut pairs = members::saved()?;
    pairs.put(pair.clone())?;
    Ok(pairs.save(&dirs::state()?)?)
}

fn deliver(args: &PairArgs, pair: &Pair, facts: &[Facts], confirmed: bool) {
    let text = match args.json {
        true => json::write_pretty(&report(pair, facts, confirmed)),
        false => tell(pair, confirmed),
    };
    let _ = terminal::print(&text);
}

fn tell(pair: &Pair, confirmed: bool) -> String {
    let [left, right] = &pair.member[..] else { return String::new() };
    let name = if pair.name.contains(' ') { format!("{:?}", pair.name) } else { pair.name.clone() };
    let sides = match confirmed {
        true => String::new(),
        false => format!("Which stands where:  antiphon signal identify --to {name}\n"),
    };
    format!(
        "Saved as {name}: {} is left, {} is right.\n{sides}Play:                antiphon play song.flac --to {name}\n\
         Exactly together:    antiphon calibrate --mic pulse:  (while `antiphon hub` runs)\n",
        left.speaker, right.speaker
    )
}

fn report(pair: &Pair, facts: &[Facts], confirmed: bool) -> PairReport {
    let speaker = |member: &antiphon_speaker::pairs::PairMember| {
        let of = facts.iter().find(|facts| facts.address == member.address);
        PairedSpeaker {
            address: member.address.to_string(),
            name: member.speaker.clone(),
            role: member.role,
            maker: of.and_then(|facts| facts.maker.clone()),
            model: of.and_then(|facts| facts.model.clone()),
            firmware: of.and_then(|facts| facts.firmware.said().map(str::to_owned)),
            codecs: of
                .map(|facts| facts.sinks.iter().map(|sink| sink.codec.clone()).collect())
                .unwrap_or_default(),
            delay_reporting: of.and_then(Facts::delay_reporting),
            battery: of.and_then(|facts| facts.battery),
        }
    };
    PairReport {
        schema: PAIR_SCHEMA,
        name: pair.name.clone(),
        speakers: pair.member.iter().map(speaker).collect(),
        sides_confirmed: confirmed,
    }
}

fn remove(name: &str, as_json: bool) -> Result<Exit, Failure> {
    let mut pairs = members::saved()?;
    let pair = members::pair(&pairs, name)?.clone();
    pairs.remove(name);
    pairs.save(&dirs::state()?)?;
    let text = match as_json {
        true => json::write_pretty(&report(&pair, &[], false)),
        false => format!(
            "{name:?} is no longer saved. Its speakers are still paired with this machine; \
             `antiphon bluetooth forget` ends that too.\n"
        ),
    };
    let _ = terminal::print(&text);
    Ok(Exit::Ok)
}
