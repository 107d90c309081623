//! Where in a recording the measure signal sounds, and how fast it was recorded.
//!
//! The signal repeats itself every period, whatever speakers and room did to it. So the recording is
//! compared with itself one period later: where both agree, the signal sounds, and the lag at which
//! they agree best is the period by the recorder's clock. Nothing has to be known of the room, the
//! speakers, or the speed beyond 5 %. Streaming: a recording of any length needs memory for one
//! occurrence of the signal only.

use realfft::num_complex::Complex;

use super::analysis::Recorded;
use super::excitation::{BAND_HZ, Excitation};
use crate::transform::Transform;

/// The period by the recorder's clock is looked for within this many frames of the signal's: 5.2 %.
const REACH: usize = 3_400;
/// Frames compared at a time: 0.68 s.
const WINDOW: usize = 32_768;
/// One comparison every so many frames: 0.34 s.
const HOP: usize = 16_384;
/// A transform that holds the longer side of the comparison.
const FRAMES: usize = 65_536;
/// Likeness from which a window counts: chance gives 0.02 at most, a signal 5 dB below the noise 0.24.
const LIKE: f64 = 0.08;
/// Periods of neighbouring windows that differ by more than this are not one signal: 150 ppm, room
/// for two players whose clocks differ and take turns in being the louder.
const SAME_PERIOD: f64 = 10.0;
/// Windows in a row that may fail within one occurrence, for the sake of dropouts: 1.4 s. Between the
/// end of one occurrence and the begin of the next lie at least 6.
const GAP_HOPS: usize = 4;
/// Kept around an occurrence, for what sounds before and after: 3 s.
const MARGIN: usize = 144_000;
/// A recording up to this length is kept as it is: 40 s.
const KEPT_WHOLE: usize = 40 * 48_000;
/// Root mean square below which a window is silent: -160 dBFS.
const SILENCE: f64 = 1e-8;
/// Shorter stretches than this beside the longest are not told: music repeats itself, too.
const MIN_OTHER_S: f64 = 3.0;
/// Bins over which a spectrum is smoothed before it is divided out: 150 Hz.
const SMOOTH: usize = 205;

/// A stretch of the recording that repeats itself with the signal's period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// Its begin, in seconds of the recorder's clock after the recording's first frame, to 0.7 s.
    pub begin_s: f64,
    /// Its end, likewise.
    pub end_s: f64,
    /// The period, in the recorder's frames.
    pub period: f64,
    /// How alike the periods are in the middle, 0 to 1.
    pub likeness: f64,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// The part of the recording to measure: around the longest stretch; the begin of the recording
    /// if there is none; all of a recording up to 40 s.
    pub recorded: Recorded,
    /// Every stretch, in the order of time.
    pub stretches: Vec<Stretch>,
    /// Length of the whole recording, in seconds of the recorder's clock.
    pub length_s: f64,
}

impl Found {
    /// The longest stretch, the first of equals.
    pub fn best(&self) -> Option<Stretch> {
        let length = |s: &Stretch| s.end_s - s.begin_s;
        self.stretches.iter().copied().reduce(|a, b| if length(&b) > length(&a) + 1.0 { b } else { a })
    }
}

/// The search. Feed it with [`push`](Self::push) as the recording comes in, then
/// [`finish`](Self::finish).
pub struct Search {
    detector: Detector,
    /// What is kept of the recording, by channel, and the frame number of its first frame.
    kept: Vec<Vec<f32>>,
    kept_from: usize,
    /// Frames that came in.
    frames: usize,
    /// First frame of the next comparison.
    next: usize,
    run: Option<Run>,
    stretches: Vec<Stretch>,
    best: Option<(Stretch, Recorded)>,
    begin: Option<Recorded>,
    /// Longest an occurrence may be, in the recorder's frames.
    longest: usize,
}

/// A stretch that is still growing.
struct Run {
    first: usize,
    last: usize,
    /// Period and likeness of every window that counted.
    windows: Vec<(f64, f64)>,
}

impl Search {
    /// A search for `excitation` in a recording at 48 kHz.
    pub fn new(excitation: &Excitation) -> Self {
        let longest = excitation.frames() + excitation.frames() / 16 + 2 * MARGIN;
        Self {
            detector: Detector::new(),
            kept: Vec::new(),
            kept_from: 0,
            frames: 0,
            next: 0,
            run: None,
            stretches: Vec::new(),
            best: None,
            begin: None,
            longest,
        }
    }

    /// Searches a recording that is already there.
    pub fn over(recorded: &Recorded, excitation: &Excitation) -> Found {
        let mut search = Self::new(excitation);
        let channels = recorded.channels.len();
        let frames = recorded.channels.iter().map(Vec::len).min().unwrap_or(0);
        for begin in (0..frames).step_by(HOP) {
            let end = (begin + HOP).min(frames);
            let piece: Vec<f32> =
                (begin..end).flat_map(|n| recorded.channels.iter().map(move |c| c[n])).collect();
            search.push(&piece, channels);
        }
        let mut found = search.finish();
        found.recorded.begin_s += recorded.begin_s;
        for stretch in &mut found.stretches {
            stretch.begin_s += recorded.begin_s;
            stretch.end_s += recorded.begin_s;
        }
        found.length_s += recorded.begin_s;
        found
    }

