//! UDP in batches, with the kernel's receive timestamps.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use antiphon_base::Timestamp;
use nix::errno::Errno;
use nix::sys::socket::{
    self, ControlMessage, ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrStorage, setsockopt,
    sockopt,
};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};

use crate::clock::Clock;
use crate::stamps::{MAX_FUTURE, StampBridge};

/// Datagrams taken in one system call: those of a hub's burst after a stall of 80 ms, or the clock
/// probes of a hundred speakers over 16 ms; 16 receive buffers are 32 KiB.
const BATCH: usize = 16;

/// Messages given in one system call: the burst of a hundred speakers is two calls.
const SEND_BATCH: usize = 64;

/// Datagrams that the kernel is given as one message: its own limit (UDP_MAX_SEGMENTS) was 64, and
/// a message may hold 64 KiB. More than a burst for one speaker has.
const MAX_SEGMENTS: usize = 32;

/// Room for one datagram: any that fits an Ethernet frame. What is longer is cut, and no packet of
/// ours is.
const DATAGRAM: usize = 2_048;

/// What the kernel may hold each way. A 48 kHz stereo L24 stream is 36 kB in 100 ms: this is a
/// pause of the receiver of about half a second, or a burst to a hundred speakers.
const SOCKET_BUFFER: usize = 256 * 1_024;

/// Expedited forwarding (RFC 3246), which Wi-Fi maps to its voice or video queue.
const DSCP_EF: i32 = 46 << 2;

/// A bound UDP socket that never blocks.
#[derive(Debug)]
pub struct UdpPort {
    socket: UdpSocket,
    local: SocketAddr,
    buffers: Box<[[u8; DATAGRAM]; BATCH]>,
    /// Whether the kernel cuts a message into datagrams (UDP_SEGMENT), as far as is known.
    cuts: bool,
    counters: UdpCounters,
    bridge: StampBridge,
}

/// What became of the datagrams of a [`UdpPort`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UdpCounters {
    /// Datagrams received.
    pub received: u64,
    /// Of those: without a believable kernel stamp, dated by the time of reading.
    pub unstamped: u64,
    /// Datagrams that the kernel took.
    pub sent: u64,
    /// Datagrams dropped because the kernel's send buffer was full.
    pub send_full: u64,
    /// Datagrams that the kernel refused (no route, nobody listens, too long).
    pub send_failed: u64,
}

impl UdpPort {
    /// Binds `addr`, with kernel receive timestamps and expedited forwarding where the system allows.
    ///
    /// # Errors
    /// The address is taken or not this machine's.
    pub fn bind(addr: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        socket.bind(&addr.into())?;
        Self::from_socket(socket.into())
    }

    /// Takes over a bound socket.
    pub fn from_socket(socket: UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let local = socket.local_addr()?;
        tune(&socket, local);
        let buffers = vec![[0; DATAGRAM]; BATCH].into_boxed_slice();
        let buffers = buffers.try_into().map_err(|_| io::Error::other("receive buffers"))?;
        let mut bridge = StampBridge::default();
        // A stamp is converted only between two readings: this is the first of them.
        bridge.read_clocks();
        Ok(Self { socket, local, buffers, cuts: true, counters: UdpCounters::default(), bridge })
    }

    /// The address bound.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// What became of the datagrams so far.
    pub fn counters(&self) -> UdpCounters {
        self.counters
    }

