//! A connection in use: messages both ways until it breaks.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::sync::mpsc::TryRecvError;

use antiphon_base::Role;
use antiphon_proto::session::{HubMessage, SpeakerMessage};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tungstenite::{Error, Message, WebSocket};

use super::connect::{Connection, open, seal};
use super::{Channels, FromControl, ToControl};

/// A stop is looked for this often, in ms; everything else wakes the poll.
const LOOK_MS: u16 = 500;

/// Serves the connection; says why it ended. `role` becomes what the hub has set: a speaker that comes back asks for that, since
/// what it was started with would undo what its person has chosen meanwhile, and a hub that forgets has no other to give.
pub(super) fn serve(mut connection: Connection, role: &mut Option<Role>, channels: &Channels) -> String {
    if let Some(hub) = connection.paired_with.take() {
        channels.tell(FromControl::Notice(format!("paired with {hub}")));
    }
    if let Err(error) = connection.socket.get_ref().set_nonblocking(true) {
        return error.to_string();
    }
    *role = Some(connection.welcome.settings.role);
    channels.tell(FromControl::Joined {
        hub: connection.hub,
        welcome: Box::new(connection.welcome.clone()),
        keys: connection.keys.take(),
    });
    loop {
        match turn(&mut connection, role, channels) {
            Ok(()) => {}
            Err(why) => return why,
        }
    }
}

fn turn(connection: &mut Connection, role: &mut Option<Role>, channels: &Channels) -> Result<(), String> {
    wait(&connection.socket, channels)?;
    receive(connection, |message| {
        if let HubMessage::Settings(settings) = &message {
            *role = Some(settings.role);
        }
        channels.tell(FromControl::Message(Box::new(message)));
    })?;
    send(connection, channels)
}

fn wait(socket: &WebSocket<TcpStream>, channels: &Channels) -> Result<(), String> {
    let mut fds = [
        PollFd::new(socket.get_ref().as_fd(), PollFlags::POLLIN),
        PollFd::new(channels.woken.as_fd(), PollFlags::POLLIN),
    ];
    match poll(&mut fds, PollTimeout::from(LOOK_MS)) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => {}
        Err(errno) => return Err(errno.to_string()),
    }
    // EAGAIN: nobody woke us.
    let _ = channels.woken.read();
    Ok(())
}

/// Hands over every message that waits; says why there will be no more.
pub(crate) fn receive(connection: &mut Connection, mut take: impl FnMut(HubMessage)) -> Result<(), String> {
    loop {
        let bytes = match connection.socket.read() {
            Ok(Message::Binary(bytes)) => bytes.to_vec(),
            Ok(Message::Text(text)) => text.as_bytes().to_vec(),
            Ok(Message::Close(_)) => return Err("the hub closed the connection".into()),
            Ok(_) => continue,
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(format!("the connection broke: {error}")),
        };
        match open(&mut connection.channel, &bytes).map_err(|e| e.to_string())? {
            HubMessage::Goodbye { reason } => return Err(format!("the hub says goodbye: {reason}")),
            message => take(message),
        }
    }
}

fn send(connection: &mut Connection, channels: &Channels) -> Result<(), String> {
    loop {
        match channels.from_speaker.try_recv() {
            Ok(ToControl::Send(message)) => say(connection, &message)?,
            Ok(ToControl::Reconnect) => return Err("the hub is silent".into()),
            Err(TryRecvError::Empty) if channels.stopping() => return Err("stopped".into()),
            Err(TryRecvError::Empty) => return written(connection.socket.flush()),
            Err(TryRecvError::Disconnected) => return Err("stopped".into()),
        }
    }
}

/// Sends one message.
pub(crate) fn say(connection: &mut Connection, message: &SpeakerMessage) -> Result<(), String> {
    let sealed = seal(&mut connection.channel, message).map_err(|e| e.to_string())?;
    written(connection.socket.send(sealed))
}

/// What did not fit into the kernel's buffer stays in the WebSocket's, which refuses to grow beyond
/// its limit; a hub that reads nothing is soon found silent.
fn written(result: tungstenite::Result<()>) -> Result<(), String> {
    match result {
        Ok(()) => Ok(()),
        Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(format!("the connection broke: {error}")),
    }
}
