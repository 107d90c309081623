//! `antiphon status` and `antiphon speakers`.

use std::fmt::Write;
use std::io::IsTerminal;
use std::time::Duration;

use antiphon_api::{
    HubStatus, LinkState, LinkStats, ProgrammeState, ProgrammeStatus, SpeakerStatus, Status, json,
};

use crate::args::ReadArgs;
use crate::columns::{Columns, NAME, cut};
use crate::exit::{Exit, Failure};
use crate::settings::loudness;
use crate::{find, terminal};

/// Speakers report once a second.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// Home, and clear what is below: the screen does not flicker.
const HOME: &str = "\x1b[H\x1b[J";

/// Prints the status.
pub fn run(args: &ReadArgs) -> Result<Exit, Failure> {
    read(args, table)
}

/// Prints the list of speakers.
pub fn speakers(args: &ReadArgs) -> Result<Exit, Failure> {
    read(args, list)
}

fn read(args: &ReadArgs, table: fn(&Status) -> String) -> Result<Exit, Failure> {
    let client = find::client(args.at.hub.as_ref())?;
    let redraw = args.watch && !args.json && std::io::stdout().is_terminal();
    loop {
        let status = client.status()?;
        let text = match (args.json, args.watch) {
            (true, false) => json::write_pretty(&status),
            // One object a line, for programs that read on.
            (true, true) => format!("{}\n", String::from_utf8_lossy(&json::write(&status))),
            (false, _) => format!("{}{}", if redraw { HOME } else { "" }, table(&status)),
        };
        if !terminal::print(&text) || !args.watch {
            return Ok(Exit::Ok);
        }
        std::thread::sleep(WATCH_INTERVAL);
    }
}

fn list(status: &Status) -> String {
    if status.speakers.is_empty() {
        return NO_SPEAKERS.to_owned();
    }
    let mut rows = vec![["SPEAKER", "ROLE", "CODEC", "VOLUME", "DELAY", "OUTPUT"].map(str::to_owned)];
    rows.extend(status.speakers.iter().map(listed));
    let (columns, mut out) = (Columns::around(&rows), String::new());
    rows.iter().for_each(|row| columns.row(&mut out, row));
    out
}

fn listed(speaker: &SpeakerStatus) -> [String; 6] {
    let delay = format!("{} ms", speaker.delay_us as f64 / 1e3);
    let (role, codec) = (speaker.role.to_string(), speaker.codec.to_string());
    [speaker.name.clone(), role, codec, loudness(speaker), delay, speaker.output.clone()]
}

const NO_SPEAKERS: &str = "No speaker has joined. Start one with: antiphon speaker --name NAME\n";

/// The narrowest column of names, and the widths of the columns beside it; together at most 80.
const NAMES: usize = 14;
const CLOCKS: [usize; 7] = [6, 6, 10, 9, 9, 15, 11];
const PACKETS: [usize; 7] = [13, 10, 6, 6, 11, 11, 10];

fn table(status: &Status) -> String {
    let mut out = hub_line(&status.hub) + &programme_line(&status.programme) + "\n";
    if status.speakers.is_empty() {
        return out + NO_SPEAKERS;
    }
    let beside =
        |others| Columns::beside(status.speakers.iter().map(|speaker| speaker.name.as_str()), NAMES, others);
    let clocks = beside(&CLOCKS);
    clocks
        .row(&mut out, &["SPEAKER", "ROLE", "CODEC", "STATE", "LATENCY", "BUFFER", "CLOCK SURE TO", "SKEW"]);
    status.speakers.iter().for_each(|speaker| clocks.row(&mut out, &clock_cells(speaker)));
    out.push('\n');
    let packets = beside(&PACKETS);
    packets.row(
        &mut out,
        &["SPEAKER", "PLAYS", "RECEIVED", "LATE", "LOST", "RECOVERED", "CONCEALED", "UNDERRUNS"],
    );
    status.speakers.iter().filter_map(packet_cells).for_each(|cells| packets.row(&mut out, &cells));
    let links = status.speakers.iter().filter_map(link_lines);
    let calibrations = status.speakers.iter().filter_map(calibration_line);
    let lines: String =
        links.chain(status.speakers.iter().filter_map(browser_line)).chain(calibrations).collect();
    if !lines.is_empty() {
        out.push('\n');
        out.push_str(&lines);
    }
    out
}

