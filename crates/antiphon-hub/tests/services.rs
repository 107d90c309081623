//! What a hub asks of its services, and what it lets through to them: tried with services that write down what
//! they were asked.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use antiphon_api::advice::{CaseQuery, CheckReport, ExplainQuery, ExplainReport, GuideReport, NamesReport};
use antiphon_api::{
    ErrorBody, ErrorCode, Job, JobKind, JobRequest, JobState, JobsReply, LibraryQuery, LibraryReply,
    QueueAdd, QueuePatch, QueueReply, SignalReport, UploadReply,
};
use antiphon_base::Span;
use antiphon_hub::services::{Bytes, Change, Picture, Served, Services, Tell};
use antiphon_hub::{HubDaemon, HubHandle, HubOptions, MAX_UPLOAD};

/// Answers with next to nothing.
#[derive(Default)]
struct Scribe {
    asked: Mutex<Vec<String>>,
    slow: Duration,
    tell: OnceLock<Tell>,
}

impl std::fmt::Debug for Scribe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scribe")
    }
}

impl Scribe {
    fn note(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

fn none<T>() -> Served<T> {
    Err(ErrorBody::new(ErrorCode::NotFound, "there is no such thing"))
}

fn job() -> Job {
    Job {
        id: "1".into(),
        kind: JobKind::Doctor,
        state: JobState::Running,
        progress: 0.5,
        message: "looking".into(),
        result: None,
        error: None,
    }
}

impl Services for Scribe {
    fn begin(&self, hub: SocketAddr, tell: Tell) {
        assert!(self.tell.set(tell).is_ok());
        assert_ne!(hub.port(), 0);
        self.note("begin".into());
    }

    fn end(&self) {
        self.note("end".into());
    }

    fn library(&self, query: &LibraryQuery) -> Served<LibraryReply> {
        std::thread::sleep(self.slow);
        self.note(format!("{query:?}"));
        Ok(LibraryReply::default())
    }

    fn rescan(&self) -> Served<()> {
        Ok(())
    }

    fn art(&self, id: &str) -> Served<Picture> {
        self.note(format!("art {id:?}"));
        if id == "ab" {
            Ok(Picture { media_type: "image/png", bytes: Bytes::from_static(b"\x89PNG") })
        } else {
            none()
        }
    }

    fn queue(&self) -> QueueReply {
        QueueReply::default()
    }

    fn add(&self, add: &QueueAdd) -> Served<QueueReply> {
        self.note(format!("{add:?}"));
        Ok(QueueReply::default())
    }

    fn change(&self, patch: &QueuePatch) -> Served<QueueReply> {
        self.note(format!("{patch:?}"));
        Ok(QueueReply::default())
    }

    fn remove(&self, key: Option<&str>) -> Served<QueueReply> {
        self.note(format!("remove {key:?}"));
        Ok(QueueReply::default())
    }

    fn upload(&self, name: &str, body: &mut dyn Read) -> Served<UploadReply> {
        let mut bytes = Vec::new();
        let read = body.read_to_end(&mut bytes).map_err(|error| error.kind());
        self.note(format!("upload {name:?} {read:?}"));
        read.map(|read| UploadReply { id: "1".into(), name: name.into(), bytes: read as u64 })
            .map_err(|kind| ErrorBody::new(ErrorCode::BadRequest, kind.to_string()))
    }

    fn start_job(&self, request: &JobRequest) -> Served<Job> {
        self.note(format!("{request:?}"));
        Ok(job())
    }

    fn jobs(&self) -> JobsReply {
        JobsReply { jobs: vec![job()] }
    }

    fn job(&self, id: &str) -> Served<Job> {
        if id == "1" { Ok(job()) } else { none() }
    }

    fn cancel(&self, id: &str) -> Served<Job> {
        self.note(format!("cancel {id:?}"));
        self.job(id)
    }

    fn signals(&self) -> Vec<SignalReport> {
        vec![SignalReport { name: "width".into(), about: "wide".into(), seconds: 1.0 }]
    }

    fn signal(&self, name: &str) -> Served<Bytes> {
        self.note(format!("signal {name:?}"));
        if name == "width" { Ok(Bytes::from_static(b"RIFF")) } else { none() }
    }

    fn check(&self, query: &CaseQuery) -> Served<CheckReport> {
        self.note(format!("check {:?} {:?}", query.model, query.firmware));
        Ok(CheckReport::default())
    }

    fn guide(&self, query: &CaseQuery) -> Served<GuideReport> {
        self.note(format!("guide {:?}", query.method));
        none()
    }

    fn explain(&self, query: &ExplainQuery) -> Served<ExplainReport> {
        self.note(format!("explain {:?}", query.q));
        none()
    }

    fn catalog(&self) -> NamesReport {
        NamesReport::default()
    }
}

struct House {
    _dir: tempfile::TempDir,
    hub: HubHandle,
    scribe: Arc<Scribe>,
}

impl House {
    fn new(scribe: Scribe) -> Self {
        let (dir, scribe) = (tempfile::tempdir().unwrap(), Arc::new(scribe));
        let hub = HubDaemon::start(HubOptions {
            listen: "127.0.0.1:0".parse().unwrap(),
            name: "lab".into(),
            latency: Span::from_ms(200),
            open: false,
            state_dir: dir.path().join("state"),
            runtime_dir: dir.path().join("run"),
            mdns: false,
            https: None,
            services: Some(scribe.clone()),
        })
        .unwrap();
        assert_eq!(scribe.asked(), ["begin"]);
        Self { _dir: dir, hub, scribe }
    }

    fn send(&self, request: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.hub.addr()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(request).unwrap();
        stream
    }

    /// Status and the whole answer.
    fn ask(&self, line: &str, body: &str) -> (u16, String) {
        let head = format!("{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
        answer(self.send(request.as_bytes()))
    }
}

fn answer(mut stream: TcpStream) -> (u16, String) {
    let mut bytes = Vec::new();
    // An answer to what was not read to its end may be followed by a reset.
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    (text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), text)
}

#[test]
fn what_is_asked_for_reaches_the_services_and_nothing_else_does() {
    let house = House::new(Scribe::default());
    for (line, body, status, asked) in [
        (
            "GET /api/v1/library?q=a%20b&from=5",
            "",
            200,
            "LibraryQuery { folder: None, q: Some(\"a b\"), from: 5, count: None }",
        ),
        ("GET /api/v1/library?path=/etc", "", 400, ""),
        ("GET /api/v1/library?from=-1", "", 400, ""),
        ("GET /api/v1/library/ab/art", "", 200, "art \"ab\""),
        ("GET /api/v1/library/..%2f..%2fetc%2fpasswd/art", "", 404, "art \"../../etc/passwd\""),
        ("GET /api/v1/library/../../etc/passwd/art", "", 404, ""),
        (
            "POST /api/v1/queue",
            "{\"items\":[{\"library\":\"x\"}],\"place\":\"now\"}",
            200,
            "QueueAdd { items: [Library(\"x\")], place: Now }",
        ),
        ("POST /api/v1/queue", "{\"items\":[{\"path\":\"/etc/passwd\"}]}", 400, ""),
        (
            "PATCH /api/v1/queue",
            "{\"repeat\":true}",
            200,
            "QueuePatch { current: None, repeat: Some(true), shuffle: None, playing: None, moved: None }",
        ),
        ("DELETE /api/v1/queue", "", 200, "remove None"),
        ("DELETE /api/v1/queue/7", "", 200, "remove Some(\"7\")"),
        (
            "POST /api/v1/jobs",
            "{\"kind\":\"identify\",\"speaker\":\"desk\"}",
            200,
            "Identify { speaker: \"desk\" }",
        ),
        ("POST /api/v1/jobs", "{\"kind\":\"shell\"}", 400, ""),
        ("DELETE /api/v1/jobs/9", "", 404, "cancel \"9\""),
        ("GET /api/v1/signals/width.wav", "", 200, "signal \"width\""),
        ("GET /api/v1/signals/..%2fwidth.wav", "", 404, "signal \"../width\""),
        ("GET /api/v1/signals/width.exe", "", 404, ""),
        ("GET /api/v1/check?model=flip+6&firmware=1.2", "", 200, "check Some(\"flip 6\") Some(\"1.2\")"),
        ("GET /api/v1/guide?method=host-pair", "", 404, "guide Some(\"host-pair\")"),
        ("POST /api/v1/uploads?name=a.wav", "abc", 200, "upload \"a.wav\" Ok(3)"),
    ] {
        let (got, text) = house.ask(line, body);
        assert_eq!(got, status, "{line}: {text}");
        assert_eq!(
            house.scribe.asked(),
            if asked.is_empty() { vec![] } else { vec![asked.to_owned()] },
            "{line}"
        );
    }
    let (_, text) = house.ask("GET /api/v1/library/ab/art", "");
    assert!(
        text.contains("content-type: image/png") && text.contains("x-content-type-options: nosniff"),
        "{text}"
    );
    let scribe = house.scribe.clone();
    drop(house);
    assert!(scribe.asked().contains(&"end".to_owned()));
}

#[test]
fn too_large_a_file_is_refused_before_it_comes_and_when_it_lies_about_its_length() {
    let house = House::new(Scribe::default());
    let head = "POST /api/v1/uploads HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n";
    let announced = format!("{head}content-length: {}\r\n\r\n", MAX_UPLOAD + 1);
    let (status, text) = answer(house.send(announced.as_bytes()));
    assert_eq!(status, 413, "{text}");
    assert!(text.contains("too_large") && text.contains("100 MB"), "{text}");
    assert!(house.scribe.asked().is_empty());
    // Nobody says how much it is.
    let mut stream = house.send(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes());
    let piece = [b"100000\r\n", vec![7; 0x10_0000].as_slice(), b"\r\n"].concat();
    let mut sent = 0;
    while sent <= MAX_UPLOAD && stream.write_all(&piece).is_ok() {
        sent += 0x10_0000;
    }
    let asked = eventually(|| Some(house.scribe.asked()).filter(|asked| !asked.is_empty()));
    assert!(asked[0].contains("Err"), "what was kept of it is thrown away: {asked:?}");
}

#[test]
fn a_file_that_breaks_off_is_not_taken_for_a_whole_one() {
    let house = House::new(Scribe::default());
    let head = "POST /api/v1/uploads HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\nabc";
    drop(house.send(head.as_bytes()));
    let asked = eventually(|| Some(house.scribe.asked()).filter(|asked| !asked.is_empty()));
    assert!(asked[0].contains("Err"), "{asked:?}");
}

#[test]
fn a_slow_service_holds_up_nobody_else() {
    let house = House::new(Scribe { slow: Duration::from_secs(2), ..Scribe::default() });
    let slow: Vec<TcpStream> = (0..8)
        .map(|_| house.send(b"GET /api/v1/library HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"))
        .collect();
    let begun = Instant::now();
    let (status, _) = house.ask("GET /api/v1/status", "");
    assert_eq!(status, 200);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    slow.into_iter().for_each(|stream| assert_eq!(answer(stream).0, 200));
}

#[test]
fn what_services_tell_is_told_to_every_page_and_of_each_job_the_latest() {
    let house = House::new(Scribe::default());
    let tell = house.scribe.tell.get().unwrap();
    let named = |id: &str, progress| Box::new(Job { id: id.into(), progress, ..job() });
    tell(Change::Job(named("a", 0.1)));
    tell(Change::Job(named("b", 0.2)));
    tell(Change::Job(named("a", 0.9)));
    tell(Change::Queue(QueueReply { repeat: true, ..QueueReply::default() }));
    let stream = TcpStream::connect(house.hub.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let url = format!("ws://{}/api/v1/events", house.hub.addr());
    let (mut socket, _) = tungstenite::client(url, stream).unwrap();
    let mut told = Vec::new();
    while told.len() < 3 {
        let text = socket.read().unwrap().into_text().unwrap().to_string();
        if text.contains("\"type\":\"job\"") || text.contains("\"type\":\"queue\"") {
            told.push(text);
        }
    }
    assert!(told[0].contains("\"id\":\"b\"") && told[1].contains("\"progress\":0.9"), "{told:?}");
    assert!(
        told[2].starts_with("{\"type\":\"queue\",\"queue\":{") && told[2].contains("\"repeat\":true"),
        "{told:?}"
    );
}

fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "it never comes true");
        std::thread::sleep(Duration::from_millis(20));
    }
}
