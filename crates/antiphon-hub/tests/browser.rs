//! Browsers as speakers, as a browser meets the hub: over WebSockets.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use antiphon_api::session::{decode_hub, encode_speaker};
use antiphon_api::{
    AccessRole, BrowserReply, BrowserRequest, Client, JoinCodeRequest, JoinRefusal, LocalRequest,
    SourceCommand, SourceLink, SourcePace, SpeakerPatch, SpeakerStatus, json, local,
};
use antiphon_base::{Role, SessionId, Span, Timestamp};
use antiphon_hub::{HubDaemon, HubHandle, HubOptions};
use antiphon_proto::session::{
    Codec, Hello, HubMessage, PROTOCOL, RefusalCode, SpeakerMessage, SpeakerStats, Welcome,
};
use antiphon_proto::wire::clock::{Probe, Reply};
use antiphon_proto::wire::rtp::MediaPacket;
use antiphon_proto::wire::seal::{Kind, Opening, Seal};
use tempfile::TempDir;
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket};

const PATIENCE: Duration = Duration::from_secs(20);

/// A connection over which a page speaks.
trait Stream: Read + Write + std::fmt::Debug {}

impl<T: Read + Write + std::fmt::Debug> Stream for T {}

type Socket = WebSocket<Box<dyn Stream>>;

struct House {
    dir: TempDir,
    hub: HubHandle,
}

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let hub = HubDaemon::start(options(dir.path(), "127.0.0.1:0".parse().unwrap())).unwrap();
        Self { dir, hub }
    }

    fn client(&self) -> Client {
        Client::new(self.hub.addr().into())
    }

    fn code(&self, valid_s: u64) -> (String, String) {
        let made = self.client().make_join_code(&JoinCodeRequest { valid_s, address: None }).unwrap();
        assert!(made.url.ends_with(&format!("/j#{}", made.code)), "{}", made.url);
        (made.id, made.code)
    }

    /// Ended and begun anew, at the same address.
    fn again(self) -> Self {
        let (dir, listen) = (self.dir, self.hub.listen());
        self.hub.stop();
        let hub = HubDaemon::start(options(dir.path(), listen)).unwrap();
        Self { dir, hub }
    }

    fn speaker(&self, name: &str) -> Option<SpeakerStatus> {
        self.client().status().unwrap().speakers.into_iter().find(|speaker| speaker.name == name)
    }
}

fn options(dir: &Path, listen: SocketAddr) -> HubOptions {
    HubOptions {
        listen,
        name: "lab".into(),
        latency: Span::from_ms(200),
        open: false,
        state_dir: dir.join("state"),
        runtime_dir: dir.join("run"),
        mdns: false,
        https: None,
        services: None,
    }
}

fn socket(at: SocketAddr, path: &str, origin: Option<&str>) -> Result<Socket, String> {
    let stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    upgraded(Box::new(stream), "ws", at, path, origin)
}

fn upgraded(
    stream: Box<dyn Stream>,
    scheme: &str,
    at: SocketAddr,
    path: &str,
    origin: Option<&str>,
) -> Result<Socket, String> {
    let mut request = format!("{scheme}://{at}{path}").into_client_request().unwrap();
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    tungstenite::client(request, stream).map(|(socket, _)| socket).map_err(|error| error.to_string())
}

fn say<T: serde::Serialize>(socket: &mut Socket, message: &T) {
    socket.send(Message::text(String::from_utf8(json::write(message)).unwrap())).unwrap();
}

fn hello(name: &str, codecs: &[Codec]) -> Hello {
    Hello {
        protocol: PROTOCOL,
        name: name.into(),
        software: "antiphon page 0.1.0".into(),
        codecs: codecs.to_vec(),
        channels: 2,
        output: "browser:test".into(),
        role: None,
        min_latency_us: 600_000,
    }
}

/// A page that has joined.
struct Page {
    socket: Socket,
    welcome: Welcome,
    ticket: String,
}

/// What a page is sent.
#[derive(Debug)]
enum Heard {
    Said(HubMessage),
    Packet(Vec<u8>),
    Closed,
}

