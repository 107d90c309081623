//! What the radio has done with packets, where BlueZ and the kernel tell (Linux 6.15 and BlueZ 5.83 on: completion
//! timestamps on L2CAP sockets): a packet is done when the controller gives its buffer back.
//!
//! Without that, the kernel's own queue is all that is known; what the controller holds is not in it.

use std::os::fd::{AsRawFd, OwnedFd};

use antiphon_base::Span;
use nix::libc;

/// Packets whose time of writing is remembered: over a second of the shortest, far more than kernel and controller hold.
const REMEMBERED: usize = 128;

/// So many packets without one told as done, and nothing is told on this link: a second or two.
const PATIENCE: u32 = 100;

/// Linux' include/uapi/linux/net_tstamp.h, errqueue.h and bluetooth.h; `libc` has not all of them.
const TX_COMPLETION: libc::c_uint = 1 << 18;
const STAMP_COMPLETION: u32 = 3;
const SOL_BLUETOOTH: libc::c_int = 274;
const BT_SCM_ERROR: libc::c_int = 4;

/// Which packets are on their way: pure bookkeeping, in the kernel's numbers of packets, which begin at 0.
#[derive(Debug)]
pub struct OnTheWay {
    written: u32,
    done: u32,
    told: bool,
    /// When packet `n` was written, ns, at `n % REMEMBERED`.
    at_ns: [i64; REMEMBERED],
    longest: Span,
}

impl OnTheWay {
    fn new() -> Self {
        Self { written: 0, done: 0, told: false, at_ns: [0; REMEMBERED], longest: Span::ZERO }
    }

    /// The kernel took one more.
    fn written(&mut self, at_ns: i64) {
        self.at_ns[self.written as usize % REMEMBERED] = at_ns;
        self.written = self.written.wrapping_add(1);
    }

    /// The radio is done with packet `number`, and with all before: a link keeps their order.
    fn done(&mut self, number: u32, at_ns: i64) {
        let age = self.written.wrapping_sub(number);
        // One that was not written, or so long ago that nothing is known of it, is somebody's mistake.
        if !(1..=REMEMBERED as u32).contains(&age) {
            return;
        }
        self.told = true;
        if self.written.wrapping_sub(self.done) >= age {
            self.done = number.wrapping_add(1);
        }
        let took = at_ns.saturating_sub(self.at_ns[number as usize % REMEMBERED]);
        self.longest = self.longest.max(Span::from_ns(took.max(0)));
    }

    /// Packets in the kernel, the controller and the air; `None` where nothing was ever told.
    pub fn packets(&self) -> Option<u32> {
        self.told.then(|| self.written.wrapping_sub(self.done).min(REMEMBERED as u32))
    }

    /// The longest that a packet took since this was last asked; `None` where none was told as done.
    pub fn take_longest(&mut self) -> Option<Span> {
        let longest = std::mem::take(&mut self.longest);
        (longest > Span::ZERO).then_some(longest)
    }

    fn is_hopeless(&self) -> bool {
        !self.told && self.written > PATIENCE
    }
}

/// Asks a socket's kernel for completions and keeps the account of them.
#[derive(Debug)]
pub struct Radio(Option<Box<OnTheWay>>);

impl Radio {
    /// Nothing is told: an old kernel, or a BlueZ that would take a report for the end of the link.
    pub fn silent() -> Self {
        Self(None)
    }

    /// Asks for completions; an older kernel refuses, and that is all right. Only where BlueZ says that it can do with
    /// them: an older one takes a waiting report for an error and closes the stream.
    pub fn ask(socket: &OwnedFd) -> Self {
        let wanted = TX_COMPLETION
            | libc::SOF_TIMESTAMPING_SOFTWARE
            | libc::SOF_TIMESTAMPING_OPT_ID
            | libc::SOF_TIMESTAMPING_OPT_TSONLY;
        Self(set(socket, wanted).then(|| Box::new(OnTheWay::new())))
    }

    /// The kernel took a packet.
    pub fn written(&mut self) {
        if let Some(account) = &mut self.0 {
            account.written(real_ns());
        }
    }

    /// Reads what waits of reports, a bounded number; before every wait for the socket, as a report that waits ends
    /// the wait.
    pub fn look(&mut self, socket: &OwnedFd) {
        let Some(account) = &mut self.0 else { return };
        for _ in 0..REMEMBERED {
            let Some((number, at_ns)) = report(socket) else { break };
            account.done(number, at_ns);
        }
        if account.is_hopeless() {
            set(socket, 0);
            self.0 = None;
        }
    }

    /// See [`OnTheWay::packets`].
    pub fn packets(&self) -> Option<u32> {
        self.0.as_ref().and_then(|account| account.packets())
    }

    /// See [`OnTheWay::take_longest`].
    pub fn take_longest(&mut self) -> Option<Span> {
        self.0.as_mut().and_then(|account| account.take_longest())
    }
}

/// Reports are dated by this clock.
fn real_ns() -> i64 {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_REALTIME)
        .map_or(0, |now| now.tv_sec() * 1_000_000_000 + now.tv_nsec())
}

