//! How well the follower follows: music in a room, two speakers that drift, jump and fall silent, and a
//! microphone with its own clock.
//!
//! The right speaker's sound is delayed by a moving amount before it is added to the left one's; the
//! follower's corrections are applied to it a little later, as by a hub. The oracle knows the delay.

use std::fmt::Write;
use std::ops::Range;

use antiphon_measure::lab::follow::{
    Certainty, CorrectionConfig, FollowConfig, FollowCorrection, FollowState, Follower,
};
use antiphon_measure::music;

use crate::rng::Rng;
use crate::room::convolver::convolve;
use crate::room::noise::{Noise, band_rms};
use crate::room::{Loudspeaker, RATE, RoomSpec, responses};

/// What is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// [`music::piece`]: left and right share next to nothing.
    Duet,
    /// [`music::ballad`]: four fifths are common.
    Ballad,
    /// [`music::nearly_mono`].
    NearlyMono,
}

impl Piece {
    fn samples(self, frames: usize, seed: u64) -> Vec<f32> {
        match self {
            Self::Duet => music::piece(frames, seed),
            Self::Ballad => music::ballad(frames, seed),
            Self::NearlyMono => music::nearly_mono(frames, seed),
        }
    }

    /// Name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Duet => "duet",
            Self::Ballad => "ballad",
            Self::NearlyMono => "nearly mono",
        }
    }
}

/// One world to follow in. Times are seconds of programme.
#[derive(Debug, Clone)]
pub struct FollowScenario {
    /// What is played.
    pub piece: Piece,
    /// How long.
    pub seconds: f64,
    /// How fast right falls behind left.
    pub drift_us_per_s: f64,
    /// When right falls behind at once, and by how much.
    pub jump: Option<(f64, f64)>,
    /// While the right speaker is silent.
    pub right_is_off: Range<f64>,
    /// While the music pauses.
    pub pause: Range<f64>,
    /// Both speakers' power against the noise's, 300 Hz to 16 kHz.
    pub snr_db: f64,
    /// The room's reverberation time.
    pub rt60_s: f64,
    /// How much faster the microphone's clock runs.
    pub microphone_ppm: f64,
    /// When the programme's first frame is sent, in the microphone's stream.
    pub lag_s: f64,
    /// Corrections are asked for and applied.
    pub correct: bool,
    /// Of music, room and noise.
    pub seed: u64,
}

impl FollowScenario {
    /// 65 s in a living room of 0.4 s, 15 dB, the microphone 60 ppm fast.
    pub fn new(piece: Piece, drift_us_per_s: f64) -> Self {
        Self {
            piece,
            seconds: 65.0,
            drift_us_per_s,
            jump: None,
            right_is_off: 0.0..0.0,
            pause: 0.0..0.0,
            snr_db: 15.0,
            rt60_s: 0.4,
            microphone_ppm: 60.0,
            lag_s: 1.234_567,
            correct: false,
            seed: 1,
        }
    }
}

/// One look at the follower.
#[derive(Debug, Clone)]
pub struct FollowLook {
    /// When, in seconds of programme.
    pub at_s: f64,
    /// How much right is late against left more than at the reference, truly.
    pub true_drift_us: f64,
    /// What the follower says.
    pub state: FollowState,
}

impl FollowLook {
    /// Stated less true drift.
    pub fn error_us(&self) -> f64 {
        self.state.drift_us.value - self.true_drift_us
    }

    /// The truth is within the stated 95 % interval.
    pub fn holds(&self) -> bool {
        self.error_us().abs() <= self.state.drift_us.half_95()
    }
}

/// A correction reaches the sound after this time.
const CORRECTION_TAKES_S: f64 = 0.4;
/// Frames pushed at once: 0.1 s.
const BLOCK: usize = 4_800;
/// The follower speaks of the middle of its last window, which lies this much in the past.
const WINDOW_S: f64 = 0.22;

