//! "Antiphon" as an output device in the desktop's sound settings.
//!
//! The sound server (PulseAudio's, or PipeWire's) makes the device: its tunnel module plays to another sound server,
//! and that server is here, on a socket of its own. So the device has this program's clock, every program that plays
//! to it learns how late its sound will be heard (a video player shows its pictures as late), and it is gone when this
//! program is, even after a crash: the module unloads itself when its server vanishes.

mod link;

mod stream;

use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use antiphon_base::{SampleRate, Span};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pulseaudio::protocol::{
    Command, CommandReply, LoadModuleParams, ModuleInfo, ProtocolError, TagStructRead, TagStructReader,
    TagStructWrite, TagStructWriter,
};

use crate::capture::{Capture, CaptureError, CaptureFormat};
use crate::pulse::{Connection, ServerError, text};
use link::Link;

/// The device's name for programs; people see "Antiphon".
pub const SINK_NAME: &str = "antiphon";

/// Whether the sound server's sink `name` is the device, of this program or of another one: the server numbers a second
/// one of a name.
pub(crate) fn is_own(name: &str) -> bool {
    let number = name.strip_prefix(SINK_NAME).and_then(|rest| rest.strip_prefix('.'));
    name == SINK_NAME || number.is_some_and(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()))
}

/// What a desktop plays.
pub(crate) const CHANNELS: u16 = 2;

/// Modules that play to another sound server, best first: the first tells programs the latency behind it and keeps the
/// name that it is given, but exists in PulseAudio only; the second is what PipeWire knows it by.
const MODULES: [&str; 2] = ["module-tunnel-sink-new", "module-tunnel-sink"];

/// How often the clock is looked at: what is due comes in pieces of this length.
const TICK: Span = Span::from_ms(5);

/// Pieces that may wait for a reader that stands still: half a second.
const PIECES: usize = 100;

/// How late what the device is given is heard, told by whoever plays it.
#[derive(Debug, Clone, Default)]
pub struct Lateness(Arc<AtomicI64>);

impl Lateness {
    /// Tells it.
    pub fn set(&self, span: Span) {
        self.0.store(span.as_ns(), Ordering::Relaxed);
    }

    /// What was last told.
    pub fn get(&self) -> Span {
        Span::from_ns(self.0.load(Ordering::Relaxed))
    }
}

/// The device, for as long as it is held; what is played to it, as it is played.
pub struct Desktop {
    pieces: Receiver<Vec<f32>>,
    module: Module,
    /// Its end tells the thread.
    _alive: Arc<()>,
}

impl Desktop {
    /// Makes the device.
    ///
    /// # Errors
    /// There is no sound server, or it has no such module.
    pub fn open(lateness: &Lateness) -> Result<Self, CaptureError> {
        let failed = |what: &str, why: &dyn std::fmt::Display| {
            CaptureError::Other(format!("cannot make an output device of the desktop: {what}: {why}"))
        };
        let door = Door::open().map_err(|error| failed("no socket for it", &error))?;
        let (sender, pieces) = sync_channel(PIECES);
        let alive = Arc::new(());
        let (path, told) = (door.path.clone(), Arc::downgrade(&alive));
        let lateness = lateness.clone();
        std::thread::Builder::new()
            .name("desktop".into())
            .spawn(move || serve(&door, &sender, &lateness, || told.strong_count() > 0))
            .map_err(|error| failed("no thread for it", &error))?;
        let module = Module::load(&path).map_err(|error| failed("the sound server will not", &error))?;
        Ok(Self { pieces, module, _alive: alive })
    }
}

impl Capture for Desktop {
    fn format(&self) -> CaptureFormat {
        CaptureFormat { rate: SampleRate::MEDIA, channels: CHANNELS }
    }

    /// Waits for as long as nobody plays anything, but looks for the device now and then.
    fn read(&mut self, out: &mut Vec<f32>) -> Result<usize, CaptureError> {
        loop {
            match self.pieces.recv_timeout(Duration::from_secs(1)) {
                Ok(piece) => {
                    out.extend_from_slice(&piece);
                    return Ok(piece.len() / usize::from(CHANNELS));
                }
                Err(RecvTimeoutError::Timeout) => self.module.look().map_err(|error| {
                    CaptureError::Other(format!("the desktop's device \"Antiphon\" is gone: {error}"))
                })?,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(CaptureError::Other("the desktop's device has stopped".into()));
                }
            }
        }
    }
}

/// The module in the sound server; unloaded when dropped.
struct Module {
    connection: Connection,
    index: u32,
}

