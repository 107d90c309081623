//! What the samples alone say, before anything is estimated from them: levels, flat tops, the band,
//! and what changes from one period of the signal to the next although the signal does not.
//!
//! Every period is the same sound, so a cell of time and frequency that differs between periods was
//! changed by noise, a codec, a gain control or a processor for speech; each leaves marks of its own
//! (see [`Steadiness`]).

use super::analysis::{Recorded, Splice};
use super::excitation::{BAND_HZ, Excitation};
use crate::transform::Transform;

/// Frames of one spectrum, 21 ms: the length of an encoder's long block.
const CELL: usize = 1_024;
/// Frames between two spectra; periods are whole multiples.
const HOP: usize = CELL / 2;
/// Bins of one cell, 375 Hz: several random phases, so that an honest cell is never nearly empty.
const BINS: usize = 8;
/// Spectra over which a gain is averaged: 171 ms, what a gain control takes at its fastest.
const SLOW: usize = 16;
/// Periods that are looked at; more tell nothing new.
const MAX_PERIODS: usize = 16;
/// With fewer, what is usual cannot be told from what is not.
const MIN_PERIODS: usize = 3;
/// With at least so many the first is left out: a gain control is still busy with the fade-in, and what
/// it made of that may have been taken for a period.
const ENOUGH_PERIODS: usize = 4;
/// A cell this far below what it usually is, in dB, is a hole.
const HOLE_DB: f64 = -6.0;
/// All cells so far below what they usually are, in dB: the sound was gone.
const GAP_DB: f64 = -12.0;
/// Speech, and the band that every codec keeps longest, ends here.
const LOW_HZ: f64 = 3_400.0;
/// A band is there if it stands this far, in dB, below the strongest one.
const BAND_FLOOR_DB: f64 = -60.0;
/// Of a recording of something else, whatever it was: music has most of its power in its bass, and 16 bits reach further
/// down than this.
const FOREIGN_FLOOR_DB: f64 = -80.0;
/// Noise in one cell against the strongest cell, in dB, from which on it may cover a weak one.
const COVERED_DB: f64 = -40.0;
/// Flat tops: so near to the highest magnitude, and so equal, in parts of it.
const TOP: f32 = 0.97;
const TOP_STEP: f32 = 0.003;
/// Samples in a row that make a top flat: no sound below 16 kHz stands still for so long up there.
const TOP_RUN: usize = 3;

/// Where the signal lies in the samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Frame 0 of the signal, in seconds of the recorder's clock after the recording's first frame;
    /// negative when it lies before it.
    pub begin_s: f64,
    /// Seconds of the recorder's clock for one second of the signal.
    pub speed: f64,
}

/// What the samples say. Levels in dB against full scale, -200 for silence.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    /// Highest magnitude of any microphone channel.
    pub peak_dbfs: f64,
    /// Power of the loudest microphone channel, all of it.
    pub rms_dbfs: f64,
    /// Part of the samples, 0 to 1, that stand on flat tops at the highest magnitude.
    pub flat_tops: f64,
    /// Fourth moment by the square of the second while the signal is at its full level: 3 for the
    /// sound of a room, 1.9 for one channel of the signal on a wire, below 1.7 only after clipping.
    pub kurtosis: Option<f64>,
    /// Power in the silence around the signal, in the band of the signal.
    pub quiet_dbfs: Option<f64>,
    /// Power at the full level, in the band of the signal.
    pub sounding_dbfs: Option<f64>,
    /// Where the sound ends, in Hz: the highest band within 60 dB of the strongest that stands out
    /// of the silence around the signal; within 80 dB, of the whole recording, if the signal was not found.
    pub bandwidth_hz: Option<f64>,
    /// What changed between periods.
    pub steadiness: Option<Steadiness>,
    /// Each channel of the recording is one side of the signal and nothing of the other, as in the file that is played.
    pub sides_alone: bool,
    /// What was put right before anything was looked at.
    pub splices: Vec<Splice>,
}

/// What changed from period to period, of a signal that does not change.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Steadiness {
    /// Part of the cells, 0 to 1, at least 6 dB emptier than the same cell usually is. Noise makes
    /// none while it is 10 dB below the signal; encoders at low rates make many.
    pub holes: f64,
    /// How far the gain below 3.4 kHz wandered, in dB (97 of 100 less 3 of 100 places).
    pub wander_db: f64,
    /// How far cells that are usually weak went up and down against cells that are usually strong, in
    /// dB (97 of 100 less 3 of 100 places): what suppressors of steady sound do, and nothing else.
    pub expanded_db: f64,
    /// Where the sound was gone: seconds after the signal's frame 0, and for how long.
    pub gaps: Vec<(f64, f64)>,
}