    /// Hands over every datagram that waits, at most one batch of 16, with its sender and the
    /// instant at which the kernel received it; says how many. Zero: none waits.
    ///
    /// Until a few milliseconds after the first such socket of a machine opens, the kernel dates
    /// datagrams by their reading, too late.
    ///
    /// # Errors
    /// The socket is broken. An ICMP error about an earlier send is not an error.
    pub fn recv<D>(
        &mut self,
        clock: &Clock<D>,
        mut handle: impl FnMut(SocketAddr, Timestamp<D>, &mut [u8]),
    ) -> io::Result<usize> {
        let mut heads = [None; BATCH];
        let count = match receive(&self.socket, &mut self.buffers, &mut heads) {
            Ok(count) => count,
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ECONNREFUSED) => return Ok(0),
            Err(errno) => return Err(errno.into()),
        };
        let now = self.bridge.read_clocks();
        for (head, buffer) in heads.iter().take(count).zip(self.buffers.iter_mut()) {
            let Some(head) = head else { continue };
            self.counters.received += 1;
            let placed = head.stamp_ns.and_then(|ns| self.bridge.raw_of(ns));
            let stamped = placed.filter(|raw| *raw <= now + MAX_FUTURE).map(|raw| clock.warp(raw));
            self.counters.unstamped += u64::from(stamped.is_none());
            let at = stamped.unwrap_or_else(|| clock.warp(now));
            handle(head.from, at, &mut buffer[..head.len]);
        }
        Ok(count)
    }

    /// Hands over what waits as [`recv`](Self::recv) does, `batches` at most, so that a flood cannot keep the caller from
    /// its other work. A batch that is not full was the last: nobody is asked for nothing.
    ///
    /// # Errors
    /// The socket is broken.
    pub fn drain<D>(
        &mut self,
        clock: &Clock<D>,
        batches: usize,
        mut handle: impl FnMut(SocketAddr, Timestamp<D>, &mut [u8]),
    ) -> io::Result<()> {
        for _ in 0..batches {
            if self.recv(clock, &mut handle)? < BATCH {
                break;
            }
        }
        Ok(())
    }

    /// Sends what `batch` holds, in order, and empties it. What the kernel does not take is
    /// dropped and counted: late audio is worth nothing, and one dead receiver must not stop others.
    pub fn send(&mut self, batch: &mut Batch) {
        let mut from = 0;
        if !self.cuts {
            batch.cut(from);
        }
        while from < batch.items.len() {
            let (range, cut) = batch.run(from);
            match batch.send(&self.socket, range, cut) {
                Ok(sent) => {
                    self.counters.sent += batch.datagrams(from..from + sent);
                    from += sent.max(1);
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN | Errno::ENOBUFS) => {
                    self.counters.send_full += batch.datagrams(from..batch.items.len());
                    break;
                }
                Err(errno) if cut.is_some() => {
                    // An old kernel, a device that cannot sum checksums, a tunnel, a short MTU.
                    let never =
                        matches!(errno, Errno::EINVAL | Errno::EIO | Errno::EOPNOTSUPP | Errno::EMSGSIZE);
                    self.cuts &= !never;
                    batch.cut(from);
                }
                Err(_) => {
                    self.counters.send_failed += 1;
                    from += 1;
                }
            }
        }
        batch.clear();
    }
}

impl AsFd for UdpPort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Datagrams to be sent in one go.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    items: Vec<Item>,
}

/// Datagrams for one receiver, one behind the other in memory, all as long as the first but the
/// last, which may be shorter: what the kernel takes as one message and cuts (UDP_SEGMENT). One way
/// through its layers for all of them costs little more than for one.
#[derive(Debug, Clone)]
struct Item {
    to: SocketAddr,
    at: Range<usize>,
    segment: usize,
}

impl Item {
    fn datagrams(&self) -> usize {
        self.at.len().div_ceil(self.segment.max(1)).max(1)
    }

    fn takes(&self, to: SocketAddr, len: usize) -> bool {
        let whole = self.segment > 0 && self.at.len().is_multiple_of(self.segment);
        whole && self.to == to && (1..=self.segment).contains(&len) && self.datagrams() < MAX_SEGMENTS
    }
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a datagram.
    pub fn push(&mut self, to: SocketAddr, datagram: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(datagram);
        let end = self.bytes.len();
        match self.items.last_mut() {
            Some(item) if item.takes(to, datagram.len()) => item.at.end = end,
            _ => self.items.push(Item { to, at: start..end, segment: datagram.len() }),
        }
    }

    /// How many datagrams it holds.
    pub fn len(&self) -> usize {
        self.items.iter().map(Item::datagrams).sum()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Forgets them; the memory is kept for the next.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.items.clear();
    }

    fn datagrams(&self, items: Range<usize>) -> u64 {
        self.items[items].iter().map(|item| item.datagrams() as u64).sum()
    }

