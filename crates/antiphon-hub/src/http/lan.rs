//! By which names others in the network reach this hub.

use antiphon_base::SpeakerId;

/// The names of this machine in its network, in lower case: its own, and the one that mDNS announces.
pub fn names(hub: SpeakerId, port: u16) -> Vec<String> {
    let id = hub.to_string();
    let mut names = vec![format!("antiphon-{}-{port}.local", id.chars().take(16).collect::<String>())];
    if let Ok(machine) = nix::sys::utsname::uname() {
        let name = machine.nodename().to_string_lossy().to_lowercase();
        let short = name.split('.').next().unwrap_or_default().to_owned();
        if !short.is_empty() {
            names.extend([format!("{short}.local"), short, name]);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_its_name() {
        let names = names(SpeakerId([7; 16]), 7755);
        assert_eq!(names[0], "antiphon-0707070707070707-7755.local");
        assert!(names.iter().all(|name| !name.is_empty() && *name == name.to_lowercase()));
    }
}
