//! Messages on a socket that never blocks: what has come whole, and what waits to be written.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use pulseaudio::protocol::{self, DESCRIPTOR_SIZE, MAX_MEMBLOCKQ_LENGTH};

use super::ServerError;

/// What may wait to be written: as much as a server holds of one stream at most. Sound is asked for before it is sent,
/// so more means that the other end does not read.
const MOST_WAITING: usize = MAX_MEMBLOCKQ_LENGTH;

/// Read at once: some messages of sound.
const READ: usize = 64 * 1_024;

/// Either end of a connection.
pub(crate) struct Wire {
    socket: UnixStream,
    inbox: Vec<u8>,
    /// How much of `inbox` is done with.
    taken: usize,
    outbox: Vec<u8>,
}

impl Wire {
    pub fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { socket, inbox: Vec::new(), taken: 0, outbox: Vec::new() })
    }

    pub fn socket(&self) -> &UnixStream {
        &self.socket
    }

    /// Where messages are written to; [`flush`](Self::flush) sends them.
    pub fn outbox(&mut self) -> &mut Vec<u8> {
        &mut self.outbox
    }

    /// Something waits to be written.
    pub fn is_writing(&self) -> bool {
        !self.outbox.is_empty()
    }

    /// Takes what has come.
    pub fn receive(&mut self) -> Result<(), ServerError> {
        let mut block = [0; READ];
        match self.socket.read(&mut block) {
            Ok(0) => Err(ServerError::Gone),
            Ok(n) => {
                self.inbox.extend_from_slice(&block[..n]);
                Ok(())
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(()),
                io::ErrorKind::ConnectionReset => Err(ServerError::Gone),
                _ => Err(error.into()),
            },
        }
    }

    /// The next message that has come whole: its channel and what is in it.
    pub fn next(&mut self) -> Result<Option<(u32, Vec<u8>)>, ServerError> {
        let rest = &self.inbox[self.taken..];
        if rest.len() >= DESCRIPTOR_SIZE {
            let head = protocol::read_descriptor(&mut &rest[..DESCRIPTOR_SIZE])?;
            let length = head.length as usize;
            if length > MAX_MEMBLOCKQ_LENGTH {
                return Err(ServerError::Nonsense(format!("a message of {length} bytes")));
            }
            if let Some(payload) = rest.get(DESCRIPTOR_SIZE..DESCRIPTOR_SIZE + length) {
                let message = (head.channel, payload.to_vec());
                self.taken += DESCRIPTOR_SIZE + length;
                return Ok(Some(message));
            }
        }
        self.inbox.drain(..self.taken);
        self.taken = 0;
        Ok(None)
    }

    /// Writes what waits, as far as the other end takes it.
    pub fn flush(&mut self) -> Result<(), ServerError> {
        while !self.outbox.is_empty() {
            match self.socket.write(&self.outbox) {
                Ok(0) => return Err(ServerError::Gone),
                Ok(n) => drop(self.outbox.drain(..n)),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock if self.outbox.len() <= MOST_WAITING => return Ok(()),
                    io::ErrorKind::WouldBlock => return Err(ServerError::Silent),
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                        return Err(ServerError::Gone);
                    }
                    _ => return Err(error.into()),
                },
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_whole_however_they_were_cut_on_the_way() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let mut wire = Wire::new(near).unwrap();
        let mut sent = Vec::new();
        for (channel, text) in [(3, "first"), (u32::MAX, "second one")] {
            let head = protocol::Descriptor {
                length: text.len() as u32,
                channel,
                offset: 0,
                flags: protocol::DescriptorFlags::empty(),
            };
            protocol::write_descriptor(&mut sent, &head).unwrap();
            sent.extend(text.as_bytes());
        }
        let mut came = Vec::new();
        for byte in sent {
            far.write_all(&[byte]).unwrap();
            wire.receive().unwrap();
            came.extend(wire.next().unwrap());
        }
        assert_eq!(came, [(3, b"first".to_vec()), (u32::MAX, b"second one".to_vec())]);
        drop(far);
        assert!(matches!(wire.receive(), Err(ServerError::Gone)));
    }

    #[test]
    fn a_length_beyond_all_that_a_server_holds_is_nonsense() {
        let (near, mut far) = UnixStream::pair().unwrap();
        let mut wire = Wire::new(near).unwrap();
        far.write_all(&[0xff; DESCRIPTOR_SIZE]).unwrap();
        wire.receive().unwrap();
        assert!(matches!(wire.next(), Err(ServerError::Nonsense(_))));
    }
}
