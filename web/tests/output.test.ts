import { expect, test } from "vitest";
import { OutputClock, type Reading } from "../src/engine/output";
import firefox from "./firefox.json";
import { Chance } from "./random";

/** A context whose frames are heard `latencyS` after they are rendered, its crystal `ppm` fast. */
class Context {
  private readonly chance = new Chance(5);
  extraS = 0;
  constructor(
    readonly ppm: number,
    readonly latencyS = 0.07,
  ) {}

  heardAt(s: number): number {
    return 2e10 + (s / (1 + this.ppm / 1e6) + this.latencyS + this.extraS) * 1e9;
  }

  read(nowNs: number, jitterMs = 0.3): Reading {
    const rendered = ((nowNs - 2e10) / 1e9 - this.extraS) * (1 + this.ppm / 1e6);
    const stampS = Math.max(0, rendered - this.latencyS - 0.01 * this.chance.next());
    const stampNs = this.heardAt(stampS) + this.chance.gauss() * jitterMs * 1e6;
    return { nowNs, currentS: rendered, stampS, stampNs, latencyS: this.latencyS };
  }
}

function run(clock: OutputClock, context: Context, from: number, seconds: number, change?: (r: Reading) => Reading): void {
  for (let t = from; t < from + seconds; t += 0.025) {
    const reading = context.read(2e10 + t * 1e9);
    clock.handleReading(change ? change(reading) : reading);
  }
}

/** A block that is rendered, and what a sound server asks for, s. */
const [BLOCK, ASKED] = [1_024 / 48_000, 1_114 / 48_000];

/** Chromium's on PulseAudio, as recorded: a saw as high as a block, one stamp for each time that the server asks, and from the second
 *  to the tenth second a wander. */
function saw(wanderMs = -10): (r: Reading) => Reading {
  return (r) => {
    const asked = Math.floor(r.currentS / ASKED);
    const between = BLOCK - ((asked * (ASKED - BLOCK)) % BLOCK);
    const s = r.currentS;
    // Greatest three and a half seconds after it began, and gone at the twelfth.
    const part = Math.max(0, s - 1) / 3.5;
    const wander = (wanderMs / 1e3) * part ** 2 * Math.exp(2 * (1 - part));
    const ageS = s - asked * ASKED;
    const nowS = r.nowNs / 1e9;
    // Where the frame is that is heard when the server asks, less what lies between.
    return { ...r, stampS: s - ageS - r.latencyS, stampNs: (nowS - ageS - between + wander) * 1e9 };
  };
}

const errorUs = (clock: OutputClock, context: Context, s: number): number =>
  ((clock.localAt(s) ?? 0) - context.heardAt(s)) / 1e3;

test.each([-100, 0, 100])("stamps that jitter by 0.3 ms at %i ppm show the output to 0.1 ms", (ppm) => {
  const [clock, context] = [new OutputClock(), new Context(ppm)];
  run(clock, context, 0.1, 40);
  expect(Math.abs(errorUs(clock, context, 40.5))).toBeLessThan(100);
  expect(Math.abs(clock.quality().ppm - ppm)).toBeLessThan(10);
});

test("a third of a second is enough to begin, to half a millisecond", () => {
  const [clock, context] = [new OutputClock(), new Context(50)];
  run(clock, context, 0.1, 0.45);
  expect(clock.quality().ready).toBe(true);
  expect(Math.abs(errorUs(clock, context, 1))).toBeLessThan(500);
});

test("one stamp in ten that is 40 ms off does not move the line", () => {
  const [clock, context] = [new OutputClock(), new Context(20)];
  let n = 0;
  run(clock, context, 0.1, 30, (r) => ({ ...r, stampNs: (r.stampNs ?? 0) + ((n += 1) % 10 === 0 ? 40e6 : 0) }));
  expect(Math.abs(errorUs(clock, context, 30.5))).toBeLessThan(150);
  expect(clock.quality().jumps).toBe(0);
});

/** What a saw's middle is off by is no fault: it is the same in every browser of a kind, and calibrated. */
const MIDDLE_US = -5e5 * BLOCK;