impl Facts {
    /// Of a recording in which the signal lies at `place`, or in which it was not found.
    pub fn of(recorded: &Recorded, signal: &Excitation, place: Option<Place>) -> Self {
        let loudest = recorded.channels.iter().max_by(|a, b| power(a).total_cmp(&power(b)));
        let Some(samples) = loudest.filter(|samples| !samples.is_empty()) else {
            return Self { peak_dbfs: db(0.0), rms_dbfs: db(0.0), ..Self::default() };
        };
        let peak = recorded.channels.iter().map(|c| f64::from(peak(c))).fold(0.0, f64::max);
        let facts = Self {
            peak_dbfs: db(peak * peak),
            rms_dbfs: db(power(samples)),
            flat_tops: recorded.channels.iter().map(|c| flat_tops(c)).fold(0.0, f64::max),
            ..Self::default()
        };
        match place {
            Some(place) => facts.with_signal(&Grid { samples, signal, place, first_s: recorded.begin_s }),
            None => {
                let mean = mean_spectrum(&cells_along(samples));
                Self { bandwidth_hz: bandwidth(&mean, None, FOREIGN_FLOOR_DB), ..facts }
            }
        }
    }

    fn with_signal(self, grid: &Grid) -> Self {
        let full = grid.cells_of(grid.signal.full());
        let quiet = grid.quiet();
        let mean = mean_spectrum(&full);
        let silence = quiet.as_ref().map(|cells| mean_spectrum(cells));
        Self {
            kurtosis: kurtosis(grid.piece(grid.signal.full())),
            quiet_dbfs: silence.as_ref().map(|s| db(s.iter().sum())),
            sounding_dbfs: (!full.is_empty()).then(|| db(mean.iter().sum())),
            bandwidth_hz: bandwidth(&mean, silence.as_deref(), BAND_FLOOR_DB),
            steadiness: grid.steadiness(),
            ..self
        }
    }
}

fn power(samples: &[f32]) -> f64 {
    samples.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>() / samples.len().max(1) as f64
}

fn peak(samples: &[f32]) -> f32 {
    samples.iter().fold(0.0, |peak, x| peak.max(x.abs()))
}

/// Of a power; -200 dB for none.
fn db(power: f64) -> f64 {
    10.0 * power.max(1e-20).log10()
}

/// Part of the samples that stand still at the highest magnitude, in runs.
fn flat_tops(samples: &[f32]) -> f64 {
    let peak = peak(samples);
    let (mut run, mut flat) = (1, 0);
    for pair in samples.windows(2) {
        let still = pair[1].abs() >= TOP * peak && (pair[1] - pair[0]).abs() <= TOP_STEP * peak;
        run = if still && peak > 0.0 { run + 1 } else { 1 };
        flat += match run {
            TOP_RUN => TOP_RUN,
            longer if longer > TOP_RUN => 1,
            _ => 0,
        };
    }
    flat as f64 / samples.len().max(1) as f64
}

fn kurtosis(samples: &[f32]) -> Option<f64> {
    let square = power(samples);
    let fourth = samples.iter().map(|&x| f64::from(x).powi(4)).sum::<f64>() / samples.len().max(1) as f64;
    (square > 0.0).then(|| fourth / (square * square))
}

/// Power of every cell of the signal's band, band by band.
type Cells = Vec<f64>;

/// The recording cut along the signal's periods.
struct Grid<'a> {
    samples: &'a [f32],
    signal: &'a Excitation,
    place: Place,
    first_s: f64,
}

