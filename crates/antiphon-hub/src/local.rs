//! The Unix socket: processes of the hub's own user ask where it is, and speakers are paired.

use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use antiphon_api::local::{MAX_LINE, TIMEOUT, socket_path};
use antiphon_api::{ErrorBody, ErrorCode, LocalReply, LocalRequest, json};
use antiphon_proto::session::message::is_name;
use antiphon_proto::session::{Pairing, PublicKey};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::Uid;

use crate::options::HubError;
use crate::state::{Store, files, random_bytes};

/// After a question that failed (no descriptors left, perhaps) the thread breathes.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

/// The socket's thread; ends, and removes the socket, when dropped.
pub struct LocalDoor {
    path: PathBuf,
    /// Its end wakes the thread, whatever has become of the path.
    stop: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

struct Host {
    store: Arc<Store>,
    name: String,
    open: bool,
    listen: SocketAddr,
}

impl LocalDoor {
    /// Opens the socket in `runtime_dir`.
    ///
    /// # Errors
    /// Another hub answers there, or the system refuses.
    pub fn open(
        runtime_dir: &Path,
        store: Arc<Store>,
        name: &str,
        open: bool,
        listen: SocketAddr,
    ) -> Result<Self, HubError> {
        files::make_private_dir(runtime_dir)?;
        let path = socket_path(runtime_dir);
        let listener = listen_at(&path)?;
        listener.set_nonblocking(true)?;
        let (stop, stopped) = UnixStream::pair()?;
        let host = Host { store, name: name.to_owned(), open, listen };
        let thread = std::thread::Builder::new()
            .name("antiphon-local".into())
            .spawn(move || host.run(&listener, &stopped))?;
        Ok(Self { path, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for LocalDoor {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = fs::remove_file(&self.path);
    }
}

/// Binds `path`; a socket that a killed hub left there is taken away first.
fn listen_at(path: &Path) -> Result<UnixListener, HubError> {
    let failed = |source: io::Error| HubError::File { what: "create", path: path.to_owned(), source };
    match UnixStream::connect(path) {
        Ok(_) => return Err(HubError::AlreadyRunning(path.to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(_) => fs::remove_file(path).map_err(failed)?,
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

impl Host {
    /// One at a time: each question takes at most [`TIMEOUT`], and only the hub's own user asks.
    fn run(&self, listener: &UnixListener, stopped: &UnixStream) {
        loop {
            let mut fds = [
                PollFd::new(listener.as_fd(), PollFlags::POLLIN),
                PollFd::new(stopped.as_fd(), PollFlags::POLLIN),
            ];
            let waited = poll(&mut fds, PollTimeout::NONE);
            if fds[1].any() == Some(true) {
                return;
            }
            let accepted = waited.map_err(io::Error::from).and_then(|_| listener.accept());
            let answered = accepted.and_then(|(stream, _)| self.answer(stream));
            match answered {
                Ok(()) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(error) => {
                    tracing::debug!("a local question was not answered: {error}");
                    std::thread::sleep(PAUSE);
                }
            }
        }
    }

    fn answer(&self, mut stream: UnixStream) -> io::Result<()> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let reply = match own_user(&stream) {
            true => self.reply(&read_line(&stream)?),
            false => Err(ErrorBody::new(ErrorCode::NotPermitted, "this hub belongs to another user")),
        };
        let mut line = json::write(&reply.unwrap_or_else(LocalReply::Refused));
        line.push(b'\n');
        stream.write_all(&line)
    }

    fn reply(&self, line: &[u8]) -> Result<LocalReply, ErrorBody> {
        let address = reachable(self.listen).to_string();
        match json::read("the question", line)? {
            LocalRequest::Whereabouts => {
                Ok(LocalReply::Here { name: self.name.clone(), address, open: self.open })
            }
            LocalRequest::Pair { speaker_public, name } => self.pair(&speaker_public, name, address),
        }
    }

    fn pair(&self, speaker_public: &str, name: String, address: String) -> Result<LocalReply, ErrorBody> {
        let bad = |message: String| ErrorBody::new(ErrorCode::BadRequest, message);
        let peer: PublicKey =
            speaker_public.parse().map_err(|error| bad(format!("the speaker's key: {error}")))?;
        if !is_name(&name) || peer.is_low_order() {
            return Err(bad("the speaker's name or key cannot be used".to_owned()));
        }
        let internal = |error: HubError| ErrorBody::new(ErrorCode::Internal, error.to_string());
        let psk = random_bytes().map_err(internal)?;
        self.store.pair(Pairing { peer, psk, name: name.clone() }).map_err(internal)?;
        tracing::info!("paired with speaker {name} on this machine");
        Ok(LocalReply::Paired {
            hub_public: self.store.identity().public().to_string(),
            psk: psk.iter().map(|byte| format!("{byte:02x}")).collect(),
            hub_name: self.name.clone(),
            address,
        })
    }
}

fn own_user(stream: &UnixStream) -> bool {
    let peer = getsockopt(stream, PeerCredentials).map(|peer| Uid::from_raw(peer.uid()));
    peer.is_ok_and(|uid| uid == Uid::effective() || uid.is_root())
}

fn read_line(stream: &UnixStream) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    BufReader::new(stream.take(MAX_LINE)).read_until(b'\n', &mut line)?;
    Ok(line)
}

/// The address by which a process of this machine reaches `listen`.
pub fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}
