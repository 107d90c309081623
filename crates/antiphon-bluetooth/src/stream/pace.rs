//! When which samples are sent to whom. Pure: `now` is a parameter, and there is no socket.
//!
//! A Bluetooth speaker plays what it is sent, in order, at the rate at which it comes; many ignore
//! the timestamps in it. So a frame's place in time at a speaker is the *count* of frames sent
//! before it, and two speakers stay together as long as both were sent the same count. That is the
//! invariant here: **since two links are both in the group, both have been given the same frames, and
//! what one of them has not taken yet waits, in order.** No packet is ever left out for one link.
//!
//! Every frame has a nominal sending time, `origin + frame / rate`; to a speaker that sends through
//! its buffer at an even pace, this is its conversion time, a constant delay apart. What goes wrong
//! is met in this order:
//!
//! 1. A link refuses a packet (its socket is full): the packet waits up to [`LATE`] and is then sent
//!    late. The speaker has that much in its buffer, so nobody hears it.
//! 2. A packet has waited longer: one packet of the schedule is dropped **on all links together**.
//!    Nothing is rendered for it and nothing sent, so every stream goes on without a cut and every
//!    buffer is the same time lower: the group *lags*. When all links flow again, the lag is made
//!    good a packet at a time, and all buffers are as before. Nothing moved.
//! 3. The lag has grown to [`LAG_MOST`] and a link still takes nothing: that link leaves the group, so
//!    that the others' buffers do not run dry for it. It is in again with the first packet it takes.
//! 4. The machine itself stood still: what is due is sent at once, up to [`BURST`] of it. All that
//!    counts is how much was sent in the time that passed: a speaker that still had something goes on
//!    in its place, and one that ran dry has its buffer back.
//! 5. It stood still for longer than that: every speaker has run dry. The frames of that time are
//!    skipped on all links but for [`REFILL`], with which buffers are filled anew.
//!
//! Links whose packets differ in rate or frame size have a [`Lane`] each, with packets of their own
//! on one origin, so their counts are equal in time to within a packet.

use std::collections::VecDeque;

use antiphon_base::{Frames, SampleRate, Span, Timestamp, True};

/// How late a packet may be sent: the shortest delays that speakers have are about 100 ms, so 80 ms
/// late it is still in time at all of them, and the radio has 20 ms to repeat itself.
pub const LATE: Span = Span::from_ms(80);

/// How far the group may lag behind nominal because of one link: two packets of the usual length, and no
/// more than half of what any speaker buffers.
pub const LAG_MOST: Span = Span::from_ms(50);

/// How much is made up for at once when the machine stood still: more than speakers buffer is heard
/// as a gap in any case, and what comes in a burst must find room in their buffers.
pub const BURST: Span = Span::from_ms(400);

/// With so much a group begins again after a longer standstill: what speakers hold at least.
const REFILL: Span = Span::from_ms(150);

/// The shortest delays that speakers have: after a longer standstill some have run dry, and nobody
/// knows where they play.
const DRY: Span = Span::from_ms(100);

/// A lagging group makes good a packet this often: a speaker whose rate follows its buffer takes
/// seconds to, and is not disturbed.
const REGAIN: Span = Span::from_ms(250);

/// The most samples of a packet (24 ms at 48 kHz): longer ones fill no packet of the air better.
pub const MOST_SAMPLES: i64 = 1_152;

/// The most SBC frames of a packet: its header has four bits for them (A2DP 1.3, 4.3.4).
const MOST_FRAMES: i64 = 15;

/// What a link's packets are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// Samples a second.
    pub rate: SampleRate,
    /// Samples of each channel in an SBC frame.
    pub frame_samples: i64,
    /// The most SBC frames that fit into one write.
    pub most_frames: i64,
}

impl Form {
    /// Before anything is agreed on: what most speakers take.
    pub const USUAL: Self = Self { rate: SampleRate::MEDIA, frame_samples: 128, most_frames: 9 };

    fn shares_lane(&self, other: &Self) -> bool {
        (self.rate, self.frame_samples) == (other.rate, other.frame_samples)
    }

    /// SBC frames of the longest packet that it allows.
    fn packet_frames(&self) -> i64 {
        self.most_frames.min(MOST_FRAMES).min(MOST_SAMPLES / self.frame_samples).max(1)
    }
}

/// A member of the group, by its number.
pub type Id = usize;

/// A packet that a link has not taken yet.
#[derive(Debug)]
struct Waiting {
    bytes: Vec<u8>,
    samples: i64,
    due: Timestamp<True>,
    /// When its waiting began: later than it was due if the sender itself was late.
    since: Timestamp<True>,
}

