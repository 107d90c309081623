//! Two speakers over socket pairs: what is sent to each is its own, and equally much.

#[path = "../../antiphon-codec/tests/sbc/decoder.rs"]
#[expect(dead_code, reason = "only the samples are looked at here")]
mod decoder;

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use antiphon_audio::sink::{Running, SinkEvent};
use antiphon_base::{Frames, Local, SampleRate, Span};
use antiphon_bluetooth::stream::{Group, LinkState};
use antiphon_bluetooth::{Address, ChannelWish, Down, Link, LinkEvent};
use antiphon_codec::sbc::{SbcAllocation, SbcMode, SbcParams};
use antiphon_net::{Clock, Warp};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, socketpair};

const DESK: Address = Address([2, 0, 0, 0, 0, 1]);
const SHELF: Address = Address([2, 0, 0, 0, 0, 2]);

/// A speaker's end of a link: reads everything.
struct Far {
    socket: OwnedFd,
    packets: Vec<Vec<u8>>,
}

impl Far {
    fn read(&mut self) {
        let mut packet = [0; 1_100];
        while let Ok(bytes @ 1..) = recv(self.socket.as_raw_fd(), &mut packet, MsgFlags::MSG_DONTWAIT) {
            self.packets.push(packet[..bytes].to_vec());
        }
    }

    fn samples(&self) -> Vec<f64> {
        let (mut decoder, mut samples) = (decoder::Decoder::new(), Vec::new());
        for packet in &self.packets {
            let (mut rest, frames) = (&packet[13..], packet[12]);
            for _ in 0..frames {
                let frame = decoder.decode(rest).expect("a frame of SBC");
                samples.extend(&frame.samples[0]);
                rest = &rest[frame.length..];
            }
            assert!(rest.is_empty(), "the header counts all frames");
        }
        samples
    }

    fn timestamps(&self) -> Vec<u32> {
        self.packets.iter().map(|packet| u32::from_be_bytes(packet[4..8].try_into().unwrap())).collect()
    }
}

fn sbc(mode: SbcMode, rate: u32) -> SbcParams {
    SbcParams::new(SampleRate::new(rate).unwrap(), mode, 16, 8, SbcAllocation::Loudness, 29).unwrap()
}

fn connect(events: &Sender<LinkEvent>, address: Address, sbc: SbcParams, write_mtu: usize) -> Far {
    let (near, far) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::empty()).unwrap();
    let link = Link {
        address,
        socket: near,
        write_mtu,
        sbc,
        connection: 1,
        reported: Some(Span::from_ms(120)),
        adapter: "hci0".into(),
        tells: true,
    };
    events.send(LinkEvent::Up(link)).unwrap();
    Far { socket: far, packets: Vec::new() }
}

fn group() -> (Group, Sender<LinkEvent>) {
    let (events, links) = channel();
    let group = Group::start(Clock::<Local>::new(Warp::default()), Box::new(move || links.try_recv().ok()));
    (group.unwrap(), events)
}

/// A tone on the sink of `address`; the events that it gives.
fn play(group: &Group, address: Address, hz: f64) -> (Running, rtrb::Consumer<SinkEvent>) {
    let sink = group.sink(address, ChannelWish::Mono);
    let rate = f64::from(sink.format().rate.hz());
    let (producer, events) = rtrb::RingBuffer::new(1_024);
    let render = Box::new(move |first: Frames, out: &mut [f32]| {
        for (n, x) in out.iter_mut().enumerate() {
            let turn = (first.0 + n as i64) as f64 * hz / rate;
            *x = (0.5 * (turn.fract() * std::f64::consts::TAU).sin()) as f32;
        }
    });
    (sink.start(render, producer).unwrap(), events)
}

fn listen(far: &mut [&mut Far], time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        far.iter_mut().for_each(|far| far.read());
        std::thread::sleep(Duration::from_millis(3));
    }
}

/// How much of `sound` is a tone of `hz`, 0 to 1.
fn share_of(sound: &[f64], hz: f64) -> f64 {
    let (mut re, mut im, mut all) = (0.0, 0.0, 0.0);
    for (n, x) in sound.iter().enumerate() {
        let angle = n as f64 * hz / 48_000.0 * std::f64::consts::TAU;
        (re, im, all) = (re + x * angle.cos(), im + x * angle.sin(), all + x * x);
    }
    2.0 * (re * re + im * im) / (all * sound.len() as f64)
}