impl Grid<'_> {
    /// Frame of the samples at which `frame` of the signal lies; may be outside of them.
    fn frame(&self, frame: usize) -> f64 {
        (self.place.begin_s - self.first_s) * Excitation::RATE_HZ + frame as f64 * self.place.speed
    }

    /// Samples of these frames of the signal, as far as they were recorded.
    fn piece(&self, frames: std::ops::Range<usize>) -> &[f32] {
        let inside = |frame| self.frame(frame).clamp(0.0, self.samples.len() as f64) as usize;
        &self.samples[inside(frames.start)..inside(frames.end).max(inside(frames.start))]
    }

    fn cells_of(&self, frames: std::ops::Range<usize>) -> Vec<Cells> {
        cells_along(self.piece(frames))
    }

    /// The quieter of the silence before and the silence after; of the latter only the end, where
    /// the room has died away.
    fn quiet(&self) -> Option<Vec<Cells>> {
        let sounding = self.signal.sounding();
        let end = self.signal.frames();
        let places = [0..sounding.start, end - (end - sounding.end) / 2..end];
        let heard = places.map(|frames| self.cells_of(frames)).into_iter().filter(|cells| cells.len() > 8);
        let loudness = |cells: &Vec<Cells>| mean_spectrum(cells).iter().sum::<f64>();
        heard.min_by(|a, b| loudness(a).total_cmp(&loudness(b)))
    }

    /// The first frame of the signal that is looked at, and cells by period and place in it; only
    /// periods that were recorded whole.
    fn periods(&self) -> (usize, Vec<Vec<Cells>>) {
        let transform = Transform::of(CELL);
        let begin = self.signal.full().start;
        let whole = |&period: &usize| {
            let first = begin + period * Excitation::PERIOD;
            self.frame(first) >= 0.0
                && self.frame(first + Excitation::PERIOD + CELL) <= self.samples.len() as f64
        };
        let cells_at = |frame: usize| {
            let at = self.frame(frame).round().max(0.0) as usize;
            cells(&transform, &self.samples[at..at + CELL])
        };
        let one = |period: usize| {
            let first = begin + period * Excitation::PERIOD;
            (0..Excitation::PERIOD / HOP).map(|n| cells_at(first + n * HOP)).collect()
        };
        let whole: Vec<usize> = (0..self.signal.periods()).filter(whole).collect();
        let first = usize::from(whole.len() >= ENOUGH_PERIODS);
        let used = &whole[first..];
        let begins = begin + used.first().copied().unwrap_or(0) * Excitation::PERIOD;
        (begins, used.iter().take(MAX_PERIODS).map(|&period| one(period)).collect())
    }

    fn steadiness(&self) -> Option<Steadiness> {
        let (begin, periods) = self.periods();
        if periods.len() < MIN_PERIODS {
            return None;
        }
        let mean = mean_spectrum(&periods.concat());
        let strongest = mean.iter().copied().fold(0.0, f64::max);
        let floor = strongest * 10f64.powf(BAND_FLOOR_DB / 10.0);
        let bands: Vec<usize> = (0..mean.len()).filter(|&b| mean[b] > floor).collect();
        let low = bands.iter().filter(|&&band| centre_hz(band) < LOW_HZ).count();
        let usual = usual(&periods, &bands);
        let changes = Changes { rows: changes(&periods, &bands, &usual), weak: weak(&usual), low };
        Some(changes.summary(begin))
    }
}

fn cells_along(samples: &[f32]) -> Vec<Cells> {
    let transform = Transform::of(CELL);
    let spectra = (samples.len() / HOP).saturating_sub(1);
    (0..spectra).map(|n| cells(&transform, &samples[n * HOP..n * HOP + CELL])).collect()
}

/// Powers of the cells of one spectrum, those of the signal's band.
fn cells(transform: &Transform, samples: &[f32]) -> Cells {
    // Hann: 8/3 gives a steady sound its power back; two sides of the spectrum.
    let scale = 2.0 * (8.0 / 3.0) / (CELL as f64 * CELL as f64);
    let windowed = samples.iter().enumerate().map(|(n, &x)| {
        let turn = std::f64::consts::TAU * n as f64 / CELL as f64;
        f64::from(x) * (0.5 - 0.5 * turn.cos())
    });
    let spectrum = transform.forward(windowed);
    band_bins().map(|bin| spectrum[bin..bin + BINS].iter().map(|x| x.norm_sqr() * scale).sum()).collect()
}

/// The first bin of every cell that lies wholly within the signal's band.
fn band_bins() -> impl Iterator<Item = usize> {
    let bin = |hz: f64| hz / Excitation::RATE_HZ * CELL as f64;
    let (first, last) = (bin(BAND_HZ.start).ceil() as usize, bin(BAND_HZ.end) as usize);
    (first..=last - BINS).step_by(BINS)
}

fn centre_hz(band: usize) -> f64 {
    let first = band_bins().nth(band).unwrap_or(CELL / 2);
    (first as f64 + BINS as f64 / 2.0) * Excitation::RATE_HZ / CELL as f64
}

fn mean_spectrum(cells: &[Cells]) -> Cells {
    let mut sum = vec![0.0; band_bins().count()];
    for row in cells {
        sum.iter_mut().zip(row).for_each(|(s, x)| *s += x / cells.len() as f64);
    }
    sum
}

/// The upper edge of the highest band that is there.
fn bandwidth(sounding: &[f64], silence: Option<&[f64]>, floor_db: f64) -> Option<f64> {
    let strongest = sounding.iter().copied().fold(0.0, f64::max);
    let floor = strongest * 10f64.powf(floor_db / 10.0);
    // Where noise is so loud that it could cover the signal, the signal is not to be missed.
    let covered = strongest * 10f64.powf(COVERED_DB / 10.0);
    let stands_out =
        |band: usize, silence: &[f64]| sounding[band] > 2.0 * silence[band] || silence[band] > covered;
    let there =
        |&band: &usize| sounding[band] > floor && silence.is_none_or(|silence| stands_out(band, silence));
    let half = BINS as f64 / 2.0 * Excitation::RATE_HZ / CELL as f64;
    (0..sounding.len()).rev().find(there).map(|band| centre_hz(band) + half)
}

