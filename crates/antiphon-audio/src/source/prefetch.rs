//! A source on a thread of its own, decoded ahead of its reader.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel, sync_channel};

use antiphon_base::{Frames, SampleRate, Span};

use super::news::Board;
use super::{Damage, News, Problem, Source, SourceError, SourceInfo};

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
}

/// What the worker is told.
#[derive(Debug)]
struct Order {
    round: u64,
    seek: Span,
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
    End(Option<SourceError>),
}

/// Starts decoding `source` ahead. The worker ends with the [`Prefetch`]; one that waits for a pipe
/// ends when the pipe gives something or closes.
///
/// # Errors
///
/// What the system says where it has no thread to give.
pub fn prefetch(source: Source) -> std::io::Result<Prefetch> {
    start(source, BLOCK, BLOCKS)
}

/// As [`prefetch`], for what is to be heard soon after it came: small blocks, and few that wait.
///
/// # Errors
///
/// As [`prefetch`].
pub fn prefetch_live(source: Source) -> std::io::Result<Prefetch> {
    start(source, LIVE_BLOCK, LIVE_BLOCKS)
}

fn start(source: Source, block: Frames, most: usize) -> std::io::Result<Prefetch> {
    let (orders, told) = channel();
    let (done, blocks) = sync_channel(most);
    let (info, position, board) = (source.info().clone(), source.position(), source.board());
    std::thread::Builder::new().name("source".into()).spawn(move || work(source, block, &told, &done))?;
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
        board,
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
        self.round += 1;
        let gone = || {
            let reason = "its decoder has ended, open it again".to_string();
            SourceError { name: self.info.name.clone(), problem: Problem::Seek { to, reason } }
        };
        self.orders.send(Order { round: self.round, seek: to }).map_err(|_| gone())?;
        // Taking what lies before the answer makes room for it.
        let answer = loop {
            let block = self.blocks.recv().map_err(|_| gone())?;
            if block.round == self.round {
                break block;
            }
        };
        match answer.content {
            Content::Sought(Ok(frame)) => {
                self.ready.clear();
                self.taken = 0;
                (self.ended, self.failure, self.position) = (false, None, frame);
                Ok(frame)
            }
            Content::Sought(Err(error)) => Err(error),
            Content::Samples(_) | Content::End(_) => Err(gone()),
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
            Content::Sought(_) => {}
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
fn work(mut source: Source, block: Frames, orders: &Receiver<Order>, blocks: &SyncSender<Block>) {
    let mut round = 0;
    let mut ended = false;
    loop {
        let order = if ended { orders.recv().ok() } else { orders.try_recv().ok() };
        let content = match order {
            Some(order) => {
                round = order.round;
                let sought = source.seek(order.seek);
                ended = ended && sought.is_err();
                Content::Sought(sought)
            }
            // Nobody is left to give an order.
            None if ended => return,
            None => {
                let content = next_block(&mut source, block);
                ended = matches!(content, Content::End(_));
                content
            }
        };
        let block = Block { round, damage: source.damage(), content };
        if blocks.send(block).is_err() {
            return;
        }
    }
}

fn next_block(source: &mut Source, block: Frames) -> Content {
    let mut samples = Vec::with_capacity(block.0 as usize * usize::from(source.info().channels));
    match source.read(block.0 as usize, &mut samples) {
        Ok(0) => Content::End(None),
        Ok(_) => Content::Samples(samples),
        Err(error) => Content::End(Some(error)),
    }
}
