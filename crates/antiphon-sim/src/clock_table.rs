//! How well two speakers agree on the hub's clock, by network and by drift; and how well a speaker
//! knows its sound card's.

use std::fmt::Write;

use antiphon_base::{ClockMap, Dac, Hub, Local, Ppm, Span, Timestamp, True};
use antiphon_proto::sync::{ClockFilter, DacFilter, Exchange, ProbeSchedule};

use crate::clock::{ClockSpec, SimClock};
use crate::network::{DelayModel, Link, LossModel};
use crate::rng::Rng;
use crate::sound_card::{CardSpec, SoundCard, Wake};

/// One world to measure in.
#[derive(Debug, Clone, Copy)]
pub struct ClockScenario {
    /// Delay of each way.
    pub there: DelayModel,
    /// Delay of the way back.
    pub back: DelayModel,
    /// Loss of each way.
    pub loss: LossModel,
    /// The two speakers' clocks run this fast and this slow.
    pub drift: Ppm,
    /// How long.
    pub lasts: Span,
}

impl ClockScenario {
    /// Equal ways without loss, for ten minutes.
    pub fn new(delay: DelayModel, drift: Ppm) -> Self {
        Self { there: delay, back: delay, loss: LossModel::NONE, drift, lasts: Span::from_s(600) }
    }
}

/// One look at a speaker's estimate.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// When.
    pub at: Timestamp<True>,
    /// Estimated minus true hub time.
    pub error_us: f64,
    /// The stated standard deviation of it.
    pub sd_us: f64,
    /// How far the map stepped since the last look.
    pub step_us: f64,
}

/// The time between two looks.
pub const LOOK_INTERVAL: Span = Span::from_ms(20);

/// The hub holds a probe this long before it answers.
const TURNAROUND: Span = Span::from_us(30);

/// What one speaker believes, look by look; looks before its first estimate are `None`.
pub fn watch_speaker(scenario: &ClockScenario, drift: Ppm, rng: &Rng) -> Vec<Option<Look>> {
    let mut draws = rng.fork(1);
    let lasts = scenario.lasts + Span::from_s(5);
    let warm_up = Ppm(draws.between(-3.0, 3.0));
    let offset = Span::from_s_f64(draws.between(-1e6, 1e6));
    let spec = ClockSpec { offset, skew: drift, warm_up, lasts, ..ClockSpec::default() };
    let local = SimClock::<Local>::new(&spec, &mut rng.fork(2));
    let hub = SimClock::<Hub>::new(&ClockSpec { lasts, ..ClockSpec::default() }, &mut Rng::new(99));
    let exchanges = exchanges(scenario, &local, &hub, rng);
    look_at(scenario, &exchanges, &local, &hub)
}

type Arrived = (Timestamp<True>, Exchange);

/// The exchanges that come to be, in order of their arrival.
fn exchanges(s: &ClockScenario, local: &SimClock<Local>, hub: &SimClock<Hub>, rng: &Rng) -> Vec<Arrived> {
    let mut there = Link::new(s.there, s.loss, rng.fork(3));
    let mut back = Link::new(s.back, s.loss, rng.fork(4));
    let mut schedule = ProbeSchedule::new(local.at(Timestamp::ZERO));
    let mut all = Vec::new();
    loop {
        let t1 = schedule.due();
        let sent = local.when(t1);
        if sent - Timestamp::ZERO > s.lasts {
            break;
        }
        schedule.handle_timeout(t1);
        let Some(reached) = there.carry(sent) else { continue };
        let Some(returned) = back.carry(reached + TURNAROUND) else { continue };
        let (t2, t3) = (hub.at(reached), hub.at(reached + TURNAROUND));
        all.push((returned, Exchange { t1, t2, t3, t4: local.at(returned) }));
    }
    all.sort_by_key(|(at, _)| *at);
    all
}

fn look_at(
    s: &ClockScenario,
    exchanges: &[Arrived],
    local: &SimClock<Local>,
    hub: &SimClock<Hub>,
) -> Vec<Option<Look>> {
    let mut filter = ClockFilter::new();
    let mut last = None;
    let mut next = exchanges.iter().peekable();
    let count = s.lasts.as_ns() / LOOK_INTERVAL.as_ns();
    (0..count)
        .map(|k| {
            let at = Timestamp::ZERO + LOOK_INTERVAL * k;
            while let Some((_, exchange)) = next.next_if(|(arrived, _)| *arrived <= at) {
                filter.handle_exchange(exchange);
            }
            let before = std::mem::replace(&mut last, filter.map());
            last.map(|map| look(&before.unwrap_or(map), &map, at, (local, hub)))
        })
        .collect()
}

