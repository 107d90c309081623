//! A sink, a network without faults and a perfect clock estimate, around a real renderer.

#![expect(dead_code, reason = "each test binary uses its own part of the rig")]

use std::collections::VecDeque;

use antiphon_base::{Chunk, Epoch, Frames, SampleRate, Span};
use antiphon_playout::{Command, Controller, Filter, Renderer, RendererConfig, Target, Telemetry};

/// A programme: the sample of each frame, by absolute number.
pub type Source = Box<dyn Fn(i64) -> f32>;

/// One speaker.
pub struct Rig {
    pub renderer: Renderer,
    pub controller: Controller,
    pub source: Source,
    pub period: usize,
    pub rate: f64,
    /// Media frames per DAC frame.
    pub slope: f64,
    pub epoch: Epoch,
    /// The line: media frame `media_0` leaves the DAC at DAC frame `dac_0`.
    pub media_0: i64,
    pub dac_0: f64,
    pub start: Option<Frames>,
    pub trusted: bool,
    /// Commanded moves so far.
    pub moves: u32,
    /// Media frames whose chunks never come.
    pub lost: Vec<std::ops::Range<i64>>,
    /// How far ahead of the sound media are pushed, in frames.
    pub lead: i64,
    /// Added to the DAC frame of each Target.
    pub noise: Box<dyn FnMut(f64) -> f64>,
    /// Added to the slope that each Target says, as a ratio.
    pub slope_noise: Box<dyn FnMut() -> f64>,
    pub targets: bool,
    pub feeding: bool,
    pub dac: i64,
    pub out: Vec<f32>,
    pub last: Telemetry,
    pub seen: Vec<Telemetry>,
    fed: i64,
    next_target: i64,
    pending: VecDeque<Chunk>,
}

pub const CHUNK: i64 = 240;

/// L24, as it comes off the wire.
pub fn l24(x: f64) -> f32 {
    ((x * 8_388_608.0).round() / 8_388_608.0) as f32
}

pub fn sine(hz: f64, level: f64) -> Source {
    Box::new(move |n| {
        // Whole turns of whole hertz repeat each second: exact phase for any frame number.
        let t = n.rem_euclid(48_000) as f64 / 48_000.0;
        l24(level * (hz * t * std::f64::consts::TAU).sin())
    })
}

impl Rig {
    pub fn new(hz: u32, period: usize, skew: f64, source: Source) -> Self {
        let config = RendererConfig {
            dac_rate: SampleRate::new(hz).unwrap(),
            channels: 1,
            ring: Span::from_s(2),
            max_period: Frames(period as i64),
            filter: Filter::Transparent,
        };
        let (renderer, controller) = Renderer::new(config);
        let slope = 48_000.0 / f64::from(hz) / (1.0 + skew);
        Self {
            renderer,
            controller,
            source,
            period,
            rate: f64::from(hz) * (1.0 + skew),
            slope,
            epoch: Epoch(1),
            media_0: 1_000_000,
            dac_0: 4_800.37,
            start: Some(Frames(1_000_000)),
            trusted: true,
            moves: 0,
            lost: Vec::new(),
            lead: 9_600,
            noise: Box::new(|_| 0.0),
            slope_noise: Box::new(|| 0.0),
            targets: true,
            feeding: true,
            dac: 0,
            out: Vec::new(),
            last: Telemetry::default(),
            seen: Vec::new(),
            fed: 1_000_000,
            next_target: 0,
            pending: VecDeque::new(),
        }
    }

    /// The media frame that belongs to a DAC frame.
    pub fn media_at(&self, dac: i64) -> f64 {
        self.media_0 as f64 + (dac as f64 - self.dac_0) * self.slope
    }

    /// The DAC frame (index into `out`) at which a media frame sounds.
    pub fn dac_of(&self, media: i64) -> f64 {
        self.dac_0 + (media - self.media_0) as f64 / self.slope
    }

    /// Another epoch, whose first frame is `first` and sounds at DAC frame `dac`.
    pub fn seek(&mut self, epoch: u32, first: i64, dac: f64) {
        self.epoch = Epoch(epoch);
        (self.media_0, self.dac_0, self.start) = (first, dac, Some(Frames(first)));
        (self.fed, self.next_target) = (first, self.dac);
    }

