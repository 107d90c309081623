//! A session whose datagrams travel as messages of a connection.

use std::net::SocketAddr;

use antiphon_base::{Frames, Hub as HubClock, SessionId, Span, SpeakerId, Timestamp};
use antiphon_proto::session::{Hello, RefusalCode, Remembered, SpeakerMessage, SpeakerStats};
use antiphon_proto::wire::clock::Probe;
use antiphon_proto::wire::feedback::Nack;
use antiphon_proto::wire::rtp::MediaPacket;
use antiphon_proto::wire::seal::{Kind, Seal};
use antiphon_proto::{Hub, JoinRequest, Transport, message_address, message_session};
use proptest::prelude::*;

use crate::alone::{at_ms, burst, drained};
use crate::world::{hello, hub, keys};

const LATENCY: Span = Span::from_ms(200);
const ID: SpeakerId = SpeakerId([7; 16]);

fn join(hub: &mut Hub, encrypted: bool) -> SessionId {
    let hello = Hello { min_latency_us: 600_000, ..hello("phone") };
    let join = JoinRequest { id: ID, hello, keys: None, transport: Transport::Messages { encrypted } };
    let (session, _) = hub.join(at_ms(0), join, Remembered::default()).unwrap();
    hub.set_streaming(at_ms(0), ID, true);
    session
}

fn datagram(session: SessionId, kind: Kind, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let (mut plain, mut out) = (Vec::new(), Vec::new());
    write(&mut plain);
    Seal::to_hub(None, session).seal(kind, &plain, &mut out);
    out
}

fn probe(session: SessionId) -> Vec<u8> {
    datagram(session, Kind::ClockProbe, |out| Probe { id: 1, t1: Timestamp::from_ns(5) }.write(out))
}

fn hear(hub: &mut Hub, now: Timestamp<HubClock>, from: SocketAddr, mut bytes: Vec<u8>) {
    hub.handle_datagram(now, now, from, &mut bytes);
}

#[test]
fn a_browser_joins_a_hub_that_is_not_open_and_is_sent_plain_media_at_once() {
    let mut hub = hub(1, LATENCY, false);
    let session = join(&mut hub, false);
    hub.start(at_ms(0), Frames(0));
    let sent = burst(&mut hub, at_ms(20));
    assert!(!sent.is_empty() && sent.iter().all(|(to, _)| *to == message_address(session)));
    assert!(sent.iter().all(|(_, bytes)| MediaPacket::parse(bytes).is_ok()), "nothing around the media");
    // Without messages a session without keys is as unwelcome as ever.
    let stranger = JoinRequest {
        id: SpeakerId([8; 16]),
        hello: hello("x"),
        keys: None,
        transport: Transport::Datagrams,
    };
    assert_eq!(hub.join(at_ms(0), stranger, Remembered::default()).unwrap_err().code, RefusalCode::NotOpen);
}

#[test]
fn a_browsers_probe_is_answered_to_its_connection_and_anothers_in_its_name_is_not() {
    let mut hub = hub(1, LATENCY, false);
    let session = join(&mut hub, false);
    hear(&mut hub, at_ms(1), message_address(session), probe(session));
    assert_eq!(
        drained(&mut hub).iter().map(|(to, bytes)| (*to, bytes[0])).collect::<Vec<_>>(),
        [(message_address(session), 0xC3)]
    );
    for forger in ["10.0.0.9:5000".parse().unwrap(), message_address(SessionId(session.0 ^ 1))] {
        hear(&mut hub, at_ms(1), forger, probe(session));
    }
    assert_eq!((drained(&mut hub).len(), hub.counters().refused), (0, 2));
    assert_eq!(
        hub.sessions(at_ms(1)).next().unwrap().addr,
        Some(message_address(session)),
        "it does not move"
    );
}

#[test]
fn nothing_is_sent_to_a_browser_twice() {
    let mut hub = hub(1, LATENCY, false);
    let session = join(&mut hub, false);
    hub.start(at_ms(0), Frames(0));
    let (_, first) = burst(&mut hub, at_ms(20)).remove(0);
    let packet = MediaPacket::parse(&first).unwrap();
    let (ssrc, missing) = (packet.ssrc, vec![packet.sequence]);
    let nack = datagram(session, Kind::Feedback, |out| {
        Nack { ssrc, missing }.write(out);
    });
    hear(&mut hub, at_ms(21), message_address(session), nack);
    assert_eq!((drained(&mut hub).len(), hub.counters().malformed), (0, 1));
}

#[test]
fn a_browsers_need_of_latency_counts_before_its_first_report() {
    let mut hub = hub(1, LATENCY, false);
    let session = join(&mut hub, false);
    assert_eq!(hub.needed_latency(), Span::from_ms(600));
    let stats = SpeakerStats { min_latency_us: Some(350_000), ..SpeakerStats::default() };
    hub.handle_message(at_ms(1), session, SpeakerMessage::Stats(stats));
    assert_eq!(hub.needed_latency(), Span::from_ms(350));
    let greedy = SpeakerStats { min_latency_us: Some(9_000_000), ..SpeakerStats::default() };
    hub.handle_message(at_ms(1), session, SpeakerMessage::Stats(greedy));
    assert_eq!(hub.needed_latency(), Span::from_s(2), "a guest does not keep a house waiting");
    let stats = SpeakerStats { min_latency_us: Some(350_000), ..SpeakerStats::default() };
    hub.handle_message(at_ms(1), session, SpeakerMessage::Stats(stats));
    let remote = JoinRequest {
        id: SpeakerId([8; 16]),
        hello: Hello { min_latency_us: 900_000, ..hello("x") },
        keys: Some(keys(1)),
        transport: Transport::Datagrams,
    };
    hub.join(at_ms(1), remote, Remembered::default()).unwrap();
    hub.set_streaming(at_ms(1), SpeakerId([8; 16]), true);
    assert_eq!(hub.needed_latency(), Span::from_ms(350), "others say it in reports alone");
}

#[test]
fn a_session_is_called_sealed_only_when_its_connection_encrypts() {
    for encrypted in [false, true] {
        let mut hub = hub(1, LATENCY, false);
        join(&mut hub, encrypted);
        let shown = hub.sessions(at_ms(0)).next().unwrap();
        assert_eq!((shown.sealed, shown.transport), (encrypted, Transport::Messages { encrypted }));
    }
}

proptest! {
    #[test]
    fn a_made_up_address_says_which_session_it_is_of_and_no_other_does(
        session: u32, octets: [u8; 16], port: u16,
    ) {
        prop_assert_eq!(message_session(message_address(SessionId(session))), Some(SessionId(session)));
        let other = SocketAddr::from((octets, port));
        if octets[..12] != [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] {
            prop_assert_eq!(message_session(other), None);
        }
    }
}
