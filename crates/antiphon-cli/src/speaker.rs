//! `antiphon speaker`

use antiphon_proto::session::message::is_name;
use antiphon_proto::session::pairing::typed_code;
use antiphon_speaker::{AgentConfig, AgentError};

use crate::args::SpeakerArgs;
use crate::exit::{Exit, Failure};
use crate::{dirs, signals};

/// Runs a speaker until it is asked to stop.
pub fn run(args: SpeakerArgs) -> Result<Exit, Failure> {
    let config = config(args)?;
    let stop = signals::stop_flag()?;
    match antiphon_speaker::run(config, stop) {
        Ok(()) => Ok(Exit::Ok),
        Err(error @ AgentError::Refused(_)) => Err(Failure::new(Exit::NotPermitted, error.to_string())),
        Err(error) => Err(Failure::failed(error.to_string())),
    }
}

fn config(args: SpeakerArgs) -> Result<AgentConfig, Failure> {
    let name = args.name.unwrap_or_else(dirs::machine_name);
    if !is_name(&name) {
        let message = format!("{name:?} is no name for a speaker; use 1 to 63 bytes, no control characters");
        return Err(Failure::new(Exit::Usage, message));
    }
    let code = args.code.map(|typed| {
        typed_code(&typed).ok_or_else(|| {
            let message =
                format!("{typed:?} is no pairing code; it has six digits, and `antiphon access` shows it");
            Failure::new(Exit::Usage, message)
        })
    });
    Ok(AgentConfig {
        name,
        hub: args.hub.map(|hub| hub.to_string()),
        role: args.role,
        output: args.output,
        warp: args.local_clock.unwrap_or_default(),
        state_dir: dirs::state()?,
        runtime_dir: dirs::runtime()?,
        code: code.transpose()?,
        open: args.open,
        codecs: args.codecs,
        bluetooth: None,
    })
}
