//! A Kalman filter for a clock's phase, drift and change of drift.
//!
//! Oscillators wander slowly and change by a few parts per million while they warm up. The third
//! state follows such a change as a decaying slope (Singer, "Estimating optimal tracking filter
//! performance", IEEE AES-6, 1970), so a clock that warms up is tracked without the bias that a
//! constant-drift model has.

/// How the clock is expected to wander.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wander {
    /// White frequency noise, ns^2/s: phase wander that no drift explains.
    pub phase: f64,
    /// Random walk of the drift, (ns/s)^2/s.
    pub drift: f64,
    /// Standard deviation of the drift's slope in the long run, ns/s^2.
    pub slope_sd: f64,
    /// How long a slope lasts, s.
    pub slope_lasts_s: f64,
}

/// Phase in ns, drift in ns/s (ppb), slope of the drift in ns/s^2, and their covariance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Track {
    pub x: [f64; 3],
    pub p: [[f64; 3]; 3],
}

impl Track {
    /// A first guess: phase `x` known to `sd` each, drift and slope zero.
    pub fn new(phase: f64, phase_sd: f64, drift_sd: f64, slope_sd: f64) -> Self {
        let mut p = [[0.0; 3]; 3];
        p[0][0] = phase_sd * phase_sd;
        p[1][1] = drift_sd * drift_sd;
        p[2][2] = slope_sd * slope_sd;
        Self { x: [phase, 0.0, 0.0], p }
    }

    /// Moves the state `dt_s` seconds on.
    pub fn predict(&mut self, dt_s: f64, wander: &Wander) {
        let decay = (-dt_s / wander.slope_lasts_s).exp();
        let f = [[1.0, dt_s, dt_s * dt_s / 2.0], [0.0, 1.0, dt_s], [0.0, 0.0, decay]];
        self.x = times_vector(&f, &self.x);
        self.p = times_transposed(&times(&f, &self.p), &f);
        // Process noise of the random walks over dt; the slope's own is refreshed so that its
        // variance settles at slope_sd^2.
        let q = wander.drift;
        self.p[0][0] += wander.phase * dt_s + q * dt_s.powi(3) / 3.0;
        self.p[0][1] += q * dt_s * dt_s / 2.0;
        self.p[1][0] = self.p[0][1];
        self.p[1][1] += q * dt_s;
        self.p[2][2] += wander.slope_sd * wander.slope_sd * (1.0 - decay * decay);
    }

    /// Takes an observation of `h . x` that came out `innovation` above what was expected, with
    /// variance `r`.
    pub fn update(&mut self, h: [f64; 3], innovation: f64, r: f64) {
        let ph = times_vector(&self.p, &h);
        let s = r + (0..3).map(|i| h[i] * ph[i]).sum::<f64>();
        for i in 0..3 {
            self.x[i] += ph[i] / s * innovation;
            for j in 0..3 {
                self.p[i][j] -= ph[i] * ph[j] / s;
            }
        }
        self.tidy();
    }

    /// Standard deviation of the phase.
    pub fn phase_sd(&self) -> f64 {
        self.p[0][0].sqrt()
    }

    /// Standard deviation of the drift.
    pub fn drift_sd(&self) -> f64 {
        self.p[1][1].sqrt()
    }

    /// Rounding must not make the covariance lopsided or negative over days of updates.
    fn tidy(&mut self) {
        for i in 0..3 {
            self.p[i][i] = self.p[i][i].max(1e-9);
            for j in 0..i {
                let mean = (self.p[i][j] + self.p[j][i]) / 2.0;
                self.p[i][j] = mean;
                self.p[j][i] = mean;
            }
        }
    }
}

type Matrix = [[f64; 3]; 3];

fn times_vector(a: &Matrix, x: &[f64; 3]) -> [f64; 3] {
    std::array::from_fn(|i| a[i][0] * x[0] + a[i][1] * x[1] + a[i][2] * x[2])
}

fn times(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

fn times_transposed(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[j][k]).sum()))
}
