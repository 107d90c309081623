//! The test vectors and example messages of `docs/protocol.md` are what this program sends and reads, and
//! every requirement that the code quotes is written there.

#[expect(dead_code, reason = "the random tests use the rest")]
mod entry;

use antiphon_base::{ClockId, Epoch, Frames, Hub, SessionId, Timestamp};
use antiphon_proto::session::handshake::{Approach, Established, HubHandshake, Registry, SpeakerHandshake};
use antiphon_proto::session::message::{HubMessage, SpeakerMessage};
use antiphon_proto::session::{Codec, Identity, Pairing, PairingCode, PublicKey, browser_speaker_id};
use antiphon_proto::wire::clock::{Probe, Reply};
use antiphon_proto::wire::feedback::Nack;
use antiphon_proto::wire::notice::Stop;
use antiphon_proto::wire::rtp::{Fragment, MediaPacket, PayloadType};
use antiphon_proto::wire::seal::{Kind, Opening, Seal, SessionKeys};

const PROTOCOL: &str = include_str!("../../../docs/protocol.md");
const SESSION: SessionId = SessionId(7);
const NOW: Timestamp<Hub> = Timestamp::from_ns(1_000);

type Vector = (&'static str, Vec<u8>);

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&mut bytes);
    bytes
}

fn media() -> Vec<u8> {
    let packet = MediaPacket {
        payload_type: PayloadType::new(Codec::L24, 1),
        marker: true,
        sequence: 0x1234,
        ssrc: 0xCAFE_F00D,
        first_frame: Frames(0x1_0000_00F0),
        epoch: Epoch(3),
        presentation: Timestamp::from_ns(1_000_000_000_000),
        fragment: None,
        payload: &[0x00, 0x00, 0x01, 0xFF, 0xFF, 0xFF],
    };
    written(|out| packet.write(out))
}

fn fragment() -> Vec<u8> {
    let packet = MediaPacket {
        payload_type: PayloadType::new(Codec::Flac, 2),
        marker: false,
        sequence: 0xFFFF,
        ssrc: 1,
        first_frame: Frames(960),
        epoch: Epoch(1),
        presentation: Timestamp::from_ns(20_000_000),
        fragment: Some(Fragment { index: 1, count: 2 }),
        payload: &[0xAB],
    };
    written(|out| packet.write(out))
}

fn probe() -> Vec<u8> {
    written(|out| Probe { id: 5, t1: Timestamp::from_ns(1_234_567_890_123) }.write(out))
}

fn datagrams() -> Vec<Vector> {
    let reply = Reply {
        id: 5,
        clock: ClockId(0xC10C),
        t1: Timestamp::from_ns(1_234_567_890_123),
        t2: Timestamp::from_ns(77_000_000_000),
        t3: Timestamp::from_ns(77_000_040_000),
    };
    let nack = Nack { ssrc: 0xCAFE_F00D, missing: vec![65_534, 65_535, 3, 100] };
    let stop = Stop { epoch: Epoch(3), at: Timestamp::from_ns(1_000_040_000_000) };
    let keys = SessionKeys { to_speaker: std::array::from_fn(|i| i as u8), to_hub: [0x80; 32] };
    let (mut down, mut up) = (Seal::to_speaker(Some(&keys), SESSION), Seal::to_hub(Some(&keys), SESSION));
    let mut plain = Seal::to_hub(None, SESSION);
    let sealed = |seal: &mut Seal, kind, text: &[u8]| written(|out| seal.seal(kind, text, out));
    vec![
        ("rtp-l24", media()),
        ("rtp-fragment", fragment()),
        ("clock-probe", probe()),
        ("clock-reply", written(|out| reply.write(out))),
        ("feedback-nack", written(|out| assert_eq!(nack.write(out), 4))),
        ("notice-stop", written(|out| stop.write(out))),
        ("seal-media", sealed(&mut down, Kind::Media, &media())),
        ("seal-notice", sealed(&mut down, Kind::Notice, &written(|out| stop.write(out)))),
        ("seal-probe", sealed(&mut up, Kind::ClockProbe, &probe())),
        ("seal-open-probe", sealed(&mut plain, Kind::ClockProbe, &probe())),
    ]
}

struct Book(Option<Pairing>, Option<PairingCode>);

impl Registry for Book {
    fn pairing(&self, _: &PublicKey) -> Option<Pairing> {
        self.0.clone()
    }
    fn code(&mut self) -> Option<&mut PairingCode> {
        self.1.as_mut()
    }
}

/// The frames of a handshake in their order, and what both ends have at its end.
fn handshake(approach: Approach, book: &mut Book) -> (Vec<Vec<u8>>, Established, Established) {
    let (speaker, hub) = (Identity::from_secret([0x11; 32]), Identity::from_secret([0x22; 32]));
    let mut speaker = SpeakerHandshake::new(&speaker, "kitchen", approach, [0x44; 32]);
    let mut hub = HubHandshake::new(&hub, "house", false, [0x55; 32]);
    let (mut frames, mut at_speaker) = (vec![speaker.start()], None);
    loop {
        let step = hub.receive(NOW, frames.last().expect("a frame is there"), book).expect("it is right");
        if let Some(at_hub) = step.established {
            return (frames, at_speaker.expect("the speaker is done first"), at_hub);
        }
        frames.extend(step.send);
        let step = speaker.receive(frames.last().expect("a frame is there")).expect("it is right");
        frames.extend(step.send);
        at_speaker = at_speaker.or(step.established);
    }
}

