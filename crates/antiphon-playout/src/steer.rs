//! The phase loop: from how far the sound is off the line to the resampling step.
//!
//! The line's own slope is fed forward; a type-2 loop adds what the phase error asks for. It has
//! three bandwidths (see [`Stage`]): the wide ones pull in what a start leaves, at most at 300 ppm,
//! which is half a cent and not heard; the narrow one holds. There is no dead band.
//!
//! Targets are estimates, and each moves by some noise. At 15 kHz a timing jitter of 10 ps rms is
//! already -120 dB, so in the fine stage the step passes two low-pass filters and a slew limit: the
//! noise that is left is slow, and what is slow is neither heard nor, at 0.1 us, of any harm.

use std::f64::consts::TAU;

use crate::telemetry::Stage;

/// The most that the loop adds to the line's slope.
const MOST_TRIM: f64 = 300e-6;
/// The most that the integrator holds: what a settling estimate of two crystals can be wrong by.
const MOST_INTEGRAL: f64 = 100e-6;
/// In the fine stage the step changes at most by 4e-9 in 5 ms, ...
const SLEW_PER_S: f64 = 0.8e-6;
/// ... and so much faster per second of error that the limit never bends the loop's own response:
/// the steepest change that a step of the error makes behind both filters.
const SLEW_PER_ERROR: f64 = 0.4;

/// An error below this for [`SETTLED_S`] ends the fast stage.
const FAST_DONE_S: f64 = 10e-6;
const SETTLED_S: f64 = 0.15;
/// An error above this needs the fast stage.
const FAST_NEEDED_S: f64 = 100e-6;
/// The medium stage lasts at least so long, for clocks to settle and the integrator to learn.
const MEDIUM_LASTS_S: f64 = 4.0;
/// A smoothed error below this lets the fine stage begin; above the second, it must end.
const FINE_DONE_S: f64 = 4e-6;
const FINE_LOST_S: f64 = 15e-6;

/// What differs between the stages.
struct Constants {
    /// Proportional gain, 1/s: 2 pi times the bandwidth.
    proportional: f64,
    /// Integral gain, 1/s^2: a sixth of the proportional one squared, a damping of 1.2, which
    /// leaves room for the filters' own lag.
    integral: f64,
    /// Time constant of each of the two filters of the trim.
    smooth_s: f64,
    /// Time constant of the filter of the line's slope.
    forward_s: f64,
    /// Time constant over which the error is judged.
    judge_s: f64,
}

fn constants(stage: Stage) -> Constants {
    let (bandwidth_hz, smooth_s, forward_s, judge_s) = match stage {
        Stage::Fast => (10.0, 0.0, 0.0, 0.02),
        Stage::Medium => (1.0, 0.02, 0.05, 0.2),
        Stage::Fine => (0.05, 0.3, 0.5, 0.3),
    };
    let proportional = TAU * bandwidth_hz;
    // In the fast stage there is no integrator: a start's error says nothing about the rates.
    let integral = if stage == Stage::Fast { 0.0 } else { proportional * proportional / 6.0 };
    Constants { proportional, integral, smooth_s, forward_s, judge_s }
}

/// The loop's memory.
#[derive(Debug, Clone)]
pub(crate) struct Steer {
    stage: Stage,
    in_stage_s: f64,
    settled_s: f64,
    judged: f64,
    integral: f64,
    forward: Option<f64>,
    smoothed: [f64; 2],
    step: f64,
}

impl Steer {
    pub(crate) fn new() -> Self {
        Self {
            stage: Stage::Fast,
            in_stage_s: 0.0,
            settled_s: 0.0,
            judged: 0.0,
            integral: 0.0,
            forward: None,
            smoothed: [0.0; 2],
            step: 1.0,
        }
    }

    /// Sound begins, or jumps, to the line: the error begins again at nothing. What was learnt
    /// about the rates stays.
    pub(crate) fn restart(&mut self) {
        *self = Self { integral: self.integral, smoothed: [self.integral; 2], ..Self::new() };
    }

