//! The engine's types as the API shows them, and back.

use antiphon_api::{
    ErrorBody, ErrorCode, PacketCounts, ProgrammeState, ProgrammeStatus, SeekTo, SentCounts, SourceTarget,
    SpeakerPatch, SpeakerReport, SpeakerStatus, TrackPlace,
};
use antiphon_base::{Frames, SampleRate, Span};
use antiphon_engine::{
    SettingsChange, SourcePace, SourceSpec, SpeakerSnapshot, Target, Track, TransportState, TransportStatus,
};
use antiphon_proto::session::{PacketCounters, SpeakerState, SpeakerStats};

/// Beyond this no programme goes; it keeps arithmetic on places far from its ends.
const MAX_POSITION_S: f64 = 1e6;

/// Where the programme stands.
pub fn programme(status: TransportStatus) -> ProgrammeStatus {
    ProgrammeStatus {
        state: match status.state {
            TransportState::Idle => ProgrammeState::Idle,
            TransportState::Waiting => ProgrammeState::Waiting,
            TransportState::Starting => ProgrammeState::Starting,
            TransportState::Playing => ProgrammeState::Playing,
            TransportState::Paused => ProgrammeState::Paused,
            TransportState::Ended => ProgrammeState::Ended,
        },
        title: status.title,
        position_s: seconds(status.position),
        duration_s: status.duration.map(seconds),
        track: status.track.map(|track| TrackPlace { number: track.number, of: track.of }),
        missing: status.missing,
        on_air: status.on_air,
        starved: status.starved,
        held_us: status.held.map(|held| held.as_ns() / 1_000),
    }
}

/// One speaker.
pub fn speaker(snapshot: SpeakerSnapshot) -> SpeakerStatus {
    SpeakerStatus {
        id: snapshot.id.to_string(),
        name: snapshot.name,
        address: snapshot.addr.map(|addr| addr.to_string()),
        sealed: snapshot.sealed,
        browser: snapshot.transport.is_messages(),
        streaming: snapshot.streaming,
        role: snapshot.part.unwrap_or(snapshot.settings.role),
        codec: snapshot.settings.codec,
        gain_db: snapshot.settings.gain_db,
        muted: snapshot.settings.muted,
        volume: snapshot.settings.volume,
        delay_us: snapshot.settings.delay_us,
        latency_us: snapshot.settings.latency_us,
        output: snapshot.output,
        software: snapshot.software,
        calibration: None,
        link: snapshot.stats.as_ref().and_then(|stats| stats.link.as_deref().cloned()),
        silent_ms: (snapshot.silent_for.as_ns() / 1_000_000).max(0) as u64,
        sent: SentCounts {
            packets: snapshot.packets_sent,
            bytes: snapshot.bytes_sent,
            retransmitted: snapshot.retransmitted,
            dropped: 0,
        },
        report: snapshot.stats.map(report),
    }
}

/// A change of settings.
///
/// # Errors
/// A number outside its range.
pub fn change(patch: &SpeakerPatch) -> Result<SettingsChange, ErrorBody> {
    use antiphon_proto::session::message::{MAX_DELAY_US, MAX_GAIN_DB, MIN_GAIN_DB};
    let refused = |message: String| Err(ErrorBody::new(ErrorCode::BadRequest, message));
    if let Some(gain) = patch.gain_db
        && !(MIN_GAIN_DB..=MAX_GAIN_DB).contains(&gain)
    {
        return refused(format!(
            "a volume of {gain} dB is out of range: use {MIN_GAIN_DB} to +{MAX_GAIN_DB} dB"
        ));
    }
    if let Some(percent) = patch.volume.filter(|percent| *percent > 100) {
        return refused(format!("a volume of {percent} % is out of range: use 0 to 100 %"));
    }
    if let Some(delay) = patch.delay_us
        && !(-MAX_DELAY_US..=MAX_DELAY_US).contains(&delay)
    {
        let most = MAX_DELAY_US / 1_000;
        return refused(format!("a delay of {} ms is out of range: use -{most} to {most} ms", delay / 1_000));
    }
    Ok(SettingsChange {
        role: patch.role,
        gain_db: patch.gain_db,
        muted: patch.muted,
        volume: patch.volume,
        delay_us: patch.delay_us,
        codec: patch.codec,
    })
}

/// What a player will send.
pub fn source(
    channels: u16,
    title: String,
    duration_frames: Option<i64>,
    targets: Vec<SourceTarget>,
    wait_ms: u64,
    pace: antiphon_api::SourcePace,
) -> SourceSpec {
    /// A person who waits longer has gone to look.
    const MAX_WAIT_MS: u64 = 60_000;
    SourceSpec {
        channels,
        title: shown(&title),
        duration: duration_frames.map(Frames),
        targets: targets.into_iter().map(|target| Target { name: target.name, role: target.role }).collect(),
        wait_for: Span::from_ms(wait_ms.min(MAX_WAIT_MS) as i64),
        pace: match pace {
            antiphon_api::SourcePace::Stored => SourcePace::Stored,
            antiphon_api::SourcePace::Pulled => SourcePace::Pulled,
            antiphon_api::SourcePace::Clocked => SourcePace::Clocked,
        },
    }
}

/// A track that begins.
///
/// # Errors
/// It begins at no place in a programme, or has none in its list.
pub fn track(
    number: u32,
    of: u32,
    title: &str,
    first: i64,
    duration: Option<i64>,
) -> Result<Track, ErrorBody> {
    if number == 0 || number > of {
        let message = format!("a list of {of} tracks has no number {number}");
        return Err(ErrorBody::new(ErrorCode::BadRequest, message));
    }
    let duration = duration.map(|frames| Frames(frames.max(0)));
    Ok(Track { number, of, title: shown(title), first: first_frame(first)?, duration })
}

