//! The tracks of a list that are sent or heard: the hub plays seconds behind what it is sent.

use std::collections::VecDeque;

use antiphon_api::{SourceCommand, TrackPlace};
use antiphon_audio::source::Track;
use antiphon_base::{Frames, Span};

use super::title;

/// As many as a hub remembers, and some: a list of one thing that repeats is never left.
const MOST: usize = 256;

/// Tracks from the one that is heard on. The hub counts frames by the same rule.
#[derive(Debug, Default)]
pub struct Tracks {
    list: VecDeque<Track>,
}

impl Tracks {
    /// Frames of this track are sent from here on.
    pub fn begin(&mut self, track: Track) {
        let kept = self.list.iter().take_while(|earlier| earlier.first < track.first).count();
        self.list.truncate(kept);
        if self.list.len() == MOST {
            self.list.pop_front();
        }
        self.list.push_back(track);
    }

    /// Gives `track` a number that no other on its way has: a queue that was changed meanwhile may have given it that of the
    /// one before, and by its number alone the hub says which is heard.
    pub fn tell_apart(&self, track: &mut Track) {
        while self.list.iter().any(|other| other.number == track.number && other.tag != track.tag) {
            track.number += 1;
        }
        track.of = track.of.max(track.number);
    }

    /// Another place: nothing of what was sent is heard.
    pub fn restart(&mut self, track: Track) {
        self.list = [track].into();
    }

    /// The track at `place` is heard: those before it are not gone back to by a seek. `None` where it is
    /// not one of these.
    pub fn heard(&mut self, place: TrackPlace) -> Option<&Track> {
        let index = self.list.iter().position(|track| track.number == place.number as usize)?;
        // In a list that repeats the same number comes again; the first is the one that is heard.
        self.list.drain(..index);
        self.list.front()
    }

    /// The track that frame `frame` is of, and how far into it that is.
    pub fn at(&self, frame: Frames) -> Option<(&Track, Frames)> {
        let begun = self.list.iter().rev().find(|track| track.first <= frame).or(self.list.front())?;
        Some((begun, (frame - begun.first).max(Frames(0))))
    }

    /// The track that is sent.
    pub fn last(&self) -> Option<&Track> {
        self.list.back()
    }
}

/// What the hub is told of `track`.
pub fn told(track: &Track) -> SourceCommand {
    SourceCommand::Track {
        number: number(track.number),
        of: number(track.of),
        title: title(&track.info),
        first_frame: track.first.0,
        duration_frames: track.info.frames.map(|frames| frames.0),
    }
}

/// Its length in seconds, where known.
pub fn length_s(track: &Track) -> Option<f64> {
    track.info.duration().map(Span::as_s_f64)
}

fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use antiphon_audio::source::SourceInfo;

    use super::*;

    fn track(number: usize, first: i64) -> Track {
        let info = SourceInfo {
            name: format!("{number}.wav"),
            title: None,
            artist: None,
            album: None,
            frames: None,
            rate: 48_000,
            channels: 2,
            container: "wave",
            codec: "pcm_s16le",
            seekable: true,
        };
        Track { number, of: 3, first: Frames(first), info, tag: 0 }
    }

    #[test]
    fn tracks_of_a_queue_that_was_changed_under_them_have_numbers_of_their_own() {
        let mut tracks = Tracks::default();
        tracks.begin(Track { tag: 7, ..track(3, 0) });
        let mut again = Track { tag: 7, ..track(3, 1_000) };
        tracks.tell_apart(&mut again);
        assert_eq!((again.number, again.of), (3, 3), "the same thing once more");
        let mut other = Track { tag: 8, ..track(3, 1_000) };
        tracks.tell_apart(&mut other);
        assert_eq!((other.number, other.of), (4, 4), "what was before the first was taken out");
    }

    #[test]
    fn a_frame_is_of_the_track_that_is_heard_and_not_of_the_one_that_is_sent() {
        let mut tracks = Tracks::default();
        for (number, first) in [(1, 0), (2, 1_000), (3, 2_000)] {
            tracks.begin(track(number, first));
        }
        let at =
            |tracks: &Tracks, frame| tracks.at(Frames(frame)).map(|(track, within)| (track.number, within.0));
        assert_eq!((at(&tracks, 999), at(&tracks, 1_500)), (Some((1, 999)), Some((2, 500))));
        assert_eq!(tracks.heard(TrackPlace { number: 2, of: 3 }).map(|track| track.number), Some(2));
        assert_eq!(tracks.heard(TrackPlace { number: 1, of: 3 }), None, "what was left does not come back");
        // Sent again from a place in the second: the third begins anew, and a round behind it the first.
        tracks.begin(track(3, 2_000));
        tracks.begin(track(1, 3_000));
        assert_eq!((at(&tracks, 1_999), at(&tracks, 2_000)), (Some((2, 999)), Some((3, 0))));
        assert_eq!(tracks.list.iter().filter(|track| track.number == 3).count(), 1, "and stands there once");
        assert_eq!(tracks.heard(TrackPlace { number: 1, of: 3 }).map(|track| track.first.0), Some(3_000));
    }
}
