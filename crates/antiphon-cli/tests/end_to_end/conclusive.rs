//! Tests of what takes its time, on machines that may stand still.
//!
//! Only what the witness saw excuses anything: a test that fails while the machine ran is a failure, at once. One that
//! fails while it stood still says nothing, and is tried again.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use antiphon_net::witness::{Stall, Witness};

/// How often a test is tried before nothing is said.
const TRIES: usize = 2;

/// A machine that does its work has done all tests long before; after this nothing is tried again, so that a bad one
/// ends too.
const LONG_RUN: Duration = Duration::from_secs(15 * 60);

/// A stall that no buffer of a tenth of a second survives, with what is due besides.
const LONG_S: f64 = 0.05;

/// The share of its time that a core of a machine which does its work may be late, all stalls together.
const BUSY: f64 = 0.02;

/// Runs a test; a failure while the machine stood still is none.
pub fn unless_the_machine_stands_still(test: impl Fn()) {
    let tries = if running_for() > LONG_RUN { 1 } else { TRIES };
    for _ in 0..tries {
        let (witness, begin) = (Witness::start().unwrap(), Instant::now());
        let Err(failure) = catch_unwind(AssertUnwindSafe(&test)) else { return };
        let stalls = witness.stop();
        if !stood_still(&stalls, begin.elapsed().as_secs_f64()) {
            resume_unwind(failure);
        }
        eprintln!(
            "the machine stood still {} times, the longest for {:.2} s",
            stalls.len(),
            longest(&stalls)
        );
    }
    eprintln!("INCONCLUSIVE: this machine stood still in every try");
}

fn running_for() -> Duration {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    BEGAN.get_or_init(Instant::now).elapsed()
}

fn seconds(stall: &Stall) -> f64 {
    (stall.end_ns - stall.begin_ns) as f64 / 1e9
}

fn longest(stalls: &[Stall]) -> f64 {
    stalls.iter().map(seconds).fold(0.0, f64::max)
}

fn stood_still(stalls: &[Stall], run_s: f64) -> bool {
    let of_core = |cpu| stalls.iter().filter(|stall| stall.cpu == cpu).map(seconds).sum::<f64>();
    longest(stalls) > LONG_S || stalls.iter().any(|stall| of_core(stall.cpu) > BUSY * run_s)
}

#[test]
fn a_failure_on_a_machine_that_runs_is_a_failure() {
    let stall = |begin_ms: i64, ms: i64, cpu| Stall {
        begin_ns: begin_ms * 1_000_000,
        end_ns: (begin_ms + ms) * 1_000_000,
        cpu,
    };
    assert!(!stood_still(&[], 10.0));
    assert!(!stood_still(&[stall(0, 40, 0), stall(500, 40, 0), stall(700, 40, 0), stall(900, 40, 1)], 10.0));
    assert!(stood_still(&[stall(0, 51, 1)], 10.0));
    let many: Vec<Stall> = (0..30).map(|n| stall(n * 100, 7, 0)).collect();
    assert!(stood_still(&many, 10.0) && !stood_still(&many, 11.0));
}
