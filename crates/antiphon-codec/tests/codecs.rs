//! What goes into a codec comes out of it, and what is no payload comes out as an error.

use std::f32::consts::TAU;

use antiphon_base::Frames;
use antiphon_codec::{CodecError, CodecKind, FlacDecoder, MAX_PACKET_FRAMES, decoder, encoder};
use proptest::prelude::*;

const ALL: [CodecKind; 4] = [CodecKind::L16, CodecKind::L24, CodecKind::Flac, CodecKind::Opus];

/// A tone of `hz` in each channel, an octave apart, with a slow swell.
fn music(frames: usize, channels: usize, from: usize) -> Vec<f32> {
    let mut samples = Vec::new();
    for i in from..from + frames {
        for k in 0..channels {
            let hz = 440.0 * (1 << k.min(3)) as f32;
            let swell = 0.6 + 0.3 * (i as f32 / 9_000.0).sin();
            samples.push(0.5 * swell * (TAU * (hz * i as f32 / 48_000.0).fract()).sin());
        }
    }
    samples
}

#[test]
fn a_codec_is_read_as_it_is_written() {
    for kind in ALL {
        assert_eq!(kind.to_string().parse(), Ok(kind));
    }
    let said = "aptx".parse::<CodecKind>().unwrap_err().to_string();
    assert!(said.contains("aptx") && said.contains("l24"), "{said}");
}

#[test]
fn lossless_codecs_give_every_24_bit_sample_back() {
    for (kind, channels) in [
        (CodecKind::L24, 1),
        (CodecKind::L24, 2),
        (CodecKind::Flac, 1),
        (CodecKind::Flac, 2),
        (CodecKind::Flac, 8),
    ] {
        let mut encode = encoder(kind, channels, Frames(240)).unwrap();
        let mut decode = decoder(kind, channels).unwrap();
        for packet in 0..50 {
            let samples = music(240, channels.into(), packet * 240);
            let on_grid =
                samples.iter().map(|x| (x * 8_388_608.0).round() / 8_388_608.0).collect::<Vec<f32>>();
            let (mut payload, mut out) = (Vec::new(), Vec::new());
            encode.encode(&on_grid, &mut payload).unwrap();
            decode.decode(&payload, &mut out).unwrap();
            assert_eq!(out, on_grid, "{kind} {channels}");
        }
    }
}

#[test]
fn flac_is_smaller_than_l24_for_music() {
    let mut encode = encoder(CodecKind::Flac, 2, Frames(480)).unwrap();
    let mut payload = Vec::new();
    for packet in 0..20 {
        encode.encode(&music(480, 2, packet * 480), &mut payload).unwrap();
    }
    assert!(payload.len() < 20 * 480 * 2 * 3 * 8 / 10, "{} bytes", payload.len());
}

#[test]
fn a_flac_frame_decodes_alone_whatever_came_before() {
    let mut encode = encoder(CodecKind::Flac, 2, Frames(480)).unwrap();
    let mut payloads = vec![Vec::new(); 8];
    for (packet, payload) in payloads.iter_mut().enumerate() {
        encode.encode(&music(480, 2, packet * 480), payload).unwrap();
    }
    let alone = |payload: &[u8]| {
        let (mut fresh, mut out) = (decoder(CodecKind::Flac, 2).unwrap(), Vec::new());
        fresh.decode(payload, &mut out).unwrap();
        out
    };
    let mut used = decoder(CodecKind::Flac, 2).unwrap();
    for payload in payloads.iter().rev() {
        let mut out = Vec::new();
        used.decode(payload, &mut out).unwrap();
        assert_eq!(out, alone(payload));
    }
}

#[test]
fn dithered_16_bit_carries_a_tone_smaller_than_its_step() {
    let mut encode = encoder(CodecKind::L16, 1, Frames(480)).unwrap();
    let mut decode = decoder(CodecKind::L16, 1).unwrap();
    let (mut payload, mut out, mut should) = (Vec::new(), Vec::new(), Vec::new());
    for packet in 0..200usize {
        let samples = (0..480)
            .map(|i| 0.4 / 32_768.0 * (TAU * (997.0 * (packet * 480 + i) as f32 / 48_000.0).fract()).sin());
        let samples = samples.collect::<Vec<f32>>();
        payload.clear();
        encode.encode(&samples, &mut payload).unwrap();
        decode.decode(&payload, &mut out).unwrap();
        should.extend(samples);
    }
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    let factor = dot(&out, &should) / dot(&should, &should);
    assert!((factor - 1.0).abs() < 0.05, "without dither it would be 0: {factor}");
    // The noise of rounding with triangular dither is a quarter of a step squared, and white.
    let noise = out.iter().zip(&should).map(|(a, b)| (f64::from(a - b) * 32_768.0).powi(2)).sum::<f64>()
        / out.len() as f64;
    assert!((noise - 0.25).abs() < 0.01, "{noise}");
}

