//! The schedule in virtual time, against speakers that look at no timestamp.
//!
//! A speaker here is what a cheap one is: a buffer of what came, a clock of its own whose rate
//! follows the buffer's level, silence when the buffer is empty. What it plays carries its frame's
//! number, so that two speakers' places can be compared at any instant.

use antiphon_base::Ppm;
use proptest::prelude::*;

use super::*;

const STEP: Span = Span::from_us(500);
const START: Timestamp<True> = Timestamp::from_ns(1_000_000_000);

/// Frames of a packet.
const PACKET: i64 = 1_152;

/// A speaker.
struct Speaker {
    /// (first frame, frames) in the order of arrival.
    buffer: VecDeque<(i64, f64)>,
    delay: Span,
    capacity: Span,
    clock: Ppm,
    /// Whether it waits for a full buffer after it ran dry.
    refills: bool,
    filling: bool,
    underruns: u32,
    level: f64,
}

impl Speaker {
    fn new(delay_ms: i64, ppm: f64, refills: bool) -> Self {
        Self {
            buffer: VecDeque::new(),
            delay: Span::from_ms(delay_ms),
            capacity: Span::from_ms(delay_ms + 200),
            clock: Ppm(ppm),
            refills,
            filling: true,
            underruns: 0,
            level: 0.0,
        }
    }

    fn held(&self) -> f64 {
        self.buffer.iter().map(|(_, frames)| frames).sum()
    }

    fn receive(&mut self, first: i64, frames: i64) {
        if self.held() + frames as f64 <= SampleRate::MEDIA.frames_f64(self.capacity) {
            self.buffer.push_back((first, frames as f64));
        }
    }

    /// Plays for a step; the frame that it plays at the end of it.
    fn play(&mut self) -> Option<f64> {
        let target = SampleRate::MEDIA.frames_f64(self.delay);
        if self.filling && self.held() < target {
            return None;
        }
        if std::mem::take(&mut self.filling) {
            self.level = self.held();
        }
        // The level over seconds bends the rate by at most 200 ppm.
        self.level += (self.held() - self.level) * 1e-4;
        let bend = ((self.level - target) / target * 2e-3).clamp(-2e-4, 2e-4);
        let mut left = SampleRate::MEDIA.frames_f64(STEP) * (1.0 + self.clock.0 * 1e-6 + bend);
        while left > 0.0 {
            let Some((_, frames)) = self.buffer.front_mut() else {
                self.underruns += 1;
                self.filling = self.refills;
                return None;
            };
            let played = left.min(*frames);
            *frames -= played;
            left -= played;
            if *frames <= 1e-9 {
                self.buffer.pop_front();
            }
        }
        // Of the front packet, so much has been played.
        self.buffer.front().map(|(first, frames)| *first as f64 + PACKET as f64 - frames)
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Default)]
struct Fault {
    /// The link of the first speaker passes nothing for so long, every three seconds.
    stall: Span,
    /// One write of this many is refused.
    refuse_one_of: u64,
    /// The sender sleeps for so long, every three seconds.
    sender: Span,
    /// One packet of the first link is lost in the air every ten seconds.
    lose: bool,
    /// The first link is gone from second 10 to 15.
    goes: bool,
}

struct Air {
    socket: VecDeque<(i64, i64)>,
    free_at: Timestamp<True>,
}

struct Outcome {
    pace: Pace,
    ids: [Id; 2],
    speakers: [Speaker; 2],
    /// Largest change of the distance between the two, in milliseconds.
    apart_ms: f64,
    /// At the end.
    last_ms: f64,
    /// Largest difference of the counts of both since both are in.
    uneven: i64,
    given: [Option<Frames>; 2],
    base: i64,
}