/// What the follower says, twice a second.
pub fn follow(scenario: &FollowScenario) -> Vec<FollowLook> {
    let mut world = World::new(scenario);
    let mut follower = Follower::new(FollowConfig::default());
    let mut policy = FollowCorrection::new(CorrectionConfig::default());
    let mut looks = Vec::new();
    for block in 0..(scenario.seconds * RATE) as usize / BLOCK {
        follower.programme(world.programme(block));
        follower.microphone(&world.microphone(block));
        let state = follower.state();
        if scenario.correct
            && let Some(by_us) = policy.advise(&state)
        {
            follower.corrected(by_us as f64);
            world.correct(state.heard_s, by_us as f64);
        }
        if block % 5 == 4 {
            looks.push(world.look(state));
        }
    }
    looks
}

/// Everything but the follower.
struct World<'a> {
    scenario: &'a FollowScenario,
    programme: Vec<f32>,
    /// Both sides' sound at the microphone, without the moving delay.
    sides: [Vec<f32>; 2],
    noise: Vec<f32>,
    between: Between,
    /// When corrections are heard, in seconds of programme, and by how much.
    corrections: Vec<(f64, f64)>,
}

impl<'a> World<'a> {
    fn new(scenario: &'a FollowScenario) -> Self {
        let frames = (scenario.seconds * RATE) as usize;
        let mut programme = scenario.piece.samples(frames, scenario.seed);
        silence(&mut programme, 2, &scenario.pause);
        let room = room(scenario);
        let mut sides = [0, 1].map(|side| {
            let mut sent: Vec<f32> = programme.iter().skip(side).step_by(2).copied().collect();
            if side == 1 {
                silence(&mut sent, 1, &scenario.right_is_off);
            }
            convolve(&sent, &room[side])
        });
        let both: Vec<f32> = sides[0].iter().zip(&sides[1]).map(|(l, r)| l + r).collect();
        let loudness = band_rms(&both) as f32;
        sides.iter_mut().flatten().for_each(|x| *x *= 0.05 / loudness);
        let mut noise = Noise::Pink.samples(frames, &mut Rng::new(scenario.seed).fork(7));
        let level = 0.05 * 10f64.powf(-scenario.snr_db / 20.0) / band_rms(&noise);
        noise.iter_mut().for_each(|x| *x *= level as f32);
        Self { scenario, programme, sides, noise, between: Between::new(), corrections: Vec::new() }
    }

    fn programme(&self, block: usize) -> &[f32] {
        &self.programme[2 * block * BLOCK..2 * (block + 1) * BLOCK]
    }

    fn microphone(&self, block: usize) -> Vec<f32> {
        (block * BLOCK..(block + 1) * BLOCK)
            .map(|n| {
                let at_s = self.programme_s(n as f64 / RATE);
                let left = self.between.at(&self.sides[0], at_s * RATE);
                let right = self.between.at(&self.sides[1], (at_s - self.delay_us(at_s) * 1e-6) * RATE);
                left + right + self.noise[n]
            })
            .collect()
    }

    /// The moment of the programme that sounds at a moment of the microphone's stream.
    fn programme_s(&self, heard_s: f64) -> f64 {
        (heard_s - self.scenario.lag_s) / (1.0 + self.scenario.microphone_ppm * 1e-6)
    }

    /// How late right is beyond what its way takes.
    fn delay_us(&self, at_s: f64) -> f64 {
        let jump = self.scenario.jump.filter(|(when, _)| at_s >= *when).map_or(0.0, |(_, by)| by);
        let corrected: f64 =
            self.corrections.iter().filter(|(when, _)| at_s >= *when).map(|(_, by)| by).sum();
        self.scenario.drift_us_per_s * at_s + jump + corrected
    }

    fn correct(&mut self, heard_s: f64, by_us: f64) {
        self.corrections.push((self.programme_s(heard_s) + CORRECTION_TAKES_S, by_us));
    }

    fn look(&self, state: FollowState) -> FollowLook {
        let at_s = self.programme_s(state.heard_s) - WINDOW_S;
        let reference = state.reference_s.map_or(at_s, |heard_s| self.programme_s(heard_s));
        let true_drift_us = self.delay_us(at_s) - self.delay_us(reference);
        FollowLook { at_s, true_drift_us, state }
    }
}

/// Two real loudspeakers, 2 m and 2.3 m away.
fn room(scenario: &FollowScenario) -> Vec<Vec<f32>> {
    let mut room = RoomSpec::with_distances(&[2.0, 2.3], scenario.rt60_s, scenario.seed);
    let mut rng = Rng::new(scenario.seed).fork(3);
    let model = Loudspeaker::random_model(&mut rng);
    for speaker in &mut room.loudspeakers {
        *speaker = Loudspeaker { place_m: speaker.place_m, aim: speaker.aim, ..model.clone() };
    }
    responses(&room)
}

