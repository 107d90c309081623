//! Radio stations and files on web servers, from a server of this program's own.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use antiphon_audio::source::{News, Problem, Refusal, Source, SourceError, SourceSpec, open, prefetch};
use antiphon_base::{Frames, Span};

mod server;

use server::{Asked, Server, with_titles};

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

/// 14.6 s of speech, mono, 48 kHz.
fn speech() -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../antiphon-cli/tests/fixtures/strong.mp3"))
        .unwrap()
}

fn tune(url: &str) -> Result<Source, SourceError> {
    open(&SourceSpec::Url(url.to_owned()))
}

fn file(name: &str) -> Vec<f32> {
    let mut source =
        open(&SourceSpec::Path(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)))
            .unwrap();
    read(&mut source, usize::MAX)
}

/// Up to `frames` frames.
fn read(source: &mut Source, frames: usize) -> Vec<f32> {
    let mut samples = Vec::new();
    let mut left = frames;
    while left > 0 {
        match source.read(left.min(997), &mut samples).unwrap() {
            0 => break,
            read => left -= read,
        }
    }
    samples
}

/// Why `answer` cannot be played, and how long that took.
fn refused<R>(answer: impl Fn(Asked) -> R + Send + Sync + 'static) -> (SourceError, Duration) {
    let server = Server::start(move |asked| {
        answer(asked);
    });
    let begin = Instant::now();
    let error = tune(&server.url("/radio")).expect_err("refused");
    assert!(error.to_string().contains("/radio"), "{error}");
    (error, begin.elapsed())
}

/// A station that sends `bytes` over and over.
fn station(kind: &'static str, headers: &'static str, bytes: Vec<u8>) -> Server {
    Server::start(move |mut asked| {
        assert!(
            asked.head.contains("icy-metadata: 1") && asked.head.contains("user-agent: antiphon/"),
            "{}",
            asked.head
        );
        asked.begin(kind, headers);
        asked.for_ever(&bytes);
    })
}

fn energy(samples: &[f32]) -> f64 {
    samples.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>()
}

/// The same sound up to noise 40 dB down.
fn assert_same(heard: &[f32], wanted: &[f32]) {
    let length = heard.len().min(wanted.len());
    let difference: Vec<f32> = heard[..length].iter().zip(&wanted[..length]).map(|(a, b)| a - b).collect();
    let (left, all) = (energy(&difference), energy(&wanted[..length]));
    assert!(all > 1.0 && left < 1e-4 * all, "{left:.3e} of {all:.3e} over {length} samples");
}

#[test]
fn a_station_is_heard_and_its_titles_are_told_where_they_begin() {
    // Two in the middle of a block of AAC; the rest of the stream has none.
    let sound = fixture("stereo-44k.aac").repeat(40);
    let sent = with_titles(&sound, 8_000, &["One - 1", "It's two"]);
    let server = station("audio/aac", "icy-name: Radio \u{c4}\r\nicy-metaint: 8000\r\n", sent);
    let mut source = tune(&server.url("/;stream")).unwrap();
    assert_eq!(source.info().title.as_deref(), Some("Radio \u{c4}"));
    assert_eq!((source.info().codec, source.info().rate, source.info().channels), ("aac", 44_100, 2));
    assert!(!source.info().seekable && source.info().frames.is_none());
    let mut told = Vec::new();
    let mut heard = Vec::new();
    for _ in 0..60 {
        heard.extend(read(&mut source, 4_800));
        while let Some(News::Title(title)) = source.news() {
            told.push((title, source.position().0));
        }
    }
    // The file alone is what the stream begins with.
    let wanted = file("stereo-44k.aac");
    assert_same(&heard[2_000..40_000], &wanted[2_000..40_000]);
    // 8,000 bytes are 0.66 s; told within a read of 0.1 s and what a decoder reads ahead.
    let titles: Vec<_> = told.iter().map(|(title, _)| title.as_str()).collect();
    assert_eq!(titles, ["One - 1", "It's two"]);
    for ((_, at), due_s) in told.iter().zip([0.66, 1.32]) {
        assert!((*at as f64 / 48_000.0 - due_s).abs() < 0.5, "told at {at}, due at {due_s} s");
    }
}

