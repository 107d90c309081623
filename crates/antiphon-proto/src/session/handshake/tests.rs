//! What a handshake must and must not let happen.

use antiphon_base::{Hub, SessionId, Timestamp};

use super::*;
use crate::session::PairingCode;
use crate::session::identity::Identity;
use crate::session::pairing::{CODE_LIFE, CODE_TRIES};
use crate::wire::seal::{Kind, Opening, Seal};

const T0: Timestamp<Hub> = Timestamp::from_ns(1_000);

struct Book {
    pairings: Vec<Pairing>,
    code: Option<PairingCode>,
}

impl Registry for Book {
    fn pairing(&self, speaker: &PublicKey) -> Option<Pairing> {
        self.pairings.iter().find(|pairing| pairing.peer == *speaker).cloned()
    }
    fn code(&mut self) -> Option<&mut PairingCode> {
        self.code.as_mut()
    }
}

fn speaker_key() -> Identity {
    Identity::from_secret([0x11; 32])
}

fn hub_key() -> Identity {
    Identity::from_secret([0x22; 32])
}

/// The two records of one pairing: the speaker's of the hub, the hub's of the speaker.
fn records() -> (Pairing, Book) {
    let of =
        |key: Identity, name: &str| Pairing { peer: key.public(), psk: [0x33; 32], name: name.to_owned() };
    (of(hub_key(), "house"), Book { pairings: vec![of(speaker_key(), "kitchen")], code: None })
}

fn coded(digits: u64) -> Book {
    Book { pairings: Vec::new(), code: Some(PairingCode::new(T0, digits)) }
}

fn speaker(approach: Approach) -> SpeakerHandshake {
    SpeakerHandshake::new(&speaker_key(), "kitchen", approach, [0x44; 32])
}

fn hub() -> HubHandshake {
    HubHandshake::new(&hub_key(), "house", false, [0x55; 32])
}

/// Passes frames both ways until one end fails or both have established; at most 8 frames.
fn run(
    speaker: &mut SpeakerHandshake,
    hub: &mut HubHandshake,
    book: &mut Book,
) -> Result<(Established, Established), HandshakeError> {
    let mut to_hub = vec![speaker.start()];
    let (mut at_speaker, mut at_hub) = (None, None);
    for _ in 0..8 {
        let mut to_speaker = Vec::new();
        for bytes in to_hub.drain(..) {
            let step = hub.receive(T0, &bytes, book)?;
            to_speaker.extend(step.send);
            at_hub = at_hub.or(step.established);
        }
        for bytes in to_speaker {
            let step = speaker.receive(&bytes)?;
            to_hub.extend(step.send);
            at_speaker = at_speaker.or(step.established);
        }
    }
    Ok((at_speaker.expect("the speaker is done"), at_hub.expect("the hub is done")))
}

fn assert_joined(at_speaker: &mut Established, at_hub: &mut Established) {
    assert_eq!(at_speaker.keys, at_hub.keys);
    assert_eq!(at_speaker.speaker, at_hub.speaker);
    assert_eq!(at_hub.peer, speaker_key().public());
    assert_eq!(at_speaker.peer, hub_key().public());
    let (up, down) = (at_speaker.channel.as_mut().unwrap(), at_hub.channel.as_mut().unwrap());
    for text in [&b"{\"type\":\"hello\"}"[..], b""] {
        let frame = up.seal(text).unwrap();
        assert_eq!(down.open(&frame).unwrap(), text);
        let frame = down.seal(text).unwrap();
        assert_eq!(up.open(&frame).unwrap(), text);
    }
}

#[test]
fn a_paired_speaker_and_its_hub_come_to_share_keys() {
    let (pairing, mut book) = records();
    let (mut s, mut h) = run(&mut speaker(Approach::Paired(pairing)), &mut hub(), &mut book).unwrap();
    assert_joined(&mut s, &mut h);
    assert!(s.paired_now.is_none() && h.paired_now.is_none());
    let keys = s.keys.unwrap();
    assert_ne!(keys.to_hub, keys.to_speaker);
}

#[test]
fn an_unpaired_speaker_gets_nowhere() {
    let (pairing, _) = records();
    let mut nobody = Book { pairings: Vec::new(), code: None };
    let refused = run(&mut speaker(Approach::Paired(pairing.clone())), &mut hub(), &mut nobody);
    assert_eq!(refused.unwrap_err(), HandshakeError::NotPaired);
    let refused = run(&mut speaker(Approach::Code("123456".into())), &mut hub(), &mut nobody);
    assert_eq!(refused.unwrap_err(), HandshakeError::NoCode);
    let refused = run(&mut speaker(Approach::Open), &mut hub(), &mut nobody);
    assert_eq!(refused.unwrap_err(), HandshakeError::NotOpen);
}