fn look(
    before: &ClockMap<Local, Hub>,
    map: &ClockMap<Local, Hub>,
    at: Timestamp<True>,
    (local, hub): (&SimClock<Local>, &SimClock<Hub>),
) -> Look {
    let now = local.at(at);
    Look {
        at,
        error_us: (map.apply(now) - hub.at(at)).as_us_f64(),
        sd_us: map.sd_ns_at(now) / 1e3,
        step_us: (map.apply(now) - before.apply(now)).as_us_f64(),
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct ClockRow {
    /// Difference of the two speakers from 60 s on: p50, p95, p99, max, in microseconds.
    pub spread_us: [f64; 4],
    /// From the first probe to staying within 60 us of each other: median and worst of the runs, s.
    pub in_sync_s: [f64; 2],
    /// Share of looks, from the first on, at which the true error is within 1.96 stated sd, per cent.
    pub covered: f64,
    /// Median of the stated 95 % half-width from 60 s on, in microseconds.
    pub half_width_us: f64,
    /// Root mean square of the steps by which a map differs from the one 20 ms before it, from 60 s
    /// on, in microseconds.
    pub step_rms_us: f64,
}

/// Two speakers are in sync when they differ by less than this.
pub const IN_SYNC_US: f64 = 60.0;

/// ... and they count as being so from the look on at which they stay so for this long.
pub const STAYS: Span = Span::from_s(30);

/// Runs `scenario` once for each seed and gathers the row.
pub fn measure(scenario: &ClockScenario, seeds: std::ops::Range<u64>) -> ClockRow {
    let settled = (60_000_000_000 / LOOK_INTERVAL.as_ns()) as usize;
    let (mut spread, mut in_sync, mut widths) = (Vec::new(), Vec::new(), Vec::new());
    let (mut covered, mut looks, mut steps) = (0, 0, 0.0);
    for seed in seeds {
        let rng = Rng::new(seed);
        let fast = watch_speaker(scenario, scenario.drift, &rng.fork(10));
        let slow = watch_speaker(scenario, Ppm(-scenario.drift.0), &rng.fork(20));
        let differences: Vec<f64> = fast.iter().zip(&slow).map(|(a, b)| difference_us(a, b)).collect();
        in_sync.push(in_sync_from_s(&differences));
        spread.extend_from_slice(&differences[settled.min(differences.len())..]);
        for look in fast.iter().chain(&slow).flatten() {
            looks += 1;
            covered += usize::from(look.error_us.abs() <= 1.96 * look.sd_us);
        }
        let later = fast.iter().skip(settled).flatten();
        widths.extend(later.clone().map(|l| 1.96 * l.sd_us));
        steps += later.map(|l| l.step_us.powi(2)).sum::<f64>();
    }
    ClockRow {
        spread_us: [0.5, 0.95, 0.99, 1.0].map(|q| quantile(&mut spread, q)),
        in_sync_s: [0.5, 1.0].map(|q| quantile(&mut in_sync, q)),
        covered: 100.0 * covered as f64 / looks.max(1) as f64,
        step_rms_us: (steps / widths.len().max(1) as f64).sqrt(),
        half_width_us: quantile(&mut widths, 0.5),
    }
}

fn difference_us(a: &Option<Look>, b: &Option<Look>) -> f64 {
    match (a, b) {
        (Some(a), Some(b)) => (a.error_us - b.error_us).abs(),
        _ => f64::INFINITY,
    }
}

/// The first look from which the two stay together for [`STAYS`].
fn in_sync_from_s(differences_us: &[f64]) -> f64 {
    let needed = (STAYS.as_ns() / LOOK_INTERVAL.as_ns()) as usize;
    let mut together = 0;
    for (k, d) in differences_us.iter().enumerate() {
        together = if *d < IN_SYNC_US { together + 1 } else { 0 };
        if together == needed {
            return (k + 1 - needed) as f64 * LOOK_INTERVAL.as_s_f64();
        }
    }
    f64::INFINITY
}

/// The value below which the share `q` lies; sorts `values`.
pub fn quantile(values: &mut [f64], q: f64) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * q).round() as usize]
}

/// The rows as text, each behind its name.
pub fn table(rows: &[(String, ClockRow)]) -> String {
    let mut text = String::from(
        "two speakers' clocks, difference from 60 s on      p50    p95    p99    max us | \
         in sync (<60 us) median  worst s | in 95 % interval | half-width us | steps us rms\n",
    );
    for (name, row) in rows {
        let [p50, p95, p99, max] = row.spread_us;
        let [median, worst] = row.in_sync_s;
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{name:<46} {p50:>7.1} {p95:>6.1} {p99:>6.1} {max:>6.1}    | {median:>23.2} {worst:>6.2}   | \
             {:>14.1} % | {:>13.1} | {:>12.2}",
            row.covered, row.half_width_us, row.step_rms_us
        );
    }
    text
}

/// A sound card to be followed: 50 us of stamp noise, 300 us of wake-up jitter, +-50 ppm.
#[derive(Debug, Clone, Copy)]
pub struct CardScenario {
    /// How much its rate changes while it warms up.
    pub warm_up: Ppm,
    /// Time constant of the warm-up.
    pub warms_for: Span,
}

/// How long a card is followed.
const CARD_LASTS: Span = Span::from_s(300);

/// When a card's row is read, ms after its start.
pub const CARD_READ_MS: [i64; 5] = [200, 1_000, 10_000, 60_000, 300_000];

