// What the page knows: kept by the hub's events socket, never by asking again and again.

import type { Group, HubEvent, Job, Me, Queue, SpeakerPatch, SpeakerStatus, Status, TransportAction } from "./api";
import { asSentence, get, isMissing, Refusal, send, sentenceOf } from "./client";
import type { Recent } from "./health";
import { answered, asked, type Pending, shown } from "./pending";
import * as link from "./reconnect";
import { t } from "./strings";
import { History, syncOf } from "./sync";
import { say } from "./toasts.svelte";

/** How much of the past the plot shows. */
const HISTORY_S = 180;
/** How long a fault is still worth a word. */
const RECENT_S = 30;
/** A speaker that is dragged is told at most this often. */
const PATCH_MS = 120;
/** The hub says something every two seconds: a socket that was quiet for longer has lost it, though it may stay open for minutes. */
const STALE_MS = 6_000;
const TICK_MS = 500;
/** Ticks that are further apart: the page itself was stopped. */
const SLEPT_MS = 2_000;

class Live {
  status = $state.raw<Status | null>(null);
  queue = $state.raw<Queue | null>(null);
  groups = $state.raw<Group[] | null>(null);
  jobs = $state.raw<Record<string, Job>>({});
  me = $state.raw<Me | null>(null);
  /** Nobody has let this device in. */
  lockedOut = $state(false);
  /** The hub has no events: what is shown stands still. */
  still = $state(false);
  link = $state.raw<link.Link>(link.FRESH);
  /** The clock of the page, for what ages; once a second while it is looked at. */
  now = $state(performance.now());
  /** When the last status came, on the same clock. */
  statusAt = $state(0);
  pending = $state.raw<Pending>({});
  /** Counts points of the history, for who draws it. */
  points = $state(0);
  readonly history = new History(HISTORY_S);

  speakers = $derived(this.status ? shown(this.status.speakers, this.pending) : []);
  mayControl = $derived(this.me === null || this.me.role === "control" || this.me.role === "admin");
  isAdmin = $derived(this.me === null || this.me.role === "admin");
  showsBanner = $derived(link.showsBanner(this.link, this.now));
  /** Of what is heard of: how well speakers agree whose hub is silent, nobody knows. */
  sync = $derived(this.status && !this.showsBanner ? syncOf(this.status) : null);
  /** Seconds of what plays, moved on since the last status. */
  position = $derived.by(() => {
    const programme = this.status?.programme;
    if (!programme) return 0;
    const since = programme.state === "playing" ? Math.max(0, Math.min(2, (this.now - this.statusAt) / 1e3)) : 0;
    return Math.min(programme.position_s + since, programme.duration_s ?? Infinity);
  });

  #socket: WebSocket | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #heardAt = 0;
  #faults = new Map<string, { at: number; lost: number; underruns: number }[]>();
  #sending = new Map<string, { queued: SpeakerPatch | null }>();

