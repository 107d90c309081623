//! Stations, played by real processes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use antiphon_audio::source::{self, SourceSpec};
use antiphon_measure::recording::Recording;
use realfft::RealFftPlanner;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::conclusive::unless_the_machine_stands_still;
use crate::house::{House, eventually};

#[path = "../../../antiphon-audio/tests/server/mod.rs"]
mod server;

use server::{Server, with_titles};

/// 14.6 s of speech, mono, MP3 at 48 kHz.
const SPEECH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/strong.mp3");

/// Where in `whole` `piece` is, and how well it agrees there (1: the same but for its level).
///
/// At full rate and everywhere, by Fourier transform: this speech says the same thing several times, and what is left
/// of it at a lower rate agrees better with its repetition than with itself half a step beside.
fn found(whole: &[f32], piece: &[f32]) -> (usize, f64) {
    let size = whole.len().next_power_of_two();
    let spectrum = |samples: &[f32]| {
        let mut padded: Vec<f64> = samples.iter().map(|&x| f64::from(x)).collect();
        padded.resize(size, 0.0);
        let forward = RealFftPlanner::new().plan_fft_forward(size);
        let mut spectrum = forward.make_output_vec();
        forward.process(&mut padded, &mut spectrum).unwrap();
        spectrum
    };
    let mut product: Vec<_> =
        spectrum(whole).iter().zip(&spectrum(piece)).map(|(x, y)| x * y.conj() / size as f64).collect();
    let inverse = RealFftPlanner::new().plan_fft_inverse(size);
    let mut products = inverse.make_output_vec();
    inverse.process(&mut product, &mut products).unwrap();
    let power = |samples: &[f32]| samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>();
    let (mut own, wanted) = (power(&whole[..piece.len()]), power(piece));
    let mut best = (0, -1.0);
    for at in 0..whole.len() - piece.len() {
        let agreement = products[at] / (own * wanted).sqrt().max(1e-9);
        if agreement > best.1 {
            best = (at, agreement);
        }
        own += f64::from(whole[at + piece.len()]).powi(2) - f64::from(whole[at]).powi(2);
    }
    best
}

#[test]
fn a_station_is_heard_on_two_speakers_before_and_after_its_server_hangs_up() {
    unless_the_machine_stands_still(|| {
        let house = House::new();
        let speakers = [house.speaker("a", "+40"), house.speaker("b", "-25")];
        let bytes = std::fs::read(SPEECH).unwrap();
        // 4,016 bytes are a second; the first connection ends in its seventh.
        let (first, rest) = bytes.split_at(28_120);
        let parts = [first, rest]
            .map(|part| with_titles(part, 4_000, &["Somebody - Song \u{e4}", "\u{1b}[31mSecond"]));
        let server = Server::start(move |mut asked| {
            asked.begin("audio/mpeg", "icy-name: Radio Test\r\nicy-metaint: 4000\r\n");
            asked.send(&parts[asked.nth.min(1)]);
            if asked.nth > 0 {
                asked.hold();
            }
        });
        let mut player =
            house.start("play.log", &["play", &server.url("/live"), "--left", "a", "--right", "b"]);
        let heard = || house.client().status().is_ok_and(|status| status.programme.position_s > 11.5);
        eventually("eleven seconds are heard", heard);
        let status = house.run(&["status"]);
        let status = String::from_utf8_lossy(&status.stdout);
        assert!(status.contains("[31mSecond on Radio Test"), "{status}");
        house.order(&["ctl", "stop"]);
        assert_eq!(player.end(), Some(0), "{}", house.said("play.log"));
        speakers.into_iter().for_each(|speaker| assert_eq!(speaker.interrupt(), Some(0)));
        let said = house.said("play.log");
        assert!(said.contains("Radio Test") && said.contains("now: Somebody - Song \u{e4}"), "{said}");
        assert!(said.contains("now: [31mSecond"), "{said}");
        let mut reference = Vec::new();
        let mut file = source::open(&SourceSpec::Path(Path::new(SPEECH).to_path_buf())).unwrap();
        while file.read(4_800, &mut reference).unwrap() > 0 {}
        for name in ["a", "b"] {
            let heard = Recording::read(&house.path(&format!("{name}.wav")), 0).unwrap().samples;
            // Half a second each, from the first connection and from the second.
            let at = [2.0f64, 9.5].map(|second| {
                let from = (second * 48_000.0) as usize;
                let (at, agreement) = found(&heard, &reference[from..from + 24_000]);
                assert!(agreement > 0.95, "{name}, second {second}: {agreement:.3}");
                at as f64 / 48_000.0
            });
            // What was in store bridges the gap; a block may be cut where the connection was.
            assert!((at[1] - at[0] - 7.5).abs() < 0.1, "{name}: {at:?}");
        }
    });
}

