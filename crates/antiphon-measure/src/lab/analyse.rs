//! One recording, from samples to numbers: the steps in their order.

use super::analysis::{Analysis, ChannelFacts, Options, Recorded};
use super::arrival::Arrival;
use super::clock::Reader;
use super::excitation::Excitation;
use super::impulse::{Deconvolver, Responses};
use super::measurement::{ChannelResult, Estimate, Grade, Impulse, Measurement, Polarity, RecorderResult};
use super::periods::{self, Mean, Spectrum, median};
use super::place::{self, Place};
use super::results;
use super::search::{Found, Search, Stretch};
use super::separate::{self, Common};
use super::track::{self, Follower, Point};

const PERIOD: usize = Excitation::PERIOD;
/// A period whose gain is below this part of the usual one has a hole.
const HOLE: f64 = 0.7;
/// A period that is this many frames off the others' line jumped: 20 us.
const JUMP: f64 = 1.0;
/// Clocks that differ by less do not smear: 0.5 ppm are 5 us in ten seconds.
const APART: f64 = 5e-7;
/// The speed is refined until it changes by less than this.
const SETTLED: f64 = 1e-8;
const PASSES: usize = 2;

/// Searches a recording for the signal and works out every number.
pub fn analyse(recorded: &Recorded, excitation: &Excitation, options: &Options) -> Analysis {
    analyse_found(&Search::over(recorded, excitation), excitation, options)
}

/// Works out every number of what a [`Search`] found.
pub fn analyse_found(found: &Found, excitation: &Excitation, options: &Options) -> Analysis {
    let deconvolver = Deconvolver::new(excitation);
    let heard = found.best().and_then(|stretch| {
        let channels = found.recorded.channels.iter();
        let each =
            channels.filter_map(|samples| Heard::new(&deconvolver, excitation, found, stretch, samples));
        each.reduce(|a, b| if b.surety() > a.surety() { b } else { a })
    });
    match heard {
        Some(heard) => results::analysis(&heard, &deconvolver, excitation, options, found),
        None => nothing(excitation, options, found),
    }
}

/// The result when the signal was not heard.
fn nothing(excitation: &Excitation, options: &Options, found: &Found) -> Analysis {
    let peak = found.recorded.channels.iter().flatten().fold(0.0f32, |peak, x| peak.max(x.abs()));
    let count = found.recorded.channels.iter().map(Vec::len).sum::<usize>().max(1);
    let power = found.recorded.channels.iter().flatten().map(|&x| f64::from(x).powi(2)).sum::<f64>();
    let recorder = RecorderResult {
        length_s: found.length_s,
        peak_dbfs: db(f64::from(peak)),
        noise_dbfs: db((power / count as f64).sqrt()),
        ..RecorderResult::default()
    };
    let channels: Vec<ChannelResult> = (0..excitation.channels()).map(|c| silent(name(options, c))).collect();
    let facts = vec![ChannelFacts::default(); channels.len()];
    let measurement =
        Measurement { recorder, channels, pairs: Vec::new(), findings: Vec::new(), grade: Grade::Good };
    Analysis {
        measurement,
        occurrences: Vec::new(),
        measured: None,
        speed: None,
        channels: facts,
        pairs: Vec::new(),
    }
}

pub(crate) fn name(options: &Options, channel: usize) -> String {
    options.names.get(channel).cloned().unwrap_or_else(|| format!("channel {}", channel + 1))
}

pub(crate) fn silent(name: String) -> ChannelResult {
    ChannelResult {
        name,
        heard: false,
        arrival_us: Estimate::default(),
        level_db: SILENCE_DB,
        polarity: Polarity::Unclear,
        snr_db: SILENCE_DB,
        drift_ppm: Estimate::default(),
        direct_to_reverb_db: SILENCE_DB,
        response: Vec::new(),
        echoes: Vec::new(),
        impulse: Impulse::default(),
        track: Vec::new(),
    }
}

/// What stands for no sound at all.
const SILENCE_DB: f64 = -200.0;

/// Decibels of an amplitude; silence is -200.
pub(crate) fn db(amplitude: f64) -> f64 {
    20.0 * amplitude.max(1e-10).log10()
}

/// The signal in one microphone channel.
pub(crate) struct Heard<'a> {
    pub(crate) samples: &'a [f32],
    /// The recorder's frames for one of the signal's.
    pub(crate) speed: f64,
    pub(crate) places: Vec<Option<Place>>,
    /// The first period that is used: frame on the signal's clock.
    pub(crate) begin: isize,
    /// Periods as cut, all that are used and those with holes.
    pub(crate) points: Vec<Vec<Point>>,
    pub(crate) used: Vec<bool>,
    pub(crate) mean: Mean,
    pub(crate) responses: Responses,
    pub(crate) arrivals: Vec<Option<Arrival>>,
    pub(crate) drifts: Vec<Estimate>,
    pub(crate) noise: f64,
}

