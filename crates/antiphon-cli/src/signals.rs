//! Being asked to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SigSet, Signal};

use crate::exit::{Exit, Failure};

/// Blocks SIGINT, SIGTERM and SIGHUP for this thread and all it starts, and raises the flag when
/// one comes. The second one ends the program at once. Call it before any thread is started.
///
/// # Errors
/// The system refuses a signal mask or a thread.
pub fn stop_flag() -> Result<Arc<AtomicBool>, Failure> {
    let refused =
        |error: &dyn std::fmt::Display| Failure::failed(format!("cannot wait for signals: {error}"));
    let signals = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect::<SigSet>();
    signals.thread_block().map_err(|error| refused(&error))?;
    let flag = Arc::new(AtomicBool::new(false));
    let raised = flag.clone();
    let wait = move || {
        while signals.wait().is_ok() {
            if raised.swap(true, Ordering::AcqRel) {
                std::process::exit(Exit::Interrupted as i32);
            }
        }
    };
    std::thread::Builder::new()
        .name("signals".into())
        .stack_size(64 * 1024)
        .spawn(wait)
        .map_err(|error| refused(&error))?;
    Ok(flag)
}
