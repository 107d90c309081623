//! A witness of this machine's own stalls: what it saw, and nothing else, may excuse a bad figure.
//!
//! On each core a thread of ordinary priority sleeps one millisecond again and again and notes when
//! it got the core more than five milliseconds late: then the core, or the whole virtual machine,
//! was doing something else, and so may every other program's thread have waited.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use antiphon_base::{Span, Timestamp, True};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use crate::clock::{raw_now, sleep_until};

/// How long each thread sleeps at a time.
const NAP: Span = Span::from_ms(1);

/// How late a thread must wake to count as stalled: half the shortest buffer of a usual card.
const STALL: Span = Span::from_ms(5);

/// Stalls that are kept, an hour of the worst machine; later ones are only counted.
const MAX_STALLS: usize = 100_000;

/// A stretch of time in which one core did not run a thread that was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stall {
    /// When the thread was due, in nanoseconds of CLOCK_MONOTONIC_RAW.
    pub begin_ns: i64,
    /// When it ran.
    pub end_ns: i64,
    /// The core.
    pub cpu: usize,
}

/// One line of JSON.
impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { begin_ns, end_ns, cpu } = self;
        write!(f, "{{\"begin_ns\":{begin_ns},\"end_ns\":{end_ns},\"cpu\":{cpu}}}")
    }
}

/// A running witness; dropping it ends it.
#[derive(Debug)]
pub struct Witness {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    stalls: Mutex<Vec<Stall>>,
    /// Stalls beyond those kept.
    more: AtomicU64,
}

impl Witness {
    /// Starts a thread on every core that this process may use.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start() -> std::io::Result<Self> {
        let mut witness = Self { shared: Arc::default(), threads: Vec::new() };
        for cpu in cpus() {
            let shared = Arc::clone(&witness.shared);
            let name = format!("witness-{cpu}");
            let thread = std::thread::Builder::new().name(name).stack_size(64 * 1_024);
            witness.threads.push(thread.spawn(move || watch(cpu, &shared))?);
        }
        Ok(witness)
    }

    /// All stalls so far, by their beginning. Stalls of different cores may overlap.
    pub fn stalls(&self) -> Vec<Stall> {
        let mut stalls = self.shared.lock().clone();
        stalls.sort_unstable();
        stalls
    }

    /// Stalls so far, including those beyond the 100,000 that are kept.
    pub fn count(&self) -> u64 {
        self.shared.lock().len() as u64 + self.shared.more.load(Ordering::Relaxed)
    }

    /// Ends it and returns what it saw.
    pub fn stop(self) -> Vec<Stall> {
        self.stalls()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        for thread in self.threads.drain(..) {
            // It has nothing that could panic but the clock.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Stall>> {
        self.stalls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, stall: Stall) {
        let mut stalls = self.lock();
        if stalls.len() < MAX_STALLS {
            stalls.push(stall);
        } else {
            self.more.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn cpus() -> Vec<usize> {
    let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap_or_default();
    let cpus: Vec<_> = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false)).collect();
    if cpus.is_empty() { vec![0] } else { cpus }
}

fn watch(cpu: usize, shared: &Shared) {
    let mut here = CpuSet::new();
    if here.set(cpu).and_then(|()| sched_setaffinity(Pid::from_raw(0), &here)).is_err() {
        tracing::debug!("cannot stay on core {cpu}: its stalls are those of the whole machine");
    }
    while !shared.stop.load(Ordering::Acquire) {
        let due = raw_now() + NAP;
        sleep_until(due);
        if let Some(stall) = stall(due, raw_now(), cpu) {
            shared.note(stall);
        }
    }
}

fn stall(due: Timestamp<True>, ran: Timestamp<True>, cpu: usize) -> Option<Stall> {
    (ran - due > STALL).then(|| Stall { begin_ns: due.as_ns(), end_ns: ran.as_ns(), cpu })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_milliseconds_late_is_no_stall_and_a_nanosecond_more_is() {
        let due = Timestamp::from_ns(1_000);
        assert_eq!(stall(due, due + STALL, 0), None);
        let seen = stall(due, due + STALL + Span::from_ns(1), 1).unwrap();
        assert_eq!(seen.to_string(), r#"{"begin_ns":1000,"end_ns":5001001,"cpu":1}"#);
    }

    #[test]
    fn what_the_witness_saw_lies_within_its_life() {
        let begin = raw_now();
        let witness = Witness::start().unwrap();
        sleep_until(begin + Span::from_ms(50));
        let stalls = witness.stop();
        let end = raw_now();
        assert!(
            stalls
                .iter()
                .all(|s| s.begin_ns > begin.as_ns() && s.begin_ns < s.end_ns && s.end_ns < end.as_ns())
        );
    }

    #[test]
    fn a_busy_machine_cannot_grow_the_list_for_ever() {
        let shared = Shared::default();
        for n in 0..MAX_STALLS as i64 + 5 {
            shared.note(Stall { begin_ns: n, end_ns: n + 1, cpu: 0 });
        }
        assert_eq!((shared.lock().len(), shared.more.load(Ordering::Relaxed)), (MAX_STALLS, 5));
    }
}