    /// Takes the next samples of the recording, interleaved; `channels` must stay the same.
    pub fn push(&mut self, interleaved: &[f32], channels: usize) {
        if channels == 0 {
            return;
        }
        self.kept.resize_with(channels, Vec::new);
        for frame in interleaved.chunks_exact(channels) {
            for (kept, &sample) in self.kept.iter_mut().zip(frame) {
                // A sample that is no number would poison every sum.
                kept.push(if sample.is_finite() { sample } else { 0.0 });
            }
        }
        self.frames += interleaved.len() / channels;
        while self.next + Detector::NEEDED <= self.frames {
            self.compare();
            self.next += HOP;
        }
        self.forget();
    }

    /// Ends the search.
    pub fn finish(mut self) -> Found {
        // Windows that would reach beyond the end see silence there.
        let beyond = self.frames.saturating_sub(Excitation::PERIOD);
        while self.next < beyond {
            self.compare();
            self.next += HOP;
        }
        self.close();
        let whole = (self.kept_from == 0).then(|| self.cut(0, self.frames));
        let longest = self.best.as_ref().map(|(stretch, _)| *stretch);
        self.stretches.retain(|s| Some(*s) == longest || s.end_s - s.begin_s >= MIN_OTHER_S);
        let best = self.best.map(|(_, recorded)| recorded);
        let recorded = whole.or(best).or(self.begin).unwrap_or_default();
        Found { recorded, stretches: self.stretches, length_s: self.frames as f64 / Excitation::RATE_HZ }
    }

    fn compare(&mut self) {
        let at = self.next - self.kept_from;
        let heard = self
            .kept
            .iter()
            .filter_map(|channel| self.detector.compare(&channel[at.min(channel.len())..]))
            .reduce(|a, b| if b.1 > a.1 { b } else { a });
        if self.run.as_ref().is_some_and(|run| self.next > run.last + (GAP_HOPS + 1) * HOP) {
            self.close();
        }
        let Some((period, likeness)) = heard else { return };
        match &mut self.run {
            // Another period: a jump in the playing, which is over a period later.
            Some(run) if !run.has(period) => {}
            Some(run) => {
                run.last = self.next;
                run.windows.push((period, likeness));
            }
            None => {
                let windows = vec![(period, likeness)];
                self.run = Some(Run { first: self.next, last: self.next, windows });
            }
        }
    }

    /// Ends the run: a stretch, if it was more than chance.
    fn close(&mut self) {
        let Some(run) = self.run.take() else { return };
        let Some(stretch) = run.stretch(self.frames) else { return };
        self.stretches.push(stretch);
        let length = |s: &Stretch| s.end_s - s.begin_s;
        if self.best.as_ref().is_none_or(|(best, _)| length(&stretch) > length(best) + 1.0) {
            let begin = run.first.saturating_sub(MARGIN);
            let end = (run.last + Detector::NEEDED + MARGIN).min(self.frames);
            self.best = Some((stretch, self.cut(begin, end)));
        }
    }

    fn cut(&self, begin: usize, end: usize) -> Recorded {
        let begin = begin.max(self.kept_from);
        let range = begin - self.kept_from..end.max(begin) - self.kept_from;
        let channels = self.kept.iter().map(|c| c[range.start..range.end.min(c.len())].to_vec()).collect();
        Recorded { channels, begin_s: begin as f64 / Excitation::RATE_HZ }
    }

    /// Lets go of what no occurrence can reach any more.
    fn forget(&mut self) {
        let keep = KEPT_WHOLE.max(self.longest + 2 * Detector::NEEDED);
        let kept = self.frames - self.kept_from;
        if kept <= keep + KEPT_WHOLE / 2 {
            return;
        }
        if self.begin.is_none() {
            self.begin = Some(self.cut(0, KEPT_WHOLE));
        }
        let drop = kept - keep;
        for channel in &mut self.kept {
            channel.drain(..drop);
        }
        self.kept_from += drop;
    }
}

impl Run {
    fn has(&self, period: f64) -> bool {
        self.windows.last().is_some_and(|(p, _)| (p - period).abs() <= SAME_PERIOD)
    }

    /// `None` for a single window that is hardly alike: chance.
    fn stretch(&self, frames: usize) -> Option<Stretch> {
        let mut likeness: Vec<f64> = self.windows.iter().map(|w| w.1).collect();
        likeness.sort_by(f64::total_cmp);
        let likeness = likeness[likeness.len() / 2];
        if self.windows.len() < 2 && likeness < 3.0 * LIKE {
            return None;
        }
        // The best half of the windows say what the period is.
        let mut best: Vec<f64> = self.windows.iter().filter(|w| w.1 >= likeness).map(|w| w.0).collect();
        best.sort_by(f64::total_cmp);
        let period = best[best.len() / 2];
        let end = (self.last as f64 + WINDOW as f64 + period).min(frames as f64);
        let (begin_s, end_s) = (self.first as f64 / Excitation::RATE_HZ, end / Excitation::RATE_HZ);
        Some(Stretch { begin_s, end_s, period, likeness })
    }
}

