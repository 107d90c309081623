//! Waiting for a datagram, a wake-up from another thread, or the time, whichever is first.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use antiphon_base::Span;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;

use crate::udp::UdpPort;

/// Waits on one socket and for its [`Waker`]s.
#[derive(Debug)]
pub struct Waiter {
    socket: OwnedFd,
    event: Arc<EventFd>,
}

/// Why a wait ended; both `false` when its time was up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Woken {
    /// A datagram (or an error) is waiting in the socket.
    pub readable: bool,
    /// Some [`Waker::wake`] was called since the last wait.
    pub waked: bool,
}

impl Waiter {
    /// A waiter on `port`'s socket.
    pub fn new(port: &UdpPort) -> io::Result<Self> {
        let event = EventFd::from_value_and_flags(0, EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        Ok(Self { socket: port.as_fd().try_clone_to_owned()?, event: Arc::new(event) })
    }

    /// A handle by which other threads end the wait.
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.event))
    }

    /// What becomes readable at a wake-up, for a wait on more sockets than one.
    pub(crate) fn event_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }

    /// Waits at most `timeout` (none if negative; without end if [`Span::MAX`]), to the nanosecond
    /// where the thread has [`precise_timers`](crate::precise_timers). A signal ends the wait early, as if time were up.
    pub fn wait(&self, timeout: Span) -> io::Result<Woken> {
        let limit = (timeout != Span::MAX).then(|| TimeSpec::from(timeout.to_std()));
        let mut fds = [
            PollFd::new(self.socket.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.event.as_fd(), PollFlags::POLLIN),
        ];
        match ppoll(&mut fds, limit, None) {
            Ok(_) => {}
            Err(Errno::EINTR) => return Ok(Woken::default()),
            Err(errno) => return Err(errno.into()),
        }
        let [readable, waked] = fds.map(|fd| fd.any().unwrap_or(true));
        if waked {
            // EAGAIN: another wait took it. The counter's value says nothing.
            let _ = self.event.read();
        }
        Ok(Woken { readable, waked })
    }
}

/// Ends a [`Waiter`]'s wait from any thread; wake-ups before the wait are not lost.
#[derive(Debug, Clone)]
pub struct Waker(Arc<EventFd>);

impl Waker {
    /// Ends the current wait, or the next one at once.
    pub fn wake(&self) {
        // EAGAIN: 2^64 - 2 wake-ups are already waiting.
        let _ = self.0.write(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::raw_now;

    fn waiter() -> (UdpPort, Waiter) {
        let port = UdpPort::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let waiter = Waiter::new(&port).unwrap();
        (port, waiter)
    }

    #[test]
    fn a_wait_without_events_lasts_its_time_and_no_less() {
        let (_port, waiter) = waiter();
        let start = raw_now();
        assert_eq!(waiter.wait(Span::from_us(1_500)).unwrap(), Woken::default());
        assert!(raw_now() - start >= Span::from_us(1_490));
    }

    #[test]
    fn a_wake_up_before_the_wait_is_not_lost_and_counts_once() {
        let (_port, waiter) = waiter();
        waiter.waker().wake();
        waiter.waker().wake();
        assert_eq!(waiter.wait(Span::MAX).unwrap(), Woken { readable: false, waked: true });
        assert_eq!(waiter.wait(Span::ZERO).unwrap(), Woken::default());
    }

    #[test]
    fn another_thread_ends_the_wait() {
        let (_port, waiter) = waiter();
        let waker = waiter.waker();
        std::thread::spawn(move || waker.wake());
        assert!(waiter.wait(Span::from_s(30)).unwrap().waked);
    }

    #[test]
    fn a_datagram_ends_the_wait() {
        let (port, waiter) = waiter();
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.send_to(b"x", port.local_addr()).unwrap();
        assert!(waiter.wait(Span::from_s(30)).unwrap().readable);
    }
}
