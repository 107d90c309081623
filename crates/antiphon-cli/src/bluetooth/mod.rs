//! `antiphon bluetooth`: speakers found, paired, connected and forgotten, one plain step each.

mod name;

mod person;

pub mod report;

pub use name::meant;
pub use person::AtTheTerminal;
pub use report::{named, printable};

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use antiphon_api::json;
use antiphon_base::Span;
use antiphon_bluetooth::{Address, Bluetooth, Facts, Step, Trouble};
use antiphon_speaker::pairs::PairMember;
use clap::Subcommand;

use crate::exit::{Exit, Failure};
use crate::plan::parse_span;
use crate::{members, terminal, told};

/// `antiphon bluetooth`
#[derive(Debug, clap::Args)]
pub struct BluetoothArgs {
    /// What to do
    #[command(subcommand)]
    pub action: Action,

    /// The adapter to use, as in hci0 [default: all, and for a new speaker the one with the fewest]
    #[arg(long, global = true, value_name = "ADAPTER")]
    pub adapter: Option<String>,

    /// Print JSON with a stable schema
    #[arg(long, global = true)]
    pub json: bool,
}

/// What to do with Bluetooth speakers.
#[derive(Debug, Clone, Subcommand)]
pub enum Action {
    /// Look for speakers that are switched to pairing, or on and near
    Scan {
        /// How long
        #[arg(long, default_value = "12s", value_parser = parse_span, value_name = "TIME")]
        time: Span,
        /// Also what is no speaker
        #[arg(long)]
        all: bool,
    },
    /// List the devices that this machine knows
    List,
    /// Pair a speaker, trust it and connect it
    Pair {
        /// Its address, or its name
        #[arg(value_name = "SPEAKER")]
        speaker: String,
    },
    /// Connect a paired speaker and say what it is
    Connect {
        /// Its address, or its name
        #[arg(value_name = "SPEAKER")]
        speaker: String,
    },
    /// Disconnect a speaker; it stays paired
    Disconnect {
        /// Its address, or its name
        #[arg(value_name = "SPEAKER")]
        speaker: String,
    },
    /// Forget a speaker and its key: the way out of a pairing that went stale
    Forget {
        /// Its address, or its name
        #[arg(value_name = "SPEAKER")]
        speaker: String,
    },
}

/// A name that is not known yet may be that of a speaker in pairing mode.
const LOOK_TIME: std::time::Duration = std::time::Duration::from_secs(12);

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        let exit = match &trouble {
            Trouble::NoPermission(_) => Exit::NotPermitted,
            Trouble::Unknown(_) | Trouble::NotPaired(_) | Trouble::NoAdapter => Exit::NotFound,
            Trouble::NoSuchAdapter { .. } => Exit::NotFound,
            _ => Exit::Failed,
        };
        Self::new(exit, trouble.to_string())
    }
}

/// Does it.
pub fn run(args: &BluetoothArgs) -> Result<Exit, Failure> {
    let bluetooth = Bluetooth::connect()?;
    match &args.action {
        Action::Scan { time, all } => scan(&bluetooth, args, *time, *all),
        Action::List => list(&bluetooth, args),
        Action::Pair { speaker } => pair(&bluetooth, args, speaker),
        Action::Connect { speaker } => {
            let address = known(&bluetooth, speaker)?;
            show(&bluetooth, args, &[bluetooth.connect_device(address)?])
        }
        Action::Disconnect { speaker } => {
            let address = known(&bluetooth, speaker)?;
            bluetooth.disconnect(address)?;
            done(args, &format!("{address} is disconnected"))
        }
        Action::Forget { speaker } => {
            let address = known(&bluetooth, speaker)?;
            bluetooth.forget(address)?;
            done(args, &format!("{address} is forgotten; to use it again, pair it"))
        }
    }
}

fn scan(bluetooth: &Bluetooth, args: &BluetoothArgs, time: Span, all: bool) -> Result<Exit, Failure> {
    switch_on(bluetooth, args.adapter.as_deref())?;
    terminal::note(&format!("scanning for {} s; switch the speakers to pairing", time.as_s_f64()));
    let mut seen = BTreeSet::new();
    let found = bluetooth.scan(args.adapter.as_deref(), time.to_std(), &mut |facts| {
        if (all || facts.may_play()) && seen.insert((facts.address, facts.name.is_some())) {
            terminal::note(&report::heard(facts));
        }
        ControlFlow::Continue(())
    })?;
    let mut shown: Vec<Facts> = found.into_iter().filter(|facts| all || facts.may_play()).collect();
    bluetooth.ask(&mut shown)?;
    show(bluetooth, args, &shown)
}

