//! A source on a thread of its own, decoded ahead of its reader.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel};

use antiphon_base::{Frames, SampleRate, Span};

use super::news::Board;
use super::{Damage, List, News, Place, Problem, Reading, Source, SourceError, SourceInfo, Track};

/// How far ahead a source is decoded: what a slow disk or a page fault takes, several times over.
pub const PREFETCH: Span = Span::from_s(2);

/// Frames of a block that the worker hands over: 50 ms.
const BLOCK: Frames = Frames(2_400);

/// Blocks that wait at most, by [`PREFETCH`].
const BLOCKS: usize = (PREFETCH.as_ns() / SampleRate::MEDIA.span_of(BLOCK).as_ns()) as usize;

/// Frames of a block of what is heard as it comes: 10 ms.
const LIVE_BLOCK: Frames = Frames(480);

/// Blocks of it that wait at most: a reader that stands still for longer finds what is newest in the device's own buffer.
const LIVE_BLOCKS: usize = 20;

/// A source that is read from a worker thread.
#[derive(Debug)]
pub struct Prefetch {
    info: SourceInfo,
    orders: Sender<Order>,
    blocks: Receiver<Block>,
    /// Counts the seeks: what an earlier one has left is thrown away.
    round: u64,
    ready: Vec<f32>,
    taken: usize,
    position: Frames,
    damage: Damage,
    ended: bool,
    /// Comes after everything before it has been read.
    failure: Option<SourceError>,
    board: Option<Arc<Board>>,
    /// Came in the middle of a run, and comes after it.
    held: Option<Content>,
    is_list: bool,
    repeats: bool,
}

/// What [`Prefetch::poll`] gives.
#[derive(Debug)]
pub enum Polled {
    /// So many frames were appended, at least one.
    Frames(usize),
    /// Of a list: the frame that comes next is this file's first. [`Prefetch::info`] is of this file.
    Track(Box<Track>),
    /// Of a list: a file that is left out, or its rest.
    Trouble(SourceError),
    /// Nothing is there yet.
    Nothing,
    /// There is no more; where the source failed, why.
    End(Option<SourceError>),
}

/// What the worker is told.
#[derive(Debug)]
struct Order {
    round: u64,
    goal: Goal,
}

#[derive(Debug)]
enum Goal {
    /// Of a single source.
    At(Span),
    /// Of a list.
    Place(Place),
}

/// What the worker has done.
#[derive(Debug)]
struct Block {
    round: u64,
    damage: Damage,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Samples(Vec<f32>),
    Sought(Result<Frames, SourceError>),
    Landed(Option<(Box<Track>, Frames)>),
    Track(Box<Track>),
    Trouble(SourceError),
    End(Option<SourceError>),
}

/// What a worker works on.
trait Work: Send + 'static {
    /// The next block, of up to so many frames.
    fn next(&mut self, block: Frames) -> Content;

    /// Begins elsewhere: what to answer, and whether there is anything to decode then.
    fn go(&mut self, goal: &Goal) -> (Content, bool);

    fn damage(&self) -> Damage;
}

/// Starts decoding `source` ahead. The worker ends with the [`Prefetch`]; one that waits for a pipe
/// ends when the pipe gives something or closes.
///
/// # Errors
///
/// What the system says where it has no thread to give.
pub fn prefetch(source: Source) -> std::io::Result<Prefetch> {
    start_source(source, (BLOCK, BLOCKS))
}

/// As [`prefetch()`], for what is to be heard soon after it came: small blocks, and few that wait.
///
/// # Errors
///
/// As [`prefetch()`].
pub fn prefetch_live(source: Source) -> std::io::Result<Prefetch> {
    start_source(source, (LIVE_BLOCK, LIVE_BLOCKS))
}

/// Starts decoding a list ahead, to be read by [`Prefetch::poll`] and led by [`Prefetch::go`]: the next
/// file is opened when all of the former is decoded, [`PREFETCH`] before its end.
///
/// # Errors
///
/// As [`prefetch()`].
pub fn prefetch_list(list: List) -> std::io::Result<Prefetch> {
    let (first, repeats, board) = (list.first(), list.repeats(), list.board());
    let mut ahead = start(list, first.info, first.first, (BLOCK, BLOCKS))?;
    (ahead.is_list, ahead.repeats, ahead.board) = (true, repeats, board);
    Ok(ahead)
}

fn start_source(source: Source, size: (Frames, usize)) -> std::io::Result<Prefetch> {
    let (info, position, board) = (source.info().clone(), source.position(), source.board());
    let mut ahead = start(source, info, position, size)?;
    ahead.board = board;
    Ok(ahead)
}

