//! One encoder for each variant in use: speakers with the same role and codec share its packets.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use antiphon_base::{Frames, Hub as HubClock, Timestamp};
use antiphon_codec::{CodecKind, Encoder, encoder};
use antiphon_proto::send::{Variant, route};
use antiphon_proto::session::Codec;

use super::HubEngine;
use super::programme::Phase;

#[derive(Default)]
pub(super) struct Encoders {
    lines: BTreeMap<Variant, Box<dyn Encoder>>,
    frontier: Frames,
    source: Vec<f32>,
    routed: Vec<f32>,
    payload: Vec<u8>,
}

impl std::fmt::Debug for Encoders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoders")
            .field("lines", &self.lines.len())
            .field("frontier", &self.frontier)
            .finish()
    }
}

impl Encoders {
    /// A new epoch begins at `first`: encoders with a memory start afresh.
    pub fn start(&mut self, first: Frames) {
        self.lines.clear();
        self.frontier = first;
    }

    /// The epoch is over.
    pub fn stop(&mut self) {
        self.lines.clear();
    }

    /// The media frame after the last that any variant was sent.
    pub fn frontier(&self) -> Frames {
        self.frontier
    }
}

/// The codec crate's name of a codec of the wire.
pub(crate) fn kind_of(codec: Codec) -> CodecKind {
    match codec {
        Codec::L16 => CodecKind::L16,
        Codec::L24 => CodecKind::L24,
        Codec::Flac => CodecKind::Flac,
        Codec::Opus => CodecKind::Opus,
    }
}

impl HubEngine {
    /// Routes, encodes and hands to the hub every packet that is due.
    pub(super) fn encode_due(&mut self, now: Timestamp<HubClock>) {
        let Some(programme) = &self.programme else { return };
        let Phase::Playing(placed) = programme.phase else { return };
        let ready = if programme.window.is_finished() {
            Frames(i64::MAX)
        } else {
            placed.media_of(programme.window.end())
        };
        let Some(horizon) = self.hub.encode_horizon(now) else { return };
        let variants: Vec<Variant> = self.hub.variants().collect();
        self.encoders.lines.retain(|variant, _| variants.contains(variant));
        for variant in variants {
            self.encode_variant(now, variant, horizon, ready);
        }
        let Some(programme) = &mut self.programme else { return };
        // With no speaker at all the programme runs on, so that one who joins hears what is now.
        let frontier = self.encoders.frontier.max(horizon.min(ready));
        self.encoders.frontier = frontier;
        programme.sent = placed.source_of(frontier).min(programme.window.end());
        programme.window.forget_before(programme.sent, self.hub.latency());
    }

    fn encode_variant(&mut self, now: Timestamp<HubClock>, variant: Variant, horizon: Frames, ready: Frames) {
        let packet = variant.packet_frames();
        if let Entry::Vacant(line) = self.encoders.lines.entry(variant) {
            let Ok(encoder) = encoder(kind_of(variant.codec), variant.role.channels(), packet) else {
                return;
            };
            line.insert(encoder);
        }
        while let Some(next) = self.hub.next_frame(variant)
            && next < horizon
            && next + packet <= ready
        {
            self.encode_packet(now, variant, next, packet);
        }
    }

    fn encode_packet(&mut self, now: Timestamp<HubClock>, variant: Variant, first: Frames, packet: Frames) {
        let Some(programme) = &self.programme else { return };
        let Phase::Playing(placed) = programme.phase else { return };
        let Encoders { lines, source, routed, payload, frontier } = &mut self.encoders;
        let Some(encoder) = lines.get_mut(&variant) else { return };
        programme.window.copy(placed.source_of(first), packet.0 as usize, source);
        routed.clear();
        route(variant.role, programme.spec.channels, source, routed);
        payload.clear();
        *frontier = (*frontier).max(first + packet);
        if encoder.encode(routed, payload).is_err() {
            payload.clear();
        }
        // A unit that could not be encoded is handed over empty: its number must be used up.
        self.hub.handle_encoded(now, variant, first, packet, payload);
    }
}
