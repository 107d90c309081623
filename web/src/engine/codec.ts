// What a packet's payload sounds like. Linear PCM only: WebCodecs does not exist on plain HTTP, and the hub's content
// security policy lets no WebAssembly run, so `hello` says l16 and l24.

import type { Codec } from "../wire";
import type { Media } from "./datagram";

export const CODECS: Codec[] = ["l16", "l24"];

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
