// What the page knows, with a hub and a browser that are a few lines.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { playing, speaker } from "./speakers";

/** The hub as the page sees it. */
class FakeSocket {
  static readonly OPEN = 1;
  static all: FakeSocket[] = [];
  readyState = 0;
  onopen: (() => void) | null = null;
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;

  constructor() {
    FakeSocket.all.push(this);
    setTimeout(() => {
      if (!answers) return;
      this.readyState = 1;
      this.onopen?.();
    });
  }

  /** A browser waits long for the other end's word, and then tells. */
  close(): void {
    this.readyState = 2;
  }

  says(event: object): void {
    this.onmessage?.({ data: JSON.stringify(event) });
  }
}

const two = playing(speaker("a"), speaker("b", { role: "right" }));
let answers = true;

function fetched(url: string): Promise<Response> {
  if (!answers) return Promise.reject(new TypeError("no route"));
  const body = url.endsWith("/status") ? two : url.endsWith("/me") ? { role: "admin" } : [];
  return Promise.resolve(new Response(JSON.stringify(body)));
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.resetModules();
  [FakeSocket.all, answers] = [[], true];
  vi.stubGlobal("WebSocket", FakeSocket);
  vi.stubGlobal("fetch", fetched);
  vi.stubGlobal("location", { protocol: "http:", host: "hub" });
  vi.stubGlobal("document", { hidden: false, addEventListener: () => {} });
  vi.stubGlobal("window", { addEventListener: () => {} });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

async function begun(): Promise<typeof import("../../src/app/live.svelte")["live"]> {
  const { live } = await import("../../src/app/live.svelte");
  live.start();
  await vi.advanceTimersByTimeAsync(100);
  return live;
}

const pass = (seconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(1e3 * seconds);

test("a hub that falls silent is called lost within seconds, and nothing is claimed of its speakers, though no socket has closed", async () => {
  const live = await begun();
  expect([live.link.state, live.sync?.word]).toEqual(["open", "together"]);
  answers = false;
  await pass(5.5);
  expect(live.showsBanner).toBe(false);
  await pass(1.5);
  expect([live.showsBanner, live.sync]).toEqual([true, null]);
});

test("it is tried again by itself, and found again when it is back", async () => {
  const live = await begun();
  answers = false;
  await pass(60);
  expect(FakeSocket.all.length).toBe(1);
  answers = true;
  await pass(7);
  expect([live.link.state, live.showsBanner, live.sync?.word]).toEqual(["open", false, "together"]);
  expect(FakeSocket.all.length).toBe(2);
});

test("a hub that has no news says that it is there, and is not lost", async () => {
  const live = await begun();
  for (let n = 0; n < 60; n += 1) {
    await pass(2);
    FakeSocket.all[0]?.says({ type: "alive" });
    expect(live.link.state).toBe("open");
  }
  expect(FakeSocket.all.length).toBe(1);
});

test("a page that was stopped itself connects anew, without a word of a lost hub", async () => {
  const live = await begun();
  const slept = performance.now() + 60_000;
  vi.spyOn(performance, "now").mockImplementation(() => slept);
  await pass(0.5);
  vi.restoreAllMocks();
  expect([FakeSocket.all.length, live.showsBanner]).toEqual([2, false]);
});
