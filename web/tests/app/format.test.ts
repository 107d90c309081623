import { expect, test } from "vitest";
import { age, clock, correction, delay, delayFrom, faderOf, gain, gainOf, lateness, span, spokenClock } from "../../src/app/format";

test("a delay is later or earlier, never a sign", () => {
  expect(delay(2500)).toBe("2.5 ms later");
  expect(delay(-125)).toBe("0.125 ms earlier");
  expect(delay(0)).toBe("on time");
  expect(delay(1_500_000)).toBe("1500 ms later");
});

test("what is typed as a delay becomes microseconds, with a comma too, and nonsense becomes nothing", () => {
  expect(delayFrom("2,5", true)).toBe(2500);
  expect(delayFrom(" 0.125 ", false)).toBe(-125);
  expect(Object.is(delayFrom("0", false), 0)).toBe(true);
  for (const text of ["", "-3", "2001", "fast", "1e9", "NaN", "Infinity"]) expect(delayFrom(text, true)).toBeNull();
});

test("a delay that was shown is set unchanged when it is sent back", () => {
  for (const us of [1, 100, 1234, 999_999, 2_000_000]) {
    const [ms, , when] = delay(us).split(" ");
    expect(delayFrom(ms ?? "", when === "later")).toBe(us);
  }
});

test("a span is read in the unit that suits it", () => {
  expect([0, 1, 4.23, 9.96, 100, 999.6, 1270, 23_456, 137_006, 2_100_000].map(span)).toEqual(
    ["0 µs", "1 µs", "4.2 µs", "10 µs", "100 µs", "1 ms", "1.27 ms", "23.5 ms", "137 ms", "2.1 s"]);
});

test("late and early are words", () => {
  expect([12.3, -0.4, 0.01].map(lateness)).toEqual(["12 µs late", "0.4 µs early", "on time"]);
});

test("a clock counts minutes and hours as people do", () => {
  expect([0, 59.9, 187, 3723].map(clock)).toEqual(["0:00", "0:59", "3:07", "1:02:03"]);
  expect(spokenClock(187)).toBe("3 minutes 7 seconds");
  expect(clock(-5)).toBe("0:00");
});

test("the fader goes to decibels and comes back, silent at its foot and full at its head", () => {
  for (let fader = 0; fader <= 100; fader += 1) expect(faderOf(gainOf(fader))).toBe(fader);
  expect([gainOf(0), gainOf(100)].map((db) => gain(db))).toEqual(["silent", "full"]);
  expect(gain(-6)).toBe("−6 dB");
  expect(gain(3)).toBe("+3 dB");
});

test("ages and corrections are whole phrases", () => {
  expect([1, 60, 7300, 200_000].map(age)).toEqual(["1 second", "60 seconds", "2 hours", "2 days"]);
  expect(correction({ delay_us: 8000, gain_db: -0.9 })).toBe("8 ms later, −0.9 dB");
  expect(correction({ delay_us: 0, gain_db: 0 })).toBe("left as it was");
});
