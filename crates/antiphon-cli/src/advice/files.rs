//! Files about speakers, from disk.

use std::fs;
use std::path::{Path, PathBuf};

use antiphon_catalog::{Catalogue, File, Flaw};

use crate::exit::{Exit, Failure};

/// A file about a speaker is a few kilobytes.
const MAX_SIZE: u64 = 1 << 20;

/// The program's catalogue with these files, and what is wrong with it.
///
/// # Errors
/// A file that is not there, is too large, or is no text.
pub fn load(files: &[PathBuf]) -> Result<(Catalogue, Vec<Flaw>), Failure> {
    let texts = files.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let files: Vec<File> = texts.iter().map(|(name, text)| File { name, text }).collect();
    Ok(Catalogue::of(&files))
}

/// As [`load`], for those that want an answer and no list of flaws.
///
/// # Errors
/// As [`load`]; a flaw.
pub fn sound(files: &[PathBuf]) -> Result<Catalogue, Failure> {
    let (catalogue, flaws) = load(files)?;
    match flaws.first() {
        None => Ok(catalogue),
        Some(flaw) => {
            let message = format!("{flaw}; `antiphon catalog lint FILE` says all that is wrong");
            Err(Failure::new(Exit::Usage, message))
        }
    }
}

/// The name and the text of one.
///
/// # Errors
/// As [`load`].
pub fn read(path: &Path) -> Result<(String, String), Failure> {
    let failure =
        |why: String| Failure::new(Exit::NotFound, format!("cannot read {}: {why}", path.display()));
    let size = fs::metadata(path).map_err(|error| failure(error.to_string()))?.len();
    if size > MAX_SIZE {
        return Err(failure(format!("{size} bytes are no file about a speaker")));
    }
    let text = fs::read_to_string(path).map_err(|error| failure(error.to_string()))?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok((name, text))
}