fn paired() -> Vec<Vector> {
    let (speaker, hub) = (Identity::from_secret([0x11; 32]), Identity::from_secret([0x22; 32]));
    let record = |peer: PublicKey| Pairing { peer, psk: [0x33; 32], name: "x".into() };
    let mut book = Book(Some(record(speaker.public())), None);
    let (frames, mut s, mut h) = handshake(Approach::Paired(record(hub.public())), &mut book);
    let keys = s.keys.expect("it is sealed");
    let mut names = ["kk-start", "kk-reply", "kk-confirm"].into_iter().zip(frames).collect::<Vec<_>>();
    names.push(("kk-key-to-speaker", keys.to_speaker.to_vec()));
    names.push(("kk-key-to-hub", keys.to_hub.to_vec()));
    let goodbye = br#"{"type":"goodbye","reason":"x"}"#;
    names.push(("control-to-hub", s.channel.as_mut().unwrap().seal(goodbye).unwrap()));
    names.push(("control-to-speaker", h.channel.as_mut().unwrap().seal(goodbye).unwrap()));
    names.push(("id-speaker-public", speaker.public().0.to_vec()));
    names.push(("id-hub-public", hub.public().0.to_vec()));
    names.push(("id-speaker-id", speaker.speaker_id().0.to_vec()));
    names.push(("id-open-speaker-id", speaker.public().open_speaker_id().0.to_vec()));
    let key = std::array::from_fn(|place| u8::from(place == 31));
    names.push(("id-browser-speaker-id", browser_speaker_id(&key).0.to_vec()));
    names
}

fn by_code() -> Vec<Vector> {
    let mut book = Book(None, Some(PairingCode::new(NOW, 123_456)));
    let (frames, s, _) = handshake(Approach::Code("123456".into()), &mut book);
    let names = ["pair-start", "pair-offer", "pair-proof", "pair-accept"];
    let mut vectors = names.into_iter().zip(frames).collect::<Vec<_>>();
    vectors.push(("pair-psk", s.paired_now.expect("it pairs").psk.to_vec()));
    vectors
}

fn hex(bytes: &[u8]) -> String {
    let lines =
        bytes.chunks(32).map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_vectors_of_the_protocol_are_what_this_program_makes() {
    let told = entry::fenced(PROTOCOL);
    let mut wrong = String::new();
    let vectors: Vec<_> = [datagrams(), paired(), by_code()].concat();
    for (name, bytes) in &vectors {
        let title = format!("vector {name}");
        let found = told.iter().find(|(told, _)| *told == title);
        if found.is_none_or(|(_, body)| entry::unhex(body) != *bytes) {
            wrong += &format!("```{title}\n{}\n```\n", hex(bytes));
        }
    }
    assert!(wrong.is_empty(), "docs/protocol.md should say:\n{wrong}");
    let titles = told.iter().filter(|(title, _)| title.starts_with("vector ")).count();
    assert_eq!(titles, vectors.len(), "a vector that nothing checks");
}

#[test]
fn the_sealed_vectors_open() {
    let keys = SessionKeys { to_speaker: std::array::from_fn(|i| i as u8), to_hub: [0x80; 32] };
    let told = entry::fenced(PROTOCOL);
    let vector = |name: &str| {
        let found = told.iter().find(|(title, _)| *title == format!("vector {name}"));
        entry::unhex(&found.expect("it is told").1)
    };
    let mut speaker = Opening::at_speaker(Some(&keys), SESSION);
    assert_eq!(speaker.open(&mut vector("seal-media")), Ok((Kind::Media, &media()[..])));
    let mut hub = Opening::at_hub(Some(&keys), SESSION);
    assert_eq!(hub.open(&mut vector("seal-probe")), Ok((Kind::ClockProbe, &probe()[..])));
}

#[test]
fn the_example_messages_of_the_protocol_are_read_and_written_as_they_stand() {
    let mut count = 0;
    for (title, body) in entry::fenced(PROTOCOL) {
        let Some(name) = title.strip_prefix("message ") else { continue };
        // What is said before a browser is let in is no message of this crate: antiphon-api has its test.
        if name.starts_with("browser-") {
            continue;
        }
        let told: serde_json::Value = serde_json::from_str(&body).expect(name);
        let again = match name.split_once('-').map(|(from, _)| from) {
            Some("speaker") => {
                let message: SpeakerMessage = serde_json::from_str(&body).expect(name);
                assert_ne!(message, SpeakerMessage::Unknown, "{name}");
                serde_json::to_value(message)
            }
            _ => {
                let message: HubMessage = serde_json::from_str(&body).expect(name);
                assert_ne!(message, HubMessage::Unknown, "{name}");
                serde_json::to_value(message)
            }
        };
        assert_eq!(again.unwrap(), told, "{name}");
        count += 1;
    }
    assert!(count >= 9, "{count} messages");
}

#[test]
fn every_requirement_that_the_code_quotes_is_written_down() {
    let mut quoted = std::collections::BTreeSet::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the sources are there") {
            let path = entry.expect("the sources are there").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                quoted.extend(requirements(&std::fs::read_to_string(path).expect("sources are text")));
            }
        }
    }
    assert!(quoted.len() > 10, "{quoted:?}");
    let missing: Vec<_> = quoted.iter().filter(|id| !PROTOCOL.contains(&format!("**{id}**"))).collect();
    assert!(missing.is_empty(), "not in docs/protocol.md: {missing:?}");
}

/// Every `[NAME-1]` in a text.
fn requirements(text: &str) -> Vec<String> {
    let pieces = text.split('[').skip(1).filter_map(|piece| piece.split_once(']'));
    let is_requirement = |id: &str| {
        id.split_once('-').is_some_and(|(name, number)| {
            name.len() >= 2
                && name.bytes().all(|b| b.is_ascii_uppercase())
                && !number.is_empty()
                && number.bytes().all(|b| b.is_ascii_digit())
        })
    };
    pieces.map(|(id, _)| id).filter(|id| is_requirement(id)).map(|id| format!("[{id}]")).collect()
}
