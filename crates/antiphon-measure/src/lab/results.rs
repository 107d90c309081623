//! Numbers for people and programs from what was heard.

use super::analyse::{Heard, db, mean_drift, name, silent};
use super::analysis::{Analysis, ChannelFacts, Occurrence, Options, PairFacts};
use super::arrival::Arrival;
use super::comb;
use super::excitation::Excitation;
use super::impulse::Deconvolver;
use super::measurement::{ChannelResult, Class, Estimate, Grade, Impulse, Measurement, PairResult};
use super::measurement::{Polarity, RecorderResult, TrackPoint};
use super::place::Place;
use super::response;
use super::search::Found;
use super::surface;

const PERIOD: usize = Excitation::PERIOD;
const FRAME_US: f64 = 1e6 / Excitation::RATE_HZ;
/// What the impulse for the report shows before and after the arrival, in frames: 5 and 100 ms.
const SHOWN: (usize, usize) = (240, 4_800);
/// Likeness is judged over this long before and after the first arrival: 1 and 20 ms.
const ALIKE: (usize, usize) = (48, 960);

/// Everything in its final form.
pub(crate) fn analysis(
    heard: &Heard<'_>,
    deconvolver: &Deconvolver,
    excitation: &Excitation,
    options: &Options,
    found: &Found,
) -> Analysis {
    let numbers = Numbers { heard, deconvolver, excitation, found };
    let count = excitation.channels();
    let channels: Vec<ChannelResult> = (0..count).map(|c| numbers.channel(c, name(options, c))).collect();
    let pairs = numbers.pairs(&channels);
    let facts = pairs.iter().map(|p| PairFacts { likeness: numbers.likeness(p.a, p.b) }).collect();
    let occurrences = numbers.occurrences();
    let measured = numbers.measured(&occurrences);
    Analysis {
        measurement: Measurement {
            recorder: numbers.recorder(),
            channels,
            pairs,
            findings: Vec::new(),
            grade: Grade::Good,
        },
        occurrences,
        measured,
        speed: Some(heard.speed),
        channels: (0..count).map(|c| numbers.facts(c)).collect(),
        pairs: facts,
    }
}

struct Numbers<'a> {
    heard: &'a Heard<'a>,
    deconvolver: &'a Deconvolver,
    excitation: &'a Excitation,
    found: &'a Found,
}

