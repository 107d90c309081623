// A whole browser speaker in a made-up world: a hub, a network, a page clock, a context with a crystal of its own. What the
// context would sound is put together from the blocks and compared with the programme by true time.

import { expect, test } from "vitest";
import { SpeakerCore } from "../src/engine/core";
import { writeProbe } from "../src/engine/datagram";
import { Chance } from "./random";

const RATE = 48_000;
const LATENCY_S = 0.6;
const OUTPUT_S = 0.07;

/** The programme: its value at a frame tells which frame it is, smoothly, 400 frames to a turn. */
const programme = (frame: number): number => 0.5 * Math.sin((2 * Math.PI * frame) / 400);

interface World {
  hubPpm: number;
  contextPpm: number;
  jitterMs: number;
  seed: number;
}

/** `true` time in seconds drives everything; page, hub and context have clocks of their own. */
class Room {
  readonly core = new SpeakerCore(RATE, 100e3);
  readonly heard = new Float32Array(60 * RATE);
  private readonly owner = new Uint16Array(60 * RATE);
  private readonly chance: Chance;
  private epoch = 1;
  private startedAt = 0;
  private firstFrame = 1_000_000;
  private sent = 0;
  private counter = 0;
  private arrivals: { at: number; deliver: () => void }[] = [];
  private pageStillUntil = -1;
  private nextProbe = 0;
  private lastArrival = 0;
  t = 0;

  constructor(readonly world: World) {
    this.chance = new Chance(world.seed);
    this.core.handleWelcome(7, 99, { role: "left", gain_db: 0, muted: false, volume: undefined, delay_us: 0, codec: "l16", latency_us: 6e5 });
  }

  hubNs = (t: number): number => 9e12 + t * 1e9 * (1 + this.world.hubPpm / 1e6);
  pageNs = (t: number): number => 5e9 + t * 1e9;
  /** Context seconds rendered at `t`; heard OUTPUT_S later. */
  rendered = (t: number): number => t * (1 + this.world.contextPpm / 1e6);

  start(epoch: number, firstFrame: number): void {
    [this.epoch, this.firstFrame, this.sent, this.startedAt] = [epoch, firstFrame, 0, this.t + 0.01];
    this.arrive(() => this.core.handleMessage({ type: "timeline", epoch, firstFrame, presentationNs: this.presentation(0) }));
  }

  stop(): void {
    const [epoch, atNs] = [this.epoch, this.hubNs(this.t + 0.04)];
    this.startedAt = Infinity;
    this.arrive(() => this.core.handleMessage({ type: "stop", epoch, atNs }));
  }

  standStill(seconds: number): void {
    this.pageStillUntil = this.t + seconds;
  }

  run(seconds: number): void {
    for (const end = this.t + seconds; this.t < end; this.t += 0.005) {
      this.hubSends();
      if (this.t < this.pageStillUntil) continue;
      const due = this.arrivals.filter((a) => a.at <= this.t);
      this.arrivals = this.arrivals.filter((a) => a.at > this.t);
      for (const { deliver } of due) deliver();
      this.page();
    }
  }

  /** Frames by which what was heard at true time `t` is late, by the programme's own phase. */
  lateAt(t: number): number {
    const frame = Math.round((t - OUTPUT_S) * (1 + this.world.contextPpm / 1e6) * RATE);
    const heardAt = frame / RATE / (1 + this.world.contextPpm / 1e6) + OUTPUT_S;
    const due = this.firstFrame + ((this.hubNs(heardAt) - this.presentation(0)) / 1e9) * RATE;
    let [sine, cosine] = [0, 0];
    for (let i = -400; i < 400; i += 1) {
      const sample = this.heard[frame + i] ?? 0;
      sine += sample * Math.sin((2 * Math.PI * (due + i)) / 400);
      cosine += sample * Math.cos((2 * Math.PI * (due + i)) / 400);
    }
    return (-Math.atan2(cosine, sine) / (2 * Math.PI)) * 400;
  }

  levelAt(t: number): number {
    const frame = Math.round((t - OUTPUT_S) * (1 + this.world.contextPpm / 1e6) * RATE);
    let sum = 0;
    for (let i = 0; i < 400; i += 1) sum += (this.heard[frame + i] ?? 0) ** 2;
    return Math.sqrt(sum / 50);
  }

  /** The largest step between neighbouring samples, from true time `from` to `to`: the programme's own is 0.008. */
  largestStep(from: number, to: number): number {
    let worst = 0;
    for (let n = Math.round((from - OUTPUT_S) * RATE); n < (to - OUTPUT_S) * RATE; n += 1) {
      worst = Math.max(worst, Math.abs((this.heard[n + 1] ?? 0) - (this.heard[n] ?? 0)));
    }
    return worst;
  }

