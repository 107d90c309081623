//! The control thread: finds the hub, connects, shakes hands, and carries messages; for ever.

pub(crate) mod connect;

pub(crate) mod link;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use antiphon_net::Waker;
use antiphon_proto::session::{Hello, HubMessage, Refusal, RefusalCode, SpeakerMessage, Welcome};
use antiphon_proto::wire::seal::SessionKeys;
use nix::sys::eventfd::EventFd;

use crate::store::SpeakerStore;
use connect::ConnectError;

/// How to find and greet the hub.
pub(crate) struct ControlConfig {
    pub hub: Option<String>,
    pub runtime_dir: PathBuf,
    pub code: Option<String>,
    pub open: bool,
    pub hello: Hello,
}

/// What the control thread tells the speaker thread.
pub(crate) enum FromControl {
    Joined {
        hub: SocketAddr,
        welcome: Box<Welcome>,
        keys: Option<SessionKeys>,
    },
    Message(Box<HubMessage>),
    Lost(String),
    /// The hub will not have this speaker, and asking again cannot help.
    Refused(Refusal),
    /// Something a person should read, once.
    Notice(String),
}

/// What the speaker thread tells the control thread.
pub(crate) enum ToControl {
    Send(Box<SpeakerMessage>),
    /// The hub is silent on UDP: make a new connection.
    Reconnect,
}

/// The control thread's ends of the channels, and the events that wake both.
pub(crate) struct Channels {
    pub to_speaker: Sender<FromControl>,
    pub wake_speaker: Waker,
    pub from_speaker: Receiver<ToControl>,
    pub woken: Arc<EventFd>,
    pub stop: Arc<AtomicBool>,
}

impl Channels {
    fn tell(&self, message: FromControl) {
        // The speaker thread only goes away together with this one.
        let _ = self.to_speaker.send(message);
        self.wake_speaker.wake();
    }

    fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// In the first minute after a loss a hub is likely back any moment; later it is switched off, and
/// hundreds of agents should not hammer the network.
fn pause_after(lost: Instant) -> Duration {
    match lost.elapsed().as_secs() {
        0..60 => Duration::from_millis(250),
        60..600 => Duration::from_secs(2),
        _ => Duration::from_secs(10),
    }
}

/// A hub that answers, and says no for the present, is asked again after so long: what stands in the
/// way is another speaker, and that goes by a person's hand.
const AFTER_REFUSAL: Duration = Duration::from_secs(2);

/// Whether a person must do something first. A name that is taken when the speaker comes is the wrong
/// name; one that is taken while it was away may be free again soon.
fn is_final(refusal: &Refusal, has_joined: bool) -> bool {
    !refusal.code.is_worth_retrying() || (refusal.code == RefusalCode::NameTaken && !has_joined)
}

/// Runs until `stop`.
pub(crate) fn run(mut config: ControlConfig, mut store: SpeakerStore, channels: &Channels) {
    let mut lost = Instant::now();
    let mut told = None;
    let mut has_joined = false;
    while !channels.stopping() {
        let tried = Instant::now();
        let mut pause = Duration::ZERO;
        let why = match connect::connect(&mut config, &mut store) {
            Ok(connection) => {
                (told, has_joined) = (None, true);
                let why = link::serve(connection, &mut config.hello.role, channels);
                lost = Instant::now();
                why
            }
            Err(ConnectError::Refused(refusal)) => {
                if is_final(&refusal, has_joined) {
                    channels.tell(FromControl::Refused(refusal.clone()));
                }
                pause = AFTER_REFUSAL;
                refusal.message
            }
            Err(error) => error.to_string(),
        };
        // The same trouble is worth one line, not four a second.
        if told.as_ref() != Some(&why) && !channels.stopping() {
            channels.tell(FromControl::Lost(why.clone()));
            told = Some(why);
        }
        wait(channels, pause_after(lost).max(pause).saturating_sub(tried.elapsed()));
    }
}

/// Sleeps, but not past a stop; what the speaker wanted to say to a hub that is gone is dropped.
fn wait(channels: &Channels, pause: Duration) {
    let until = Instant::now() + pause;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || channels.stopping() {
            break;
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
    while channels.from_speaker.try_recv().is_ok() {}
}
