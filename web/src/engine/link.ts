// The two WebSockets of a browser speaker: session (control and media) and clock, kept for as long as the page wants to play.
// docs/protocol.md, section "Browsers".
//
// The clock has a connection of its own, so that a probe never waits behind media.

import { type BrowserMessage, type Hello, type HubMessage, readHubMessage, type RefusalCode } from "../wire";

export interface LinkEvents {
  onWelcome(message: HubMessage & { type: "welcome" }): void;
  onMessage(message: HubMessage): void;
  onDatagram(bytes: Uint8Array, nowNs: number): void;
  onReply(bytes: Uint8Array, nowNs: number): void;
  onState(state: LinkState): void;
}

export type LinkState =
  | { kind: "connecting" }
  | { kind: "connected" }
  /** Lost, or the hub has no place (or has heard too many wrong codes): tried again by itself. */
  | { kind: "lost"; full: boolean }
  /** A person has to act. */
  | { kind: "refused"; code: RefusalCode; message: string };

export interface LinkOptions {
  /** `ws://host:port` */
  hub: string;
  code: string | undefined;
  key: string;
  hello: () => Hello;
  /** Whether the next hello says something else, so that it may be let in where this one was refused. */
  changes?: (refused: RefusalCode) => boolean;
}

/** SES-5. */
const SILENCE_MS = 2_000;
const RETRY: readonly [number, number][] = [
  [0, 250],
  [60_000, 2_000],
  [600_000, 10_000],
];
/** A hub that answers nothing for this long is given up. */
const PATIENCE_MS = 5_000;
/** A hub without a place is not asked four times a second. */
const FULL_MS = 10_000;

export class Link {
  private session: WebSocket | undefined;
  private clock: WebSocket | undefined;
  private ticket = "";
  private retry: ReturnType<typeof setTimeout> | undefined;
  private lostAt: number | undefined;
  private heardAt = 0;
  private lastTick = 0;
  private closed = false;

  constructor(
    private readonly options: LinkOptions,
    private readonly events: LinkEvents,
  ) {
    this.connect();
  }

  send(message: BrowserMessage): void {
    if (this.session?.readyState === WebSocket.OPEN) this.session.send(JSON.stringify(message));
  }

  /** False while there is no clock connection. */
  sendProbe(bytes: Uint8Array<ArrayBuffer>): boolean {
    // What does not leave at once would tell of the queue, not of the clock.
    if (this.clock?.readyState !== WebSocket.OPEN || this.clock.bufferedAmount > 0) return false;
    this.clock.send(bytes);
    return true;
  }

  /** To be called a few times a second: a connection that has fallen silent is made anew. */
  tick(nowMs: number): void {
    // A page that was suspended has not listened, which is not the hub's silence.
    if (nowMs - this.lastTick > 1_000) this.heardAt = Math.max(this.heardAt, nowMs);
    this.lastTick = nowMs;
    const patience = this.clock ? SILENCE_MS : PATIENCE_MS;
    if (this.session && nowMs - this.heardAt > patience) this.lose();
  }

  /** The network or the page is back: no need to wait for the next try. */
  hurry(): void {
    if (this.retry === undefined) return;
    clearTimeout(this.retry);
    this.connect();
  }

  close(reason: string): void {
    this.send({ type: "goodbye", reason });
    this.closed = true;
    clearTimeout(this.retry);
    this.drop();
  }

  private connect(): void {
    this.retry = undefined;
    this.heardAt = performance.now();
    const socket = open(`${this.options.hub}/browser`);
    this.session = socket;
    socket.onopen = () => {
      const { code, key } = this.options;
      socket.send(JSON.stringify(code === undefined ? { type: "join", key } : { type: "join", code, key }));
    };
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => this.receive(event.data);
    socket.onclose = () => this.session === socket && this.lose();
  }

  private receive(data: string | ArrayBuffer): void {
    const nowMs = performance.now();
    if (typeof data !== "string") {
      this.heardAt = nowMs;
      this.events.onDatagram(new Uint8Array(data), nowMs * 1e6);
      return;
    }
    const message = readHubMessage(data);
    if (message === undefined) return this.lose();
    if (message !== "ignored") this.handle(message);
  }

  private handle(message: HubMessage): void {
    switch (message.type) {
      case "joined":
        this.ticket = message.ticket;
        return this.send(this.options.hello());
      case "welcome":
        this.lostAt = undefined;
        this.events.onState({ kind: "connected" });
        this.events.onWelcome(message);
        return this.openClock(message.session);
      case "refused":
        return this.refused(message.code, message.message);
      case "goodbye":
        return this.lose();
      default:
        return this.events.onMessage(message);
    }
  }

  private openClock(session: number): void {
    const socket = open(`${this.options.hub}/browser/clock`);
    this.clock = socket;
    this.heardAt = performance.now();
    socket.onopen = () => socket.send(JSON.stringify({ type: "clock", session, ticket: this.ticket }));
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
      const nowMs = performance.now();
      if (typeof event.data === "string") return;
      this.heardAt = nowMs;
      this.events.onReply(new Uint8Array(event.data), nowMs * 1e6);
    };
    socket.onclose = () => this.clock === socket && this.lose();
  }

  /** MSG-6: after `full` a speaker tries again by itself; what else is refused, its person decides. */
  private refused(code: RefusalCode, message: string): void {
    if (code === "full") return this.lose(FULL_MS);
    if (this.options.changes?.(code)) return this.anew();
    this.closed = true;
    this.drop();
    this.events.onState({ kind: "refused", code, message });
  }

  private anew(): void {
    this.drop();
    this.connect();
  }

  private lose(atLeastMs = 0): void {
    this.drop();
    if (this.closed || this.retry !== undefined) return;
    const nowMs = performance.now();
    this.lostAt ??= nowMs;
    const awayMs = nowMs - this.lostAt;
    const wait = RETRY.findLast(([from]) => awayMs >= from)?.[1] ?? 250;
    this.retry = setTimeout(() => this.connect(), Math.max(wait, atLeastMs));
    this.events.onState({ kind: "lost", full: atLeastMs > 0 });
  }

  private drop(): void {
    for (const socket of [this.session, this.clock]) {
      if (socket) socket.onopen = socket.onmessage = socket.onclose = null;
      socket?.close();
    }
    this.session = this.clock = undefined;
  }
}

function open(url: string): WebSocket {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  return socket;
}