impl Page {
    fn join(house: &House, code: Option<&str>, key: u8, name: &str) -> Result<Self, BrowserReply> {
        Self::join_on(
            socket(house.hub.addr(), "/browser", None).unwrap(),
            code,
            key,
            hello(name, &[Codec::L16]),
        )
    }

    fn join_on(mut socket: Socket, code: Option<&str>, key: u8, hello: Hello) -> Result<Self, BrowserReply> {
        say(
            &mut socket,
            &BrowserRequest::Join { code: code.map(Into::into), key: format!("{key:02x}").repeat(32) },
        );
        let reply = json::read("the hub's answer", &socket.read().unwrap().into_data()).unwrap();
        let BrowserReply::Joined { ticket } = reply else { return Err(reply) };
        socket
            .send(Message::text(String::from_utf8(encode_speaker(&SpeakerMessage::Hello(hello))).unwrap()))
            .unwrap();
        match decode_hub(&socket.read().unwrap().into_data()).unwrap() {
            HubMessage::Welcome(welcome) => Ok(Self { socket, welcome, ticket }),
            HubMessage::Refused(refusal) => {
                let code = match refusal.code {
                    RefusalCode::NameTaken => JoinRefusal::NameTaken,
                    _ => JoinRefusal::Unknown,
                };
                Err(BrowserReply::Refused { code, message: refusal.message })
            }
            other => panic!("{other:?}"),
        }
    }

    fn hear(&mut self) -> Heard {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => return Heard::Said(decode_hub(text.as_bytes()).unwrap()),
                Ok(Message::Binary(bytes)) => return Heard::Packet(bytes.to_vec()),
                Ok(Message::Close(_)) => return Heard::Closed,
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) => panic!("nothing came: {error}"),
                Err(_) => return Heard::Closed,
            }
        }
    }

    fn report(&mut self) {
        let stats = SpeakerStats { synced: true, offset_sd_us: 100.0, ..SpeakerStats::default() };
        let text = encode_speaker(&SpeakerMessage::Stats(stats));
        self.socket.send(Message::text(String::from_utf8(text).unwrap())).unwrap();
    }

    fn clock(&self, house: &House) -> Socket {
        let mut clock = socket(house.hub.addr(), "/browser/clock", None).unwrap();
        say(
            &mut clock,
            &BrowserRequest::Clock { session: self.welcome.session, ticket: self.ticket.clone() },
        );
        clock
    }
}

fn refusal(joined: Result<Page, BrowserReply>) -> (JoinRefusal, String) {
    match joined {
        Err(BrowserReply::Refused { code, message }) => (code, message),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it was let in"),
    }
}

fn eventually(what: &str, mut look: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !look() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Plays `left` and `right`, constant, for as long as `go_on` says so.
fn play(house: &House, left: f32, right: f32, mut go_on: impl FnMut() -> bool) {
    let open = SourceCommand::Open {
        channels: 2,
        title: "test".into(),
        duration_frames: None,
        targets: vec![],
        wait_ms: 0,
        seekable: false,
        first_frame: 0,
        pace: SourcePace::Stored,
    };
    let mut link = SourceLink::connect(&house.hub.addr().into(), &open).unwrap();
    while go_on() {
        let run = link.credit().min(4_800);
        link.push(&[left, right].repeat(run)).unwrap();
        link.poll(Duration::from_millis(20)).unwrap();
    }
}

#[test]
fn a_browser_with_a_code_is_a_speaker_and_plays_its_channel() {
    let house = House::new();
    let (_, code) = house.code(60);
    let spelt = format!("{}-{}", &code[..5], code[5..].to_lowercase());
    let mut page = Page::join(&house, Some(&spelt), 1, "Anna's phone").unwrap();
    assert_eq!((page.welcome.hub_name.as_str(), page.welcome.settings.codec), ("lab", Codec::L16));
    let patch = SpeakerPatch { role: Some(Role::Right), ..SpeakerPatch::default() };
    let shown = house.client().set_speaker("Anna's phone", &patch).unwrap();
    assert!(shown.browser && !shown.sealed && shown.address.unwrap().starts_with("127.0.0.1:"));
    page.report();
    let mut samples = Vec::new();
    std::thread::scope(|scope| {
        let (done, listen) = std::sync::mpsc::channel::<()>();
        scope.spawn(|| {
            play(&house, 0.25, -0.5, move || listen.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty))
        });
        while samples.len() < 4_800 {
            match page.hear() {
                Heard::Packet(bytes) if bytes[0] == 0x90 => {
                    let packet = MediaPacket::parse(&bytes).unwrap();
                    assert_eq!((packet.payload_type.channels(), packet.payload.len() % 2), (1, 0));
                    let pair = |pair: &[u8]| f32::from(i16::from_be_bytes([pair[0], pair[1]])) / 32_768.0;
                    samples.extend(packet.payload.chunks_exact(2).map(pair));
                }
                Heard::Closed => panic!("the session ended"),
                Heard::Said(_) | Heard::Packet(_) => {}
            }
        }
        drop(done);
    });
    assert!(samples.iter().all(|sample| (sample + 0.5).abs() < 0.001), "{:?}", &samples[..8]);
}

