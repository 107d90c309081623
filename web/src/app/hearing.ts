// What a microphone of this device is asked for, what it gives, and what is said of it; pure.

/** What browsers do to a voice in a call. Each moves or hides what is to be measured: a canceller takes the speakers themselves
 *  for an echo, a suppressor takes a steady hiss for noise. */
export const PROCESSING = ["echoCancellation", "noiseSuppression", "autoGainControl"] as const;
export type Processing = (typeof PROCESSING)[number];

export function wanted(): MediaStreamConstraints {
  return { audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 } };
}

export interface Left {
  /** Not switched off, though it was asked for. */
  on: Processing[];
  /** The browser does not say. */
  unsure: Processing[];
}

/** What is left of the processing, by what the track says of itself. */
export function leftOf(settings: Readonly<Record<string, unknown>>): Left {
  const unsure = PROCESSING.filter((one) => settings[one] === undefined);
  return { on: PROCESSING.filter((one) => settings[one] !== undefined && settings[one] !== false), unsure };
}

export type MicTrouble = "denied" | "none" | "busy" | "lost" | "other";

/** Why there is no microphone, by the name of the browser's error. */
export function troubleOf(name: string): MicTrouble {
  switch (name) {
    case "NotAllowedError":
    case "SecurityError": return "denied";
    case "NotFoundError":
    case "OverconstrainedError": return "none";
    case "NotReadableError":
    case "AbortError": return "busy";
    default: return "other";
  }
}

/** Phones without gain control give about -22 dBFS for a sound of 90 dB; this is one of 55, quieter than talk. */
const QUIET_DB = -57;
/** The highest value of 16 bits, and what a converter's rounding takes of it. */
const FULL = 0.99;
const FLOOR_DB = -80;
/** What was too quiet has to come so far above: a word that comes and goes helps nobody. */
const STICKS_DB = 2;

const AVERAGE_S = 0.3;
/** A clipped moment is seen for so long. */
const HOLD_S = 1.5;
/** Nothing but zeros: no microphone is that quiet. */
const NOTHING_S = 1;

export type Word = "nothing" | "quiet" | "good" | "clipping";

export interface Level {
  word: Word;
  /** Of the meter's length, 0 to 1. */
  part: number;
}

export const SILENCE: Level = { word: "quiet", part: 0 };

/** How loud it is, while it comes. */
export class Meter {
  #power = 0;
  #sinceFull = Infinity;
  #zeros = 0;
  #quiet = false;

  add(samples: Float32Array, rate: number): Level {
    let [sum, peak] = [0, 0];
    for (const sample of samples) {
      sum += sample * sample;
      peak = Math.max(peak, Math.abs(sample));
    }
    const seconds = samples.length / rate;
    if (samples.length > 0) this.#power += (sum / samples.length - this.#power) * (1 - Math.exp(-seconds / AVERAGE_S));
    this.#sinceFull = peak >= FULL ? 0 : this.#sinceFull + seconds;
    this.#zeros = peak === 0 ? this.#zeros + seconds : 0;
    const db = 10 * Math.log10(this.#power + 1e-12);
    return { word: this.#word(db), part: Math.max(0, Math.min(1, 1 - db / FLOOR_DB)) };
  }

  #word(db: number): Word {
    if (this.#sinceFull < HOLD_S) return "clipping";
    if (this.#zeros >= NOTHING_S) return "nothing";
    this.#quiet = db < QUIET_DB + (this.#quiet ? STICKS_DB : 0);
    return this.#quiet ? "quiet" : "good";
  }
}