    /// The step to begin with on a line of slope `forward`.
    pub(crate) fn first_step(&self, forward: f64) -> f64 {
        forward * (1.0 + self.integral)
    }

    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    /// What the loop adds to the line's slope, as a ratio.
    pub(crate) fn trim(&self) -> f64 {
        self.smoothed[1]
    }

    /// The step to reach after the next `dt` seconds, media frames per DAC frame, when the sound is
    /// `error` seconds ahead of a line of slope `forward`.
    pub(crate) fn update(&mut self, error: f64, forward: f64, trusted: bool, dt: f64) -> f64 {
        self.judge(error, trusted, dt);
        let c = constants(self.stage);
        let asked = -c.proportional * error + self.integral;
        if asked.abs() < MOST_TRIM {
            let learnt = self.integral - c.integral * error * dt;
            self.integral = learnt.clamp(-MOST_INTEGRAL, MOST_INTEGRAL);
        }
        let asked = asked.clamp(-MOST_TRIM, MOST_TRIM);
        self.smoothed[0] += share(dt, c.smooth_s) * (asked - self.smoothed[0]);
        self.smoothed[1] += share(dt, c.smooth_s) * (self.smoothed[0] - self.smoothed[1]);
        let known = self.forward.unwrap_or(forward);
        let known = known + share(dt, c.forward_s) * (forward - known);
        let first = self.forward.replace(known).is_none();
        let wanted = known * (1.0 + self.smoothed[1]);
        self.step = if first || self.stage != Stage::Fine { wanted } else { self.slewed(wanted, dt) };
        self.step
    }

    fn slewed(&self, wanted: f64, dt: f64) -> f64 {
        let most = (SLEW_PER_S + SLEW_PER_ERROR * self.judged.abs()) * dt * self.step;
        self.step + (wanted - self.step).clamp(-most, most)
    }

    fn judge(&mut self, error: f64, trusted: bool, dt: f64) {
        self.in_stage_s += dt;
        self.judged += share(dt, constants(self.stage).judge_s) * (error - self.judged);
        let off = self.judged.abs();
        self.settled_s = if off < FAST_DONE_S { self.settled_s + dt } else { 0.0 };
        let next = match self.stage {
            Stage::Fast if self.settled_s >= SETTLED_S => Stage::Medium,
            Stage::Medium | Stage::Fine if off > FAST_NEEDED_S => Stage::Fast,
            Stage::Medium if trusted && self.in_stage_s > MEDIUM_LASTS_S && off < FINE_DONE_S => Stage::Fine,
            Stage::Fine if off > FINE_LOST_S => Stage::Medium,
            same => same,
        };
        if next != self.stage {
            self.stage = next;
            self.in_stage_s = 0.0;
        }
    }
}