/// With blocks of so many frames, of which so many wait.
fn start(
    work: impl Work,
    info: SourceInfo,
    position: Frames,
    (block, most): (Frames, usize),
) -> std::io::Result<Prefetch> {
    let (orders, told) = channel();
    let (done, blocks) = sync_channel(most);
    std::thread::Builder::new().name("source".into()).spawn(move || run(work, block, &told, &done))?;
    Ok(Prefetch {
        info,
        orders,
        blocks,
        round: 0,
        ready: Vec::new(),
        taken: 0,
        position,
        damage: Damage::default(),
        ended: false,
        failure: None,
        board: None,
        held: None,
        is_list: false,
        repeats: false,
    })
}

impl Prefetch {
    /// What the source is.
    pub fn info(&self) -> &SourceInfo {
        &self.info
    }

    /// The number of the frame that comes next.
    pub fn position(&self) -> Frames {
        self.position
    }

    /// What has been wrong with the source up to about here.
    pub fn damage(&self) -> Damage {
        self.damage
    }

    /// What the source has to tell about what was read last, each once.
    pub fn news(&mut self) -> Option<News> {
        self.board.as_ref()?.take(self.position)
    }

    /// Appends up to `frames` frames, interleaved, to `out` and returns how many: fewer only where
    /// the source ends, 0 at its end. Waits for the worker where it is behind.
    ///
    /// # Errors
    ///
    /// The source's own, once, after everything before it has been read.
    pub fn read(&mut self, frames: usize, out: &mut Vec<f32>) -> Result<usize, SourceError> {
        let mut read = self.take(frames, out);
        while read < frames && !self.ended {
            let block = self.blocks.recv().ok();
            self.accept(block);
            read += self.take(frames - read, out);
        }
        self.or_failure(read)
    }

    /// As [`read`](Self::read), but gives what is there and never waits; `None` where nothing is
    /// there yet.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn try_read(&mut self, frames: usize, out: &mut Vec<f32>) -> Result<Option<usize>, SourceError> {
        let mut read = self.take(frames, out);
        while read < frames && !self.ended {
            match self.blocks.try_recv() {
                Ok(block) => self.accept(Some(block)),
                Err(TryRecvError::Disconnected) => self.accept(None),
                Err(TryRecvError::Empty) if read == 0 && frames > 0 => return Ok(None),
                Err(TryRecvError::Empty) => break,
            }
            read += self.take(frames - read, out);
        }
        self.or_failure(read).map(Some)
    }

    /// As [`try_read`](Self::try_read), and says what else comes between two frames: lists are read by this.
    pub fn poll(&mut self, frames: usize, out: &mut Vec<f32>) -> Polled {
        let mut read = self.take(frames, out);
        while read < frames && !self.ended {
            let Some(content) = self.held.take().or_else(|| self.next_content()) else { break };
            match content {
                Content::Samples(samples) => (self.ready, self.taken) = (samples, 0),
                Content::End(failure) => (self.ended, self.failure) = (true, failure),
                other if read > 0 => {
                    self.held = Some(other);
                    break;
                }
                Content::Track(track) => {
                    (self.info, self.position) = (track.info.clone(), track.first);
                    return Polled::Track(track);
                }
                Content::Trouble(error) => return Polled::Trouble(error),
                Content::Sought(_) | Content::Landed(_) => {}
            }
            read += self.take(frames - read, out);
        }
        match read {
            0 if self.ended => Polled::End(self.failure.take()),
            0 => Polled::Nothing,
            read => Polled::Frames(read),
        }
    }

    /// Whether it is a list, which has [`go`](Self::go) for other places.
    pub fn is_list(&self) -> bool {
        self.is_list
    }

    /// Whether it is a list that begins again after its end.
    pub fn repeats(&self) -> bool {
        self.repeats
    }

    /// Goes to another place of a list; the file that it is and the frame that comes next, `None` behind the
    /// last. Waits until the worker has.
    ///
    /// # Errors
    ///
    /// The worker has ended.
    pub fn go(&mut self, place: Place) -> Result<Option<(Box<Track>, Frames)>, SourceError> {
        match self.order(Goal::Place(place), place.at)? {
            Content::Landed(Some((track, position))) => {
                self.restart(position);
                self.info = track.info.clone();
                Ok(Some((track, position)))
            }
            Content::Landed(None) => {
                self.restart(self.position);
                Ok(None)
            }
            _ => Err(self.gone(place.at)),
        }
    }

    /// Goes to the frame that is due at `to` and returns its number. Waits until the worker has.
    ///
    /// # Errors
    ///
    /// As [`Source::seek`]. Where the worker has ended with the source's fault, that fault's
    /// consequence: the position cannot be gone to.
    pub fn seek(&mut self, to: Span) -> Result<Frames, SourceError> {
        if !self.info.seekable {
            return Err(self.info.cannot_seek(to));
        }
        match self.order(Goal::At(to), to)? {
            Content::Sought(Ok(frame)) => {
                self.restart(frame);
                Ok(frame)
            }
            Content::Sought(Err(error)) => Err(error),
            _ => Err(self.gone(to)),
        }
    }

    /// Sends the worker elsewhere, and takes what lies before its answer: that makes room for it.
    fn order(&mut self, goal: Goal, to: Span) -> Result<Content, SourceError> {
        self.round += 1;
        self.orders.send(Order { round: self.round, goal }).map_err(|_| self.gone(to))?;
        loop {
            let block = self.blocks.recv().map_err(|_| self.gone(to))?;
            if block.round == self.round {
                return Ok(block.content);
            }
        }
    }

    fn restart(&mut self, position: Frames) {
        self.ready.clear();
        self.taken = 0;
        (self.ended, self.failure, self.held, self.position) = (false, None, None, position);
    }

    fn gone(&self, to: Span) -> SourceError {
        let reason = "its decoder has ended, open it again".to_string();
        SourceError { name: self.info.name.clone(), problem: Problem::Seek { to, reason } }
    }

    /// What the worker has ready of the present round; a worker that is gone has ended.
    fn next_content(&mut self) -> Option<Content> {
        loop {
            match self.blocks.try_recv() {
                Ok(block) if block.round == self.round => {
                    self.damage = block.damage;
                    return Some(block.content);
                }
                Ok(_) => {}
                Err(TryRecvError::Disconnected) => return Some(Content::End(None)),
                Err(TryRecvError::Empty) => return None,
            }
        }
    }

    fn take(&mut self, frames: usize, out: &mut Vec<f32>) -> usize {
        let channels = usize::from(self.info.channels);
        let samples = (frames * channels).min(self.ready.len() - self.taken);
        out.extend_from_slice(&self.ready[self.taken..self.taken + samples]);
        self.taken += samples;
        self.position += Frames((samples / channels) as i64);
        samples / channels
    }

    fn accept(&mut self, block: Option<Block>) {
        let Some(block) = block else {
            self.ended = true;
            return;
        };
        if block.round != self.round {
            return;
        }
        self.damage = block.damage;
        match block.content {
            Content::Samples(samples) => (self.ready, self.taken) = (samples, 0),
            Content::Sought(_) | Content::Landed(_) | Content::Track(_) | Content::Trouble(_) => {}
            Content::End(failure) => (self.ended, self.failure) = (true, failure),
        }
    }

    fn or_failure(&mut self, read: usize) -> Result<usize, SourceError> {
        match self.failure.take_if(|_| read == 0) {
            Some(error) => Err(error),
            None => Ok(read),
        }
    }
}

