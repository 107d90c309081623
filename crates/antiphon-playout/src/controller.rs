//! The side of the queues that may wait, allocate and free.

use antiphon_base::Chunk;
use rtrb::{Consumer, Producer, PushError, RingBuffer};

use crate::command::Command;
use crate::telemetry::Telemetry;

/// The audio thread has not taken anything for a while: it is not running, or its sink hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueFull;

impl std::fmt::Display for QueueFull {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the renderer takes no commands: is its sink running?")
    }
}

impl std::error::Error for QueueFull {}

/// Feeds and tells the [`Renderer`](crate::Renderer) from another thread.
pub struct Controller {
    chunks: Producer<Fed>,
    commands: Producer<Command>,
    retired: Consumer<Fed>,
    telemetry: Consumer<Telemetry>,
    flushes: u32,
}

/// A chunk, and how many flushes were commanded before it was pushed: the two queues have no order
/// between them, and a flush must drop what came before it and nothing else.
pub(crate) struct Fed {
    pub flushes: u32,
    pub chunk: Chunk,
}

/// The audio thread's ends of the same queues.
pub(crate) struct Queues {
    pub chunks: Consumer<Fed>,
    pub commands: Consumer<Command>,
    pub retired: Producer<Fed>,
    pub telemetry: Producer<Telemetry>,
}

/// Targets come 20 times a second and the rest rarely: three seconds without a callback.
const COMMANDS: usize = 64;
/// Snapshots of 20 ms: five seconds for the slowest reader.
const SNAPSHOTS: usize = 256;
/// The shortest packet of the protocol, in frames: what a full ring can hold in single chunks.
const SHORTEST_CHUNK: usize = 120;

/// Both ends of the queues of a renderer that holds `ring_frames` of media.
pub(crate) fn queues(ring_frames: usize) -> (Controller, Queues) {
    let held = ring_frames / SHORTEST_CHUNK + 64;
    let (chunks, chunks_out) = RingBuffer::new(held);
    let (commands, commands_out) = RingBuffer::new(COMMANDS);
    let (retired_in, retired) = RingBuffer::new(held);
    let (telemetry_in, telemetry) = RingBuffer::new(SNAPSHOTS);
    let queues =
        Queues { chunks: chunks_out, commands: commands_out, retired: retired_in, telemetry: telemetry_in };
    (Controller { chunks, commands, retired, telemetry, flushes: 0 }, queues)
}

impl Controller {
    /// Hands over media. They may come in any order, early or late; absolute frame numbers place
    /// them. One channel goes to all of the sink's; two to a sink of one as their mean.
    ///
    /// # Errors
    /// The chunk comes back when the queue is full: the audio thread does not run, or the ring's
    /// worth of media is already waiting. Dropping the chunk is right.
    pub fn push(&mut self, chunk: Chunk) -> Result<(), Chunk> {
        self.collect();
        let fed = Fed { flushes: self.flushes, chunk };
        self.chunks.push(fed).map_err(|PushError::Full(fed)| fed.chunk)
    }

    /// Tells the audio thread something.
    ///
    /// # Errors
    /// [`QueueFull`] when it has not run for seconds; a [`Command::Target`] may then be dropped.
    pub fn command(&mut self, command: Command) -> Result<(), QueueFull> {
        self.commands.push(command).map_err(|_| QueueFull)?;
        self.flushes = self.flushes.wrapping_add(u32::from(command == Command::Flush));
        Ok(())
    }

    /// Frees what the audio thread is done with. Called by [`push`](Self::push) too.
    pub fn collect(&mut self) {
        while self.retired.pop().is_ok() {}
    }

    /// The newest snapshot since the last call, if there is one.
    pub fn telemetry(&mut self) -> Option<Telemetry> {
        std::iter::from_fn(|| self.telemetry.pop().ok()).last()
    }
}
