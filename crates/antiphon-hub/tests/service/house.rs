//! A hub, and who asks it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use antiphon_api::session::{decode_hub, encode_speaker};
use antiphon_api::{Client, SourceCommand, SourcePace};
use antiphon_base::Span;
use antiphon_hub::{HubDaemon, HubHandle, HubOptions};
use antiphon_proto::session::{
    Approach, Codec, Hello, HubMessage, Identity, PROTOCOL, SpeakerHandshake, SpeakerMessage,
};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

/// What stands still longer than this does not come any more, however busy the machine is.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// An open hub in directories of its own.
pub struct House {
    pub dir: TempDir,
    pub hub: HubHandle,
}

impl House {
    pub fn new() -> Self {
        Self::listening("127.0.0.1:0")
    }

    pub fn listening(listen: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let hub = HubDaemon::start(options(dir.path(), listen)).unwrap();
        Self { dir, hub }
    }

    pub fn client(&self) -> Client {
        Client::new(self.hub.addr().into())
    }
}

pub fn options(dir: &Path, listen: &str) -> HubOptions {
    HubOptions {
        listen: listen.parse().unwrap(),
        name: "lab".into(),
        latency: Span::from_ms(200),
        open: true,
        state_dir: dir.join("state"),
        runtime_dir: dir.join("run"),
        mdns: false,
        https: None,
        services: None,
    }
}

pub fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// One request as it is written, and the answer whole.
pub fn raw(mut stream: TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A speaker's end of an open session, as far as control goes.
pub struct Speaker(WebSocket<TcpStream>);

impl Speaker {
    pub fn join(house: &House, name: &str, seed: u8) -> Self {
        let stream = connect(house.hub.addr());
        let url = format!("ws://{}/session", house.hub.addr());
        let (mut socket, _) = tungstenite::client(url, stream).unwrap();
        let identity = Identity::from_secret([seed; 32]);
        let mut handshake = SpeakerHandshake::new(&identity, name, Approach::Open, [5; 32]);
        socket.send(Message::binary(handshake.start())).unwrap();
        loop {
            let step = handshake.receive(&socket.read().unwrap().into_data()).unwrap();
            for frame in step.send {
                socket.send(Message::binary(frame)).unwrap();
            }
            if step.established.is_some() {
                break;
            }
        }
        let mut speaker = Self(socket);
        speaker.say(&SpeakerMessage::Hello(hello(name)));
        assert!(matches!(speaker.hear(), Some(HubMessage::Welcome(_))));
        speaker
    }

    pub fn say(&mut self, message: &SpeakerMessage) {
        self.0.send(Message::text(String::from_utf8(encode_speaker(message)).unwrap())).unwrap();
    }

    pub fn hear(&mut self) -> Option<HubMessage> {
        match self.0.read().ok()? {
            Message::Close(_) => None,
            message => Some(decode_hub(&message.into_data()).unwrap()),
        }
    }
}

fn hello(name: &str) -> Hello {
    Hello {
        protocol: PROTOCOL,
        name: name.into(),
        software: "test".into(),
        codecs: vec![Codec::L24],
        channels: 1,
        output: "null:".into(),
        role: None,
        min_latency_us: 15_000,
    }
}

/// Waits until `holds`.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What a player that plays to nobody in particular says first.
pub fn open_message() -> SourceCommand {
    SourceCommand::Open {
        channels: 2,
        title: "test".into(),
        duration_frames: Some(480_000),
        targets: vec![],
        wait_ms: 0,
        seekable: true,
        first_frame: 0,
        pace: SourcePace::Stored,
    }
}
