//! `antiphon speaker`

use std::sync::atomic::Ordering;
use std::time::Duration;

use antiphon_proto::session::message::is_name;
use antiphon_proto::session::pairing::typed_code;
use antiphon_speaker::{AgentConfig, AgentError};

use crate::args::SpeakerArgs;
use crate::exit::{Exit, Failure};
use crate::members::{Manner, Members};
use crate::{dirs, members, service, signals};

/// How often a stop, or the end of a speaker, is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// Runs a speaker until it is asked to stop.
pub fn run(args: SpeakerArgs) -> Result<Exit, Failure> {
    if let Some(name) = args.pair.clone() {
        return run_pair(&name, args);
    }
    let config = config(args)?;
    let stop = signals::stop_flag()?;
    // It goes on looking for its hub for as long as it takes: what it does then is told by the hub.
    service::ready(&format!("speaker {}; antiphon status tells how it plays", config.name));
    match antiphon_speaker::run(config, stop) {
        Ok(()) => Ok(Exit::Ok),
        Err(error @ AgentError::Refused(_)) => Err(Failure::new(Exit::NotPermitted, error.to_string())),
        Err(error) => Err(Failure::failed(error.to_string())),
    }
}

/// Runs the speakers of a saved pair until asked to stop, or until one of them fails.
fn run_pair(name: &str, args: SpeakerArgs) -> Result<Exit, Failure> {
    let pairs = members::saved()?;
    let pair = members::pair(&pairs, name)?;
    let manner = Manner {
        hub: args.hub.map(|hub| hub.to_string()),
        code: args.code.as_deref().map(code).transpose()?,
        open: args.open,
        codecs: args.codecs,
        warp: args.local_clock.unwrap_or_default(),
    };
    let stop = signals::stop_flag()?;
    let mut running = Members::start(&pair.member, &[], &manner)?;
    service::ready(name);
    while !stop.load(Ordering::Acquire) {
        if let Some(failure) = running.failure() {
            return Err(failure);
        }
        std::thread::sleep(LOOK);
    }
    Ok(Exit::Ok)
}

fn code(typed: &str) -> Result<String, Failure> {
    typed_code(typed).ok_or_else(|| {
        let message =
            format!("{typed:?} is no pairing code; it has six digits, and `antiphon access` shows it");
        Failure::new(Exit::Usage, message)
    })
}

fn config(args: SpeakerArgs) -> Result<AgentConfig, Failure> {
    let name = args.name.unwrap_or_else(dirs::machine_name);
    if !is_name(&name) {
        let message = format!("{name:?} is no name for a speaker; use 1 to 63 bytes, no control characters");
        return Err(Failure::new(Exit::Usage, message));
    }
    Ok(AgentConfig {
        name,
        hub: args.hub.map(|hub| hub.to_string()),
        role: args.role,
        output: args.output,
        warp: args.local_clock.unwrap_or_default(),
        state_dir: dirs::state()?,
        runtime_dir: dirs::runtime()?,
        code: args.code.as_deref().map(code).transpose()?,
        open: args.open,
        codecs: args.codecs,
        bluetooth: None,
    })
}