impl<'a> Heard<'a> {
    /// `None` if no channel stands out of the noise.
    fn new(
        deconvolver: &Deconvolver,
        excitation: &Excitation,
        found: &Found,
        stretch: Stretch,
        samples: &'a [f32],
    ) -> Option<Self> {
        let reader = Reader::new();
        let mut speed = stretch.period / PERIOD as f64;
        let within = |s: f64, speed: f64| (s - found.recorded.begin_s) * Excitation::RATE_HZ / speed;
        let mut timeline = on_signal_clock(&reader, samples, speed);
        let range = (within(stretch.begin_s, speed), within(stretch.end_s, speed));
        let mut places = place::locate(deconvolver, excitation, &timeline, range)?;
        let (mut begin, count) = place::common(excitation, &places, timeline.len())?;
        let mut round = Round::teach(deconvolver, &timeline, begin, count)?;
        for pass in 0..PASSES {
            let by = round.common_drift();
            // The first round knows one period only.
            if pass > 0 && by.abs() < SETTLED {
                break;
            }
            speed *= 1.0 + by;
            timeline = on_signal_clock(&reader, samples, speed);
            begin = (begin as f64 / (1.0 + by)).round() as isize;
            places.iter_mut().flatten().for_each(|p| p.full = (p.full as f64 / (1.0 + by)).round() as isize);
            round = if round.apart() {
                Round::teach(deconvolver, &timeline, begin, count)?
            } else {
                Round::again(deconvolver, &timeline, begin, count, &round)?
            };
        }
        if round.apart() {
            let gains = round.gains();
            let gains = &gains;
            let places = &places;
            let common =
                Common { deconvolver, excitation, reader: &reader, samples, speed, begin, gains, places };
            round.separate(&common);
        }
        Some(round.heard(deconvolver, samples, speed, places, begin))
    }

    /// How far the clearest channel stands out.
    fn surety(&self) -> f64 {
        self.arrivals.iter().flatten().map(|a| a.peak_to_noise).fold(0.0, f64::max)
    }
}

fn on_signal_clock(reader: &Reader, samples: &[f32], speed: f64) -> Vec<f32> {
    reader.read(samples, 0.0, speed, (samples.len() as f64 / speed) as usize)
}

/// Periods compared with what one of them, or their mean, lets expect.
struct Round {
    points: Vec<Vec<Point>>,
    used: Vec<bool>,
    drifts: Vec<Estimate>,
    responses: Responses,
    arrivals: Vec<Option<Arrival>>,
    mean: Mean,
    noise: f64,
}

impl Round {
    /// The first round learns from the one period that most others agree with.
    fn teach(deconvolver: &Deconvolver, timeline: &[f32], begin: isize, count: usize) -> Option<Self> {
        let periods = periods::cut(deconvolver, timeline, begin, count);
        let order = (0..count).map(|i| (count / 2 + i) % count);
        let mut best: Option<Self> = None;
        for teacher in order {
            let only: Vec<f64> = (0..count).map(|k| f64::from(u8::from(k == teacher))).collect();
            let mean = periods::mean(&periods, &only);
            let responses = deconvolver.solve_roughly(&mean.spectrum);
            let Some(round) = Self::compare(deconvolver, &periods, mean, responses) else { continue };
            if 3 * round.agreeing() >= 2 * count {
                return Some(round);
            }
            if best.as_ref().is_none_or(|b| round.agreeing() > b.agreeing()) {
                best = Some(round);
            }
        }
        best
    }

    /// Later rounds learn from the mean of the periods that agreed.
    fn again(
        deconvolver: &Deconvolver,
        timeline: &[f32],
        begin: isize,
        count: usize,
        last: &Self,
    ) -> Option<Self> {
        let periods = periods::cut(deconvolver, timeline, begin, count);
        let mean = periods::mean(&periods, &last.gains());
        let responses = deconvolver.solve(&mean.spectrum);
        Self::compare(deconvolver, &periods, mean, responses)
    }

    /// Gain of every period against the usual one; 0 for those that are not used.
    fn gains(&self) -> Vec<f64> {
        let gain = |(used, points): (&bool, &Vec<Point>)| if *used { loudest(points) } else { 0.0 };
        let gains: Vec<f64> = self.used.iter().zip(&self.points).map(gain).collect();
        let usual = median(&mut gains.iter().copied().filter(|g| *g > 0.0).collect::<Vec<_>>()).max(1e-9);
        gains.iter().map(|g| g / usual).collect()
    }

