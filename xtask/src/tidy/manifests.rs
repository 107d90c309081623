//! Rules about `Cargo.toml`: who may depend on whom.

use toml::Table;

use super::Finding;
use super::laws::{Law, RESERVED};

/// Checks the dependencies of one member; its dev-dependencies are free, but for crates above it.
pub fn check(path: &str, text: &str, law: &Law) -> Vec<Finding> {
    let Ok(manifest) = text.parse::<Table>() else {
        return vec![Finding::new(path, 0, "does not parse as TOML")];
    };
    let mut findings = Vec::new();
    for section in dependency_tables(&manifest) {
        for name in section.keys() {
            findings.extend(judge(name, law).map(|what| Finding::new(path, line_of(text, name), what)));
        }
    }
    let inherits = manifest.get("lints").and_then(|l| l.get("workspace")).and_then(toml::Value::as_bool);
    if manifest.contains_key("package") && inherits != Some(true) {
        findings.push(Finding::new(path, 0, "must inherit the workspace's lints: [lints] workspace = true"));
    }
    findings
}

/// Why `law` does not let its crate depend on `name`.
fn judge(name: &str, law: &Law) -> Option<String> {
    if name.starts_with("antiphon-") {
        let allowed = law.below.contains(&name);
        return (!allowed).then(|| format!("{} must not depend on {name}: it is not below it", law.name));
    }
    let reserved = RESERVED.iter().find(|(reserved, _)| *reserved == name);
    if let Some((_, owners)) = reserved
        && !owners.contains(&law.name)
    {
        return Some(format!("only {} may depend on {name}", owners.join(", ")));
    }
    match law.outside {
        Some(allowed) if !allowed.contains(&name) => {
            Some(format!("{} is pure: {name} is not in its table (xtask/src/tidy/laws.rs)", law.name))
        }
        _ => None,
    }
}

/// `[dependencies]` and `[build-dependencies]`, of every target too.
fn dependency_tables(manifest: &Table) -> Vec<&Table> {
    let mut roots = vec![manifest];
    if let Some(targets) = manifest.get("target").and_then(|t| t.as_table()) {
        roots.extend(targets.values().filter_map(|t| t.as_table()));
    }
    let names = ["dependencies", "build-dependencies"];
    roots.iter().flat_map(|r| names.iter().filter_map(|n| r.get(*n)?.as_table())).collect()
}

fn line_of(text: &str, name: &str) -> usize {
    let begins = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', ' ', '=']));
    text.lines().position(begins).map_or(0, |n| n + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::laws;

    fn found(name: &str, dependencies: &str) -> Vec<String> {
        let text = format!("[dependencies]\n{dependencies}");
        check("Cargo.toml", &text, laws::of(name).unwrap()).into_iter().map(|f| f.what).collect()
    }

    #[test]
    fn a_dependency_that_points_up_or_aside_is_found() {
        assert_eq!(found("antiphon-proto", "antiphon-playout.workspace = true\n").len(), 1);
        assert_eq!(found("antiphon-net", "antiphon-hub.workspace = true\n").len(), 1);
        assert_eq!(found("antiphon-engine", "antiphon-proto.workspace = true\n"), [""; 0]);
    }

    #[test]
    fn json_outside_the_api_is_found() {
        assert_eq!(
            found("antiphon-audio", "serde_json = \"1\"\n"),
            ["only antiphon-api may depend on serde_json"]
        );
        assert_eq!(found("antiphon-api", "serde_json = \"1\"\n"), [""; 0]);
        assert_eq!(found("antiphon-proto", "[dev-dependencies]\nserde_json = \"1\"\n"), [""; 0]);
    }

    #[test]
    fn a_pure_crate_takes_only_what_its_table_lists() {
        assert_eq!(found("antiphon-base", "thiserror = \"2\"\n").len(), 1);
        let hidden = "[target.'cfg(unix)'.dependencies]\nnix = \"1\"\n";
        assert_eq!(found("antiphon-playout", hidden).len(), 1);
    }

    #[test]
    fn a_member_that_does_not_inherit_the_lints_is_found() {
        let text = "[package]\nname = \"antiphon-base\"\n";
        assert_eq!(check("Cargo.toml", text, laws::of("antiphon-base").unwrap()).len(), 1);
    }
}
