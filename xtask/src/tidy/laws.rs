//! Which crate may do what: the table of ARCHITECTURE.md, for a machine.

/// What one crate may do.
pub struct Law {
    /// Name of the crate and of its folder.
    pub name: &'static str,
    /// No clock reads, sockets, threads, files, printing or unordered containers in `src`.
    pub pure: bool,
    /// May hold `unsafe`, with a `SAFETY:` comment at each.
    pub may_be_unsafe: bool,
    /// Crates of this workspace that it may depend on: only what lies below it.
    pub below: &'static [&'static str],
    /// Crates from elsewhere. `None`: any but the reserved ones.
    pub outside: Option<&'static [&'static str]>,
    /// Files, relative to the crate, that may read and write files although the crate is pure.
    pub may_touch_files: &'static [&'static str],
}

/// Crates that belong to some members only: (crate, members).
pub const RESERVED: [(&str, &[&str]); 4] = [
    ("serde_json", &["antiphon-api"]),
    ("clap", &["antiphon-cli"]),
    ("miette", &["antiphon-cli"]),
    ("axum", &["antiphon-hub"]),
];

const PURE: Law =
    Law { name: "", pure: true, may_be_unsafe: false, below: &[], outside: Some(&[]), may_touch_files: &[] };

const EDGE: Law = Law { pure: false, may_be_unsafe: true, outside: None, ..PURE };

/// Bottom first: every crate stands above what it may depend on.
pub const LAWS: [Law; 17] = [
    Law { name: "antiphon-base", ..PURE },
    Law {
        name: "antiphon-proto",
        below: &["antiphon-base"],
        outside: Some(&[
            "chacha20poly1305",
            "hkdf",
            "rand_core",
            "serde",
            "sha2",
            "snow",
            "spake2",
            "thiserror",
        ]),
        ..PURE
    },
    Law {
        name: "antiphon-codec",
        below: &["antiphon-base"],
        outside: Some(&["flac-codec", "opus-pure", "thiserror"]),
        ..PURE
    },
    Law {
        name: "antiphon-playout",
        below: &["antiphon-base"],
        outside: Some(&["audioadapter-buffers", "rtrb", "rubato"]),
        ..PURE
    },
    Law {
        name: "antiphon-engine",
        below: &["antiphon-base", "antiphon-codec", "antiphon-playout", "antiphon-proto"],
        outside: Some(&["thiserror"]),
        ..PURE
    },
    Law {
        name: "antiphon-measure",
        below: &["antiphon-base"],
        outside: Some(&["hound", "plotters", "realfft", "thiserror"]),
        may_touch_files: &["src/recording.rs"],
        ..PURE
    },
    Law { name: "antiphon-catalog", outside: Some(&["serde", "strsim", "thiserror", "toml"]), ..PURE },
    Law {
        name: "antiphon-sim",
        below: &[
            "antiphon-base",
            "antiphon-codec",
            "antiphon-engine",
            "antiphon-measure",
            "antiphon-playout",
            "antiphon-proto",
        ],
        outside: Some(&["realfft"]),
        ..PURE
    },
    Law { name: "antiphon-net", below: &["antiphon-base", "antiphon-proto"], ..EDGE },
    Law { name: "antiphon-audio", below: &["antiphon-base", "antiphon-net"], ..EDGE },
    Law { name: "antiphon-miio", may_be_unsafe: false, ..EDGE },
    Law { name: "antiphon-bluez-fake", may_be_unsafe: false, ..EDGE },
    Law {
        name: "antiphon-bluetooth",
        below: &["antiphon-audio", "antiphon-base", "antiphon-bluez-fake", "antiphon-codec", "antiphon-net"],
        ..EDGE
    },
    Law { name: "antiphon-api", may_be_unsafe: false, below: &["antiphon-base", "antiphon-proto"], ..EDGE },
    Law {
        name: "antiphon-hub",
        below: &[
            "antiphon-api",
            "antiphon-base",
            "antiphon-codec",
            "antiphon-engine",
            "antiphon-net",
            "antiphon-proto",
        ],
        ..EDGE
    },
    Law {
        name: "antiphon-speaker",
        below: &[
            "antiphon-api",
            "antiphon-audio",
            "antiphon-base",
            "antiphon-bluetooth",
            "antiphon-engine",
            "antiphon-net",
            "antiphon-playout",
            "antiphon-proto",
        ],
        ..EDGE
    },
    Law {
        name: "antiphon-cli",
        below: &[
            "antiphon-api",
            "antiphon-audio",
            "antiphon-base",
            "antiphon-bluetooth",
            "antiphon-bluez-fake",
            "antiphon-catalog",
            "antiphon-engine",
            "antiphon-hub",
            "antiphon-measure",
            "antiphon-miio",
            "antiphon-net",
            "antiphon-playout",
            "antiphon-proto",
            "antiphon-sim",
            "antiphon-speaker",
        ],
        ..EDGE
    },
];

/// The law of the crate called `name`.
pub fn of(name: &str) -> Option<&'static Law> {
    LAWS.iter().find(|law| law.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_point_down_only() {
        for (i, law) in LAWS.iter().enumerate() {
            for below in law.below {
                let at = LAWS.iter().position(|l| l.name == *below).expect("is in the table");
                assert!(at < i, "{} stands below {below}", law.name);
                assert!(!law.pure || LAWS[at].pure, "{} is pure, {below} is not", law.name);
            }
        }
    }
}
