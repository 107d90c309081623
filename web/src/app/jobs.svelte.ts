// One job that a page started, as its events tell.

import type { Job } from "./api";
import { asSentence, send, sentenceOf } from "./client";
import { live } from "./live.svelte";

export class JobRun {
  id = $state<string | null>(null);
  error = $state<string | null>(null);
  failed = $state.raw<unknown>(null);
  #first = $state.raw<Job | null>(null);

  job = $derived<Job | null>(this.id === null ? null : (live.jobs[this.id] ?? this.#first));
  running = $derived(this.job?.state === "running");
  done = $derived(this.job?.state === "done");
  /** Why it came to nothing. */
  trouble = $derived(this.error ?? (this.job?.state === "failed" ? (asSentence(this.job.error?.message ?? this.job.message)) : null));

  async start(order: Record<string, unknown>): Promise<boolean> {
    this.reset();
    try {
      this.#first = await send<Job>("POST", "jobs", order);
      this.id = this.#first.id;
      return true;
    } catch (error) {
      this.failed = error;
      this.error = sentenceOf(error);
      return false;
    }
  }

  async cancel(): Promise<void> {
    if (this.id === null) return;
    try {
      await send("DELETE", `jobs/${this.id}`);
    } catch (error) {
      this.error = sentenceOf(error);
    }
  }

  reset(): void {
    this.id = null;
    this.error = null;
    this.failed = null;
    this.#first = null;
  }
}
