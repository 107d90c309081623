//! A hub for those without a terminal: library, queue, uploads and jobs over its API.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use antiphon_api::{
    ErrorCode, Job, JobResult, JobState, LibraryReply, ProgrammeState, QueueReply, TransportAction,
    TransportRequest, UploadReply, json,
};
use antiphon_measure::recording::{Recording, read_wav, write_wav};

use crate::house::{House, eventually};
use crate::lab::one_microphone;

/// The tones of the two files.
const TONES: [f64; 2] = [443.7, 701.3];

/// What a PNG file begins with.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

/// A WAV file of a tone with tags: RIFF's own list of texts.
fn write_tagged(path: &Path, seconds: u32, hz: f64, title: &str, artist: &str) {
    let text = |id: &[u8; 4], text: &str| {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        let length = bytes.len() as u32;
        bytes.resize(bytes.len().next_multiple_of(2), 0);
        [id.as_slice(), &length.to_le_bytes(), &bytes].concat()
    };
    let list = [b"INFO".to_vec(), text(b"INAM", title), text(b"IART", artist)].concat();
    let sample =
        |n: u32| (0.5 * (f64::from(n) * hz * std::f64::consts::TAU / 48_000.0).sin() * 32_767.0) as i16;
    let data: Vec<u8> = (0..seconds * 48_000).flat_map(|n| [sample(n).to_le_bytes(); 2].concat()).collect();
    let format = [1u16.to_le_bytes(), 2u16.to_le_bytes()].concat();
    let format = [format, 48_000u32.to_le_bytes().to_vec(), 192_000u32.to_le_bytes().to_vec()].concat();
    let format = [format, 4u16.to_le_bytes().to_vec(), 16u16.to_le_bytes().to_vec()].concat();
    let chunk =
        |id: &[u8; 4], body: &[u8]| [id.as_slice(), &(body.len() as u32).to_le_bytes(), body].concat();
    let body =
        [b"WAVE".to_vec(), chunk(b"fmt ", &format), chunk(b"LIST", &list), chunk(b"data", &data)].concat();
    fs::write(path, chunk(b"RIFF", &body)).unwrap();
}

