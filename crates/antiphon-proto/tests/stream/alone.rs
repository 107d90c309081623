//! One end alone, and what is thrown at it.

use std::net::SocketAddr;

use antiphon_base::{Frames, Hub as HubClock, Span, SpeakerId, Timestamp};
use antiphon_proto::send::Variant;
use antiphon_proto::session::{RefusalCode, Remembered, SpeakerMessage, SpeakerStats};
use antiphon_proto::wire::clock::Probe;
use antiphon_proto::wire::feedback::Nack;
use antiphon_proto::wire::rtp::MediaPacket;
use antiphon_proto::wire::seal::{Kind, Opening, Seal};
use antiphon_proto::{
    Hub, HubEvent, JoinRequest, LeftReason, MAX_SESSIONS, Speaker, SpeakerConfig, Transport,
};
use proptest::prelude::*;

use crate::world::{hello, hub, keys, payload};

const LATENCY: Span = Span::from_ms(200);

pub fn at_ms(ms: i64) -> Timestamp<HubClock> {
    Timestamp::from_ns(ms * 1_000_000)
}

fn addr(n: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, (n >> 8) as u8, n as u8], 5_000))
}

/// A speaker's end made of nothing but its seal.
struct Puppet {
    seal: Seal,
    opening: Opening,
}

impl Puppet {
    fn join(hub: &mut Hub, n: u16) -> Self {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&n.to_be_bytes());
        let join = JoinRequest {
            id: SpeakerId(id),
            hello: hello(&format!("s{n}")),
            keys: Some(keys(n as u8)),
            transport: Transport::Datagrams,
        };
        let (session, _) = hub.join(at_ms(0), join, Remembered::default()).unwrap();
        hub.set_streaming(at_ms(0), SpeakerId(id), true);
        let keys = keys(n as u8);
        Self { seal: Seal::to_hub(Some(&keys), session), opening: Opening::at_speaker(Some(&keys), session) }
    }

    fn probe(&mut self) -> Vec<u8> {
        let (mut plain, mut out) = (Vec::new(), Vec::new());
        Probe { id: 1, t1: Timestamp::from_ns(5) }.write(&mut plain);
        self.seal.seal(Kind::ClockProbe, &plain, &mut out);
        out
    }

    fn nack(&mut self, ssrc: u32, missing: Vec<u16>) -> Vec<u8> {
        let (mut plain, mut out) = (Vec::new(), Vec::new());
        Nack { ssrc, missing }.write(&mut plain);
        self.seal.seal(Kind::Feedback, &plain, &mut out);
        out
    }
}

/// Encodes what is due and returns every datagram.
pub fn burst(hub: &mut Hub, now: Timestamp<HubClock>) -> Vec<(SocketAddr, Vec<u8>)> {
    hub.handle_timeout(now);
    let variants: Vec<Variant> = hub.variants().collect();
    for variant in variants {
        let horizon = hub.encode_horizon(now).unwrap();
        while let Some(frame) = hub.next_frame(variant).filter(|frame| *frame < horizon) {
            hub.handle_encoded(now, variant, frame, variant.packet_frames(), &payload(variant, frame));
        }
    }
    drained(hub)
}

pub fn drained(hub: &mut Hub) -> Vec<(SocketAddr, Vec<u8>)> {
    let (mut all, mut bytes) = (Vec::new(), Vec::new());
    while let Some(to) = hub.poll_transmit(&mut bytes) {
        all.push((to, bytes.clone()));
    }
    all
}

#[test]
fn a_speaker_is_where_its_newest_genuine_datagram_comes_from() {
    let mut hub = hub(1, LATENCY, false);
    let mut puppet = Puppet::join(&mut hub, 1);
    let (first, second) = (puppet.probe(), puppet.probe());
    let at = |hub: &Hub| hub.sessions(at_ms(0)).next().unwrap().addr;
    hub.handle_datagram(at_ms(0), at_ms(0), addr(2), &mut second.clone());
    hub.handle_datagram(at_ms(0), at_ms(0), addr(1), &mut first.clone());
    assert_eq!(at(&hub), Some(addr(2)), "the older datagram came late");
    let mut forged = puppet.probe();
    forged[20] ^= 1;
    hub.handle_datagram(at_ms(0), at_ms(0), addr(3), &mut forged);
    hub.handle_datagram(at_ms(0), at_ms(0), addr(3), &mut second.clone());
    assert_eq!(at(&hub), Some(addr(2)), "neither a forged nor a repeated one moves it");
    assert_eq!(hub.counters().refused, 2);
    hub.handle_datagram(at_ms(0), at_ms(0), addr(4), &mut puppet.probe());
    assert_eq!(at(&hub), Some(addr(4)));
}

