//! `org.mpris.MediaPlayer2.Player`: what plays, and what may be done with it.
//!
//! Volume is absent: speakers have volumes of their own, and there is not one for all. So are the optional
//! LoopStatus and Shuffle, which are chosen at the start.

use std::collections::HashMap;
use std::time::Instant;

use antiphon_api::{SeekTo, TransportAction, TransportRequest};
use tokio::sync::watch;
use zbus::object_server::SignalEmitter;
use zbus::{ObjectPath, OwnedVariant, fdo};

use super::{Now, ask, stop};

/// The player.
#[derive(Debug)]
pub(super) struct Player {
    pub now: watch::Receiver<Now>,
}

impl Player {
    async fn order(&self, action: TransportAction, to: Option<SeekTo>) -> fdo::Result<()> {
        let client = self.now.borrow().client.clone();
        ask(client, TransportRequest { action, to }).await
    }
}

#[zbus::interface(name = "org.mpris.MediaPlayer2.Player")]
impl Player {
    async fn next(&self) -> fdo::Result<()> {
        // By the specification nothing happens where this is false.
        let can = self.now.borrow().can_go_next();
        if can { self.order(TransportAction::Next, None).await } else { Ok(()) }
    }

    async fn previous(&self) -> fdo::Result<()> {
        self.order(TransportAction::Previous, None).await
    }

    async fn pause(&self) -> fdo::Result<()> {
        self.order(TransportAction::Pause, None).await
    }

    async fn play_pause(&self) -> fdo::Result<()> {
        self.order(TransportAction::Toggle, None).await
    }

    async fn play(&self) -> fdo::Result<()> {
        self.order(TransportAction::Resume, None).await
    }

    async fn stop(&self) {
        stop(self.now.borrow().client.clone());
    }

    /// By so many microseconds; behind the end the next track follows.
    async fn seek(&self, offset: i64) -> fdo::Result<()> {
        self.order(TransportAction::Seek, Some(SeekTo::OffsetS(offset as f64 / 1e6))).await
    }

    /// To a place of the track that the caller believes to be heard; of another one, or outside of it, nowhere.
    async fn set_position(&self, track_id: ObjectPath<'_>, position: i64) -> fdo::Result<()> {
        let position_s = position as f64 / 1e6;
        let is_there = {
            let now = self.now.borrow();
            let end = now.programme.duration_s.unwrap_or(f64::MAX);
            now.track_id().as_str() == track_id.as_str() && (0.0..=end).contains(&position_s)
        };
        match is_there {
            true => self.order(TransportAction::Seek, Some(SeekTo::PositionS(position_s))).await,
            false => Ok(()),
        }
    }

    fn open_uri(&self, _uri: &str) -> fdo::Result<()> {
        Err(fdo::Error::NotSupported("what plays is chosen by `antiphon play`".into()))
    }

    #[zbus(signal)]
    async fn seeked(emitter: &SignalEmitter<'_>, position: i64) -> zbus::Result<()>;

    #[zbus(property)]
    fn playback_status(&self) -> String {
        self.now.borrow().playback().to_owned()
    }

    #[zbus(property)]
    fn metadata(&self) -> HashMap<&'static str, OwnedVariant> {
        self.now.borrow().metadata()
    }

    #[zbus(property(emits_changed_signal = "false"))]
    fn position(&self) -> i64 {
        self.now.borrow().position_us(Instant::now())
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn rate(&self) -> f64 {
        1.0
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn minimum_rate(&self) -> f64 {
        1.0
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn maximum_rate(&self) -> f64 {
        1.0
    }

    #[zbus(property)]
    fn can_go_next(&self) -> bool {
        self.now.borrow().can_go_next()
    }

    /// To the beginning, if nowhere else.
    #[zbus(property(emits_changed_signal = "const"))]
    fn can_go_previous(&self) -> bool {
        self.now.borrow().can_seek()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn can_play(&self) -> bool {
        true
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn can_pause(&self) -> bool {
        true
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn can_seek(&self) -> bool {
        self.now.borrow().can_seek()
    }

    #[zbus(property(emits_changed_signal = "const"))]
    fn can_control(&self) -> bool {
        true
    }
}
