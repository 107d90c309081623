//! `antiphon hub`

use std::sync::atomic::Ordering;
use std::time::Duration;

use antiphon_hub::{HubDaemon, HubOptions};

use crate::args::HubArgs;
use crate::exit::{Exit, Failure};
use crate::{dirs, signals, terminal};

/// How often the hub looks whether it is asked to stop, or has failed.
const LOOK: Duration = Duration::from_millis(50);

/// Runs the hub until it is asked to stop.
pub fn run(args: HubArgs) -> Result<Exit, Failure> {
    let stop = signals::stop_flag()?;
    let options = options(args)?;
    let (name, open) = (options.name.clone(), options.open);
    let hub = HubDaemon::start(options)?;
    let how = match open {
        true => "OPEN: anybody in the network can listen and join",
        false => "sealed; `antiphon access` pairs a speaker on another machine",
    };
    terminal::note(&format!("hub {name} listens at {}, {how}", hub.listen()));
    while !stop.load(Ordering::Acquire) {
        if !hub.is_running() {
            return Err(Failure::failed(
                "the hub has failed; its log says why, and starting it again is safe",
            ));
        }
        std::thread::sleep(LOOK);
    }
    terminal::note("stopping");
    hub.stop();
    Ok(Exit::Ok)
}

fn options(args: HubArgs) -> Result<HubOptions, Failure> {
    let name = args.name.unwrap_or_else(dirs::machine_name);
    Ok(HubOptions {
        listen: args.listen,
        name,
        latency: args.latency,
        open: args.open,
        state_dir: dirs::state()?,
        runtime_dir: dirs::runtime()?,
        mdns: !args.no_mdns,
    })
}