fn silence(samples: &mut [f32], channels: usize, seconds: &Range<f64>) {
    let place = |s: f64| ((s * RATE) as usize * channels).min(samples.len());
    let (begin, end) = (place(seconds.start), place(seconds.end));
    samples[begin..end].fill(0.0);
}

/// The value between samples: a windowed sinc of 24 taps.
struct Between {
    table: Vec<[f32; TAPS]>,
}

const TAPS: usize = 24;
const PHASES: usize = 2_048;

impl Between {
    fn new() -> Self {
        let tap = |phase: usize, k: usize| {
            let x = k as f64 - (TAPS / 2 - 1) as f64 - phase as f64 / PHASES as f64;
            let sinc = if x.abs() < 1e-12 {
                1.0
            } else {
                (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x)
            };
            let window = (std::f64::consts::FRAC_PI_2 * (x / (TAPS / 2) as f64).clamp(-1.0, 1.0)).cos();
            (sinc * window) as f32
        };
        Self { table: (0..=PHASES).map(|p| std::array::from_fn(|k| tap(p, k))).collect() }
    }

    fn at(&self, samples: &[f32], place: f64) -> f32 {
        let whole = place.floor();
        let taps = &self.table[((place - whole) * PHASES as f64).round() as usize];
        let first = whole as i64 - (TAPS / 2 - 1) as i64;
        match usize::try_from(first).ok().and_then(|first| samples.get(first..first + TAPS)) {
            Some(around) => around.iter().zip(taps).map(|(x, w)| x * w).sum(),
            None => 0.0,
        }
    }
}

/// One row of a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FollowRow {
    /// Seconds of microphone until the follower was sure for the first time.
    pub sure_after_s: Option<f64>,
    /// Stated less true drift 60 s into the programme.
    pub error_at_60_s_us: f64,
    /// Half the stated 95 % interval then.
    pub stated_us: f64,
    /// The greatest error while sure.
    pub worst_us: f64,
    /// Per cent of the looks while sure whose interval held.
    pub covered: f64,
    /// Per cent of all looks after the first 15 s that were sure.
    pub sure: f64,
}

impl FollowRow {
    /// What came of it.
    pub fn new(looks: &[FollowLook]) -> Self {
        let sure: Vec<&FollowLook> = looks.iter().filter(|l| l.state.certainty == Certainty::Sure).collect();
        let late: Vec<&FollowLook> = looks.iter().filter(|l| l.state.heard_s > 15.0).collect();
        let at_60 = looks.iter().find(|l| l.at_s >= 60.0).or(looks.last());
        let share = |part: usize, all: usize| 100.0 * part as f64 / all.max(1) as f64;
        Self {
            sure_after_s: sure.first().map(|l| l.state.heard_s),
            error_at_60_s_us: at_60.map_or(0.0, FollowLook::error_us),
            stated_us: at_60.map_or(0.0, |l| l.state.drift_us.half_95()),
            worst_us: sure.iter().map(|l| l.error_us().abs()).fold(0.0, f64::max),
            covered: share(sure.iter().filter(|l| l.holds()).count(), sure.len()),
            sure: share(late.iter().filter(|l| l.state.certainty == Certainty::Sure).count(), late.len()),
        }
    }
}

/// A table of rows with their names.
pub fn table(rows: &[(String, FollowRow)]) -> String {
    let mut out = format!(
        "{:34} {:>7} {:>9} {:>9} {:>7} {:>8} {:>6}\n",
        "", "sure s", "error us", "stated us", "worst", "covered", "sure"
    );
    for (name, r) in rows {
        let sure = r.sure_after_s.map_or("never".to_owned(), |s| format!("{s:.1}"));
        let _ = writeln!(
            out,
            "{name:34} {sure:>7} {:9.1} {:9.1} {:7.1} {:7.0}% {:5.0}%",
            r.error_at_60_s_us, r.stated_us, r.worst_us, r.covered, r.sure
        );
    }
    out
}