    /// Makes each datagram from item `from` on a message of its own.
    fn cut(&mut self, from: usize) {
        let whole: Vec<_> = self.items.drain(from..).collect();
        for Item { to, at, segment } in whole {
            // An empty datagram is one piece too.
            for start in (at.start..at.end.max(at.start + 1)).step_by(segment.max(1)) {
                let piece = start..at.end.min(start + segment);
                self.items.push(Item { to, segment: piece.len(), at: piece });
            }
        }
    }

    /// The items from `from` on that go in one call, and the length to which the kernel shall cut:
    /// one for the whole call. What is no longer than that is left whole.
    fn run(&self, from: usize) -> (Range<usize>, Option<u16>) {
        let (mut cut, mut longest, mut end) = (None, 0, from);
        for item in self.items[from..].iter().take(SEND_BATCH) {
            let many = item.datagrams() > 1;
            let fits = match cut {
                Some(cut) if many => item.segment == cut,
                Some(cut) => item.segment <= cut,
                None => !many || longest <= item.segment,
            };
            if !fits {
                break;
            }
            cut = cut.or(many.then_some(item.segment));
            longest = longest.max(item.segment);
            end += 1;
        }
        (from..end, cut.and_then(|cut| u16::try_from(cut).ok()))
    }

    fn send(&self, socket: &UdpSocket, range: Range<usize>, cut: Option<u16>) -> Result<usize, Errno> {
        let items = &self.items[range];
        let slices: Vec<_> = items.iter().map(|item| [IoSlice::new(&self.bytes[item.at.clone()])]).collect();
        let addrs: Vec<_> = items.iter().map(|item| Some(SockaddrStorage::from(item.to))).collect();
        let space = cut.map(|_| nix::cmsg_space!(u16));
        let mut headers = MultiHeaders::preallocate(items.len(), space);
        let notes: Vec<_> = cut.iter().map(ControlMessage::UdpGsoSegments).collect();
        let (fd, flags) = (socket.as_raw_fd(), MsgFlags::empty());
        let sent = socket::sendmmsg(fd, &mut headers, &slices, &addrs, &notes, flags)?;
        Ok(sent.count())
    }
}

#[derive(Clone, Copy)]
struct Head {
    from: SocketAddr,
    len: usize,
    stamp_ns: Option<i64>,
}

/// The headers are made anew for each call: the kernel shortens their lengths in place, and a
/// datagram without a stamp would leave no room for the stamp of the next.
fn receive(
    socket: &UdpSocket,
    buffers: &mut [[u8; DATAGRAM]; BATCH],
    heads: &mut [Option<Head>; BATCH],
) -> Result<usize, Errno> {
    let mut headers = MultiHeaders::preallocate(BATCH, Some(nix::cmsg_space!(TimeSpec)));
    let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
    let messages =
        socket::recvmmsg(socket.as_raw_fd(), &mut headers, &mut slices, MsgFlags::MSG_DONTWAIT, None)?;
    let mut count = 0;
    for (message, head) in messages.zip(heads) {
        *head = read_head(&message);
        count += 1;
    }
    Ok(count)
}

fn read_head(message: &RecvMsg<'_, '_, SockaddrStorage>) -> Option<Head> {
    let stamp = message.cmsgs().ok()?.find_map(|item| match item {
        ControlMessageOwned::ScmTimestampns(time) => Some(time.tv_sec() * 1_000_000_000 + time.tv_nsec()),
        _ => None,
    });
    Some(Head {
        from: address(message.address.as_ref()?)?,
        len: message.bytes.min(DATAGRAM),
        stamp_ns: stamp,
    })
}

fn address(storage: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = storage.as_sockaddr_in().map(|sin| SocketAddrV4::from(*sin).into());
    v4.or_else(|| storage.as_sockaddr_in6().map(|sin| SocketAddrV6::from(*sin).into()))
}

