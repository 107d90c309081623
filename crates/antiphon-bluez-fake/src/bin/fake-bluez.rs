//! Law: edge, for tests only: the fake BlueZ as a process, told by lines on standard input.
//!
//! `fake-bluez DIRECTORY` prints the bus address, then obeys:
//! `speaker ADDRESS NAME [sbc=3fff0235] [delay_ms=150] [mtu=672] [model=TEXT] [firmware=TEXT|refuses|never] [held]
//! [stale] [unkept] [new]` (in names and texts _ is a space), `drop ADDRESS`, `reach ADDRESS on|off`,
//! `delay ADDRESS MS`, `restart`. What a speaker is sent over its n-th
//! connection is in `DIRECTORY/ADDRESS-n.packets`: for each packet nanoseconds since the process's
//! start (8 bytes), its length (4 bytes), both little endian, and its bytes. It ends with its input.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufWriter, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use antiphon_bluez_fake::{Answer, FakeBluez, Speaker};

fn main() -> io::Result<()> {
    let directory = PathBuf::from(std::env::args().nth(1).ok_or_else(|| usage("a directory is missing"))?);
    let fake = FakeBluez::start();
    println!("{}", fake.address());
    let (lines, input) = std::sync::mpsc::sync_channel(16);
    std::thread::spawn(move || {
        io::stdin()
            .lock()
            .lines()
            .map_while(Result::ok)
            .take_while(|line| lines.send(line.clone()).is_ok())
            .count()
    });
    let mut connections = BTreeMap::new();
    let start = Instant::now();
    loop {
        match input.recv_timeout(Duration::from_millis(5)) {
            Ok(line) => obey(&fake, &line, &mut connections)?,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
        }
        for (address, count) in &mut connections {
            if let Some(far) = fake.far_end(address) {
                *count += 1;
                record(far, &directory.join(format!("{address}-{count}.packets")), start)?;
            }
        }
    }
}

fn obey(fake: &FakeBluez, line: &str, connections: &mut BTreeMap<String, u32>) -> io::Result<()> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        ["speaker", address, name, ref rest @ ..] => {
            let mut speaker = Speaker::new(address, &name.replace('_', " ")).paired();
            rest.iter().try_for_each(|word| set(&mut speaker, word))?;
            connections.insert(address.to_owned(), 0);
            fake.add(speaker);
        }
        ["drop", address] if connections.contains_key(address) => fake.drop_link(address),
        ["reach", address, on] if connections.contains_key(address) => {
            fake.script(address, |speaker| speaker.in_reach = on == "on");
        }
        ["delay", address, ms] => fake.report_delay(address, number::<u16>(ms)?.saturating_mul(10)),
        ["restart"] => fake.restart_service(),
        [] => {}
        _ => return Err(usage(line)),
    }
    Ok(())
}

fn set(speaker: &mut Speaker, word: &str) -> io::Result<()> {
    match word.split_once('=') {
        None if word == "new" => speaker.paired = false,
        None if word == "unkept" => speaker.bonded = false,
        None if word == "held" => speaker.connect_fault = Some(("Failed", "br-connection-refused")),
        None if word == "stale" => speaker.connect_fault = Some(("Failed", "br-connection-key-missing")),
        Some(("firmware", text)) => speaker.information.push((0x2a26, answer(text))),
        Some(("model", text)) => speaker.information.push((0x2a24, answer(text))),
        Some(("sbc", octets)) => {
            let octets = u32::from_str_radix(octets, 16).map_err(|_| usage(word))?;
            speaker.sbc = Some(octets.to_be_bytes());
        }
        Some(("delay_ms", ms)) => {
            let tenths = number::<u16>(ms)?.saturating_mul(10);
            speaker.delay = (tenths > 0).then_some((tenths, Duration::from_millis(50)));
        }
        Some(("mtu", mtu)) => speaker.mtu = number(mtu)?,
        _ => return Err(usage(word)),
    }
    Ok(())
}

fn answer(text: &str) -> Answer {
    match text {
        "refuses" => Answer::Refuses,
        "never" => Answer::Never,
        text => Answer::text(&text.replace('_', " ")),
    }
}

/// A thread reads one connection to its end.
fn record(far: OwnedFd, path: &Path, start: Instant) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let mut far = File::from(far);
    std::thread::spawn(move || {
        let mut packet = vec![0; 65_536];
        while let Ok(length @ 1..) = far.read(&mut packet) {
            let at = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            let written = out
                .write_all(&at.to_le_bytes())
                .and_then(|()| out.write_all(&(length as u32).to_le_bytes()))
                .and_then(|()| out.write_all(&packet[..length]))
                .and_then(|()| out.flush());
            if written.is_err() {
                return;
            }
        }
    });
    Ok(())
}

fn number<T: std::str::FromStr>(text: &str) -> io::Result<T> {
    text.parse().map_err(|_| usage(text))
}

fn usage(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("not understood: {what:?}"))
}