/// How the link to a Bluetooth speaker stands, in words.
fn link_lines(speaker: &SpeakerStatus) -> Option<String> {
    let link = speaker.link.as_ref()?;
    let name = cut(&speaker.name, NAME);
    let state = match link.state {
        LinkState::Up => format!("{}, packets of {:.1} ms", shortened(&link.codec, 28), link.packet_ms),
        LinkState::Stalled => "its radio takes nothing at present".to_owned(),
        LinkState::Connecting | LinkState::Unknown => "connecting".to_owned(),
        LinkState::Down => format!("not connected: {}", shortened(&link.why, 160)),
    };
    let mut out = format!("{name}: {state}\n");
    if matches!(link.state, LinkState::Up | LinkState::Stalled) {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  link: {}", link_counts(link));
        let _ = writeln!(out, "  {}", link_facts(link));
    }
    Some(out)
}

/// That a speaker is a page in a browser, and whether others can listen.
fn browser_line(speaker: &SpeakerStatus) -> Option<String> {
    let name = cut(&speaker.name, NAME);
    let at = shortened(speaker.address.as_deref().unwrap_or("?"), 26);
    let sealed = if speaker.sealed { "encrypted (HTTPS)" } else { "NOT encrypted (HTTP)" };
    let dropped = match speaker.sent.dropped {
        0 => String::new(),
        dropped => {
            format!("\n  it did not fetch {dropped} packets in time: its network is too slow, or it sleeps")
        }
    };
    speaker.browser.then(|| format!("{name}: a browser at {at}, {sealed}{dropped}\n"))
}

fn link_counts(link: &LinkStats) -> String {
    let mut said = format!("{} late, {} dropped, queue {:.1} packets", link.late, link.dropped, link.queue);
    if let Some(us) = link.air_us {
        // Writing to a string cannot fail.
        let _ = write!(said, ", {:.1} ms to the air", us as f64 / 1e3);
    }
    for (times, what) in [(link.left_out, "left out"), (link.skipped, "skipped")] {
        if times > 0 {
            let _ = write!(said, ", {times} times {what}");
        }
    }
    said
}

fn link_facts(link: &LinkStats) -> String {
    let ms = |us: i64| us as f64 / 1e3;
    let delay = match (link.reported_us, link.assumed_us) {
        (Some(reported), _) => format!("reports a delay of {:.0} ms", ms(reported)),
        (None, Some(assumed)) => format!("reports no delay; {:.0} ms assumed", ms(assumed)),
        (None, None) => "reports no delay".to_owned(),
    };
    let volume = match link.volume {
        Some(volume) => format!("own volume {:.0} %", f64::from(volume) / 1.27),
        None => "volume in software".to_owned(),
    };
    let battery = link.battery.map_or(String::new(), |percent| format!(", battery {percent} %"));
    format!("{delay}, {volume}{battery}")
}

/// What a calibration does to a speaker, how old it is, and whether it still holds.
fn calibration_line(speaker: &SpeakerStatus) -> Option<String> {
    let found = speaker.calibration.as_ref()?;
    let name = cut(&speaker.name, NAME);
    let checked = if found.verified { "checked" } else { "not checked" };
    let delay = match found.delay_us {
        early @ ..0 => format!("{:.3} ms earlier", -early as f64 / 1e3),
        late => format!("{:.3} ms later", late as f64 / 1e3),
    };
    let stale =
        found.stale.as_deref().map_or(String::new(), |why| format!("\n  STALE: {}", shortened(why, 160)));
    Some(format!(
        "{name} is calibrated: {delay}, {:+.1} dB, {} to +-{:.1} us, {checked}, {} ago{stale}\n",
        found.gain_db,
        found.grade,
        found.uncertainty_us,
        uptime(found.age_s)
    ))
}