fn list(bluetooth: &Bluetooth, args: &BluetoothArgs) -> Result<Exit, Failure> {
    let mut devices = bluetooth.devices()?;
    bluetooth.ask(&mut devices)?;
    if bluetooth.adapters()?.is_empty() {
        return Err(Trouble::NoAdapter.into());
    }
    if !args.json {
        let version = antiphon_bluetooth::bluez_version();
        let known = version.map(antiphon_bluetooth::hazards).unwrap_or_default();
        let saved = members::all(&members::saved().unwrap_or_default());
        for hazard in known.into_iter().filter(|hazard| concerns(hazard, &devices, &saved)) {
            terminal::note(&format!("note: {}", hazard_of(version, hazard)));
        }
    }
    show(bluetooth, args, &devices)
}

/// What there is nothing to do about concerns only those whom it hinders: two speakers on the desktop's sound server.
/// Those of a saved pair are Antiphon's.
fn concerns(hazard: &str, devices: &[Facts], saved: &[PairMember]) -> bool {
    let own = |facts: &Facts| saved.iter().any(|member| member.address == facts.address);
    let servers = devices.iter().filter(|facts| facts.may_play() && facts.connected && !own(facts));
    !hazard.ends_with("nothing to do") || servers.count() >= 2
}

fn hazard_of(version: Option<antiphon_bluetooth::BluezVersion>, hazard: &str) -> String {
    version.map_or_else(|| hazard.to_owned(), |version| format!("BlueZ {version}: {hazard}"))
}

fn pair(bluetooth: &Bluetooth, args: &BluetoothArgs, speaker: &str) -> Result<Exit, Failure> {
    switch_on(bluetooth, args.adapter.as_deref())?;
    let address = match known(bluetooth, speaker) {
        Err(failure) if failure.exit == Exit::NotFound => look_for(bluetooth, args, speaker)?,
        found => found?,
    };
    let person = Box::new(AtTheTerminal);
    let facts = bluetooth.pair(address, args.adapter.as_deref(), person, &mut |step| {
        terminal::note(match step {
            Step::Power => "switching the adapter on",
            Step::Search => "looking for it: is it switched to pairing?",
            Step::Pair => "pairing",
            Step::Trust => "trusting",
            Step::Connect => "connecting",
        });
    })?;
    show(bluetooth, args, &[facts])
}

/// An adapter that is off finds nobody.
fn switch_on(bluetooth: &Bluetooth, adapter: Option<&str>) -> Result<(), Failure> {
    bluetooth.power_on(adapter).map(|_| ()).map_err(Failure::from)
}

/// The device that is meant, among those that BlueZ knows.
pub fn known(bluetooth: &Bluetooth, speaker: &str) -> Result<Address, Failure> {
    match speaker.parse() {
        Ok(address) => Ok(address),
        Err(_) => meant(speaker, &bluetooth.devices()?),
    }
}

/// Scans until somebody of that name is there.
fn look_for(bluetooth: &Bluetooth, args: &BluetoothArgs, speaker: &str) -> Result<Address, Failure> {
    terminal::note(&format!("looking for {speaker:?}: is it switched to pairing?"));
    let mut until = |facts: &Facts| match meant(speaker, std::slice::from_ref(facts)) {
        Ok(_) => ControlFlow::Break(()),
        Err(_) => ControlFlow::Continue(()),
    };
    let found = bluetooth.scan(args.adapter.as_deref(), LOOK_TIME, &mut until)?;
    meant(speaker, &found)
}

fn show(bluetooth: &Bluetooth, args: &BluetoothArgs, devices: &[Facts]) -> Result<Exit, Failure> {
    devices.iter().for_each(told::keep);
    let text = if args.json {
        json::write_pretty(&report::of(&bluetooth.adapters()?, devices))
    } else {
        report::table(devices)
    };
    // Done, whether somebody reads it or not.
    terminal::print(&text);
    Ok(Exit::Ok)
}

fn done(args: &BluetoothArgs, line: &str) -> Result<Exit, Failure> {
    if args.json {
        terminal::print("{}\n");
    } else {
        terminal::note(line);
    }
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use antiphon_base::Role;

    use super::name::tests::device;
    use super::*;

    #[test]
    fn one_stream_for_each_endpoint_is_told_to_whom_it_hinders_only() {
        let hazard = "one endpoint serves one stream; nothing to do";
        let two = [device(1, "JBL"), device(2, "Mi")].map(|facts| Facts { connected: true, ..facts });
        let saved = PairMember { address: two[0].address, speaker: "JBL".into(), role: Role::Left };
        assert!(concerns(hazard, &two, &[]));
        assert!(!concerns(hazard, &two, &[saved]) && !concerns(hazard, &two[..1], &[]));
        assert!(concerns("it crashes; update BlueZ", &[], &[]));
    }
}
