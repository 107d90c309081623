// The jitter buffer of one epoch: samples by frame number, in a ring that is as long as the longest latency.
//
// A WebSocket loses nothing and keeps the order, so holes are rare (a hub drops the oldest media of a browser that does not
// read); they are kept as holes and never guessed at here.

import type { Pcm } from "./codec";

/** The longest target latency (10 s) and a little: nothing that is useful lies further ahead. */
const CAPACITY = 2 ** 19;
const RING = [new Float32Array(0), new Float32Array(0)];

interface Run {
  from: number;
  to: number;
}

export type Stored = "stored" | "late" | "far";

export class MediaBuffer {
  private ring = RING;
  /** Runs of frames held, in order, apart from each other. */
  private runs: Run[] = [];
  /** Frames before it have been played. */
  private played: number;
  private newest = -Infinity;
  /** All that came had one channel. */
  mono = true;

  constructor(readonly firstFrame: number) {
    this.played = firstFrame;
  }

  /** One channel is heard on both sides. */
  store(frame: number, pcm: Pcm): Stored {
    const [left, right] = [pcm[0], pcm[1] ?? pcm[0]];
    if (!left || !right) return "far";
    const to = frame + left.length;
    if (to <= this.played) return "late";
    if (to > this.played + CAPACITY) {
      // Too far ahead of what plays: only possible when nothing plays, and then the oldest goes.
      if (frame < this.newest) return "far";
      this.drop(to - CAPACITY);
    }
    if (this.ring === RING) this.ring = [new Float32Array(CAPACITY), new Float32Array(CAPACITY)];
    this.mono &&= pcm.length === 1;
    this.write(0, frame, left);
    this.write(1, frame, right);
    this.join({ from: Math.max(frame, this.played), to });
    this.newest = Math.max(this.newest, to);
    return "stored";
  }

  /** The end of what is held without a hole from `frame` on; `frame` itself if it is not held. */
  heldTo(frame: number): number {
    return this.runs.find((run) => run.from <= frame && frame < run.to)?.to ?? frame;
  }

  /** The first frame at or after `frame` that is held. */
  nextHeld(frame: number): number | undefined {
    const run = this.runs.find((r) => r.to > frame);
    return run && Math.max(run.from, frame);
  }

  end(): number {
    return this.runs.at(-1)?.to ?? this.played;
  }

  /** How many frames are held from `frame` on. */
  framesFrom(frame: number): number {
    return this.runs.reduce((sum, run) => sum + Math.max(0, run.to - Math.max(run.from, frame)), 0);
  }

  /** Copies what is held of `out.length` frames from `frame` on; the rest is silence. */
  read(channel: 0 | 1, frame: number, out: Float32Array): void {
    out.fill(0);
    const ring = this.ring[channel] as Float32Array;
    for (const run of this.runs) {
      const from = Math.max(run.from, frame);
      const to = Math.min(run.to, frame + out.length);
      for (let n = from; n < to; n += 1) out[n - frame] = ring[n & (CAPACITY - 1)] as number;
    }
  }

  /** Frames before `frame` are not needed any more. */
  drop(frame: number): void {
    if (frame <= this.played) return;
    this.played = frame;
    this.runs = this.runs
      .filter((run) => run.to > frame)
      .map((run) => ({ from: Math.max(run.from, frame), to: run.to }));
  }

  private write(channel: 0 | 1, frame: number, samples: Float32Array): void {
    const ring = this.ring[channel] as Float32Array;
    for (let i = Math.max(0, this.played - frame); i < samples.length; i += 1) {
      ring[(frame + i) % CAPACITY] = samples[i] as number;
    }
  }

  private join(added: Run): void {
    const last = this.runs.at(-1);
    if (last && added.from >= last.from && added.from <= last.to) {
      last.to = Math.max(last.to, added.to);
      return;
    }
    const apart = this.runs.filter((run) => run.to < added.from || run.from > added.to);
    const touching = this.runs.filter((run) => run.to >= added.from && run.from <= added.to);
    const from = Math.min(added.from, ...touching.map((run) => run.from));
    const to = Math.max(added.to, ...touching.map((run) => run.to));
    this.runs = [...apart, { from, to }].sort((a, b) => a.from - b.from);
  }
}
