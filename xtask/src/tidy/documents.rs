//! Rules about documents: what they point to exists, and no crate is forgotten.

use std::path::Path;

use super::{Finding, read};

/// Every crate is named in these.
const NAMES_EVERY_CRATE: [&str; 2] = ["README.md", "ARCHITECTURE.md"];

/// Checks the documents at the root and in `docs/`.
pub fn check(root: &Path, crates: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for name in NAMES_EVERY_CRATE {
        findings.extend(names_every_crate(name, &read(&root.join(name)), crates));
    }
    let architecture = read(&root.join("ARCHITECTURE.md"));
    findings.extend(code_map("ARCHITECTURE.md", &architecture, &|path| {
        root.join(path).exists() || root.join("crates").join(path).exists()
    }));
    for file in documents(root) {
        let base = root.join(&file);
        let base = base.parent().unwrap_or(root);
        findings.extend(links(&file, &read(&root.join(&file)), &|path| base.join(path).exists()));
        findings.extend(super::sources::machine_paths(&file, &read(&root.join(&file))));
    }
    findings
}

fn documents(root: &Path) -> Vec<String> {
    let in_dir = |dir: &str| -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(root.join(dir)) else { return vec![] };
        let name = |e: std::io::Result<std::fs::DirEntry>| e.ok()?.file_name().into_string().ok();
        let mut names: Vec<String> = entries.filter_map(name).filter(|n| n.ends_with(".md")).collect();
        names.sort();
        names.into_iter().map(|n| if dir.is_empty() { n } else { format!("{dir}/{n}") }).collect()
    };
    let mut all = in_dir("");
    all.extend(in_dir("docs"));
    all
}

fn names_every_crate(path: &str, text: &str, crates: &[String]) -> Vec<Finding> {
    let forgotten = crates.iter().filter(|name| !text.contains(&format!("`{name}`")));
    forgotten.map(|name| Finding::new(path, 0, format!("does not mention `{name}`"))).collect()
}

/// Every path in back-ticks exists: relative to the repository or to `crates/`.
fn code_map(path: &str, text: &str, exists: &dyn Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (n, line) in text.lines().enumerate() {
        for quoted in line.split('`').skip(1).step_by(2) {
            if is_path(quoted) && !exists(quoted.trim_end_matches('/')) {
                findings.push(Finding::new(path, n + 1, format!("`{quoted}` does not exist")));
            }
        }
    }
    findings
}

fn is_path(quoted: &str) -> bool {
    let plain = quoted.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
    let rooted = ["antiphon-", "crates/", "docs/", "fuzz/", "scripts/", "xtask/", ".ci/", "web/", "catalog/"];
    plain && quoted.contains('/') && rooted.iter().any(|r| quoted.starts_with(r))
}

/// Every relative link `](path)` leads to a file.
fn links(path: &str, text: &str, exists: &dyn Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (n, line) in text.lines().enumerate() {
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', '#', ' ']).next().unwrap_or_default();
            let outside = target.is_empty() || target.contains(':');
            if !outside && !exists(target) {
                findings.push(Finding::new(path, n + 1, format!("the link to {target} leads nowhere")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forgotten_crate_is_found() {
        let crates = ["antiphon-base".to_owned(), "antiphon-net".to_owned()];
        assert_eq!(names_every_crate("README.md", "`antiphon-base`", &crates).len(), 1);
        assert!(names_every_crate("README.md", "`antiphon-net`, `antiphon-base`", &crates).is_empty());
    }

    #[test]
    fn a_code_map_that_points_at_nothing_is_found() {
        let exists = |path: &str| path == "antiphon-proto/src/send";
        let text = "| 5 | pace | `antiphon-proto/src/send` |\n| 6 | `antiphon-proto/src/sent.rs` | `a/b` |\n";
        let found = code_map("ARCHITECTURE.md", text, &exists);
        assert_eq!(found.iter().map(|f| f.line).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_dead_link_is_found_and_links_elsewhere_are_not_followed() {
        let exists = |path: &str| path == "docs/protocol.md";
        let text = "[a](docs/protocol.md#wire) [b](https://example.org) [c](#here)\n[d](docs/gone.md)\n";
        let found = links("README.md", text, &exists);
        assert_eq!(found.iter().map(|f| f.line).collect::<Vec<_>>(), [2]);
    }
}
