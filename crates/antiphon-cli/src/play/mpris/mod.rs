//! What desktops see of a player and ask of it: MPRIS 2.2, on the session bus.
//!
//! Media keys, applets and `playerctl` come this way. What they ask goes to the hub, as the terminal's keys
//! do, and what they are shown is what the hub says is heard. Where there is no session bus nobody misses it.

mod now;

mod player;

mod root;

use antiphon_api::{Client, TransportAction, TransportRequest};
use tokio::sync::watch;
use zbus::connection::Builder;
use zbus::fdo;
use zbus::object_server::InterfaceRef;

pub use now::Now;
use player::{Player, PlayerSignals};
use root::Root;

/// Where every player is.
const PATH: &str = "/org/mpris/MediaPlayer2";

/// The player on the session bus, until dropped.
#[derive(Debug)]
pub struct Mpris {
    now: watch::Sender<Now>,
}

impl Mpris {
    /// Appears on the session bus, on a thread of its own; if there is none, nobody hears what is told.
    pub fn start(now: Now) -> Self {
        let (sender, receiver) = watch::channel(now);
        let started = std::thread::Builder::new().name("mpris".into()).spawn(move || run(receiver));
        if let Err(error) = started {
            tracing::debug!("no thread for MPRIS: {error}");
        }
        Self { now: sender }
    }

    /// How things stand.
    pub fn tell(&self, now: Now) {
        self.now.send_replace(now);
    }
}

fn run(now: watch::Receiver<Now>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.map_err(zbus::Error::from).and_then(|runtime| runtime.block_on(serve(now)));
    if let Err(error) = served {
        tracing::debug!("no MPRIS on the session bus: {error}");
    }
}

/// Serves until the player is dropped.
async fn serve(mut now: watch::Receiver<Now>) -> zbus::Result<()> {
    // Several players may run at the same time.
    let name = format!("org.mpris.MediaPlayer2.antiphon.instance{}", std::process::id());
    let connection = Builder::session()
        .name(name.as_str())
        .serve_at(PATH, Root { now: now.clone() })
        .serve_at(PATH, Player { now: now.clone() })
        .build()
        .await?;
    let player: InterfaceRef<Player> = connection.object_server().interface(PATH).await?;
    let mut told = now.borrow_and_update().clone();
    while now.changed().await.is_ok() {
        let next = now.borrow_and_update().clone();
        tell_changes(&player, &told, &next).await?;
        told = next;
    }
    Ok(())
}

/// What is different is told, and nothing else: an applet redraws at every word.
async fn tell_changes(player: &InterfaceRef<Player>, before: &Now, after: &Now) -> zbus::Result<()> {
    let (interface, emitter) = (player.get().await, player.signal_emitter());
    if before.playback() != after.playback() {
        interface.playback_status_changed(emitter).await?;
    }
    if before.metadata() != after.metadata() {
        interface.metadata_changed(emitter).await?;
    }
    if before.can_go_next() != after.can_go_next() {
        interface.can_go_next_changed(emitter).await?;
    }
    if after.has_jumped_since(before) {
        player.seeked(after.position_us(after.at)).await?;
    }
    Ok(())
}

/// Has the hub do it. Its answer may take a moment, in which the bus is served.
async fn ask(client: Client, request: TransportRequest) -> fdo::Result<()> {
    let failed = |error: &dyn std::fmt::Display| fdo::Error::Failed(error.to_string());
    let answer = tokio::task::spawn_blocking(move || client.transport(&request)).await;
    answer.map_err(|error| failed(&error))?.map_err(|error| failed(&error)).map(drop)
}

/// Has the hub end it. Nobody waits for that: with it the program ends, and its place on the bus.
fn stop(client: Client) {
    let request = TransportRequest { action: TransportAction::Stop, to: None };
    tokio::task::spawn_blocking(move || {
        if let Err(error) = client.transport(&request) {
            tracing::debug!("MPRIS could not stop: {error}");
        }
    });
}