  private presentation(frames: number): number {
    return Math.round(this.hubNs(this.startedAt + LATENCY_S) + (frames * 1e9) / RATE);
  }

  private arrive(deliver: () => void): void {
    // A WebSocket keeps the order.
    this.lastArrival = Math.max(this.lastArrival, this.t + 0.0005 + this.chance.exponential(this.world.jitterMs / 1e3));
    this.arrivals.push({ at: this.lastArrival, deliver });
  }

  private hubSends(): void {
    while (this.startedAt + (this.sent / RATE) <= this.t) {
      const bytes = this.packet(this.sent);
      this.arrive(() => this.core.handleDatagram(bytes, this.pageNs(this.t)));
      this.sent += 480;
    }
  }

  private packet(offset: number): Uint8Array {
    const bytes = new Uint8Array(36 + 960);
    const view = new DataView(bytes.buffer);
    const frame = this.firstFrame + offset;
    view.setUint32(0, 0x90600000 + ((frame / 480) & 0xffff));
    view.setUint32(4, frame % 2 ** 32);
    view.setUint32(8, 0xcafe);
    view.setUint32(12, 0xbede0005);
    view.setUint8(16, 0x17);
    view.setBigInt64(17, BigInt(this.presentation(offset)));
    view.setUint8(25, 0x27);
    view.setUint32(26, this.epoch);
    view.setUint32(30, Math.floor(frame / 2 ** 32));
    for (let i = 0; i < 480; i += 1) view.setInt16(36 + 2 * i, Math.round(32_768 * programme(frame + i)));
    return bytes;
  }

  private page(): void {
    const now = this.t;
    const shown = Math.floor(this.pageNs(now) / 1e5) * 1e5;
    if (now >= this.nextProbe) {
      this.nextProbe = now + (now < 6 ? 0.02 : 0.1);
      this.exchange(shown);
    }
    const stampS = Math.max(0, this.rendered(now) - OUTPUT_S - 0.01 * this.chance.next());
    const heardAt = this.pageNs(stampS / (1 + this.world.contextPpm / 1e6) + OUTPUT_S);
    this.core.handleReading({
      nowNs: shown,
      currentS: this.rendered(now),
      stampS,
      stampNs: heardAt + 2e5 * this.chance.gauss(),
      latencyS: OUTPUT_S,
    });
    const plan = this.core.plan(this.rendered(now));
    for (const block of plan.blocks) {
      expect(block.frame).toBeGreaterThanOrEqual(Math.floor(this.rendered(now) * RATE));
      block.channels[0]?.forEach((sample, i) => {
        this.heard[block.frame + i] = sample;
        this.owner[block.frame + i] = block.voice;
      });
    }
    for (const cut of plan.cuts) this.silence(cut.voice, cut.frame);
  }

  /** As the page's gain does it: 5 ms down to nothing. */
  private silence(voice: number, from: number): void {
    for (let frame = Math.round(from) - 240; this.owner[frame] === voice; frame += 1) {
      this.heard[frame] = (this.heard[frame] ?? 0) * Math.max(0, (from - frame) / 240);
    }
  }

  private exchange(t1: number): void {
    const probe = this.core.probe(t1);
    writeProbe(probe.session, (this.counter += 1), probe.id, probe.t1);
    const there = 0.0003 + this.chance.exponential(this.world.jitterMs / 1e3);
    const back = 0.0003 + this.chance.exponential(this.world.jitterMs / 1e3);
    const t2 = Math.round(this.hubNs(this.t + there));
    const reply = new Uint8Array(48);
    const view = new DataView(reply.buffer);
    view.setUint32(0, 0xc3010000);
    view.setUint32(4, 7);
    view.setUint32(16, probe.id);
    view.setUint32(20, 99);
    view.setBigInt64(24, BigInt(t1));
    view.setBigInt64(32, BigInt(t2));
    view.setBigInt64(40, BigInt(t2));
    const at = this.t + there + back;
    this.arrivals.push({
      at,
      deliver: () => this.core.handleReply(reply, Math.floor(this.pageNs(Math.max(at, this.pageStillUntil)) / 1e5) * 1e5),
    });
  }
}

const quiet: World = { hubPpm: 40, contextPpm: -30, jitterMs: 0.3, seed: 1 };
const US = RATE / 1e6;

