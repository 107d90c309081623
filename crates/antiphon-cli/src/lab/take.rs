//! One take: the speakers play, the microphone listens.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use antiphon_measure::lab::{Excitation, Recorded};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Ended;
use super::meter::Meter;
use super::microphone::Microphone;
use super::stage::{Signal, Stage};
use crate::exit::{Exit, Failure};
use crate::terminal;

/// How long to wait for the hub's word: the microphone is looked at as often.
pub const LOOK: Duration = Duration::from_millis(20);

/// The room before the first sound.
const BEFORE: Duration = Duration::from_millis(600);

/// The least that is recorded after the hub has played all: what the air and the room still hold.
const AFTER: Duration = Duration::from_millis(700);

/// The most: microphones are late too, behind Bluetooth by half a second, a simulated one by two.
const LONGEST_AFTER: Duration = Duration::from_secs(4);

/// Nothing at all from the microphone for this long: it is not there, whatever the system says.
const DEAF: Duration = Duration::from_secs(10);

/// What was heard in one take.
pub struct Take {
    /// The samples of the first two microphone channels.
    pub recorded: Recorded,
    /// What was seen of them while they came in.
    pub meter: Meter,
}

/// Plays `excitation` on `stage` and records it; `what` is said beside the progress.
///
/// # Errors
/// Interrupted; the microphone is overdriven ([`Exit::Untrustworthy`]) or gone; the hub is gone. In
/// every case the sound stops at once.
pub fn record(
    stage: &Stage,
    microphone: &mut Microphone,
    excitation: &Excitation,
    gain_db: f64,
    what: &str,
    stop: &AtomicBool,
) -> Result<Take, Ended> {
    let expected = BEFORE.as_secs_f64() + excitation.sounding().end as f64 / 48_000.0 + 1.5;
    let mut tape = Tape::new(microphone, Progress::new(what, expected));
    tape.listen(BEFORE, stop)?;
    let mut performance = stage.play(Signal::new(excitation, gain_db), "measuring")?;
    while !performance.go_on(LOOK)? {
        tape.hear(stop)?;
    }
    tape.listen(AFTER, stop)?;
    let until = Instant::now() + LONGEST_AFTER - AFTER;
    while !tape.meter.is_over() && Instant::now() < until {
        tape.listen(LOOK, stop)?;
    }
    Ok(tape.cut())
}

/// What is being recorded.
struct Tape<'a> {
    microphone: &'a mut Microphone,
    interleaved: Vec<f32>,
    meter: Meter,
    progress: Progress,
    heard_at: Instant,
}

impl<'a> Tape<'a> {
    fn new(microphone: &'a mut Microphone, progress: Progress) -> Self {
        microphone.forget();
        let meter = Meter::new(microphone.channels());
        Self { microphone, interleaved: Vec::new(), meter, progress, heard_at: Instant::now() }
    }

    /// Hears for `time` without playing anything new.
    fn listen(&mut self, time: Duration, stop: &AtomicBool) -> Result<(), Ended> {
        let until = Instant::now() + time;
        loop {
            self.hear(stop)?;
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(LOOK));
        }
    }

    /// Takes what has come.
    fn hear(&mut self, stop: &AtomicBool) -> Result<(), Ended> {
        if stop.load(Ordering::Acquire) {
            return Err(Ended::Interrupted);
        }
        while let Some(block) = self.microphone.next()? {
            self.heard_at = Instant::now();
            self.meter.take(&block);
            self.interleaved.extend(block);
            if self.meter.is_clipped() {
                return Err(clipped().into());
            }
        }
        if self.heard_at.elapsed() > DEAF {
            let message = "the microphone gives nothing; see that its recorder runs";
            return Err(Failure::failed(message).into());
        }
        self.progress.show(&self.meter);
        Ok(())
    }

    fn cut(self) -> Take {
        let channels = self.microphone.channels();
        let of = |n: usize| self.interleaved.iter().skip(n).step_by(channels).copied().collect();
        let recorded = Recorded { channels: (0..channels.min(2)).map(of).collect(), begin_s: 0.0 };
        Take { recorded, meter: self.meter }
    }
}

fn clipped() -> Failure {
    let message = "the microphone is overdriven (its samples stand at full scale), so the sound was stopped: turn the \
                   microphone's gain or the speakers down, or move it further away, then measure again";
    Failure::new(Exit::Untrustworthy, message)
}

/// A bar on a terminal, one line elsewhere.
struct Progress {
    bar: Option<ProgressBar>,
    begun: Instant,
}

impl Progress {
    fn new(what: &str, seconds: f64) -> Self {
        if !std::io::stderr().is_terminal() {
            terminal::note(&format!("{what} ({seconds:.0} s) ..."));
            return Self { bar: None, begun: Instant::now() };
        }
        let bar = ProgressBar::with_draw_target(Some((seconds * 1e3) as u64), ProgressDrawTarget::stderr());
        let template = match terminal::stderr_has_colour() {
            true => "{prefix} [{wide_bar:.cyan}] {msg}",
            false => "{prefix} [{wide_bar}] {msg}",
        };
        // A template of our own that does not parse would show the usual one.
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style.progress_chars("=> "));
        bar.set_prefix(what.to_owned());
        Self { bar: Some(bar), begun: Instant::now() }
    }

    fn show(&self, meter: &Meter) {
        if let Some(bar) = &self.bar {
            bar.set_position(self.begun.elapsed().as_millis() as u64);
            bar.set_message(format!("hears {:.0} dB", meter.level_db()));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
