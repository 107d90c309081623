import { expect, test } from "vitest";
import { ClockFilter } from "../src/engine/clock";
import { Chance } from "./random";

interface Network {
  /** Mean of what a message is delayed beyond the least, each way, us. */
  jitterUs: number;
  /** What performance.now shows at best, us. */
  resolutionUs: number;
  ppm: number;
}

const OFFSET_NS = 5e12 + 123_456;

/** Errors of the offset, us, at each second of a session, with what the filter said of its own doubt. */
function run(seed: number, n: Network, seconds: number): { errorUs: number; sdUs: number }[] {
  const chance = new Chance(seed);
  const filter = new ClockFilter(n.resolutionUs * 1e3);
  const hub = (local: number): number => local * (1 + n.ppm / 1e6) + OFFSET_NS;
  const shown = (ns: number): number => Math.floor(ns / (n.resolutionUs * 1e3)) * n.resolutionUs * 1e3;
  const out = [];
  let next = 1e9;
  for (let local = 7e10; local < 7e10 + seconds * 1e9; ) {
    const age = (local - 7e10) / 1e9;
    const [there, back] = [200e3 + chance.exponential(n.jitterUs * 1e3), 200e3 + chance.exponential(n.jitterUs * 1e3)];
    const [t2, t3] = [hub(local + there), hub(local + there + 30e3)];
    filter.handleExchange({ t1: shown(local), t2, t3, t4: shown(local + there + 30e3 + back) });
    local += age < 6 ? 20e6 : age < 12 ? 40e6 : 100e6;
    if (local - 7e10 >= next) {
      next += 1e9;
      out.push({ errorUs: ((filter.hubAt(local) ?? 0) - hub(local)) / 1e3, sdUs: filter.quality().offsetSdUs });
    }
  }
  return out;
}

const worst = (errors: { errorUs: number }[], bias = 0): number =>
  Math.max(...errors.map((e) => Math.abs(e.errorUs - bias)));

test.each([-100, 0, 100])("on a quiet network at %i ppm the offset is known to 40 us after 10 s", (ppm) => {
  for (let seed = 1; seed <= 10; seed += 1) {
    const errors = run(seed, { jitterUs: 100, resolutionUs: 5, ppm }, 60);
    expect(worst(errors.slice(10))).toBeLessThan(40);
  }
});

test.each([-100, 100])("a page clock of a tenth of a millisecond at %i ppm adds its own coarseness and no more", (ppm) => {
  for (let seed = 1; seed <= 10; seed += 1) {
    const errors = run(seed, { jitterUs: 150, resolutionUs: 100, ppm }, 60);
    // What a clock that rounds down shows is late by half a step on average: common to all such pages.
    expect(worst(errors.slice(10), 50)).toBeLessThan(60);
  }
});

test("on a busy network of 5 ms each way the offset is known to 0.6 ms", () => {
  for (let seed = 1; seed <= 10; seed += 1) {
    const errors = run(seed, { jitterUs: 5_000, resolutionUs: 100, ppm: 50 }, 60);
    expect(worst(errors.slice(10), 50)).toBeLessThan(600);
  }
});

test("the doubt that is stated covers the error", () => {
  let [inside, all] = [0, 0];
  for (let seed = 1; seed <= 20; seed += 1) {
    for (const e of run(seed, { jitterUs: 1_000, resolutionUs: 5, ppm: -30 }, 40)) {
      all += 1;
      if (Math.abs(e.errorUs) <= 1.96 * e.sdUs) inside += 1;
    }
  }
  expect(inside / all).toBeGreaterThan(0.9);
});

test("half a second of probes is enough to begin", () => {
  expect(run(3, { jitterUs: 150, resolutionUs: 100, ppm: 100 }, 1.1)[0]?.sdUs).toBeLessThan(300);
});

test("a page that slept learns the offset anew at once", () => {
  const filter = new ClockFilter(100e3);
  const exchange = (local: number, offset: number): void => {
    filter.handleExchange({ t1: local, t2: local + 3e5 + offset, t3: local + 3e5 + offset, t4: local + 6e5 });
  };
  for (let n = 0; n < 200; n += 1) exchange(1e10 + n * 1e8, 1e12);
  for (let n = 200; n < 220; n += 1) exchange(1e10 + n * 1e8, 1e12 + 5e9);
  const now = 1e10 + 220e8;
  expect(Math.abs((filter.hubAt(now) ?? 0) - now - 1e12 - 5e9)).toBeLessThan(1e5);
});

test("an exchange that contradicts itself says nothing", () => {
  const filter = new ClockFilter(100e3);
  expect(filter.handleExchange({ t1: 5, t2: 0, t3: 0, t4: 4 })).toBe(false);
  expect(filter.handleExchange({ t1: 0, t2: 9, t3: 8, t4: 20 })).toBe(false);
  expect(filter.handleExchange({ t1: 0, t2: 1, t3: 2, t4: 3e9 })).toBe(false);
});