#[test]
fn a_programme_waits_as_long_as_a_browser_needs() {
    let house = House::new();
    let mut page = Page::join(&house, None, 1, "phone").unwrap();
    page.report();
    std::thread::scope(|scope| {
        let (done, listen) = std::sync::mpsc::channel::<()>();
        scope.spawn(|| {
            play(&house, 0.1, 0.1, move || listen.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty))
        });
        eventually("the latency is what the browser needs", || {
            house.client().status().unwrap().hub.latency_us >= 600_000
        });
        drop(done);
    });
}

#[test]
fn clock_probes_are_answered_on_a_connection_of_their_own() {
    let house = House::new();
    let page = Page::join(&house, None, 1, "phone").unwrap();
    let session = SessionId(page.welcome.session);
    let (mut seal, mut opening) = (Seal::to_hub(None, session), Opening::at_speaker(None, session));
    let mut clock = page.clock(&house);
    let mut replies = Vec::new();
    for id in 0..5 {
        let (mut plain, mut probe) = (Vec::new(), Vec::new());
        Probe { id, t1: Timestamp::from_ns(1_000 + i64::from(id)) }.write(&mut plain);
        seal.seal(Kind::ClockProbe, &plain, &mut probe);
        clock.send(Message::binary(probe)).unwrap();
        let mut bytes = clock.read().unwrap().into_data().to_vec();
        let (kind, body) = opening.open(&mut bytes).unwrap();
        assert_eq!(kind, Kind::ClockReply);
        replies.push(Reply::parse(body).unwrap());
    }
    assert!(
        replies
            .iter()
            .enumerate()
            .all(|(n, reply)| reply.id as usize == n && reply.t1.as_ns() == 1_000 + n as i64)
    );
    assert!(replies.iter().all(|reply| reply.clock.0 == page.welcome.clock && reply.t2 <= reply.t3));
    assert!(replies.windows(2).all(|two| two[0].t3 < two[1].t2), "hub time goes on");
}

#[test]
fn another_ones_clock_and_a_forged_one_are_not_to_be_had() {
    let house = House::new();
    let page = Page::join(&house, None, 1, "phone").unwrap();
    let other = Page::join(&house, None, 2, "tablet").unwrap();
    let mut stolen = socket(house.hub.addr(), "/browser/clock", None).unwrap();
    say(&mut stolen, &BrowserRequest::Clock { session: page.welcome.session, ticket: other.ticket.clone() });
    assert!(!matches!(stolen.read(), Ok(Message::Binary(_))));
    // A datagram in the name of a browser's session moves nothing and is not answered.
    let forger = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    forger.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let (mut plain, mut probe) = (Vec::new(), Vec::new());
    Probe { id: 1, t1: Timestamp::from_ns(1) }.write(&mut plain);
    Seal::to_hub(None, SessionId(page.welcome.session)).seal(Kind::ClockProbe, &plain, &mut probe);
    forger.send_to(&probe, house.hub.addr()).unwrap();
    assert!(forger.recv(&mut [0; 64]).is_err());
}

