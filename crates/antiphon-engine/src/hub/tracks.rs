//! The tracks of a programme: which of them is heard at a frame. Their frames are pushed seconds before.

use std::collections::VecDeque;

use antiphon_base::Frames;

/// Tracks that are known ahead, at most: the seconds that a source may be ahead hold as many of a few
/// hundredths of a second.
const MOST: usize = 128;

/// A part of a programme with a name of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// Its place in the list that the source plays, from 1.
    pub number: u32,
    /// Length of that list.
    pub of: u32,
    /// For people.
    pub title: String,
    /// The frame of the programme that it begins with.
    pub first: Frames,
    /// Where known.
    pub duration: Option<Frames>,
}

/// The track that is heard and those after it, in their order; empty for a programme without any.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    list: VecDeque<Track>,
    /// What a station says that it plays, each with the frame from which on that is heard.
    said: VecDeque<(Frames, String)>,
}

impl Tracks {
    /// A track begins, while frame `heard` is heard; what was to begin there or later does not.
    pub fn begin(&mut self, track: Track, heard: Frames) {
        self.cut(track.first);
        while self.list.get(1).is_some_and(|next| next.first <= heard) {
            self.list.pop_front();
        }
        // Nobody can read that many titles: the place of the last is lost, not memory.
        self.list.truncate(MOST - 1);
        self.list.push_back(track);
    }

    /// Forgets tracks that begin at `first` or later, and what was said of frames from there on.
    pub fn cut(&mut self, first: Frames) {
        let kept = self.list.iter().take_while(|track| track.first < first).count();
        self.list.truncate(kept);
        self.cut_said(first);
    }

    /// From frame `first` on a station plays `title`; frame `heard` is heard.
    pub fn say(&mut self, first: Frames, title: String, heard: Frames) {
        self.cut_said(first);
        while self.said.get(1).is_some_and(|(next, _)| *next <= heard) {
            self.said.pop_front();
        }
        self.said.truncate(MOST - 1);
        self.said.push_back((first, title));
    }

    fn cut_said(&mut self, first: Frames) {
        let kept = self.said.iter().take_while(|(from, _)| *from < first).count();
        self.said.truncate(kept);
    }

    /// What a station said of frame `heard`: nothing that it said before the track began.
    pub fn on_air(&self, heard: Frames) -> Option<&str> {
        let since = self.at(heard).map_or(Frames(0), |track| track.first);
        let said = self.said.iter().rev().find(|(from, _)| *from <= heard)?;
        (said.0 >= since).then_some(said.1.as_str())
    }

    /// The track that frame `heard` is of.
    pub fn at(&self, heard: Frames) -> Option<&Track> {
        let begun = self.list.iter().rev().find(|track| track.first <= heard);
        begun.or(self.list.front())
    }

    /// Frames will be of another track, which begins at frame 0 and is not known yet but by its number.
    pub fn skip_to(&mut self, number: u32, of: u32) {
        let track = Track {
            number: number.clamp(1, of.max(1)),
            of,
            title: String::new(),
            first: Frames(0),
            duration: None,
        };
        self.list = [track].into();
        self.said.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(number: u32, first: i64) -> Track {
        Track { number, of: 9, title: format!("track {number}"), first: Frames(first), duration: None }
    }

    fn heard(tracks: &Tracks, frame: i64) -> Option<u32> {
        tracks.at(Frames(frame)).map(|track| track.number)
    }

    #[test]
    fn the_track_of_a_frame_is_the_last_that_began_before_it() {
        let mut tracks = Tracks::default();
        assert_eq!(heard(&tracks, 0), None);
        tracks.begin(track(1, 0), Frames(0));
        tracks.begin(track(2, 1_000), Frames(10));
        tracks.begin(track(3, 1_500), Frames(20));
        let at = [0, 999, 1_000, 1_499, 1_500, 9_000].map(|frame| heard(&tracks, frame).unwrap());
        assert_eq!(at, [1, 1, 2, 2, 3, 3]);
        // What has been heard is forgotten, but not what is heard.
        tracks.begin(track(4, 2_000), Frames(1_200));
        assert_eq!(tracks.list.len(), 3);
        assert_eq!(heard(&tracks, 1_200), Some(2));
    }

    #[test]
    fn after_a_seek_the_same_track_may_begin_again_and_none_is_there_twice() {
        let mut tracks = Tracks::default();
        tracks.begin(track(1, 0), Frames(0));
        tracks.begin(track(2, 1_000), Frames(900));
        tracks.begin(track(2, 1_001), Frames(100));
        assert_eq!((tracks.list.len(), heard(&tracks, 1_000)), (3, Some(2)));
        tracks.cut(Frames(500));
        tracks.begin(track(2, 1_001), Frames(600));
        assert_eq!((tracks.list.len(), heard(&tracks, 1_000), heard(&tracks, 1_001)), (2, Some(1), Some(2)));
    }

    #[test]
    fn what_a_station_says_is_of_what_is_heard_and_of_its_own_track() {
        let mut tracks = Tracks::default();
        tracks.say(Frames(100), "first".into(), Frames(0));
        tracks.say(Frames(900), "second".into(), Frames(150));
        let said = |tracks: &Tracks, frame| tracks.on_air(Frames(frame)).map(str::to_owned);
        let at = [99, 100, 899, 900].map(|frame| said(&tracks, frame));
        assert_eq!(at, [None, Some("first".into()), Some("first".into()), Some("second".into())]);
        tracks.begin(track(2, 1_000), Frames(900));
        tracks.begin(track(3, 1_200), Frames(900));
        tracks.say(Frames(1_050), "third".into(), Frames(900));
        let at = [1_000, 1_050, 1_199, 1_200].map(|frame| said(&tracks, frame));
        assert_eq!(at, [None, Some("third".into()), Some("third".into()), None]);
        (0..10_000).for_each(|n| tracks.say(Frames(1_200 + n), "x".into(), Frames(0)));
        assert!(tracks.said.len() <= MOST);
        tracks.skip_to(4, 9);
        assert_eq!(said(&tracks, 5_000), None);
    }

    #[test]
    fn tracks_of_a_few_frames_do_not_fill_memory() {
        let mut tracks = Tracks::default();
        (0..10_000).for_each(|n| tracks.begin(track(n, i64::from(n)), Frames(0)));
        assert_eq!(
            (tracks.list.len(), heard(&tracks, 3), heard(&tracks, 1 << 40)),
            (MOST, Some(3), Some(9_999))
        );
    }

    #[test]
    fn a_skip_names_the_track_that_is_awaited() {
        let mut tracks = Tracks::default();
        tracks.begin(track(3, 0), Frames(0));
        tracks.skip_to(4, 9);
        assert_eq!((heard(&tracks, 0), tracks.list.len()), (Some(4), 1));
        tracks.skip_to(10, 9);
        assert_eq!(heard(&tracks, 0), Some(9));
    }
}
