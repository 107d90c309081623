#![no_main]
//! Any bytes as what a speaker says of itself: what is shown is short and steers no terminal.

use antiphon_bluetooth::gatt_text;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(text) = gatt_text(bytes) {
        assert!(!text.is_empty() && text.len() <= 64 && !text.chars().any(char::is_control));
    }
});
