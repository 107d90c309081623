//! Tokens that are kept: `miio-tokens` in the state directory, a line for each device, mode 0600.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use antiphon_miio::Token;

use crate::dirs;
use crate::exit::Failure;

/// A device in this network answers a hello within a tenth of it.
pub const HELLO_TIME: Duration = Duration::from_millis(1_000);

/// The token that is kept for a device.
///
/// # Errors
/// No home for this user.
pub fn of(device: u32) -> Result<Option<Token>, Failure> {
    Ok(read(&file()?).into_iter().find(|(known, _)| *known == device).map(|(_, token)| token))
}

/// Keeps it.
///
/// # Errors
/// The file cannot be written.
pub fn keep(device: u32, token: &Token) -> Result<(), Failure> {
    let file = file()?;
    let mut all = read(&file);
    all.retain(|(known, _)| *known != device);
    all.push((device, token.clone()));
    all.sort_by_key(|(known, _)| *known);
    let text: String = all.iter().map(|(known, token)| format!("{known:08x} {}\n", token.reveal())).collect();
    let beside = file.with_extension("new");
    let parent = file.parent().map_or(Ok(()), fs::create_dir_all);
    let _ = fs::remove_file(&beside);
    let written = parent.and_then(|()| {
        let mut open = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        open.write_all(text.as_bytes())?;
        fs::rename(&beside, &file)
    });
    written.map_err(|error| Failure::failed(format!("cannot keep the token in {}: {error}", file.display())))
}

/// Lines that are none are left out.
fn read(file: &PathBuf) -> Vec<(u32, Token)> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = |line: &str| {
        let (device, token) = line.split_once(' ')?;
        Some((u32::from_str_radix(device, 16).ok()?, token.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

fn file() -> Result<PathBuf, Failure> {
    Ok(dirs::state()?.join("miio-tokens"))
}