/// Sends `head` and `body` to the hub; its status and its answer.
fn ask(house: &House, line: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(house.client().hub().resolve().unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!(
        "{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // What is refused early is not read to its end.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let split = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(answer.len());
    let head = String::from_utf8_lossy(&answer[..split]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, answer.get(split + 4..).unwrap_or_default().to_vec())
}

fn told<T: serde::de::DeserializeOwned>(house: &House, line: &str, body: &str) -> T {
    let (status, answer) = ask(house, line, body.as_bytes());
    assert_eq!(status, 200, "{line}: {}", String::from_utf8_lossy(&answer));
    json::read(line, &answer).unwrap()
}

fn queue(house: &House) -> QueueReply {
    told(house, "GET /api/v1/queue", "")
}

fn current(queue: &QueueReply) -> &str {
    let current = queue.items.iter().find(|item| Some(&item.key) == queue.current.as_ref());
    current.map_or("", |item| item.title.as_str())
}

fn hears(house: &House, title: &str) {
    eventually(&format!("{title} is heard"), || {
        let programme = house.client().status().unwrap().programme;
        programme.state == ProgrammeState::Playing && programme.title == title && programme.position_s > 0.3
    });
}

/// How much of the loudest tenth of a second is the tone: 1 is all of it.
fn likeness(recording: &Recording, hz: f64) -> f64 {
    let of = |block: &[f32]| {
        let (mut re, mut im, mut all) = (0.0, 0.0, 1e-9);
        for (n, sample) in block.iter().enumerate() {
            let (sample, phase) = (f64::from(*sample), n as f64 * hz * std::f64::consts::TAU / 48_000.0);
            (re, im, all) = (re + sample * phase.cos(), im + sample * phase.sin(), all + sample * sample);
        }
        // Below a tenth of the tone's level it is not heard.
        if all < 4_800.0 * 0.001 { 0.0 } else { (re * re + im * im) * 2.0 / (all * block.len() as f64) }
    };
    recording.samples.chunks_exact(4_800).map(of).fold(0.0, f64::max)
}

fn music(house: &mut House) {
    let folder = house.path("music");
    fs::create_dir_all(folder.join("Album")).unwrap();
    write_tagged(&folder.join("Album/1.wav"), 30, TONES[0], "First", "Anna");
    write_tagged(&folder.join("Album/2.wav"), 30, TONES[1], "Second", "Anna");
    fs::write(folder.join("Album/cover.png"), PNG).unwrap();
    house.set_music(&folder);
}

fn library(house: &House, query: &str) -> LibraryReply {
    eventually("the folders are read", || !told::<LibraryReply>(house, "GET /api/v1/library", "").reading);
    told(house, &format!("GET /api/v1/library{query}"), "")
}

#[test]
fn files_of_a_folder_are_found_queued_heard_and_still_there_after_a_restart() {
    let mut house = House::empty();
    music(&mut house);
    house.start_hub();
    let speaker = house.speaker("a", "+40");
    let top = library(&house, "");
    assert_eq!((top.folder.name.as_str(), top.folders[0].name.as_str()), ("music", "Album"));
    let found = library(&house, "?q=ANNA%20first");
    assert_eq!(found.total, 1);
    let first = &found.files[0];
    assert_eq!(
        (first.title.as_str(), first.artist.as_deref(), first.duration_s),
        ("First", Some("Anna"), Some(30.0))
    );
    let (status, picture) = ask(&house, &format!("GET /api/v1/library/{}/art", first.id), b"");
    assert_eq!((status, first.art, picture.as_slice()), (200, true, PNG));

    let add = format!("{{\"items\":[{{\"library\":\"{}\"}}],\"place\":\"now\"}}", top.folders[0].id);
    let queued: QueueReply = told(&house, "POST /api/v1/queue", &add);
    assert_eq!(queued.items.iter().map(|item| item.title.as_str()).collect::<Vec<_>>(), ["First", "Second"]);
    assert!(queued.items.iter().all(|item| item.art == Some(true)), "{queued:?}");
    hears(&house, "Anna - First");
    assert!(queue(&house).playing && current(&queue(&house)) == "First");
    house.client().transport(&TransportRequest { action: TransportAction::Next, to: None }).unwrap();
    hears(&house, "Anna - Second");
    assert_eq!(current(&queue(&house)), "Second");

    house.kill_hub();
    house.start_hub();
    let kept = queue(&house);
    assert_eq!((kept.items.len(), current(&kept), kept.playing), (2, "Second", false));
    eventually("the speaker is back", || {
        house.status_of("a").is_some_and(|s| s.report.is_some_and(|r| r.synced))
    });
    told::<QueueReply>(&house, "PATCH /api/v1/queue", "{\"playing\":true}");
    hears(&house, "Anna - Second");
    // What is heard is taken out: nothing follows it.
    let key = kept.current.unwrap();
    let left: QueueReply = told(&house, &format!("DELETE /api/v1/queue/{key}"), "");
    assert_eq!(left.items.len(), 1);
    eventually("it stops", || !queue(&house).playing);
    assert_eq!(speaker.interrupt(), Some(0));
    let recording = Recording::read(&house.path("a.wav"), 0).unwrap();
    for hz in TONES {
        assert!(likeness(&recording, hz) > 0.95, "{hz} Hz: {}", likeness(&recording, hz));
    }
    assert!(likeness(&recording, 2_000.0) < 0.05);
}

#[test]
fn nothing_outside_the_music_folders_can_be_named() {
    let mut house = House::empty();
    music(&mut house);
    let (folder, secret) = (house.path("music"), house.path("secret.wav"));
    write_tagged(&secret, 1, 300.0, "Secret", "Nobody");
    std::os::unix::fs::symlink(&secret, folder.join("link.wav")).unwrap();
    std::os::unix::fs::symlink(house.path("state"), folder.join("state")).unwrap();
    house.start_hub();
    assert_eq!(library(&house, "?q=secret").total, 0);
    assert_eq!(library(&house, "?q=wav").total, 2);
    let absolute = secret.display().to_string();
    let encoded = absolute.replace('/', "%2f");
    for id in [
        "..",
        "../secret.wav",
        "..%2fsecret.wav",
        "%2e%2e%2fsecret.wav",
        &absolute,
        &encoded,
        "link.wav",
        "a%00b",
    ] {
        for line in [format!("GET /api/v1/library/{id}/art"), format!("GET /api/v1/library?folder={id}")] {
            let (status, answer) = ask(&house, &line, b"");
            assert_eq!(status, 404, "{line}: {}", String::from_utf8_lossy(&answer));
        }
        let add = format!("{{\"items\":[{{\"library\":\"{id}\"}}]}}");
        assert_eq!(ask(&house, "POST /api/v1/queue", add.as_bytes()).0, 404, "{id}");
        let job = format!("{{\"kind\":\"measure\",\"upload\":\"{id}\"}}");
        assert_eq!(ask(&house, "POST /api/v1/jobs", job.as_bytes()).0, 404, "{id}");
    }
    // A file that has become a link out of the folders since it was found.
    let found = library(&house, "?q=first").files[0].id.clone();
    assert_eq!(ask(&house, &format!("GET /api/v1/library/{found}/art"), b"").0, 200);
    fs::remove_file(folder.join("Album/1.wav")).unwrap();
    std::os::unix::fs::symlink(&secret, folder.join("Album/1.wav")).unwrap();
    assert_eq!(ask(&house, &format!("GET /api/v1/library/{found}/art"), b"").0, 404);
}

#[test]
fn a_microphone_that_cannot_be_had_is_no_fault_of_the_hubs() {
    let house = House::new();
    let _speaker = house.speaker("a", "+40");
    let begun: Job = told(&house, "POST /api/v1/jobs", "{\"kind\":\"calibrate\",\"mic\":\"pulse:\"}");
    let read = || told::<Job>(&house, &format!("GET /api/v1/jobs/{}", begun.id), "");
    eventually("it has failed", || read().state == JobState::Failed);
    let error = read().error.unwrap();
    assert!(error.code == ErrorCode::Conflict && error.message.contains("sound server"), "{error:?}");
}

#[test]
fn an_uploaded_recording_is_measured_by_a_job() {
    let house = House::new();
    let track = house.path("track.wav");
    house.order(&["signal", "measure", "-o", track.to_str().unwrap(), "--bits", "16"]);
    // 8 ms.
    write_wav(&house.path("heard.wav"), &one_microphone(&read_wav(&track).unwrap(), 384, 0.8)).unwrap();
    let bytes = fs::read(house.path("heard.wav")).unwrap();
    let (status, answer) = ask(&house, "POST /api/v1/uploads?name=..%2Fheard.wav", &bytes);
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
    let upload: UploadReply = json::read("the upload", &answer).unwrap();
    assert_eq!((upload.name.as_str(), upload.bytes), ("../heard.wav", bytes.len() as u64));
    let request = format!("{{\"kind\":\"measure\",\"upload\":\"{}\"}}", upload.id);
    let begun: Job = told(&house, "POST /api/v1/jobs", &request);
    let read = || told::<Job>(&house, &format!("GET /api/v1/jobs/{}", begun.id), "");
    eventually("it is measured", || read().state != JobState::Running);
    let job = read();
    let Some(JobResult::Measurement(found)) = &job.result else { panic!("{job:?}") };
    assert_eq!((job.state, found.grade.as_str()), (JobState::Done, "good"), "{job:?}");
    assert!((found.pairs[0].delay_us - 8_000.0).abs() < 1.0, "{:?}", found.pairs[0]);
    assert!(job.message.contains("8.000 ms"), "{}", job.message);
    // Without one left and one right speaker a recording corrects nothing.
    let request = format!("{{\"kind\":\"calibrate\",\"upload\":\"{}\"}}", upload.id);
    let begun: Job = told(&house, "POST /api/v1/jobs", &request);
    let read = || told::<Job>(&house, &format!("GET /api/v1/jobs/{}", begun.id), "");
    eventually("it is refused", || read().state == JobState::Failed);
    assert!(read().message.contains("one left"), "{:?}", read());
    let mut stream = TcpStream::connect(house.client().hub().resolve().unwrap()).unwrap();
    stream
        .write_all(b"POST /api/v1/uploads HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000001\r\n\r\n")
        .unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");
}
