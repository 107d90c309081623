//! The microphone, heard on a thread of its own so that nothing is lost while the hub is talked to.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use antiphon_audio::capture::{Capture, InputUri};
use antiphon_audio::source::PcmFormat;

use super::{Ended, room};
use crate::exit::Failure;

/// Blocks that wait while nobody listens: half a minute. After that they are dropped; a take begins
/// with an empty queue.
const BLOCKS: usize = 600;

/// How often opening a microphone (a pipe waits for its recorder) looks whether to go on.
const LOOK: Duration = Duration::from_millis(20);

/// A microphone that is open and heard.
pub struct Microphone {
    blocks: Receiver<Block>,
    channels: usize,
    over: bool,
}

/// What came of one reading.
type Block = Result<Vec<f32>, String>;

impl Microphone {
    /// Opens the microphone `uri`; `format` says what raw samples are.
    ///
    /// # Errors
    /// It cannot be had, or `stop` was raised while it was waited for.
    pub fn open(uri: &InputUri, format: Option<PcmFormat>, stop: &AtomicBool) -> Result<Self, Ended> {
        let (opened, ready) = sync_channel(1);
        let (given, blocks) = sync_channel(BLOCKS);
        let uri = uri.clone();
        let work = move || match room::open(&uri, format) {
            Ok(microphone) => {
                // The other end gives up only with the whole program.
                let _ = opened.send(Ok(microphone.format().channels));
                listen(microphone, &given);
            }
            Err(error) => {
                let _ = opened.send(Err(error.to_string()));
            }
        };
        std::thread::Builder::new()
            .name("microphone".into())
            .spawn(work)
            .map_err(|error| Failure::failed(format!("cannot listen: {error}")))?;
        loop {
            match ready.recv_timeout(LOOK) {
                Ok(channels) => {
                    let channels = usize::from(channels.map_err(Failure::failed)?.max(1));
                    return Ok(Self { blocks, channels, over: false });
                }
                Err(RecvTimeoutError::Timeout) if stop.load(Ordering::Acquire) => {
                    return Err(Ended::Interrupted);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure::failed("the microphone's thread broke down").into());
                }
            }
        }
    }

    /// Interleaved channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Whether it has ended or broken, as far as [`forget`](Self::forget) has seen.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Forgets what was heard so far.
    pub fn forget(&mut self) {
        while let Ok(block) = self.blocks.try_recv() {
            self.over = self.over || !block.is_ok_and(|samples| !samples.is_empty());
        }
    }

    /// The next block, if one has come; `None` when there is none yet.
    ///
    /// # Errors
    /// It ended or broke.
    pub fn next(&mut self) -> Result<Option<Vec<f32>>, Failure> {
        let ended = "the microphone gave no more: the recorder was stopped, or its file is at its end";
        if self.over {
            return Err(Failure::failed(ended));
        }
        match self.blocks.try_recv() {
            Ok(Ok(block)) if block.is_empty() => Err(Failure::failed(ended)),
            Ok(Ok(block)) => Ok(Some(block)),
            Ok(Err(said)) => Err(Failure::failed(said)),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(Failure::failed(ended)),
        }
    }
}

/// Reads until it ends or nobody is there to hear.
fn listen(mut microphone: Box<dyn Capture>, given: &SyncSender<Block>) {
    loop {
        let mut samples = Vec::new();
        let block = microphone.read(&mut samples).map(|_| samples).map_err(|error| error.to_string());
        let last = !matches!(&block, Ok(samples) if !samples.is_empty());
        match given.try_send(block) {
            Err(std::sync::mpsc::TrySendError::Disconnected(_)) => return,
            // A full queue: nobody listens at present.
            Ok(()) | Err(std::sync::mpsc::TrySendError::Full(_)) if !last => {}
            _ => return,
        }
    }
}
