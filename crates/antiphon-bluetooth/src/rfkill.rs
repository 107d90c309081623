//! Whether the kernel holds an adapter off.

use std::fs;
use std::path::Path;

/// How an adapter is held off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Block {
    /// By a command, and a command frees it.
    Soft,
    /// By a switch.
    Hard,
}

/// Where the kernel tells of its switches.
pub(crate) const RFKILL: &str = "/sys/class/rfkill";

/// What holds `adapter` (as in `hci0`) off, read below `folder`; a kernel without rfkill holds
/// nothing off.
pub(crate) fn block_of(folder: &Path, adapter: &str) -> Option<Block> {
    let switches = fs::read_dir(folder).ok()?;
    switches.flatten().map(|entry| entry.path()).find_map(|switch| {
        let says = |file: &str, text: &str| {
            fs::read_to_string(switch.join(file)).is_ok_and(|read| read.trim() == text)
        };
        match () {
            () if !says("type", "bluetooth") || !says("name", adapter) => None,
            () if says("hard", "1") => Some(Block::Hard),
            () if says("soft", "1") => Some(Block::Soft),
            () => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn switch(folder: &Path, number: u32, kind: &str, name: &str, soft: &str, hard: &str) {
        let switch = folder.join(format!("rfkill{number}"));
        fs::create_dir(&switch).unwrap();
        for (file, text) in [("type", kind), ("name", name), ("soft", soft), ("hard", hard)] {
            fs::write(switch.join(file), format!("{text}\n")).unwrap();
        }
    }

    #[test]
    fn a_block_is_that_of_the_adapter_and_of_no_other_radio() {
        let folder = tempfile::tempdir().unwrap();
        switch(folder.path(), 0, "wlan", "phy0", "1", "1");
        switch(folder.path(), 1, "bluetooth", "hci0", "1", "0");
        switch(folder.path(), 2, "bluetooth", "hci1", "0", "0");
        switch(folder.path(), 3, "bluetooth", "hci2", "0", "1");
        assert_eq!(block_of(folder.path(), "hci0"), Some(Block::Soft));
        assert_eq!(block_of(folder.path(), "hci1"), None);
        assert_eq!(block_of(folder.path(), "hci2"), Some(Block::Hard));
        assert_eq!(block_of(&folder.path().join("absent"), "hci0"), None);
    }
}
