//! Who has a device: the kernel says it in `/proc/asound`.

use std::fs;
use std::path::{Path, PathBuf};

use super::name::{Place, place};

/// Which way sound goes, as the kernel's folders write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// To the card.
    Play,
    /// From the card.
    Record,
}

const ASOUND: &str = "/proc/asound";

/// The program that has the device in `name` open, for a sentence: `pulseaudio (process 812)`.
pub(super) fn user(name: &str, way: Way) -> Option<String> {
    user_of(place(name)?, way)
}

/// The same for a device that is known.
pub(super) fn user_of(place: Place<'_>, way: Way) -> Option<String> {
    let folder = pcm_folder(Path::new(ASOUND), place, way);
    let subdevices = fs::read_dir(folder).ok()?.flatten();
    let owner = |entry: fs::DirEntry| owner(&fs::read_to_string(entry.path().join("status")).ok()?);
    program(subdevices.into_iter().find_map(owner)?)
}

/// The number of the card with that id.
pub(crate) fn card_index(id: &str) -> Option<u32> {
    if !id.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-') {
        return None;
    }
    let target = fs::read_link(Path::new(ASOUND).join(id)).ok()?;
    target.to_str()?.strip_prefix("card")?.parse().ok()
}

fn pcm_folder(asound: &Path, place: Place<'_>, way: Way) -> PathBuf {
    // A card's id is a link to its folder.
    let is_number = place.card.chars().all(|digit| digit.is_ascii_digit());
    let card = if is_number { format!("card{}", place.card) } else { place.card.to_owned() };
    let letter = if way == Way::Play { 'p' } else { 'c' };
    asound.join(card).join(format!("pcm{}{letter}", place.device))
}

/// The thread that opened a subdevice, by its status: `closed`, or lines with `owner_pid   : 812`.
fn owner(status: &str) -> Option<u32> {
    let line = status.lines().find(|line| line.starts_with("owner_pid"))?;
    line.split_once(':')?.1.trim().parse().ok()
}

/// The program of a thread: the kernel tells threads.
fn program(thread: u32) -> Option<String> {
    let status = fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    let process: u32 = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()?;
    let name = fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
    let name: String =
        name.trim().chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect();
    Some(format!("{name} (process {process})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_read_from_what_the_kernel_writes() {
        let open = "state: RUNNING\nowner_pid   : 812\ntrigger_time: 77.12\ntstamp      : 0.000000000\n";
        assert_eq!(owner(open), Some(812));
        assert_eq!(owner("closed\n"), None);
        assert_eq!(owner("owner_pid: nonsense"), None);
    }

    #[test]
    fn a_device_has_its_folder_by_number_and_by_id() {
        let folder = |name, way| pcm_folder(Path::new("/p"), place(name).unwrap(), way);
        assert_eq!(folder("hw:1,3", Way::Play), Path::new("/p/card1/pcm3p"));
        assert_eq!(folder("plughw:PCH", Way::Record), Path::new("/p/PCH/pcm0c"));
    }

    #[test]
    fn a_thread_is_told_by_the_program_that_it_is_of() {
        let thread = std::thread::spawn(|| program(nix::unistd::gettid().as_raw() as u32)).join().unwrap();
        let said = thread.expect("this process runs");
        assert!(said.ends_with(&format!("(process {})", std::process::id())), "{said}");
        assert_eq!(program(0), None);
    }

    #[test]
    fn an_id_is_no_way_out_of_the_folder() {
        assert_eq!(card_index("../self"), None);
    }
}