impl Module {
    fn load(socket: &Path) -> Result<Self, ServerError> {
        let mut connection = Connection::open()?;
        let arguments = format!(
            "server=unix:{} sink_name={SINK_NAME} sink_properties=device.description=Antiphon format=float32le \
             rate={} channels={CHANNELS}",
            socket.display(),
            SampleRate::MEDIA.hz()
        );
        let mut refused = None;
        for name in MODULES {
            let params = LoadModuleParams { name: text(name), arguments: Some(text(&arguments)) };
            match connection.ask(&Command::LoadModule(params)) {
                Ok(Loaded(index)) => return Ok(Self { connection, index }),
                Err(error @ ServerError::Refused(_)) => refused = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(refused.unwrap_or(ServerError::Gone))
    }

    /// Whether the sound server still has it.
    fn look(&mut self) -> Result<(), ServerError> {
        self.connection.ask::<ModuleInfo>(&Command::GetModuleInfo(self.index)).map(drop)
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // A server that is gone has taken it along.
        let _ = self.connection.send(&Command::UnloadModule(self.index));
    }
}

/// The answer to the loading of a module: its number, which the crate has no type for.
struct Loaded(u32);

impl CommandReply for Loaded {}

impl TagStructRead for Loaded {
    fn read(reader: &mut TagStructReader<'_>, _version: u16) -> Result<Self, ProtocolError> {
        Ok(Self(reader.read_u32()?))
    }
}

impl TagStructWrite for Loaded {
    fn write(&self, writer: &mut TagStructWriter<'_>, _version: u16) -> Result<(), ProtocolError> {
        writer.write_u32(self.0)
    }
}

/// The socket that the module comes to: in a directory of its own that only this user may enter.
struct Door {
    listener: UnixListener,
    path: PathBuf,
}

impl Door {
    fn open() -> std::io::Result<Self> {
        let base = std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        // One that has just been closed may still be there.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory = base.join(format!("antiphon-desktop-{}-{number}", std::process::id()));
        match std::fs::DirBuilder::new().mode(0o700).create(&directory) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let path = directory.join("native");
        // One of a program that had this number and crashed.
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path })
    }

    /// Removes the socket's name. It may be gone already.
    fn take_away(&self) {
        let _ = std::fs::remove_file(&self.path);
        if let Some(directory) = self.path.parent() {
            let _ = std::fs::remove_dir(directory);
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.take_away();
    }
}

/// Serves the module, until `wanted` says no.
fn serve(door: &Door, pieces: &SyncSender<Vec<f32>>, lateness: &Lateness, wanted: impl Fn() -> bool) {
    let mut links: Vec<Link> = Vec::with_capacity(1);
    while wanted() {
        while let Ok((socket, _)) = door.listener.accept() {
            if let Some(link) = admitted(socket).filter(|_| links.is_empty()) {
                links.push(link);
                // Nobody else is to come, and a program that is killed leaves no file behind.
                door.take_away();
            }
        }
        links.retain_mut(|link| match link.turn(lateness.get(), |piece| drop(pieces.try_send(piece))) {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!("the desktop's device: {error}");
                false
            }
        });
        wait(&door.listener, &links);
    }
}

/// The sound server of this user; nobody else knows a way here.
fn admitted(socket: UnixStream) -> Option<Link> {
    let peer = nix::sys::socket::getsockopt(&socket, nix::sys::socket::sockopt::PeerCredentials).ok()?;
    let own = nix::unistd::getuid().as_raw();
    // The system's sound server may be another user's, but root's or its own.
    let known = peer.uid() == own || own == 0 || peer.uid() == 0;
    known.then(|| Link::new(socket).ok()).flatten()
}

fn wait(listener: &UnixListener, links: &[Link]) {
    let sockets = links.iter().map(|link| link.socket().as_fd());
    let mut fds: Vec<PollFd> =
        sockets.chain([listener.as_fd()]).map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
    let playing = links.iter().any(Link::plays);
    let patience = if playing { TICK } else { Span::from_ms(100) };
    let ms = u8::try_from(patience.as_ns() / 1_000_000).unwrap_or(u8::MAX);
    // Interrupted or not, the next turn looks at everything.
    let _ = poll(&mut fds, PollTimeout::from(ms));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_is_known_by_its_name_and_by_a_number_behind_it() {
        assert!(is_own("antiphon") && is_own("antiphon.2") && is_own("antiphon.17"));
        for other in ["antiphony", "antiphon.", "antiphon.monitor", "antiphon.2b", "", "my antiphon"] {
            assert!(!is_own(other), "{other}");
        }
    }
}
