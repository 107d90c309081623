//! One connection to the sound server: commands and sound out, answers and news in, never blocking by itself.

use std::ffi::CString;
use std::io::{self, Cursor};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use antiphon_base::Span;
use antiphon_net::raw_now;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pulseaudio::protocol::{
    self, AuthParams, AuthReply, Command, CommandReply, Descriptor, DescriptorFlags, MIN_VERSION, Prop,
    Props, ProtocolError, PulseError, SetClientNameReply, TagStructReader,
};

use super::place;
use super::wire::Wire;

/// Why the sound server cannot be used, or no longer.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Nobody listens at any of the places where one would be.
    #[error("no sound server (PulseAudio or PipeWire) answers{}", remedy(.0))]
    Absent(Vec<(PathBuf, io::Error)>),
    /// It will not do what was asked.
    #[error("the sound server refuses: {0}")]
    Refused(PulseError),
    /// It has stopped, or is too busy to answer.
    #[error(
        "the sound server has not answered for {} s; start it again with `systemctl --user restart pipewire-pulse` (or \
         pulseaudio)",
        PATIENCE.as_s_f64()
    )]
    Silent,
    /// It closed the connection.
    #[error("the sound server has gone away")]
    Gone,
    /// It has taken the stream away, as it does when a device is unplugged.
    #[error("the device is gone")]
    DeviceGone,
    /// What came is no message that can be.
    #[error("the sound server sent what is no message: {0}")]
    Nonsense(String),
    /// The system.
    #[error("cannot speak with the sound server: {0}")]
    Io(#[from] io::Error),
}

impl From<ProtocolError> for ServerError {
    fn from(error: ProtocolError) -> Self {
        Self::Nonsense(error.to_string())
    }
}

fn remedy(places: &[(PathBuf, io::Error)]) -> &'static str {
    match places {
        [] => ": PULSE_SERVER names none on this machine",
        _ => "; start it with `systemctl --user start pipewire-pulse` (or pulseaudio)",
    }
}

/// How long an answer may take: a server that pauses for longer has stopped, and people wait for nothing longer.
const PATIENCE: Span = Span::from_s(2);

/// A message from the server.
#[derive(Debug)]
pub(crate) enum Message {
    /// The answer to command `seq`; [`Connection::read`] takes `body` apart.
    Answer { seq: u32, body: Vec<u8> },
    /// Command `seq` is refused.
    Refused { seq: u32, why: PulseError },
    /// News.
    Told(Box<Command>),
    /// Sound of the recording stream `channel`.
    Sound { channel: u32, bytes: Vec<u8> },
}

/// A connection that has introduced itself.
pub(crate) struct Connection {
    wire: Wire,
    version: u16,
    next_seq: u32,
}

impl Connection {
    /// Connects to this user's server.
    pub fn open() -> Result<Self, ServerError> {
        let env = |name: &str| std::env::var(name).ok();
        let mut failed = Vec::new();
        for path in place::sockets(env, nix::unistd::getuid().as_raw()) {
            match UnixStream::connect(&path) {
                Ok(socket) => return Self::introduce(socket),
                Err(error) => {
                    tracing::debug!("no sound server at {}: {error}", path.display());
                    failed.push((path, error));
                }
            }
        }
        Err(ServerError::Absent(failed))
    }

    fn introduce(socket: UnixStream) -> Result<Self, ServerError> {
        let mut connection = Self { wire: Wire::new(socket)?, version: place::VERSION, next_seq: 0 };
        let auth = AuthParams {
            version: place::VERSION,
            supports_shm: false,
            supports_memfd: false,
            cookie: place::cookie(),
        };
        let reply: AuthReply = connection.ask(&Command::Auth(auth))?;
        if reply.version < MIN_VERSION {
            return Err(ServerError::Nonsense(format!("protocol version {}", reply.version)));
        }
        connection.version = reply.version.min(place::VERSION);
        let mut props = Props::new();
        props.set(Prop::ApplicationName, c"Antiphon");
        props.set(Prop::ApplicationProcessId, text(&std::process::id().to_string()));
        let _: SetClientNameReply = connection.ask(&Command::SetClientName(props))?;
        Ok(connection)
    }