#[test]
fn every_kind_of_stream_is_decoded_and_entered_anywhere() {
    let mp3 = speech();
    for (kind, bytes, codec) in [
        ("audio/mpeg", mp3[2_345..].to_vec(), "mp3"),
        ("audio/aacp", fixture("stereo-44k.aac")[1_234..].repeat(5), "aac"),
        ("application/ogg", fixture("stereo-44k.ogg").repeat(5), "vorbis"),
        ("audio/ogg", fixture("stereo-48k.opus").repeat(5), "opus"),
        ("audio/flac", fixture("stereo-44k.flac"), "flac"),
        ("application/octet-stream", mp3, "mp3"),
    ] {
        let server = Server::start(move |mut asked| {
            asked.begin(kind, "icy-br: 128\r\n");
            asked.send(&bytes);
            asked.hold();
        });
        let mut source = tune(&server.url("/")).unwrap_or_else(|e| panic!("{kind} {codec}: {e}"));
        assert_eq!(source.info().codec, codec);
        // FLAC has 0.25 s, less than is held back: what follows is a silent server.
        if codec != "flac" {
            // The speech begins with a second of nothing.
            let heard = read(&mut source, 96_000);
            assert!(energy(&heard) > 1.0, "{kind} {codec}: {}", energy(&heard));
        }
    }
}

#[test]
fn songs_that_follow_each_other_in_ogg_are_one_programme_whatever_their_shape() {
    let songs: Vec<u8> =
        ["stereo-48k.opus", "surround51.opus", "stereo-48k.opus", "stereo-44k.ogg", "stereo-48k.opus"]
            .iter()
            .flat_map(|name| fixture(name))
            .collect();
    let server = station("application/ogg", "icy-name: Chain\r\n", songs);
    let mut source = tune(&server.url("/")).unwrap();
    let heard = read(&mut source, 150_000);
    let stereo = file("stereo-48k.opus");
    assert_same(&heard[2_000..48_000], &stereo[2_000..48_000]);
    // 0.5 s, 0.3 s of six channels, and 0.5 s again, to the frame.
    let third = 2 * (24_000 + 14_400);
    assert_same(&heard[third..third + 48_000], &stereo[..48_000]);
    assert!(energy(&heard[48_000..third]) > 10.0);
    // 0.5 s of another rate, and the first again.
    let fifth = third + 2 * (24_000 + 24_000);
    assert_same(&heard[fifth..fifth + 48_000], &stereo[..48_000]);
    assert_eq!(source.news(), Some(News::Title("Nobody - Two_Tones".into())));
    assert_eq!(source.damage().skipped, 0);
}

#[test]
fn old_servers_that_say_icy_are_understood() {
    let bytes = fixture("stereo-44k.aac").repeat(20);
    let server = Server::start(move |mut asked| {
        // In two pieces, as networks like to.
        asked.send(b"IC");
        std::thread::sleep(Duration::from_millis(50));
        asked.send(
            b"Y 200 OK\r\nicy-notice1:<BR>This is old<BR>\r\nicy-name:Old\r\ncontent-type:audio/aac\r\n\r\n",
        );
        asked.for_ever(&bytes);
    });
    let mut source = tune(&server.url("/")).unwrap();
    assert_eq!(source.info().title.as_deref(), Some("Old"));
    assert_same(&read(&mut source, 20_000)[2_000..], &file("stereo-44k.aac")[2_000..40_000]);
}

/// Sends `bytes` evenly, so many in a second; stalls once as soon as `pause` says how long, after which it
/// makes good what it owes.
fn send_paced(asked: &mut Asked, bytes: &[u8], per_second: f64, pause: impl Fn(f64) -> Option<Duration>) {
    let begin = Instant::now();
    let (mut sent, mut paused) = (0, false);
    while sent < bytes.len() {
        let due = ((begin.elapsed().as_secs_f64() * per_second) as usize).min(bytes.len());
        if due > sent && !asked.send(&bytes[sent..due]) {
            return;
        }
        sent = due;
        let wait = pause(begin.elapsed().as_secs_f64()).filter(|_| !paused);
        paused |= wait.is_some();
        std::thread::sleep(wait.unwrap_or(Duration::from_millis(20)));
    }
}

