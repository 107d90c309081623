//! Completions and the manual page, from the same definitions as the arguments.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Args;
use crate::exit::{Exit, Failure};
use crate::terminal;

/// Prints completions for `shell`.
pub fn completions(shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "antiphon", &mut script);
    show(&script)
}

/// Prints the manual page.
pub fn man() -> Result<Exit, Failure> {
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(Args::command()).render(&mut page);
    rendered.map_err(|error| Failure::failed(format!("the manual page cannot be made: {error}")))?;
    show(&page)
}

fn show(text: &[u8]) -> Result<Exit, Failure> {
    // Whoever reads no further has enough.
    let _ = terminal::print(&String::from_utf8_lossy(text));
    Ok(Exit::Ok)
}
