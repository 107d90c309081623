#![no_main]
//! Any bytes as a packet of miIO, as they are and behind a header that is right.

use antiphon_miio::{Token, open, seal};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(token) = "00112233445566778899aabbccddeeff".parse::<Token>() else { return };
    let _ = open(&token, bytes);
    if bytes.len() < 2_000 {
        let sealed = seal(&token, 7, 9, bytes);
        let mut text = bytes.to_vec();
        while text.last() == Some(&0) {
            text.pop();
        }
        assert_eq!(open(&token, &sealed), Ok(text));
        let mut cut = sealed;
        cut.truncate(32 + bytes.len());
        let _ = open(&token, &cut);
    }
});