test.each([-10, 8])("a saw of a block's height that wanders by %i ms at first is averaged out: 4.5 ms in the first seconds, 1.5 ms from the 20th", (wander) => {
  const [clock, context] = [new OutputClock(), new Context(20)];
  const read = saw(wander);
  for (let t = 0.1; t < 60; t += 0.5) {
    run(clock, context, t, 0.5, read);
    if (t > 1) expect(Math.abs(errorUs(clock, context, t + 1) - MIDDLE_US)).toBeLessThan(t < 20 ? 4_500 : 1_500);
  }
  expect(clock.quality().jumps).toBe(0);
});

test("a browser that renders ahead by a block and falls back has not moved what is heard", () => {
  const [clock, context] = [new OutputClock(), new Context(20)];
  const read = saw(0);
  // 500 ppm ahead, until it is a block: then it waits for one, and is ahead by as much less, which its latency says.
  const ahead = (r: Reading): Reading => {
    const by = (r.currentS * 500e-6) % BLOCK;
    return { ...read(r), currentS: r.currentS + by, latencyS: r.latencyS + by };
  };
  run(clock, context, 0.1, 20, ahead);
  for (let t = 20.1; t < 100; t += 0.5) {
    run(clock, context, t, 0.5, ahead);
    expect(Math.abs(errorUs(clock, context, t + 1) - MIDDLE_US)).toBeLessThan(1_000);
  }
  expect(clock.quality().jumps).toBe(0);
});

test.each([10, 25, 40, 150])("an output behind a sound server that ran dry for %i ms is found within a second, to 4 ms", (ms) => {
  const [clock, context] = [new OutputClock(), new Context(20)];
  run(clock, context, 0.1, 30, saw());
  context.extraS = ms / 1e3;
  run(clock, context, 30.1, 1, saw());
  expect(clock.quality().jumps).toBeGreaterThan(0);
  expect(Math.abs(errorUs(clock, context, 31.5) - MIDDLE_US)).toBeLessThan(4_000);
  run(clock, context, 31.1, 10, saw());
  expect(Math.abs(errorUs(clock, context, 42) - MIDDLE_US)).toBeLessThan(1_500);
});

test("while a new place is learnt the output goes on by what is known of it, however few the stamps", () => {
  const [clock, context] = [new OutputClock(), new Context(20)];
  let n = 0;
  const few = (r: Reading): Reading => ((n += 1) % 3 === 0 ? saw()(r) : { ...r, stampNs: 0 });
  run(clock, context, 0.1, 30, few);
  context.extraS = 0.1;
  for (let t = 30.1; t < 33; t += 0.1) {
    run(clock, context, t, 0.1, few);
    expect(clock.quality().ready).toBe(true);
  }
  expect(clock.quality().jumps).toBeGreaterThan(0);
});

test("an output that ran dry for 5 ms is found within three seconds", () => {
  const [clock, context] = [new OutputClock(), new Context(20)];
  run(clock, context, 0.1, 30, saw());
  context.extraS = 0.005;
  run(clock, context, 30.1, 3, saw());
  expect(Math.abs(errorUs(clock, context, 34) - MIDDLE_US)).toBeLessThan(2_500);
});

test("an output that ran dry for 20 ms is found where it is within a second", () => {
  const [clock, context] = [new OutputClock(), new Context(20)];
  run(clock, context, 0.1, 20);
  context.extraS = 0.02;
  run(clock, context, 20.1, 1);
  expect(clock.quality().jumps).toBe(1);
  expect(Math.abs(errorUs(clock, context, 21.5))).toBeLessThan(500);
});

