//! Rules about the text of source files.

use super::Finding;
use super::laws::Law;
use super::lexer;

/// Longer files are split by idea.
const MAX_LINES: usize = 800;

/// What a pure crate never names, and why.
const IMPURE: [(&str, &str); 14] = [
    ("Instant::now", "reads a clock; take `now` as a parameter"),
    ("SystemTime", "is wall time; take `now` as a parameter"),
    ("std::net::UdpSocket", "is a socket; sockets live in antiphon-net"),
    ("UdpSocket", "is a socket; sockets live in antiphon-net"),
    ("TcpStream", "is a socket; sockets live in antiphon-net"),
    ("std::thread", "is a thread; threads live in the shells"),
    ("thread::spawn", "is a thread; threads live in the shells"),
    ("tokio", "is a runtime; runtimes live in the shells"),
    ("HashMap", "iterates in no fixed order; use BTreeMap or Vec"),
    ("HashSet", "iterates in no fixed order; use BTreeSet or Vec"),
    ("println!", "prints; return what is to be said"),
    ("eprintln!", "prints; return what is to be said"),
    ("std::env", "reads the environment; take it as a parameter"),
    ("std::process", "reaches for processes; those live in the shells"),
];

/// What a pure crate names only in the files that its law lists.
const FILES: [&str; 3] = ["std::fs", "File::open", "File::create"];

/// A `SAFETY:` comment stands at most this many lines above its `unsafe`.
const SAFETY_LINES: usize = 6;

/// The crate's first line states its law.
pub fn first_line(path: &str, text: &str) -> Vec<Finding> {
    match text.lines().next() {
        Some(line) if line.starts_with("//! Law: ") => vec![],
        _ => vec![Finding::new(path, 1, "the first line must state the crate's law: `//! Law: ...`")],
    }
}

/// Rules for every source file, tests too.
pub fn everywhere(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = text.lines().count();
    if lines > MAX_LINES {
        findings.push(Finding::new(
            path,
            0,
            format!("{lines} lines; split it by idea ({MAX_LINES} at most)"),
        ));
    }
    let layers = lexer::split(text);
    for (n, line) in layers.code.lines().enumerate() {
        for name in ["todo!", "unimplemented!"] {
            if has_word(line, name) {
                findings.push(Finding::new(path, n + 1, format!("`{name}` is unfinished work")));
            }
        }
        if line.contains("#[allow(") || line.contains("#![allow(") {
            let what =
                "use `#[expect(lint, reason = \"...\")]`: it says why, and when it has become needless";
            findings.push(Finding::new(path, n + 1, what));
        }
    }
    for (n, line) in layers.comments.lines().enumerate() {
        for name in ["TODO", "FIXME", "XXX"] {
            if has_word(line, name) {
                findings.push(Finding::new(path, n + 1, format!("`{name}` is unfinished work")));
            }
        }
    }
    findings.extend(machine_paths(path, text));
    findings
}

/// Paths that exist on one machine only.
pub fn machine_paths(path: &str, text: &str) -> Vec<Finding> {
    // In two parts, so that this file does not find itself.
    let roots = ["work", "root", "home"].map(|name| format!("/{name}/"));
    let mut findings = Vec::new();
    for (n, line) in text.lines().enumerate() {
        for root in &roots {
            let begins =
                |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-}".contains(c));
            if line.match_indices(root.as_str()).any(|(at, _)| begins(at)) {
                findings.push(Finding::new(path, n + 1, format!("`{root}` exists on one machine only")));
            }
        }
    }
    findings
}

/// A pure crate names no clock, socket, thread, file or unordered container outside its tests.
pub fn purity(path: &str, text: &str, law: &Law) -> Vec<Finding> {
    if !law.pure {
        return vec![];
    }
    let code = lexer::split(text).code;
    let may_touch_files =
        law.may_touch_files.iter().any(|file| path.ends_with(&format!("{}/{file}", law.name)));
    let mut findings = Vec::new();
    for (n, line) in without_tests(path, &code) {
        for (name, why) in IMPURE {
            if has_word(line, name) {
                findings.push(Finding::new(path, n + 1, format!("`{name}` {why} ({} is pure)", law.name)));
            }
        }
        for name in FILES {
            if has_word(line, name) && !may_touch_files {
                let what = format!("`{name}` touches files ({} is pure)", law.name);
                findings.push(Finding::new(path, n + 1, what));
            }
        }
    }
    findings
}

/// `unsafe` only where the law allows it, and with its reason.
pub fn unsafe_code(path: &str, text: &str, law: &Law) -> Vec<Finding> {
    let layers = lexer::split(text);
    let comments: Vec<&str> = layers.comments.lines().collect();
    let mut findings = Vec::new();
    for (n, line) in layers.code.lines().enumerate() {
        if !has_word(line, "unsafe") {
            continue;
        }
        let reason = comments[n.saturating_sub(SAFETY_LINES)..=n].iter().any(|c| c.contains("SAFETY:"));
        if !law.may_be_unsafe {
            findings.push(Finding::new(path, n + 1, format!("{} holds no `unsafe`", law.name)));
        } else if !reason {
            findings.push(Finding::new(path, n + 1, "`unsafe` without a `SAFETY:` comment above it"));
        }
    }
    findings
}

