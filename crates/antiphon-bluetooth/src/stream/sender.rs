//! The thread that sends: renders, encodes and writes every member's packets when [`Pace`] says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;

use antiphon_audio::sink::{Render, SinkEvent};
use antiphon_base::{Local, SampleRate, Span, Timestamp, True};
use antiphon_codec::sbc::{SbcEncoder, SbcParams};
use antiphon_net::{Clock, precise_timers, raw_now, real_time_priority, sleep_until};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use super::pace::{Due, Form, Id, Pace, Slot};
use super::packet::{HEADER, Headers, form_of};
use super::socket::{Socket, Written};
use super::status::{ASSUMED_DELAY, LinkState, LinkStatus};
use super::{LinkSource, Shared};
use crate::{Address, Down, Link, LinkEvent};

/// From the start to the first packet: time for agents to attach.
const START_UP: Span = Span::from_ms(20);

/// The longest sleep: new members, links and a stop are looked for this often, and with every packet. Longer than a
/// packet lasts, or the thread would wake twice for each.
const LONGEST_SLEEP: Span = Span::from_ms(30);

/// How often what people see is brought up to date.
const SHOW: Span = Span::from_ms(200);

/// A sink that starts.
pub(super) struct Attach {
    pub address: Address,
    pub rate: SampleRate,
    pub channels: u16,
    pub render: Render,
    pub events: rtrb::Producer<SinkEvent>,
    pub stop: Arc<AtomicBool>,
}

/// A link in use.
struct Open {
    socket: Socket,
    encoder: SbcEncoder,
    headers: Headers,
}

struct Member {
    address: Address,
    id: Id,
    sink: Option<Attach>,
    link: Option<Open>,
    /// The delay that the sink's agent was told.
    told: Option<Span>,
    status: LinkStatus,
}

/// The thread's state.
pub(super) struct Sender {
    clock: Clock<Local>,
    attach: Receiver<Attach>,
    links: LinkSource,
    shared: Shared,
    pace: Pace,
    members: Vec<Member>,
    /// A packet's worth of rendered samples, and the same in the channels of the codec.
    rendered: Vec<f32>,
    coded: Vec<f32>,
    show_at: Timestamp<True>,
}

impl Sender {
    pub fn new(clock: Clock<Local>, attach: Receiver<Attach>, links: LinkSource, shared: Shared) -> Self {
        let now = raw_now();
        Self {
            clock,
            attach,
            links,
            shared,
            pace: Pace::new(now + START_UP),
            members: Vec::new(),
            rendered: Vec::new(),
            coded: Vec::new(),
            show_at: now,
        }
    }

    pub fn run(&mut self, stop: &AtomicBool) {
        precise_timers();
        let granted = real_time_priority();
        tracing::debug!("real-time priority for the Bluetooth thread: {granted}");
        while !stop.load(Ordering::Acquire) {
            self.take_sinks();
            self.take_links();
            self.write_all();
            let wake = self.serve();
            self.look();
            self.show(raw_now());
            self.sleep(wake.min(raw_now() + LONGEST_SLEEP));
        }
    }

    /// Does all that is due; when to come back.
    fn serve(&mut self) -> Timestamp<True> {
        loop {
            match self.pace.poll(raw_now()) {
                Due::Later(at) => return at,
                Due::Now(slot) => self.send(&slot),
                Due::Skipped(time) => {
                    tracing::warn!("this machine stood still: {:.0} ms are left out", time.as_ms_f64());
                }
            }
        }
    }

    fn send(&mut self, slot: &Slot) {
        for id in self.pace.members_of(slot) {
            self.prepare(id, slot);
        }
        // Back to back, after all are encoded.
        self.write_all();
    }

    fn prepare(&mut self, id: Id, slot: &Slot) {
        let Some(member) = self.members.iter_mut().find(|member| member.id == id) else { return };
        let Some(sink) = &mut member.sink else { return };
        let nominal = self.pace.nominal(sink.rate, slot.first);
        self.rendered.resize(slot.samples * usize::from(sink.channels), 0.0);
        // Also while its link is down: so it returns in place.
        (sink.render)(slot.first, &mut self.rendered);
        tell(sink, SinkEvent::Stamp { frame: slot.first, at: self.clock.warp(nominal) });
        let Some(link) = &mut member.link else { return };
        let mut packet = self.pace.buffer();
        map_channels(&self.rendered, sink.channels, link.encoder.params().mode().channels(), &mut self.coded);
        link.encode(slot, &self.coded, &mut packet);
        self.pace.push(id, slot, packet);
    }