/// Reads as a hub does, at the pace of its clock, for `seconds`; the least that was ever in store.
fn least_in_store(source: Source, seconds: f64) -> f64 {
    let mut source = prefetch(source).unwrap();
    let (mut begin, mut received, mut least) = (None, 0, f64::MAX);
    let mut samples = Vec::new();
    while begin.is_none_or(|begin: Instant| begin.elapsed().as_secs_f64() < seconds) {
        samples.clear();
        // Two seconds ahead at most.
        let played = begin.map_or(0.0, |begin: Instant| begin.elapsed().as_secs_f64());
        while received as f64 / 48_000.0 < played + 2.0 {
            match source.try_read(2_400, &mut samples).unwrap() {
                Some(read) => received += read,
                None => break,
            }
        }
        if received > 0 {
            let begin = *begin.get_or_insert_with(Instant::now);
            least = least.min(received as f64 / 48_000.0 - begin.elapsed().as_secs_f64());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    least
}

#[test]
fn a_server_that_sends_in_real_time_and_stalls_for_half_a_second_is_not_heard_to() {
    let bytes = speech();
    let server = Server::start(move |mut asked| {
        asked.begin("audio/mpeg", "icy-name: Slow\r\n");
        send_paced(&mut asked, &bytes, 58_701.0 / 14.6, |at| {
            (at > 3.5).then_some(Duration::from_millis(500))
        });
        asked.hold();
    });
    let least = least_in_store(tune(&server.url("/")).unwrap(), 6.0);
    assert!(least > 0.2, "{least:.3} s in store");
}

#[test]
fn a_station_that_breaks_off_is_tuned_in_again_in_another_shape_and_what_was_silent_is_said_once() {
    let tried = Arc::new(AtomicUsize::new(0));
    let counted = tried.clone();
    let (first, then) = (fixture("stereo-44k.aac").repeat(4), speech());
    let server = Server::start(move |mut asked| {
        counted.fetch_add(1, Ordering::AcqRel);
        match asked.nth {
            // 2 s at once, and gone.
            0 => {
                asked.begin("audio/aac", "icy-name: Broken\r\n");
                asked.send(&first);
            }
            1 | 2 => {
                asked.reply("503 Service Unavailable", "", b"later");
            }
            _ => {
                asked.begin("audio/mpeg", "");
                asked.for_ever(&then);
            }
        }
    });
    let mut source = tune(&server.url("/")).unwrap();
    let begin = Instant::now();
    let heard = read(&mut source, 48_000 * 6);
    assert_eq!(heard.len(), 2 * 48_000 * 6, "it goes on in the channels that it began with");
    // Speech of one channel is on both sides.
    assert!(energy(&heard[2 * 48_000 * 3..]) > 10.0);
    assert!(heard[2 * 48_000 * 3..].chunks(2).all(|frame| frame[0] == frame[1]));
    assert_eq!(tried.load(Ordering::Acquire), 4);
    assert!(
        begin.elapsed() > Duration::from_millis(3_300),
        "pauses of 0.5, 1 and 2 s: {:?}",
        begin.elapsed()
    );
    let said: Vec<News> = std::iter::from_fn(|| source.news()).collect();
    let [News::Remark(silent), News::Remark(back), ..] = said.as_slice() else { panic!("{said:?}") };
    assert!(silent.contains("Broken is silent") && silent.contains("503"), "{silent}");
    assert!(back.contains("Broken is back after"), "{back}");
    assert!(!said[2..].iter().any(|news| matches!(news, News::Remark(_))), "{said:?}");
}

#[test]
fn a_station_that_was_away_for_less_than_what_was_in_store_is_not_talked_about() {
    let bytes = speech();
    let server = Server::start(move |mut asked| {
        asked.begin("audio/mpeg", "");
        // The first breaks off in the middle of a frame, after 8 s.
        if asked.nth == 0 {
            asked.send(&bytes[..32_111])
        } else {
            asked.send(&bytes)
        };
        if asked.nth > 0 {
            asked.hold();
        }
    });
    let mut source = tune(&server.url("/")).unwrap();
    assert_eq!(read(&mut source, 48_000 * 12).len(), 48_000 * 12);
    assert_eq!(source.news(), None);
}

#[test]
fn who_stops_listening_is_gone_at_once_even_from_a_server_that_is_silent() {
    let gone = Arc::new(AtomicBool::new(false));
    let (told, bytes) = (gone.clone(), fixture("stereo-44k.aac"));
    let server = Server::start(move |mut asked| {
        asked.begin("audio/aac", "");
        asked.send(&bytes);
        asked.hold();
        told.store(true, Ordering::Release);
    });
    let source = prefetch(tune(&server.url("/")).unwrap()).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(!gone.load(Ordering::Acquire));
    drop(source);
    let end = Instant::now() + Duration::from_secs(3);
    while !gone.load(Ordering::Acquire) {
        assert!(Instant::now() < end, "still listening");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn playlists_and_redirects_lead_to_the_stream() {
    let bytes = fixture("stereo-44k.aac").repeat(20);
    let server = Server::start(move |mut asked| match () {
        () if asked.is_for("/stream") => {
            asked.begin("audio/aac", "icy-name: Found\r\n");
            asked.for_ever(&bytes);
        }
        () if asked.is_for("/a.pls") => {
            asked.reply(
                "200 OK",
                "Content-Type: audio/x-scpls\r\n",
                b"[playlist]\nFile1=/gone\nFile2=moved\n",
            );
        }
        () if asked.is_for("/b.m3u") => {
            asked.reply("200 OK", "Content-Type: audio/x-mpegurl\r\n", b"#EXTM3U\na.pls\n");
        }
        () if asked.is_for("/moved") => {
            asked.reply("302 Found", "Location: /stream\r\n", b"");
        }
        () => {
            asked.reply("404 Not Found", "", b"no");
        }
    });
    for path in ["/stream", "/moved", "/a.pls", "/b.m3u"] {
        let source = tune(&server.url(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        assert_eq!(source.info().title.as_deref(), Some("Found"), "{path}");
    }
}

#[test]
fn a_playlist_that_leads_to_a_dead_stream_names_the_stream() {
    let server = Server::start(move |mut asked| {
        let (status, headers, body): (_, _, &[u8]) = match () {
            () if asked.is_for("/outer.m3u") => ("200 OK", "", b"#EXTM3U\ninner.pls\n"),
            () if asked.is_for("/inner.pls") => ("200 OK", "", b"[playlist]\nFile1=/dead\nFile2=/page\n"),
            () if asked.is_for("/page") => ("200 OK", "Content-Type: text/html\r\n", b"<html>"),
            () => ("404 Not Found", "", b"no"),
        };
        asked.reply(status, headers, body);
    });
    let list = server.url("/outer.m3u");
    let error = tune(&list).unwrap_err();
    let said = error.to_string();
    let wanted =
        format!("{list} is a playlist, and what it leads to cannot be played: {} is", server.url("/dead"));
    assert!(
        said.starts_with(&wanted) && matches!(error.cause(), Problem::Http(Refusal::Status(404))),
        "{said}"
    );
}

#[test]
fn a_playlist_on_the_disk_that_names_addresses_alone_plays_the_first_that_answers() {
    let bytes = fixture("stereo-44k.aac").repeat(20);
    let server = Server::start(move |mut asked| {
        if asked.is_for("/live") {
            asked.begin("audio/aac", "icy-name: Found\r\n");
            asked.for_ever(&bytes);
        } else {
            asked.reply("404 Not Found", "", b"no");
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let listed = |name: &str, text: String| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        open(&SourceSpec::Path(path))
    };
    let (dead, live) = (server.url("/dead"), server.url("/live"));
    for (name, text) in [
        ("radio.m3u", format!("#EXTM3U\n#EXTINF:-1,Radio\n{dead}\n{live}\n")),
        ("radio.pls", format!("[playlist]\nFile1={dead}\nFile2={live}\n")),
    ] {
        let mut source = listed(name, text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(source.info().title.as_deref(), Some("Found"), "{name}");
        assert!(energy(&read(&mut source, 4_800)) > 0.0, "{name}");
    }
    let said = listed("dead.m3u", format!("{dead}\n")).unwrap_err().to_string();
    assert!(
        said.contains("dead.m3u is a playlist") && said.contains(&format!("{dead} is not there")),
        "{said}"
    );
    let said = listed("pieces.m3u8", format!("#EXTM3U\n#EXT-X-VERSION:3\n{live}\n")).unwrap_err().to_string();
    assert!(said.contains("pieces.m3u8 is a stream of pieces (HLS)"), "{said}");
}

#[test]
fn what_is_no_station_is_refused_each_in_its_own_words() {
    let html = |mut asked: Asked| asked.reply("200 OK", "Content-Type: text/html\r\n", b"<html>buy</html>");
    let status = |line: &'static str| move |mut asked: Asked| asked.reply(line, "", b"<html>no</html>");
    let list = |body: &'static [u8]| {
        move |mut asked: Asked| asked.reply("200 OK", "Content-Type: application/vnd.apple.mpegurl\r\n", body)
    };
    let cases: [(SourceError, &str); 11] = [
        (refused(html).0, "a web page"),
        (refused(status("404 Not Found")).0, "is wrong or the station has moved"),
        (refused(status("410 Gone")).0, "is wrong or the station has moved"),
        (refused(status("403 Forbidden")).0, "lets nobody in"),
        (refused(status("500 Oops")).0, "nothing is wrong here"),
        (refused(list(b"#EXTM3U\n#EXT-X-TARGETDURATION:5\na.ts\n")).0, "HLS"),
        (refused(list(b"#EXTM3U\n")).0, "no address"),
        (refused(list(b"#EXTM3U\n/radio\n")).0, "leads to others without end"),
        (refused(|mut asked| asked.reply("302 Found", "Location: /radio\r\n", b"")).0, "without end"),
        (refused(|mut asked| asked.reply("200 OK", "Content-Type: audio/mpeg\r\n", b"")).0, "sends nothing"),
        (refused(|mut asked| asked.send(b"220 mail.example ESMTP\r\n")).0, "no HTTP"),
    ];
    for (error, words) in &cases {
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(matches!(cases[1].0.problem, Problem::Http(Refusal::Status(404))));
    // A port where nobody listens: bound once, and free again.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = tune(&format!("http://{nobody}/")).unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
    let error = tune("http://me:secret@nowhere.invalid/x").unwrap_err();
    assert!(error.to_string().contains("no such host") && !error.to_string().contains("secret"), "{error}");
    for address in ["http://", "http:// /", "https://[::1/", "http://a b/"] {
        assert!(matches!(tune(address).unwrap_err().problem, Problem::Http(_)), "{address}");
    }
}

#[test]
fn servers_that_never_come_to_the_point_are_left_within_seconds() {
    let (error, took) = refused(|mut asked| {
        asked.send(b"HTTP/1.0 200 OK\r\n");
        asked.for_ever(b"X-More: and more and more\r\n");
    });
    assert!(error.to_string().contains("no HTTP") && took < Duration::from_secs(5), "{took:?} {error}");
    let (error, took) = refused(|mut asked| asked.for_ever(b"HTTP/1.0 200"));
    assert!(took < Duration::from_secs(5), "{took:?} {error}");
    let (error, took) = refused(|mut asked| asked.hold());
    assert!(
        error.to_string().contains("does not answer") && took < Duration::from_secs(12),
        "{took:?} {error}"
    );
}

#[test]
fn an_endless_playlist_and_endless_noise_are_refused() {
    let (error, _) = refused(|mut asked| {
        asked.begin("audio/x-mpegurl", "");
        asked.for_ever(b"#comment\n");
    });
    assert!(error.to_string().contains("too long"), "{error}");
    let noise: Vec<u8> =
        (0..100_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8 & 0x7f).collect();
    let (error, took) = refused(move |mut asked| {
        asked.begin("audio/mpeg", "icy-metaint: 0\r\n");
        asked.for_ever(&noise);
    });
    assert!(took < Duration::from_secs(25), "{took:?} {error}");
}

#[test]
fn titles_at_wrong_places_spoil_the_sound_and_nothing_else() {
    let sound = fixture("stereo-44k.aac").repeat(30);
    for (claimed, real) in
        [("900", 1_000), ("1", 1_000), ("99999999999", 1_000), ("0", 1_000), ("-1", 1_000), ("16000", 16_000)]
    {
        let sent = with_titles(&sound, real, &["x".repeat(255 * 16 - 40).as_str(); 50]);
        let server = Server::start(move |mut asked| {
            asked.begin("audio/aac", &format!("icy-metaint: {claimed}\r\n"));
            asked.for_ever(&sent);
        });
        let begin = Instant::now();
        if let Ok(mut source) = tune(&server.url("/")) {
            let heard = read(&mut source, 48_000);
            assert!(heard.iter().all(|x| x.is_finite()), "{claimed}");
            while let Some(news) = source.news() {
                assert!(!matches!(news, News::Title(title) if title.chars().count() > 200));
            }
        }
        assert!(begin.elapsed() < Duration::from_secs(25), "{claimed}: {:?}", begin.elapsed());
    }
}

/// The first byte that is asked for.
fn range(asked: &Asked) -> Option<usize> {
    let (_, rest) = asked.head.split_once("range: bytes=")?;
    rest.split('-').next()?.parse().ok()
}

/// A file server; each answer breaks off after `most` bytes.
fn files(in_parts: bool, most: usize) -> Server {
    Server::start(move |mut asked| {
        let name = asked.head.split([' ', '/']).nth(2).unwrap().to_owned();
        let bytes = fixture(&name);
        let ranges = if in_parts { "Accept-Ranges: bytes\r\n" } else { "" };
        let from = range(&asked).filter(|_| in_parts).unwrap_or(0).min(bytes.len());
        let status = if from > 0 { "206 Partial Content" } else { "200 OK" };
        let (length, rest) = (bytes.len() - from, &bytes[from..]);
        asked.send(format!("HTTP/1.1 {status}\r\n{ranges}Content-Length: {length}\r\n\r\n").as_bytes());
        asked.send(&rest[..rest.len().min(most)]);
    })
}

#[test]
fn a_file_on_a_web_server_is_the_file_and_is_sought_in_where_its_server_gives_parts() {
    for (in_parts, most) in [(true, usize::MAX), (true, 2_500), (false, usize::MAX)] {
        let server = files(in_parts, most);
        for name in ["stereo-44k.flac", "stereo-44k.mp3", "stereo-44k.ogg", "stereo-44k.m4a", "stereo-8k.wav"]
        {
            let opened = tune(&server.url(&format!("/{name}")));
            if name == "stereo-44k.m4a" && !in_parts {
                let error = opened.expect_err("its index comes after its sound");
                assert!(error.to_string().contains("index is at its end"), "{error}");
                continue;
            }
            let mut source = opened.unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(source.info().seekable, in_parts);
            // The tags of a WAVE file are read by a look of their own.
            let title = (in_parts || name != "stereo-8k.wav").then_some("Two_Tones");
            assert_eq!(source.info().title.as_deref(), title, "{name}");
            let (heard, wanted) = (read(&mut source, usize::MAX), file(name));
            if in_parts {
                assert_eq!(heard.len(), wanted.len(), "{name}");
            }
            assert_same(&heard, &wanted);
            let sought = source.seek(Span::from_ms(100));
            assert_eq!(sought.is_ok(), in_parts, "{name}");
            match sought {
                Ok(at) => {
                    assert_eq!(at, Frames(4_800));
                    assert_same(&read(&mut source, 4_000), &wanted[9_600..17_600]);
                }
                Err(error) => assert!(error.to_string().contains("can be saved"), "{error}"),
            }
        }
    }
}