#[test]
fn a_key_that_is_not_the_paired_one_fails_at_either_end() {
    let (pairing, mut book) = records();
    let mut thief = SpeakerHandshake::new(
        &Identity::from_secret([9; 32]),
        "kitchen",
        Approach::Paired(pairing.clone()),
        [1; 32],
    );
    assert_eq!(run(&mut thief, &mut hub(), &mut book).unwrap_err(), HandshakeError::NotPaired);
    let mut posing = thief_claiming_the_speakers_key(&pairing);
    assert_eq!(hub().receive(T0, &posing, &mut book).unwrap_err(), HandshakeError::Forged);
    posing.clear();
    let mut other_hub = HubHandshake::new(&Identity::from_secret([8; 32]), "house", false, [2; 32]);
    let failed = run(&mut speaker(Approach::Paired(pairing)), &mut other_hub, &mut book);
    assert_eq!(failed.unwrap_err(), HandshakeError::Forged);
}

/// A first frame made with another secret, under the paired speaker's public key.
fn thief_claiming_the_speakers_key(pairing: &Pairing) -> Vec<u8> {
    let approach = Approach::Paired(pairing.clone());
    let mut frame =
        SpeakerHandshake::new(&Identity::from_secret([9; 32]), "kitchen", approach, [1; 32]).start();
    frame[2..34].copy_from_slice(&speaker_key().public().0);
    frame
}

#[test]
fn the_right_keys_with_another_pairing_secret_fail() {
    let (pairing, mut book) = records();
    book.pairings[0].psk = [0; 32];
    let failed = run(&mut speaker(Approach::Paired(pairing)), &mut hub(), &mut book);
    assert_eq!(failed.unwrap_err(), HandshakeError::Forged);
}

#[test]
fn a_recorded_first_frame_makes_no_session() {
    let (pairing, mut book) = records();
    let mut first = speaker(Approach::Paired(pairing));
    let recorded = first.start();
    let mut fresh = HubHandshake::new(&hub_key(), "house", false, [0x77; 32]);
    let step = fresh.receive(T0, &recorded, &mut book).unwrap();
    assert!(step.established.is_none());
    let forged = frame::build(frame::KK_CONFIRM, &[&[0; 16]]);
    assert_eq!(fresh.receive(T0, &forged, &mut book).unwrap_err(), HandshakeError::Forged);
}

#[test]
fn two_sessions_of_one_pairing_share_no_key() {
    let (pairing, mut book) = records();
    let (s, _) = run(&mut speaker(Approach::Paired(pairing.clone())), &mut hub(), &mut book).unwrap();
    let mut again = SpeakerHandshake::new(&speaker_key(), "kitchen", Approach::Paired(pairing), [0x66; 32]);
    let (t, _) = run(&mut again, &mut hub(), &mut book).unwrap();
    let (old, new) = (s.keys.unwrap(), t.keys.unwrap());
    let mut datagram = Vec::new();
    Seal::to_speaker(Some(&old), SessionId(1)).seal(Kind::Media, b"left", &mut datagram);
    assert!(Opening::at_speaker(Some(&new), SessionId(1)).open(&mut datagram).is_err());
}

#[test]
fn a_code_pairs_and_the_pairing_serves_the_next_session() {
    let mut book = coded(123_456);
    let typed = Approach::Code("123456".into());
    let (mut s, mut h) = run(&mut speaker(typed.clone()), &mut hub(), &mut book).unwrap();
    assert_joined(&mut s, &mut h);
    let (of_hub, of_speaker) = (s.paired_now.unwrap(), h.paired_now.unwrap());
    assert_eq!((of_hub.name.as_str(), of_speaker.name.as_str()), ("house", "kitchen"));
    assert_eq!(of_hub.psk, of_speaker.psk);
    let spent = run(&mut speaker(typed), &mut hub(), &mut book);
    assert_eq!(spent.unwrap_err(), HandshakeError::NoCode, "a code serves one speaker");
    book.pairings.push(of_speaker);
    let (mut s, mut h) = run(&mut speaker(Approach::Paired(of_hub)), &mut hub(), &mut book).unwrap();
    assert_joined(&mut s, &mut h);
}

#[test]
fn three_wrong_codes_void_the_code_for_everyone() {
    let mut book = coded(123_456);
    for left in (0..CODE_TRIES).rev() {
        let wrong = run(&mut speaker(Approach::Code("123457".into())), &mut hub(), &mut book);
        assert_eq!(wrong.unwrap_err(), HandshakeError::WrongCode);
        assert_eq!(book.code.as_ref().unwrap().tries_left(), left);
    }
    let right = run(&mut speaker(Approach::Code("123456".into())), &mut hub(), &mut book);
    assert_eq!(right.unwrap_err(), HandshakeError::NoCode);
}