    pub fn command(&mut self, command: Command) {
        self.controller.command(command).unwrap();
    }

    /// Has the line moved later by `frames` DAC frames, told at once.
    pub fn shift(&mut self, frames: f64) {
        self.dac_0 += frames;
        self.next_target = self.dac;
    }

    /// The same, on purpose.
    pub fn command_move(&mut self, frames: f64) {
        self.moves += 1;
        self.shift(frames);
    }

    pub fn target(&mut self) -> Target {
        let media_frame = self.media_at(self.dac).floor();
        let off = (self.noise)(self.dac as f64 / self.rate) * self.rate;
        Target {
            epoch: self.epoch,
            media_frame: Frames(media_frame as i64),
            dac_frame: self.dac_of(media_frame as i64) + off,
            media_per_dac: self.slope * (1.0 + (self.slope_noise)()),
            start: self.start,
            moves: self.moves,
            trusted: self.trusted,
        }
    }

    fn feed(&mut self) {
        let until = self.media_at(self.dac) as i64 + self.lead;
        while self.fed < until && self.feeding {
            let (first, end) = (self.fed, self.fed + CHUNK);
            self.fed = end;
            if self.lost.iter().any(|lost| lost.start < end && first < lost.end) {
                continue;
            }
            let samples = (first..end).map(&self.source).collect();
            let chunk = Chunk { epoch: self.epoch, first_frame: Frames(first), channels: 1, samples };
            self.pending.push_back(chunk);
        }
        while let Some(chunk) = self.pending.pop_front() {
            if let Err(chunk) = self.controller.push(chunk) {
                self.pending.push_front(chunk);
                break;
            }
        }
    }

    /// One period: what the network and the estimates bring, then the callback.
    pub fn period(&mut self) {
        self.feed();
        if self.targets && self.dac >= self.next_target {
            let target = self.target();
            self.command(Command::Target(target));
            self.next_target = self.dac + (self.rate / 10.0) as i64;
        }
        let at = self.out.len();
        self.out.resize(at + self.period, 0.0);
        self.renderer.render(Frames(self.dac), &mut self.out[at..]);
        self.dac += self.period as i64;
        if let Some(telemetry) = self.controller.telemetry() {
            self.last = telemetry;
            self.seen.push(telemetry);
        }
    }

    pub fn run(&mut self, seconds: f64) -> &mut Self {
        let end = self.dac + (seconds * self.rate) as i64;
        while self.dac < end {
            self.period();
        }
        self
    }
}

/// Seeded noise of deviation 1, Gaussian enough: the sum of twelve uniform numbers.
pub fn gauss(mut seed: u64) -> impl FnMut() -> f64 {
    move || {
        let uniform = |_| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as f64 / f64::from(1u32 << 31) - 0.5
        };
        (0..12).map(uniform).sum()
    }
}

/// The largest sample of what a high-pass at about 6 kHz (fourth difference) leaves: a click stands
/// far above what a low tone leaves.
pub fn roughness(sound: &[f32]) -> f64 {
    sound
        .windows(5)
        .map(|w| {
            let w: Vec<f64> = w.iter().map(|x| f64::from(*x)).collect();
            (w[0] - 4.0 * w[1] + 6.0 * w[2] - 4.0 * w[3] + w[4]).abs()
        })
        .fold(0.0, f64::max)
}

/// The time error, in frames, of a tone of `hz` in `sound` against its ideal place.
///
/// `ideal(n)` is the media frame that belongs to sample n.
pub fn phase_error(sound: &[f32], hz: f64, ideal: impl Fn(usize) -> f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, x) in sound.iter().enumerate() {
        let w = 0.5 - 0.5 * (std::f64::consts::TAU * (n as f64 + 0.5) / sound.len() as f64).cos();
        let angle = std::f64::consts::TAU * hz / 48_000.0 * ideal(n);
        re += w * f64::from(*x) * angle.sin();
        im += w * f64::from(*x) * angle.cos();
    }
    im.atan2(re) / std::f64::consts::TAU / hz * 48_000.0
}
