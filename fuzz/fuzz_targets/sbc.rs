#![no_main]
//! Any two bytes as the head of an SBC frame, and any samples in that configuration.

use antiphon_codec::sbc::{SbcEncoder, SbcParams};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(([first, bitpool], rest)) = data.split_first_chunk() else { return };
    let Ok(params) = SbcParams::from_header([0x9C, *first, *bitpool]) else { return };
    assert_eq!(params.header(), [0x9C, *first, *bitpool]);
    let samples: Vec<f32> = rest.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let length = params.frame_samples() * usize::from(params.mode().channels());
    let (mut encoder, mut out) = (SbcEncoder::new(params), Vec::new());
    for frame in samples.chunks(length) {
        out.clear();
        let encoded = encoder.encode(frame, &mut out);
        assert_eq!(encoded.is_ok(), frame.len() == length);
        assert_eq!(out.len(), if encoded.is_ok() { params.frame_bytes() } else { 0 });
    }
});