#[test]
fn a_16_bit_signal_passes_through_l16_untouched() {
    let samples = (0..480).map(|i| (i * 131 - 32_768) as f32 / 32_768.0).collect::<Vec<f32>>();
    let (mut payload, mut out) = (Vec::new(), Vec::new());
    encoder(CodecKind::L16, 1, Frames(480)).unwrap().encode(&samples, &mut payload).unwrap();
    decoder(CodecKind::L16, 1).unwrap().decode(&payload, &mut out).unwrap();
    assert_eq!(out, samples);
}

#[test]
fn the_same_stream_is_dithered_the_same_each_time() {
    let run = || {
        let mut payload = Vec::new();
        encoder(CodecKind::L16, 2, Frames(240)).unwrap().encode(&music(240, 2, 0), &mut payload).unwrap();
        payload
    };
    assert_eq!(run(), run());
}

#[test]
fn pcm_lies_in_network_byte_order() {
    let mut payload = Vec::new();
    encoder(CodecKind::L24, 1, Frames(3)).unwrap().encode(&[0.5, -1.0, 2.0], &mut payload).unwrap();
    assert_eq!(payload, [0x40, 0, 0, 0x80, 0, 0, 0x7F, 0xFF, 0xFF]);
    payload.clear();
    encoder(CodecKind::L16, 1, Frames(3)).unwrap().encode(&[0.5, -1.0, f32::NAN], &mut payload).unwrap();
    assert_eq!(payload, [0x40, 0, 0x80, 0, 0, 0]);
}

/// Opus output against its input, moved by `delay` frames: the error as a ratio of energies.
fn opus_error(channels: u16, packet: usize, delay: i64) -> f64 {
    let mut encode = encoder(CodecKind::Opus, channels, Frames(packet as i64)).unwrap();
    let mut decode = decoder(CodecKind::Opus, channels).unwrap();
    let width = usize::from(channels);
    let (mut input, mut out) = (Vec::new(), Vec::new());
    for n in 0..100 {
        let samples = music(packet, width, n * packet);
        let mut payload = Vec::new();
        encode.encode(&samples, &mut payload).unwrap();
        assert!(payload.len() <= 1_020, "{} bytes", payload.len());
        decode.decode(&payload, &mut out).unwrap();
        input.extend(samples);
    }
    assert_eq!(out.len(), input.len());
    let skip = 10 * packet * width;
    let (mut left, mut all) = (0.0, 0.0);
    for i in skip..input.len() - 960 * width {
        let delayed = out[(i as i64 + delay * width as i64) as usize];
        left += f64::from(delayed - input[i]).powi(2);
        all += f64::from(input[i]).powi(2);
    }
    left / all
}

#[test]
fn opus_comes_out_its_stated_delay_later_and_not_a_frame_more() {
    let delay = CodecKind::Opus.delay().0;
    for (channels, packet) in [(1, 480), (2, 480), (2, 960)] {
        let right = opus_error(channels, packet, delay);
        assert!(right < 3e-3, "{channels} channels, {packet} frames: {right:e}");
        for off in [delay - 1, delay + 1] {
            assert!(opus_error(channels, packet, off) > 2.0 * right, "{off}");
        }
    }
}

#[test]
fn a_lost_opus_packet_is_made_up_and_the_next_one_joins() {
    let mut encode = encoder(CodecKind::Opus, 1, Frames(480)).unwrap();
    let mut decode = decoder(CodecKind::Opus, 1).unwrap();
    let mut out = Vec::new();
    for packet in 0..40 {
        let mut payload = Vec::new();
        encode.encode(&music(480, 1, packet * 480), &mut payload).unwrap();
        if packet == 20 {
            assert_eq!(decode.lost(Frames(480), &mut out), Frames(480));
        } else {
            decode.decode(&payload, &mut out).unwrap();
        }
    }
    assert_eq!(out.len(), 40 * 480);
    let step = |range: std::ops::Range<usize>| {
        out[range].windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max)
    };
    assert!(step(19 * 480..23 * 480) < 2.0 * step(5 * 480..15 * 480), "a click");
}

#[test]
fn codecs_without_memory_make_nothing_up() {
    for kind in [CodecKind::L16, CodecKind::L24, CodecKind::Flac] {
        let mut out = Vec::new();
        assert_eq!(decoder(kind, 2).unwrap().lost(Frames(240), &mut out), Frames(0));
        assert!(out.is_empty());
    }
}

