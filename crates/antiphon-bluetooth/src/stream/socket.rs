//! A transport's socket: one write is one packet, and how much of it the radio has not taken yet.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use antiphon_base::Span;
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{MsgFlags, send, setsockopt, sockopt};

use super::radio::Radio;

/// Packets that the kernel may hold: enough for a radio that is busy for a few packets' time, few
/// enough that a radio that is gone is noticed soon.
const QUEUED: usize = 4;

/// What the kernel counts for a packet beyond its bytes: its own header of it, roughly.
const OVERHEAD: usize = 600;

/// What became of a write.
#[derive(Debug)]
pub enum Written {
    /// Taken.
    Taken,
    /// Not now.
    Refused,
    /// Never again.
    Broken(io::Error),
}

/// The socket of a link.
#[derive(Debug)]
pub struct Socket {
    socket: OwnedFd,
    /// What the kernel says of an empty queue.
    empty: i32,
    /// What one packet changes in that.
    packet: i32,
    /// The most bytes of a packet.
    longest: usize,
    radio: Radio,
}

impl Socket {
    /// Takes a transport's socket for packets of up to `packet` bytes; `tells`: of which the radio may be asked when it
    /// is done with them.
    pub fn new(socket: OwnedFd, packet: usize, tells: bool) -> Self {
        let empty = out_queue(&socket).unwrap_or(0);
        let radio = if tells { Radio::ask(&socket) } else { Radio::silent() };
        let socket = Self { socket, empty, packet: 0, longest: packet, radio };
        socket.hold(QUEUED);
        socket
    }

    /// Lets the kernel hold so many packets.
    fn hold(&self, packets: usize) {
        // The kernel doubles what is asked for, to make up for its own part; a refusal leaves what was.
        let _ = setsockopt(&self.socket, sockopt::SndBuf, &(packets * (self.longest + OVERHEAD) / 2));
    }

    /// Writes a packet though the queue is full.
    ///
    /// A controller's buffers are one for all its links, and a link that dies may have them all. The kernel has
    /// them back when it is lost, but begins to send again only when somebody writes; so a link with a full queue
    /// would wait for its writer, and its writer for it.
    pub fn press(&mut self, packet: &[u8]) -> Written {
        // The kernel asks whether the limit is passed before the packet, so one more can be held already.
        self.hold(QUEUED + 2);
        let written = self.write(packet);
        self.hold(QUEUED);
        written
    }

    /// Writes one packet, if it is taken at once.
    pub fn write(&mut self, packet: &[u8]) -> Written {
        let before = self.queued();
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        match send(self.socket.as_raw_fd(), packet, flags) {
            Ok(_) => {
                self.packet = self.packet.max(self.queued() - before);
                self.radio.written();
                Written::Taken
            }
            // ENOBUFS: the controller's queue is full, which passes as EAGAIN does.
            Err(Errno::EAGAIN | Errno::ENOBUFS | Errno::ENOMEM | Errno::EINTR) => Written::Refused,
            Err(errno) => Written::Broken(errno.into()),
        }
    }

    /// Takes in what the radio has told: to be called before a wait.
    pub fn look(&mut self) {
        self.radio.look(&self.socket);
    }

    /// The longest that a packet took from here to the radio's being done with it, since this was last asked, where
    /// the radio tells.
    pub fn take_longest(&mut self) -> Option<Span> {
        self.radio.take_longest()
    }

    /// Packets that the radio is not done with, where it tells; else those that it has not taken.
    pub fn queued_packets(&self) -> f64 {
        if let Some(packets) = self.radio.packets() {
            return f64::from(packets);
        }
        if self.packet > 0 { f64::from(self.queued()) / f64::from(self.packet) } else { 0.0 }
    }

    /// To wait on.
    pub fn fd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.socket.as_fd()
    }

    /// Bytes in the queue. Bluetooth sockets of many kernels answer with the room that is left
    /// instead; either way it is the distance from what they said of an empty queue.
    fn queued(&self) -> i32 {
        out_queue(&self.socket).map_or(0, |now| (now - self.empty).abs())
    }
}

fn out_queue(socket: &OwnedFd) -> Option<i32> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: TIOCOUTQ writes one int to the pointer, which is valid for the call.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    (done == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, recv, socketpair};

    use super::*;

    #[test]
    fn a_full_queue_refuses_and_what_is_read_makes_room() {
        let (near, far) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::empty()).unwrap();
        let mut socket = Socket::new(near, 672, false);
        let packet = [7; 672];
        let mut taken = 0;
        while matches!(socket.write(&packet), Written::Taken) {
            taken += 1;
            assert!(taken < 20, "nothing is refused");
        }
        assert!((3..=6).contains(&taken), "{taken} packets fit");
        assert!((socket.queued_packets() - f64::from(taken)).abs() < 0.1, "{}", socket.queued_packets());
        assert!(matches!(socket.press(&packet), Written::Taken), "one more goes in");
        assert!(matches!(socket.write(&packet), Written::Refused), "but no second");
        let mut read = [0; 1_024];
        for _ in 0..2 {
            assert_eq!(recv(far.as_raw_fd(), &mut read, MsgFlags::empty()), Ok(672));
        }
        assert!(matches!(socket.write(&packet), Written::Taken));
        drop(far);
        assert!(matches!(socket.write(&packet), Written::Broken(_)));
    }
}