fn set(socket: &OwnedFd, flags: libc::c_uint) -> bool {
    let length = size_of_val(&flags) as libc::socklen_t;
    let (level, option) = (libc::SOL_SOCKET, libc::SO_TIMESTAMPING);
    // SAFETY: the pointer is to `flags`, of that length, for the call.
    let set =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const flags).cast(), length) };
    set == 0
}

/// Room for one report: a stamp of three times and an extended error, each with its header, and some to spare.
#[repr(align(8))]
struct Control([u8; 256]);

/// The next report of a packet that is done: its number, and when; `None` where none waits. Allocates nothing.
fn report(socket: &OwnedFd) -> Option<(u32, i64)> {
    let mut control = Control([0; 256]);
    // SAFETY: all zeros are a message header without name, data and control.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = control.0.len();
    // A report of another kind is passed over; the caller's bound is on those of this.
    for _ in 0..4 {
        header.msg_controllen = control.0.len();
        let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
        // SAFETY: `header` points to `control`, which outlives the call, and says its length.
        if unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, flags) } < 0 {
            return None;
        }
        if let Some(found) = read(&header) {
            return Some(found);
        }
    }
    None
}

fn read(header: &libc::msghdr) -> Option<(u32, i64)> {
    let (mut at_ns, mut number) = (None, None);
    // SAFETY: `header` is as the kernel has filled it, and its control buffer is alive and aligned.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !next.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR give whole headers within the buffer, or null.
        let (kind, data, length) = unsafe {
            let message = &*next;
            let before = libc::CMSG_DATA(next) as usize - next as usize;
            let length = message.cmsg_len.saturating_sub(before);
            ((message.cmsg_level, message.cmsg_type), libc::CMSG_DATA(next), length)
        };
        // SAFETY: the kernel says that so many bytes follow.
        let bytes = unsafe { std::slice::from_raw_parts(data, length) };
        match kind {
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPING) => at_ns = stamp(bytes),
            (SOL_BLUETOOTH, BT_SCM_ERROR) => number = completed(bytes),
            _ => {}
        }
        // SAFETY: `next` is a header of this message.
        next = unsafe { libc::CMSG_NXTHDR(header, next) };
    }
    Some((number?, at_ns?))
}

/// `struct scm_timestamping`: the first of its three times is the kernel's own.
fn stamp(bytes: &[u8]) -> Option<i64> {
    let field = |at: usize| Some(i64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    field(0)?.checked_mul(1_000_000_000)?.checked_add(field(8)?)
}

/// `struct sock_extended_err`: of a completion, the packet's number.
fn completed(bytes: &[u8]) -> Option<u32> {
    let field = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let of_stamps = bytes.get(4) == Some(&libc::SO_EE_ORIGIN_TIMESTAMPING);
    (of_stamps && field(8)? == STAMP_COMPLETION).then(|| field(12))?
}

#[cfg(test)]
mod tests {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

    use super::*;

    #[test]
    fn packets_are_on_their_way_until_the_radio_is_done_with_them() {
        let mut account = OnTheWay::new();
        account.written(1_000);
        account.written(2_000);
        assert_eq!(account.packets(), None, "nothing is known before the first report");
        account.done(0, 6_000);
        assert_eq!((account.packets(), account.take_longest()), (Some(1), Some(Span::from_ns(5_000))));
        account.written(7_000);
        // A report that was lost is made good by the next, and one that is late changes nothing.
        account.done(2, 9_000);
        account.done(1, 9_100);
        assert_eq!((account.packets(), account.take_longest()), (Some(0), Some(Span::from_ns(7_100))));
        assert_eq!(account.take_longest(), None);
    }

    #[test]
    fn numbers_go_round_and_nonsense_is_passed_over() {
        let mut account = OnTheWay::new();
        (account.written, account.done) = (u32::MAX, u32::MAX);
        for at in 0..3 {
            account.written(at);
        }
        account.done(2, 50);
        account.done(1_000_000, 50);
        assert_eq!(account.packets(), None, "neither packet has been written");
        account.done(u32::MAX, 50);
        assert_eq!(account.packets(), Some(2));
        account.done(1, 50);
        assert_eq!(account.packets(), Some(0));
    }

    #[test]
    fn a_report_is_read_as_the_kernel_writes_it() {
        let mut error = [0; 16];
        error[4] = 4;
        error[8..12].copy_from_slice(&STAMP_COMPLETION.to_ne_bytes());
        error[12..].copy_from_slice(&77_u32.to_ne_bytes());
        assert_eq!(completed(&error), Some(77));
        error[8] = 0;
        assert_eq!(completed(&error), None, "when it left the kernel, not the radio");
        assert_eq!(completed(&error[..9]), None);
        let mut times = [0; 48];
        times[..8].copy_from_slice(&3_i64.to_ne_bytes());
        times[8..16].copy_from_slice(&500_i64.to_ne_bytes());
        assert_eq!(stamp(&times), Some(3_000_000_500));
        assert_eq!(stamp(&times[..12]), None);
    }

    #[test]
    fn a_socket_that_never_tells_is_not_asked_for_ever() {
        let (near, _far) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::empty()).unwrap();
        let mut radio = Radio::ask(&near);
        for _ in 0..=PATIENCE {
            radio.written();
            radio.look(&near);
            assert_eq!(radio.packets(), None);
        }
        assert!(radio.0.is_none());
    }
}
