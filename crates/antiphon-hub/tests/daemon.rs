//! A hub as its neighbours meet it: over TCP, UDP and the Unix socket.

use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use antiphon_api::session::{decode_hub, encode_speaker};
use antiphon_api::{
    ApiError, CalibrationGrade, CalibrationMethod, CalibrationRequest, Client, DoneReason, ErrorCode,
    LocalReply, LocalRequest, SourceCommand, SourceLink, SourceNotice, SourcePace, SourceTarget,
    SpeakerCalibration, SpeakerPatch, TransportAction, TransportRequest, json, local,
};
use antiphon_base::{Role, Span};
use antiphon_hub::{HubDaemon, HubError, HubHandle, HubOptions};
use antiphon_proto::session::{
    Approach, Codec, Hello, HubMessage, Identity, PROTOCOL, Pairing, RefusalCode, SealedChannel,
    SpeakerHandshake, SpeakerMessage, Welcome,
};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

struct House {
    dir: TempDir,
    hub: HubHandle,
}

impl House {
    fn new(open: bool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let hub = HubDaemon::start(options(dir.path(), open)).unwrap();
        Self { dir, hub }
    }

    fn client(&self) -> Client {
        Client::new(self.hub.addr().into())
    }

    fn pair(&self, identity: &Identity, name: &str) -> Pairing {
        let request = LocalRequest::Pair { speaker_public: identity.public().to_string(), name: name.into() };
        let reply = local::ask(&local::socket_path(&self.dir.path().join("run")), &request).unwrap();
        let LocalReply::Paired { hub_public, psk, hub_name, .. } = reply else { panic!("{reply:?}") };
        let psk = Identity::from_hex(&psk).unwrap();
        Pairing { peer: hub_public.parse().unwrap(), psk: *psk.secret(), name: hub_name }
    }

    fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.hub.addr()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

fn options(dir: &Path, open: bool) -> HubOptions {
    HubOptions {
        listen: "127.0.0.1:0".parse().unwrap(),
        name: "lab".into(),
        latency: Span::from_ms(200),
        open,
        state_dir: dir.join("state"),
        runtime_dir: dir.join("run"),
        mdns: false,
        https: None,
        services: None,
    }
}

/// A speaker's end of the session, as far as control goes.
#[derive(Debug)]
struct Session {
    socket: WebSocket<TcpStream>,
    channel: Option<SealedChannel>,
}

impl Session {
    fn shake(house: &House, identity: &Identity, approach: Approach) -> Result<Self, String> {
        let stream = TcpStream::connect(house.hub.addr()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let url = format!("ws://{}/session", house.hub.addr());
        let (mut socket, _) = tungstenite::client(url, stream).unwrap();
        let mut handshake = SpeakerHandshake::new(identity, "test", approach, [5; 32]);
        socket.send(Message::binary(handshake.start())).unwrap();
        loop {
            let frame = socket.read().map_err(|error| error.to_string())?.into_data();
            let step = handshake.receive(&frame).map_err(|error| error.to_string())?;
            for frame in step.send {
                socket.send(Message::binary(frame)).unwrap();
            }
            if let Some(established) = step.established {
                return Ok(Self { socket, channel: established.channel });
            }
        }
    }

    fn join(house: &House, identity: &Identity, name: &str) -> Result<(Self, Welcome), String> {
        let pairing = house.pair(identity, name);
        let mut session = Self::shake(house, identity, Approach::Paired(pairing))?;
        session.say(&SpeakerMessage::Hello(hello(name)));
        match session.hear() {
            Some(HubMessage::Welcome(welcome)) => Ok((session, welcome)),
            other => Err(format!("{other:?}")),
        }
    }

    fn say(&mut self, message: &SpeakerMessage) {
        let text = encode_speaker(message);
        let message = match &mut self.channel {
            Some(channel) => Message::binary(channel.seal(&text).unwrap()),
            None => Message::text(String::from_utf8(text).unwrap()),
        };
        self.socket.send(message).unwrap();
    }

    fn hear(&mut self) -> Option<HubMessage> {
        let data = match self.socket.read().ok()? {
            Message::Close(_) => return None,
            message => message.into_data().to_vec(),
        };
        let text = match &mut self.channel {
            Some(channel) => channel.open(&data).unwrap(),
            None => data,
        };
        Some(decode_hub(&text).unwrap())
    }
}

fn hello(name: &str) -> Hello {
    Hello {
        protocol: PROTOCOL,
        name: name.into(),
        software: "test".into(),
        codecs: Codec::ALL.to_vec(),
        channels: 2,
        output: "null:".into(),
        role: None,
        min_latency_us: 10_000,
    }
}

fn identity(n: u8) -> Identity {
    Identity::from_secret([n; 32])
}

fn eventually(what: &str, mut look: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !look() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn open_message(targets: Vec<SourceTarget>) -> SourceCommand {
    SourceCommand::Open {
        channels: 2,
        title: "test".into(),
        duration_frames: Some(24_000),
        targets,
        wait_ms: 0,
        seekable: true,
        first_frame: 0,
        pace: SourcePace::Stored,
    }
}

#[test]
fn a_hub_says_what_it_is() {
    let house = House::new(false);
    let status = house.client().status().unwrap();
    assert_eq!((status.schema, status.hub.name.as_str(), status.hub.open), (1, "lab", false));
    assert_eq!(status.hub.latency_us, 200_000);
    assert!(status.speakers.is_empty());
}

#[test]
fn a_speaker_of_the_same_user_is_paired_without_a_question_and_joins_sealed() {
    let house = House::new(false);
    let (_session, welcome) = Session::join(&house, &identity(1), "desk").unwrap();
    assert_eq!(welcome.hub_name, "lab");
    let status = house.client().status().unwrap();
    assert_eq!(status.speakers.len(), 1);
    assert!(status.speakers[0].sealed && status.speakers[0].name == "desk");
}

#[test]
fn an_unpaired_speaker_and_an_unsealed_one_are_refused() {
    let house = House::new(false);
    let stranger = Pairing { peer: identity(9).public(), psk: [1; 32], name: "lab".into() };
    let said = Session::shake(&house, &identity(1), Approach::Paired(stranger)).unwrap_err();
    assert!(said.contains("antiphon access"), "{said}");
    let said = Session::shake(&house, &identity(1), Approach::Open).unwrap_err();
    assert!(said.contains("sealed"), "{said}");
    assert!(house.client().status().unwrap().speakers.is_empty());
}

#[test]
fn a_code_pairs_one_speaker_once() {
    let house = House::new(false);
    let code = house.client().pairing_code().unwrap().code;
    assert_eq!(code.len(), 6);
    Session::shake(&house, &identity(1), Approach::Code(code.clone())).unwrap();
    let said = Session::shake(&house, &identity(2), Approach::Code(code)).unwrap_err();
    assert!(said.contains("no pairing code"), "{said}");
}

#[test]
fn an_open_hub_takes_unsealed_speakers_and_says_so() {
    let house = House::new(true);
    let mut session = Session::shake(&house, &identity(1), Approach::Open).unwrap();
    session.say(&SpeakerMessage::Hello(hello("desk")));
    assert!(matches!(session.hear(), Some(HubMessage::Welcome(_))));
    let status = house.client().status().unwrap();
    assert!(status.hub.open && !status.speakers[0].sealed);
}

#[test]
fn a_name_in_use_is_refused_to_another_speaker() {
    let house = House::new(false);
    let _first = Session::join(&house, &identity(1), "desk").unwrap();
    let said = Session::join(&house, &identity(2), "desk").unwrap_err();
    assert!(said.contains(&format!("{:?}", RefusalCode::NameTaken)), "{said}");
}

#[test]
fn settings_are_told_to_the_speaker_and_outlive_the_hub() {
    let house = House::new(false);
    let (mut session, _) = Session::join(&house, &identity(1), "desk").unwrap();
    let patch = SpeakerPatch { role: Some(Role::Left), gain_db: Some(-6.0), ..SpeakerPatch::default() };
    house.client().set_speaker("desk", &patch).unwrap();
    loop {
        match session.hear() {
            Some(HubMessage::Settings(settings)) if settings.role == Role::Left => break,
            Some(_) => {}
            None => panic!("the session ended"),
        }
    }
    let file = house.dir.path().join("state/hub.toml");
    eventually("the setting is on disk", || {
        std::fs::read_to_string(&file).is_ok_and(|text| text.contains("left"))
    });
    let House { dir, hub } = house;
    hub.stop();
    let hub = HubDaemon::start(options(dir.path(), false)).unwrap();
    let house = House { dir, hub };
    let (_session, welcome) = Session::join(&house, &identity(1), "desk").unwrap();
    assert_eq!((welcome.settings.role, welcome.settings.gain_db), (Role::Left, -6.0));
}

fn correction(name: &str, delay_us: i64) -> SpeakerCalibration {
    SpeakerCalibration {
        name: name.into(),
        delay_us,
        gain_db: -2.0,
        grade: CalibrationGrade::Good,
        uncertainty_us: 4.0,
        method: CalibrationMethod::Place,
        verified: false,
    }
}

impl Session {
    /// The next delay and gain that the speaker is told.
    fn hear_settings(&mut self) -> (i64, f32) {
        loop {
            match self.hear() {
                Some(HubMessage::Settings(settings)) => return (settings.delay_us, settings.gain_db),
                Some(_) => {}
                None => panic!("the session ended"),
            }
        }
    }
}

#[test]
fn a_calibration_adds_to_what_the_user_set_outlives_the_hub_and_can_be_undone() {
    let house = House::new(false);
    let client = house.client();
    let (mut desk, _) = Session::join(&house, &identity(1), "desk").unwrap();
    let (_shelf, _) = Session::join(&house, &identity(2), "shelf").unwrap();
    let patch = SpeakerPatch { gain_db: Some(-6.0), delay_us: Some(250), ..SpeakerPatch::default() };
    client.set_speaker("desk", &patch).unwrap();
    assert_eq!(desk.hear_settings(), (250, -6.0));
    let speakers = vec![correction("desk", 137_000), correction("shelf", 0)];
    let reply = client.calibrate(&CalibrationRequest { speakers, refine: false }).unwrap();
    assert_eq!(desk.hear_settings(), (137_250, -8.0));
    assert_eq!(
        reply.speakers.iter().map(|speaker| speaker.name.as_str()).collect::<Vec<_>>(),
        ["desk", "shelf"]
    );
    let House { dir, hub } = house;
    hub.stop();
    let house = House { hub: HubDaemon::start(options(dir.path(), false)).unwrap(), dir };
    let client = house.client();
    let (mut desk, welcome) = Session::join(&house, &identity(1), "desk").unwrap();
    assert_eq!((welcome.settings.delay_us, welcome.settings.gain_db), (137_250, -8.0));
    let shown = client.status().unwrap().speakers.remove(0);
    let calibration = shown.calibration.unwrap();
    assert_eq!(
        (shown.delay_us, shown.gain_db, calibration.delay_us),
        (250, -6.0, 137_000),
        "the user's stay the user's"
    );
    assert!(calibration.age_s < 60 && calibration.stale.is_none() && calibration.previous == 0);
    assert_eq!(client.undo_calibration(None).unwrap().speakers, vec![]);
    assert_eq!(desk.hear_settings(), (250, -6.0));
    let error = client.undo_calibration(None).unwrap_err();
    assert!(matches!(&error, ApiError::Refused(body) if body.code == ErrorCode::Conflict), "{error}");
}

#[test]
fn a_calibration_is_for_all_of_its_speakers_or_for_none() {
    let house = House::new(false);
    let _desk = Session::join(&house, &identity(1), "desk").unwrap();
    let client = house.client();
    for (bad, said) in [
        (correction("dusk", 5), "did you mean desk"),
        (correction("desk", 6), "named twice"),
        (SpeakerCalibration { gain_db: 0.5, ..correction("shelf", 5) }, "-100 to 0 dB"),
        (SpeakerCalibration { uncertainty_us: -1.0, ..correction("shelf", 5) }, "uncertainty"),
        (correction("shelf", i64::MIN), "-2000 to 2000 ms"),
    ] {
        let speakers = vec![correction("desk", 5), bad];
        let error = client.calibrate(&CalibrationRequest { speakers, refine: false }).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
    assert_eq!(client.calibrations().unwrap().speakers, vec![]);
}

#[test]
fn a_calibration_made_through_another_codec_is_called_stale() {
    let house = House::new(false);
    let _desk = Session::join(&house, &identity(1), "desk").unwrap();
    let client = house.client();
    let speakers = vec![correction("desk", 5)];
    client.calibrate(&CalibrationRequest { speakers, refine: false }).unwrap();
    let patch = SpeakerPatch { codec: Some(Codec::Opus), ..SpeakerPatch::default() };
    let shown = client.set_speaker("desk", &patch).unwrap();
    assert_eq!(shown.calibration.unwrap().stale.unwrap(), "its codec was l24 and is opus: calibrate again");
    let error = client.undo_calibration(Some("dusk")).unwrap_err();
    assert!(error.to_string().contains("did you mean desk"), "{error}");
    assert_eq!(client.undo_calibration(Some("desk")).unwrap().speakers, vec![]);
}

#[test]
fn an_unknown_speaker_is_answered_with_the_nearest_name() {
    let house = House::new(false);
    let _session = Session::join(&house, &identity(1), "kitchen").unwrap();
    let error = house.client().set_speaker("kichen", &SpeakerPatch::default()).unwrap_err();
    let ApiError::Refused(body) = error else { panic!("{error}") };
    assert_eq!((body.code, body.nearest), (ErrorCode::NotFound, vec!["kitchen".to_owned()]));
}

#[test]
fn a_hub_that_stops_says_goodbye() {
    let house = House::new(false);
    let (mut session, _) = Session::join(&house, &identity(1), "desk").unwrap();
    let House { dir: _kept, hub } = house;
    hub.stop();
    let heard: Vec<_> = std::iter::from_fn(|| session.hear()).collect();
    assert!(matches!(heard.last(), Some(HubMessage::Goodbye { .. })), "{heard:?}");
}

#[test]
fn a_source_plays_to_its_end() {
    let house = House::new(false);
    let hub = house.hub.addr().into();
    let mut link = SourceLink::connect(&hub, &open_message(vec![])).unwrap();
    let mut left = 24_000;
    let end = Instant::now() + Duration::from_secs(20);
    let ended = loop {
        assert!(Instant::now() < end, "never done");
        let run = left.min(link.credit());
        link.push(&vec![0.1; 2 * run]).unwrap();
        if left > 0 && left == run {
            link.end().unwrap();
        }
        left -= run;
        if let Some(SourceNotice::Done { stopped, why }) = link.poll(Duration::from_millis(20)).unwrap() {
            break (stopped, why);
        }
    };
    assert_eq!(ended, (false, DoneReason::Played));
}

#[test]
fn a_source_of_32_channels_is_played_by_channel_and_its_left_is_refused_in_words() {
    let house = House::new(false);
    let _desk = Session::join(&house, &identity(1), "desk").unwrap();
    let answer = |channels, role| {
        let targets = vec![SourceTarget { name: "desk".into(), role }];
        let open = SourceCommand::Open {
            channels,
            title: "test".into(),
            duration_frames: None,
            targets,
            wait_ms: 0,
            seekable: false,
            first_frame: 0,
            pace: SourcePace::Stored,
        };
        let mut link = SourceLink::connect(&house.hub.addr().into(), &open).unwrap();
        link.poll(Duration::from_secs(20)).unwrap().unwrap()
    };
    let refused = |notice| match notice {
        SourceNotice::Error(body) => body.message,
        other => panic!("{other:?}"),
    };
    for role in [Some(Role::Left), Some(Role::Both), Some(Role::Mono), None] {
        let said = refused(answer(9, role));
        assert!(said.contains("\"desk\"") && said.contains("ch1 to ch9"), "{said}");
    }
    assert!(matches!(answer(32, Some(Role::Channel(32))), SourceNotice::Credit { .. }));
    assert!(matches!(answer(8, Some(Role::Left)), SourceNotice::Credit { .. }));
    assert!(refused(answer(33, Some(Role::Channel(1)))).contains("1 to 32"));
}

#[test]
fn pause_and_stop_reach_the_player() {
    let house = House::new(false);
    let client = house.client();
    let act = |action| client.transport(&TransportRequest { action, to: None });
    assert!(
        matches!(act(TransportAction::Pause), Err(ApiError::Refused(body)) if body.code == ErrorCode::Conflict)
    );
    let mut link = SourceLink::connect(&house.hub.addr().into(), &open_message(vec![])).unwrap();
    link.poll(Duration::from_secs(20)).unwrap();
    act(TransportAction::Stop).unwrap();
    assert_eq!(reason(&mut link), DoneReason::Stopped);
}

/// Why the hub ends the link, once it does.
fn reason(link: &mut SourceLink) -> DoneReason {
    loop {
        match link.poll(Duration::from_secs(20)).unwrap() {
            Some(SourceNotice::Done { stopped, why }) => {
                assert_eq!(stopped, why != DoneReason::Played, "players that know no reasons are told too");
                return why;
            }
            Some(_) => {}
            None => panic!("the hub does not end the link"),
        }
    }
}

#[test]
fn a_player_hears_whether_another_took_its_place_or_the_hub_ends() {
    let house = House::new(false);
    let open = || SourceLink::connect(&house.hub.addr().into(), &open_message(vec![])).unwrap();
    let mut first = open();
    first.poll(Duration::from_secs(20)).unwrap();
    let mut second = open();
    second.poll(Duration::from_secs(20)).unwrap();
    assert_eq!(reason(&mut first), DoneReason::Replaced);
    let House { dir: _kept, hub } = house;
    hub.stop();
    assert_eq!(reason(&mut second), DoneReason::HubEnds);
}

#[test]
fn a_player_that_sends_on_after_the_end_reads_the_end_and_no_reset() {
    let house = House::new(false);
    let stream = TcpStream::connect(house.hub.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let url = format!("ws://{}/api/v1/source", house.hub.addr());
    let (mut socket, _) = tungstenite::client(url, stream).unwrap();
    socket.send(Message::text(json::text(&open_message(vec![])))).unwrap();
    socket.read().unwrap();
    house.client().transport(&TransportRequest { action: TransportAction::Stop, to: None }).unwrap();
    for _ in 0..5 {
        socket.send(Message::binary(vec![0; 80])).expect("the hub still listens");
        std::thread::sleep(Duration::from_millis(2));
    }
    let heard: Vec<_> = std::iter::from_fn(|| socket.read().ok()).collect();
    let done = Message::text(json::text(&SourceNotice::from(DoneReason::Stopped)));
    assert_eq!(heard[heard.len() - 2..], [done, Message::Close(None)], "{heard:?}");
}

/// What the player is asked next.
fn question(link: &mut SourceLink) -> SourceNotice {
    loop {
        match link.poll(Duration::from_secs(20)).unwrap() {
            Some(SourceNotice::Credit { .. } | SourceNotice::State(_)) => {}
            Some(notice) => return notice,
            None => panic!("the hub asks nothing"),
        }
    }
}

#[test]
fn the_status_is_of_the_track_that_is_heard_and_a_player_is_asked_for_others() {
    let house = House::new(false);
    let client = house.client();
    let mut link = SourceLink::connect(&house.hub.addr().into(), &open_message(vec![])).unwrap();
    let act = |action, to| client.transport(&TransportRequest { action, to });
    let track = |number, first_frame| {
        let title = format!("track {number}");
        SourceCommand::Track { number, of: 3, title, first_frame, duration_frames: Some(48_000) }
    };
    let shown = |number: u32| {
        let programme = client.status().unwrap().programme;
        programme.track.is_some_and(|track| track.number == number)
            && programme.title == format!("track {number}")
    };
    eventually("there is credit", || {
        link.poll(Duration::from_millis(20)).unwrap();
        link.credit() >= 90_000
    });
    assert!(
        matches!(act(TransportAction::Next, None), Err(ApiError::Refused(body)) if body.code == ErrorCode::Conflict)
    );
    link.track(&track(1, 0)).unwrap();
    link.push(&[0.0; 2 * 24_000]).unwrap();
    link.track(&track(2, 24_000)).unwrap();
    link.push(&[0.0; 2 * 60_000]).unwrap();
    eventually("the first is shown", || shown(1));
    eventually("the second is shown when it is heard", || shown(2));
    let heard = client.status().unwrap().programme;
    assert!(heard.position_s < 1.25 && heard.duration_s == Some(1.0), "{heard:?}");

    act(TransportAction::Next, None).unwrap();
    assert_eq!(question(&mut link), SourceNotice::Skip { from: 2, by: 1 });
    assert_eq!(act(TransportAction::Pause, None).unwrap().track.map(|track| track.number), Some(3));
    // What is said before the answer is of frames that were counted otherwise.
    link.track(&track(1, 0)).unwrap();
    link.position(0).unwrap();
    link.track(&track(3, 0)).unwrap();
    eventually("the third is shown", || shown(3));
    let to = Some(antiphon_api::SeekTo::PositionS(0.5));
    act(TransportAction::Seek, to).unwrap();
    assert_eq!(question(&mut link), SourceNotice::Seek { frame: 24_000 });
    link.position(24_000).unwrap();
    link.track(&track(3, 0)).unwrap();
    eventually("its middle is shown", || client.status().unwrap().programme.position_s == 0.5);
    act(TransportAction::Previous, None).unwrap();
    assert_eq!(question(&mut link), SourceNotice::Skip { from: 3, by: -1 });
}

#[test]
fn a_page_of_another_site_and_a_rebound_name_are_kept_out() {
    let house = House::new(false);
    let get = |headers: &str| {
        house.raw(&format!("GET /api/v1/status HTTP/1.1\r\nConnection: close\r\n{headers}\r\n"))
    };
    let port = house.hub.addr().port();
    assert!(get(&format!("Host: localhost:{port}\r\n")).starts_with("HTTP/1.1 200"));
    assert!(get("Host: evil.example\r\n").starts_with("HTTP/1.1 403"));
    let foreign = get(&format!("Host: localhost:{port}\r\nOrigin: http://evil.example\r\n"));
    assert!(foreign.starts_with("HTTP/1.1 403") && foreign.contains("another site"), "{foreign}");
    let session = house.raw(
        "GET /session HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    assert!(session.starts_with("HTTP/1.1 403"), "{session}");
}

#[test]
fn whatever_it_serves_a_hub_serves_by_its_own_names_alone() {
    let house = House::new(false);
    let ask = |path: &str, headers: &str| {
        house.raw(&format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n"))
    };
    for path in ["/", "/j", "/assets/none.js", "/healthz", "/browser", "/browser/clock"] {
        let answer = ask(path, "Host: evil.example\r\n");
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("by that name"), "{path}: {answer}");
    }
    let addr = house.hub.addr();
    for host in [addr.to_string(), format!("localhost:{}", addr.port()), "[::1]".into(), "192.168.7.7".into()]
    {
        let answer = ask("/healthz", &format!("Host: {host}\r\n"));
        assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
    }
}

#[test]
fn a_speaker_may_call_its_hub_as_its_network_does() {
    let house = House::new(false);
    let upgrade = "GET /session HTTP/1.1\r\nHost: attic.fritz.box:7755\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut stream = TcpStream::connect(house.hub.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(upgrade.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
}

#[test]
fn nonsense_at_every_door_disturbs_nobody() {
    let house = House::new(false);
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut seed = 1u64;
    for length in (0..1_500).step_by(7) {
        let bytes: Vec<u8> = (0..length)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 56) as u8
            })
            .collect();
        udp.send_to(&bytes, house.hub.addr()).unwrap();
    }
    let _ = house.raw("\u{0}\u{1}\u{2}nonsense\r\n\r\n");
    let answer = house.raw("PUT /api/v1/latency HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 5\r\n\r\n{\"a\":");
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("does not read"), "{answer}");
    let long = "x".repeat(20_000);
    let answer = house.raw(&format!(
        "PUT /api/v1/latency HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 20000\r\n\r\n{long}"
    ));
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(house.client().status().is_ok());
}

#[test]
fn a_port_in_use_is_named() {
    let house = House::new(false);
    let dir = tempfile::tempdir().unwrap();
    let options = HubOptions { listen: house.hub.listen(), ..options(dir.path(), false) };
    let error = HubDaemon::start(options).unwrap_err();
    assert!(matches!(error, HubError::PortInUse { .. }), "{error}");
    assert!(error.to_string().contains(&format!("port {}", house.hub.listen().port())), "{error}");
    assert!(!dir.path().join("run/hub.sock").exists(), "nothing is left behind");
}

#[test]
fn a_latency_out_of_range_is_refused_with_the_range() {
    let house = House::new(false);
    for us in [-1, 0, i64::MAX, 5_000_000] {
        let error = house.client().set_latency(us).unwrap_err();
        assert!(matches!(&error, ApiError::Refused(body) if body.message.contains("2000 ms")), "{error}");
    }
    house.client().set_latency(20_000).unwrap();
    assert_eq!(house.client().status().unwrap().hub.latency_us, 20_000);
}

#[test]
fn the_latency_that_was_set_outlives_the_hub_unless_another_is_stated() {
    let House { dir, hub } = House::new(false);
    Client::new(hub.addr().into()).set_latency(90_000).unwrap();
    hub.stop();
    let latency = |hub: HubHandle| Client::new(hub.addr().into()).status().unwrap().hub.latency_us;
    assert_eq!(latency(HubDaemon::resume(options(dir.path(), false)).unwrap()), 90_000);
    assert_eq!(
        latency(HubDaemon::start(options(dir.path(), false)).unwrap()),
        200_000,
        "as its options state"
    );
}

#[test]
fn connections_that_say_nothing_keep_no_speaker_waiting() {
    let house = House::new(true);
    let silent: Vec<_> = (0..160)
        .map(|n| {
            let url = format!("ws://{}/{}", house.hub.addr(), ["session", "browser"][n % 2]);
            tungstenite::client(url, TcpStream::connect(house.hub.addr()).unwrap()).unwrap()
        })
        .collect();
    let began = Instant::now();
    Session::shake(&house, &identity(1), Approach::Open).unwrap();
    // A place of theirs would be free after five seconds at the soonest.
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    drop(silent);
}

#[test]
fn a_socket_left_by_a_killed_hub_is_no_obstacle() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    std::fs::create_dir(&run).unwrap();
    drop(std::os::unix::net::UnixListener::bind(run.join("hub.sock")).unwrap());
    let hub = HubDaemon::start(options(dir.path(), false)).unwrap();
    assert!(local::ask(&local::socket_path(&run), &LocalRequest::Whereabouts).is_ok());
    hub.stop();
    assert!(!run.join("hub.sock").exists());
}
