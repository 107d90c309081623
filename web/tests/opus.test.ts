import { expect, test } from "vitest";
import { codecs } from "../src/engine/codec";
import { SpeakerCore } from "../src/engine/core";
import type { Media } from "../src/engine/datagram";

/** A mono packet of Opus that begins with `frame`; RTP-1 to RTP-3. */
function packet(frame: number): Uint8Array {
  const bytes = new Uint8Array(36 + 60);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0x9000 + 96 + 6);
  view.setUint32(4, frame);
  view.setUint32(8, 7);
  view.setUint32(12, 0xbede0005);
  view.setUint8(16, 0x17);
  view.setBigInt64(17, 1_000_000_000n);
  view.setUint8(25, 0x27);
  view.setUint32(26, 3);
  return bytes;
}

test("a packet of Opus is decoded in its own time and lies 120 frames before its first", () => {
  const asked: Media[] = [];
  const core = new SpeakerCore(48_000, 5e3, (media) => asked.push(media));
  core.handleDatagram(packet(9_600), 0);
  core.handleDatagram(packet(10_080), 0);
  expect(asked.map((media) => [media.frame, media.epoch, media.presentationNs])).toEqual([
    [9_600, 3, 1e9],
    [10_080, 3, 1e9],
  ]);
  expect(core.playout.counters.received).toBe(0);
  for (const media of asked) core.handleDecoded(media, [new Float32Array(480)], 0);
  // What lies before the epoch's first frame is the decoder's running in.
  expect(core.playout.heldS() * 48_000).toBeCloseTo(960 - 120);
  expect(core.playout.counters).toMatchObject({ received: 2, late: 0, malformed: 0 });
  core.handleDecoded(asked[1] as Media, undefined, 0);
  expect(core.playout.counters.malformed).toBe(1);
});

test("Opus is named where the browser decodes it, behind PCM, which stays the first choice", () => {
  expect(codecs(false)).toEqual(["l16", "l24"]);
  expect(codecs(true)).toEqual(["l16", "l24", "opus"]);
});
