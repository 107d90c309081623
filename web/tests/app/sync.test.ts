import { expect, test } from "vitest";
import type { CalibrationStatus } from "../../src/app/api";
import { History, opening, syncOf } from "../../src/app/sync";
import { playing, report, speaker } from "./speakers";

const at = (name: string, phase_error_us: number, sd = 1) => speaker(name, { report: report({ phase_error_us, offset_sd_us: sd }) });
const word = (...speakers: Parameters<typeof playing>) => syncOf(playing(...speakers)).word;
const calibration = { verified: true, stale: null } as CalibrationStatus;

test("two speakers within 60 µs, doubt included, are together", () => {
  const found = syncOf(playing(at("a", -3), at("b", 4)));
  expect(found.word).toBe("together");
  expect(found.spread_us).toBe(7);
  expect(found.sure_us).toBeCloseTo(1.96 * Math.SQRT2, 6);
});

test("the spread is that of the outermost of many, whatever their order", () => {
  const found = syncOf(playing(at("a", 40), at("b", -60), at("c", 0), at("d", 39)));
  expect([found.word, found.spread_us]).toEqual(["nearly", 100]);
});

test("an interval that reaches over the limit has not passed it", () => {
  expect(word(at("a", 0, 1), at("b", 50, 1))).toBe("together");
  expect(word(at("a", 0, 10), at("b", 50, 10))).toBe("nearly");
});

test("clocks that could be anywhere are not verified, and never called together", () => {
  expect(word(at("a", 0, 500), at("b", 1, 500))).toBe("not_verified");
});

test("what is surely far apart is said so", () => {
  expect(word(at("a", 0), at("b", 8000))).toBe("apart");
});

test("a Bluetooth or browser speaker is not verified until a microphone has heard it, and is again when that has grown stale", () => {
  const browser = { output: "browser:Chrome 131 on Android", browser: true };
  expect(word(at("a", 0), speaker("b", browser))).toBe("not_verified");
  expect(word(at("a", 0), speaker("b", { output: "bluetooth:0A" }))).toBe("not_verified");
  expect(word(at("a", 0), speaker("b", { ...browser, calibration }))).toBe("together");
  expect(word(at("a", 0), speaker("b", { ...browser, calibration: { ...calibration, stale: "not verified since reconnect" } }))).toBe("not_verified");
  expect(word(at("a", 0), speaker("b", { ...browser, calibration: { ...calibration, verified: false } }))).toBe("not_verified");
});

test("one speaker has nobody to agree with, and silence is quiet", () => {
  expect(word(at("a", 0))).toBe("alone");
  const idle = playing(at("a", 0), at("b", 0));
  idle.programme.state = "paused";
  expect(syncOf(idle).word).toBe("quiet");
});

test("a speaker that is setting its clock holds the judgement back; one that has gone does not", () => {
  const settling = speaker("c", { report: report({ synced: false }) });
  expect(word(at("a", 0), at("b", 1), settling)).toBe("settling");
  expect(word(at("a", 0), at("b", 1), { ...settling, silent_ms: 60_000 })).toBe("together");
});

test("the eye is closed when they are together and wide open at an echo", () => {
  expect(opening(3)).toBe(0);
  expect(opening(30_000)).toBe(1);
  expect(opening(60)).toBeLessThan(opening(200));
});

test("the history keeps its seconds, takes one value a second, and never grows", () => {
  const history = new History(180);
  for (let s = 0; s < 10_000; s += 0.25) history.add(s, s);
  expect(history.times.length).toBeLessThanOrEqual(182);
  expect((history.times[history.times.length - 1] ?? 0) - (history.times[0] ?? 0)).toBeLessThanOrEqual(180);
});