/// The median of every cell of `bands` in all periods: one row for each place in a period.
fn usual(periods: &[Vec<Cells>], bands: &[usize]) -> Vec<Vec<f64>> {
    let cell = |n: usize, band: usize| median(periods.iter().map(|period| period[n][band]).collect());
    let places = periods.first().map_or(0, Vec::len);
    (0..places).map(|n| bands.iter().map(|&band| cell(n, band)).collect()).collect()
}

/// Whether a cell is usually among the weaker half of its band.
fn weak(usual: &[Vec<f64>]) -> Vec<Vec<bool>> {
    let bands = usual.first().map_or(0, Vec::len);
    let middle: Vec<f64> = (0..bands).map(|b| median(usual.iter().map(|row| row[b]).collect())).collect();
    usual.iter().map(|row| row.iter().zip(&middle).map(|(cell, middle)| cell < middle).collect()).collect()
}

/// Every cell of `bands` against what it usually is, in dB: one row for each spectrum, in the order of
/// time.
fn changes(periods: &[Vec<Cells>], bands: &[usize], usual: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let row = |(n, cells): (usize, &Cells)| {
        bands.iter().zip(&usual[n]).map(|(&band, usual)| db(cells[band]) - db(*usual)).collect()
    };
    periods.iter().flat_map(|period| period.iter().enumerate().map(row)).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

/// Rows of changes; the first `low` of each are those below 3.4 kHz.
struct Changes {
    rows: Vec<Vec<f64>>,
    /// One row for each place in a period.
    weak: Vec<Vec<bool>>,
    low: usize,
}

impl Changes {
    fn summary(&self, first_frame: usize) -> Steadiness {
        let gains: Vec<f64> = self.rows.iter().map(|row| mean(&row[..self.low.min(row.len())])).collect();
        let sounding: Vec<usize> = (0..gains.len()).filter(|&n| gains[n] >= GAP_DB).collect();
        // What a gain control does to all cells alike is no hole in any.
        let blocks: Vec<&[usize]> = sounding.chunks(SLOW).collect();
        let slow = blocks.iter().map(|block| mean(&block.iter().map(|&n| gains[n]).collect::<Vec<_>>()));
        let rest: Vec<f64> = blocks.iter().flat_map(|block| self.without_common(block)).collect();
        let holes = rest.iter().filter(|x| **x < HOLE_DB).count();
        Steadiness {
            holes: holes as f64 / rest.len().max(1) as f64,
            wander_db: between(slow.collect(), 0.03, 0.97),
            expanded_db: between(blocks.iter().map(|block| self.expansion(block)).collect(), 0.03, 0.97),
            gaps: gaps(&gains, first_frame),
        }
    }

    /// How much more the usually weak cells below 3.4 kHz changed in these spectra than the strong ones.
    fn expansion(&self, block: &[usize]) -> f64 {
        let cells = block.iter().flat_map(|&n| {
            let weak = &self.weak[n % self.weak.len()][..self.low];
            self.rows[n].iter().zip(weak)
        });
        let (weak, strong): (Vec<_>, Vec<_>) = cells.partition(|(_, weak)| **weak);
        let mean_of = |cells: Vec<(&f64, &bool)>| mean(&cells.iter().map(|(x, _)| **x).collect::<Vec<_>>());
        mean_of(weak) - mean_of(strong)
    }

    /// The cells of these spectra, less what they changed by on average.
    fn without_common(&self, block: &[usize]) -> Vec<f64> {
        let all: Vec<f64> = block.iter().flat_map(|&n| self.rows[n].iter().copied()).collect();
        let common = mean(&all);
        all.into_iter().map(|x| x - common).collect()
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The span between two quantiles.
fn between(mut values: Vec<f64>, low: f64, high: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = |part: f64| values.get((part * (values.len() - 1) as f64).round() as usize).copied();
    if values.is_empty() { 0.0 } else { at(high).unwrap_or(0.0) - at(low).unwrap_or(0.0) }
}

/// Stretches in which the sound was gone, seconds of the signal.
fn gaps(gains: &[f64], first_frame: usize) -> Vec<(f64, f64)> {
    let hop_s = HOP as f64 / Excitation::RATE_HZ;
    let mut found: Vec<(f64, f64)> = Vec::new();
    for (n, _) in gains.iter().enumerate().filter(|(_, gain)| **gain < GAP_DB) {
        let at_s = (first_frame + n * HOP) as f64 / Excitation::RATE_HZ;
        match found.last_mut() {
            Some((begin, length)) if at_s - (*begin + *length) < hop_s / 2.0 => *length += hop_s,
            _ => found.push((at_s, hop_s)),
        }
    }
    found
}