/// Runs a handshake by code up to the frame that carries the guess.
fn guess(code: &str, book: &mut Book) -> (HubHandshake, Vec<u8>) {
    let (mut guesser, mut hub) = (speaker(Approach::Code(code.into())), hub());
    let offer = hub.receive(T0, &guesser.start(), book).unwrap().send.remove(0);
    let proof = guesser.receive(&offer).unwrap().send.remove(0);
    (hub, proof)
}

#[test]
fn guessing_on_many_connections_at_once_gains_no_try() {
    let mut book = coded(123_456);
    let codes = ["000001", "000002", "000003", "123456"];
    let mut waiting: Vec<_> = codes.iter().map(|code| guess(code, &mut book)).collect();
    let ends: Vec<_> =
        waiting.iter_mut().map(|(hub, proof)| hub.receive(T0, proof, &mut book).unwrap_err()).collect();
    use HandshakeError::{NoCode, WrongCode};
    assert_eq!(ends, [WrongCode, WrongCode, WrongCode, NoCode]);
}

#[test]
fn a_proof_against_an_expired_or_replaced_code_is_refused() {
    let mut book = coded(123_456);
    let (mut hub, proof) = guess("123456", &mut book);
    let late = hub.receive(T0 + CODE_LIFE, &proof, &mut book);
    assert_eq!(late.unwrap_err(), HandshakeError::NoCode);
    let (mut hub, proof) = guess("123456", &mut book);
    book.code = Some(PairingCode::new(T0, 654_321));
    assert_eq!(hub.receive(T0, &proof, &mut book).unwrap_err(), HandshakeError::NoCode);
    assert_eq!(book.code.unwrap().tries_left(), CODE_TRIES);
}

#[test]
fn a_malformed_proof_counts_as_a_wrong_code() {
    let mut book = coded(123_456);
    let (mut hub, mut proof) = guess("123456", &mut book);
    proof[2] = 0x42;
    assert_eq!(hub.receive(T0, &proof, &mut book).unwrap_err(), HandshakeError::WrongCode);
    assert_eq!(book.code.unwrap().tries_left(), CODE_TRIES - 1);
}

#[test]
fn the_code_exchange_binds_both_keys_and_both_names() {
    // Somebody between the two swaps a key or a name, and passes everything else on.
    let swaps: [(bool, usize); 4] = [(true, 2), (true, 34), (false, 2), (false, 67)];
    for (in_start, place) in swaps {
        let mut book = coded(123_456);
        let (mut s, mut h) = (speaker(Approach::Code("123456".into())), hub());
        let mut start = s.start();
        if in_start {
            start[place] ^= 1;
        }
        let mut offer = h.receive(T0, &start, &mut book).unwrap().send.remove(0);
        if !in_start {
            offer[place] ^= 1;
        }
        let proof = s.receive(&offer).unwrap().send.remove(0);
        let judged = h.receive(T0, &proof, &mut book).unwrap_err();
        assert_eq!(judged, HandshakeError::WrongCode, "{in_start} {place}");
    }
}

#[test]
fn a_hub_that_does_not_know_the_code_is_found_out() {
    let mut book = coded(123_456);
    let mut s = speaker(Approach::Code("123456".into()));
    let offer = hub().receive(T0, &s.start(), &mut book).unwrap().send.remove(0);
    s.receive(&offer).unwrap();
    let accept = frame::build(frame::PAIR_ACCEPT, &[&[0; 32]]);
    assert_eq!(s.receive(&accept).unwrap_err(), HandshakeError::Forged);
}

#[test]
fn a_paired_or_pairing_speaker_refuses_an_open_session() {
    let (pairing, _) = records();
    let accept = frame::build(frame::OPEN_ACCEPT, &[&hub_key().public().0]);
    for approach in [Approach::Paired(pairing), Approach::Code("123456".into())] {
        let mut s = speaker(approach);
        s.start();
        assert_eq!(s.receive(&accept).unwrap_err(), HandshakeError::Downgrade);
    }
}

#[test]
fn an_open_hub_takes_open_speakers_and_still_seals_paired_ones() {
    let (pairing, mut book) = records();
    let open_hub = || HubHandshake::new(&hub_key(), "house", true, [5; 32]);
    let (s, h) = run(&mut speaker(Approach::Open), &mut open_hub(), &mut book).unwrap();
    assert!(s.keys.is_none() && h.keys.is_none() && h.channel.is_none());
    assert_ne!(h.speaker, speaker_key().speaker_id(), "an unproven key never gives a proven identity");
    assert_eq!(s.speaker, h.speaker);
    let (mut s, mut h) = run(&mut speaker(Approach::Paired(pairing)), &mut open_hub(), &mut book).unwrap();
    assert_joined(&mut s, &mut h);
}

