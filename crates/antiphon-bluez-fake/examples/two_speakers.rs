//! A BlueZ on a bus of its own with two speakers that take all they are sent, for benchmarks: prints the
//! bus's address, and at the end of standard input what each received.
//!
//! `DBUS_SYSTEM_BUS_ADDRESS=ADDRESS antiphon play song.flac --left bluetooth:AA:BB:CC:DD:EE:01 ...`

use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use antiphon_bluez_fake::{FakeBluez, Speaker};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv};

const SPEAKERS: [(&str, &str, u16); 2] =
    [("AA:BB:CC:DD:EE:01", "Desk", 1_200), ("AA:BB:CC:DD:EE:02", "Shelf", 2_500)];

/// What one speaker received.
#[derive(Default)]
struct Heard {
    packets: AtomicU64,
    frames: AtomicU64,
    connections: AtomicU64,
}

fn main() {
    let bluez = Arc::new(FakeBluez::start());
    for (address, name, delay) in SPEAKERS {
        let mut speaker = Speaker::new(address, name).paired();
        speaker.delay = Some((delay, Duration::from_millis(60)));
        bluez.add(speaker);
    }
    println!("{}", bluez.address());
    let stop = Arc::new(AtomicBool::new(false));
    let listeners = SPEAKERS.map(|(address, ..)| {
        let heard = Arc::new(Heard::default());
        let (bluez, stop, counts) = (Arc::clone(&bluez), Arc::clone(&stop), Arc::clone(&heard));
        (heard, std::thread::spawn(move || listen(&bluez, address, &counts, &stop)))
    });
    // Whoever started this closes it.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    stop.store(true, Ordering::Release);
    for ((heard, thread), (address, ..)) in listeners.into_iter().zip(SPEAKERS) {
        let _ = thread.join();
        let of = |count: &AtomicU64| count.load(Ordering::Acquire);
        println!(
            "{address} packets {} frames {} connections {}",
            of(&heard.packets),
            of(&heard.frames),
            of(&heard.connections)
        );
    }
}

/// Takes every packet of the newest connection at once, as a radio without any trouble would.
fn listen(bluez: &FakeBluez, address: &str, heard: &Heard, stop: &AtomicBool) {
    let mut end: Option<OwnedFd> = None;
    let mut packet = [0; 2_048];
    while !stop.load(Ordering::Acquire) {
        if let Some(next) = bluez.far_end(address) {
            heard.connections.fetch_add(1, Ordering::AcqRel);
            end = Some(next);
        }
        let Some(socket) = &end else {
            std::thread::sleep(Duration::from_millis(2));
            continue;
        };
        let mut waiting = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut waiting, PollTimeout::from(20u8));
        while let Ok(bytes @ 14..) = recv(socket.as_raw_fd(), &mut packet, MsgFlags::MSG_DONTWAIT) {
            heard.packets.fetch_add(1, Ordering::AcqRel);
            heard.frames.fetch_add(u64::from(packet[12] & 15), Ordering::AcqRel);
            debug_assert!(bytes > 13);
        }
    }
}
