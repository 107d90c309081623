//! Files one after the other, as one continuous source.
//!
//! Files with the same number of channels join without a frame between: those of one rate go through one
//! resampler, as if they had never been cut; at a change of rate each has an end of its own. Frames are
//! counted on from file to file. A file that cannot be played is told and left out.

use std::collections::VecDeque;

use antiphon_base::{Frames, Span};

use super::{Damage, Source, SourceError, SourceInfo, SourceSpec, open};

/// A file of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListItem {
    /// What to open.
    pub spec: SourceSpec,
    /// What the list calls it: used where the file has no title of its own.
    pub title: Option<String>,
}

/// A file of a list that has its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// Its place in the list, from 1; of a list with a [`Feed`], its turn at the moment that it was opened.
    pub number: usize,
    /// Length of the list.
    pub of: usize,
    /// The frame, counted over the files, that it begins with.
    pub first: Frames,
    /// What it is.
    pub info: SourceInfo,
    /// What its [`Feed`] calls it; of a list without one, 0.
    pub tag: u64,
}

/// Who says what a list goes on with, at the moment that it is opened: until then it may be another thing.
pub trait Feed: std::fmt::Debug + Send {
    /// What follows the file `tag`, with a tag of its own; nothing: the list ends.
    fn after(&mut self, tag: u64) -> Option<(u64, ListItem)>;

    /// The turn of the file `tag`, from 1, and how many have one. Where things go round the same comes again.
    fn turn(&self, tag: u64) -> (usize, usize);
}

/// Files of a [`Feed`] that are refused in a row before the list is taken to be at its end.
const MOST_REFUSED: usize = 1_000;

/// Files that a list with a [`Feed`] plays in one go: weeks of them. What follows is another list.
const MOST_FED: usize = 20_000;

/// Where to go on in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The file, from 1. Before the first and behind the last a list that repeats goes round; else the
    /// former is the first and the latter the end.
    pub number: i64,
    /// What a [`Feed`] calls the file: of a list with one this says which it is, since numbers change.
    pub tag: u64,
    /// Where the file cannot be played: whether to look for one before it.
    pub backwards: bool,
    /// How far into the file.
    pub at: Span,
    /// The frame that the file begins with from here on.
    pub first: Frames,
}

/// What reading gives.
#[derive(Debug)]
pub enum Reading {
    /// So many frames were appended, at least one, all of one file.
    Frames(usize),
    /// The frame that comes next is this file's first, and may be of other channels than the last.
    Track(Box<Track>),
    /// A file is left out from here on, or from its beginning.
    Trouble(SourceError),
    /// There is no more.
    End,
}

#[derive(Debug)]
struct Entry {
    item: ListItem,
    tag: u64,
    /// Could not be opened: that is said once, however often the list repeats.
    refused: bool,
}

/// A list of files, read in order. At least one of them could be opened.
#[derive(Debug)]
pub struct List {
    entries: Vec<Entry>,
    /// Adds to the entries what has its turn.
    feed: Option<Box<dyn Feed>>,
    repeat: bool,
    /// Files that were joined are one source.
    source: Source,
    /// The frame, counted over the files, that is the source's frame 0.
    origin: Frames,
    /// Files whose first frame, in the source's count, is not read yet.
    begins: VecDeque<(Frames, Track)>,
    /// Opened, and not to be joined: has its turn when the source is read.
    next: Option<(usize, Source)>,
    /// The file opened last.
    last: usize,
    /// The file of the source, where it is only one.
    alone: Option<usize>,
    /// Nothing will be joined to the source any more.
    closed: bool,
    /// Somebody went behind the last file.
    ended: bool,
    troubles: VecDeque<SourceError>,
}

impl List {
    /// Opens the first file that can be played. What is wrong with those before it is the first that
    /// [`read`](Self::read) says.
    ///
    /// # Errors
    /// What is wrong with each, when none can be played; nothing, when there are none.
    pub fn open(items: Vec<ListItem>, repeat: bool) -> Result<Self, Vec<SourceError>> {
        let mut entries: Vec<_> = items.into_iter().map(|item| Entry::new(item, 0)).collect();
        let mut troubles = VecDeque::new();
        let opened = (0..entries.len())
            .find_map(|index| Some((index, open_entry(&mut entries[index], &mut troubles)?)));
        let Some((index, source)) = opened else { return Err(troubles.into()) };
        let mut list = Self::of(entries, index, source, troubles);
        list.repeat = repeat;
        list.begin(index);
        Ok(list)
    }

