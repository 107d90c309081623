//! Waits until the speakers asked for have joined.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use antiphon_api::{Client, ErrorBody, SourceTarget, Status};

use crate::exit::{Exit, Failure};
use crate::terminal;

/// A hub that has just started: speakers look for it every 250 ms in the first minute after a
/// loss, then slower.
pub const NEW_HUB: Duration = Duration::from_secs(15);

/// A hub that was there before: only a speaker that is reconnecting this moment is worth waiting for.
pub const RUNNING_HUB: Duration = Duration::from_millis(1_500);

/// How often the hub is asked.
const LOOK: Duration = Duration::from_millis(100);

/// How the wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// Everybody is there.
    All,
    /// Asked to stop.
    Interrupted,
}

/// Waits for every one of `targets`; without any, for at least one speaker.
///
/// # Errors
/// [`Exit::NotFound`] with the nearest names when somebody did not come.
pub fn wait(
    client: &Client,
    targets: &[SourceTarget],
    patience: Duration,
    stop: &AtomicBool,
) -> Result<Came, Failure> {
    wait_unless(client, targets, patience, stop, || None)
}

/// The same, unless `failed` says why nobody will come.
///
/// # Errors
/// The failure; else as [`wait`].
pub fn wait_unless(
    client: &Client,
    targets: &[SourceTarget],
    patience: Duration,
    stop: &AtomicBool,
    mut failed: impl FnMut() -> Option<Failure>,
) -> Result<Came, Failure> {
    let end = Instant::now() + patience;
    let mut said = false;
    loop {
        let status = client.status()?;
        let Some(absent) = absent(&status, targets) else { return Ok(Came::All) };
        if stop.load(Ordering::Acquire) {
            return Ok(Came::Interrupted);
        }
        if let Some(failure) = failed() {
            return Err(failure);
        }
        if Instant::now() >= end {
            return Err(Failure::new(Exit::NotFound, absent.message));
        }
        if !said && patience > RUNNING_HUB {
            let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
            let whom = if names.is_empty() { "a speaker".to_owned() } else { names.join(", ") };
            terminal::note(&format!("waiting up to {} s for {whom}", patience.as_secs()));
            said = true;
        }
        std::thread::sleep(LOOK);
    }
}

/// What is wrong with the audience; `None` when it is complete.
fn absent(status: &Status, targets: &[SourceTarget]) -> Option<ErrorBody> {
    let known = || status.speakers.iter().map(|speaker| speaker.name.as_str());
    if targets.is_empty() && status.speakers.is_empty() {
        return Some(ErrorBody {
            message: "no speaker has joined this hub; `antiphon outputs` lists what this machine can play on (then: --left URI \
                      --right URI), `antiphon speaker --name NAME` starts one elsewhere, `antiphon pair` saves two Bluetooth \
                      speakers, and `antiphon demo` needs none"
                .into(),
            ..ErrorBody::unknown_speaker("", [])
        });
    }
    let missing = targets.iter().find(|target| !known().any(|name| name == target.name))?;
    Some(ErrorBody::unknown_speaker(&missing.name, known()))
}
