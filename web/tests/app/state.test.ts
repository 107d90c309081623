import { expect, test } from "vitest";
import type { Calibrate, Guide, Measurement } from "../../src/app/api";
import { arrivalsOf, corrected, reach } from "../../src/app/arrivals";
import { asSentence, refusal } from "../../src/app/client";
import { healthOf } from "../../src/app/health";
import { address, current } from "../../src/app/music";
import { answered, asked, shown } from "../../src/app/pending";
import * as link from "../../src/app/reconnect";
import { hrefOf, PAGES, routeOf } from "../../src/app/route";
import { Balance } from "../../src/app/volume";
import { advice, backTo, begin, walked } from "../../src/app/walk";
import { playing, report, speaker } from "./speakers";

test("a lost hub is tried soon, then patiently, at most every few seconds, and a found one begins anew", () => {
  let now = link.opened(link.FRESH);
  const waits: number[] = [];
  for (let n = 0; n < 12; n += 1) {
    now = link.lost(now, 1_000);
    waits.push(link.patience(now, 0.5));
  }
  expect(waits[0]).toBeLessThanOrEqual(300);
  expect(waits).toEqual([...waits].sort((a, b) => a - b));
  expect(Math.max(...waits)).toBeLessThanOrEqual(5_000);
  expect(link.patience(link.lost(link.opened(now), 0), 0.5)).toBe(waits[0]);
});

test("thirty phones that lost the same hub do not come back at once", () => {
  const now = link.lost(link.opened(link.FRESH), 0);
  expect(link.patience(now, 1)).toBeGreaterThan(link.patience(now, 0));
});

test("the banner waits a moment, stays through many tries, and goes with the first success", () => {
  let now = link.lost(link.opened(link.FRESH), 1_000);
  expect(link.showsBanner(now, 1_500)).toBe(false);
  now = link.lost(now, 9_000);
  expect(link.showsBanner(now, 9_001)).toBe(true);
  expect(link.showsBanner(link.opened(now), 9_002)).toBe(false);
});

test("what was asked shows at once and goes when the hub has answered, unless it was asked anew meanwhile", () => {
  const speakers = [speaker("desk", { gain_db: 0 })];
  let pending = asked({}, "desk", { gain_db: -6 });
  expect(shown(speakers, pending)[0]?.gain_db).toBe(-6);
  pending = asked(pending, "desk", { gain_db: -9, muted: true });
  pending = answered(pending, "desk", { gain_db: -6 });
  expect(shown(speakers, pending)[0]).toMatchObject({ gain_db: -9, muted: true });
  expect(answered(pending, "desk", { gain_db: -9, muted: true })).toEqual({});
});

test("one fader moves all and keeps their differences, also through silence", () => {
  const balance = new Balance();
  let gains = [{ name: "a", gain_db: 0 }, { name: "b", gain_db: -12 }];
  gains = balance.moved(gains, 80);
  expect(gains).toEqual([{ name: "a", gain_db: -10 }, { name: "b", gain_db: -22 }]);
  gains = balance.moved(gains, 0);
  expect(gains.map((one) => one.gain_db)).toEqual([-100, -100]);
  gains = balance.moved(gains, 100);
  expect(gains).toEqual([{ name: "a", gain_db: 0 }, { name: "b", gain_db: -12 }]);
});

test("a difference that somebody else has changed is taken as it is", () => {
  const balance = new Balance();
  balance.moved([{ name: "a", gain_db: 0 }, { name: "b", gain_db: -12 }], 0);
  const gains = balance.moved([{ name: "a", gain_db: -10 }, { name: "b", gain_db: -10 }], 90);
  expect(gains.map((one) => one.gain_db)).toEqual([-5, -5]);
});

test("a speaker's health is the gravest thing that is true of it", () => {
  expect(healthOf(speaker("a")).word).toBe("Playing in time");
  expect(healthOf(speaker("a", { silent_ms: 12_000, muted: true })).level).toBe("bad");
  expect(healthOf(speaker("a", { report: report({ synced: false }) })).word).toBe("Setting its clock");
  expect(healthOf(speaker("a"), { lost: 3, underruns: 0 }).word).toBe("Losing packets");
  expect(healthOf(speaker("a", { report: null })).word).toBe("Joining");
  const link = { state: "down", why: "a phone holds it", needs_help: true, delay_us: 0, codec: "" } as const;
  expect(healthOf(speaker("a", { link }))).toMatchObject({ level: "bad", more: "a phone holds it" });
});

test("every page has an address, unknown ones are the first page, and names with any sign come back whole", () => {
  for (const page of PAGES) expect(routeOf(hrefOf(page)).page).toBe(page);
  expect(routeOf("#/nowhere").page).toBe("now");
  for (const name of ["desk", "Anna's phone", "a/b", "50 %", "+", "küche #2"]) expect(routeOf(hrefOf("speakers", name)).rest).toBe(name);
  expect(routeOf("#/speakers/%E0%A4%A").rest).toBe("%E0%A4%A");
});