#[test]
fn a_speaker_that_asks_for_everything_for_ever_costs_at_most_as_much_again() {
    let mut hub = hub(1, LATENCY, false);
    let mut puppet = Puppet::join(&mut hub, 1);
    hub.handle_datagram(at_ms(0), at_ms(0), addr(1), &mut puppet.probe());
    hub.start(at_ms(0), Frames(0));
    let (mut ssrc, mut newest) = (0, 0u16);
    for ms in 0..5_000 {
        for (_, mut bytes) in burst(&mut hub, at_ms(ms)) {
            if let Ok((Kind::Media, body)) = puppet.opening.open(&mut bytes) {
                let packet = MediaPacket::parse(body).unwrap();
                (ssrc, newest) = (packet.ssrc, packet.sequence);
            }
        }
        for _ in 0..3 {
            let everything = (0..1_088).rev().map(|back| newest.wrapping_sub(back)).collect();
            let mut nack = puppet.nack(ssrc, everything);
            hub.handle_datagram(at_ms(ms), at_ms(ms), addr(1), &mut nack);
        }
        drained(&mut hub);
    }
    let sent = hub.sessions(at_ms(5_000)).next().unwrap();
    let media = sent.packets_sent - sent.retransmitted;
    assert!(media > 1_900 && sent.retransmitted > 100, "{sent:?}");
    assert!(sent.retransmitted <= media + 400, "{} of {media}", sent.retransmitted);
    assert!(sent.not_retransmitted > 100_000);
}

#[test]
fn media_go_to_a_silent_speaker_for_15_s_and_its_session_ends_after_30() {
    let mut hub = hub(1, LATENCY, false);
    let mut puppet = Puppet::join(&mut hub, 1);
    hub.handle_datagram(at_ms(0), at_ms(0), addr(1), &mut puppet.probe());
    hub.start(at_ms(0), Frames(0));
    let mut last_media = 0;
    let mut left_at = None;
    for ms in (0..31_000).step_by(10) {
        if !burst(&mut hub, at_ms(ms)).is_empty() {
            last_media = ms;
        }
        while let Some(event) = hub.poll_event() {
            if matches!(event, HubEvent::Left { reason: LeftReason::Silent, .. }) {
                left_at = Some(ms);
            }
        }
    }
    assert_eq!((last_media, left_at), (14_990, Some(30_000)));
    assert_eq!(hub.variants().count(), 0, "a variant that nobody uses is dropped");
}

#[test]
fn a_hub_is_full_at_512_and_a_name_belongs_to_one_speaker() {
    let mut hub = hub(1, LATENCY, false);
    let joining = |n: u16, name: &str, sealed: bool| {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&n.to_be_bytes());
        JoinRequest {
            id: SpeakerId(id),
            hello: hello(name),
            keys: sealed.then(|| keys(1)),
            transport: Transport::Datagrams,
        }
    };
    let refused = |hub: &mut Hub, join| hub.join(at_ms(0), join, Remembered::default()).unwrap_err().code;
    for n in 0..MAX_SESSIONS as u16 {
        hub.join(at_ms(0), joining(n, &format!("s{n}"), true), Remembered::default()).unwrap();
    }
    assert_eq!(refused(&mut hub, joining(900, "other", true)), RefusalCode::Full);
    assert_eq!(refused(&mut hub, joining(900, "s3", true)), RefusalCode::NameTaken);
    assert_eq!(refused(&mut hub, joining(3, "s3", false)), RefusalCode::NotOpen);
    hub.join(at_ms(0), joining(3, "s3", true), Remembered::default())
        .expect("the same speaker replaces its own session");
    assert_eq!(hub.sessions(at_ms(0)).count(), MAX_SESSIONS);
}

#[test]
fn a_hub_that_stalled_goes_on_with_what_can_still_be_heard() {
    let mut hub = hub(1, LATENCY, false);
    let mut puppet = Puppet::join(&mut hub, 1);
    hub.handle_datagram(at_ms(0), at_ms(0), addr(1), &mut puppet.probe());
    hub.start(at_ms(0), Frames(0));
    for ms in (0..1_000).step_by(10) {
        burst(&mut hub, at_ms(ms));
    }
    let after = burst(&mut hub, at_ms(5_000));
    assert!((80..=85).contains(&after.len()), "{}: one latency of packets, not four seconds", after.len());
    assert!(hub.counters().stale > 1_500);
    assert_eq!(hub.counters().unexpected, 0);
}

#[test]
fn a_hundred_speakers_cost_one_encoder_and_a_seal_for_each_packet() {
    let mut hub = hub(1, LATENCY, false);
    for n in 0..100 {
        let mut puppet = Puppet::join(&mut hub, n);
        hub.handle_datagram(at_ms(0), at_ms(0), addr(n), &mut puppet.probe());
    }
    hub.start(at_ms(0), Frames(0));
    assert_eq!(hub.variants().count(), 1);
    let (mut bytes, mut sent) = (Vec::new(), 0u32);
    // Virtual time: only the count is judged here, the cost is the benchmarks' matter.
    for ms in (0..1_000).step_by(10) {
        hub.handle_timeout(at_ms(ms));
        let horizon = hub.encode_horizon(at_ms(ms)).unwrap();
        let variant = hub.variants().next().unwrap();
        while let Some(frame) = hub.next_frame(variant).filter(|frame| *frame < horizon) {
            hub.handle_encoded(at_ms(ms), variant, frame, variant.packet_frames(), &payload(variant, frame));
        }
        while hub.poll_transmit(&mut bytes).is_some() {
            sent += 1;
        }
    }
    assert_eq!(sent, 100 + 100 * 99 * 4, "clock replies, and four packets of 2.5 ms a burst");
}

