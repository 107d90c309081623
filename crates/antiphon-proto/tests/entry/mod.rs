//! What the fuzzer and the bounded random tests run: one function for every parser that reads bytes from
//! outside. Each takes any bytes, must not panic, and asserts what must hold whatever they are.

use antiphon_base::{Hub, SessionId, Timestamp};
use antiphon_proto::session::handshake::{Approach, HubHandshake, Registry, SpeakerHandshake};
use antiphon_proto::session::message::{HubMessage, SpeakerMessage};
use antiphon_proto::session::{Identity, Pairing, PairingCode, PublicKey, SealedChannel};
use antiphon_proto::wire::clock::{Probe, Reply};
use antiphon_proto::wire::feedback::{MAX_NACK_PACKETS, Nack};
use antiphon_proto::wire::notice::Stop;
use antiphon_proto::wire::rtp::MediaPacket;
use antiphon_proto::wire::seal::{Kind, Opening, SessionKeys, peek_session};

/// A name and its entry function.
pub type Entry = (&'static str, fn(&[u8]));

/// Every entry function by the name of its fuzz target.
pub const ALL: [Entry; 8] = [
    ("rtp", rtp),
    ("clock", clock),
    ("feedback", feedback),
    ("notice", notice),
    ("seal", seal),
    ("handshake_hub", handshake_hub),
    ("handshake_speaker", handshake_speaker),
    ("message", message),
];

/// The session that sealed inputs claim.
pub const SESSION: SessionId = SessionId(7);

const NOW: Timestamp<Hub> = Timestamp::from_ns(1_000);

/// What is read is written as something that reads the same.
pub fn rtp(data: &[u8]) {
    let Ok(packet) = MediaPacket::parse(data) else { return };
    assert!(packet.first_frame.0 >= 0 && !packet.payload.is_empty());
    let mut again = Vec::new();
    packet.write(&mut again);
    // A sender may use shorter padding or leave out what is unknown here; longer never.
    if again.len() <= antiphon_proto::wire::MAX_DATAGRAM {
        assert_eq!(MediaPacket::parse(&again), Ok(packet));
    }
}

/// Probe and reply.
pub fn clock(data: &[u8]) {
    if let Ok(probe) = Probe::parse(data) {
        let mut again = Vec::new();
        probe.write(&mut again);
        assert_eq!(Probe::parse(&again), Ok(probe));
    }
    if let Ok(reply) = Reply::parse(data) {
        let mut again = Vec::new();
        reply.write(&mut again);
        assert_eq!(again, data);
    }
}

/// A NACK asks for a bounded number of packets.
pub fn feedback(data: &[u8]) {
    let Ok(nack) = Nack::parse(data) else { return };
    assert!(nack.missing.len() <= MAX_NACK_PACKETS);
    let mut again = Vec::new();
    nack.write(&mut again);
    assert!(Nack::parse(&again).is_ok());
}

/// Notices.
pub fn notice(data: &[u8]) {
    let Ok(stop) = Stop::parse(data) else { return };
    let mut again = Vec::new();
    stop.write(&mut again);
    assert_eq!(Stop::parse(&again), Ok(stop));
}

/// No bytes that were not sealed with the key open; every refusal is counted; open sessions take any
/// contents and hand them to the parsers.
pub fn seal(data: &[u8]) {
    let keys = SessionKeys { to_speaker: [1; 32], to_hub: [2; 32] };
    let mut sealed = Opening::at_hub(Some(&keys), SESSION);
    assert!(sealed.open(&mut data.to_vec()).is_err());
    let drops = sealed.drops();
    assert_eq!(drops.malformed + drops.replayed + drops.forged, 1);
    peek_session(data);
    let mut copy = data.to_vec();
    match Opening::at_speaker(None, SESSION).open(&mut copy) {
        Ok((Kind::Media, body)) => rtp(body),
        Ok((Kind::ClockProbe | Kind::ClockReply, body)) => clock(body),
        Ok((Kind::Feedback, body)) => feedback(body),
        Ok((Kind::Notice, body)) => notice(body),
        Err(_) => {}
    }
}

/// A stranger's frames to a hub that has one pairing and a code in force: no sealed session comes of them.
/// The first byte chooses how far a true speaker went before.
pub fn handshake_hub(data: &[u8]) {
    let Some((&stage, rest)) = data.split_first() else { return };
    let (mut book, mut hub) = (Book::new(), hub());
    for frame in honest_speaker_frames(stage % 4) {
        hub.receive(NOW, &frame, &mut book).expect("the true speaker's frames are right");
    }
    for frame in frames(rest) {
        match hub.receive(NOW, frame, &mut book) {
            Ok(step) => assert!(step.established.is_none(), "a stranger made a session"),
            Err(error) => {
                if let Some(farewell) = error.farewell() {
                    assert!(farewell.len() <= antiphon_proto::session::handshake::MAX_FRAME);
                }
            }
        }
    }
}

/// A stranger's frames to a speaker that is paired, or pairs: no session comes of them.
pub fn handshake_speaker(data: &[u8]) {
    let Some((&stage, rest)) = data.split_first() else { return };
    let approach =
        if stage % 2 == 0 { Approach::Paired(hub_record()) } else { Approach::Code("123456".into()) };
    let mut speaker = speaker(approach);
    let first = speaker.start();
    if stage & 4 != 0 {
        let offer = hub().receive(NOW, &first, &mut Book::new()).expect("the first frame is right");
        if stage % 2 == 1 {
            speaker.receive(&offer.send[0]).expect("the true hub's offer is right");
        }
    }
    for frame in frames(rest) {
        if let Ok(step) = speaker.receive(frame) {
            assert!(step.established.is_none(), "a stranger made a session");
        }
    }
    assert!(established_channel().open(rest).is_err(), "a stranger's control message opened");
}

/// JSON control messages, both ways: what is read is checked, and survives being written.
pub fn message(data: &[u8]) {
    if let Ok(message) = serde_json::from_slice::<SpeakerMessage>(data) {
        if let SpeakerMessage::Hello(hello) = &message
            && hello.check().is_ok()
        {
            assert!(!hello.codecs.is_empty() && hello.channels > 0);
        }
        let text = serde_json::to_vec(&message).expect("a message can be written");
        assert_eq!(serde_json::from_slice::<SpeakerMessage>(&text).expect("and read again"), message);
    }
    if let Ok(message) = serde_json::from_slice::<HubMessage>(data) {
        if let HubMessage::Settings(settings) = &message {
            let held = settings.clone().held_in_limits();
            assert!(held.gain_db.is_finite() && held.latency_us > 0);
        }
        let _ = serde_json::to_vec(&message).expect("a message can be written");
    }
}

/// `data` as frames: a length byte, then as many bytes; at most 8.
fn frames(mut data: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some((&len, rest)) = data.split_first() {
        if frames.len() == 8 {
            break;
        }
        let (frame, after) = rest.split_at(usize::from(len).min(rest.len()));
        frames.push(frame);
        data = after;
    }
    frames
}

/// One pairing and the code 123456.
pub struct Book(Option<PairingCode>);

impl Book {
    /// A fresh one.
    pub fn new() -> Self {
        Self(Some(PairingCode::new(NOW, 123_456)))
    }
}

impl Registry for Book {
    fn pairing(&self, speaker: &PublicKey) -> Option<Pairing> {
        let record = Pairing { peer: speaker_key().public(), psk: [3; 32], name: "kitchen".into() };
        (*speaker == record.peer).then_some(record)
    }
    fn code(&mut self) -> Option<&mut PairingCode> {
        self.0.as_mut()
    }
}

fn speaker_key() -> Identity {
    Identity::from_secret([0x11; 32])
}

fn hub_key() -> Identity {
    Identity::from_secret([0x22; 32])
}

fn hub_record() -> Pairing {
    Pairing { peer: hub_key().public(), psk: [3; 32], name: "house".into() }
}

fn speaker(approach: Approach) -> SpeakerHandshake {
    SpeakerHandshake::new(&speaker_key(), "kitchen", approach, [4; 32])
}

fn hub() -> HubHandshake {
    HubHandshake::new(&hub_key(), "house", false, [5; 32])
}

/// The frames that the true speaker sends up to a stage: none; the paired start; the start of pairing; pairing
/// up to the accepted proof.
fn honest_speaker_frames(stage: u8) -> Vec<Vec<u8>> {
    match stage {
        1 => vec![speaker(Approach::Paired(hub_record())).start()],
        2 => vec![speaker(Approach::Code("123456".into())).start()],
        3 => {
            let (mut speaker, mut book) = (speaker(Approach::Code("123456".into())), Book::new());
            let start = speaker.start();
            let offer = hub().receive(NOW, &start, &mut book).expect("the code is in force");
            let proof = speaker.receive(&offer.send[0]).expect("the offer is right");
            vec![start, proof.send[0].clone()]
        }
        _ => Vec::new(),
    }
}

/// The hub's end of a session's control channel.
fn established_channel() -> SealedChannel {
    let (mut speaker, mut hub, mut book) = (speaker(Approach::Paired(hub_record())), hub(), Book::new());
    let reply = hub.receive(NOW, &speaker.start(), &mut book).expect("the pairing is known");
    let confirm = speaker.receive(&reply.send[0]).expect("the hub is the true one");
    let done = hub.receive(NOW, &confirm.send[0], &mut book).expect("the speaker holds the keys");
    done.established.and_then(|established| established.channel).expect("a paired session is sealed")
}

/// Well-formed inputs of every entry function, for mutation.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (name, hex) in crate_vectors() {
        seeds.push((name, hex));
    }
    for stage in 0..4u8 {
        for frames in [honest_speaker_frames(1), honest_speaker_frames(2), honest_speaker_frames(3)] {
            let mut input = vec![stage];
            for frame in &frames {
                input.push(frame.len() as u8);
                input.extend_from_slice(frame);
            }
            seeds.push(("handshake_hub", input));
        }
    }
    let offer = hub().receive(NOW, &speaker(Approach::Code("123456".into())).start(), &mut Book::new());
    let offer = offer.expect("the code is in force").send.remove(0);
    for stage in [1u8, 5, 0, 4] {
        let mut input = vec![stage, offer.len() as u8];
        input.extend_from_slice(&offer);
        seeds.push(("handshake_speaker", input));
    }
    seeds
}

