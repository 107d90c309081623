import { expect, test } from "vitest";
import { leftOf, Meter, troubleOf, wanted } from "../../src/app/hearing";
import { Take } from "../../src/app/take";
import { wav24 } from "../../src/app/wav";

const RATE = 48_000;
const noise = (size: number, frames = 2_400): Float32Array => Float32Array.from({ length: frames }, (_, n) => size * Math.sin(0.7 * n));
const word = (meter: Meter, piece: Float32Array, times: number): string => {
  let said = "";
  for (let n = 0; n < times; n += 1) said = meter.add(piece, RATE).word;
  return said;
};

test("a recording is one channel of 24-bit PCM, its samples in order and whole", () => {
  const file = wav24([Float32Array.of(0, 1, -1), Float32Array.of(0.5, -(2 ** -23))], 44_100);
  const view = new DataView(file.buffer);
  const text = (at: number): string => String.fromCharCode(...file.subarray(at, at + 4));
  expect([text(0), text(8), text(12), text(36)]).toEqual(["RIFF", "WAVE", "fmt ", "data"]);
  expect([view.getUint16(20, true), view.getUint16(22, true), view.getUint32(24, true), view.getUint16(34, true)]).toEqual([1, 1, 44_100, 24]);
  expect([view.getUint32(28, true), view.getUint16(32, true), view.getUint32(40, true)]).toEqual([132_300, 3, 15]);
  const sample = (n: number): number => (view.getInt8(46 + 3 * n) << 16) | view.getUint16(44 + 3 * n, true);
  expect([0, 1, 2, 3, 4].map(sample)).toEqual([0, 0x7fffff, -0x7fffff, 0x400000, -1]);
});

test("an odd number of bytes is filled up and not counted, and what is beyond full scale stays at it", () => {
  const file = wav24([Float32Array.of(1.7)], RATE);
  const view = new DataView(file.buffer);
  expect([file.length, view.getUint32(4, true), view.getUint32(40, true)]).toEqual([48, 40, 3]);
  expect([...file.subarray(44)]).toEqual([0xff, 0xff, 0x7f, 0]);
});

test("processing that the browser left on, and what it says nothing of, are told apart", () => {
  expect(leftOf({ echoCancellation: false, noiseSuppression: false, autoGainControl: false })).toEqual({ on: [], unsure: [] });
  expect(leftOf({ echoCancellation: true, noiseSuppression: false })).toEqual({ on: ["echoCancellation"], unsure: ["autoGainControl"] });
  // Newer browsers say which kind.
  expect(leftOf({ echoCancellation: "all", noiseSuppression: false, autoGainControl: false }).on).toEqual(["echoCancellation"]);
});

test("all processing is asked to be off, and one channel is asked for", () => {
  expect(wanted().audio).toEqual({ echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 });
});

test("why there is no microphone is one of few plain reasons", () => {
  expect(["NotAllowedError", "NotFoundError", "NotReadableError", "WhatError"].map(troubleOf)).toEqual(["denied", "none", "busy", "other"]);
});

test("the level is too quiet, good or clipping, and a clipped moment is seen for a while", () => {
  const meter = new Meter();
  expect(word(meter, noise(0.0005), 40)).toBe("quiet");
  expect(word(meter, noise(0.05), 40)).toBe("good");
  expect(word(meter, noise(1), 1)).toBe("clipping");
  expect(word(meter, noise(0.05), 20)).toBe("clipping");
  expect(word(meter, noise(0.05), 20)).toBe("good");
});

test("a word does not come and go around its limit", () => {
  const meter = new Meter();
  const [below, above] = [noise(0.0019), noise(0.0022)];
  word(meter, below, 60);
  expect([word(meter, above, 60), word(meter, below, 60)]).toEqual(["quiet", "quiet"]);
});

test("a microphone that gives zeros alone is said to give nothing", () => {
  expect(word(new Meter(), new Float32Array(2_400), 25)).toBe("nothing");
});

const ours = { state: "playing", title: "Test track: measure" } as const;

test("a recording ends two seconds after the track, whenever the track began", () => {
  const take = new Take(ours.title, 14, 100);
  expect(take.stand({ state: "starting", title: ours.title }, 0, 101)).toBe("waits");
  expect(take.stand(ours, 0.5, 102)).toBe("plays");
  expect(take.left(102)).toBe(15.5);
  expect(take.stand(ours, 13.5, 115)).toBe("plays");
  expect(take.stand({ state: "ended", title: ours.title }, 14, 116)).toBe("plays");
  expect(take.stand({ state: "ended", title: ours.title }, 14, 117.5)).toBe("over");
});

test("a status that still tells of the music before begins nothing, and a track that does not come is late", () => {
  const take = new Take(ours.title, 14, 0);
  expect(take.stand({ state: "playing", title: "Köln" }, 80, 0.1)).toBe("waits");
  expect(take.stand({ state: "waiting", title: ours.title }, 0, 21)).toBe("late");
});

test("a track that is paused, stopped or replaced before its end gives no recording", () => {
  for (const other of [{ ...ours, state: "paused" }, { state: "idle", title: "" }, { ...ours, title: "Köln" }] as const) {
    const take = new Take(ours.title, 14, 0);
    take.stand(ours, 1, 1);
    expect(take.stand(other, 5, 5)).toBe("broken");
  }
});

test("the next thing of the queue may begin when the track is over", () => {
  const take = new Take(ours.title, 14, 0);
  take.stand(ours, 13, 13);
  expect(take.stand({ ...ours, title: "Köln" }, 0.3, 14.3)).toBe("plays");
  expect(take.stand({ ...ours, title: "Köln" }, 2, 16)).toBe("over");
});
