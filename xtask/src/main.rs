//! Repository tasks: `cargo xtask tidy`.
fn main() {}