fn wait(what: &str, is: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !is() {
        assert!(Instant::now() < end, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A machine that stands still for longer than any buffer holds makes the group skip; then there is nothing to
/// judge, and it is tried again.
fn when_the_machine_runs(mut test: impl FnMut() -> bool) {
    assert!((0..6).any(|_| test()), "this machine stands still all the time");
}

fn ran(group: &Group) -> bool {
    // Counters are shown five times a second.
    std::thread::sleep(Duration::from_millis(250));
    [DESK, SHELF].iter().all(|address| {
        let counters = group.status(*address).counters;
        counters.skipped + counters.left_out == 0
    })
}

#[test]
fn each_speaker_is_sent_its_own_and_both_equally_much() {
    when_the_machine_runs(each_its_own);
}

fn each_its_own() -> bool {
    let (group, events) = group();
    let _left = play(&group, DESK, 1_000.0);
    let _right = play(&group, SHELF, 1_700.0);
    let mut desk = connect(&events, DESK, sbc(SbcMode::Mono, 48_000), 672);
    let mut shelf = connect(&events, SHELF, sbc(SbcMode::JointStereo, 48_000), 335);
    listen(&mut [&mut desk, &mut shelf], Duration::from_millis(1_500));
    if !ran(&group) {
        return false;
    }
    drop(events);
    drop(group);
    desk.read();
    shelf.read();

    assert!(
        shelf.packets.iter().chain(&desk.packets).all(|packet| packet.len() <= 335),
        "the least MTU rules"
    );
    for far in [&desk, &shelf] {
        let numbers: Vec<u8> = far.packets.iter().map(|packet| packet[3]).collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "sequence numbers");
    }
    let (a, b) = (desk.timestamps(), shelf.timestamps());
    let common = a.iter().filter(|stamp| b.contains(stamp)).count();
    assert!(common > 50 && a.len().max(b.len()) - common <= 2, "{} of {} and {}", common, a.len(), b.len());
    // The filters' start left away.
    let (left, right) = (&desk.samples()[4_800..], &shelf.samples()[4_800..]);
    assert!(share_of(left, 1_000.0) > 0.98 && share_of(left, 1_700.0) < 0.01);
    assert!(share_of(right, 1_700.0) > 0.98 && share_of(right, 1_000.0) < 0.01);
    true
}

#[test]
fn a_link_that_goes_and_returns_is_in_place_and_the_other_never_misses_a_sample() {
    when_the_machine_runs(goes_and_returns);
}

fn goes_and_returns() -> bool {
    let (group, events) = group();
    let _left = play(&group, DESK, 1_000.0);
    let _right = play(&group, SHELF, 1_700.0);
    let mut desk = connect(&events, DESK, sbc(SbcMode::Mono, 48_000), 672);
    let mut shelf = connect(&events, SHELF, sbc(SbcMode::Mono, 48_000), 672);
    listen(&mut [&mut desk, &mut shelf], Duration::from_millis(500));
    let gone = Down { why: "it is switched off".into(), needs_help: false };
    events.send(LinkEvent::Down(SHELF, gone)).unwrap();
    wait("the end of the link", || group.state(SHELF) == LinkState::Down);
    assert_eq!(group.status(SHELF).why, "it is switched off");
    listen(&mut [&mut desk], Duration::from_millis(400));
    let mut again = connect(&events, SHELF, sbc(SbcMode::Mono, 48_000), 672);
    listen(&mut [&mut desk, &mut again], Duration::from_millis(500));
    if !ran(&group) {
        return false;
    }
    assert_eq!(group.status(SHELF).start, 2);

    let stamps = desk.timestamps();
    assert!(stamps.windows(2).all(|pair| pair[1] - pair[0] == 1_152), "the other link has a hole");
    let first = again.timestamps()[0];
    assert!(stamps.contains(&first), "it returned between two packets of the other");
    // The phase of its tone is that of its place.
    let samples = again.samples();
    let at = samples.len() - 4_800;
    let frame = i64::from(first) + at as i64 - 73;
    let wanted =
        |n: usize| 0.5 * ((frame + n as i64) as f64 * 1_700.0 / 48_000.0 * std::f64::consts::TAU).sin();
    let off = (0..4_800).map(|n| (samples[at + n] - wanted(n)).powi(2)).sum::<f64>() / 4_800.0;
    assert!(off.sqrt() < 0.03, "rms {}", off.sqrt());
    true
}

#[test]
fn the_sink_says_the_delay_when_it_is_known_and_when_it_changes() {
    let (group, events) = group();
    let (_running, mut told) = play(&group, DESK, 1_000.0);
    let mut delays = move || {
        let mut delays = Vec::new();
        while let Ok(event) = told.pop() {
            if let SinkEvent::Delay(delay) = event {
                delays.push(delay.as_ns() / 1_000_000);
            }
        }
        delays
    };
    // What is assumed is said before the status shows it.
    wait("the assumption", || group.status(DESK).assumed);
    assert_eq!(delays(), [150], "assumed");
    assert!(group.status(DESK).assumed);
    let _far = connect(&events, DESK, sbc(SbcMode::Mono, 48_000), 672);
    wait("the link", || group.state(DESK) == LinkState::Up);
    events.send(LinkEvent::Delay(DESK, Some(Span::from_ms(250)))).unwrap();
    wait("the report", || group.status(DESK).reported == Some(Span::from_ms(250)));
    assert_eq!(delays(), [121, 251], "with 73 samples of the codec");
    assert!(!group.status(DESK).assumed);
}

#[test]
fn a_speaker_of_another_rate_has_its_sink_opened_anew() {
    let (group, events) = group();
    let (running, mut told) = play(&group, DESK, 1_000.0);
    let mut far = connect(&events, DESK, sbc(SbcMode::Mono, 44_100), 672);
    wait("the link", || group.state(DESK) == LinkState::Up);
    let said = Arc::new(AtomicBool::new(false));
    let end = Instant::now() + Duration::from_secs(10);
    while !said.load(Ordering::Relaxed) && Instant::now() < end {
        while let Ok(event) = told.pop() {
            said.fetch_or(event == SinkEvent::Reopen, Ordering::Relaxed);
        }
    }
    assert!(said.load(Ordering::Relaxed), "nobody said that the rate is another");
    running.stop();
    assert_eq!(group.sink(DESK, ChannelWish::Mono).format().rate.hz(), 44_100);
    let _again = play(&group, DESK, 1_000.0);
    listen(&mut [&mut far], Duration::from_millis(600));
    let samples = far.samples();
    assert!(share_of(&samples[4_410..], 1_000.0 * 48_000.0 / 44_100.0) > 0.98, "a tone at the other rate");
}