    /// Opens `item`, which `feed` calls `tag`; what follows it, `feed` says.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn open_fed((tag, item): (u64, ListItem), feed: Box<dyn Feed>) -> Result<Self, SourceError> {
        let source = open(&item.spec)?;
        let mut list = Self::of(vec![Entry::new(item, tag)], 0, source, VecDeque::new());
        list.feed = Some(feed);
        list.begin(0);
        Ok(list)
    }

    /// A list that stands in the file `index`, which is `source`.
    fn of(entries: Vec<Entry>, index: usize, source: Source, troubles: VecDeque<SourceError>) -> Self {
        Self {
            entries,
            feed: None,
            repeat: false,
            source,
            origin: Frames(0),
            begins: VecDeque::new(),
            next: None,
            last: index,
            alone: None,
            closed: false,
            ended: false,
            troubles,
        }
    }

    /// The file that comes first.
    pub fn first(&self) -> Track {
        let begun = self.begins.front().map(|(_, track)| track.clone());
        begun.unwrap_or_else(|| self.track(self.last, self.origin))
    }

    /// Whether it begins again after its end.
    pub fn repeats(&self) -> bool {
        self.repeat
    }

    /// Appends up to `frames` frames (at least one), interleaved, to `out`, or says what comes before the next.
    pub fn read(&mut self, frames: usize, out: &mut Vec<f32>) -> Reading {
        loop {
            if let Some(trouble) = self.troubles.pop_front() {
                return Reading::Trouble(trouble);
            }
            if self.ended {
                return Reading::End;
            }
            let here = self.source.position();
            let most = match self.begins.front() {
                Some((first, _)) if *first > here => frames.min((*first - here).0 as usize),
                Some(_) => match self.begins.pop_front() {
                    Some((_, track)) => return Reading::Track(Box::new(track)),
                    None => frames,
                },
                None => frames,
            };
            match self.source.read(most, out) {
                Ok(0) if !self.go_on() => return Reading::End,
                Ok(0) => {}
                Ok(read) => return Reading::Frames(read),
                Err(error) => return Reading::Trouble(error),
            }
        }
    }

    /// Goes to `place`, or where that file cannot be played to the nearest that can; the file that it is,
    /// and the frame that comes next. `None` behind the last: the list is at its end.
    pub fn go(&mut self, place: &Place) -> Option<(Track, Frames)> {
        let found = self.index_of(place).and_then(|index| self.turn_to(index, place));
        self.ended = found.is_none();
        let index = found?;
        (self.next, self.last, self.origin) = (None, index, place.first);
        if self.feed.is_some() {
            // What follows is asked for anew.
            self.entries.truncate(index + 1);
        }
        self.begin(index);
        self.begins.clear();
        Some((self.track(index, place.first), place.first + self.source.position()))
    }

    /// Where a station pins its titles.
    pub(super) fn board(&self) -> Option<std::sync::Arc<super::news::Board>> {
        self.source.board()
    }

    /// What has been wrong with the file that is being read.
    pub fn damage(&self) -> Damage {
        self.source.damage()
    }

    /// Makes the file `index`, or the nearest one that can be played, the source.
    fn turn_to(&mut self, index: usize, place: &Place) -> Option<usize> {
        if self.alone == Some(index) && self.source.seek(place.at).is_ok() {
            return Some(index);
        }
        let (found, source) = self.open_near(index, place.backwards)?;
        self.source = source;
        // A source that cannot go there is at its end, and the list goes on behind it.
        if found == index
            && place.at > Span::ZERO
            && let Err(error) = self.source.seek(place.at)
        {
            self.troubles.push_back(error);
        }
        Some(found)
    }

    /// The source is a new one, which holds this file alone.
    fn begin(&mut self, index: usize) {
        self.source.leave_open();
        self.alone = Some(index);
        self.closed = false;
        self.begins = [(Frames(0), self.track(index, self.origin))].into();
    }

    fn track(&self, index: usize, first: Frames) -> Track {
        let info = self.named(index, self.source.info().clone());
        let tag = self.entries[index].tag;
        let (number, of) = match &self.feed {
            Some(feed) => feed.turn(tag),
            None => (index + 1, self.entries.len()),
        };
        Track { number, of, first, info, tag }
    }

    fn named(&self, index: usize, mut info: SourceInfo) -> SourceInfo {
        info.title = info.title.or_else(|| self.entries[index].item.title.clone());
        info
    }

    /// The source has given all that was decoded: goes on with what follows; `false` at the end.
    fn go_on(&mut self) -> bool {
        if let Some((index, source)) = self.next.take() {
            self.origin += self.source.position();
            self.source = source;
            self.begin(index);
            return true;
        }
        if self.closed {
            return false;
        }
        match self.open_following() {
            Some((index, next)) if self.source.is_like(&next) => self.join(index, next),
            following => {
                self.next = following;
                self.source.finish();
                self.closed = true;
            }
        }
        true
    }

    fn join(&mut self, index: usize, next: Source) {
        let first = self.source.decoded_end();
        self.source.follow_with(next);
        self.alone = None;
        self.begins.push_back((first, self.track(index, self.origin + first)));
    }

    /// The next file that can be played, after the one opened last; each is tried once.
    fn open_following(&mut self) -> Option<(usize, Source)> {
        if self.feed.is_some() {
            return self.open_fed_following();
        }
        let count = self.entries.len();
        let round = (self.last + 1..count).chain(0..if self.repeat { self.last + 1 } else { 0 });
        self.open_first(round)
    }

    fn open_fed_following(&mut self) -> Option<(usize, Source)> {
        for _ in 0..MOST_REFUSED {
            let after = self.entries.last()?.tag;
            let (tag, item) = self.feed.as_mut()?.after(after).filter(|_| self.entries.len() < MOST_FED)?;
            self.entries.push(Entry::new(item, tag));
            let index = self.entries.len() - 1;
            if let Some(source) = open_entry(&mut self.entries[index], &mut self.troubles) {
                self.last = index;
                return Some((index, source));
            }
        }
        None
    }

    /// The file `index`, or the nearest one that can be played: first on one side, then on the other.
    fn open_near(&mut self, index: usize, backwards: bool) -> Option<(usize, Source)> {
        let count = self.entries.len();
        match backwards {
            true => self.open_first((0..=index).rev().chain(index + 1..count)),
            false if self.repeat => self.open_first((index..count).chain(0..index)),
            false => self.open_first(index..count),
        }
    }

    fn open_first(&mut self, indices: impl Iterator<Item = usize>) -> Option<(usize, Source)> {
        for index in indices {
            if let Some(source) = open_entry(&mut self.entries[index], &mut self.troubles) {
                self.last = index;
                return Some((index, source));
            }
        }
        None
    }

    fn index_of(&self, place: &Place) -> Option<usize> {
        if self.feed.is_some() {
            // Of one that came again, the latest: what follows is the same.
            return self.entries.iter().rposition(|entry| entry.tag == place.tag);
        }
        let count = self.entries.len() as i64;
        match place.number - 1 {
            index if self.repeat => usize::try_from(index.rem_euclid(count)).ok(),
            index if index >= count => None,
            index => usize::try_from(index.max(0)).ok(),
        }
    }
}

impl Entry {
    fn new(item: ListItem, tag: u64) -> Self {
        Self { item, tag, refused: false }
    }
}

/// `None` where it cannot be played, which goes to `troubles` the first time.
fn open_entry(entry: &mut Entry, troubles: &mut VecDeque<SourceError>) -> Option<Source> {
    if entry.refused {
        return None;
    }
    match open(&entry.item.spec) {
        Ok(source) => Some(source),
        Err(error) => {
            entry.refused = true;
            troubles.push_back(error);
            None
        }
    }
}