  /** Once, when the page opens. */
  start(): void {
    setInterval(() => this.#tick(), TICK_MS);
    document.addEventListener("visibilitychange", () => this.#woke());
    window.addEventListener("online", () => this.#retry(0));
    void this.#begin();
  }

  #tick(): void {
    if (document.hidden) return;
    if (performance.now() - this.now > SLEPT_MS) return this.#woke();
    this.now = performance.now();
    if (this.#isStale()) this.#lost(this.#heardAt);
  }

  #isStale(): boolean {
    return this.#socket !== null && this.now - this.#heardAt > STALE_MS;
  }

  /** Who is asking, the first status, then the socket. */
  async #begin(): Promise<void> {
    try {
      await this.#who();
      if (this.lockedOut) return;
      this.#take(await get<Status>("status"));
      this.#open();
      void this.#rest();
    } catch (error) {
      if (error instanceof Refusal && (error.status === 401 || error.status === 403)) this.lockedOut = true;
      else this.#lost();
    }
  }

  /** Older hubs answer everybody on their own machine and nobody else. */
  async #who(): Promise<void> {
    try {
      this.me = await get<Me>("me");
      this.lockedOut = this.me.role === "none";
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  /** What events will tell when it changes, as it is. */
  async #rest(): Promise<void> {
    const quietly = async <T>(path: string, take: (value: T) => void): Promise<void> => {
      try { take(await get<T>(path)); } catch { /* the page that needs it says so in place */ }
    };
    await Promise.all([
      quietly<Queue>("queue", (queue) => { this.queue = queue; }),
      quietly<Group[]>("groups", (groups) => { this.groups = groups; }),
    ]);
  }

  #open(): void {
    this.#drop();
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/v1/events`);
    this.#socket = socket;
    this.#heardAt = performance.now();
    let wasOpen = false;
    socket.onopen = () => {
      wasOpen = true;
      this.#heardAt = performance.now();
      this.still = false;
      this.link = link.opened(this.link);
    };
    socket.onmessage = (message) => this.#hear(String(message.data));
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      // A hub that answers and never opens the socket has none.
      if (!wasOpen && this.status !== null && this.link.state === "first") this.still = true;
      this.#lost();
    };
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #lost(since = performance.now()): void {
    this.#drop();
    if (this.still) return;
    this.link = link.lost(this.link, since);
    this.#retry(link.patience(this.link, Math.random()));
  }

  #retry(after: number): void {
    if (this.#socket?.readyState === WebSocket.OPEN || this.lockedOut) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#begin(), after);
  }

  #woke(): void {
    if (document.hidden) return;
    this.now = performance.now();
    if (this.#isStale()) this.#open();
    else this.#retry(0);
  }

  /** Asks once more, by hand. */
  again(): void {
    this.still = false;
    this.lockedOut = false;
    this.link = link.FRESH;
    void this.#begin();
  }

  #hear(text: string): void {
    this.#heardAt = performance.now();
    const event = JSON.parse(text) as HubEvent;
    switch (event.type) {
      case "status": this.#take(event.status); break;
      case "queue": this.#queued(event.queue); break;
      case "groups": this.groups = event.groups; break;
      case "job": this.jobs = { ...this.jobs, [event.job.id]: event.job }; break;
    }
  }

  #queued(queue: Queue): void {
    if (queue.problem && queue.problem !== this.queue?.problem) say(asSentence(queue.problem), "bad");
    this.queue = queue;
  }

  #take(status: Status): void {
    const now = performance.now();
    this.now = this.statusAt = now;
    this.status = status;
    for (const speaker of status.speakers) this.#remember(speaker, now);
    const spread = this.sync?.spread_us ?? null;
    if (this.history.add(now / 1e3, spread)) this.points += 1;
  }

  #remember(speaker: SpeakerStatus, now: number): void {
    if (!speaker.report) return;
    const seen = (this.#faults.get(speaker.id) ?? []).filter((one) => now - one.at < RECENT_S * 1e3);
    seen.push({ at: now, lost: speaker.report.packets.lost, underruns: speaker.report.underruns });
    this.#faults.set(speaker.id, seen);
  }

  /** What went wrong with it of late. */
  recent(speaker: SpeakerStatus): Recent {
    const seen = this.#faults.get(speaker.id) ?? [];
    const [first, last] = [seen[0], seen[seen.length - 1]];
    if (!first || !last) return { lost: 0, underruns: 0 };
    return { lost: Math.max(0, last.lost - first.lost), underruns: Math.max(0, last.underruns - first.underruns) };
  }

  /** Changes a speaker: shown at once, told as often as makes sense, taken back with a sentence. */
  set(name: string, patch: SpeakerPatch): void {
    this.pending = asked(this.pending, name, patch);
    const under = this.#sending.get(name);
    if (under) under.queued = { ...under.queued, ...patch };
    else void this.#tell(name, patch);
  }

  async #tell(name: string, first: SpeakerPatch): Promise<void> {
    const under: { queued: SpeakerPatch | null } = { queued: null };
    this.#sending.set(name, under);
    for (let patch: SpeakerPatch | null = first; patch; ) {
      under.queued = null;
      const [told] = await Promise.all([this.#patch(name, patch), new Promise((done) => setTimeout(done, PATCH_MS))]);
      if (!told) under.queued = null;
      patch = under.queued;
    }
    this.#sending.delete(name);
  }

  /** Calls a speaker otherwise; why not, in a sentence, or nothing. */
  async rename(name: string, wanted: string): Promise<string | null> {
    try {
      await this.#change(name, { name: wanted });
      return null;
    } catch (error) {
      return sentenceOf(error);
    }
  }

  async #change(name: string, patch: SpeakerPatch): Promise<void> {
    const speaker = await send<SpeakerStatus>("PATCH", `speakers/${encodeURIComponent(name)}`, patch);
    if (!this.status || !speaker) return;
    const speakers = this.status.speakers.map((old) => (old.id === speaker.id ? speaker : old));
    this.status = { ...this.status, speakers };
  }

  async #patch(name: string, patch: SpeakerPatch): Promise<boolean> {
    try {
      await this.#change(name, patch);
      this.pending = answered(this.pending, name, patch);
      return true;
    } catch (error) {
      this.pending = Object.fromEntries(Object.entries(this.pending).filter(([other]) => other !== name));
      say(t.errors.speaker(name, sentenceOf(error)), "bad");
      return false;
    }
  }

  /** Begins with the queue as it stands. */
  async playQueue(): Promise<void> {
    await this.change("PATCH", "queue", { playing: true });
  }

  /** Asks for something whose result comes by an event; what the hub answers is taken at once. */
  async change(method: "POST" | "PATCH" | "PUT" | "DELETE", path: string, body?: unknown): Promise<boolean> {
    try {
      const answer = await send<unknown>(method, path, body);
      if (path.startsWith("queue") && isQueue(answer)) this.queue = answer;
      if (path.startsWith("groups") && Array.isArray(answer)) this.groups = answer as Group[];
      return true;
    } catch (error) {
      say(sentenceOf(error), "bad");
      return false;
    }
  }

  async transport(action: TransportAction, to?: { position_s: number }): Promise<void> {
    const before = this.status;
    if (before) this.status = { ...before, programme: expected(before, action, to) };
    if (to) this.statusAt = performance.now();
    try {
      const programme = await send<Status["programme"]>("POST", "transport", to ? { action, to } : { action });
      if (this.status && programme) {
        this.status = { ...this.status, programme };
        this.statusAt = performance.now();
      }
    } catch (error) {
      this.status = before;
      say(sentenceOf(error), "bad");
    }
  }
}

function isQueue(answer: unknown): answer is Queue {
  return typeof answer === "object" && answer !== null && Array.isArray((answer as Queue).items);
}

/** What will be, if the hub agrees. */
function expected(status: Status, action: TransportAction, to?: { position_s: number }): Status["programme"] {
  const programme = status.programme;
  const other = programme.state === "paused" ? "playing" : "paused";
  switch (action) {
    case "pause": return { ...programme, state: "paused" };
    case "resume": return { ...programme, state: "playing" };
    case "toggle": return { ...programme, state: other };
    case "seek": return { ...programme, position_s: to?.position_s ?? programme.position_s };
    default: return programme;
  }
}

export const live = new Live();
