//! Where the music is.

use std::path::{Path, PathBuf};

/// The folders that were named; else those of `ANTIPHON_MUSIC`, between colons; else the desktop's music folder.
/// An empty name is none: `--music ""` leaves the library empty.
pub fn music(named: &[PathBuf]) -> Vec<PathBuf> {
    let said = if named.is_empty() { of_environment() } else { Some(named.to_vec()) };
    let folders = said.unwrap_or_else(|| of_desktop().into_iter().collect());
    folders.into_iter().filter(|folder| !folder.as_os_str().is_empty()).collect()
}

fn of_environment() -> Option<Vec<PathBuf>> {
    std::env::var_os("ANTIPHON_MUSIC").map(|said| std::env::split_paths(&said).collect())
}

/// By the desktop's own list of folders, else by their usual name.
fn of_desktop() -> Option<PathBuf> {
    let home = PathBuf::from(std::env::var_os("HOME").filter(|home| !home.is_empty())?);
    let config = std::env::var_os("XDG_CONFIG_HOME").map_or_else(|| home.join(".config"), PathBuf::from);
    let list = std::fs::read_to_string(config.join("user-dirs.dirs")).unwrap_or_default();
    let music = written(&list, &home).unwrap_or_else(|| home.join("Music"));
    // A desktop without such a folder says that it is home itself.
    (music != home && music.is_dir()).then_some(music)
}

/// `XDG_MUSIC_DIR="$HOME/Music"`, or with an absolute path.
fn written(list: &str, home: &Path) -> Option<PathBuf> {
    let line = list.lines().find_map(|line| line.trim().strip_prefix("XDG_MUSIC_DIR="))?;
    let value = line.trim().trim_matches('"');
    match value.strip_prefix("$HOME") {
        Some(rest) => Some(home.join(rest.trim_start_matches('/'))),
        None if value.starts_with('/') => Some(value.into()),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_desktops_list_is_read() {
        let home = Path::new("/somebody");
        let list = "# comment\nXDG_DESKTOP_DIR=\"$HOME/Desktop\"\nXDG_MUSIC_DIR=\"$HOME/Musik\"\n";
        assert_eq!(written(list, home), Some("/somebody/Musik".into()));
        assert_eq!(written("XDG_MUSIC_DIR=\"/srv/music\"", home), Some("/srv/music".into()));
        assert_eq!(written("XDG_MUSIC_DIR=\"music\"", home), None);
        assert_eq!(written("XDG_MUSIC_DIR=\"$HOME/\"", home), Some("/somebody".into()));
    }

    #[test]
    fn what_is_named_is_all_there_is_and_an_empty_name_is_none() {
        assert_eq!(music(&["/a".into(), "/b".into()]), [PathBuf::from("/a"), PathBuf::from("/b")]);
        assert!(music(&[PathBuf::new()]).is_empty());
    }
}
