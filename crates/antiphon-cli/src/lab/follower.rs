//! The follower on a thread of its own: its searches take a while, and the music must not wait.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use antiphon_measure::lab::follow::{FollowConfig, FollowState, Follower};

use crate::exit::Failure;

/// Blocks that wait: half a minute of both streams. Beyond that the machine is too slow to follow, and
/// whoever pushes has to wait.
const BLOCKS: usize = 1_200;

/// What the follower is told, in the order of time.
enum Told {
    Programme(Vec<f32>),
    Microphone(Vec<f32>),
    Corrected(f64),
}

/// A follower that works while others play and listen.
pub struct Worker {
    told: SyncSender<Told>,
    state: Arc<Mutex<FollowState>>,
}

impl Worker {
    /// Starts it. Its thread ends with this.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start() -> Result<Self, Failure> {
        let follower = Follower::new(FollowConfig::default());
        let state = Arc::new(Mutex::new(follower.state()));
        let (told, inbox) = sync_channel(BLOCKS);
        let shown = Arc::clone(&state);
        std::thread::Builder::new()
            .name("follower".into())
            .spawn(move || follow(follower, &inbox, &shown))
            .map_err(|error| Failure::failed(format!("cannot follow: {error}")))?;
        Ok(Self { told, state })
    }

    /// What is played, interleaved left and right.
    ///
    /// # Errors
    /// The follower broke down.
    pub fn programme(&self, interleaved: Vec<f32>) -> Result<(), Failure> {
        self.tell(Told::Programme(interleaved))
    }

    /// What was heard, one channel.
    ///
    /// # Errors
    /// The follower broke down.
    pub fn microphone(&self, samples: Vec<f32>) -> Result<(), Failure> {
        self.tell(Told::Microphone(samples))
    }

    /// The right speaker was told to play `by_us` later.
    ///
    /// # Errors
    /// The follower broke down.
    pub fn corrected(&self, by_us: f64) -> Result<(), Failure> {
        self.tell(Told::Corrected(by_us))
    }

    /// What is known at present.
    pub fn state(&self) -> FollowState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn tell(&self, told: Told) -> Result<(), Failure> {
        self.told.send(told).map_err(|_| Failure::failed("the follower broke down: this is Antiphon's fault"))
    }
}

fn follow(mut follower: Follower, inbox: &Receiver<Told>, shown: &Mutex<FollowState>) {
    for told in inbox {
        match told {
            Told::Programme(interleaved) => follower.programme(&interleaved),
            Told::Microphone(samples) => follower.microphone(&samples),
            Told::Corrected(by_us) => follower.corrected(by_us),
        }
        *shown.lock().unwrap_or_else(PoisonError::into_inner) = follower.state();
    }
}
