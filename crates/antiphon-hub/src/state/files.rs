//! Private files, replaced whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::options::HubError;

/// Longest file that is read: a full record is under 512 KiB.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Makes `dir` and its parents, open to their owner only.
pub fn make_private_dir(dir: &Path) -> Result<(), HubError> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed("create", dir))
}

/// The file's text; `None` where there is none.
pub fn read(path: &Path) -> Result<Option<String>, HubError> {
    let length = match fs::metadata(path) {
        Ok(meta) => meta.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path)(error)),
    };
    let damaged = |why: String| HubError::Damaged { path: path.to_owned(), why };
    if length > MAX_FILE {
        return Err(damaged(format!("{length} bytes long")));
    }
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::InvalidData => Err(damaged("not text".into())),
        Err(error) => Err(failed("read", path)(error)),
    }
}

/// What `parse` makes of the file at `path`, or of the copy beside it where the file is damaged; `None` where
/// there is no file. A damaged file is moved aside, and that is said.
///
/// # Errors
/// Neither reads: both are left as they are.
pub fn load<T>(path: &Path, parse: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, HubError> {
    let at = |path: &Path| match read(path)? {
        Some(text) => match parse(&text) {
            Ok(value) => Ok(Some((text, value))),
            Err(why) => Err(HubError::Damaged { path: path.to_owned(), why }),
        },
        None => Ok(None),
    };
    let copy = beside(path, "copy");
    match at(path) {
        Ok(None) => Ok(None),
        Ok(Some((text, value))) => {
            if !matches!(read(&copy), Ok(Some(kept)) if kept == text) {
                replace(&copy, text.as_bytes())?;
            }
            Ok(Some(value))
        }
        Err(HubError::Damaged { why, .. }) if matches!(at(&copy), Ok(Some(_))) => {
            let Some((text, value)) = at(&copy)? else { return Ok(None) };
            set_aside(path, &text)?;
            tracing::warn!(
                "{} is damaged ({why}): the hub goes on with its copy, which is the last good state; \
                 the damaged file is now {}",
                path.display(),
                beside(path, "damaged").display()
            );
            Ok(Some(value))
        }
        Err(error) => Err(error),
    }
}

/// [`load`] for what a hub can do without: where neither the file nor its copy is of use, the file is moved aside,
/// that is said, and there is none. `without` says how the hub goes on then.
///
/// # Errors
/// The system refuses.
pub fn load_or_begin<T>(
    path: &Path,
    without: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, HubError> {
    match load(path, parse) {
        Err(HubError::Damaged { why, .. }) => {
            let aside = beside(path, "damaged");
            fs::rename(path, &aside).map_err(failed("write", path))?;
            tracing::warn!(
                "{} is damaged ({why}), and so is its copy: {without}; the damaged file is now {}",
                path.display(),
                aside.display()
            );
            Ok(None)
        }
        read => read,
    }
}

fn set_aside(path: &Path, good: &str) -> Result<(), HubError> {
    fs::rename(path, beside(path, "damaged")).map_err(failed("write", path))?;
    replace(path, good.as_bytes())
}

/// [`replace`] for a file that [`load`] reads: its copy follows once it is on disk itself.
///
/// # Errors
/// One of the two cannot be written.
pub fn keep(path: &Path, contents: &[u8]) -> Result<(), HubError> {
    replace(path, contents)?;
    replace(&beside(path, "copy"), contents)
}

fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(what);
    name.into()
}

/// Puts `contents` in the place of `path`: after a crash at any point there is the old file or the
/// new one, never a part of either.
pub fn replace(path: &Path, contents: &[u8]) -> Result<(), HubError> {
    try_replace(path, contents).map_err(failed("write", path))
}

fn try_replace(path: &Path, contents: &[u8]) -> io::Result<()> {
    let dir = path.parent().ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
    let name = path.file_name().ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
    let temporary = dir.join(format!(".{}.new", name.to_string_lossy()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(contents)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    // The rename itself lies in the directory.
    File::open(dir)?.sync_all()
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> HubError {
    let path = path.to_owned();
    move |source| HubError::File { what, path, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_only_its_owner_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        for text in ["a longer first text", "second"] {
            replace(&path, text.as_bytes()).unwrap();
            assert_eq!(read(&path).unwrap().unwrap(), text);
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left behind");
    }

    #[test]
    fn a_file_that_is_not_text_is_called_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
        assert!(matches!(read(&path), Err(HubError::Damaged { .. })));
    }
}
