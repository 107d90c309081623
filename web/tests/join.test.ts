// A browser that joins where its name is taken, with a hub and a socket that are a few lines.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Link, type LinkState } from "../src/engine/link";
import { anotherName, tidyName } from "../src/join/names";
import type { Hello } from "../src/wire";

const STANDARD = "Chrome 131 on Android";

test("the second phone of a kind numbers itself, and a name that a person chose stays as it is", () => {
  expect(anotherName(STANDARD, STANDARD)).toBe(`${STANDARD} 2`);
  expect(anotherName(`${STANDARD} 2`, STANDARD)).toBe(`${STANDARD} 3`);
  expect(anotherName(`${STANDARD} 9`, STANDARD)).toBeUndefined();
  for (const chosen of ["Anna", `${STANDARD} of Anna`, `${STANDARD}  2`, `${STANDARD} 2.5`]) expect(anotherName(chosen, STANDARD)).toBeUndefined();
});

test("a name has no control characters, fits, and is never nothing", () => {
  expect(tidyName(" kitchen\u0007 ", STANDARD)).toBe("kitchen");
  expect(tidyName("  ", STANDARD)).toBe(STANDARD);
  expect(new TextEncoder().encode(tidyName("ü".repeat(60), STANDARD)).length).toBeLessThanOrEqual(63);
});

/** Lets in whoever has a name that is not among these. */
let taken: string[] = [];

class FakeSocket {
  static readonly OPEN = 1;
  static opened = 0;
  readyState = 0;
  bufferedAmount = 0;
  binaryType = "";
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;

  constructor(readonly url: string) {
    if (url.endsWith("/browser")) FakeSocket.opened += 1;
    setTimeout(() => {
      this.readyState = 1;
      this.onopen?.();
    });
  }

  send(text: string): void {
    const message = JSON.parse(text) as { type: string; name: string };
    if (message.type === "join") this.#say({ type: "joined", ticket: "ab".repeat(16) });
    if (message.type !== "hello") return;
    if (taken.includes(message.name)) return this.#say({ type: "refused", code: "name_taken", message: "" });
    const settings = { role: "left", gain_db: 0, muted: false, delay_us: 0, codec: "l16", latency_us: 200_000 };
    this.#say({ type: "welcome", protocol: 1, session: 7, clock: 1, hub_name: "house", latency_us: 200_000, settings });
  }

  close(): void {
    this.readyState = 3;
  }

  #say(message: object): void {
    setTimeout(() => this.onmessage?.({ data: JSON.stringify(message) }));
  }
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", FakeSocket);
  FakeSocket.opened = 0;
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Where a browser called `name` gets to: what it is called then, and how its link stands. */
async function joined(name: string): Promise<{ name: string; states: LinkState[] }> {
  const hello = (): Hello => ({ type: "hello", protocol: 1, name: found.name, software: "", codecs: ["l16"], channels: 2, output: "", min_latency_us: 0 });
  const found = { name, states: [] as LinkState[] };
  const changes = (refused: string): boolean => {
    const other = refused === "name_taken" ? anotherName(found.name, STANDARD) : undefined;
    found.name = other ?? found.name;
    return other !== undefined;
  };
  const nothing = (): void => {};
  const link = new Link(
    { hub: "ws://hub", code: undefined, key: "00", hello, changes },
    { onWelcome: nothing, onMessage: nothing, onDatagram: nothing, onReply: nothing, onState: (state) => found.states.push(state) },
  );
  await vi.advanceTimersByTimeAsync(100);
  link.close("the test is over");
  return found;
}

test("a browser whose standard name is taken comes again at once with the next one, and its person sees no refusal", async () => {
  taken = [STANDARD, `${STANDARD} 2`];
  expect(await joined(STANDARD)).toEqual({ name: `${STANDARD} 3`, states: [{ kind: "connected" }] });
  expect(FakeSocket.opened).toBe(3);
});

test("where all nine are taken, or a person chose the name, the person has to act", async () => {
  taken = ["Anna", STANDARD, ...[2, 3, 4, 5, 6, 7, 8, 9].map((n) => `${STANDARD} ${n}`)];
  for (const name of ["Anna", STANDARD]) {
    const { states } = await joined(name);
    expect(states).toEqual([{ kind: "refused", code: "name_taken", message: "" }]);
  }
});
