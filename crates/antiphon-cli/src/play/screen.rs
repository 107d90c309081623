//! What a person sees while it plays: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal;

use antiphon_api::{ProgrammeState, ProgrammeStatus};
use antiphon_audio::source::{SourceInfo, Track};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::tracks;
use crate::status::clock;
use crate::terminal;

/// The display of one programme.
pub struct Screen {
    bar: Option<ProgressBar>,
    /// Somebody looks.
    shown: bool,
    duration_s: Option<f64>,
    said: Option<ProgrammeState>,
    /// The track that is heard, of a list.
    track: Option<(usize, String)>,
}

impl Screen {
    /// Says what will play; of a list, each thing has its turn.
    pub fn new(info: &SourceInfo, is_list: bool, keys: bool) -> Self {
        if !is_list {
            terminal::note(&what(info));
        }
        if keys {
            let list = if is_list { "n next, p previous, " } else { "" };
            terminal::note(&format!("space pause, left and right seek, {list}+ and - volume, q quit"));
        }
        let duration_s = info.duration().map(antiphon_base::Span::as_s_f64);
        let bar = std::io::stderr().is_terminal().then(|| bar(duration_s));
        terminal::draws(bar.as_ref());
        Self { bar, shown: true, duration_s, said: None, track: None }
    }

    /// Nobody looks: what is to be said goes to the log.
    pub fn none() -> Self {
        Self { bar: None, shown: false, duration_s: None, said: None, track: None }
    }

    /// Whether somebody looks.
    pub fn is_shown(&self) -> bool {
        self.shown
    }

    /// Says which track is heard, when it is another one.
    pub fn track(&mut self, track: &Track) {
        let is_same = |said: &(usize, String)| said.0 == track.number && said.1 == track.info.name;
        if self.track.as_ref().is_some_and(is_same) {
            return;
        }
        self.track = Some((track.number, track.info.name.clone()));
        self.remark(&format!("{}/{} {}", track.number, track.of, what(&track.info)));
        self.duration_s = tracks::length_s(track);
        if let Some(bar) = &self.bar {
            bar.set_length(self.duration_s.map_or(0, |s| (s * 1e3) as u64));
        }
    }

    /// Shows where the programme stands.
    pub fn show(&mut self, programme: &ProgrammeStatus) {
        let changed = self.said.replace(programme.state) != Some(programme.state);
        let place = match self.duration_s {
            Some(duration) => format!("{} of {}", clock(programme.position_s), clock(duration)),
            None => clock(programme.position_s),
        };
        match &self.bar {
            Some(bar) => {
                bar.set_position((programme.position_s.max(0.0) * 1e3) as u64);
                bar.set_prefix(state(programme));
                bar.set_message(place);
            }
            None if changed && self.shown => terminal::note(&format!("{} {place}", state(programme))),
            None => {}
        }
    }

    /// A remark beside the display.
    pub fn remark(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| terminal::note(line)),
            None if self.shown => terminal::note(line),
            None => tracing::info!("queue: {line}"),
        }
    }

    /// Takes the display away.
    pub fn close(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
            terminal::draws(None);
        }
    }
}

fn state(programme: &ProgrammeStatus) -> String {
    match (programme.state, programme.missing.as_slice()) {
        (ProgrammeState::Waiting, missing) if !missing.is_empty() => {
            format!("waiting for {}", missing.join(", "))
        }
        (state, _) => state.to_string(),
    }
}

fn bar(duration_s: Option<f64>) -> ProgressBar {
    let length = duration_s.map(|s| (s * 1e3) as u64);
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    let template = match (length.is_some(), terminal::stderr_has_colour()) {
        (true, true) => "{prefix:.bold} [{wide_bar:.cyan}] {msg}",
        (true, false) => "{prefix} [{wide_bar}] {msg}",
        (false, _) => "{prefix} {msg}",
    };
    // A template of our own that does not parse would show the usual one.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("=> "));
    bar
}

fn what(info: &SourceInfo) -> String {
    let clean = |text: &String| text.chars().filter(|c| !c.is_control()).collect::<String>();
    let parts =
        [info.artist.as_ref().map(clean), Some(clean(&info.title_or_name())), info.album.as_ref().map(clean)];
    let named = parts.into_iter().flatten().collect::<Vec<_>>().join(" - ");
    let length = info.duration().map_or("length unknown".into(), |duration| clock(duration.as_s_f64()));
    let channels = match info.channels {
        1 => "mono".to_owned(),
        2 => "stereo".to_owned(),
        n => format!("{n} channels"),
    };
    format!("{named} ({length}, {}, {} kHz, {channels})", info.codec, f64::from(info.rate) / 1e3)
}