    fn write_all(&mut self) {
        let mut broke = false;
        for member in &mut self.members {
            broke |= member.write(&mut self.pace);
        }
        if broke {
            self.press_all();
        }
    }

    /// What radios have told since the last turn.
    fn look(&mut self) {
        for link in self.members.iter_mut().filter_map(|member| member.link.as_mut()) {
            link.socket.look();
        }
    }

    /// A link is gone, and with it what kept the controller's buffers; see [`Socket::press`].
    fn press_all(&mut self) {
        for member in &mut self.members {
            let (Some(link), Some(packet)) = (&mut member.link, self.pace.head(member.id)) else { continue };
            if let Written::Taken = link.socket.press(packet) {
                self.pace.accepted(member.id, raw_now());
            }
        }
    }

    /// Until `wake`, or until a link that refuses packets takes one.
    fn sleep(&self, wake: Timestamp<True>) {
        let refused = self.members.iter().filter(|member| self.pace.waiting(member.id) > 0);
        let mut fds: Vec<PollFd<'_>> = refused
            .filter_map(|member| member.link.as_ref())
            .map(|link| PollFd::new(link.socket.fd(), PollFlags::POLLOUT))
            .collect();
        let left = wake - raw_now();
        if fds.is_empty() || left <= Span::ZERO {
            sleep_until(wake);
        } else {
            // An early return of any kind is answered by the loop.
            let _ = ppoll(&mut fds, Some(TimeSpec::from(left.to_std())), None);
        }
    }
}

/// Members that come, change and go.
impl Sender {
    fn take_sinks(&mut self) {
        while let Ok(sink) = self.attach.try_recv() {
            let member = self.member(sink.address);
            (member.sink, member.told) = (Some(sink), None);
            member.part_if_unlike();
            member.tell_delay();
        }
        for member in &mut self.members {
            if member.sink.as_ref().is_some_and(|sink| sink.stop.load(Ordering::Acquire)) {
                member.sink = None;
            }
        }
    }

    fn take_links(&mut self) {
        while let Some(event) = (self.links)() {
            self.take_link(event);
        }
    }

    fn take_link(&mut self, event: LinkEvent) {
        let address = match &event {
            LinkEvent::Up(link) => link.address,
            LinkEvent::Delay(address, _)
            | LinkEvent::Volume(address, _)
            | LinkEvent::Battery(address, _)
            | LinkEvent::Down(address, _) => *address,
        };
        let index = self.index(address);
        let (member, pace) = (&mut self.members[index], &mut self.pace);
        match event {
            LinkEvent::Up(link) => member.open(pace, link),
            LinkEvent::Down(_, down) => {
                member.close(pace, down);
                self.press_all();
            }
            LinkEvent::Delay(_, reported) => member.status.reported = reported,
            LinkEvent::Volume(_, volume) => member.status.volume = volume,
            LinkEvent::Battery(_, percent) => member.status.battery = Some(percent),
        }
        self.members[index].tell_delay();
        self.show_at = raw_now();
    }

    fn member(&mut self, address: Address) -> &mut Member {
        let index = self.index(address);
        &mut self.members[index]
    }

    fn index(&mut self, address: Address) -> usize {
        if let Some(index) = self.members.iter().position(|member| member.address == address) {
            return index;
        }
        let id = self.pace.add(Form::USUAL);
        let status = LinkStatus { delay: ASSUMED_DELAY, assumed: true, ..LinkStatus::default() };
        self.members.push(Member { address, id, sink: None, link: None, told: None, status });
        self.members.len() - 1
    }

    /// Lets others see how the links stand; if they are just looking, the next time.
    fn show(&mut self, now: Timestamp<True>) {
        if now < self.show_at {
            return;
        }
        self.show_at = now + SHOW;
        for member in &mut self.members {
            member.look(&self.pace);
        }
        let Ok(mut shared) = self.shared.try_lock() else { return };
        for member in &self.members {
            shared.insert(member.address, member.status.clone());
        }
    }
}

impl Member {
    fn open(&mut self, pace: &mut Pace, link: Link) {
        let Some(form) = form_of(&link.sbc, link.write_mtu) else {
            let why = format!(
                "the speaker takes packets of {} bytes, too short for one frame of its codec",
                link.write_mtu
            );
            return self.close(pace, Down { why, needs_help: true });
        };
        let longest = HEADER + link.sbc.frame_bytes() * form.most_frames as usize;
        pace.link_up(self.id, form);
        self.status.state = LinkState::Up;
        (self.status.why, self.status.needs_help) = (String::new(), false);
        (self.status.reported, self.status.sbc) = (link.reported, Some(link.sbc));
        (self.status.start, self.status.adapter) = (self.status.start + 1, link.adapter);
        self.link = Some(Open {
            headers: Headers::new(source_of(link.address, link.connection)),
            socket: Socket::new(link.socket, longest, link.tells),
            encoder: SbcEncoder::new(link.sbc),
        });
        self.part_if_unlike();
    }

