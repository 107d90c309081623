//! What applets are shown, in their terms.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use antiphon_api::{Client, ProgrammeState, ProgrammeStatus};
use antiphon_audio::source::SourceInfo;
use zbus::{ObjectPath, OwnedVariant, Variant};

/// A place that differs by more from where playing should be was gone to: notices of the hub come late by less.
const JUMP_US: u64 = 700_000;

/// How things stand at one moment.
#[derive(Debug, Clone)]
pub struct Now {
    /// The hub that plays.
    pub client: Client,
    /// What the hub said.
    pub programme: ProgrammeStatus,
    /// When it said so.
    pub at: Instant,
    /// What is heard.
    pub info: SourceInfo,
    /// After the last track comes the first.
    pub repeats: bool,
}

impl Now {
    /// MPRIS's word for the state.
    pub fn playback(&self) -> &'static str {
        match self.programme.state {
            ProgrammeState::Waiting | ProgrammeState::Starting | ProgrammeState::Playing => "Playing",
            ProgrammeState::Paused => "Paused",
            ProgrammeState::Idle | ProgrammeState::Ended => "Stopped",
        }
    }

    /// Where in the track playing is at `moment`, in microseconds.
    pub fn position_us(&self, moment: Instant) -> i64 {
        let moves = self.programme.state == ProgrammeState::Playing;
        let since = if moves { moment.saturating_duration_since(self.at) } else { Duration::ZERO };
        let position = self.programme.position_s.max(0.0) + since.as_secs_f64();
        let end = self.programme.duration_s.unwrap_or(f64::MAX);
        micros(position.min(end))
    }

    /// Whether playing was sent elsewhere between `before` and this.
    pub fn has_jumped_since(&self, before: &Self) -> bool {
        let is_same = self.programme.track == before.programme.track;
        is_same && self.position_us(self.at).abs_diff(before.position_us(self.at)) > JUMP_US
    }

    /// The track's name on the bus: its place in the list.
    pub fn track_id(&self) -> ObjectPath<'static> {
        let number = self.programme.track.map_or(1, |track| track.number);
        ObjectPath::try_from(format!("/io/antiphon/track/{number}")).unwrap_or_default()
    }

    /// Whether there is a next track to go to.
    pub fn can_go_next(&self) -> bool {
        self.programme.track.is_some_and(|track| self.repeats || track.number < track.of)
    }

    /// Whether there is another place to go to.
    pub fn can_seek(&self) -> bool {
        self.info.seekable
    }

    /// Title, artist, album, length and name of the track. A station's is the title of what it says that it plays, and its own
    /// name the album's.
    pub fn metadata(&self) -> HashMap<&'static str, OwnedVariant> {
        let info = &self.info;
        let on_air = self.programme.on_air.clone();
        let station = on_air.is_some().then(|| info.title_or_name());
        let values: [(&'static str, Option<Variant<'static>>); 5] = [
            ("mpris:trackid", Some(self.track_id().into())),
            ("mpris:length", self.programme.duration_s.map(|s| micros(s).into())),
            ("xesam:title", Some(on_air.unwrap_or_else(|| info.title_or_name()).into())),
            ("xesam:artist", info.artist.clone().map(|artist| vec![artist].into())),
            ("xesam:album", station.or(info.album.clone()).map(Variant::from)),
        ];
        let owned =
            |(key, value): (&'static str, Option<Variant<'static>>)| Some((key, value?.try_into().ok()?));
        values.into_iter().filter_map(owned).collect()
    }
}

/// Seconds to microseconds; what is no time is the beginning.
fn micros(seconds: f64) -> i64 {
    (seconds * 1e6) as i64
}

#[cfg(test)]
mod tests {
    use antiphon_api::TrackPlace;

    use super::*;

    fn now(state: ProgrammeState, position_s: f64, number: u32) -> Now {
        let track = Some(TrackPlace { number, of: 2 });
        let duration_s = Some(60.0);
        Now {
            client: Client::new("127.0.0.1:9".parse().unwrap()),
            programme: ProgrammeStatus { state, position_s, duration_s, track, ..ProgrammeStatus::default() },
            at: Instant::now(),
            info: SourceInfo {
                name: "/music/a song.flac".into(),
                title: None,
                artist: Some("Somebody".into()),
                album: None,
                frames: None,
                rate: 48_000,
                channels: 2,
                container: "flac",
                codec: "flac",
                seekable: true,
            },
            repeats: false,
        }
    }

    fn seen(now: Now, at: Instant) -> Now {
        Now { at, ..now }
    }

    #[test]
    fn the_place_goes_on_between_two_words_of_the_hub_while_it_plays() {
        let playing = now(ProgrammeState::Playing, 10.0, 1);
        let later = playing.at + Duration::from_secs(2);
        assert_eq!(playing.position_us(later), 12_000_000);
        assert_eq!(playing.position_us(playing.at + Duration::from_secs(90)), 60_000_000);
        let paused = seen(now(ProgrammeState::Paused, 10.0, 1), playing.at);
        assert_eq!(paused.position_us(later), 10_000_000);
    }

    #[test]
    fn a_jump_is_a_place_in_the_same_track_that_time_does_not_lead_to() {
        let before = now(ProgrammeState::Playing, 10.0, 1);
        let at = |seconds: f64, position_s, number| {
            seen(
                now(ProgrammeState::Playing, position_s, number),
                before.at + Duration::from_secs_f64(seconds),
            )
        };
        assert!(!at(1.0, 11.3, 1).has_jumped_since(&before));
        assert!(at(1.0, 21.0, 1).has_jumped_since(&before) && at(1.0, 3.0, 1).has_jumped_since(&before));
        assert!(!at(1.0, 0.0, 2).has_jumped_since(&before), "another track begins at its beginning");
    }

    #[test]
    fn a_track_is_described_by_what_is_known_of_it() {
        let metadata = now(ProgrammeState::Playing, 0.0, 2).metadata();
        let mut keys: Vec<_> = metadata.keys().copied().collect();
        keys.sort_unstable();
        assert_eq!(keys, ["mpris:length", "mpris:trackid", "xesam:artist", "xesam:title"]);
        assert_eq!(*metadata["xesam:title"], Variant::from("a song"));
        assert_eq!(*metadata["mpris:length"], Variant::from(60_000_000i64));
        assert_eq!(*metadata["xesam:artist"], Variant::from(vec!["Somebody"]));
    }

    #[test]
    fn behind_the_last_track_there_is_one_only_where_the_list_repeats() {
        let (first, last) = (now(ProgrammeState::Playing, 0.0, 1), now(ProgrammeState::Playing, 0.0, 2));
        assert!(first.can_go_next() && !last.can_go_next());
        assert!(Now { repeats: true, ..last }.can_go_next());
    }
}
