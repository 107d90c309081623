#![no_main]

use libfuzzer_sys::fuzz_target;

#[expect(dead_code, reason = "each target runs one entry")]
#[path = "../../crates/antiphon-proto/tests/entry/mod.rs"]
mod entry;

fuzz_target!(|data: &[u8]| entry::notice(data));