/// A member's link, while it is up.
#[derive(Debug, Default)]
struct LinkPace {
    waiting: VecDeque<Waiting>,
    /// Whether it is in the group; `false` while it takes nothing and is left out.
    is_in: bool,
    /// Frames that it has taken since it came in (again).
    taken: i64,
}

impl LinkPace {
    fn has_stalled(&self, now: Timestamp<True>) -> bool {
        self.is_in && self.waiting.front().is_some_and(|head| now - head.since > LATE)
    }
}

#[derive(Debug)]
struct Seat {
    form: Form,
    link: Option<LinkPace>,
    counters: Counters,
}

/// What happened to a member's packets since its program's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Packets that the link took.
    pub sent: u64,
    /// Of these, those taken more than a packet time after they were due.
    pub late: u64,
    /// Packets of the schedule that were dropped on all links together.
    pub dropped: u64,
    /// Times that the link took nothing for so long that it was left out.
    pub left_out: u64,
    /// Times that the machine stood still for longer than speakers buffer: some have run dry.
    pub skipped: u64,
}

/// Members with equal packets.
#[derive(Debug)]
struct Lane {
    form: Form,
    /// The first frame of its next packet.
    next: i64,
}

impl Lane {
    fn samples(&self) -> i64 {
        self.form.packet_frames() * self.form.frame_samples
    }

    fn packet_time(&self) -> Span {
        self.form.rate.span_of(Frames(self.samples()))
    }
}

/// A packet's worth of frames that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    lane: usize,
    /// The first frame.
    pub first: Frames,
    /// How many.
    pub samples: usize,
    /// When its first frame was due.
    pub due: Timestamp<True>,
    /// From when on a link that does not take it is slow.
    since: Timestamp<True>,
}

/// What [`Pace::poll`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing before this instant.
    Later(Timestamp<True>),
    /// Render these frames for [`Pace::members_of`], encode them for those whose link is in, hand the
    /// packets to [`Pace::push`], then write.
    Now(Slot),
    /// The machine stood still: so much time was skipped on all links.
    Skipped(Span),
}

/// The schedule of a group.
#[derive(Debug)]
pub struct Pace {
    origin: Timestamp<True>,
    /// When it was last asked what is due.
    seen: Timestamp<True>,
    lag: Span,
    regain_at: Timestamp<True>,
    /// The machine has just stood still, and that was counted.
    stood_still: bool,
    lanes: Vec<Lane>,
    seats: Vec<Option<Seat>>,
    pool: Vec<Vec<u8>>,
}

impl Pace {
    /// A schedule whose frames 0 are due at `origin`.
    pub fn new(origin: Timestamp<True>) -> Self {
        Self {
            origin,
            seen: origin,
            lag: Span::ZERO,
            regain_at: origin,
            stood_still: false,
            lanes: Vec::new(),
            seats: Vec::new(),
            pool: Vec::new(),
        }
    }

    /// A member comes, its link down.
    pub fn add(&mut self, form: Form) -> Id {
        let seat = Seat { form, link: None, counters: Counters::default() };
        let free = self.seats.iter().position(Option::is_none);
        let id = free.unwrap_or(self.seats.len());
        match free {
            Some(id) => self.seats[id] = Some(seat),
            None => self.seats.push(Some(seat)),
        }
        self.arrange();
        id
    }

    /// A member's link is up: it is in from the next packet of its lane on.
    pub fn link_up(&mut self, id: Id, form: Form) {
        if let Some(seat) = self.seat_mut(id) {
            (seat.form, seat.link) = (form, Some(LinkPace { is_in: true, ..LinkPace::default() }));
        }
        self.arrange();
    }

    /// A member's link is gone; what waited for it is void.
    pub fn link_down(&mut self, id: Id) {
        if let Some(seat) = self.seat_mut(id) {
            seat.link = None;
        }
        self.arrange();
    }

    /// The nominal sending time of `frame` of a stream of `rate`.
    pub fn nominal(&self, rate: SampleRate, frame: Frames) -> Timestamp<True> {
        self.origin + rate.span_of(frame)
    }

