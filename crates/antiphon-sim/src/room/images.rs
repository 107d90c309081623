//! The first tenth of a second: one image of the loudspeaker for every way that sound takes
//! (Allen and Berkley, J. Acoust. Soc. Am. 65, 1979), each with its own filter.

use realfft::num_complex::Complex;

use super::RATE;
use super::geometry::{RoomSpec, SOUND_M_S, Table, Vector, distance};
use super::loudspeaker::{Loudspeaker, cosine};
use super::spectrum::{BINS, Spectrum, Stamp, bin_hz};
use crate::rng::Rng;

/// Ways that take longer than this belong to the tail. By then some thousand images have arrived, several
/// in every millisecond, and no estimator that looks for the direct sound looks there.
const JOIN_S: f64 = 0.1;
/// In this time the images give way to the tail.
const FADE_S: f64 = 0.02;
/// Walls are not plane: images of second and higher order stand this much beside their place. Without it the
/// images of a box line up and sing (De Sena et al., IEEE/ACM Trans. Audio 23, 2015).
const UNEVEN_M: f64 = 0.05;
/// Steps of the cosine in which the loudspeaker's sides are tabled for images.
const SIDES: usize = 32;

/// A response whose tail may be missing.
pub struct Response {
    /// As long as the whole of it.
    pub samples: Vec<f32>,
    /// The images give way to the tail from here.
    pub join: usize,
    /// For this many samples.
    pub fade: usize,
}

/// The ways through one room.
pub struct Paths<'a> {
    room: &'a RoomSpec,
    /// For each axis what the walls do to each image.
    axes: [Vec<Mirror>; 3],
}

/// The images along one axis that are `n` reflections away.
struct Mirror {
    n: i64,
    filter: Spectrum,
}

impl<'a> Paths<'a> {
    pub fn new(room: &'a RoomSpec) -> Self {
        let air_m = room.free_path_m();
        let reflections: Vec<Spectrum> = room.surfaces.iter().map(|s| s.reflection(air_m)).collect();
        let axis = |axis: usize| {
            let most = (reach_m() / room.size_m[axis].max(0.5)).ceil() as i64 + 1;
            let filter = |n: i64| {
                let (far, near) = (n.unsigned_abs().div_ceil(2) as i32, (n.unsigned_abs() / 2) as i32);
                let (low, high) = if n >= 0 { (near, far) } else { (far, near) };
                let walls = [&reflections[2 * axis], &reflections[2 * axis + 1]];
                (0..BINS).map(|bin| walls[0][bin].powi(low) * walls[1][bin].powi(high)).collect()
            };
            (-most..=most).map(|n| Mirror { n, filter: filter(n) }).collect()
        };
        Self { room, axes: std::array::from_fn(axis) }
    }

    /// The direct sound alone, in a response as long as that of the room.
    pub fn direct(&self, loudspeaker: &Loudspeaker) -> Response {
        let mut response = self.silence(loudspeaker);
        let far = distance(loudspeaker.place_m, self.room.microphone_m);
        let side = loudspeaker.directivity.spectrum(loudspeaker.cosine_to(self.room.microphone_m));
        stamp(&mut Stamp::new(), &mut response, loudspeaker, far, 1.0, &[&side]);
        response
    }

    /// Direct sound and images, with a loudspeaker that is perfect but for its sides and its delay.
    pub fn early(&self, loudspeaker: &Loudspeaker) -> Response {
        let mut response = self.direct(loudspeaker);
        if let Some(table) = &self.room.table {
            self.bounce(&mut response, loudspeaker, table);
        }
        let sides: Vec<Spectrum> = (0..=SIDES)
            .map(|i| loudspeaker.directivity.spectrum(i as f64 / SIDES as f64 * 2.0 - 1.0))
            .collect();
        let mut rng = Rng::new(self.room.seed).fork(loudspeaker.place_m[0].to_bits());
        let mut tool = Stamp::new();
        for x in &self.axes[0] {
            for y in &self.axes[1] {
                for z in &self.axes[2] {
                    self.image(&mut response, loudspeaker, [x, y, z], &sides, &mut rng, &mut tool);
                }
            }
        }
        response
    }