#[test]
fn wrong_expired_and_revoked_codes_are_told_apart_or_not_as_they_should_be() {
    let house = House::new();
    let (code, said) = refusal(Page::join(&house, Some("K7QX2M4A9T"), 1, "phone"));
    assert!(code == JoinRefusal::WrongCode && said.contains("antiphon join"), "{said}");
    let (_, short) = house.code(1);
    eventually("the code expires", || {
        matches!(
            Page::join(&house, Some(&short), 1, "phone"),
            Err(BrowserReply::Refused { code: JoinRefusal::Expired, .. })
        )
    });
    let (id, code) = house.code(60);
    let mut page = Page::join(&house, Some(&code), 1, "phone").unwrap();
    let listed = house.client().join_codes().unwrap().codes;
    assert!(listed.iter().any(|kept| kept.id == id && kept.speakers == ["phone"]), "{listed:?}");
    house.client().revoke_join_code(&id).unwrap();
    let goodbye = std::iter::from_fn(|| Some(page.hear())).find_map(|heard| match heard {
        Heard::Said(HubMessage::Goodbye { reason }) => Some(reason),
        Heard::Closed => Some(String::new()),
        _ => None,
    });
    assert_eq!(goodbye.as_deref(), Some("its join code was revoked"));
    assert_eq!(refusal(Page::join(&house, Some(&code), 1, "phone")).0, JoinRefusal::WrongCode);
    assert!(house.client().revoke_join_code(&id).unwrap_err().to_string().contains("--list"));
}

#[test]
fn who_tries_many_codes_is_told_to_wait() {
    let house = House::new();
    let mut told = (0..40).map(|_| refusal(Page::join(&house, Some("0000000000"), 1, "phone")).0);
    assert!(told.any(|code| code == JoinRefusal::Full));
}

#[test]
fn a_page_of_another_site_is_refused_and_the_hubs_own_is_not() {
    let house = House::new();
    let at = house.hub.addr();
    for path in ["/browser", "/browser/clock"] {
        assert!(socket(at, path, Some("http://evil.example")).unwrap_err().contains("403"));
        assert!(socket(at, path, Some(&format!("http://{at}"))).is_ok());
    }
}