impl Drop for Prefetch {
    fn drop(&mut self) {
        // The worker may wait for a station that is silent.
        if let Some(board) = &self.board {
            board.close();
        }
    }
}

/// The worker: decodes until it is full, its reader is gone, or the source ends; then waits for an
/// order to begin elsewhere.
fn run(mut work: impl Work, block: Frames, orders: &Receiver<Order>, blocks: &SyncSender<Block>) {
    let mut round = 0;
    let mut ended = false;
    loop {
        let order = if ended { orders.recv().ok() } else { orders.try_recv().ok() };
        let content = match order {
            Some(order) => {
                round = order.round;
                let (answer, more) = work.go(&order.goal);
                ended = ended && !more;
                answer
            }
            // Nobody is left to give an order.
            None if ended => return,
            None => {
                let content = work.next(block);
                ended = matches!(content, Content::End(_));
                content
            }
        };
        let block = Block { round, damage: work.damage(), content };
        if blocks.send(block).is_err() {
            return;
        }
    }
}

impl Work for Source {
    fn next(&mut self, block: Frames) -> Content {
        let mut samples = Vec::with_capacity(block.0 as usize * usize::from(self.info().channels));
        match self.read(block.0 as usize, &mut samples) {
            Ok(0) => Content::End(None),
            Ok(_) => Content::Samples(samples),
            Err(error) => Content::End(Some(error)),
        }
    }

    fn go(&mut self, goal: &Goal) -> (Content, bool) {
        let to = match goal {
            Goal::At(to) => *to,
            Goal::Place(place) => place.at,
        };
        let sought = self.seek(to);
        let more = sought.is_ok();
        (Content::Sought(sought), more)
    }

    fn damage(&self) -> Damage {
        Self::damage(self)
    }
}

impl Work for List {
    fn next(&mut self, block: Frames) -> Content {
        let mut samples = Vec::new();
        match self.read(block.0 as usize, &mut samples) {
            Reading::Frames(_) => Content::Samples(samples),
            Reading::Track(track) => Content::Track(track),
            Reading::Trouble(error) => Content::Trouble(error),
            Reading::End => Content::End(None),
        }
    }

    fn go(&mut self, goal: &Goal) -> (Content, bool) {
        let Goal::Place(place) = goal else { return (Content::Landed(None), false) };
        let landed = Self::go(self, place).map(|(track, position)| (Box::new(track), position));
        // Behind the last file there may be something to be said yet, and then the end.
        (Content::Landed(landed), true)
    }

    fn damage(&self) -> Damage {
        Self::damage(self)
    }
}
