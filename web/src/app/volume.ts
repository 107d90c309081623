// One fader for several speakers: it moves all and keeps their differences, also through silence; pure.

import type { SpeakerStatus } from "./api";
import { faderOf, gainOf } from "./format";

type Gains = Pick<SpeakerStatus, "name" | "gain_db">;

/** Below this a speaker is silent. */
const FLOOR_DB = -50;
const SILENT_DB = -100;

export class Balance {
  /** What each would have if there were no floor. */
  #wishes = new Map<string, number>();

  /** Where the fader stands: at the loudest. */
  at(speakers: Gains[]): number {
    return speakers.length === 0 ? 0 : faderOf(Math.max(...speakers.map((speaker) => speaker.gain_db)));
  }

  /** What each speaker is told when the fader goes to `fader`. */
  moved(speakers: Gains[], fader: number): { name: string; gain_db: number }[] {
    const wished = speakers.map((speaker) => ({ name: speaker.name, gain_db: this.#wish(speaker) }));
    const loudest = Math.max(...wished.map((one) => one.gain_db));
    const to = fader <= 0 ? FLOOR_DB : gainOf(fader);
    return wished.map((one) => {
      const wish = one.gain_db + to - loudest;
      this.#wishes.set(one.name, wish);
      return { name: one.name, gain_db: held(wish) };
    });
  }

  /** A wish holds as long as nobody else has changed the speaker. */
  #wish(speaker: Gains): number {
    const wish = this.#wishes.get(speaker.name);
    if (wish !== undefined && Math.abs(held(wish) - speaker.gain_db) < 0.06) return wish;
    return Math.max(speaker.gain_db, FLOOR_DB);
  }
}

function held(wish: number): number {
  return wish <= FLOOR_DB ? SILENT_DB : Math.min(0, Math.round(wish * 10) / 10);
}
