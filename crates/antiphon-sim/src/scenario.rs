//! Two speakers as a stereo pair under stated conditions, and what came of it.

use antiphon_base::{Ppm, Role, Span, Timestamp};
use antiphon_measure::music;
use antiphon_measure::spread::{Report, Request, Settings, measure};
use antiphon_proto::session::Codec;

use crate::clock::ClockSpec;
use crate::network::{DelayModel, LossModel};
use crate::rng::Rng;
use crate::sound_card::CardSpec;
use crate::world::{SpeakerSpec, World};

/// Conditions of a run.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// What delays each way.
    pub delay: DelayModel,
    /// What is lost each way.
    pub loss: LossModel,
    /// The speakers' clocks run this much fast and slow, and their sound cards the other way round.
    pub drift: Ppm,
    /// Target latency.
    pub latency: Span,
    /// How long before the start the speakers were switched on.
    pub warm: Span,
    /// Length of the music.
    pub music: Span,
    /// How it is sent.
    pub codec: Codec,
    /// Of every random number.
    pub seed: u64,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            delay: DelayModel::LAN,
            loss: LossModel::NONE,
            drift: Ppm(40.0),
            latency: Span::from_ms(200),
            warm: Span::from_s(5),
            music: Span::from_s(60),
            codec: Codec::L24,
            seed: 1,
        }
    }
}

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What the recordings say.
    pub report: Report,
    /// Packets that were not there in time, of both speakers, as a share of those sent.
    pub residual_loss: f64,
    /// Packets that came because they were asked for again.
    pub recovered: u64,
    /// Audio made up, in milliseconds, of both speakers.
    pub concealed_ms: f64,
    /// Share of looks (five a second, after the start) at which a speaker's clock error lay within
    /// its stated 95 % interval.
    pub coverage: f64,
    /// Median of the stated 95 % half-width, in microseconds.
    pub stated_us: f64,
}

impl Scenario {
    /// The world of this scenario, with its two speakers, before anything was played.
    pub fn world(&self) -> World {
        let mut world = World::new(self.latency, self.seed);
        for (index, role) in [Role::Left, Role::Right].into_iter().enumerate() {
            world.add(self.speaker(index, role), Span::from_ms(10 + 7 * index as i64));
        }
        world
    }

    /// Speaker `index` of the pair.
    pub fn speaker(&self, index: usize, role: Role) -> SpeakerSpec {
        let sign = if index == 0 { 1.0 } else { -1.0 };
        let mut rng = Rng::new(self.seed).fork(50 + index as u64);
        let lasts = self.warm + self.music + Span::from_s(30);
        let clock = ClockSpec {
            offset: Span::from_ms(1_234_500 + 777_000 * index as i64),
            skew: Ppm(sign * self.drift.0),
            lasts,
            ..ClockSpec::default()
        };
        let card_clock = ClockSpec {
            skew: Ppm(-sign * self.drift.0 * 1.25),
            warm_up: Ppm(rng.between(-3.0, 3.0)),
            lasts,
            ..ClockSpec::default()
        };
        SpeakerSpec {
            name: role.to_string(),
            role,
            codec: self.codec,
            clock,
            card: CardSpec { clock: card_clock, ..CardSpec::default() },
            down: (self.delay, self.loss),
            up: (self.delay, self.loss),
        }
    }

    /// Plays music and judges the recordings; `None` where a speaker played nothing.
    pub fn run(&self) -> Option<Outcome> {
        let mut world = self.world();
        world.run_until(self.warm);
        let frames = antiphon_base::SampleRate::MEDIA.frames_in(self.music).0 as usize;
        let source = music::piece(frames, self.seed);
        world.play(source.clone());
        let (coverage, stated_us) = self.watch(&mut world);
        let report = judge(&world, &source)?;
        let stats = [world.stats(0), world.stats(1)];
        let sum =
            |pick: fn(&antiphon_proto::session::SpeakerStats) -> f64| stats.iter().map(pick).sum::<f64>();
        let sent = sum(|s| (s.packets.received + s.packets.lost) as f64);
        Some(Outcome {
            report,
            residual_loss: sum(|s| s.packets.lost as f64) / sent.max(1.0),
            recovered: sum(|s| s.packets.recovered as f64) as u64,
            concealed_ms: sum(|s| s.concealed_ms),
            coverage,
            stated_us,
        })
    }

    /// Runs to the end of the music, and looks five times a second whether the clocks' stated
    /// intervals hold.
    fn watch(&self, world: &mut World) -> (f64, f64) {
        let end = self.warm + self.music + Span::from_s(1);
        let mut at = self.warm;
        let (mut looks, mut inside, mut stated) = (0u32, 0u32, Vec::new());
        while at < end {
            at += Span::from_ms(200);
            world.run_until(at);
            for (error, sd) in [0, 1].into_iter().filter_map(|index| world.clock_error(index)) {
                looks += 1;
                inside += u32::from(error.abs() <= 1.96 * sd);
                stated.push(1.96 * sd / 1e3);
            }
        }
        (f64::from(inside) / f64::from(looks.max(1)), crate::clock_table::quantile(&mut stated, 0.5))
    }
}

/// Spread of the first two speakers of `world`.
pub fn judge(world: &World, source: &[f32]) -> Option<Report> {
    judge_from(world, source, Span::ZERO)
}

/// The same, deaf to everything before `from`: for a source that began anew.
pub fn judge_from(world: &World, source: &[f32], from: Span) -> Option<Report> {
    let channel = |c: usize| source.iter().skip(c).step_by(2).copied().collect::<Vec<f32>>();
    let heard = |index| {
        let mut recording = world.recording(index)?;
        let first = recording.timeline.frame_at(from.as_ns() as f64, Timestamp::ZERO).max(0.0) as usize;
        recording.samples.iter_mut().take(first).for_each(|sample| *sample = 0.0);
        Some(recording)
    };
    measure(&Request {
        source_left: &channel(0),
        source_right: &channel(1),
        left: &heard(0)?,
        right: &heard(1)?,
        start: world.asked(),
        stalls: &[],
        settings: Settings::default(),
    })
    .ok()
}