#[test]
fn what_is_no_join_is_answered_in_words() {
    let house = House::new();
    for text in
        ["", "{}", "[1]", r#"{"type":"join","key":"abc"}"#, r#"{"type":"clock","session":1,"ticket":""}"#]
    {
        let mut socket = socket(house.hub.addr(), "/browser", None).unwrap();
        socket.send(Message::text(text)).unwrap();
        let reply: BrowserReply = json::read("the answer", &socket.read().unwrap().into_data()).unwrap();
        assert!(
            matches!(reply, BrowserReply::Refused { code: JoinRefusal::BadMessage, .. }),
            "{text}: {reply:?}"
        );
    }
    // A paired speaker's name is its own, also while it is away.
    let request = LocalRequest::Pair { speaker_public: "07".repeat(32), name: "kitchen".into() };
    local::ask(&local::socket_path(&house.dir.path().join("run")), &request).unwrap();
    assert_eq!(refusal(Page::join(&house, None, 2, "kitchen")).0, JoinRefusal::NameTaken);
    let _desk = Page::join(&house, None, 1, "desk").unwrap();
    assert_eq!(refusal(Page::join(&house, None, 2, "desk")).0, JoinRefusal::NameTaken);
}

#[test]
fn a_browser_comes_back_in_place_and_after_a_restart_of_the_hub_with_the_same_code() {
    let house = House::new();
    let (_, code) = house.code(600);
    let mut first = Page::join(&house, Some(&code), 1, "phone").unwrap();
    let patch = SpeakerPatch { role: Some(Role::Left), gain_db: Some(-6.0), ..SpeakerPatch::default() };
    let id = house.client().set_speaker("phone", &patch).unwrap().id;
    let file = house.dir.path().join("state/hub.toml");
    eventually("the setting is on disk", || {
        std::fs::read_to_string(&file).is_ok_and(|text| text.contains("left"))
    });
    let second = Page::join(&house, Some(&code), 1, "phone").unwrap();
    assert_eq!((second.welcome.settings.role, second.welcome.settings.gain_db), (Role::Left, -6.0));
    let ended = std::iter::from_fn(|| Some(first.hear())).find(|heard| matches!(heard, Heard::Closed));
    assert!(ended.is_some(), "the first connection ends");
    assert_eq!(house.client().status().unwrap().speakers.len(), 1);
    let house = house.again();
    let third = Page::join(&house, Some(&code), 1, "phone").unwrap();
    assert_eq!((third.welcome.settings.role, third.welcome.settings.gain_db), (Role::Left, -6.0));
    assert_eq!(house.speaker("phone").unwrap().id, id);
    drop(third);
    eventually("a closed page is gone", || house.speaker("phone").is_none());
}

#[test]
fn a_browser_that_does_not_read_loses_the_oldest_and_disturbs_nobody() {
    let house = House::new();
    let stuck = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    stuck.set_recv_buffer_size(4_096).unwrap();
    stuck.connect(&house.hub.addr().into()).unwrap();
    let stuck: TcpStream = stuck.into();
    stuck.set_read_timeout(Some(PATIENCE)).unwrap();
    let stuck = upgraded(Box::new(stuck), "ws", house.hub.addr(), "/browser", None).unwrap();
    let mut stuck = Page::join_on(stuck, None, 1, hello("stuck", &[Codec::L24])).unwrap();
    let mut reader = Page::join(&house, None, 2, "reader").unwrap();
    let mut packets = 0;
    std::thread::scope(|scope| {
        let (done, listen) = std::sync::mpsc::channel::<()>();
        scope.spawn(|| {
            play(&house, 0.1, 0.2, move || listen.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty))
        });
        eventually("packets are dropped", || {
            let end = Instant::now() + Duration::from_millis(500);
            while Instant::now() < end {
                packets += usize::from(matches!(reader.hear(), Heard::Packet(_)));
            }
            stuck.report();
            reader.report();
            house.speaker("stuck").is_some_and(|stuck| stuck.sent.dropped > 50)
        });
        drop(done);
    });
    let reader = house.speaker("reader").unwrap();
    assert!(packets > 100 && reader.sent.dropped == 0, "{packets}, {:?}", reader.sent);
    // What it reads at last is in order, with a gap.
    let mut numbers = Vec::new();
    while numbers.len() < 700 {
        if let Heard::Packet(bytes) = stuck.hear()
            && bytes[0] == 0x90
        {
            numbers.push(MediaPacket::parse(&bytes).unwrap().first_frame.0);
        }
    }
    assert!(numbers.windows(2).all(|two| two[0] < two[1]), "in order");
    assert!(numbers.windows(2).any(|two| two[1] - two[0] > 50 * 120), "with a gap");
}

