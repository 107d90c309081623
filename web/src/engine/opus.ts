// Opus, decoded by the browser (WebCodecs). It does so in its own time, so that what a packet sounds like comes later, and in
// order.
//
// Browsers have WebCodecs only where the page came safely (HTTPS, or the hub's own machine): elsewhere `hello` does not name Opus,
// and the hub sends linear PCM.
//
// Edge: nothing is decided here.

import type { Pcm } from "./codec";
import type { Media } from "./datagram";

/** Takes the packet's media and what they sound like; `undefined` where the packet is none. */
export type Decoded = (media: Media, pcm: Pcm | undefined) => void;

const RATE = 48_000;
/** Packets that the browser has not answered: of more, something is stuck. */
const MOST_PENDING = 500;

let known = false;

/** Whether this browser decodes Opus; a moment after the page was opened it is known. */
export const decodesOpus = (): boolean => known;

export async function askForOpus(): Promise<void> {
  if (typeof AudioDecoder !== "function") return;
  const asked = await AudioDecoder.isConfigSupported(config(2)).catch(() => undefined);
  known = asked?.supported ?? false;
}

const config = (channels: number): AudioDecoderConfig => ({ codec: "opus", sampleRate: RATE, numberOfChannels: channels });

export class OpusDecoder {
  private decoder: AudioDecoder | undefined;
  private stream = { ssrc: -1, channels: 0 };
  /** By the number that went with each as its time. */
  private pending = new Map<number, Media>();
  private next = 0;

  constructor(private readonly decoded: Decoded) {}

  decode(media: Media): void {
    const channels = 1 + ((media.payloadType - 96) & 1);
    if (!this.decoder || media.ssrc !== this.stream.ssrc || channels !== this.stream.channels || this.pending.size > MOST_PENDING) {
      this.begin(media.ssrc, channels);
    }
    const time = this.next;
    // 10 ms each: decoders look at how far apart they are.
    this.next += 10_000;
    this.pending.set(time, media);
    try {
      this.decoder?.decode(new EncodedAudioChunk({ type: "key", timestamp: time, data: media.payload as Uint8Array<ArrayBuffer> }));
    } catch {
      this.failed();
    }
  }

  close(): void {
    if (this.decoder?.state !== "closed") this.decoder?.close();
    this.decoder = undefined;
    this.pending.clear();
  }

  private begin(ssrc: number, channels: number): void {
    this.close();
    this.stream = { ssrc, channels };
    this.next = 0;
    const decoder = new AudioDecoder({
      output: (data) => this.output(data),
      // An older decoder's end is no news.
      error: () => this.decoder === decoder && this.failed(),
    });
    decoder.configure(config(channels));
    this.decoder = decoder;
  }

  private output(data: AudioData): void {
    const media = this.pending.get(data.timestamp);
    // What came before it and was not answered will not be.
    for (const time of this.pending.keys()) if (time <= data.timestamp) this.pending.delete(time);
    if (media) this.decoded(media, samples(data));
    data.close();
  }

  /** What is damaged stops a decoder for good: the next packet has another. */
  private failed(): void {
    for (const media of this.pending.values()) this.decoded(media, undefined);
    this.close();
  }
}

function samples(data: AudioData): Pcm {
  return Array.from({ length: data.numberOfChannels }, (_, channel) => {
    const out = new Float32Array(data.numberOfFrames);
    data.copyTo(out, { planeIndex: channel, format: "f32-planar" });
    return out;
  });
}