    fn image(
        &self,
        response: &mut Response,
        loudspeaker: &Loudspeaker,
        mirrors: [&Mirror; 3],
        sides: &[Spectrum],
        rng: &mut Rng,
        tool: &mut Stamp,
    ) {
        let order: i64 = mirrors.iter().map(|m| m.n.abs()).sum();
        if order == 0 {
            return;
        }
        let uneven = if order > 1 { UNEVEN_M } else { 0.0 };
        let place: Vector = std::array::from_fn(|i| {
            mirrored(loudspeaker.place_m[i], self.room.size_m[i], mirrors[i].n) + rng.between(-uneven, uneven)
        });
        let far = distance(place, self.room.microphone_m);
        let gain = fade_out(far / SOUND_M_S);
        if gain <= 0.0 {
            return;
        }
        let turned = |i: usize| if mirrors[i].n % 2 == 0 { 1.0 } else { -1.0 };
        let aim: Vector = std::array::from_fn(|i| loudspeaker.aim[i] * turned(i));
        let way: Vector = std::array::from_fn(|i| self.room.microphone_m[i] - place[i]);
        let side = &sides[((cosine(aim, way) + 1.0) * 0.5 * SIDES as f64).round() as usize];
        let [x, y, z] = mirrors.map(|m| &m.filter);
        stamp(tool, response, loudspeaker, far, gain, &[x, y, z, side]);
    }

    /// The one reflection at the table that comes straight from the loudspeaker.
    fn bounce(&self, response: &mut Response, loudspeaker: &Loudspeaker, table: &Table) {
        let [x, y, z] = self.room.microphone_m;
        if loudspeaker.place_m[2] <= z - table.below_m {
            return;
        }
        let below = [x, y, z - 2.0 * table.below_m];
        let far = distance(loudspeaker.place_m, below);
        let side = loudspeaker.directivity.spectrum(loudspeaker.cosine_to(below));
        let limit_hz = table.limit_hz((loudspeaker.place_m[2] - below[2]) / far);
        let small = |bin: usize| {
            let x = Complex::new(0.0, bin_hz(bin) / limit_hz);
            x / (x + 1.0)
        };
        let small: Spectrum = (0..BINS).map(small).collect();
        stamp(&mut Stamp::new(), response, loudspeaker, far, table.reflects, &[&side, &small]);
    }

    fn silence(&self, loudspeaker: &Loudspeaker) -> Response {
        let direct_s = distance(loudspeaker.place_m, self.room.microphone_m) / SOUND_M_S;
        let dies_s = self.room.rt60_s().iter().fold(JOIN_S + FADE_S, |a, &b| a.max(b));
        let frames = |s: f64| (s * RATE).round() as usize;
        Response {
            samples: vec![0.0; frames(loudspeaker.delay_s + direct_s + dies_s)],
            join: frames(loudspeaker.delay_s + JOIN_S),
            fade: frames(FADE_S),
        }
    }
}

fn reach_m() -> f64 {
    (JOIN_S + FADE_S) * SOUND_M_S
}

fn fade_out(after_s: f64) -> f64 {
    let x = ((after_s - JOIN_S) / FADE_S).clamp(0.0, 1.0);
    if x >= 1.0 { 0.0 } else { (x * std::f64::consts::FRAC_PI_2).cos() }
}

fn mirrored(place: f64, length: f64, n: i64) -> f64 {
    n as f64 * length + if n % 2 == 0 { place } else { length - place }
}

fn stamp(
    tool: &mut Stamp,
    response: &mut Response,
    loudspeaker: &Loudspeaker,
    far_m: f64,
    gain: f64,
    filters: &[&Spectrum],
) {
    let at = far_m / SOUND_M_S * RATE + loudspeaker.delay_frames();
    // Closer than a hand's breadth a loudspeaker is no point.
    tool.add(&mut response.samples, at, gain / far_m.max(0.1), filters);
}