/// Every one of these is a wish: a container that refuses it gets user-space stamps or the best
/// effort queue, which the counters and the clock filter's uncertainty then show.
fn tune(socket: &UdpSocket, local: SocketAddr) {
    let wishes = [
        ("SO_TIMESTAMPNS", setsockopt(socket, sockopt::ReceiveTimestampns, &true)),
        ("SO_RCVBUF", setsockopt(socket, sockopt::RcvBuf, &SOCKET_BUFFER)),
        ("SO_SNDBUF", setsockopt(socket, sockopt::SndBuf, &SOCKET_BUFFER)),
        (
            "expedited forwarding",
            if local.is_ipv4() {
                setsockopt(socket, sockopt::Ipv4Tos, &DSCP_EF)
            } else {
                setsockopt(socket, sockopt::Ipv6TClass, &DSCP_EF)
            },
        ),
    ];
    for (wish, outcome) in wishes {
        if let Err(errno) = outcome {
            tracing::debug!("the system refuses {wish} on {local}: {errno}");
        }
    }
}

#[cfg(test)]
mod tests {
    use antiphon_base::{Local, Span};

    use super::*;
    use crate::clock::{Warp, raw_now};
    use crate::wait::Waiter;

    fn pair(addr: &str) -> (UdpPort, UdpPort) {
        (UdpPort::bind(addr.parse().unwrap()).unwrap(), UdpPort::bind(addr.parse().unwrap()).unwrap())
    }

    fn batch(to: SocketAddr, datagrams: &[&[u8]]) -> Batch {
        let mut batch = Batch::new();
        datagrams.iter().for_each(|bytes| batch.push(to, bytes));
        batch
    }

    fn receive_all(
        port: &mut UdpPort,
        clock: &Clock<Local>,
        want: usize,
    ) -> Vec<(SocketAddr, Timestamp<Local>, Vec<u8>)> {
        let waiter = Waiter::new(port).unwrap();
        let mut got = Vec::new();
        while got.len() < want {
            assert!(waiter.wait(Span::from_s(20)).unwrap().readable, "{} of {want}", got.len());
            port.recv(clock, |from, at, bytes| got.push((from, at, bytes.to_vec()))).unwrap();
        }
        got
    }

    #[test]
    fn forty_datagrams_arrive_whole_in_order_and_from_their_sender() {
        for addr in ["127.0.0.1:0", "[::1]:0"] {
            let (mut a, mut b) = pair(addr);
            let sent: Vec<Vec<u8>> = (0..40u8).map(|n| vec![n; 30 * usize::from(n)]).collect();
            a.send(&mut batch(b.local_addr(), &sent.iter().map(Vec::as_slice).collect::<Vec<_>>()));
            let got = receive_all(&mut b, &Clock::new(Warp::default()), 40);
            assert!(got.iter().all(|(from, ..)| *from == a.local_addr()));
            assert_eq!(got.into_iter().map(|(.., bytes)| bytes).collect::<Vec<_>>(), sent);
            assert_eq!((a.counters().sent, b.counters().received), (40, 40));
        }
    }

    /// Whether a datagram that was read 5 ms after its arrival is dated by its arrival.
    fn is_dated_by_arrival(a: &mut UdpPort, b: &mut UdpPort, clock: &Clock<Local>) -> bool {
        let slack = Span::from_us(100);
        let before = clock.warp(raw_now() - slack);
        a.send(&mut batch(b.local_addr(), &[b"early"]));
        let after = clock.warp(raw_now() + slack);
        std::thread::sleep(std::time::Duration::from_millis(5));
        let at = receive_all(b, clock, 1)[0].1;
        at >= before && at <= after
    }

    /// Not at the first try, as the kernel begins to stamp a moment after the first socket asks for
    /// it, and not at every try, as a loaded machine may deliver late.
    #[test]
    fn a_datagram_is_dated_when_the_kernel_received_it_not_when_it_was_read() {
        let (mut a, mut b) = pair("127.0.0.1:0");
        let clock = Clock::new("ppm=40&offset_s=77".parse().unwrap());
        assert!((0..200).any(|_| is_dated_by_arrival(&mut a, &mut b, &clock)));
        assert_eq!(b.counters().unstamped, 0);
    }