test.each<[string, (r: Reading) => Partial<Reading>]>([
  ["zeros", () => ({ stampS: 0, stampNs: 0 })],
  ["nothing", () => ({ stampS: undefined, stampNs: undefined })],
  ["one that stands still", () => ({ stampS: 0.1, stampNs: 2e10 })],
  ["one that is ahead of what is rendered", (r) => ({ stampS: r.currentS + 5, stampNs: r.nowNs })],
])("where the browser's stamps are nonsense (%s) its latency takes their place", (_, change) => {
  const [clock, context] = [new OutputClock(), new Context(0)];
  run(clock, context, 3, 20, (r) => ({ ...r, ...change(r) }));
  expect(clock.quality().stamped).toBe(false);
  expect(Math.abs(errorUs(clock, context, 23))).toBeLessThan(1_000);
});

/** A recording of a page in Firefox, in which what is rendered is seen up to 26 ms late: a stamp is currentTime less the latency, of now
 *  less the latency. */
const LATENCY_S = 0.039104;
function recorded(clock: OutputClock, look: (s: number) => void, dry: { atS: number; ms: number } = { atS: Infinity, ms: 0 }): void {
  let [ms, blocks] = [1_000, 0];
  for (let n = 0; n < firefox.grew.length; n += 2) {
    ms += firefox.grew[n] as number;
    blocks += firefox.grew[n + 1] as number;
    const currentS = (blocks * 128) / 48_000;
    const nowNs = 1e6 * (ms + (currentS > dry.atS ? dry.ms : 0));
    clock.handleReading({ nowNs, currentS, stampS: Math.max(0, currentS - LATENCY_S), stampNs: nowNs - 1e9 * LATENCY_S, latencyS: LATENCY_S });
    look(currentS);
  }
}

/** Where context time `s` is heard, as a recording of the sink beside it says: it ran 60 ppm fast from the 14th second on. To a constant. */
const heardMs = (s: number): number => 1e3 * s - 0.06 * Math.max(0, s - 14);

test("stamps of what is being rendered, as Firefox's are, are not believed: its latency counts, and its blocks do not move it", () => {
  const clock = new OutputClock();
  const off: number[] = [];
  let readyS = Infinity;
  recorded(clock, (s) => {
    if (clock.quality().ready) readyS = Math.min(readyS, s);
    if (s > 3) off.push((clock.localAt(s + 0.5) ?? 0) / 1e6 - heardMs(s + 0.5));
  });
  expect(readyS).toBeLessThan(0.6);
  expect(clock.quality()).toMatchObject({ stamped: false, jumps: 0 });
  expect(clock.quality().latencyS).toBeCloseTo(LATENCY_S, 4);
  expect(Math.max(...off) - Math.min(...off)).toBeLessThan(1.5);
});

test.each([10, 25, 100])("such an output that ran dry for %i ms is found within two seconds, to 3 ms", (ms) => {
  const [clock, untouched] = [new OutputClock(), new OutputClock()];
  const at: number[] = [];
  recorded(untouched, (s) => at.push((untouched.localAt(s + 0.5) ?? 0) / 1e6));
  let n = 0;
  recorded(
    clock,
    (s) => {
      const off = (clock.localAt(s + 0.5) ?? 0) / 1e6 - (at[n] as number);
      n += 1;
      if (s > 32) expect(Math.abs(off - ms)).toBeLessThan(s < 45 ? 3 : 1.5);
    },
    { atS: 30, ms },
  );
  expect(clock.quality().jumps).toBeLessThan(3);
});

test("stamps that run ahead of time, as WebKit's do, are not believed from the first on, and ask for no latency", () => {
  const [clock, context] = [new OutputClock(), new Context(0)];
  const ahead = (r: Reading): Reading => ({ ...r, stampS: r.currentS - 0.003, stampNs: r.nowNs + 1e9 * r.currentS });
  let readyAt = Infinity;
  for (let t = 0.01; t < 5; t += 0.05) {
    run(clock, context, t, 0.05, ahead);
    expect(clock.quality().latencyS).toBeLessThan(0.15);
    if (clock.quality().ready) readyAt = Math.min(readyAt, t);
  }
  expect(readyAt).toBeLessThan(0.7);
  expect(clock.quality()).toMatchObject({ stamped: false, jumps: 0 });
  expect(Math.abs(errorUs(clock, context, 5))).toBeLessThan(1_000);
});
