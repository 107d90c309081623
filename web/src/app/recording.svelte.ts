// The track, played by the speakers and heard by this device.

import { live } from "./live.svelte";
import { Microphone } from "./microphone.svelte";
import { Take, type Stand } from "./take";

/** Of the room, before the track. */
const LEAD_MS = 500;

export class Recording {
  readonly microphone = new Microphone();
  stand = $state<Stand | "idle">("idle");
  left = $state(0);
  /** The last one that was heard to its end. */
  file = $state.raw<File | null>(null);

  #take: Take | null = null;
  /** Counts beginnings, so that one that was given up does nothing more. */
  #round = 0;

  goes = $derived(this.stand === "waits" || this.stand === "plays");

  /** To be called inside a tap. `play` puts the track on, and says what the hub calls it, or null. */
  async begin(play: () => Promise<string | null>, length_s: number): Promise<void> {
    const mine = ++this.#round;
    [this.file, this.#take, this.stand] = [null, null, "idle"];
    if (!(await this.microphone.open()) || mine !== this.#round) return;
    this.stand = "waits";
    this.left = length_s;
    this.microphone.begin();
    await new Promise((done) => setTimeout(done, LEAD_MS));
    if (mine !== this.#round) return;
    const title = await play();
    if (mine !== this.#round) return;
    if (title === null) this.cancel();
    else this.#take = new Take(title, length_s, performance.now() / 1e3);
  }

  /** As the programme and the clock move on; the file, once there is one. */
  step(): File | null {
    if (!this.goes) return null;
    if (this.microphone.state !== "on") return this.#stop("idle");
    const programme = live.status?.programme;
    if (this.#take === null || !programme) return null;
    const now_s = live.now / 1e3;
    const stand = this.#take.stand(programme, live.position, now_s);
    this.left = Math.ceil(this.#take.left(now_s));
    if (stand === "waits" || stand === "plays") {
      this.stand = stand;
      return null;
    }
    return this.#stop(stand);
  }

  #stop(stand: Stand | "idle"): File | null {
    this.#take = null;
    this.stand = stand;
    const heard = this.microphone.end();
    if (stand !== "over" || heard === null) return null;
    this.file = new File([heard], nameOf(new Date()), { type: heard.type });
    return this.file;
  }

  cancel(): void {
    this.#round += 1;
    this.#stop("idle");
  }

  /** Frees the microphone, and forgets nothing. */
  close(): void {
    this.#round += 1;
    if (this.goes) this.#stop("idle");
    this.microphone.close();
  }
}

/** A name that tells one from another in a folder, and holds nothing that a folder does not take. */
function nameOf(at: Date): string {
  return `antiphon-${at.toISOString().slice(0, 19).replace(/[:T]/g, "-")}.wav`;
}
