//! `antiphon impair` and `antiphon witness`: what tests measure with.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use antiphon_net::impair::{Relay, RelayConfig};
use antiphon_net::witness::Witness;

use crate::args::{ImpairArgs, WitnessArgs};
use crate::exit::{Exit, Failure};
use crate::{signals, terminal};

/// How often these verbs look whether they are asked to stop.
const LOOK: Duration = Duration::from_millis(50);

/// Relays until asked to stop, then says what became of everything.
pub fn impair(args: ImpairArgs) -> Result<Exit, Failure> {
    let to = args.to.resolve();
    let to = to.map_err(|error| Failure::new(Exit::NotFound, format!("cannot find {}: {error}", args.to)))?;
    let stop = signals::stop_flag()?;
    let config = RelayConfig {
        delay: args.delay.unwrap_or_default(),
        jitter: args.jitter,
        loss: args.loss,
        keep_order: args.keep_order,
        blackouts: args.blackout,
        seed: args.seed,
        ..RelayConfig::perfect(args.listen, to)
    };
    let listen = args.listen;
    let relay = Relay::start(config).map_err(|error| {
        Failure::failed(format!("cannot relay at {listen}: {error}; choose another address with --listen"))
    })?;
    terminal::note(&format!("relaying {} to {to}", relay.local_addr()));
    while !stop.load(Ordering::Acquire) {
        std::thread::sleep(LOOK);
    }
    let counted = relay.counters();
    relay.stop();
    terminal::note(&format!(
        "passed {}, lost {}, in blackouts {}, refused {}; {} connections",
        counted.passed, counted.lost, counted.blacked_out, counted.refused, counted.connections
    ));
    Ok(Exit::Ok)
}

/// Logs stalls until asked to stop.
pub fn witness(args: WitnessArgs) -> Result<Exit, Failure> {
    let stop = signals::stop_flag()?;
    let witness = Witness::start().map_err(|error| Failure::failed(format!("cannot watch: {error}")))?;
    let end = args.time.map(|time| Instant::now() + time.to_std());
    let mut told = 0;
    loop {
        let over = stop.load(Ordering::Acquire) || end.is_some_and(|end| Instant::now() >= end);
        let stalls = witness.stalls();
        let lines: String = stalls.iter().skip(told).map(|stall| format!("{stall}\n")).collect();
        told = stalls.len();
        if !terminal::print(&lines) || over {
            return Ok(Exit::Ok);
        }
        std::thread::sleep(LOOK);
    }
}