/// What the hub answers to a plain request.
fn get(house: &House, path: &str) -> String {
    let mut stream = TcpStream::connect(house.hub.addr()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let host = house.hub.addr();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[test]
fn pages_are_anybodys_to_read_allow_nothing_inline_and_lead_nowhere_else() {
    let house = House::new();
    for path in ["/", "/j"] {
        let answer = get(&house, path);
        // A program that was built without its page says so.
        assert!(answer.starts_with("HTTP/1.1 200") || answer.contains("npm run build"), "{answer}");
        let policy = answer.lines().find(|line| line.starts_with("content-security-policy:")).unwrap();
        assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
        assert!(answer.contains("x-content-type-options: nosniff"), "{answer}");
    }
    for path in
        ["/../Cargo.toml", "/assets/../../build.rs", "/%2e%2e/build.rs", "/assets/none.js", "//etc/passwd"]
    {
        assert!(get(&house, path).starts_with("HTTP/1.1 404"), "{path}");
    }
}

/// A connection that trusts the hub's own certificate and no other.
fn encrypted(house: &House) -> (Box<dyn Stream>, SocketAddr) {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    let (port, fingerprint) = house.hub.https().unwrap();
    assert_eq!(fingerprint.split(':').count(), 32);
    let pem = std::fs::read(house.dir.path().join("state/https.pem")).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let at = SocketAddr::new(house.hub.addr().ip(), port);
    let stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let session = rustls::ClientConnection::new(config.into(), "localhost".try_into().unwrap()).unwrap();
    (Box::new(rustls::StreamOwned::new(session, stream)), at)
}

/// A hub that has an encrypted entrance too.
fn with_https() -> House {
    let dir = tempfile::tempdir().unwrap();
    let options = HubOptions { https: Some(0), ..options(dir.path(), "127.0.0.1:0".parse().unwrap()) };
    House { hub: HubDaemon::start(options).unwrap(), dir }
}

/// What is answered, up to the end of the connection.
fn asked(mut stream: Box<dyn Stream>, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // A connection that ends without a word of TLS is an error, and has brought all there was.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

/// The cookies that a code which is typed at `at` gives.
fn logged_in(house: &House, (stream, at): (Box<dyn Stream>, SocketAddr)) -> Vec<String> {
    let code = house.client().offer_access(AccessRole::Control).unwrap().code;
    let body = format!(r#"{{"code":"{code}","name":"phone"}}"#);
    let head = format!("POST /api/v1/login HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n");
    let answer = asked(stream, &format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()));
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    answer.lines().filter_map(|line| line.strip_prefix("set-cookie: ")).map(str::to_owned).collect()
}

#[test]
fn a_code_that_is_typed_over_https_gives_a_token_that_never_goes_out_in_clear() {
    let house = with_https();
    let in_clear = || -> (Box<dyn Stream>, SocketAddr) {
        (Box::new(TcpStream::connect(house.hub.addr()).unwrap()), house.hub.addr())
    };
    let plain = logged_in(&house, in_clear());
    assert!(plain.len() == 1 && plain[0].starts_with("antiphon_access="), "{plain:?}");
    assert!(!plain[0].contains("Secure"), "{plain:?}");
    let sealed = logged_in(&house, encrypted(&house));
    assert!(
        sealed[0].starts_with("__Host-antiphon_access=") && sealed[0].contains("; Secure; "),
        "{sealed:?}"
    );
    assert!(sealed[1].starts_with("antiphon_access=; ") && sealed[1].ends_with("Max-Age=0"), "{sealed:?}");
    for (stream, cookie) in
        [(in_clear(), &plain[0]), (encrypted(&house), &sealed[0]), (encrypted(&house), &plain[0])]
    {
        let (cookie, at) = (cookie.split(';').next().unwrap(), stream.1);
        // By way of a proxy: from this machine itself no token would be needed.
        let head = format!("GET /api/v1/status HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\nVia: x\r\n");
        let answer = asked(stream.0, &format!("{head}Cookie: {cookie}\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{cookie}: {answer}");
    }
}

#[test]
fn a_browser_over_https_is_sealed_and_its_page_is_of_the_encrypted_hub_alone() {
    let house = with_https();
    let (stream, at) = encrypted(&house);
    let made = house.client().make_join_code(&JoinCodeRequest { valid_s: 60, address: None }).unwrap();
    assert_eq!(made.https_url.unwrap(), format!("https://{at}/j#{}", made.code));
    let told = house.client().me().unwrap().https.map(|https| (https.port, https.fingerprint));
    assert_eq!(told.as_ref().map(|(port, fingerprint)| (*port, fingerprint.as_str())), house.hub.https());
    assert_eq!(made.fingerprint, told.map(|(_, fingerprint)| fingerprint));
    let socket = upgraded(stream, "wss", at, "/browser", Some(&format!("https://{at}"))).unwrap();
    let page = Page::join_on(socket, Some(&made.code), 1, hello("phone", &[Codec::Opus])).unwrap();
    let shown = house.speaker("phone").unwrap();
    assert!(shown.sealed && shown.browser && shown.codec == Codec::Opus, "{shown:?}");
    let (stream, at) = encrypted(&house);
    let other = format!("http://{}", house.hub.addr());
    assert!(upgraded(stream, "wss", at, "/browser", Some(&other)).is_err());
    drop(page);
}