fn hub_line(hub: &HubStatus) -> String {
    let sealed = if hub.open { "OPEN: anybody can listen and join" } else { "sealed" };
    let latency = hub.latency_us as f64 / 1e3;
    format!(
        "hub {} at {}, {sealed}, latency {latency} ms, up {}\n",
        hub.name,
        hub.listen,
        uptime(hub.uptime_s)
    )
}

fn programme_line(programme: &ProgrammeStatus) -> String {
    let mut title = shortened(&programme.title, 48);
    if let Some(on_air) = &programme.on_air {
        title = format!("{} on {title}", shortened(on_air, 48));
    }
    if let Some(track) = programme.track {
        title = format!("{title} ({} of {})", track.number, track.of);
    }
    let place = match programme.duration_s {
        Some(duration) => format!("{} of {}", clock(programme.position_s), clock(duration)),
        None => clock(programme.position_s),
    };
    match programme.state {
        ProgrammeState::Idle => "nothing is playing\n".to_owned(),
        ProgrammeState::Waiting => format!("waiting for {}: {title}\n", programme.missing.join(", ")),
        state => format!("{state} {title}, {place}\n"),
    }
}

fn clock_cells(speaker: &SpeakerStatus) -> [String; 8] {
    let (role, codec) = (speaker.role.to_string(), speaker.codec.to_string());
    let latency = format!("{} ms", speaker.latency_us as f64 / 1e3);
    let mut cells =
        [speaker.name.clone(), role, codec, "joining".into(), latency, "-".into(), "-".into(), "-".into()];
    if let Some(report) = &speaker.report {
        cells[3] = if speaker.muted { "muted".into() } else { report.state.clone() };
        cells[5] = format!("{:.0} ms", report.buffer_ms);
        if let (Some(sd), true) = (report.offset_sd_us, report.synced) {
            cells[6] = format!("+-{:.1} us", 2.0 * sd);
        }
        if let Some(skew) = report.skew_ppm {
            cells[7] = format!("{skew:+.2} ppm");
        }
    }
    cells
}

fn packet_cells(speaker: &SpeakerStatus) -> Option<[String; 8]> {
    let report = speaker.report.as_ref()?;
    let packets = &report.packets;
    Some([
        speaker.name.clone(),
        plays(report.phase_error_us, &report.state),
        packets.received.to_string(),
        packets.late.to_string(),
        packets.lost.to_string(),
        packets.recovered.to_string(),
        format!("{:.0} ms", report.concealed_ms),
        report.underruns.to_string(),
    ])
}

/// A sign would have to be explained; words need not.
fn plays(phase_error_us: f64, state: &str) -> String {
    match phase_error_us {
        _ if state != "playing" => "-".to_owned(),
        late if late >= 0.05 => format!("{late:.1} us late"),
        early if early <= -0.05 => format!("{:.1} us early", -early),
        _ => "on time".to_owned(),
    }
}

/// At most `most` characters, none of which steers the terminal.
fn shortened(text: &str, most: usize) -> String {
    let clean: Vec<char> = text.chars().filter(|c| !c.is_control()).collect();
    match clean.len() > most {
        true => clean[..most - 1].iter().chain(['\u{2026}'].iter()).collect(),
        false => clean.into_iter().collect(),
    }
}

/// Seconds as a person reads them: 3:07, 1:02:03.
pub fn clock(seconds: f64) -> String {
    let s = seconds.clamp(0.0, 1e9) as u64;
    match s / 3_600 {
        0 => format!("{}:{:02}", s / 60, s % 60),
        hours => format!("{hours}:{:02}:{:02}", s / 60 % 60, s % 60),
    }
}

