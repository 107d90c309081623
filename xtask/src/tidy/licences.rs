//! Licences and bans of everything in the lock file, judged by `deny.toml`.
//!
//! The file is cargo-deny's, and `cargo deny check licenses bans` reads it too. It is judged here
//! because building cargo-deny would take a fresh machine longer than the whole of `make check`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use toml::Table;

use super::{Finding, read};

/// One package of the dependency graph.
struct Package {
    name: String,
    version: String,
    /// SPDX expression; `None` where the manifest states none.
    licence: Option<String>,
    /// From the workspace itself.
    own: bool,
}

/// What `deny.toml` says.
#[derive(Default)]
struct Policy {
    allowed: BTreeSet<String>,
    banned: BTreeSet<String>,
}

/// Asks cargo for every package in the graph, all targets and features, and judges each.
pub fn check(root: &Path) -> Vec<Finding> {
    match (Policy::parse(&read(&root.join("deny.toml"))), packages(root)) {
        (Ok(policy), Ok(packages)) => judge(&policy, &packages),
        (Err(what), _) => vec![Finding::new("deny.toml", 0, what)],
        (_, Err(what)) => vec![Finding::new("Cargo.lock", 0, what)],
    }
}

impl Policy {
    fn parse(text: &str) -> Result<Self, String> {
        let table: Table = text.parse().map_err(|e| format!("does not parse: {e}"))?;
        let strings =
            |value: Option<&toml::Value>, pick: fn(&toml::Value) -> Option<&str>| -> BTreeSet<String> {
                let list = value.and_then(|v| v.as_array()).map(Vec::as_slice).unwrap_or_default();
                list.iter().filter_map(pick).map(str::to_owned).collect()
            };
        let allowed = strings(table.get("licenses").and_then(|l| l.get("allow")), |v| v.as_str());
        let banned = strings(table.get("bans").and_then(|b| b.get("deny")), |v| v.get("crate")?.as_str());
        if allowed.is_empty() { Err("allows no licence".into()) } else { Ok(Self { allowed, banned }) }
    }
}

fn packages(root: &Path) -> Result<Vec<Package>, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root)
        .output()
        .map_err(|e| format!("cannot run cargo metadata: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())?;
    let list = metadata["packages"].as_array().ok_or("cargo metadata lists no packages")?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Ok(list
        .iter()
        .map(|p| Package {
            name: text(&p["name"]).unwrap_or_default(),
            version: text(&p["version"]).unwrap_or_default(),
            licence: text(&p["license"]),
            own: p["source"].is_null(),
        })
        .collect())
}

fn judge(policy: &Policy, packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages.iter().filter(|p| !p.own) {
        let name = format!("{} {}", package.name, package.version);
        if policy.banned.contains(&package.name) {
            findings.push(Finding::new("Cargo.lock", 0, format!("{name} is banned by deny.toml")));
        }
        match &package.licence {
            None => findings.push(Finding::new("Cargo.lock", 0, format!("{name} states no licence"))),
            Some(licence) if !allows(&policy.allowed, licence) => {
                let what = format!("{name} is under {licence}, which deny.toml does not allow");
                findings.push(Finding::new("Cargo.lock", 0, what));
            }
            Some(_) => {}
        }
    }
    findings
}

/// Whether an SPDX expression can be met with `allowed` licences alone. `AND` binds closer than
/// `OR`; the old `A/B` means `A OR B`. What does not parse is not allowed.
fn allows(allowed: &BTreeSet<String>, expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Expression { words: &words, allowed };
    reader.either() == Some(true) && reader.words.is_empty()
}

struct Expression<'a> {
    words: &'a [&'a str],
    allowed: &'a BTreeSet<String>,
}

impl Expression<'_> {
    fn either(&mut self) -> Option<bool> {
        let mut met = self.both()?;
        while self.take("OR") {
            met |= self.both()?;
        }
        Some(met)
    }

    fn both(&mut self) -> Option<bool> {
        let mut met = self.one()?;
        while self.take("AND") {
            met &= self.one()?;
        }
        Some(met)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let met = self.either()?;
            return self.take(")").then_some(met);
        }
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        let mut name = first.trim_end_matches('+').to_owned();
        if self.take("WITH") {
            let (exception, rest) = self.words.split_first()?;
            self.words = rest;
            // An exception only adds rights: the licence without it is enough.
            let with = format!("{name} WITH {exception}");
            if self.allowed.contains(&with) {
                name = with;
            }
        }
        Some(self.allowed.contains(&name))
    }

    fn take(&mut self, word: &str) -> bool {
        match self.words.split_first() {
            Some((first, rest)) if first.eq_ignore_ascii_case(word) => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        Policy::parse(
            "[licenses]\nallow = [\"MIT\", \"Apache-2.0\"]\n[bans]\ndeny = [{ crate = \"openssl\" }]\n",
        )
        .unwrap()
    }

    fn package(name: &str, licence: Option<&str>) -> Package {
        Package {
            name: name.into(),
            version: "1.0.0".into(),
            licence: licence.map(str::to_owned),
            own: false,
        }
    }

    #[test]
    fn expressions_are_met_as_spdx_says() {
        let allowed = policy().allowed;
        for met in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-2.0/MIT",
            "(MIT OR GPL-3.0) AND Apache-2.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(allows(&allowed, met), "{met}");
        }
        for unmet in [
            "GPL-3.0-only",
            "MIT AND LGPL-2.1",
            "(MIT",
            "MIT OR",
            "",
            "MIT MIT",
            "GPL-3.0 OR LGPL-3.0 AND MIT",
        ] {
            assert!(!allows(&allowed, unmet), "{unmet}");
        }
    }

    #[test]
    fn a_licence_that_is_not_allowed_and_one_that_is_missing_are_found() {
        let found = judge(
            &policy(),
            &[package("a", Some("GPL-3.0-only")), package("b", None), package("c", Some("MIT"))],
        );
        assert_eq!(found.len(), 2);
        assert!(found[0].what.contains("a 1.0.0 is under GPL-3.0-only"));
    }

    #[test]
    fn a_banned_crate_is_found_whatever_its_licence() {
        assert_eq!(judge(&policy(), &[package("openssl", Some("MIT"))]).len(), 1);
    }

    #[test]
    fn a_policy_that_allows_nothing_is_refused() {
        assert!(Policy::parse("[licenses]\nallow = []\n").is_err());
    }
}
