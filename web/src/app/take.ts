// One playing of the track while it is recorded: when it began, when it will be over, and whether all of it was heard; pure.

import type { ProgrammeStatus } from "./api";

/** Of sound after the track: the room, and what a speaker is late. */
const TAIL_S = 2;
/** A speaker that has to wake up first takes some seconds. */
const PATIENCE_S = 20;
/** The hub tells about once a second, and a track ends by itself between. */
const SLACK_S = 1.5;

export type Stand = "waits" | "plays" | "over" | "late" | "broken";

export class Take {
  #end: number | null = null;

  constructor(
    readonly title: string,
    readonly length_s: number,
    readonly begun_s: number,
  ) {}

  /** Seconds until it is over. */
  left(now_s: number): number {
    return this.#end === null ? this.length_s + TAIL_S : Math.max(0, this.#end - now_s);
  }

  stand(programme: Pick<ProgrammeStatus, "state" | "title">, position_s: number, now_s: number): Stand {
    const isOurs = programme.title === this.title;
    if (isOurs && programme.state === "playing") {
      // Aimed anew by each status; one that stands at the end says nothing of when it came there.
      if (this.#end === null || position_s < this.length_s) this.#end = now_s + Math.max(0, this.length_s - position_s) + TAIL_S;
    }
    if (this.#end === null) return now_s - this.begun_s > PATIENCE_S ? "late" : "waits";
    if (now_s >= this.#end) return "over";
    const sounds = isOurs && (programme.state === "playing" || programme.state === "starting");
    return sounds || now_s >= this.#end - TAIL_S - SLACK_S ? "plays" : "broken";
  }
}