/// One row of the sound cards' table.
#[derive(Debug, Clone, Copy)]
pub struct CardRow {
    /// Root mean square error over the runs at each of [`CARD_READ_MS`], in microseconds.
    pub rms_us: [f64; 5],
    /// Greatest mean error over the runs, averaged over ten seconds, from 10 s on: bias.
    pub bias_us: f64,
    /// Share of errors within 1.96 stated standard deviations, per cent.
    pub covered: f64,
    /// Root mean square of the steps that the map makes from stamp to stamp, from 60 s on.
    pub step_rms_us: f64,
}

/// Follows one card for each seed and gathers the row.
pub fn measure_card(scenario: &CardScenario, seeds: std::ops::Range<u64>) -> CardRow {
    let runs: Vec<CardRun> = seeds.map(|seed| follow_card(scenario, &Rng::new(seed))).collect();
    let n = runs.len().max(1) as f64;
    let rms = |k: usize| (runs.iter().map(|r| r.errors_us[k].powi(2)).sum::<f64>() / n).sqrt();
    let looks = |r: &CardRun| r.errors_us.len();
    let all: usize = runs.iter().map(looks).sum();
    let means = (0..runs.iter().map(looks).min().unwrap_or(0))
        .map(|k| runs.iter().map(|r| r.errors_us[k]).sum::<f64>() / n)
        .collect::<Vec<_>>();
    CardRow {
        rms_us: CARD_READ_MS.map(|ms| rms((ms / CARD_LOOK_MS - 1) as usize)),
        bias_us: means[100..]
            .chunks(100)
            .map(|c| c.iter().sum::<f64>().abs() / c.len() as f64)
            .fold(0.0, f64::max),
        covered: 100.0 * runs.iter().map(|r| r.covered).sum::<usize>() as f64 / all.max(1) as f64,
        step_rms_us: (runs.iter().map(|r| r.step_square).sum::<f64>() / n).sqrt(),
    }
}

/// Between two looks at a card's estimate.
const CARD_LOOK_MS: i64 = 100;

#[derive(Default)]
struct CardRun {
    errors_us: Vec<f64>,
    covered: usize,
    step_square: f64,
}

fn follow_card(scenario: &CardScenario, rng: &Rng) -> CardRun {
    let lasts = CARD_LASTS + Span::from_s(1);
    let host_spec =
        ClockSpec { offset: Span::from_s(1_000_000), skew: Ppm(20.0), lasts, ..ClockSpec::default() };
    let host = SimClock::<Local>::new(&host_spec, &mut rng.fork(2));
    let skew = Ppm(rng.fork(1).between(-50.0, 50.0));
    let CardScenario { warm_up, warms_for } = *scenario;
    let clock = ClockSpec { skew, warm_up, warms_for, lasts, ..ClockSpec::default() };
    let mut card = SoundCard::new(CardSpec { clock, ..CardSpec::default() }, Timestamp::ZERO, rng.fork(3));
    let mut filter = DacFilter::new(card.spec().rate);
    let (mut run, mut steps, mut before) = (CardRun::default(), 0, None);
    loop {
        let wake = card.wake(&host);
        let running_ms = (wake.when - Timestamp::ZERO - card.spec().latency).as_ns() / 1_000_000;
        if run.errors_us.len() as i64 * CARD_LOOK_MS >= CARD_LASTS.as_ns() / 1_000_000 {
            run.step_square /= f64::from(steps.max(1));
            return run;
        }
        filter.handle_stamp(wake.stamp_frame, wake.stamp_at);
        let Some(map) = filter.map() else { continue };
        let position = Timestamp::<Dac>::from_ns(card.spec().rate.span_of(wake.stamp_frame).as_ns());
        if let (Some(before), true) = (before.replace(map), running_ms > 60_000) {
            run.step_square += (map.apply(position) - before.apply(position)).as_us_f64().powi(2);
            steps += 1;
        }
        if running_ms >= CARD_LOOK_MS * (run.errors_us.len() as i64 + 1) {
            run.look(&map, position, &card, &host, &wake);
        }
    }
}

impl CardRun {
    fn look(
        &mut self,
        map: &ClockMap<Dac, Local>,
        position: Timestamp<Dac>,
        card: &SoundCard,
        host: &SimClock<Local>,
        wake: &Wake,
    ) {
        let truth = host.at(card.converted_at(wake.stamp_frame));
        let error_us = (map.apply(position) - truth).as_us_f64();
        self.errors_us.push(error_us);
        self.covered += usize::from(error_us.abs() <= 1.96 * map.sd_ns_at(position) / 1e3);
    }
}

/// The sound cards' rows as text, each behind its name.
pub fn card_table(rows: &[(String, CardRow)]) -> String {
    let mut text = String::from(
        "a sound card's clock, error us rms after     0.2 s    1 s   10 s   60 s  300 s | greatest bias us | \
         in 95 % interval | steps us rms\n",
    );
    for (name, row) in rows {
        let [a, b, c, d, e] = row.rms_us;
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{name:<42} {a:>7.1} {b:>6.1} {c:>6.1} {d:>6.1} {e:>6.1} | {:>16.1} | {:>14.1} % | {:>12.2}",
            row.bias_us, row.covered, row.step_rms_us
        );
    }
    text
}
