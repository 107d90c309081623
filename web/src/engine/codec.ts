// What a packet's payload sounds like. Linear PCM is decoded here; Opus by the browser, where it does that (opus.ts).

import type { Codec } from "../wire";
import type { Media } from "./datagram";

/** Best first: a WebSocket does not lose what it carries, and PCM costs the least work. */
export const codecs = (opus: boolean): Codec[] => (opus ? ["l16", "l24", "opus"] : ["l16", "l24"]);

/** RTP-3. */
export const isOpus = (media: Media): boolean => (media.payloadType - 96) >> 1 === 3;

/** RTP-5: what is decoded belongs so many frames before the packet's first. */
export const OPUS_DELAY = 120;

/** Samples by channel, one or two of them, all of one length. */
export type Pcm = Float32Array<ArrayBuffer>[];

/** RTP-3, RTP-4; `undefined` for a payload type not asked for, or a length that is no whole number of frames. */
export function decode(media: Media): Pcm | undefined {
  const codec = (media.payloadType - 96) >> 1;
  const channels = 1 + ((media.payloadType - 96) & 1);
  if (codec !== 0 && codec !== 1) return undefined;
  const width = (codec + 2) * channels;
  const frames = media.payload.length / width;
  if (!Number.isInteger(frames) || frames === 0) return undefined;
  return codec === 0 ? decodeL16(media.payload, frames, channels) : decodeL24(media.payload, frames, channels);
}

function decodeL16(payload: Uint8Array, frames: number, channels: number): Pcm {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  return byChannel(frames, channels, (n) => view.getInt16(2 * n) / 32_768);
}

function decodeL24(payload: Uint8Array, frames: number, channels: number): Pcm {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  return byChannel(frames, channels, (n) => (view.getInt16(3 * n) * 256 + view.getUint8(3 * n + 2)) / 8_388_608);
}

function byChannel(frames: number, channels: number, sample: (n: number) => number): Pcm {
  return Array.from({ length: channels }, (_, channel) => {
    const out = new Float32Array(frames);
    for (let frame = 0; frame < frames; frame += 1) out[frame] = sample(frame * channels + channel);
    return out;
  });
}
