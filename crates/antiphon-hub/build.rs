//! Builds this crate anew when a file of the page comes or goes.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // A folder that is not there would be looked for at every build.
    if std::path::Path::new("../../web/dist").exists() {
        println!("cargo:rerun-if-changed=../../web/dist");
    }
}