/// Points of order 1, 2, 4 and 8 on the curve and its twist, and their other encodings (RFC 7748, section 7).
const LOW_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

#[test]
fn points_of_low_order_are_no_keys() {
    assert!(!speaker_key().public().is_low_order());
    for text in LOW_ORDER {
        let low: PublicKey = text.parse().unwrap();
        assert!(low.is_low_order(), "{text}");
        let start = frame::build(frame::PAIR_START, &[&low.0, b"kitchen"]);
        assert_eq!(hub().receive(T0, &start, &mut coded(1)).unwrap_err(), HandshakeError::Forged);
        let mut s = speaker(Approach::Code("000001".into()));
        s.start();
        let offer = frame::build(frame::PAIR_OFFER, &[&low.0, &[0x42; 33], b"house"]);
        assert_eq!(s.receive(&offer).unwrap_err(), HandshakeError::Forged);
        let (pairing, mut book) = records();
        let mut s = speaker(Approach::Paired(pairing));
        let mut first = s.start();
        first[34..66].copy_from_slice(&low.0);
        assert_eq!(hub().receive(T0, &first, &mut book).unwrap_err(), HandshakeError::Forged);
        let reply = frame::build(frame::KK_REPLY, &[&low.0, &[0; 16]]);
        assert_eq!(s.receive(&reply).unwrap_err(), HandshakeError::Forged);
    }
}

#[test]
fn another_version_is_refused_by_its_number() {
    let (pairing, mut book) = records();
    let mut first = speaker(Approach::Paired(pairing)).start();
    first[1] = 2;
    let refused = hub().receive(T0, &first, &mut book).unwrap_err();
    assert_eq!(refused, HandshakeError::Version(2));
    let mut s = speaker(Approach::Open);
    s.start();
    match s.receive(&refused.farewell().unwrap()) {
        Err(HandshakeError::Refused(refusal)) => assert_eq!(refusal.code, RefusalCode::Protocol),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_refusal_reaches_the_speaker_with_its_code_and_text() {
    use HandshakeError::*;
    for (error, code) in [
        (NotPaired, RefusalCode::NotPaired),
        (NotOpen, RefusalCode::NotOpen),
        (NoCode, RefusalCode::NoCode),
        (WrongCode, RefusalCode::WrongCode),
        (Forged, RefusalCode::NotPaired),
        (Malformed("x"), RefusalCode::BadMessage),
    ] {
        let mut s = speaker(Approach::Open);
        s.start();
        let told = s.receive(&error.farewell().unwrap());
        assert_eq!(told.unwrap_err(), Refused(Refusal { code, message: error.to_string() }));
    }
}

#[test]
fn a_refusals_text_cannot_steer_a_terminal() {
    let mut s = speaker(Approach::Open);
    s.start();
    let frame = frame::build(frame::REFUSED, &[&[99], b"\x1b[2Jno\xFF"]);
    let told = s.receive(&frame).unwrap_err();
    assert_eq!(
        told,
        HandshakeError::Refused(Refusal { code: RefusalCode::Unknown, message: "[2Jno\u{fffd}".into() })
    );
}

#[test]
fn a_frame_that_does_not_follow_ends_the_handshake() {
    let (pairing, mut book) = records();
    let mut h = hub();
    let confirm = frame::build(frame::KK_CONFIRM, &[&[0; 16]]);
    assert!(h.receive(T0, &confirm, &mut book).is_err());
    let first = speaker(Approach::Paired(pairing)).start();
    assert!(h.receive(T0, &first, &mut book).is_err(), "an ended handshake stays ended");
}

#[test]
fn the_control_channel_refuses_what_is_altered_repeated_or_skipped() {
    let (pairing, mut book) = records();
    let (s, h) = run(&mut speaker(Approach::Paired(pairing)), &mut hub(), &mut book).unwrap();
    let (mut up, mut down) = (s.channel.unwrap(), h.channel.unwrap());
    let frame = up.seal(b"one").unwrap();
    let mut altered = frame.clone();
    altered[5] ^= 1;
    assert!(down.open(&altered).is_err());
    assert_eq!(down.open(&frame).unwrap(), b"one");
    assert!(down.open(&frame).is_err());
    up.seal(b"two").unwrap();
    assert!(down.open(&up.seal(b"three").unwrap()).is_err());
    assert!(up.seal(&vec![0; crate::session::MAX_MESSAGE + 1]).is_err());
    assert!(down.open(b"").is_err() && down.open(b"\x40").is_err() && down.open(b"\x40\x01").is_err());
}