/// The lines before the tests, which stand last in a file; none of a file of tests.
fn without_tests<'a>(path: &str, code: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    let all_tests = path.ends_with("/tests.rs") || path.contains("/tests/");
    let lines: Vec<&str> = code.lines().collect();
    let is_tests = |n: usize| {
        lines[n].trim() == "#[cfg(test)]"
            && lines[n + 1..].iter().take(3).any(|l| l.trim_start().starts_with("mod ") && l.contains('{'))
    };
    let end = (0..lines.len()).find(|&n| is_tests(n)).unwrap_or(lines.len());
    lines.into_iter().take(if all_tests { 0 } else { end }).enumerate()
}

/// Whether `name` stands in `line` as a word of its own.
fn has_word(line: &str, name: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(name).any(|(at, _)| {
        let after = line[at + name.len()..].chars().next();
        !is_part(line[..at].chars().next_back()) && (name.ends_with('!') || !is_part(after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::laws;

    fn lines(findings: Vec<Finding>) -> Vec<usize> {
        findings.into_iter().map(|f| f.line).collect()
    }

    fn law(name: &str) -> &'static Law {
        laws::of(name).unwrap()
    }

    #[test]
    fn a_crate_that_does_not_state_its_law_is_found() {
        assert_eq!(lines(first_line("lib.rs", "//! A crate.\n")), [1]);
        assert_eq!(lines(first_line("lib.rs", "")), [1]);
        assert!(first_line("lib.rs", "//! Law: none.\n").is_empty());
    }

    #[test]
    fn unfinished_work_is_found_in_code_and_comments() {
        let text = format!("fn f() {{\n    {}();\n}}\n// {}: later\n", "todo!", ["TO", "DO"].concat());
        assert_eq!(lines(everywhere("a.rs", &text)), [2, 4]);
        assert!(everywhere("a.rs", "let text = \"todo!\"; // a method\n").is_empty());
    }

    #[test]
    fn a_bare_allow_is_found_and_an_expectation_is_not() {
        let text =
            "#[allow(dead_code)]\nfn f() {}\n#[expect(dead_code, reason = \"read by C\")]\nfn g() {}\n";
        assert_eq!(lines(everywhere("a.rs", text)), [1]);
    }

    #[test]
    fn a_long_file_is_found() {
        assert!(everywhere("a.rs", &"\n".repeat(800)).is_empty());
        assert_eq!(lines(everywhere("a.rs", &"\n".repeat(801))), [0]);
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        let root = ["/ro", "ot/"].concat();
        assert_eq!(lines(machine_paths("a.sh", &format!("cd {root}x\n"))), [1]);
        assert!(machine_paths("a.sh", &format!("cd $HOME{root}x ./a{root}x\n")).is_empty());
    }

    #[test]
    fn a_pure_crate_that_reads_a_clock_or_hashes_is_found() {
        let text =
            "use std::collections::HashMap;\nlet t = std::time::Instant::now();\nlet s = MyHashMapper;\n";
        assert_eq!(lines(purity("crates/antiphon-proto/src/lib.rs", text, law("antiphon-proto"))), [1, 2]);
        assert!(purity("crates/antiphon-net/src/lib.rs", text, law("antiphon-net")).is_empty());
    }

    #[test]
    fn tests_of_a_pure_crate_may_do_what_it_may_not() {
        let text = "fn f() {}\n#[cfg(test)]\nmod tests {\n    use std::collections::HashMap;\n}\n";
        assert!(purity("crates/antiphon-proto/src/lib.rs", text, law("antiphon-proto")).is_empty());
        let hidden = "#[cfg(test)]\nuse x;\nfn f() { println!(); }\n";
        assert_eq!(lines(purity("crates/antiphon-proto/src/lib.rs", hidden, law("antiphon-proto"))), [3]);
    }

    #[test]
    fn files_are_touched_only_where_the_law_says() {
        let text = "let text = std::fs::read_to_string(path);\n";
        let measure = law("antiphon-measure");
        assert!(purity("crates/antiphon-measure/src/recording.rs", text, measure).is_empty());
        assert_eq!(lines(purity("crates/antiphon-measure/src/spread.rs", text, measure)), [1]);
    }

    #[test]
    fn unsafe_without_its_reason_or_in_the_wrong_crate_is_found() {
        let bare = "fn f() {\n    unsafe { g() }\n}\n";
        let reasoned = "fn f() {\n    // SAFETY: g asks nothing.\n    unsafe { g() }\n}\n";
        assert_eq!(lines(unsafe_code("a.rs", bare, law("antiphon-net"))), [2]);
        assert!(unsafe_code("a.rs", reasoned, law("antiphon-net")).is_empty());
        assert_eq!(lines(unsafe_code("a.rs", reasoned, law("antiphon-proto"))), [3]);
        assert!(unsafe_code("a.rs", "#![forbid(unsafe_code)]\n", law("antiphon-proto")).is_empty());
    }
}
