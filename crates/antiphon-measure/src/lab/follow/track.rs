//! Where both sounds lie: a Kalman filter over lag and delay and their rates.
//!
//! State: the common lag `a` and its rate (the microphone's clock), the delay of right against left
//! `d` and its rate (the speakers' drift). Left sounds at `a - d/2`, right at `a + d/2`.

const STATES: usize = 4;
type Vector = [f64; STATES];
type Matrix = [[f64; STATES]; STATES];

/// How a shift of left and of right follows from the state.
const LEFT: Vector = [1.0, 0.0, -0.5, 0.0];
const RIGHT: Vector = [1.0, 0.0, 0.5, 0.0];

/// A microphone's clock wanders with temperature: 0.05 ppm within a second, 0.4 ppm in a minute.
const CLOCK_WANDER: f64 = 0.05 * 0.05;
/// How fast the rate of drift may change: 0.02 us/s within a second, 0.15 us/s in a minute.
const DRIFT_WANDER: f64 = 0.02 * 0.02;
/// Steps too small to be seen as jumps: players that hold a clock by inserting and dropping.
const DELAY_WANDER: f64 = 0.15 * 0.15;
/// What drift is likely at all: 3 us/s is two free-running crystals 3 ppm apart.
const DRIFT_LIKELY: f64 = 3.0;
/// Innovations beyond this many deviations count as this many.
const GATE: f64 = 4.0;
/// Windows over which the claimed variances are compared with what comes.
const STRETCH_MEMORY: f64 = 40.0;

// What the filter cannot see, because the model is wrong in the same way window after window: its own
// deviation soon is 1 us, while errors are up to 45 us. Fitted to 52 runs of 65 s (two pieces, drifts
// of -1 to 5 us/s, 15 and 25 dB). In 24 runs with other music and rooms all 95 % intervals held while
// the follower was sure: errors there lean one way for a whole run, so that fewer would be too few.
// `antiphon-sim`'s example `follow` measures it again.

/// What left and right have in common holds the delay back where the model was learned: so much of
/// what was drifted, by one standard deviation if all is common ...
const HELD_BACK: f64 = 0.5;
/// ... and as if so much more were common: a fit's noise does the same ...
const HELD_BACK_ALWAYS: f64 = 0.1;
/// ... up to where phases of the upper band have turned so far that nothing holds them.
const HELD_BACK_MOST_US: f64 = 60.0;

/// While the model is new it learns part of the drift as if it were the room: that of so many seconds ...
const EARLY_S: f64 = 4.0;
/// ... and its first windows are few.
const REFERENCE_US: f64 = 5.0;
/// What the sound of one renewal may be laid wrong by, however sure the track is.
const RENEWAL_SD_US: f64 = 1.5;

/// What one window told of the shifts of left and right against the model.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Shifts {
    /// Inverse covariance, in 1/us^2.
    pub information: [[f64; 2]; 2],
    /// Inverse covariance times the shifts.
    pub vector: [f64; 2],
}

/// The filter. Times in seconds, places in microseconds.
#[derive(Debug, Clone)]
pub(super) struct Track {
    x: Vector,
    p: Matrix,
    /// How much wider the innovations are than claimed, as a factor of variance.
    stretch: f64,
    /// What of the delay came in steps.
    stepped: f64,
    /// Variance of where the model's windows were laid, which no later window can tell.
    laid: f64,
}

impl Track {
    /// Starts at a lag and a clock; the model's reference lies `since_s` ago on average.
    pub(super) fn new(lag_us: f64, ppm: [f64; 2], since_s: f64, reference_sd_us: f64) -> Self {
        let [ppm, ppm_sd] = ppm;
        let mut p = [[0.0; STATES]; STATES];
        for (i, rate_sd) in [(0, ppm_sd), (2, DRIFT_LIKELY)] {
            p[i][i] = reference_sd_us.powi(2) + (rate_sd * since_s).powi(2);
            p[i][i + 1] = rate_sd.powi(2) * since_s;
            p[i + 1][i] = p[i][i + 1];
            p[i + 1][i + 1] = rate_sd.powi(2);
        }
        Self { x: [lag_us, ppm, 0.0, 0.0], p, stretch: 2.0, stepped: 0.0, laid: 0.0 }
    }

    pub(super) fn lag_us(&self) -> f64 {
        self.x[0]
    }

    pub(super) fn delay_us(&self) -> f64 {
        self.x[2]
    }

