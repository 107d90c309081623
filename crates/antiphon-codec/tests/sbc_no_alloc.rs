//! After `new` the SBC encoder may run on a real-time thread: it neither allocates nor frees.

use antiphon_base::SampleRate;
use antiphon_codec::sbc::{SbcAllocation, SbcEncoder, SbcMode, SbcParams};
use assert_no_alloc::{AllocDisabler, assert_no_alloc};

#[global_allocator]
static ALLOCATOR: AllocDisabler = AllocDisabler;

#[test]
fn encoding_into_a_packet_with_room_allocates_nothing() {
    let modes = [SbcMode::Mono, SbcMode::DualChannel, SbcMode::Stereo, SbcMode::JointStereo];
    for (mode, subbands) in modes.into_iter().flat_map(|mode| [(mode, 4), (mode, 8)]) {
        let rate = SampleRate::new(48_000).unwrap();
        let params = SbcParams::new(rate, mode, 16, subbands, SbcAllocation::Loudness, 35).unwrap();
        let length = params.frame_samples() * usize::from(mode.channels());
        let samples: Vec<f32> = (0..length).map(|n| (n as f32 * 0.37).sin()).collect();
        let mut packet = Vec::with_capacity(5 * params.frame_bytes());
        let mut encoder = SbcEncoder::new(params);
        assert_no_alloc(|| {
            for _ in 0..5 {
                encoder.encode(&samples, &mut packet).unwrap();
            }
            let refused = encoder.encode(&samples[1..], &mut packet);
            assert!(refused.is_err());
            encoder.reset();
        });
        assert_eq!(packet.len(), 5 * params.frame_bytes());
    }
}