    #[test]
    fn stamps_stay_after_a_batch_without_them() {
        let (mut a, mut b) = pair("127.0.0.1:0");
        let clock = Clock::new(Warp::default());
        setsockopt(&b.socket, sockopt::ReceiveTimestampns, &false).unwrap();
        a.send(&mut batch(b.local_addr(), &[b"1"]));
        receive_all(&mut b, &clock, 1);
        assert_eq!(b.counters().unstamped, 1);
        setsockopt(&b.socket, sockopt::ReceiveTimestampns, &true).unwrap();
        a.send(&mut batch(b.local_addr(), &[b"2", b"3"]));
        receive_all(&mut b, &clock, 2);
        assert_eq!(b.counters().unstamped, 1);
    }

    #[test]
    fn one_datagram_that_cannot_be_sent_does_not_stop_the_others() {
        let (mut a, mut b) = pair("127.0.0.1:0");
        let mut mixed = batch(b.local_addr(), &[b"first"]);
        mixed.push(b.local_addr(), &[0; 70_000]);
        mixed.push("[::1]:9".parse().unwrap(), b"wrong family");
        mixed.push(b.local_addr(), b"last");
        a.send(&mut mixed);
        assert!(mixed.is_empty());
        let got = receive_all(&mut b, &Clock::new(Warp::default()), 2);
        assert_eq!(got[1].2, b"last");
        assert_eq!((a.counters().sent, a.counters().send_failed), (2, 2));
    }

    /// What arrives of datagrams of these lengths, each filled with its number.
    fn passed(a: &mut UdpPort, b: &mut UdpPort, lengths: &[usize]) -> Vec<(usize, u8)> {
        let sent: Vec<Vec<u8>> = lengths.iter().enumerate().map(|(n, len)| vec![n as u8; *len]).collect();
        let mut batch = batch(b.local_addr(), &sent.iter().map(Vec::as_slice).collect::<Vec<_>>());
        assert_eq!(batch.len(), lengths.len());
        a.send(&mut batch);
        let got = receive_all(b, &Clock::new(Warp::default()), lengths.len());
        assert!(got.iter().all(|(.., bytes)| bytes.iter().all(|byte| *byte == bytes[0])));
        got.iter().map(|(.., bytes)| (bytes.len(), bytes.first().copied().unwrap_or_default())).collect()
    }

    const MIXED: [usize; 14] = [64, 800, 800, 800, 64, 800, 800, 1_200, 1_200, 1, 0, 64, 64, 65];

    #[test]
    fn datagrams_of_one_length_for_one_receiver_go_as_one_message_and_arrive_as_they_were() {
        for addr in ["127.0.0.1:0", "[::1]:0"] {
            let (mut a, mut b) = pair(addr);
            let want: Vec<_> =
                MIXED.iter().enumerate().map(|(n, len)| (*len, if *len > 0 { n as u8 } else { 0 })).collect();
            assert_eq!(passed(&mut a, &mut b, &MIXED), want);
            assert!(a.cuts, "the loopback device cuts");
            a.cuts = false;
            assert_eq!(passed(&mut a, &mut b, &MIXED), want);
            assert_eq!(a.counters().sent, 2 * MIXED.len() as u64);
        }
    }

    #[test]
    fn a_batch_is_given_in_few_messages() {
        let to = "127.0.0.1:9".parse().unwrap();
        let mut batch = batch(to, &[&[0; 800], &[0; 800], &[0; 700], &[0; 64]]);
        batch.push("127.0.0.1:10".parse().unwrap(), &[0; 64]);
        assert_eq!((batch.items.len(), batch.len()), (3, 5));
        assert_eq!(batch.run(0), (0..3, Some(800)));
        batch.push(to, &[0; 900]);
        assert_eq!(batch.run(0), (0..3, Some(800)), "900 bytes would be cut");
        batch.cut(1);
        assert_eq!((batch.items.len(), batch.len()), (4, 6));
        batch.cut(0);
        assert_eq!((batch.items.len(), batch.run(0)), (6, (0..6, None)));
    }

    #[test]
    fn nobody_listening_is_not_an_error() {
        let (mut a, b) = pair("127.0.0.1:0");
        let gone = b.local_addr();
        drop(b);
        for _ in 0..3 {
            a.send(&mut batch(gone, &[b"hello?"]));
            assert_eq!(a.recv(&Clock::<Local>::new(Warp::default()), |_, _, _| ()).unwrap(), 0);
        }
    }
}