fn uptime(s: u64) -> String {
    match s {
        0..60 => format!("{s} s"),
        60..3_600 => format!("{} min", s / 60),
        3_600..172_800 => format!("{} h {} min", s / 3_600, s / 60 % 60),
        _ => format!("{} days", s / 86_400),
    }
}

#[cfg(test)]
pub mod tests {
    use antiphon_api::{
        CalibratedThrough, CalibrationGrade, CalibrationMethod, CalibrationStatus, PacketCounts, SentCounts,
        SpeakerReport,
    };
    use antiphon_base::Role;
    use antiphon_proto::session::Codec;

    use super::*;

    pub fn speaker(name: &str) -> SpeakerStatus {
        let report = SpeakerReport {
            state: "playing".into(),
            synced: true,
            offset_us: Some(-1.2345e9),
            offset_sd_us: Some(1.6),
            skew_ppm: Some(-123.45),
            phase_error_us: 123.4,
            buffer_ms: 1_999.4,
            packets: PacketCounts {
                received: 123_456_789,
                late: 12_345,
                lost: 99_999,
                recovered: 12_345_678,
                ..Default::default()
            },
            concealed_ms: 123_456.0,
            underruns: 1_234,
            ..SpeakerReport::default()
        };
        SpeakerStatus {
            id: "00".repeat(16),
            name: name.into(),
            address: None,
            sealed: true,
            browser: false,
            streaming: true,
            role: Role::Right,
            codec: Codec::Flac,
            gain_db: -6.0,
            muted: false,
            volume: None,
            delay_us: 0,
            latency_us: 2_000_000,
            output: "virtual:/tmp/a-rather-long-path/right.wav?ppm=+40&period=256".into(),
            software: "antiphon 0.1.0".into(),
            calibration: None,
            link: None,
            silent_ms: 0,
            sent: SentCounts::default(),
            report: Some(report),
        }
    }

    #[test]
    fn a_calibration_says_what_it_does_how_old_it_is_and_when_it_may_not_hold() {
        let through = CalibratedThrough {
            codec: Codec::L24,
            output: "alsa:hw:0".into(),
            software: "antiphon 0.1.0".into(),
            link: None,
        };
        let calibration = CalibrationStatus {
            delay_us: 137_250,
            gain_db: -1.5,
            measured_at: 0,
            age_s: 3 * 86_400,
            grade: CalibrationGrade::Good,
            uncertainty_us: 4.0,
            method: CalibrationMethod::Place,
            verified: true,
            through,
            stale: Some("its codec was l24 and is flac: calibrate again".into()),
            previous: 0,
        };
        let speaker = SpeakerStatus { calibration: Some(calibration), ..speaker("desk") };
        let said = table(&status(vec![speaker]));
        let wanted = "desk is calibrated: 137.250 ms later, -1.5 dB, good to +-4.0 us, checked, 3 days ago\n  \
                      STALE: its codec was l24 and is flac: calibrate again\n";
        assert!(said.ends_with(wanted), "{said}");
    }

    fn status(speakers: Vec<SpeakerStatus>) -> Status {
        let hub = HubStatus {
            name: "lab".into(),
            version: "0.1.0".into(),
            listen: "192.168.100.200:7755".into(),
            open: false,
            latency_us: 200_000,
            uptime_s: 86_399,
            clock: 1,
        };
        let programme = ProgrammeStatus {
            state: ProgrammeState::Playing,
            title: "A title that goes on and on and on and never comes to its end".into(),
            position_s: 62.9,
            duration_s: Some(4_000.0),
            ..ProgrammeStatus::default()
        };
        Status { schema: 1, hub, programme, speakers }
    }

