//! Whether a status is news.

use std::time::{Duration, Instant};

use antiphon_api::{LinkStats, ProgrammeState, SpeakerReport, Status};

/// Figures that always move (positions, reports, counts) are told this often; a bit early, so that being
/// looked at every 250 ms makes it once a second.
const FIGURES: Duration = Duration::from_millis(900);

/// A programme that is this far from where it would be by itself was moved.
const MOVED_S: f64 = 0.5;

/// A speaker that was not heard of for as long as this is worth a word.
const SILENT_MS: u64 = 3_000;

/// The status that was told last.
#[derive(Default)]
pub struct Told(Option<(Instant, Status)>);

impl Told {
    /// Whether `status` is to be told; if so it has been.
    pub fn is_news(&mut self, status: &Status) -> bool {
        self.is_news_at(Instant::now(), status)
    }

    fn is_news_at(&mut self, now: Instant, status: &Status) -> bool {
        let news = match &self.0 {
            None => true,
            Some((at, last)) => {
                let since = now.duration_since(*at);
                settled(last) != settled(status)
                    || was_moved(last, status, since)
                    || (since >= FIGURES && without_time(last) != without_time(status))
            }
        };
        if news {
            self.0 = Some((now, status.clone()));
        }
        news
    }
}

/// What changes only because somebody or something changed it.
fn settled(status: &Status) -> Status {
    let mut settled = without_time(status);
    settled.programme.position_s = 0.0;
    settled.programme.held_us = None;
    for speaker in &mut settled.speakers {
        speaker.silent_ms = u64::from(speaker.silent_ms >= SILENT_MS);
        speaker.sent = Default::default();
        if let Some(link) = speaker.link.take() {
            let LinkStats { state, why, needs_help, codec, volume, battery, .. } = link;
            speaker.link =
                Some(LinkStats { state, why, needs_help, codec, volume, battery, ..LinkStats::default() });
        }
        if let Some(report) = &mut speaker.report {
            let (state, synced) = (std::mem::take(&mut report.state), report.synced);
            *report = SpeakerReport { state, synced, ..Default::default() };
        }
    }
    settled
}

/// Without what changes though nothing happens.
fn without_time(status: &Status) -> Status {
    let mut still = status.clone();
    still.hub.uptime_s = 0;
    for speaker in &mut still.speakers {
        speaker.silent_ms = u64::from(speaker.silent_ms >= SILENT_MS);
        if let Some(calibration) = &mut speaker.calibration {
            calibration.age_s = 0;
        }
    }
    still
}

fn was_moved(last: &Status, status: &Status, since: Duration) -> bool {
    let plays = status.programme.state == ProgrammeState::Playing;
    let by_itself = if plays { since.as_secs_f64() } else { 0.0 };
    (status.programme.position_s - last.programme.position_s - by_itself).abs() > MOVED_S
}