/// Sends for so many seconds; packets of 9 x 128 samples hold 4 in the socket, and the air takes 4 ms each.
fn run(fault: Fault, speakers: [Speaker; 2], seconds: i64) -> Outcome {
    let mut pace = Pace::new(START);
    let ids = [pace.add(Form::USUAL), pace.add(Form::USUAL)];
    ids.iter().for_each(|id| pace.link_up(*id, Form::USUAL));
    let (given, base) = ([None; 2], 0);
    let mut world = Outcome { pace, ids, speakers, apart_ms: 0.0, last_ms: 0.0, uneven: 0, given, base };
    let mut air = [(), ()].map(|()| Air { socket: VecDeque::new(), free_at: START });
    let (mut now, mut writes, mut first_apart, mut lost) = (START, 0u64, None, 0);
    let every = |now: Timestamp<True>, period: i64, length: Span| {
        (now - START).as_ns() >= period * 1_000_000_000
            && Span::from_ns((now - START).as_ns() % (period * 1_000_000_000)) < length
    };
    while now < START + Span::from_s(seconds) {
        let up = !(fault.goes && (10..15).contains(&((now - START).as_ns() / 1_000_000_000)));
        if fault.goes && !up && world.pace.given(ids[0]).is_some() {
            world.pace.link_down(ids[0]);
            air[0].socket.clear();
            (world.speakers[0].buffer, world.speakers[0].filling) = (VecDeque::new(), true);
        } else if fault.goes && up && world.pace.given(ids[0]).is_none() {
            world.pace.link_up(ids[0], Form::USUAL);
        }
        if !every(now, 3, fault.sender) {
            world.send(now, &mut air, &mut |_| {
                writes += 1;
                fault.refuse_one_of > 0 && writes.is_multiple_of(fault.refuse_one_of)
            });
        }
        for (k, air) in air.iter_mut().enumerate() {
            let stalled = k == 0 && every(now, 3, fault.stall);
            if !stalled
                && now >= air.free_at
                && let Some((first, frames)) = air.socket.pop_front()
            {
                air.free_at = now + Span::from_ms(4);
                let loses = fault.lose && k == 0 && (now - START).as_ns() / 10_000_000_000 > lost;
                lost += i64::from(loses);
                if !loses {
                    world.speakers[k].receive(first, frames);
                }
            }
        }
        world.listen(now, &mut first_apart);
        now += STEP;
    }
    world
}

impl Outcome {
    fn send(&mut self, now: Timestamp<True>, air: &mut [Air; 2], refuses: &mut impl FnMut(usize) -> bool) {
        self.write(now, air, refuses);
        while let Due::Now(slot) = self.poll(now) {
            for id in self.pace.members_of(&slot).collect::<Vec<_>>() {
                let bytes = slot.first.0.to_le_bytes().to_vec();
                self.pace.push(id, &slot, bytes);
            }
            self.write(now, air, refuses);
        }
    }

    fn poll(&mut self, now: Timestamp<True>) -> Due {
        loop {
            match self.pace.poll(now) {
                Due::Skipped(_) => {}
                due => return due,
            }
        }
    }

    fn write(&mut self, now: Timestamp<True>, air: &mut [Air; 2], refuses: &mut impl FnMut(usize) -> bool) {
        for (k, air) in air.iter_mut().enumerate() {
            while let Some(bytes) = self.pace.head(self.ids[k]) {
                if air.socket.len() >= 4 || refuses(k) {
                    break;
                }
                let first = i64::from_le_bytes(bytes.try_into().unwrap());
                air.socket.push_back((first, PACKET));
                self.pace.accepted(self.ids[k], now);
            }
        }
    }

    fn listen(&mut self, now: Timestamp<True>, first: &mut Option<f64>) {
        let places = [0, 1].map(|k| self.speakers[k].play());
        if let [Some(a), Some(b)] = places
            && now - START > Span::from_s(1)
        {
            let apart = (a - b) / 48.0;
            let change = apart - *first.get_or_insert(apart);
            self.apart_ms = self.apart_ms.max(change.abs());
            self.last_ms = change.abs();
        }
        // Counted since both are in.
        let given = self.ids.map(|id| self.pace.given(id));
        if let [Some(a), Some(b)] = given {
            let joined = (0..2).any(|k| self.given[k].is_none() || self.given[k] > given[k]);
            self.base = if joined { (a - b).0 } else { self.base };
            self.uneven = self.uneven.max(((a - b).0 - self.base).abs());
        }
        self.given = given;
    }

    fn row(&self, name: &str) -> String {
        let counts = self.pace.counters(self.ids[0]);
        format!(
            "{name:<44} {:>5} {:>7} {:>8} {:>7} {:>6} {:>5}/{:<5} {:>8.1} {:>8.1}\n",
            counts.late,
            counts.dropped,
            counts.left_out,
            counts.skipped,
            self.uneven,
            self.speakers[0].underruns,
            self.speakers[1].underruns,
            self.apart_ms,
            self.last_ms
        )
    }
}

