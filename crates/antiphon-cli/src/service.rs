//! What a service manager (systemd) is told: ready, alive, stopping. Where there is none, nobody is told.

use std::time::{Duration, Instant};

use antiphon_api::Client;
use sd_notify::NotifyState;

/// Says that the work has begun.
pub fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Says that the end is wanted, so that its duration is no failure.
pub fn stopping() {
    notify(&[NotifyState::Stopping]);
}

fn notify(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!("the service manager was not told: {error}");
    }
}

/// The watchdog that a unit may ask for: a hub that stands still is started anew.
pub struct Watchdog {
    hub: Client,
    every: Option<Duration>,
    due: Instant,
}

impl Watchdog {
    /// For the hub that `hub` reaches.
    pub fn new(hub: Client) -> Self {
        // Three chances a term: one lost to a busy machine is no failure.
        let every = sd_notify::watchdog_enabled().map(|term| term / 3);
        Self { hub, every, due: Instant::now() }
    }

    /// Says that the hub is alive, when that is due and it answers as its clients are answered.
    pub fn look(&mut self) {
        let Some(every) = self.every else { return };
        if Instant::now() < self.due {
            return;
        }
        self.due = Instant::now() + every;
        match self.hub.health() {
            Ok(_) => notify(&[NotifyState::Watchdog]),
            Err(error) => tracing::warn!("the hub does not answer itself: {error}"),
        }
    }
}
