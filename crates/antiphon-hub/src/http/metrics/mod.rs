//! `GET /metrics`: the hub's figures as Prometheus reads them.

mod text;

use antiphon_api::{ErrorBody, ErrorCode, ProgrammeState, SpeakerReport, SpeakerStatus, Status};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use text::{Exposition, Kind};

use super::{Refused, SharedState, requests};

/// The text format's own name and version.
const TYPE: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// `GET /metrics`
pub async fn read(State(shared): SharedState) -> Result<Response, Refused> {
    let status = requests::look(&shared).await?;
    let usage = Usage::now().map_err(|error| ErrorBody::new(ErrorCode::Internal, error.to_string()))?;
    let page = page(&status, usage, shared.events.clients());
    Ok(([(header::CONTENT_TYPE, TYPE)], page).into_response())
}

/// What the hub's process costs.
#[derive(Debug, Clone, Copy)]
struct Usage {
    cpu_s: f64,
    resident_bytes: u64,
}

impl Usage {
    fn now() -> std::io::Result<Self> {
        let usage = getrusage(UsageWho::RUSAGE_SELF)?;
        let cpu_us = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        let statm = std::fs::read_to_string("/proc/self/statm")?;
        let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0);
        let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE)?.unwrap_or(4_096);
        Ok(Self { cpu_s: cpu_us as f64 / 1e6, resident_bytes: pages * u64::try_from(page).unwrap_or(4_096) })
    }
}

fn page(status: &Status, usage: Usage, clients: usize) -> String {
    let mut page = Exposition::default();
    hub(&mut page, status, usage, clients);
    programme(&mut page, status);
    speakers(&mut page, &status.speakers);
    page.text()
}

fn hub(page: &mut Exposition, status: &Status, usage: Usage, clients: usize) {
    let hub = &status.hub;
    page.metric("antiphon_hub_info", Kind::Gauge, "The hub's name and version; always 1.");
    page.sample(&[("name", &hub.name), ("version", &hub.version)], 1.0);
    page.metric("antiphon_hub_uptime_seconds", Kind::Gauge, "Time since the hub started.");
    page.sample(&[], hub.uptime_s as f64);
    page.metric(
        "antiphon_hub_latency_seconds",
        Kind::Gauge,
        "Target latency, from sending a frame to hearing it.",
    );
    page.sample(&[], hub.latency_us as f64 / 1e6);
    page.metric("antiphon_sessions", Kind::Gauge, "Speakers that are connected.");
    page.sample(&[], status.speakers.len() as f64);
    page.metric("antiphon_event_clients", Kind::Gauge, "Pages that listen to events.");
    page.sample(&[], clients as f64);
    page.metric("process_cpu_seconds_total", Kind::Counter, "Processor time of the hub's process.");
    page.sample(&[], usage.cpu_s);
    page.metric("process_resident_memory_bytes", Kind::Gauge, "Resident memory of the hub's process.");
    page.sample(&[], usage.resident_bytes as f64);
}

fn programme(page: &mut Exposition, status: &Status) {
    use ProgrammeState::{Ended, Idle, Paused, Playing, Starting, Waiting};
    let programme = &status.programme;
    page.metric("antiphon_programme_state", Kind::Gauge, "1 for the state that the programme is in.");
    for state in [Idle, Waiting, Starting, Playing, Paused, Ended] {
        page.sample(&[("state", &state.to_string())], f64::from(u8::from(programme.state == state)));
    }
    page.metric(
        "antiphon_programme_position_seconds",
        Kind::Gauge,
        "Heard of the programme, or of its track.",
    );
    page.sample(&[], programme.position_s);
    page.metric("antiphon_programme_missing_speakers", Kind::Gauge, "Speakers asked for that are not here.");
    page.sample(&[], programme.missing.len() as f64);
    page.metric("antiphon_programme_starved_total", Kind::Counter, "Times the source came too late.");
    page.sample(&[], programme.starved as f64);
}

/// One figure of a report.
type Figure = (&'static str, Kind, &'static str, fn(&SpeakerReport) -> Option<f64>);

#[rustfmt::skip]
const FIGURES: [Figure; 11] = [
    ("antiphon_speaker_synced", Kind::Gauge, "1: its clock is known well enough to play by.",
        |report| Some(f64::from(u8::from(report.synced)))),
    ("antiphon_speaker_offset_seconds", Kind::Gauge, "The hub's clock minus the speaker's.",
        |report| report.offset_us.map(|us| us / 1e6)),
    ("antiphon_speaker_offset_deviation_seconds", Kind::Gauge, "Standard deviation of that offset.",
        |report| report.offset_sd_us.map(|us| us / 1e6)),
    ("antiphon_speaker_round_trip_seconds", Kind::Gauge, "Shortest round trip of late.",
        |report| report.rtt_us.map(|us| us / 1e6)),
    ("antiphon_speaker_phase_error_seconds", Kind::Gauge, "Where it plays against where it should; positive is late.",
        |report| Some(report.phase_error_us / 1e6)),
    ("antiphon_speaker_buffer_seconds", Kind::Gauge, "Audio buffered ahead.",
        |report| Some(report.buffer_ms / 1e3)),
    ("antiphon_speaker_margin_seconds", Kind::Gauge, "How early the latest packet of the last second came.",
        |report| Some(report.margin_ms / 1e3)),
    ("antiphon_speaker_concealed_seconds_total", Kind::Counter, "Audio that was missing and bridged.",
        |report| Some(report.concealed_ms / 1e3)),
    ("antiphon_speaker_underruns_total", Kind::Counter, "Times it had nothing to play.",
        |report| Some(report.underruns as f64)),
    ("antiphon_speaker_slips_total", Kind::Counter, "Corrections of more than a millisecond.",
        |report| Some(report.slips as f64)),
    ("antiphon_speaker_restarts_total", Kind::Counter, "Times it fell silent to start anew.",
        |report| Some(report.reprimes as f64)),
];

fn speakers(page: &mut Exposition, speakers: &[SpeakerStatus]) {
    for (name, kind, help, figure) in FIGURES {
        page.metric(name, kind, help);
        for speaker in speakers {
            if let Some(value) = speaker.report.as_ref().and_then(figure) {
                page.sample(&[("speaker", &speaker.name)], value);
            }
        }
    }
    page.metric(
        "antiphon_speaker_packets_total",
        Kind::Counter,
        "Media packets of a speaker, by what became of them.",
    );
    for speaker in speakers {
        for (kind, count) in speaker.report.iter().flat_map(fates) {
            page.sample(&[("speaker", &speaker.name), ("kind", kind)], count as f64);
        }
    }
    page.metric("antiphon_speaker_sent_packets_total", Kind::Counter, "Media packets sent to it.");
    for speaker in speakers {
        page.sample(&[("speaker", &speaker.name)], speaker.sent.packets as f64);
    }
    page.metric("antiphon_speaker_sent_bytes_total", Kind::Counter, "Bytes of all datagrams sent to it.");
    for speaker in speakers {
        page.sample(&[("speaker", &speaker.name)], speaker.sent.bytes as f64);
    }
}

fn fates(report: &SpeakerReport) -> [(&'static str, u64); 10] {
    let packets = report.packets;
    [
        ("received", packets.received),
        ("late", packets.late),
        ("duplicate", packets.duplicate),
        ("lost", packets.lost),
        ("recovered", packets.recovered),
        ("reordered", packets.reordered),
        ("malformed", packets.malformed),
        ("replayed", packets.replayed),
        ("forged", packets.forged),
        ("nacked", packets.nacked),
    ]
}
