//! A recording of loudspeakers in a room, drawn from a seed.

use super::RATE;
use super::convolver::convolve;
use super::geometry::{RoomSpec, Table, Vector, distance};
use super::loudspeaker::Loudspeaker;
use super::microphone::Microphone;
use super::noise::Noise;
use super::surface::Surface;
use super::{oracle, responses};
use crate::rng::Rng;

/// Room, microphone, and when it was switched on.
#[derive(Debug, Clone, PartialEq)]
pub struct Scene {
    /// With the loudspeakers.
    pub room: RoomSpec,
    /// What records.
    pub microphone: Microphone,
    /// The recording begins this long before the loudspeakers are sent frame 0.
    pub before_s: f64,
    /// And ends this long after they were sent their last.
    pub after_s: f64,
    /// Of the loudspeakers' hiss.
    pub seed: u64,
}

/// One scene in seven has a table under its microphone.
const TABLES: f64 = 0.15;

impl Scene {
    /// Two loudspeakers in some room. Drawn evenly: reverberation time 0.2 to 0.8 s (mean of 500 Hz to
    /// 2 kHz), signal to noise 5 to 30 dB (see [`Microphone::snr_db`]), latency of one loudspeaker 0 to
    /// 300 ms more than the other's, microphone's clock +-200 ppm. Rooms of 20 to 170 m3 with six different
    /// materials; distances 1 to 5 m; loudspeakers up to 60 degrees off axis, of two models in three scenes of
    /// five, polarity turned in one loudspeaker of ten; levels +-4 dB; noise white, pink or a room's. In three scenes of twenty the
    /// microphone is 3 to 20 cm above a table, whose reflection comes less than a millisecond after the direct sound.
    pub fn random(seed: u64) -> Self {
        Self::random_with(seed, 2)
    }

    /// As [`random`](Self::random) with any number of loudspeakers, their latencies drawn evenly from 0 to 300 ms.
    pub fn random_with(seed: u64, loudspeakers: usize) -> Self {
        let mut rng = Rng::new(seed).fork(0x0A11);
        let mut room = random_room(&mut rng, seed);
        let shared = rng.chance(0.4).then(|| Loudspeaker::random_model(&mut rng));
        for _ in 0..loudspeakers {
            let model = shared.clone().unwrap_or_else(|| Loudspeaker::random_model(&mut rng));
            let delay_s = rng.between(0.0, 0.3);
            let loudspeaker = placed(model, &room, &mut rng);
            room.loudspeakers.push(Loudspeaker { delay_s, ..loudspeaker });
        }
        if loudspeakers == 2 {
            let first = usize::from(rng.chance(0.5));
            room.loudspeakers[first].delay_s = 0.0;
        }
        let microphone = random_microphone(&mut rng);
        Self { room, microphone, before_s: rng.between(0.2, 3.0), after_s: rng.between(0.1, 1.0), seed }
    }

    /// What the microphone records while each loudspeaker is sent its own of `sources`, at 48 kHz of the
    /// players' clock. Loudspeakers without a source are silent but for their hiss.
    pub fn record(&self, sources: &[Vec<f32>]) -> Vec<f32> {
        let before = (self.before_s * RATE) as usize;
        let longest = sources.iter().map(Vec::len).max().unwrap_or(0);
        let frames = before + longest + (self.after_s * RATE) as usize;
        let mut pressure = vec![0.0; frames];
        let mut rng = Rng::new(self.seed).fork(0x1155);
        for (i, (response, loudspeaker)) in
            responses(&self.room).iter().zip(&self.room.loudspeakers).enumerate()
        {
            let hiss = 10f64.powf(loudspeaker.hiss_dbfs / 20.0);
            let mut sent: Vec<f32> = (0..frames).map(|_| rng.normal(hiss) as f32).collect();
            let source = sources.get(i).map_or(&[][..], |s| s);
            sent[before..].iter_mut().zip(source).for_each(|(x, source)| *x += source);
            pressure.iter_mut().zip(convolve(&sent, response)).for_each(|(sum, x)| *sum += x);
        }
        self.microphone.record(&pressure)
    }

    /// The true delay of loudspeaker `b` against `a`: see [`oracle`].
    pub fn delay_us(&self, a: usize, b: usize) -> f64 {
        oracle::delay_us(&self.room, a, b)
    }
}

fn random_room(rng: &mut Rng, seed: u64) -> RoomSpec {
    let size_m = [rng.between(3.6, 8.0), rng.between(2.6, 6.5), rng.between(2.2, 3.3)];
    let surfaces = std::array::from_fn(|_| Surface::random(rng));
    let table = rng.chance(TABLES).then(|| Table {
        below_m: rng.between(0.03, 0.2),
        reflects: rng.between(0.5, 0.9),
        area_m2: rng.between(0.3, 1.6),
    });
    let height = if table.is_some() { (0.75, 1.0) } else { (0.5, 1.6) };
    let microphone_m = [
        rng.between(0.5, size_m[0] - 0.5),
        rng.between(0.5, size_m[1] - 0.5),
        rng.between(height.0, height.1),
    ];
    let mut room = RoomSpec { size_m, surfaces, microphone_m, table, loudspeakers: Vec::new(), seed };
    room.set_rt60(rng.between(0.2, 0.8));
    room
}

/// Somewhere 1 to 5 m away, 20 cm or more from the walls, looking past the microphone.
fn placed(model: Loudspeaker, room: &RoomSpec, rng: &mut Rng) -> Loudspeaker {
    let mut place_m: Vector = [0.0; 3];
    // Every room is longer than 3.6 m: from anywhere in it a good part of it is farther than 1 m.
    for _ in 0..1_000 {
        place_m = [
            rng.between(0.2, room.size_m[0] - 0.2),
            rng.between(0.2, room.size_m[1] - 0.2),
            rng.between(0.3, 1.9),
        ];
        if (1.0..5.0).contains(&distance(place_m, room.microphone_m)) {
            break;
        }
    }
    let way: Vector = std::array::from_fn(|i| room.microphone_m[i] - place_m[i]);
    let aim = turned(way, rng.between(-60.0, 60.0), rng.between(-15.0, 15.0));
    let inverted = rng.chance(0.1);
    Loudspeaker { place_m, aim, inverted, gain_db: rng.between(-4.0, 4.0), ..model }
}

/// Turned to the side, then tilted, by degrees.
fn turned(way: Vector, aside: f64, up: f64) -> Vector {
    let (sin, cos) = aside.to_radians().sin_cos();
    let flat = way[0].hypot(way[1]);
    let aside = [way[0] * cos - way[1] * sin, way[0] * sin + way[1] * cos];
    [aside[0], aside[1], way[2] + flat * up.to_radians().tan()]
}

fn random_microphone(rng: &mut Rng) -> Microphone {
    let noise = [Noise::White, Noise::Pink, Noise::Room][(rng.bits() % 3) as usize];
    Microphone {
        clock_ppm: rng.between(-200.0, 200.0),
        noise,
        snr_db: rng.between(5.0, 30.0),
        gain_control: None,
        peak_dbfs: rng.between(-24.0, -3.0),
        bits: if rng.chance(0.8) { 16 } else { 24 },
        seed: rng.bits(),
    }
}
