//! Channels whose players run on clocks of their own: each is read on its own clock.
//!
//! On another player's clock a channel smears: 20 ppm move it by a frame from one period to the next.
//! So the recording is read once for each channel, as fast as that channel was played; what the others
//! are known to have sounded is taken out before, on their clocks.

use super::arrival::Arrival;
use super::clock::Reader;
use super::excitation::Excitation;
use super::impulse::Deconvolver;
use super::periods::{self, Spectrum};
use super::place::Place;
use super::track::{self, Follower};

const PERIOD: usize = Excitation::PERIOD;
/// With more channels only the averaging keeps them apart: taking out takes time for every pair.
const MAX_TAKEN_OUT: usize = 4;
/// The second pass sees each channel without the others, the third with its clock known better.
const PASSES: usize = 3;

/// One channel as read on its own clock.
pub(crate) struct Own {
    /// The recorder's frames for one of this channel's player.
    pub(crate) speed: f64,
    pub(crate) impulse: Vec<f64>,
    pub(crate) envelope: Vec<f64>,
    pub(crate) spectrum: Spectrum,
    /// With its delay on the common clock, at the middle of the periods used.
    pub(crate) arrival: Option<Arrival>,
}

/// What is common to all channels.
pub(crate) struct Common<'a> {
    pub(crate) deconvolver: &'a Deconvolver,
    pub(crate) excitation: &'a Excitation,
    pub(crate) reader: &'a Reader,
    pub(crate) samples: &'a [f32],
    /// The recorder's frames for one of the common clock.
    pub(crate) speed: f64,
    /// First frame of the periods on the common clock, and their gains (0: not used).
    pub(crate) begin: isize,
    pub(crate) gains: &'a [f64],
    pub(crate) places: &'a [Option<Place>],
}

/// Every channel that was heard, beginning with what is known of its drift against the common clock.
pub(crate) fn own_clocks(common: &Common<'_>, drifts: &[f64]) -> Vec<Option<Own>> {
    let mut own: Vec<Option<Own>> = common.places.iter().map(|_| None).collect();
    let mut speeds: Vec<f64> = drifts.iter().map(|d| common.speed * (1.0 + d)).collect();
    let heard: Vec<usize> = (0..own.len()).filter(|&c| common.places[c].is_some()).collect();
    for _ in 0..PASSES {
        for &c in &heard {
            let mut samples = common.samples.to_vec();
            if heard.len() <= MAX_TAKEN_OUT {
                let others = heard.iter().filter(|&&b| b != c);
                others.for_each(|&b| common.take_out(b, own[b].as_ref(), &mut samples));
            }
            let (one, speed) = common.read(c, speeds[c], &samples);
            speeds[c] = speed;
            own[c] = one;
        }
    }
    own
}

impl Common<'_> {
    /// One channel on its clock, and a better estimate of that clock.
    fn read(&self, c: usize, speed: f64, samples: &[f32]) -> (Option<Own>, f64) {
        let timeline = self.reader.read(samples, 0.0, speed, (samples.len() as f64 / speed) as usize);
        let begin = self.begin_on(speed);
        let periods = periods::cut(self.deconvolver, &timeline, begin, self.gains.len());
        let mean = periods::mean(&periods, self.gains);
        let responses = self.deconvolver.solve_one(c, &mean.spectrum);
        let Some(mut arrival) = responses.arrivals().pop().flatten() else { return (None, speed) };
        let mut first = vec![None; self.places.len()];
        first[c] = Some(arrival.first);
        let mut known = vec![Spectrum::new(); self.places.len()];
        known[c] = responses.spectra.into_iter().next().unwrap_or_default();
        let follower = Follower::new(self.deconvolver, &known, &first);
        let shifts: Vec<(f64, f64)> = (0..periods.len())
            .filter(|&k| self.gains[k] > 0.0)
            .map(|k| (k as f64, follower.one(self.deconvolver, c, &periods[k], 0, track::REACH).shift))
            .collect();
        arrival.delay.value = self.on_common_clock(begin as f64 + arrival.delay.value, speed);
        let own = Own {
            speed,
            impulse: responses.impulse.into_iter().next().unwrap_or_default(),
            envelope: responses.envelope.into_iter().next().unwrap_or_default(),
            spectrum: std::mem::take(&mut known[c]),
            arrival: Some(arrival),
        };
        (Some(own), speed * (1.0 + track::drift(&shifts).value))
    }

    fn begin_on(&self, speed: f64) -> isize {
        (self.begin as f64 * self.speed / speed).round() as isize
    }

    /// Delay against the first period's begin on the common clock of what arrives with frame `at` of a
    /// channel's own, as it is in the middle of the periods.
    fn on_common_clock(&self, at: f64, speed: f64) -> f64 {
        let middle = (self.gains.len() * PERIOD) as f64 / 2.0;
        (at + middle) * speed / self.speed - middle - self.begin as f64
    }

    /// Takes out of a recording what channel `b` is known to have sounded.
    fn take_out(&self, b: usize, own: Option<&Own>, samples: &mut [f32]) {
        let (Some(own), Some(place)) = (own, self.places[b]) else { return };
        let sound = self.deconvolver.sound(b, &own.spectrum);
        let period: Vec<f32> =
            self.deconvolver.transform().inverse(sound).iter().map(|&x| x as f32).collect();
        // A frame more than a period on each side, so that every place can be read.
        let around: Vec<f32> = (0..3 * PERIOD).map(|n| period[n % PERIOD]).collect();
        let begin = self.begin_on(own.speed) as f64;
        let zero = place.full as f64 * self.speed / own.speed - self.excitation.full().start as f64;
        for (m, sample) in samples.iter_mut().enumerate() {
            let at = m as f64 / own.speed;
            let frame = at - zero;
            let gain = if frame < 0.0 { 0.0 } else { self.excitation.gain(frame as usize) };
            if gain > 0.0 {
                let place = (at - begin).rem_euclid(PERIOD as f64) + PERIOD as f64;
                *sample -= gain as f32 * self.reader.at(&around, place);
            }
        }
    }
}
