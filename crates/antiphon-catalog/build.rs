//! Puts every file of `catalog/speakers` and `catalog/guides` into the program, so that a new file
//! there is all that a new speaker needs.

use std::fmt::Write;
use std::path::Path;

fn main() {
    let root =
        Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("../../catalog");
    let mut code = String::new();
    for (name, folder) in [("SPEAKERS", "speakers"), ("GUIDES", "guides")] {
        let folder = root.join(folder);
        println!("cargo::rerun-if-changed={}", folder.display());
        let entries = std::fs::read_dir(&folder).expect("catalog/ is beside crates/");
        let mut files: Vec<_> = entries
            .map(|entry| entry.expect("the folder is readable").path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
            .collect();
        files.sort();
        let _ = writeln!(code, "pub(crate) const {name}: [(&str, &str); {}] = [", files.len());
        for file in files {
            let title = file.file_name().expect("it is a file").to_string_lossy().into_owned();
            let _ = writeln!(code, "    ({title:?}, include_str!({:?})),", file.display().to_string());
        }
        code.push_str("];\n");
    }
    let out = std::env::var_os("OUT_DIR").expect("cargo sets it");
    std::fs::write(Path::new(&out).join("files.rs"), code).expect("cargo's own folder can be written to");
}