/// Certificates of an authority that nobody trusts: `ca.pem` signed `server.pem`, which is that of 127.0.0.1.
const CERTIFICATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls");

/// A door with encryption to the server at `behind`: each question and its answer.
fn safe_door(behind: SocketAddr) -> SocketAddr {
    let certificate = CertificateDer::from_pem_file(format!("{CERTIFICATES}/server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(format!("{CERTIFICATES}/server.key")).unwrap();
    let config =
        rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
    let config = Arc::new(config.unwrap());
    let door = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = door.local_addr().unwrap();
    std::thread::spawn(move || {
        for guest in door.incoming().flatten() {
            let session = rustls::ServerConnection::new(config.clone()).unwrap();
            std::thread::spawn(move || pass(rustls::StreamOwned::new(session, guest), behind));
        }
    });
    address
}

fn pass(mut guest: impl Read + Write, behind: SocketAddr) -> std::io::Result<u64> {
    let mut server = TcpStream::connect(behind)?;
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        guest.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    server.write_all(&head)?;
    std::io::copy(&mut server, &mut guest)
}

#[test]
fn https_is_played_from_who_is_trusted_and_from_nobody_else() {
    let house = House::new();
    let speaker = house.speaker("a", "0");
    let bytes = std::fs::read(SPEECH).unwrap();
    let server = Server::start(move |mut asked| {
        asked.begin("audio/mpeg", "icy-name: Safe\r\n");
        asked.for_ever(&bytes);
    });
    let url = format!("https://{}/live", safe_door(server.address));
    let output = house.run(&["play", &url, "--left", "a"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("cannot be reached safely"), "{said}");
    let mut command = house.antiphon(&["play", &url, "--left", "a"]);
    command.env("SSL_CERT_FILE", format!("{CERTIFICATES}/ca.pem")).stderr(Stdio::null());
    let mut player = crate::house::Process(command.spawn().unwrap());
    eventually("a second is heard", || {
        house.client().status().is_ok_and(|status| status.programme.position_s > 1.0)
    });
    house.order(&["ctl", "stop"]);
    assert_eq!(player.end(), Some(0));
    assert_eq!(speaker.interrupt(), Some(0));
}

#[test]
fn what_cannot_be_tuned_in_says_whose_fault_it_is_and_starts_nothing() {
    let house = House::empty();
    let server = Server::start(|mut asked| {
        let pieces = b"#EXTM3U\n#EXT-X-VERSION:3\n";
        let _ = match asked.is_for("/hls.m3u8") {
            true => asked.reply("200 OK", "Content-Type: application/vnd.apple.mpegurl\r\n", pieces),
            false => asked.reply("404 Not Found", "", b""),
        };
    });
    for (path, code, words) in
        [("/gone", 4, "the station has moved"), ("/hls.m3u8", 1, "MP3, AAC or Ogg address")]
    {
        let output = house.run(&["play", &server.url(path)]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.code() == Some(code) && said.contains(words),
            "{path}: {:?} {said}",
            output.status
        );
        assert!(!house.is_there());
    }
}
