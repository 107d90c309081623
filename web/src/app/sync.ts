// How well the speakers agree, from what they say of themselves; pure.
//
// A speaker knows where it plays against where it should, and how sure its clock is. It does not know what lies behind its
// output: a Bluetooth loudspeaker or a browser may be late without telling. For those the word is "not verified" until a
// microphone has heard them.

import type { SpeakerStatus, Status } from "./api";

export type SyncWord = "together" | "nearly" | "apart" | "not_verified" | "alone" | "settling" | "quiet";

export interface Sync {
  word: SyncWord;
  /** Between the earliest and the latest speaker, in microseconds; null while nothing is known. */
  spread_us: number | null;
  /** Half width of its 95 % interval. */
  sure_us: number | null;
  /** Speakers that were compared. */
  of: number;
  /** Speakers that play. */
  all: number;
  /** Speakers whose sound nobody has checked. */
  unverified: string[];
}

/** One stereo image, as in docs/measure.md. */
export const TOGETHER_US = 60;
/** In one room nobody hears it. */
export const NEARLY_US = 200;

const GONE_MS = 5_000;

/** What the speakers of the present programme agree to. */
export function syncOf(status: Status): Sync {
  // One that has gone does not hold back the judgement of the others; it is said where the speaker is.
  const playing = status.speakers.filter((speaker) => speaker.streaming && speaker.silent_ms < GONE_MS);
  const known = playing.filter(isKnown);
  const unverified = known.filter((speaker) => !isVerified(speaker)).map((speaker) => speaker.name);
  const base: Sync = { word: "quiet", spread_us: null, sure_us: null, of: known.length, all: playing.length, unverified };
  if (!["playing", "starting"].includes(status.programme.state)) return base;
  if (known.length < 2) return { ...base, word: playing.length === 1 && known.length === 1 ? "alone" : "settling" };
  return { ...base, ...compared(known), word: wordFor(compared(known), unverified, known.length < playing.length) };
}

function isKnown(speaker: SpeakerStatus): boolean {
  const report = speaker.report;
  return report !== null && report.synced && report.state === "playing";
}

/** Whether nothing unheard lies between its clock and the air, or a microphone has heard that. */
function isVerified(speaker: SpeakerStatus): boolean {
  const hides = speaker.link !== undefined || speaker.browser === true || speaker.output.startsWith("browser:") || speaker.output.startsWith("bluetooth:");
  if (!hides) return true;
  return speaker.calibration !== null && speaker.calibration.verified && speaker.calibration.stale === null;
}

function compared(known: SpeakerStatus[]): { spread_us: number; sure_us: number } {
  const sorted = known
    .map((speaker) => ({ at: speaker.report?.phase_error_us ?? 0, sd: deviation(speaker) }))
    .sort((a, b) => a.at - b.at);
  const [first, last] = [sorted[0], sorted[sorted.length - 1]];
  if (!first || !last) return { spread_us: 0, sure_us: 0 };
  return { spread_us: last.at - first.at, sure_us: 1.96 * Math.hypot(first.sd, last.sd) };
}

function deviation(speaker: SpeakerStatus): number {
  return Math.hypot(speaker.report?.offset_sd_us ?? 0, speaker.report?.dac_sd_us ?? 0);
}

/** An interval that reaches over a limit has not passed it. */
function wordFor(found: { spread_us: number; sure_us: number }, unverified: string[], joining: boolean): SyncWord {
  const worst = found.spread_us + found.sure_us;
  if (found.spread_us - found.sure_us >= NEARLY_US) return "apart";
  if (joining) return "settling";
  if (unverified.length > 0 || worst >= 2 * NEARLY_US) return "not_verified";
  if (worst < TOGETHER_US) return "together";
  return "nearly";
}

/** How far open the eye is, 0 (together) to 1: straight in the logarithm from 5 µs to 20 ms, as ears judge. */
export function opening(spread_us: number): number {
  const [least, most] = [5, 20_000];
  const held = Math.min(Math.max(spread_us, least), most);
  return Math.log(held / least) / Math.log(most / least);
}

/** The last minutes of a number, for a plot: bounded. */
export class History {
  readonly times: number[] = [];
  readonly values: (number | null)[] = [];

  constructor(private readonly seconds: number) {}

  /** Adds a value at `now_s`, at most once a second. */
  add(now_s: number, value: number | null): boolean {
    const last = this.times[this.times.length - 1];
    if (last !== undefined && now_s - last < 0.9) return false;
    this.times.push(now_s);
    this.values.push(value);
    while (this.times.length > 0 && now_s - (this.times[0] ?? now_s) > this.seconds) {
      this.times.shift();
      this.values.shift();
    }
    return true;
  }
}