    /// Microphone's clock in ppm, with its deviation.
    pub(super) fn clock(&self) -> (f64, f64) {
        (self.x[1], self.p[1][1].sqrt())
    }

    /// Delay since the reference, with its deviation; `common` is what both channels share, 0 to 1.
    pub(super) fn delay(&self, common: f64) -> (f64, f64) {
        let drifted = (self.x[2] - self.stepped).abs().min(HELD_BACK_MOST_US);
        let reference = REFERENCE_US.hypot(EARLY_S * self.x[3]).hypot(self.laid.sqrt());
        let sd = self.p[2][2].sqrt().hypot(held_back(common) * drifted).hypot(reference);
        (self.x[2], sd)
    }

    /// Rate of drift, with its deviation.
    pub(super) fn rate(&self, common: f64) -> (f64, f64) {
        (self.x[3], self.p[3][3].sqrt().hypot(held_back(common) * self.x[3]))
    }

    /// Deviation of the worse known of left and right.
    pub(super) fn place_sd_us(&self) -> f64 {
        let sd = |h| dot(&h, &self.times(&h)).max(0.0).sqrt();
        sd(LEFT).max(sd(RIGHT))
    }

    /// Lets `seconds` pass.
    pub(super) fn predict(&mut self, seconds: f64) {
        let t = seconds;
        for i in [0, 2] {
            self.x[i] += self.x[i + 1] * t;
            for j in 0..STATES {
                self.p[i][j] += t * self.p[i + 1][j];
            }
        }
        for i in [0, 2] {
            for j in 0..STATES {
                self.p[j][i] += t * self.p[j][i + 1];
            }
        }
        for (i, q) in [(0, CLOCK_WANDER), (2, DRIFT_WANDER)] {
            self.p[i][i] += q * t.powi(3) / 3.0;
            self.p[i][i + 1] += q * t.powi(2) / 2.0;
            self.p[i + 1][i] += q * t.powi(2) / 2.0;
            self.p[i + 1][i + 1] += q * t;
        }
        self.p[2][2] += DELAY_WANDER * t;
    }

    /// Takes in what a window told.
    pub(super) fn update(&mut self, shifts: &Shifts) {
        let before = self.x;
        let shift = |x: &Vector, h: &Vector| dot(h, x) - dot(h, &before);
        for (information, direction) in axes(shifts.information) {
            if information < 1e-9 {
                continue;
            }
            let [u, v] = direction;
            let observed = (u * shifts.vector[0] + v * shifts.vector[1]) / information;
            let h: Vector = std::array::from_fn(|i| u * LEFT[i] + v * RIGHT[i]);
            let expected = u * shift(&self.x, &LEFT) + v * shift(&self.x, &RIGHT);
            self.absorb(&h, observed - expected, 1.0 / information);
        }
    }

    fn absorb(&mut self, h: &Vector, innovation: f64, variance: f64) {
        let ph = self.times(h);
        let total = dot(h, &ph) + variance * self.stretch;
        let ratio = innovation.powi(2) / (dot(h, &ph) + variance);
        self.stretch += (ratio.min(25.0) - self.stretch) / STRETCH_MEMORY;
        self.stretch = self.stretch.max(1.0);
        let limit = GATE * total.sqrt();
        let innovation = innovation.clamp(-limit, limit);
        let gain = ph.map(|x| x / total);
        add(&mut self.x, &gain, innovation);
        for (row, g) in self.p.iter_mut().zip(gain) {
            add(row, &ph, -g);
        }
        self.tidy();
    }

    /// Rounding must not make the matrix lopsided or its diagonal negative.
    fn tidy(&mut self) {
        for i in 0..STATES {
            for j in 0..i {
                let mean = 0.5 * (self.p[i][j] + self.p[j][i]);
                (self.p[i][j], self.p[j][i]) = (mean, mean);
            }
            self.p[i][i] = self.p[i][i].max(1e-12);
        }
    }

    /// The sides moved at once, known to `sd_us`.
    pub(super) fn jump(&mut self, left_us: f64, right_us: f64, sd_us: f64) {
        self.x[0] += 0.5 * (left_us + right_us);
        self.x[2] += right_us - left_us;
        self.stepped += right_us - left_us;
        for (moved, g) in [(left_us, [0.5, 0.0, -1.0, 0.0]), (right_us, [0.5, 0.0, 1.0, 0.0])] {
            if moved != 0.0 {
                self.loosen(&g, sd_us);
            }
        }
    }