/// Plays a second as the deadlines ask: when packets left, and that each did one latency before it is heard.
fn second(hub: &mut Hub, puppet: &mut Puppet, me: SocketAddr, from: Timestamp<HubClock>) -> usize {
    let (mut now, mut bursts) = (from, 0);
    while now < from + Span::from_ms(1_000) {
        let datagrams = burst(hub, now);
        bursts += usize::from(!datagrams.is_empty());
        for (_, mut bytes) in datagrams.into_iter().filter(|(to, _)| *to == me) {
            let Ok((Kind::Media, body)) = puppet.opening.open(&mut bytes) else { continue };
            let ahead = MediaPacket::parse(body).unwrap().presentation - now;
            assert!(ahead >= hub.latency(), "{ahead:?}");
        }
        now = hub.poll_timeout().unwrap().at.max(now + Span::from_ns(1));
    }
    bursts
}

#[test]
fn speakers_of_this_machine_with_long_buffers_are_woken_a_quarter_as_often_until_another_joins() {
    let mut hub = hub(1, LATENCY, false);
    let here = |n| SocketAddr::from(([127, 0, 0, 1], 5_000 + n));
    let mut first = Puppet::join(&mut hub, 0);
    for n in 0..2 {
        let mut probe = if n == 0 { first.probe() } else { Puppet::join(&mut hub, n).probe() };
        hub.handle_datagram(at_ms(0), at_ms(0), here(n), &mut probe);
    }
    let needs = |hub: &mut Hub, us| {
        let stats = SpeakerStats { min_latency_us: us, ..SpeakerStats::default() };
        for session in hub.sessions(at_ms(0)).map(|session| session.session).collect::<Vec<_>>() {
            hub.handle_message(at_ms(0), session, SpeakerMessage::Stats(stats.clone()));
        }
        hub.settle_latency();
    };
    needs(&mut hub, Some(320_000));
    hub.start(at_ms(0), Frames(0));
    second(&mut hub, &mut first, here(0), at_ms(0));
    assert_eq!(second(&mut hub, &mut first, here(0), at_ms(1_000)), 25);
    // One in the network, or on this machine with little in hand, wants its packets in small bursts.
    let mut far = Puppet::join(&mut hub, 2);
    hub.handle_datagram(at_ms(2_000), at_ms(2_000), addr(9), &mut far.probe());
    second(&mut hub, &mut first, here(0), at_ms(2_000));
    assert_eq!(second(&mut hub, &mut first, here(0), at_ms(3_000)), 100);
    assert_eq!(hub.counters().unexpected + hub.counters().stale, 0);
}

proptest! {
    #[test]
    fn random_bytes_disturb_neither_end(
        junk in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..1_300), 1..40), open: bool,
    ) {
        let mut hub = hub(1, LATENCY, open);
        let join = JoinRequest { id: SpeakerId([1; 16]), hello: hello("s"), keys: (!open).then(|| keys(1)), transport: Transport::Datagrams };
        let keys = join.keys.clone();
        let (session, welcome) = hub.join(at_ms(0), join, Remembered::default()).unwrap();
        let mut speaker = Speaker::new(SpeakerConfig::default());
        speaker.start_session(Timestamp::from_ns(0), &welcome, keys);
        for (n, mut bytes) in junk.into_iter().enumerate() {
            // Half of it looks like an envelope of this very session, or like RTP.
            if n % 2 == 0 && bytes.len() > 16 {
                let kinds = if open { [0x90, 0xC2, 0xC3, 0xC4, 0xC5] } else { [1, 2, 3, 4, 5] };
                bytes[0] = kinds[n / 2 % 5];
                bytes[1] = if bytes[0] == 0x90 { 96 } else { 1 };
                bytes[2..4].fill(0);
                bytes[4..8].copy_from_slice(&session.0.to_be_bytes());
            }
            let local = Timestamp::from_ns(n as i64 * 1_000_000);
            hub.handle_datagram(at_ms(n as i64), at_ms(n as i64), addr(9), &mut bytes.clone());
            speaker.handle_datagram(local, local, &mut bytes);
            speaker.handle_timeout(local);
            let _ = (hub.poll_timeout(), speaker.poll_timeout());
        }
        prop_assert_eq!(hub.sessions(at_ms(0)).count(), 1);
        prop_assert!(speaker.has_session());
    }
}