#[test]
fn streams_that_no_codec_has_are_refused() {
    for kind in ALL {
        for channels in [0, 9] {
            assert!(matches!(decoder(kind, channels).err(), Some(CodecError::Channels { .. })), "{kind}");
            assert!(
                matches!(encoder(kind, channels, Frames(480)).err(), Some(CodecError::Channels { .. })),
                "{kind}"
            );
        }
        let mut encode = encoder(kind, 2, Frames(480)).unwrap();
        let mut payload = Vec::new();
        for samples in [0, 1, 3, 2 * (MAX_PACKET_FRAMES.0 as usize + 1)] {
            let error = encode.encode(&vec![0.1; samples], &mut payload).unwrap_err();
            assert!(matches!(error, CodecError::Length { .. }), "{kind} {samples}: {error}");
            assert!(payload.is_empty());
        }
    }
    assert!(encoder(CodecKind::Opus, 2, Frames(100)).is_err());
}

#[test]
fn a_flac_frame_with_one_bit_turned_is_refused() {
    let mut payload = Vec::new();
    encoder(CodecKind::Flac, 1, Frames(240)).unwrap().encode(&music(240, 1, 0), &mut payload).unwrap();
    for bit in 0..payload.len() * 8 {
        let (mut turned, mut out) = (payload.clone(), Vec::new());
        turned[bit / 8] ^= 0x80 >> (bit % 8);
        // The blocking strategy bit is under the checksums too.
        assert!(decoder(CodecKind::Flac, 1).unwrap().decode(&turned, &mut out).is_err(), "bit {bit}");
        assert!(out.is_empty());
    }
}

/// Makes the checksums of a forged FLAC frame right, so that what lies behind them is reached.
fn sign(frame: &mut Vec<u8>) {
    // Six bytes of header: sync, block and rate, channels and bits, number, then the block size.
    let crc8 = |bytes: &[u8]| {
        bytes.iter().fold(0u8, |crc, b| {
            (0..8).fold(crc ^ b, |c, _| if c & 0x80 == 0 { c << 1 } else { (c << 1) ^ 7 })
        })
    };
    frame.insert(7, crc8(&frame[..7]));
    let crc16 = frame.iter().fold(0u16, |crc, &b| {
        (0..8)
            .fold(crc ^ (u16::from(b) << 8), |c, _| if c & 0x8000 == 0 { c << 1 } else { (c << 1) ^ 0x8005 })
    });
    frame.extend(crc16.to_be_bytes());
}

proptest! {
    #[test]
    fn random_payloads_never_panic_and_never_give_wild_samples(
        which in 0usize..4,
        channels in 1u16..=2,
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..1_300), 1..4),
    ) {
        let mut decode = decoder(ALL[which], channels).unwrap();
        for payload in payloads {
            let mut out = Vec::new();
            let decoded = decode.decode(&payload, &mut out);
            prop_assert!(decoded.is_ok() || out.is_empty());
            prop_assert!(out.iter().all(|x| x.is_finite() && x.abs() <= 1.0));
            prop_assert_eq!(out.len() % usize::from(channels), 0);
            prop_assert!(out.len() <= MAX_PACKET_FRAMES.0 as usize * usize::from(channels));
        }
    }

    #[test]
    fn forged_flac_frames_never_panic(
        assignment in prop::sample::select(vec![1u8, 8, 9, 10]),
        frames in 0u16..8_200,
        first in any::<u8>(),
        body in prop::collection::vec(any::<u8>(), 0..1_200),
    ) {
        let mut frame = vec![0xFF, 0xF8, 0x7A, assignment << 4 | 0b1100, 0];
        frame.extend(frames.to_be_bytes());
        frame.push(first & 0x7F);
        frame.extend(body);
        sign(&mut frame);
        let mut out = Vec::new();
        let mut decode = FlacDecoder::new(2).unwrap();
        let _ = antiphon_codec::Decoder::decode(&mut decode, &frame, &mut out);
        prop_assert!(out.iter().all(|x| x.is_finite() && x.abs() <= 1.0));
    }

    #[test]
    fn any_samples_survive_flac_to_24_bit(
        samples in prop::collection::vec(prop_oneof![-1.0f32..=1.0, Just(1.0), Just(-1.0), Just(0.0), Just(f32::NAN), Just(f32::INFINITY)], 32..600),
    ) {
        let samples = &samples[..samples.len() / 2 * 2];
        let (mut payload, mut out) = (Vec::new(), Vec::new());
        encoder(CodecKind::Flac, 2, Frames(240)).unwrap().encode(samples, &mut payload).unwrap();
        decoder(CodecKind::Flac, 2).unwrap().decode(&payload, &mut out).unwrap();
        prop_assert_eq!(out.len(), samples.len());
        for (x, y) in samples.iter().zip(&out) {
            let x = if x.is_nan() { 0.0 } else { x.clamp(-1.0, 1.0) };
            prop_assert!((x - y).abs() <= 1.01 / 8_388_608.0, "{} became {}", x, y);
        }
    }
}
