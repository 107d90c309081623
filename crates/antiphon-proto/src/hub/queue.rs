//! What is to be sent, in order. Bytes are made when a datagram leaves.

use std::collections::VecDeque;
use std::net::SocketAddr;

use antiphon_base::SessionId;

use crate::wire::clock::Reply;
use crate::wire::notice::Stop;

/// The most media packets that wait: 512 speakers with a burst of 128 packets (320 ms of the
/// shortest) each, 1.5 MB. A shell empties the queue after every call.
const MAX_MEDIA: usize = 65_536;

/// The most clock replies and notices that wait: every speaker's burst of probes over a stall of 160 ms.
const MAX_URGENT: usize = 4_096;

/// A datagram that must not wait behind media.
#[derive(Debug)]
pub(super) enum Urgent {
    /// A clock reply: every microsecond of waiting is an error of the speaker's clock.
    Reply { session: SessionId, to: SocketAddr, reply: Reply },
    /// A stop notice.
    Stop { session: SessionId, stop: Stop },
}

/// A media packet for one session: the bytes are in the stream's history.
#[derive(Debug, Clone, Copy)]
pub(super) struct Media {
    pub(super) session: SessionId,
    pub(super) ssrc: u32,
    pub(super) sequence: u64,
}

/// Consecutive packets of one stream for one session.
#[derive(Debug)]
struct Run {
    first: Media,
    packets: u64,
}

impl Run {
    fn goes_on_with(&self, media: &Media) -> bool {
        let Media { session, ssrc, sequence } = self.first;
        (session, ssrc, sequence + self.packets) == (media.session, media.ssrc, media.sequence)
    }
}

/// What is to be sent.
#[derive(Debug, Default)]
pub(super) struct Queue {
    urgent: VecDeque<Urgent>,
    media: VecDeque<Run>,
    /// Packets in `media`.
    waiting: usize,
    /// Runs that have left `media`: run `n` of all is `media[n - gone]`.
    gone: u64,
    /// What found the queue full.
    pub(super) overflowed: u64,
}

impl Queue {
    pub(super) fn push_urgent(&mut self, urgent: Urgent) {
        if self.urgent.len() < MAX_URGENT {
            self.urgent.push_back(urgent);
        } else {
            self.overflowed += 1;
        }
    }

    pub(super) fn push_media(&mut self, media: Media) {
        if self.waiting < MAX_MEDIA {
            self.media.push_back(Run { first: media, packets: 1 });
            self.waiting += 1;
        } else {
            self.overflowed += 1;
        }
    }

    /// Puts a packet right behind the one before it for the same session, where that still waits: a
    /// burst for one speaker then leaves, and arrives, at once. `run` is that session's to keep.
    pub(super) fn push_media_behind(&mut self, run: &mut u64, media: Media) {
        let place = run.checked_sub(self.gone).and_then(|at| self.media.get_mut(at as usize));
        match place {
            Some(last) if last.goes_on_with(&media) && self.waiting < MAX_MEDIA => {
                last.packets += 1;
                self.waiting += 1;
            }
            _ => {
                *run = self.gone + self.media.len() as u64;
                self.push_media(media);
            }
        }
    }

    pub(super) fn pop_urgent(&mut self) -> Option<Urgent> {
        self.urgent.pop_front()
    }

    pub(super) fn pop_media(&mut self) -> Option<Media> {
        let run = self.media.front_mut()?;
        let next = run.first;
        (run.first.sequence, run.packets) = (next.sequence + 1, run.packets - 1);
        if run.packets == 0 {
            self.media.pop_front();
            self.gone += 1;
        }
        self.waiting -= 1;
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packets_of_one_session_leave_together_however_they_came_in() {
        let mut queue = Queue::default();
        let mut runs = [0; 2];
        let mut push = |queue: &mut Queue, session: u32, sequence| {
            let media = Media { session: SessionId(session), ssrc: 7, sequence };
            queue.push_media_behind(&mut runs[session as usize], media);
        };
        for sequence in 10..12 {
            push(&mut queue, 0, sequence);
            push(&mut queue, 1, sequence);
        }
        let pop = |queue: &mut Queue| queue.pop_media().map(|media| (media.session.0, media.sequence));
        assert_eq!([(); 3].map(|()| pop(&mut queue)), [Some((0, 10)), Some((0, 11)), Some((1, 10))]);
        // A run that has begun to leave goes on; one that has left does not, nor does another stream's.
        push(&mut queue, 0, 12);
        push(&mut queue, 1, 12);
        queue.push_media(Media { session: SessionId(0), ssrc: 8, sequence: 13 });
        push(&mut queue, 0, 13);
        let left = std::iter::from_fn(|| pop(&mut queue)).collect::<Vec<_>>();
        assert_eq!(left, [(1, 11), (1, 12), (0, 12), (0, 13), (0, 13)]);
        assert_eq!(queue.waiting, 0);
    }
}