/// Compares a window with what sounds a period later.
struct Detector {
    transform: Transform,
}

impl Detector {
    /// Frames that one comparison reaches over.
    const NEEDED: usize = Excitation::PERIOD + REACH + WINDOW;

    fn new() -> Self {
        Self { transform: Transform::of(FRAMES) }
    }

    /// The lag at which the window at the begin of `samples` agrees best with itself, and how well;
    /// `None` below [`LIKE`]. Beyond its end the recording is silent.
    fn compare(&self, samples: &[f32]) -> Option<(f64, f64)> {
        let first = Excitation::PERIOD - REACH;
        let sample = |n: usize| samples.get(n).map_or(0.0, |&x| f64::from(x));
        let now = self.whitened((0..WINDOW).map(sample), |n| arch(n, WINDOW))?;
        let reach = WINDOW + 2 * REACH;
        let later = self.whitened((0..reach).map(|n| sample(first + n)), |n| flanks(n, reach))?;
        let share = WINDOW as f64 / (WINDOW + 2 * REACH) as f64;
        let norm = (power(&now) * power(&later) * share).sqrt() / FRAMES as f64;
        let product = now.iter().zip(&later).map(|(a, b)| a.conj() * b).collect();
        let lags = self.transform.inverse(product);
        let best = (1..2 * REACH).max_by(|&a, &b| lags[a].total_cmp(&lags[b]))?;
        let likeness = lags[best] / norm;
        let period = (first + best) as f64 + vertex(lags[best - 1], lags[best], lags[best + 1]);
        (likeness >= LIKE).then_some((period, likeness))
    }

    /// The spectrum of tapered samples within the signal's band, its coarse shape taken out, so that neither
    /// hum nor a boomy room decides. `None` for silence.
    fn whitened(
        &self,
        samples: impl Iterator<Item = f64>,
        taper: impl Fn(usize) -> f64,
    ) -> Option<Vec<Complex<f64>>> {
        // A constant would take the taper's shape, which is alike everywhere.
        let samples: Vec<f64> = samples.collect();
        let mean = samples.iter().sum::<f64>() / samples.len() as f64;
        let tapered = samples.into_iter().enumerate().map(|(n, x)| (x - mean) * taper(n));
        let mut spectrum = self.transform.forward(tapered);
        let bin = |hz: f64| (hz * FRAMES as f64 / Excitation::RATE_HZ) as usize;
        let band = bin(BAND_HZ.start * 1.05)..bin(BAND_HZ.end * 0.95);
        let mut sums = vec![0.0; spectrum.len() + 1];
        for (i, x) in spectrum.iter().enumerate() {
            sums[i + 1] = sums[i] + x.norm_sqr();
        }
        let mean = (sums[band.end] - sums[band.start]) / band.len() as f64;
        let floor = mean * 1e-9;
        // Rounding is not sound: a sample of 24 bits has 6e-8.
        if mean < FRAMES as f64 * SILENCE * SILENCE {
            return None;
        }
        for (i, x) in spectrum.iter_mut().enumerate() {
            let (from, to) = (i.saturating_sub(SMOOTH / 2), (i + SMOOTH / 2 + 1).min(sums.len() - 1));
            let mean = (sums[to] - sums[from]) / (to - from) as f64;
            *x *= if band.contains(&i) { 1.0 / (mean + floor).sqrt() } else { 0.0 };
        }
        Some(spectrum)
    }
}

/// Half a sine. A piece that is cut out without it begins and ends with a click, and where a band of the
/// recording is empty (a telephone's highs), whitening would leave nothing but those.
fn arch(n: usize, frames: usize) -> f64 {
    (std::f64::consts::PI * (n as f64 + 0.5) / frames as f64).sin()
}

/// Flat, but for the same reason with flanks of half the reach.
fn flanks(n: usize, frames: usize) -> f64 {
    arch(n.min(frames - 1 - n).min(REACH / 2), REACH)
}

/// Sum over all samples of the square of what the spectrum stands for, times the frames.
fn power(spectrum: &[Complex<f64>]) -> f64 {
    2.0 * spectrum.iter().map(|x| x.norm_sqr()).sum::<f64>()
}

/// Where a parabola through three neighbours peaks, relative to the middle one.
pub(crate) fn vertex(before: f64, at: f64, after: f64) -> f64 {
    let bend = before - 2.0 * at + after;
    if bend >= 0.0 { 0.0 } else { (0.5 * (before - after) / bend).clamp(-0.5, 0.5) }
}