    /// Sends a command and waits for its answer. News that come before it are lost: ask before streams run.
    pub fn ask<R: CommandReply>(&mut self, command: &Command) -> Result<R, ServerError> {
        let seq = self.send(command)?;
        let end = raw_now() + PATIENCE;
        loop {
            while let Some(message) = self.next()? {
                match message {
                    Message::Answer { seq: of, body } if of == seq => return self.read(&body),
                    Message::Refused { seq: of, why } if of == seq => return Err(ServerError::Refused(why)),
                    _ => {}
                }
            }
            let left = end - raw_now();
            if left <= Span::ZERO {
                return Err(ServerError::Silent);
            }
            self.wait(left)?;
        }
    }

    /// Takes an answer apart.
    pub fn read<R: CommandReply>(&self, body: &[u8]) -> Result<R, ServerError> {
        Ok(TagStructReader::new(&mut Cursor::new(body), self.version).read()?)
    }

    /// Sends a command; the number that its answer will have.
    pub fn send(&mut self, command: &Command) -> Result<u32, ServerError> {
        let seq = self.next_seq;
        // The topmost number is the one of news.
        self.next_seq = (seq + 1) % u32::MAX;
        let version = self.version;
        protocol::write_command_message(self.wire.outbox(), seq, command, version)?;
        self.wire.flush()?;
        Ok(seq)
    }

    /// Sends sound to the playback stream `channel`.
    pub fn send_sound(&mut self, channel: u32, bytes: &[u8]) -> Result<(), ServerError> {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let head = Descriptor { length, channel, offset: 0, flags: DescriptorFlags::empty() };
        protocol::write_descriptor(self.wire.outbox(), &head)?;
        self.wire.outbox().extend_from_slice(bytes);
        self.wire.flush()
    }

    /// Sleeps until something came, or until `timeout`; writes what waits.
    pub fn wait(&mut self, timeout: Span) -> Result<(), ServerError> {
        let mut wanted = PollFlags::POLLIN;
        wanted.set(PollFlags::POLLOUT, self.wire.is_writing());
        // Rounded up: a wait of less than a millisecond is not worth spinning.
        let ms = u16::try_from((timeout.as_ns() / 1_000_000 + 1).clamp(0, i64::from(u16::MAX)));
        let mut fds = [PollFd::new(self.wire.socket().as_fd(), wanted)];
        match poll(&mut fds, PollTimeout::from(ms.unwrap_or(u16::MAX))) {
            Err(errno) if errno != nix::errno::Errno::EINTR => return Err(io::Error::from(errno).into()),
            _ => {}
        }
        self.wire.flush()?;
        self.wire.receive()
    }

    /// The next message that has come whole; those of kinds that are not known here are left out.
    pub fn next(&mut self) -> Result<Option<Message>, ServerError> {
        while let Some((channel, bytes)) = self.wire.next()? {
            let message = if channel == u32::MAX {
                command(&bytes, self.version)
            } else {
                Some(Message::Sound { channel, bytes })
            };
            if message.is_some() {
                return Ok(message);
            }
        }
        Ok(None)
    }
}

/// `None` for a command that this program does not know: news of what it has not asked for.
fn command(payload: &[u8], version: u16) -> Option<Message> {
    let mut cursor = Cursor::new(payload);
    match Command::read_tag_prefixed(&mut cursor, version) {
        Ok((seq, Command::Reply)) => {
            let body = payload.get(cursor.position() as usize..).unwrap_or_default().to_vec();
            Some(Message::Answer { seq, body })
        }
        Ok((seq, Command::Error(why))) => Some(Message::Refused { seq, why }),
        Ok((_, news)) => Some(Message::Told(Box::new(news))),
        Err(error) => {
            tracing::debug!("from the sound server: {error}");
            None
        }
    }
}

/// `text` as the protocol writes it; what follows a NUL is left out.
pub(crate) fn text(text: &str) -> CString {
    let until_nul = text.split('\0').next().unwrap_or_default();
    CString::new(until_nul).unwrap_or_default()
}