test("an error is the hub's sentence: problem+json's detail, the older message, or the number", () => {
  expect(refusal(409, '{"status":409,"detail":"nothing is playing","message":"x"}').message).toBe("Nothing is playing.");
  expect(refusal(404, '{"message":"no speaker is called \\"x\\""}').isMissing).toBe(false);
  expect(refusal(404, '{"detail":"there is nothing at this address of the hub"}').isMissing).toBe(true);
  expect(refusal(404, "").isMissing).toBe(true);
  expect(refusal(502, "<html>").message).toContain("502");
  expect(asSentence("is it on?")).toBe("Is it on?");
});

const measurement = (...arrivals: (number | null)[]): Measurement => ({
  grade: "good", reasons: [], verdict: "", findings: [], pairs: [],
  channels: arrivals.map((arrival_us, n) => ({ name: `s${n}`, heard: arrival_us !== null, arrival_us, uncertainty_us: 1, level_db: -30 })),
});

test("the picture shows who waits for whom, and the corrections bring them together", () => {
  const before = measurement(2_500_000, 2_508_000, null);
  expect(arrivalsOf(before).map((one) => one.after_us)).toEqual([0, 8000, null]);
  const found = { before, after: null, outcome: "kept", reasons: [], corrections: [{ name: "s0", delay_us: 8000, gain_db: 0 }] } satisfies Calibrate;
  expect(corrected(found, new Map()).map((one) => one.after_us)).toEqual([0, 0, null]);
  expect(reach(arrivalsOf(before))).toBe(10_000);
});

test("a speaker that waited already when it was heard is moved by what is new alone", () => {
  const before = measurement(2_500_000, 2_500_020);
  const found = { before, after: null, outcome: "applied", reasons: [], corrections: [{ name: "s0", delay_us: 5020, gain_db: 0 }, { name: "s1", delay_us: 0, gain_db: 0 }] } satisfies Calibrate;
  expect(corrected(found, new Map([["s0", 5000], ["s1", 0]])).map((one) => one.after_us)).toEqual([0, 0]);
});

const guide: Guide = {
  id: "host-pair", title: "", model: null, later: null, needs: [],
  steps: [
    { id: "free", task: "", run: null, see: "", check: null, otherwise: ["one", "two"], back_to: null, proof: null },
    { id: "pair", task: "", run: null, see: "", check: null, otherwise: [], back_to: "free", proof: null },
  ],
};

test("a step that fails gives its advice one by one, then says that all has been tried", () => {
  let walk = begin(guide);
  const heard: (string | null)[] = [];
  for (let n = 0; n < 4; n += 1) {
    heard.push(advice(walk, guide));
    walk = walked(walk, guide, "failed");
  }
  expect(heard).toEqual([null, "one", "two", "stuck"]);
  expect(advice(walked(walk, guide, "done"), guide)).toBeNull();
});

test("a walk ends behind the last step, goes back, and finds the step to begin again from", () => {
  let walk = walked(walked(walked(begin(guide), guide, "done"), guide, "done"), guide, "done");
  expect(walk.at).toBe(2);
  walk = walked(walk, guide, "back");
  expect(backTo(walk, guide, "free").at).toBe(0);
  expect(backTo(walk, guide, "nowhere").at).toBe(1);
});

test("only a web address is a station", () => {
  expect(address(" http://radio.example/stream ")).toBe("http://radio.example/stream");
  for (const text of ["", "radio.example", "ftp://x/y", "file:///etc/passwd", "http://", "javascript:alert(1)", "http://a b"]) expect(address(text)).toBeNull();
});

test("what plays is the queue's only while the hub's own player is at work", () => {
  const status = playing(speaker("a"));
  const queue = { items: [{ key: "k", title: "Song", artist: "Who", duration_s: 1, from: "library", library: "f1" }], current: "k", playing: true, repeat: false, shuffle: false };
  expect(current(status, queue)).toEqual({ title: "Song", artist: "Who", cover: "/api/v1/library/f1/art" });
  expect(current(status, { ...queue, playing: false })).toEqual({ title: "t", artist: null, cover: null });
  const station = { key: "s", title: "Radio", artist: null, duration_s: null, from: "url" };
  expect(current(status, { ...queue, items: [station], current: "s", on_air: "Aria" })).toEqual({ title: "Aria", artist: "Radio", cover: null });
  // What the station before played.
  expect(current(status, { ...queue, on_air: "Aria" }).title).toBe("Song");
  status.programme.title = "Who - Song - live";
  const tuned = { ...status, programme: { ...status.programme, title: "Radio", on_air: "Who - Aria" } };
  expect(current(tuned, null)).toEqual({ title: "Who - Aria", artist: "Radio", cover: null });
  expect(current(status, null)).toEqual({ title: "Song - live", artist: "Who", cover: null });
});