fn pair() -> [Speaker; 2] {
    [Speaker::new(150, 100.0, false), Speaker::new(250, -100.0, false)]
}

fn stall(ms: i64) -> Fault {
    Fault { stall: Span::from_ms(ms), ..Fault::default() }
}

fn sender(ms: i64) -> Fault {
    Fault { sender: Span::from_ms(ms), ..Fault::default() }
}

/// What each fault costs, over a minute; the speaker on the faulty link has 150 ms of buffer and
/// runs 200 ppm faster than the other, which has 250 ms. Counters are of the faulty link; "apart"
/// is how far the distance between the two changes, at most and at the end.
#[test]
fn faults_and_what_they_cost() {
    let refuse = Fault { refuse_one_of: 3, ..Fault::default() };
    let goes = Fault { goes: true, ..Fault::default() };
    let lose = Fault { lose: true, ..Fault::default() };
    let mut table = format!(
        "{:<44} {:>5} {:>7} {:>8} {:>7} {:>6} {:>11} {:>8} {:>8}\n",
        "fault", "late", "dropped", "left out", "skipped", "uneven", "run dry a/b", "apart ms", "at end"
    );
    for (name, fault) in [
        ("none", Fault::default()),
        ("one write of three refused", refuse),
        ("link stands still for 100 ms every 3 s", stall(100)),
        ("link stands still for 140 ms every 3 s", stall(140)),
        ("link stands still for 400 ms every 3 s", stall(400)),
        ("sender stands still for 60 ms every 3 s", sender(60)),
        ("sender stands still for 110 ms every 3 s", sender(110)),
        ("sender stands still for 200 ms every 3 s", sender(200)),
        ("sender stands still for 500 ms every 3 s", sender(500)),
        ("a packet lost in the air every 10 s", lose),
        ("link gone from 10 s to 15 s", goes),
    ] {
        table += &run(fault, pair(), 60).row(name);
    }
    insta::assert_snapshot!(table);
}

#[test]
fn under_refusals_and_stalls_of_100_ms_counts_stay_equal_and_the_pair_stays_together() {
    for fault in [Fault { refuse_one_of: 3, ..stall(100) }, Fault { refuse_one_of: 2, ..sender(60) }] {
        let world = run(fault, pair(), 60);
        assert_eq!(world.uneven, 0);
        assert_eq!([world.speakers[0].underruns, world.speakers[1].underruns], [0, 0]);
        assert!(world.apart_ms < 12.0, "{}", world.apart_ms);
    }
}

/// What counts at a speaker is how much was sent in the time that passed.
#[test]
fn a_machine_that_stood_still_leaves_every_buffer_as_it_was() {
    let world = run(sender(200), [Speaker::new(250, 100.0, false), Speaker::new(300, -100.0, false)], 30);
    assert_eq!([world.speakers[0].underruns, world.speakers[1].underruns], [0, 0]);
    assert!(world.apart_ms < 12.0, "{}", world.apart_ms);
    assert_eq!(world.pace.counters(0).skipped, 9, "and each time is counted, once");
}

#[test]
fn a_link_that_goes_and_returns_costs_the_other_nothing() {
    for fault in [Fault { goes: true, ..Fault::default() }, stall(400), stall(2_000)] {
        let world = run(fault, pair(), 30);
        assert_eq!(world.speakers[1].underruns, 0);
    }
}

/// What one link has been given of each frame: nothing is ever left out between two that are in.
#[test]
fn a_dropped_packet_is_no_hole_in_any_stream() {
    let mut pace = Pace::new(START);
    let ids = [pace.add(Form::USUAL), pace.add(Form::USUAL)];
    ids.iter().for_each(|id| pace.link_up(*id, Form::USUAL));
    let (mut taken, mut now) = (Vec::new(), START);
    while now < START + Span::from_s(2) {
        let stalled = (400..520).contains(&((now - START).as_ns() / 1_000_000));
        while !stalled && let Some(bytes) = pace.head(ids[0]) {
            taken.push(i64::from_le_bytes(bytes.try_into().unwrap()));
            pace.accepted(ids[0], now);
        }
        while let Due::Now(slot) = pace.poll(now) {
            ids.iter().for_each(|id| pace.push(*id, &slot, slot.first.0.to_le_bytes().to_vec()));
            pace.accepted(ids[1], now);
        }
        now += STEP;
    }
    assert!(pace.counters(ids[0]).dropped > 0 && pace.counters(ids[0]).left_out == 0);
    assert!(taken.windows(2).all(|pair| pair[1] - pair[0] == PACKET), "a hole");
    assert_eq!(pace.lag(), Span::ZERO, "made good");
    assert_eq!(pace.given(ids[0]), pace.given(ids[1]));
}