/// How much of the way a first-order low-pass of time constant `tau` goes in `dt`.
fn share(dt: f64, tau: f64) -> f64 {
    dt / (dt + tau)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DT: f64 = 256.0 / 48_000.0;

    /// A clock 1 + `off` fast that starts `error` s ahead, whose Targets carry noise from `noise`
    /// at 10 Hz. Calls `see(t, true error, step)` for every block.
    fn run(
        seconds: f64,
        mut error: f64,
        off: f64,
        mut noise: impl FnMut(f64) -> f64,
        mut see: impl FnMut(f64, f64, f64, Stage),
    ) {
        let (mut steer, mut said, mut next) = (Steer::new(), 0.0, 0.0);
        let (mut t, mut before) = (0.0, 1.0);
        while t < seconds {
            if t >= next {
                said = noise(t);
                next += 0.1;
            }
            let step = steer.update(error + said, 1.0, t > 1.0, DT);
            // The step is ramped over the block, so its mean counts.
            error += ((step + before) / 2.0 - 1.0 - off) * DT;
            before = step;
            t += DT;
            see(t, error, step, steer.stage());
        }
    }

    /// Gaussian enough: the sum of four uniform numbers, with the deviation asked for.
    fn gauss(seed: &mut u64, sd: f64) -> f64 {
        let mut uniform = || {
            *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (*seed >> 33) as f64 / f64::from(1u32 << 31) - 0.5
        };
        (uniform() + uniform() + uniform() + uniform()) * sd * 3f64.sqrt()
    }

    #[test]
    fn eighty_microseconds_are_pulled_in_within_half_a_second_and_never_faster_than_300_ppm() {
        for start in [80e-6, -80e-6] {
            run(
                3.0,
                start,
                0.0,
                |_| 0.0,
                |t, error, step, _| {
                    assert!((step - 1.0).abs() <= 300.1e-6);
                    assert!(t < 0.5 || error.abs() < 5e-6, "{t} {error}");
                },
            );
        }
    }

    #[test]
    fn white_target_noise_of_300_ns_leaves_nanosecond_ratio_steps_and_a_tenth_of_its_phase() {
        let (mut seed, mut phase, mut change, mut n, mut before) = (1, 0.0, 0.0, 0.0, 1.0);
        run(
            120.0,
            20e-6,
            2e-6,
            |_| gauss(&mut seed, 0.3e-6),
            |t, error, step, stage| {
                if t > 60.0 {
                    assert_eq!(stage, Stage::Fine);
                    phase += error * error;
                    change += (step - before) * (step - before);
                    n += 1.0;
                }
                before = step;
            },
        );
        let (phase, change): (f64, f64) = ((phase / n).sqrt(), (change / n).sqrt());
        println!("phase {:.1} ns rms, ratio {:.2} ppb rms per block", phase * 1e9, change * 1e9);
        assert!(phase < 0.2e-6 && change < 2e-9, "{phase} {change}");
    }

    #[test]
    fn the_integrator_finds_a_rate_that_the_line_does_not_know() {
        run(
            60.0,
            0.0,
            5e-6,
            |_| 0.0,
            |t, error, _, _| {
                assert!(t < 30.0 || error.abs() < 100e-9, "{t} {error}");
            },
        );
    }

    #[test]
    fn a_warm_up_of_3_ppm_in_5_minutes_leaves_less_than_a_microsecond() {
        // The rate changes by 10 ppb a second and the line knows nothing of it.
        let mut worst = 0.0f64;
        run(
            120.0,
            0.0,
            0.0,
            |t| 0.5e-8 * t * t,
            |t, error, _, _| {
                worst = worst.max((error + 0.5e-8 * t * t).abs());
            },
        );
        assert!(worst < 2e-6, "{worst}");
    }

    #[test]
    fn early_noise_of_20_us_is_ridden_out_and_the_fine_stage_reached_when_it_ends() {
        let mut seed = 7;
        let mut reached = f64::MAX;
        run(
            30.0,
            50e-6,
            1e-6,
            |t| gauss(&mut seed, if t < 1.0 { 20e-6 } else { 0.5e-6 }),
            |t, error, _, stage| {
                assert!(t < 0.6 || error.abs() < 60e-6, "{t} {error}");
                assert!(t < 2.5 || error.abs() < 5e-6, "{t} {error}");
                if stage == Stage::Fine {
                    reached = reached.min(t);
                }
            },
        );
        assert!(reached < 8.0, "{reached}");
    }

    #[test]
    fn an_error_that_comes_in_the_fine_stage_is_not_met_with_ringing() {
        for jump in [3e-6, 12e-6, 40e-6, 400e-6] {
            let mut lowest = 0.0f64;
            run(
                90.0,
                0.0,
                0.0,
                |t| if t > 20.0 { jump } else { 0.0 },
                |t, error, _, _| {
                    lowest = lowest.min(error + jump);
                    assert!(t < 80.0 || (error + jump).abs() < 0.05 * jump, "{jump} {t} {error}");
                },
            );
            assert!(lowest > -0.35 * jump, "{jump}: overshoot {lowest}");
        }
    }
}
