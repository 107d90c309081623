//! The laws of the repository, checked. Each rule is a function from text to findings, so that its
//! tests show it firing; this file walks the tree and feeds them.

mod laws;

mod lexer;

mod sources;

mod manifests;

mod documents;

mod licences;

use std::fmt;
use std::path::{Path, PathBuf};

use laws::Law;

/// One place where a law is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file, relative to the repository.
    path: String,
    /// Counted from 1; 0 for the whole file.
    line: usize,
    /// What is wrong and what would be right.
    what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.into(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

/// Every finding in the repository at `root`, in order of path.
pub fn all(root: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let crates = crate_names(root);
    for name in &crates {
        check_crate(root, name, &mut findings);
    }
    for dir in ["xtask", "fuzz"] {
        for file in files(&root.join(dir), "rs") {
            let path = relative(root, &file);
            findings.extend(sources::everywhere(&path, &read(&file)));
        }
    }
    for dir in ["scripts", ".ci"] {
        for file in files(&root.join(dir), "") {
            findings.extend(sources::machine_paths(&relative(root, &file), &read(&file)));
        }
    }
    findings.extend(documents::check(root, &crates));
    findings.extend(licences::check(root));
    findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    findings
}

fn check_crate(root: &Path, name: &str, findings: &mut Vec<Finding>) {
    let dir = root.join("crates").join(name);
    let manifest = dir.join("Cargo.toml");
    let manifest_path = relative(root, &manifest);
    let Some(law) = laws::of(name) else {
        let what = "this crate has no law: add it to the table in xtask/src/tidy/laws.rs";
        findings.push(Finding::new(&manifest_path, 0, what));
        return;
    };
    findings.extend(manifests::check(&manifest_path, &read(&manifest), law));
    let first = ["src/lib.rs", "src/main.rs"].map(|f| dir.join(f)).into_iter().find(|f| f.exists());
    if let Some(first) = first {
        findings.extend(sources::first_line(&relative(root, &first), &read(&first)));
    }
    for file in files(&dir, "rs") {
        check_source(&relative(root, &file), &read(&file), law, findings);
    }
}

fn check_source(path: &str, text: &str, law: &Law, findings: &mut Vec<Finding>) {
    findings.extend(sources::everywhere(path, text));
    findings.extend(sources::unsafe_code(path, text, law));
    if path.contains("/src/") {
        findings.extend(sources::purity(path, text, law));
    }
}

fn crate_names(root: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(root.join("crates")) else { return vec![] };
    let has_manifest = |dir: &PathBuf| dir.join("Cargo.toml").exists();
    let name = |dir: PathBuf| Some(dir.file_name()?.to_str()?.to_owned());
    let mut names: Vec<String> =
        entries.filter_map(|e| Some(e.ok()?.path())).filter(has_manifest).filter_map(name).collect();
    names.sort();
    names
}

/// Every file below `dir` whose name ends in `.extension` (any, when it is empty), in order.
fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return vec![] };
    let mut paths: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !matches!(name, "target" | "corpus" | "artifacts" | "__pycache__" | "snapshots") {
                found.extend(files(&path, extension));
            }
        } else if extension.is_empty() || path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found
}

/// The file's text; what cannot be read is empty, and then the rules about its content fire.
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_without_a_law_is_found_and_one_with_its_law_is_quiet() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("crates/antiphon-stray/Cargo.toml", "[package]\nname = \"antiphon-stray\"\n");
        write("crates/antiphon-base/Cargo.toml", "[dependencies]\n");
        write("crates/antiphon-base/src/lib.rs", "//! Law: none of it.\n");
        let mut findings = Vec::new();
        for name in crate_names(dir.path()) {
            check_crate(dir.path(), &name, &mut findings);
        }
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].path, "crates/antiphon-stray/Cargo.toml");
    }

    #[test]
    fn a_broken_law_is_found_through_the_whole_walk() {
        let dir = tempfile::tempdir().unwrap();
        let src = dir.path().join("crates/antiphon-base/src");
        std::fs::create_dir_all(&src).unwrap();
        std::fs::write(src.join("../Cargo.toml"), "[dependencies]\n").unwrap();
        std::fs::write(src.join("lib.rs"), "//! Law: none.\nfn f() { std::time::Instant::now(); }\n")
            .unwrap();
        let mut findings = Vec::new();
        check_crate(dir.path(), "antiphon-base", &mut findings);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!((findings[0].line, findings[0].path.as_str()), (2, "crates/antiphon-base/src/lib.rs"));
    }
}