#[test]
fn a_group_that_waited_for_its_first_member_skips_nothing() {
    let mut pace = Pace::new(START);
    let later = START + Span::from_s(5);
    assert!(matches!(pace.poll(later), Due::Later(_)));
    let id = pace.add(Form::USUAL);
    pace.link_up(id, Form::USUAL);
    assert!(matches!(pace.poll(later + STEP), Due::Now(_)));
    assert_eq!(pace.counters(id), Counters::default());
}

#[test]
fn links_of_two_rates_are_given_equal_time() {
    let mut pace = Pace::new(START);
    let other = Form { rate: SampleRate::new(44_100).unwrap(), most_frames: 5, ..Form::USUAL };
    let ids = [pace.add(Form::USUAL), pace.add(Form::USUAL)];
    pace.link_up(ids[0], Form::USUAL);
    pace.link_up(ids[1], other);
    let mut now = START;
    while now < START + Span::from_s(20) {
        while let Due::Now(slot) = pace.poll(now) {
            for id in pace.members_of(&slot) {
                pace.push(id, &slot, vec![0]);
                pace.accepted(id, now);
            }
        }
        now += STEP;
    }
    let time = |id, rate: SampleRate| rate.span_of(pace.given(id).unwrap());
    let apart = time(ids[0], SampleRate::MEDIA) - time(ids[1], other.rate);
    assert!(apart.abs() <= Span::from_ms(24), "{apart:?}");
}

#[test]
fn the_member_with_the_least_room_sets_the_packet_of_all_that_can_share_it() {
    let mut pace = Pace::new(START);
    let ids = [pace.add(Form::USUAL), pace.add(Form::USUAL)];
    pace.link_up(ids[0], Form::USUAL);
    assert_eq!(pace.packet_time(Form::USUAL), Span::from_ms(24));
    pace.link_up(ids[1], Form { most_frames: 4, ..Form::USUAL });
    assert!(matches!(pace.poll(START), Due::Now(slot) if slot.samples == 512));
    pace.link_down(ids[1]);
    assert_eq!(pace.packet_time(Form::USUAL), Span::from_ms(24));
}

proptest! {
    /// Whatever is refused and whoever is late: what two links that were never left out have been given is
    /// the same, in order, and what is late is late within the bound.
    #[test]
    fn counts_are_equal_whatever_happens(
        refused in proptest::collection::vec((any::<bool>(), any::<bool>()), 1..40),
        sleeps in proptest::collection::vec(0..160i64, 50..200),
    ) {
        let mut pace = Pace::new(START);
        let ids = [pace.add(Form::USUAL), pace.add(Form::USUAL)];
        ids.iter().for_each(|id| pace.link_up(*id, Form::USUAL));
        let mut now = START;
        for (turn, sleep) in sleeps.iter().enumerate() {
            now += Span::from_ms(*sleep);
            let (a, b) = refused[turn % refused.len()];
            for _ in 0..100 {
                for (id, refuses) in ids.iter().zip([a, b]) {
                    while !refuses && pace.head(*id).is_some() {
                        pace.accepted(*id, now);
                    }
                }
                match pace.poll(now) {
                    Due::Later(at) => {
                        prop_assert!(at > now);
                        break;
                    }
                    Due::Now(slot) => ids.iter().for_each(|id| pace.push(*id, &slot, Vec::new())),
                    Due::Skipped(time) => prop_assert!(time > Span::ZERO),
                }
            }
            let [x, y] = ids.map(|id| pace.counters(id));
            if x.left_out + y.left_out == 0 {
                prop_assert_eq!(pace.given(ids[0]), pace.given(ids[1]));
            }
            prop_assert!(pace.lag() <= LAG_MOST + Span::from_ms(24), "{:?}", pace.lag());
            // What is late and what a burst brings, in packets of 24 ms.
            prop_assert!(ids.iter().all(|id| pace.waiting(*id) <= 21), "{:?}", ids.map(|id| pace.waiting(id)));
        }
    }
}