    /// What is to be done at `now`; call again until it is [`Due::Later`].
    pub fn poll(&mut self, now: Timestamp<True>) -> Due {
        self.seen = self.seen.max(now);
        self.regain(now);
        // Each turn but the last drops a packet or leaves out a link, and both have their bounds.
        loop {
            let Some(index) = self.earliest() else { return Due::Later(now + REGAIN) };
            let due = self.due_of(&self.lanes[index]);
            if now < due {
                return Due::Later(due);
            }
            let behind = now - due;
            self.watch_standstill(behind);
            if behind > BURST {
                return Due::Skipped(self.skip(now));
            }
            let packet = self.lanes[index].packet_time();
            if behind > LATE || !self.has_stalled(now) {
                return Due::Now(self.take(index, due, now));
            } else if self.lag + packet > LAG_MOST {
                self.leave_out_stalled(now)
            } else {
                self.drop_one(now, packet)
            }
        }
    }

    /// The next packet of a lane. A burst takes its links time to take: as much as it is late.
    fn take(&mut self, index: usize, due: Timestamp<True>, now: Timestamp<True>) -> Slot {
        let lane = &mut self.lanes[index];
        let (first, samples) = (Frames(lane.next), lane.samples());
        lane.next += samples;
        let since = if now - due > LATE { now + (now - due) } else { due };
        Slot { lane: index, first, samples: samples as usize, due, since }
    }

    /// Counts a standstill once.
    fn watch_standstill(&mut self, behind: Span) {
        if behind <= LATE {
            self.stood_still = false;
        } else if behind > DRY && !std::mem::replace(&mut self.stood_still, true) {
            for seat in self.seats.iter_mut().flatten().filter(|seat| seat.link.is_some()) {
                seat.counters.skipped += 1;
            }
        }
    }

    /// The members that a slot is for.
    pub fn members_of(&self, slot: &Slot) -> impl Iterator<Item = Id> + use<> {
        let form = self.lanes[slot.lane].form;
        let ours = |seat: &Option<Seat>| seat.as_ref().is_some_and(|seat| seat.form.shares_lane(&form));
        let ids: Vec<Id> = (0..self.seats.len()).filter(|id| ours(&self.seats[*id])).collect();
        ids.into_iter()
    }

    /// A buffer for a packet.
    pub fn buffer(&mut self) -> Vec<u8> {
        self.pool.pop().unwrap_or_default()
    }

    /// A member's packet of a slot waits to be written.
    pub fn push(&mut self, id: Id, slot: &Slot, bytes: Vec<u8>) {
        let Some(link) = self.link_mut(id) else { return };
        if !link.is_in {
            // Left out: only the newest packet is offered, so that it comes in where the others are.
            link.waiting.clear();
        }
        link.waiting.push_back(Waiting {
            bytes,
            samples: slot.samples as i64,
            due: slot.due,
            since: slot.since,
        });
    }

    /// The packet that a member's link is to be given next.
    pub fn head(&self, id: Id) -> Option<&[u8]> {
        let link = self.seats.get(id)?.as_ref()?.link.as_ref()?;
        link.waiting.front().map(|waiting| waiting.bytes.as_slice())
    }

    /// The link took the packet.
    pub fn accepted(&mut self, id: Id, now: Timestamp<True>) {
        let Some(seat) = self.seat_mut(id) else { return };
        let Some(link) = &mut seat.link else { return };
        let Some(taken) = link.waiting.pop_front() else { return };
        link.is_in = true;
        link.taken += taken.samples;
        seat.counters.sent += 1;
        let packet = seat.form.rate.span_of(Frames(taken.samples));
        seat.counters.late += u64::from(now - taken.due > packet);
        // As many as can wait at once.
        if self.pool.len() < 16 {
            let mut bytes = taken.bytes;
            bytes.clear();
            self.pool.push(bytes);
        }
    }

    /// Packets that wait for a member's link.
    pub fn waiting(&self, id: Id) -> usize {
        let link = self.seats.get(id).and_then(|seat| seat.as_ref()?.link.as_ref());
        link.map_or(0, |link| link.waiting.len())
    }

    /// Whether the link is left out because it takes nothing.
    pub fn is_left_out(&self, id: Id) -> bool {
        let link = self.seats.get(id).and_then(|seat| seat.as_ref()?.link.as_ref());
        link.is_some_and(|link| !link.is_in)
    }

    /// What happened to a member's packets.
    pub fn counters(&self, id: Id) -> Counters {
        self.seats.get(id).and_then(Option::as_ref).map_or(Counters::default(), |seat| seat.counters)
    }

    /// How far sending stands behind nominal at present.
    #[cfg(test)]
    pub fn lag(&self) -> Span {
        self.lag
    }