/// Datagrams and messages as `docs/protocol.md` shows them.
fn crate_vectors() -> Vec<(&'static str, Vec<u8>)> {
    let text = include_str!("../../../../docs/protocol.md");
    let mut found = Vec::new();
    for (title, body) in fenced(text) {
        let entry = match title.split_whitespace().collect::<Vec<_>>()[..] {
            ["vector", name] | ["message", name] => name.to_owned(),
            _ => continue,
        };
        let kind = ALL.iter().map(|(name, _)| *name).find(|name| entry.starts_with(name));
        let json = title.starts_with("message");
        let bytes = if json { body.into_bytes() } else { unhex(&body) };
        if let Some(kind) = if json { Some("message") } else { kind } {
            found.push((kind, bytes));
        }
    }
    found
}

/// The fenced blocks of a Markdown text: what stands after the opening fence, and the body.
pub fn fenced(text: &str) -> Vec<(String, String)> {
    let (mut blocks, mut open) = (Vec::new(), None::<(String, String)>);
    for line in text.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(title), None) => open = Some((title.trim().to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some((_, body))) => {
                body.push_str(line);
                body.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// The bytes of hexadecimal digits; white space and what follows `#` on a line are left out.
pub fn unhex(text: &str) -> Vec<u8> {
    let code = text.lines().map(|line| line.split('#').next().unwrap_or(""));
    let digits: Vec<u32> = code.flat_map(str::chars).filter_map(|c| c.to_digit(16)).collect();
    digits.chunks_exact(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}