    #[test]
    fn a_link_is_said_in_words() {
        let link = LinkStats {
            state: LinkState::Up,
            codec: "sbc mono 48000/29".into(),
            packet_ms: 24.0,
            late: 3,
            queue: 1.2,
            assumed_us: Some(150_000),
            battery: Some(80),
            ..LinkStats::default()
        };
        let up = link_lines(&SpeakerStatus { link: Some(link.clone()), ..speaker("desk") }).unwrap();
        let wanted = "desk: sbc mono 48000/29, packets of 24.0 ms\n  link: 3 late, 0 dropped, queue 1.2 packets\n  \
                      reports no delay; 150 ms assumed, volume in software, battery 80 %\n";
        assert_eq!(up, wanted);
        let told = LinkStats { air_us: Some(9_300), ..link.clone() };
        assert_eq!(link_counts(&told), "3 late, 0 dropped, queue 1.2 packets, 9.3 ms to the air");
        let down = LinkStats { state: LinkState::Down, why: "it is switched off".into(), ..link };
        let down = link_lines(&SpeakerStatus { link: Some(down), ..speaker("desk") }).unwrap();
        assert_eq!(down, "desk: not connected: it is switched off\n");
    }

    #[test]
    fn a_browser_says_whether_others_can_listen_and_what_it_did_not_fetch() {
        let address = Some("192.168.100.200:54321".to_owned());
        let plain = SpeakerStatus { browser: true, sealed: false, address, ..speaker("Anna's phone") };
        let said = table(&status(vec![plain.clone()]));
        assert!(
            said.ends_with("Anna's phone: a browser at 192.168.100.200:54321, NOT encrypted (HTTP)\n"),
            "{said}"
        );
        let sent = SentCounts { dropped: 7, ..SentCounts::default() };
        let said = table(&status(vec![SpeakerStatus { sealed: true, sent, ..plain }]));
        assert!(said.contains("encrypted (HTTPS)\n  it did not fetch 7 packets"), "{said}");
    }

    #[test]
    fn every_line_fits_into_80_columns_even_with_large_figures() {
        for line in table(&status(vec![speaker("kitchen"), speaker("bath")])).lines() {
            assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
        }
    }

    #[test]
    fn two_of_one_model_can_be_told_apart_and_all_tables_stand_in_line() {
        let names = ["Mi Portable Bluetooth Speaker left", "Mi Portable Bluetooth Speaker right", "desk"];
        let text = table(&status(names.map(speaker).to_vec()));
        let at = |head: &str| text.lines().find_map(|line| line.find(head)).unwrap();
        assert_eq!(at("ROLE"), at("PLAYS"), "{text}");
        for side in ["Speaker left ", "Speaker right "] {
            assert_eq!(text.matches(side).count(), 2, "{text}");
        }
    }

    #[test]
    fn a_loudspeakers_own_volume_is_listed_beside_the_gain_and_its_output_is_whole() {
        let output = "pulse:alsa_output.pci-0000_00_1f.3.analog-stereo#left";
        let desk = SpeakerStatus { gain_db: 0.0, volume: Some(10), output: output.into(), ..speaker("desk") };
        let text = list(&status(vec![desk, speaker("shelf")]));
        assert!(
            text.contains(" +0 dB, 10 % ") && text.contains(" -6 dB ") && text.contains(output),
            "{text}"
        );
    }

    #[test]
    fn timing_is_said_in_words() {
        assert_eq!(plays(12.34, "playing"), "12.3 us late");
        assert_eq!(plays(-0.5, "playing"), "0.5 us early");
        assert_eq!(plays(0.01, "playing"), "on time");
        assert_eq!(plays(99.0, "idle"), "-");
    }

    #[test]
    fn an_open_hub_says_so_loudly() {
        let mut status = status(vec![]);
        status.hub.open = true;
        let text = table(&status);
        assert!(text.contains("OPEN") && text.contains("antiphon speaker --name"), "{text}");
    }

    #[test]
    fn places_are_clock_times() {
        assert_eq!(
            (clock(62.9), clock(3_723.0), clock(-1.0)),
            ("1:02".into(), "1:02:03".into(), "0:00".into())
        );
    }
}