    /// Frames given to a link since it came in, those that wait included; `None` while it is not in.
    #[cfg(test)]
    pub fn given(&self, id: Id) -> Option<Frames> {
        let link = self.seats.get(id)?.as_ref()?.link.as_ref().filter(|link| link.is_in)?;
        Some(Frames(link.taken + link.waiting.iter().map(|waiting| waiting.samples).sum::<i64>()))
    }

    /// How long the packets of a form last in this group at present.
    pub fn packet_time(&self, form: Form) -> Span {
        let lane = self.lanes.iter().find(|lane| lane.form.shares_lane(&form));
        lane.map_or_else(|| Lane { form, next: 0 }.packet_time(), Lane::packet_time)
    }
}

impl Pace {
    fn seat_mut(&mut self, id: Id) -> Option<&mut Seat> {
        self.seats.get_mut(id)?.as_mut()
    }

    fn link_mut(&mut self, id: Id) -> Option<&mut LinkPace> {
        self.seat_mut(id)?.link.as_mut()
    }

    /// One lane for each kind of packet, as long as the member with the least room allows.
    fn arrange(&mut self) {
        let (seats, lanes, waited) = (&self.seats, &mut self.lanes, self.seen - self.origin);
        lanes.retain(|lane| seats.iter().flatten().any(|seat| seat.form.shares_lane(&lane.form)));
        let elapsed = lanes.iter().map(|lane| lane.form.rate.span_of(Frames(lane.next))).max();
        for form in seats.iter().flatten().map(|seat| seat.form) {
            if !lanes.iter().any(|lane| lane.form.shares_lane(&form)) {
                // A whole packet of its own, at the group's present place or the first after it.
                let unit = form.frame_samples;
                let place = form.rate.frames_in(elapsed.unwrap_or(waited)).0;
                lanes.push(Lane { form, next: (place + unit - 1) / unit * unit });
            }
        }
        for lane in lanes {
            let members = seats.iter().flatten().filter(|seat| seat.form.shares_lane(&lane.form));
            let up = members.clone().filter(|seat| seat.link.is_some());
            let least = up.map(|seat| seat.form.most_frames).min();
            lane.form.most_frames = least.unwrap_or(Form::USUAL.most_frames);
        }
    }

    fn due_of(&self, lane: &Lane) -> Timestamp<True> {
        self.nominal(lane.form.rate, Frames(lane.next)) + self.lag
    }

    fn earliest(&self) -> Option<usize> {
        (0..self.lanes.len()).min_by_key(|index| self.due_of(&self.lanes[*index]))
    }

    /// Whether a link has refused a packet for longer than may be.
    fn has_stalled(&self, now: Timestamp<True>) -> bool {
        self.seats.iter().flatten().filter_map(|seat| seat.link.as_ref()).any(|link| link.has_stalled(now))
    }

    /// Drops a packet of the schedule on all links.
    fn drop_one(&mut self, now: Timestamp<True>, packet: Span) {
        self.lag += packet;
        self.regain_at = now + REGAIN;
        for seat in self.seats.iter_mut().flatten().filter(|seat| seat.link.is_some()) {
            seat.counters.dropped += 1;
        }
    }

    fn leave_out_stalled(&mut self, now: Timestamp<True>) {
        for seat in self.seats.iter_mut().flatten() {
            if let Some(link) = seat.link.as_mut().filter(|link| link.has_stalled(now)) {
                *link = LinkPace::default();
                seat.counters.left_out += 1;
            }
        }
    }

    /// All lanes go on shortly before the present; what they lagged beyond that is skipped, in whole
    /// packets of each.
    fn skip(&mut self, now: Timestamp<True>) -> Span {
        let mut skipped = Span::ZERO;
        for lane in &mut self.lanes {
            let packet = lane.samples();
            let behind = lane.form.rate.frames_in(now - REFILL - self.origin).0 - lane.next;
            let frames = (behind / packet).max(0) * packet;
            lane.next += frames;
            skipped = skipped.max(lane.form.rate.span_of(Frames(frames)));
        }
        self.lag = Span::ZERO;
        skipped
    }

    fn regain(&mut self, now: Timestamp<True>) {
        if self.lag == Span::ZERO || now < self.regain_at {
            return;
        }
        let mut links = self.seats.iter().flatten().filter_map(|seat| seat.link.as_ref());
        if links.any(|link| link.is_in && !link.waiting.is_empty()) {
            return;
        }
        let packet = self.lanes.iter().map(Lane::packet_time).min();
        self.lag = (self.lag - packet.unwrap_or(self.lag)).max(Span::ZERO);
        self.regain_at = now + REGAIN;
    }
}

#[cfg(test)]
mod tests;
