//! Where the sound server of this user is, and what it wants to be shown.

use std::path::PathBuf;

use pulseaudio::protocol::MAX_VERSION;

/// What a server takes for a cookie when it asks for none: PipeWire insists on the length.
const COOKIE_BYTES: usize = 256;

/// The newest version of the protocol that is spoken here.
pub(super) const VERSION: u16 = MAX_VERSION;

/// The sockets at which a server may be, best first; `env` reads an environment variable.
///
/// As PulseAudio's own clients have it: `PULSE_SERVER` alone where it is set, else the runtime directories of the
/// user, else that of a server for the whole system. Only sockets of this machine: a server elsewhere has another
/// clock behind a network, and is reached by a speaker there.
pub(super) fn sockets(env: impl Fn(&str) -> Option<String>, uid: u32) -> Vec<PathBuf> {
    if let Some(named) = env("PULSE_SERVER").filter(|named| !named.trim().is_empty()) {
        return named.split_whitespace().filter_map(socket).collect();
    }
    let below = |name: &str, path: &str| env(name).map(|dir| PathBuf::from(dir).join(path));
    let of_user = PathBuf::from(format!("/run/user/{uid}/pulse/native"));
    let mut all: Vec<PathBuf> =
        [below("PULSE_RUNTIME_PATH", "native"), below("XDG_RUNTIME_DIR", "pulse/native"), Some(of_user)]
            .into_iter()
            .flatten()
            .collect();
    all.push("/run/pulse/native".into());
    all.dedup();
    all
}

/// `unix:/path`, `/path`, and either behind the name of a machine in braces.
fn socket(named: &str) -> Option<PathBuf> {
    let bare = named.strip_prefix('{').and_then(|rest| rest.split_once('}')).map_or(named, |(_, bare)| bare);
    let path = bare.strip_prefix("unix:").unwrap_or(bare);
    path.starts_with('/').then(|| path.into())
}

/// The cookie that the server has written for its clients, or an empty one: a server of the same user asks for none.
pub(super) fn cookie() -> Vec<u8> {
    pulseaudio::cookie_path_from_env()
        .and_then(|path| std::fs::read(path).ok())
        .filter(|cookie| cookie.len() == COOKIE_BYTES)
        .unwrap_or_else(|| vec![0; COOKIE_BYTES])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Vec<String> {
        let env =
            |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        sockets(env, 1_000).iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn the_servers_of_the_user_come_before_that_of_the_system() {
        let all = found(&[("XDG_RUNTIME_DIR", "/x"), ("PULSE_RUNTIME_PATH", "/p")]);
        assert_eq!(all, ["/p/native", "/x/pulse/native", "/run/user/1000/pulse/native", "/run/pulse/native"]);
        let usual = found(&[("XDG_RUNTIME_DIR", "/run/user/1000")]);
        assert_eq!(usual, ["/run/user/1000/pulse/native", "/run/pulse/native"]);
    }

    #[test]
    fn a_server_that_is_named_is_the_only_one() {
        for (named, wanted) in [
            ("unix:/a/native", vec!["/a/native"]),
            ("{f00}unix:/a/native /b/native", vec!["/a/native", "/b/native"]),
            ("tcp:10.0.0.9", vec![]),
        ] {
            assert_eq!(found(&[("PULSE_SERVER", named), ("XDG_RUNTIME_DIR", "/x")]), wanted);
        }
    }
}