test.each([
  [100, -100],
  [-100, 100],
  [0, 0],
])("hub at %i ppm, sound card at %i ppm: heard in time within 0.6 ms from the first second on, 0.25 ms from the tenth", (hubPpm, contextPpm) => {
  const room = new Room({ ...quiet, hubPpm, contextPpm });
  room.start(1, 1_000_000);
  room.run(20);
  for (let t = 1.2; t < 19; t += 0.2) {
    expect(Math.abs(room.lateAt(t))).toBeLessThan((t < 10 ? 600 : 250) * US);
  }
  expect(room.core.playout.counters).toMatchObject({ underruns: 0, reprimes: 0, slips: 0, late: 0 });
  expect(room.largestStep(1, 19)).toBeLessThan(0.0081);
});

test("the first sound comes a latency after the start", () => {
  const room = new Room(quiet);
  room.start(1, 1_000_000);
  room.run(2);
  expect(room.levelAt(0.6)).toBe(0);
  expect(room.levelAt(0.65)).toBeGreaterThan(0.9);
});

test("a page that stands still for 200 ms leaves no gap", () => {
  const room = new Room({ ...quiet, jitterMs: 2 });
  room.start(1, 1_000_000);
  room.run(5);
  for (let n = 0; n < 5; n += 1) {
    room.standStill(0.2);
    room.run(1);
  }
  expect(room.core.playout.counters).toMatchObject({ underruns: 0, reprimes: 0, slips: 0 });
  expect(room.largestStep(1, 9)).toBeLessThan(0.0081);
  for (let t = 4; t < 9; t += 0.1) expect(room.levelAt(t)).toBeGreaterThan(0.9);
});

test("a page that stands still for two seconds falls silent, counts it, and is in time when it returns", () => {
  const room = new Room(quiet);
  room.start(1, 1_000_000);
  room.run(5);
  room.standStill(2);
  room.run(8);
  expect(room.levelAt(6.5)).toBe(0);
  expect(room.levelAt(7.5)).toBeGreaterThan(0.9);
  expect(Math.abs(room.lateAt(8))).toBeLessThan(200 * US);
  expect(room.core.playout.counters).toMatchObject({ underruns: 1, reprimes: 1 });
  expect(room.core.playout.counters.concealedMs).toBeGreaterThan(1_000);
});

test("a seek: the old epoch fades at its stop, the new one begins where it belongs", () => {
  const room = new Room(quiet);
  room.start(1, 1_000_000);
  room.run(5);
  room.stop();
  room.run(0.02);
  room.start(2, 9_000_100);
  room.run(4);
  expect(room.levelAt(5.02)).toBeGreaterThan(0.9);
  expect(room.levelAt(5.08)).toBe(0);
  expect(room.levelAt(5.7)).toBeGreaterThan(0.9);
  for (let t = 5.8; t < 8; t += 0.2) expect(Math.abs(room.lateAt(t))).toBeLessThan(300 * US);
  expect(room.largestStep(1, 8)).toBeLessThan(0.012);
  expect(room.core.playout.counters).toMatchObject({ underruns: 0, reprimes: 0, late: 0 });
});

test("a pause falls silent, and says so", () => {
  const room = new Room(quiet);
  room.start(1, 1_000_000);
  room.run(3);
  room.stop();
  room.run(2);
  expect(room.levelAt(3.2)).toBe(0);
  expect(room.core.stats(room.rendered(5)).state).toBe("stopped");
  expect(room.core.stats(room.rendered(5)).underruns).toBe(0);
});

test("a delay of 3 ms is taken up by one cross-fade, without a click", () => {
  const room = new Room(quiet);
  room.start(1, 1_000_000);
  room.run(5);
  room.core.playout.setDelay(3_000);
  room.run(5);
  expect(room.core.playout.counters.slips).toBe(1);
  expect(Math.abs(room.lateAt(8) - 144)).toBeLessThan(200 * US);
  expect(room.largestStep(1, 9)).toBeLessThan(0.012);
});

test("a delay of 0.4 s makes the voice begin anew in its place, within a second", () => {
  const room = new Room(quiet);
  room.start(1, 1_000_000);
  room.run(5);
  room.core.playout.setDelay(-400_000);
  room.run(3);
  expect(room.core.playout.counters.reprimes).toBe(0);
  room.core.playout.setDelay(100_000);
  room.run(4);
  expect(room.core.playout.counters.reprimes).toBeGreaterThan(0);
  expect(room.levelAt(9)).toBeGreaterThan(0.9);
});

test("another hub clock voids what was known", () => {
  const room = new Room(quiet);
  room.start(1, 1_000_000);
  room.run(3);
  const settings = { role: "left", gain_db: 0, muted: false, volume: undefined, delay_us: 0, codec: "l16", latency_us: 6e5 };
  expect(room.core.handleWelcome(8, 99, settings)).toBe(false);
  expect(room.core.mapping()).toBeDefined();
  expect(room.core.handleWelcome(9, 100, settings)).toBe(true);
  expect(room.core.mapping()).toBeUndefined();
});
