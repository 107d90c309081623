//! Where things are kept.

use std::path::PathBuf;

use etcetera::BaseStrategy;

use crate::exit::Failure;

/// Keys, pairings, settings: `ANTIPHON_STATE_DIR`, else `antiphon` in XDG_STATE_HOME.
///
/// # Errors
/// Neither is set, and this user has no home.
pub fn state() -> Result<PathBuf, Failure> {
    if let Some(dir) = set("ANTIPHON_STATE_DIR") {
        return Ok(dir);
    }
    let base = base()?;
    Ok(base.state_dir().unwrap_or_else(|| base.data_dir()).join("antiphon"))
}

/// The hub's socket: `ANTIPHON_RUNTIME_DIR`, else `antiphon` in XDG_RUNTIME_DIR, else `run` in the
/// state directory: a place in /tmp could be taken by another user first.
///
/// # Errors
/// As [`state`].
pub fn runtime() -> Result<PathBuf, Failure> {
    if let Some(dir) = set("ANTIPHON_RUNTIME_DIR") {
        return Ok(dir);
    }
    match base().ok().and_then(|base| base.runtime_dir()).filter(|dir| dir.is_dir()) {
        Some(dir) => Ok(dir.join("antiphon")),
        None => Ok(state()?.join("run")),
    }
}

/// This machine's name, for hubs and speakers that were given none.
pub fn machine_name() -> String {
    let name = nix::sys::utsname::uname().map(|names| names.nodename().to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let short = name.split('.').next().unwrap_or_default();
    if short.is_empty() { "antiphon".to_owned() } else { short.chars().take(60).collect() }
}

fn set(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn base() -> Result<impl BaseStrategy, Failure> {
    etcetera::choose_base_strategy().map_err(|_| {
        Failure::failed(
            "this user has no home directory; name one for Antiphon's state with ANTIPHON_STATE_DIR",
        )
    })
}