/// A title as it is shown: of a length that fits, and without what would steer a terminal.
pub fn shown(title: &str) -> String {
    title.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// The frame that `to` means, inside the programme.
///
/// # Errors
/// No place, or none that is a number.
pub fn seek_target(
    to: Option<SeekTo>,
    position: Frames,
    duration: Option<Frames>,
) -> Result<Frames, ErrorBody> {
    let seconds = match to {
        Some(SeekTo::PositionS(s)) => s,
        Some(SeekTo::OffsetS(s)) => seconds(position) + s,
        None => return Err(ErrorBody::new(ErrorCode::BadRequest, "seek where? give position_s or offset_s")),
    };
    if !seconds.is_finite() {
        return Err(ErrorBody::new(ErrorCode::BadRequest, "the place to seek to is no number"));
    }
    let end = duration.map_or(i64::MAX, |duration| duration.0.max(0));
    let frames = SampleRate::MEDIA.frames_in(Span::from_s_f64(seconds.clamp(0.0, MAX_POSITION_S)));
    Ok(Frames(frames.0.min(end)))
}

/// A frame that a player names: where it begins, where it goes on. Of a list that repeats, years of them.
///
/// # Errors
/// That is no place in a programme.
pub fn first_frame(frame: i64) -> Result<Frames, ErrorBody> {
    if !(0..1 << 50).contains(&frame) {
        let message = format!("a programme cannot begin at its frame {frame}");
        return Err(ErrorBody::new(ErrorCode::BadRequest, message));
    }
    Ok(Frames(frame))
}

fn seconds(frames: Frames) -> f64 {
    SampleRate::MEDIA.span_of(frames).as_s_f64()
}

fn report(stats: SpeakerStats) -> SpeakerReport {
    let stats = stats.finite();
    let known = |figure: f64| (stats.exchanges > 0).then_some(figure);
    SpeakerReport {
        state: state(stats.state).to_owned(),
        synced: stats.synced,
        offset_us: known(stats.offset_us),
        offset_sd_us: known(stats.offset_sd_us),
        skew_ppm: known(stats.skew_ppm),
        rtt_us: known(stats.rtt_us),
        dac_ppm: stats.dac_ppm,
        dac_sd_us: stats.dac_sd_us,
        phase_error_us: stats.phase_error_us,
        buffer_ms: stats.buffer_ms,
        margin_ms: stats.margin_ms,
        packets: packets(stats.packets),
        concealed_ms: stats.concealed_ms,
        underruns: stats.underruns,
        slips: stats.slips,
        reprimes: stats.reprimes,
        peak_db: stats.peak_db,
        cpu_percent: stats.cpu_percent,
        rss_kb: stats.rss_kb,
    }
}

fn state(state: SpeakerState) -> &'static str {
    match state {
        SpeakerState::Idle => "idle",
        SpeakerState::Buffering => "buffering",
        SpeakerState::Playing => "playing",
        SpeakerState::Stopped => "stopped",
        SpeakerState::Failed => "failed",
        SpeakerState::Unknown => "unknown",
    }
}

fn packets(counters: PacketCounters) -> PacketCounts {
    PacketCounts {
        received: counters.received,
        late: counters.late,
        duplicate: counters.duplicate,
        lost: counters.lost,
        recovered: counters.recovered,
        reordered: counters.reordered,
        malformed: counters.malformed,
        replayed: counters.replayed,
        forged: counters.forged,
        nacked: counters.nacked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seek_stays_inside_the_programme() {
        let (here, end) = (Frames(48_000 * 10), Some(Frames(48_000 * 60)));
        let to = |to| seek_target(Some(to), here, end).unwrap().0 / 48_000;
        assert_eq!(to(SeekTo::PositionS(30.0)), 30);
        assert_eq!(to(SeekTo::OffsetS(5.0)), 15);
        assert_eq!(to(SeekTo::OffsetS(-99.0)), 0);
        assert_eq!(to(SeekTo::PositionS(1e300)), 60);
        assert!(seek_target(Some(SeekTo::OffsetS(f64::NAN)), here, end).is_err());
        assert!(seek_target(None, here, None).is_err());
    }

    #[test]
    fn a_player_cannot_begin_outside_of_any_programme() {
        assert_eq!(first_frame(48_000).unwrap(), Frames(48_000));
        assert!(first_frame(-1).is_err() && first_frame(i64::MAX).is_err());
    }

    #[test]
    fn a_track_has_a_place_in_its_list_and_in_the_programme() {
        let title = "a\u{1b}[2Jb".repeat(90);
        let track_of = |number, of, first| track(number, of, &title, first, Some(-5));
        let good = track_of(2, 2, 48_000).unwrap();
        assert_eq!((good.first, good.duration, good.title.len()), (Frames(48_000), Some(Frames(0)), 200));
        assert!(!good.title.contains('\u{1b}'));
        assert!(track_of(0, 2, 0).is_err() && track_of(3, 2, 0).is_err() && track_of(1, 2, -1).is_err());
    }

    #[test]
    fn a_gain_that_is_no_number_is_refused() {
        for gain_db in [f32::NAN, f32::INFINITY, 13.0] {
            assert!(change(&SpeakerPatch { gain_db: Some(gain_db), ..Default::default() }).is_err());
        }
    }
}