    /// Writes what waits, as far as it is taken; whether the link broke.
    fn write(&mut self, pace: &mut Pace) -> bool {
        let Some(link) = &mut self.link else { return false };
        while let Some(packet) = pace.head(self.id) {
            match link.socket.write(packet) {
                Written::Taken => pace.accepted(self.id, raw_now()),
                Written::Refused => return false,
                Written::Broken(why) => {
                    tracing::info!("{}: the link broke: {why}", self.address);
                    let why = format!("the connection broke ({why}); it is made again");
                    self.close(pace, Down { why, needs_help: false });
                    return true;
                }
            }
        }
        false
    }

    /// A sink that renders at another rate than the link's stops, and another one comes in its place.
    fn part_if_unlike(&mut self) {
        let Some(link) = &self.link else { return };
        if let Some(mut sink) = self.sink.take_if(|sink| sink.rate != link.encoder.params().rate()) {
            tell(&mut sink, SinkEvent::Reopen);
        }
    }

    fn close(&mut self, pace: &mut Pace, down: Down) {
        self.link = None;
        pace.link_down(self.id);
        self.status.state = LinkState::Down;
        (self.status.why, self.status.needs_help) = (down.why, down.needs_help);
    }

    /// Says what lies behind the sending time, where it has changed.
    fn tell_delay(&mut self) {
        let codec = self.status.sbc.map_or(Span::ZERO, |sbc| codec_delay(&sbc));
        self.status.assumed = self.status.reported.is_none();
        self.status.delay = codec + self.status.reported.unwrap_or(ASSUMED_DELAY);
        let delay = Some(self.status.delay);
        if let Some(sink) = &mut self.sink
            && std::mem::replace(&mut self.told, delay) != delay
        {
            tell(sink, SinkEvent::Delay(self.status.delay));
        }
    }

    fn look(&mut self, pace: &Pace) {
        let counters = pace.counters(self.id);
        let begun_anew = |counters: &super::Counters| counters.left_out + counters.skipped;
        self.status.start += (begun_anew(&counters) - begun_anew(&self.status.counters)) as u32;
        self.status.counters = counters;
        let Some(link) = &mut self.link else { return };
        self.status.air = link.socket.take_longest();
        self.status.queue = link.socket.queued_packets() + pace.waiting(self.id) as f64;
        self.status.state = if pace.is_left_out(self.id) { LinkState::Stalled } else { LinkState::Up };
        if let Some(form) = form_of(link.encoder.params(), usize::MAX) {
            self.status.packet = pace.packet_time(form);
        }
    }
}

impl Open {
    fn encode(&mut self, slot: &Slot, samples: &[f32], packet: &mut Vec<u8>) {
        let params = self.encoder.params();
        let of_frame = params.frame_samples() * usize::from(params.mode().channels());
        self.headers.begin(packet, slot.first.0, (samples.len() / of_frame) as u8);
        for frame in samples.chunks_exact(of_frame) {
            let encoded = self.encoder.encode(frame, packet);
            debug_assert!(encoded.is_ok(), "a chunk is a frame");
        }
    }
}

/// The codec's filters, of both ends.
fn codec_delay(sbc: &SbcParams) -> Span {
    sbc.rate().span_of(sbc.delay())
}

/// Two connections of one speaker, and two speakers, have unlike sources (RFC 3550, 8).
fn source_of(address: Address, connection: u32) -> u32 {
    let [_, _, a, b, c, d] = address.0;
    u32::from_be_bytes([a, b, c, d]).rotate_left(8) ^ connection.wrapping_mul(0x9E37_79B9)
}

/// One channel to two alike, two to their mean.
fn map_channels(from: &[f32], channels: u16, to_channels: u16, to: &mut Vec<f32>) {
    to.clear();
    match (channels, to_channels) {
        (1, 2) => to.extend(from.iter().flat_map(|x| [*x, *x])),
        (2, 1) => to.extend(from.chunks_exact(2).map(|frame| (frame[0] + frame[1]) / 2.0)),
        _ => to.extend_from_slice(from),
    }
}

fn tell(sink: &mut Attach, event: SinkEvent) {
    // A full queue means that nobody listens.
    let _ = sink.events.push(event);
}