    /// The channels' players run on clocks of their own.
    fn apart(&self) -> bool {
        let heard = || self.drifts.iter().zip(&self.arrivals).filter(|(_, a)| a.is_some()).map(|(d, _)| d);
        let (low, high) = heard()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), d| (low.min(d.value), high.max(d.value)));
        let sure = heard().map(|d| d.sd).fold(0.0, f64::max);
        high - low > APART.max(6.0 * sure)
    }

    /// Replaces what smeared on the common clock by what each channel is on its own.
    fn separate(&mut self, common: &Common<'_>) {
        let drifts: Vec<f64> = self.drifts.iter().map(|d| d.value).collect();
        for (c, own) in separate::own_clocks(common, &drifts).into_iter().enumerate() {
            let Some(own) = own else { continue };
            self.responses.impulse[c] = own.impulse;
            self.responses.envelope[c] = own.envelope;
            self.responses.spectra[c] = own.spectrum;
            self.arrivals[c] = own.arrival;
            self.drifts[c].value = own.speed / common.speed - 1.0;
        }
    }

    fn compare(
        deconvolver: &Deconvolver,
        periods: &[Spectrum],
        mean: Mean,
        responses: Responses,
    ) -> Option<Self> {
        let noise = responses.noise();
        let arrivals = responses.arrivals();
        arrivals.iter().flatten().next()?;
        let first: Vec<Option<usize>> = arrivals.iter().map(|a| a.map(|a| a.first)).collect();
        let follower = Follower::new(deconvolver, &responses.spectra, &first);
        let points: Vec<Vec<Point>> = periods.iter().map(|p| follower.follow(deconvolver, p)).collect();
        let mut gains: Vec<f64> = points.iter().map(|p| loudest(p)).collect();
        let usual = median(&mut gains);
        let sounding: Vec<bool> = points.iter().map(|p| loudest(p) > HOLE * usual).collect();
        let drifts: Vec<Estimate> = (0..first.len()).map(|c| drift_of(&points, &sounding, c)).collect();
        let used = (0..points.len()).map(|k| sounding[k] && steady(&points, &sounding, &drifts, k)).collect();
        Some(Self { points, used, drifts, responses, arrivals, mean, noise })
    }

    fn agreeing(&self) -> usize {
        self.used.iter().filter(|u| **u).count()
    }

    /// The drift of all channels heard, each counting as much as it is known.
    fn common_drift(&self) -> f64 {
        mean_drift(&self.drifts, &self.arrivals).map_or(0.0, |d| d.value)
    }

    fn heard<'a>(
        self,
        deconvolver: &Deconvolver,
        samples: &'a [f32],
        speed: f64,
        places: Vec<Option<Place>>,
        begin: isize,
    ) -> Heard<'a> {
        let noise =
            self.mean.noise.as_ref().map_or(self.noise, |power| deconvolver.noise(power).max(self.noise));
        Heard {
            samples,
            speed,
            places,
            begin,
            points: self.points,
            used: self.used,
            mean: self.mean,
            responses: self.responses,
            arrivals: self.arrivals,
            drifts: self.drifts,
            noise,
        }
    }
}

/// Gain of the channel that most is known of.
fn loudest(points: &[Point]) -> f64 {
    let heard: Vec<f64> = points.iter().map(|p| p.gain).filter(|g| *g != 0.0).collect();
    median(&mut heard.clone()).max(0.0)
}

fn drift_of(points: &[Vec<Point>], sounding: &[bool], c: usize) -> Estimate {
    let shifts: Vec<(f64, f64)> = points
        .iter()
        .enumerate()
        .filter(|(k, p)| sounding[*k] && p[c].shift.abs() <= track::REACH as f64)
        .map(|(k, p)| (k as f64, p[c].shift))
        .collect();
    track::drift(&shifts)
}

/// No channel jumped in period `k`.
fn steady(points: &[Vec<Point>], sounding: &[bool], drifts: &[Estimate], k: usize) -> bool {
    (0..drifts.len()).all(|c| {
        let off = |k: usize| points[k][c].shift - drifts[c].value * (k * PERIOD) as f64;
        let mut all: Vec<f64> = (0..points.len()).filter(|k| sounding[*k]).map(off).collect();
        let usual = median(&mut all);
        let scatter = median(&mut all.iter().map(|x| (x - usual).abs()).collect::<Vec<_>>());
        (off(k) - usual).abs() <= JUMP + 8.0 * scatter
    })
}

pub(crate) fn mean_drift(drifts: &[Estimate], arrivals: &[Option<Arrival>]) -> Option<Estimate> {
    let heard = || drifts.iter().zip(arrivals).filter(|(_, a)| a.is_some()).map(|(d, _)| d);
    let n = heard().count() as f64;
    (n > 0.0).then(|| {
        let value = heard().map(|d| d.value).sum::<f64>() / n;
        let sd = heard().map(|d| d.sd * d.sd).sum::<f64>().sqrt() / n;
        Estimate { value, sd }
    })
}
