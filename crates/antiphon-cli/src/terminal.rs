//! What people see: complaints, the log, and data on stdout.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;
use miette::{GraphicalReportHandler, GraphicalTheme};
use tracing_subscriber::EnvFilter;

use crate::args::{Args, Verb};
use crate::exit::Failure;

/// Whether stderr may be coloured (<https://no-color.org>).
pub fn stderr_has_colour() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Says why the work was not done: framed on a terminal, one plain line elsewhere.
pub fn complain(failure: &Failure) {
    let mut text = String::new();
    if io::stderr().is_terminal() {
        let theme =
            if stderr_has_colour() { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let shown =
            GraphicalReportHandler::new_themed(theme).with_width(100).render_report(&mut text, failure);
        if shown.is_ok() {
            note(text.trim_end());
            return;
        }
    }
    note(&format!("antiphon: {failure}"));
}

/// Hears a line.
type Listener = Box<dyn Fn(&str)>;

thread_local! {
    /// Who hears this thread's notes instead of stderr.
    static LISTENER: RefCell<Option<Listener>> = const { RefCell::new(None) };
}

/// Does `work`, whose notes on this thread go to `listener`: work for somebody who is not at this terminal.
pub fn noted_by<T>(listener: impl Fn(&str) + 'static, work: impl FnOnce() -> T) -> T {
    LISTENER.set(Some(Box::new(listener)));
    let done = work();
    LISTENER.set(None);
    done
}

/// A line on stderr. A closed stderr is no reason to stop.
pub fn note(line: &str) {
    let heard = LISTENER.with_borrow(|listener| listener.as_ref().map(|listener| listener(line)).is_some());
    if heard {
        return;
    }
    let _ = writeln!(io::stderr(), "{line}");
}

/// Data on stdout; `false` when its reader has gone (`antiphon status --watch | head`).
pub fn print(text: &str) -> bool {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok()
}

/// What is drawn on the terminal at present, and must not be torn by a line of the log.
static DRAWN: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Takes note of what is drawn from here on: lines of the log make room for it. `None`: nothing.
pub fn draws(bar: Option<&ProgressBar>) {
    *DRAWN.lock().unwrap_or_else(PoisonError::into_inner) = bar.cloned();
}

/// A line of the log, written whole: the log hands over one at a time.
struct LogLine;

impl Write for LogLine {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match drawn {
            Some(bar) => bar.suspend(|| io::stderr().write(line)),
            None => io::stderr().write(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Sends the log to stderr: daemons tell what happens, other verbs only what is wrong.
pub fn start_log(args: &Args) {
    let daemon = matches!(args.verb, Verb::Hub(_) | Verb::Speaker(_));
    let level = match (args.verbose, daemon) {
        (0, false) => "warn",
        (0, true) => "info,mdns_sd=error",
        (1, _) => "debug,mdns_sd=info",
        _ => "trace",
    };
    let asked = std::env::var("ANTIPHON_LOG").ok().and_then(|text| EnvFilter::try_new(text).ok());
    tracing_subscriber::fmt()
        .with_env_filter(asked.unwrap_or_else(|| EnvFilter::new(level)))
        .with_writer(|| LogLine)
        .with_ansi(stderr_has_colour())
        .with_target(args.verbose > 0)
        .init();
}