impl Numbers<'_> {
    fn arrival(&self, c: usize) -> Option<(Arrival, Place)> {
        self.heard.arrivals[c].zip(self.heard.places[c])
    }

    /// Frame on the signal's clock, after the first one kept, at which the channel's frame 0 arrives.
    fn arrival_frame(&self, arrival: &Arrival, place: &Place) -> f64 {
        let delay = self.heard.begin as f64 + arrival.delay.value;
        let whole = ((place.full as f64 - delay) / PERIOD as f64).round() * PERIOD as f64;
        delay + whole - self.excitation.full().start as f64
    }

    fn channel(&self, c: usize, name: String) -> ChannelResult {
        let Some((arrival, place)) = self.arrival(c) else { return silent(name) };
        let heard = self.heard;
        let spectrum = &heard.responses.spectra[c];
        let power = response::power(self.deconvolver, c, spectrum);
        let begin = self.found.recorded.begin_s * 1e6 / heard.speed;
        let impulse = &heard.responses.impulse[c];
        let noise: Vec<f64> = heard.mean.noise.clone().unwrap_or_default();
        let common = mean_drift(&heard.drifts, &heard.arrivals).map_or(0.0, |d| d.value);
        ChannelResult {
            name,
            heard: true,
            arrival_us: Estimate {
                value: begin + self.arrival_frame(&arrival, &place) * FRAME_US,
                sd: arrival.delay.sd.hypot(surface::DOUBT * arrival.doubt) * FRAME_US,
            },
            level_db: 10.0 * power.max(1e-20).log10(),
            polarity: arrival.polarity,
            snr_db: 10.0 * (power.max(1e-20) / self.noise_power()).log10(),
            // A player that runs fast is late less and less.
            drift_ppm: Estimate {
                value: (common - heard.drifts[c].value) * 1e6,
                sd: heard.drifts[c].sd * 1e6,
            },
            direct_to_reverb_db: response::direct_to_reverb_db(impulse, arrival.first, heard.noise),
            response: response::magnitude(self.deconvolver, c, spectrum, &noise),
            echoes: response::echoes(impulse, arrival.first, heard.noise),
            impulse: shown(impulse, &arrival),
            track: self.track(c, power),
        }
    }

    /// Power of what the signal does not explain, within its band, in a single period.
    fn noise_power(&self) -> f64 {
        let mean = &self.heard.mean;
        let single = mean.noise.as_ref().map(|n| response::noise_power(n) * mean.averages);
        let left = || {
            let bins: Vec<f64> = self.heard.responses.residual.iter().map(|x| x.norm_sqr()).collect();
            response::noise_power(&bins)
        };
        single.unwrap_or_else(left).max(1e-20)
    }

    fn track(&self, c: usize, power: f64) -> Vec<TrackPoint> {
        let full = self.heard.places[c].map_or(0, |p| p.full);
        let before = (self.excitation.full().start as isize + self.heard.begin - full) as f64;
        let point = |(k, points): (usize, &Vec<super::track::Point>)| TrackPoint {
            at_s: (before + (k as f64 + 0.5) * PERIOD as f64) / Excitation::RATE_HZ,
            shift_us: points[c].shift * FRAME_US,
            level_db: 10.0 * power.max(1e-20).log10() + db(points[c].gain),
            coherence: points[c].coherence,
        };
        self.heard.points.iter().enumerate().map(point).collect()
    }

    fn pairs(&self, channels: &[ChannelResult]) -> Vec<PairResult> {
        let heard = |&(a, b): &(usize, usize)| channels[a].heard && channels[b].heard;
        let all = (0..channels.len()).flat_map(|a| (a + 1..channels.len()).map(move |b| (a, b)));
        all.filter(heard).map(|(a, b)| pair(channels, a, b, self.pair_sd(a, b))).collect()
    }

    /// Standard deviation of the delay between two channels, in microseconds. The same surface, or the
    /// same model of speaker, moves both alike.
    fn pair_sd(&self, a: usize, b: usize) -> f64 {
        let of = |c: usize| self.heard.arrivals[c].map_or((0.0, 0.0), |a| (a.delay.sd, a.doubt));
        let ((sd_a, doubt_a), (sd_b, doubt_b)) = (of(a), of(b));
        sd_a.hypot(sd_b).hypot(surface::DOUBT * (doubt_b - doubt_a)) * FRAME_US
    }

    fn recorder(&self) -> RecorderResult {
        let heard = self.heard;
        let peak = heard.samples.iter().fold(0.0f32, |peak, x| peak.max(x.abs()));
        let drift = mean_drift(&heard.drifts, &heard.arrivals).unwrap_or_default();
        RecorderResult {
            length_s: self.found.length_s,
            begin_s: self.begin_s(),
            ppm: Some(Estimate {
                value: (heard.speed * (1.0 + drift.value) - 1.0) * 1e6,
                sd: drift.sd * 1e6,
            }),
            periods: heard.used.iter().filter(|u| **u).count(),
            peak_dbfs: db(f64::from(peak)),
            noise_dbfs: 10.0 * self.noise_power().log10(),
        }
    }

    /// Where the earliest channel's frame 0 was heard, on the recorder's clock.
    fn begin_s(&self) -> Option<f64> {
        let arrivals = (0..self.excitation.channels()).filter_map(|c| self.arrival(c));
        let first = arrivals.map(|(a, p)| self.arrival_frame(&a, &p)).reduce(f64::min)?;
        Some(self.found.recorded.begin_s + first * self.heard.speed / Excitation::RATE_HZ)
    }

    /// The one that was measured, exactly; the others as the search saw them.
    fn occurrences(&self) -> Vec<Occurrence> {
        let Some(begin_s) = self.begin_s() else { return Vec::new() };
        let best = self.found.best();
        let lead = self.excitation.sounding().start as f64 / Excitation::RATE_HZ;
        let rough =
            |begin: f64| Occurrence { begin_s: begin - lead, missing_begin_s: 0.0, missing_end_s: 0.0 };
        let (missing_begin_s, missing_end_s) = self.missing_s();
        let exact = Occurrence { begin_s, missing_begin_s, missing_end_s };
        let one = |s: &super::search::Stretch| if Some(*s) == best { exact } else { rough(s.begin_s) };
        self.found.stretches.iter().map(one).collect()
    }

    fn measured(&self, occurrences: &[Occurrence]) -> Option<usize> {
        let begin_s = self.begin_s()?;
        occurrences.iter().position(|o| o.begin_s == begin_s)
    }

    /// Seconds of the sounding signal that the recording lacks at its begin and at its end.
    fn missing_s(&self) -> (f64, f64) {
        let frames = self.heard.samples.len() as f64 / self.heard.speed;
        let sounding = self.excitation.sounding();
        let each = (0..self.excitation.channels()).filter_map(|c| self.arrival(c)).map(|(a, p)| {
            let zero = self.arrival_frame(&a, &p);
            let begin = (-(zero + sounding.start as f64)).max(p.missing.0 as f64);
            let end = (zero + sounding.end as f64 - frames).max(p.missing.1 as f64);
            (begin.max(0.0) / Excitation::RATE_HZ, end.max(0.0) / Excitation::RATE_HZ)
        });
        each.fold((0.0, 0.0), |sum: (f64, f64), one| (sum.0.max(one.0), sum.1.max(one.1)))
    }

    fn facts(&self, c: usize) -> ChannelFacts {
        let Some((arrival, place)) = self.arrival(c) else { return ChannelFacts::default() };
        ChannelFacts {
            jump: place.jump.map(|jump| (jump.later * FRAME_US, jump.frame as f64 / Excitation::RATE_HZ)),
            peak_to_noise_db: db(arrival.peak_to_noise),
            first_to_peak_db: db(arrival.first_to_peak),
            before_first_db: db(arrival.before_first),
        }
    }

    /// Correlation of both responses at the same times, around the earlier first arrival.
    fn likeness(&self, a: usize, b: usize) -> f64 {
        let Some(((first_a, _), (first_b, _))) = self.arrival(a).zip(self.arrival(b)) else { return 0.0 };
        let (x, y) = (&self.heard.responses.impulse[a], &self.heard.responses.impulse[b]);
        let n = x.len();
        let later = (first_b.first + n - first_a.first) % n;
        let first = if later < n / 2 { first_a.first } else { first_b.first };
        let (mut cross, mut own, mut other) = (0.0, 1e-30, 1e-30);
        for i in (0..ALIKE.0 + ALIKE.1).map(|i| (first + n + i - ALIKE.0) % n) {
            cross += x[i] * y[i];
            own += x[i] * x[i];
            other += y[i] * y[i];
        }
        cross / f64::sqrt(own * other)
    }
}

fn pair(channels: &[ChannelResult], a: usize, b: usize, sd: f64) -> PairResult {
    let (one, other) = (&channels[a], &channels[b]);
    let delay_us = Estimate { value: other.arrival_us.value - one.arrival_us.value, sd };
    let level_diff_db = other.level_db - one.level_db;
    let opposed = matches!(
        (one.polarity, other.polarity),
        (Polarity::Normal, Polarity::Inverted) | (Polarity::Inverted, Polarity::Normal)
    );
    let sum = comb::Sum { delay_us: delay_us.value, level_diff_db, opposed };
    PairResult {
        a,
        b,
        delay_us,
        level_diff_db,
        class: Class::of(delay_us.value),
        comb: comb::analyse(sum, &one.impulse, &other.impulse),
    }
}

fn shown(impulse: &[f64], arrival: &Arrival) -> Impulse {
    let n = impulse.len();
    let sample = |i: usize| impulse[(arrival.first + n + i - SHOWN.0) % n] as f32;
    Impulse {
        begin_us: (arrival.first as f64 - SHOWN.0 as f64 - arrival.delay.value) * FRAME_US,
        samples: (0..SHOWN.0 + SHOWN.1).map(sample).collect(),
    }
}
