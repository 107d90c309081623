//! Tokens by which this machine was let in to hubs on others: one file a hub, for this user alone.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use antiphon_api::HubAddress;

use crate::dirs;
use crate::exit::Failure;

/// Longest token file that is read.
const MAX_TOKEN: u64 = 256;

/// The token for the hub at `hub`, where this machine has logged in there.
pub fn stored(hub: &HubAddress) -> Option<String> {
    read(&dirs::state().ok()?.join("tokens"), hub)
}

/// Keeps the token for the hub at `hub`; where it lies then.
///
/// # Errors
/// It cannot be written.
pub fn keep(hub: &HubAddress, token: &str) -> Result<PathBuf, Failure> {
    let dir = dirs::state()?.join("tokens");
    write(&dir, hub, token)
        .map_err(|error| Failure::failed(format!("the token cannot be kept in {}: {error}", dir.display())))
}

fn read(dir: &Path, hub: &HubAddress) -> Option<String> {
    let path = dir.join(file_name(hub));
    if fs::metadata(&path).ok()?.len() > MAX_TOKEN {
        return None;
    }
    let token = fs::read_to_string(path).ok()?;
    Some(token.trim().to_owned()).filter(|token| !token.is_empty())
}

fn write(dir: &Path, hub: &HubAddress, token: &str) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let path = dir.join(file_name(hub));
    let new = dir.join(format!(".{}.new", file_name(hub)));
    // One that was left by a crash may be open to others.
    let _ = fs::remove_file(&new);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(format!("{token}\n").as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, &path)?;
    Ok(path)
}

/// The address, with what files' names may not hold replaced.
fn file_name(hub: &HubAddress) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' || c == '-' { c } else { '_' };
    hub.to_string().chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_is_for_one_hub_and_one_user() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = dir.path().join("tokens");
        let hub: HubAddress = "[fe80::1]:7755".parse().unwrap();
        assert_eq!(read(&tokens, &hub), None);
        for token in ["first", "second"] {
            let path = write(&tokens, &hub, token).unwrap();
            assert_eq!(read(&tokens, &hub).as_deref(), Some(token));
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(read(&tokens, &"10.0.0.1:7755".parse().unwrap()), None);
        assert_eq!(fs::read_dir(&tokens).unwrap().count(), 1);
    }
}
