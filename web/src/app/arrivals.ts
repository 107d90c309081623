// When each speaker's sound came, for the picture; pure.

import type { Calibrate, Measurement } from "./api";

export interface Arrival {
  name: string;
  /** After the first, in microseconds; null: not heard. */
  after_us: number | null;
}

export function arrivalsOf(found: Measurement): Arrival[] {
  const first = Math.min(...found.channels.map((channel) => channel.arrival_us ?? Infinity));
  return found.channels.map((channel) => ({
    name: channel.name,
    after_us: channel.heard && channel.arrival_us !== null ? channel.arrival_us - first : null,
  }));
}

/** What the corrections should make of it: each speaker waits as long as it is told to now, and no longer as long as it was
 *  told to while it was heard. */
export function corrected(found: Calibrate, inForce: ReadonlyMap<string, number>): Arrival[] {
  const waits = new Map(found.corrections.map((one) => [one.name, one.delay_us - (inForce.get(one.name) ?? 0)]));
  const moved = arrivalsOf(found.before).map((one) => ({
    name: one.name,
    after_us: one.after_us === null ? null : one.after_us + (waits.get(one.name) ?? 0),
  }));
  const first = Math.min(...moved.map((one) => one.after_us ?? Infinity));
  return moved.map((one) => ({ ...one, after_us: one.after_us === null ? null : one.after_us - first }));
}

/** A round end for an axis that holds all of it: 1, 2 or 5 times a power of ten, at least 0.1 ms. */
export function reach(arrivals: Arrival[]): number {
  const most = Math.max(100, ...arrivals.map((one) => one.after_us ?? 0));
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((n) => n * power).find((end) => end >= most) ?? most;
}
