//! Speakers of the tests, and waiting for events.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use antiphon_bluetooth::{
    Address, Bluetooth, ChannelWish, Down, Link, LinkEvent, LinkEvents, Member, PairingAgent, Who,
};
use antiphon_bluez_fake::{FakeBluez, Speaker};

pub const LEFT: &str = "AA:BB:CC:DD:EE:01";
pub const RIGHT: &str = "AA:BB:CC:DD:EE:02";
pub const STRANGER: &str = "AA:BB:CC:DD:EE:99";

/// No test needs this long; one that does has failed.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn left() -> Speaker {
    Speaker::new(LEFT, "Left")
}

pub fn right() -> Speaker {
    Speaker::new(RIGHT, "Right")
}

pub fn at(address: &str) -> Address {
    address.parse().unwrap()
}

pub fn member(address: &str) -> Member {
    Member { address: at(address), channels: ChannelWish::Mono }
}

/// With no radio switches: those of the machine that runs the tests are not asked.
pub fn bluetooth(fake: &FakeBluez) -> Bluetooth {
    Bluetooth::connect_to(fake.address()).unwrap().with_rfkill("/nonexistent")
}

/// The next event that `take` takes; others on the way are dropped.
pub fn next<T>(events: &LinkEvents, mut take: impl FnMut(LinkEvent) -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    let mut passed = Vec::new();
    while let Some(event) = events.recv_timeout(until.saturating_duration_since(Instant::now())) {
        passed.push(format!("{event:?}"));
        if let Some(taken) = take(event) {
            return taken;
        }
    }
    panic!("it did not come; what came: {passed:#?}");
}

pub fn up(events: &LinkEvents, address: &str) -> Link {
    next(events, |event| match event {
        LinkEvent::Up(link) if link.address == at(address) => Some(link),
        _ => None,
    })
}

pub fn down(events: &LinkEvents, address: &str) -> Down {
    next(events, |event| match event {
        LinkEvent::Down(whose, down) if whose == at(address) => Some(down),
        _ => None,
    })
}

/// What is written into `near` comes out of `far`.
pub fn passes(near: &OwnedFd, far: OwnedFd) -> bool {
    let sent = nix::unistd::write(near.as_fd(), b"packet").unwrap_or(0);
    let mut read = [0; 16];
    let got = std::fs::File::from(far).read(&mut read).unwrap_or(0);
    sent == 6 && &read[..got] == b"packet"
}

/// Somebody who knows these answers.
#[derive(Default)]
pub struct Person {
    pub pin: Option<String>,
    pub passkey: Option<u32>,
    pub sees: Option<u32>,
}

impl PairingAgent for Person {
    fn pin(&mut self, _: &Who) -> Option<String> {
        self.pin.clone()
    }

    fn passkey(&mut self, _: &Who) -> Option<u32> {
        self.passkey
    }

    fn confirm(&mut self, _: &Who, passkey: u32) -> Option<bool> {
        self.sees.map(|sees| sees == passkey)
    }

    fn show(&mut self, _: &Who, _: &str) {}
}