    /// The right side is told to be later; nearly exactly so much.
    pub(super) fn corrected(&mut self, by_us: f64) {
        // The model lays left and right about their middle, which moves by half.
        self.x[0] += 0.5 * by_us;
        self.x[2] += by_us;
        self.stepped += by_us;
        self.loosen(&[0.5, 0.0, 1.0, 0.0], 0.02 * by_us.abs());
    }

    /// This share of the model was learned anew, from windows that were laid as surely as the delay is
    /// known: what it is measured against may have moved.
    pub(super) fn relearned(&mut self, share: f64) {
        self.laid += (share * self.p[2][2].sqrt()).powi(2);
        self.loosen(&[0.0, 0.0, 1.0, 0.0], share * RENEWAL_SD_US);
    }

    /// How far left and right have moved since `before`.
    pub(super) fn moved(&self, before: &Self) -> [f64; 2] {
        [LEFT, RIGHT].map(|h| dot(&h, &self.x) - dot(&h, &before.x))
    }

    /// A side may have moved by so much.
    fn loosen(&mut self, g: &Vector, sd_us: f64) {
        for (row, gi) in self.p.iter_mut().zip(g) {
            add(row, g, gi * sd_us.powi(2));
        }
    }

    fn times(&self, h: &Vector) -> Vector {
        self.p.map(|row| dot(&row, h))
    }
}

/// The part of a movement that the model may hold back.
fn held_back(common: f64) -> f64 {
    HELD_BACK * (common + HELD_BACK_ALWAYS)
}

/// `a` and `b` times `factor`.
fn add(a: &mut Vector, b: &Vector, factor: f64) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += b * factor);
}

fn dot(a: &Vector, b: &Vector) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Eigenvalues and eigenvectors of a symmetric 2 by 2 matrix.
pub(super) fn axes(m: [[f64; 2]; 2]) -> [(f64, [f64; 2]); 2] {
    let (a, b, d) = (m[0][0], 0.5 * (m[0][1] + m[1][0]), m[1][1]);
    let angle = 0.5 * (2.0 * b).atan2(a - d);
    let (s, c) = angle.sin_cos();
    let value = |u: f64, v: f64| a * u * u + 2.0 * b * u * v + d * v * v;
    [(value(c, s), [c, s]), (value(-s, c), [-s, c])]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One window that saw both sides exactly, each with variance 100 us^2.
    fn seen(left: f64, right: f64) -> Shifts {
        Shifts { information: [[0.01, 0.0], [0.0, 0.01]], vector: [0.01 * left, 0.01 * right] }
    }

    #[test]
    fn a_steady_drift_is_followed_without_lagging_behind() {
        let mut track = Track::new(0.0, [0.0, 3.0], 0.0, 1.0);
        for k in 1..=400 {
            track.predict(0.17);
            let t = 0.17 * f64::from(k);
            let (left, right) = (20.0 * t - t, 20.0 * t + t);
            let at = [track.lag_us() - 0.5 * track.delay_us(), track.lag_us() + 0.5 * track.delay_us()];
            track.update(&seen(left - at[0], right - at[1]));
        }
        assert!((track.delay(0.0).0 - 136.0).abs() < 1.0, "{:?}", track.delay(0.0));
        assert!((track.rate(0.0).0 - 2.0).abs() < 0.05, "{:?}", track.rate(0.0));
        assert!((track.clock().0 - 20.0).abs() < 0.2, "{:?}", track.clock());
    }

    #[test]
    fn what_tells_only_the_common_lag_leaves_the_delay_unknown() {
        let mut track = Track::new(0.0, [0.0, 3.0], 0.0, 1.0);
        for _ in 0..100 {
            track.predict(0.17);
            track.update(&Shifts { information: [[0.01, 0.01], [0.01, 0.01]], vector: [0.0; 2] });
        }
        assert!(track.delay(0.0).1 > 30.0, "{:?}", track.delay(0.0));
        assert!(track.clock().1 < 1.0, "{:?}", track.clock());
    }

    #[test]
    fn innovations_wider_than_claimed_widen_the_uncertainty() {
        let run = |size: f64| {
            let mut track = Track::new(0.0, [0.0, 3.0], 0.0, 1.0);
            for k in 0..200 {
                track.predict(0.17);
                let sign = if k % 2 == 0 { size } else { -size };
                track.update(&seen(sign, -sign));
            }
            track.place_sd_us()
        };
        assert!(run(40.0) > 1.5 * run(10.0), "{} {}", run(40.0), run(10.0));
    }
}
