import { expect, test } from "vitest";
import { advance, inputLength, type Position, REACH, Resampler, travel } from "../src/engine/resample";

const RATE = 48_000;

/** A tone, resampled in blocks whose rate wanders about `ppm`, and what is left when the tone is taken out, in dB. */
function thdN(hz: number, ppm: number, wanderPpm: number, contextRate = RATE): number {
  const resampler = new Resampler(contextRate / RATE);
  const base = RATE / contextRate;
  const block = contextRate / 10;
  let position: Position = { frame: 1e9, fraction: 0.25 };
  const at = (frame: number): number => 0.5 * Math.sin((2 * Math.PI * hz * frame) / RATE);
  const out: number[] = [];
  const phases: number[] = [];
  let rate = base * (1 + ppm / 1e6);
  for (let n = 0; n < 20; n += 1) {
    const next = base * (1 + (ppm + wanderPpm * Math.sin(n)) / 1e6);
    const input = new Float32Array(inputLength(position.fraction, rate, next, block));
    input.forEach((_, i) => (input[i] = at(position.frame - 1e9 - (REACH - 1) + i)));
    const samples = new Float32Array(block);
    resampler.process(input, position.fraction, rate, next, samples);
    samples.forEach((sample, i) => {
      out.push(sample);
      phases.push(position.frame - 1e9 + position.fraction + i * (rate + ((next - rate) * i) / (2 * block)));
    });
    position = advance(position, travel(rate, next, block));
    rate = next;
  }
  // What should have come out is known exactly, seams and changes of rate included.
  let [noise, signal] = [0, 0];
  out.forEach((sample, i) => {
    const ideal = at(phases[i] as number);
    noise += (sample - ideal) ** 2;
    signal += ideal ** 2;
  });
  return 10 * Math.log10(noise / signal);
}

test.each([
  [997, 0],
  [997, 50],
  [997, -100],
])("a tone of %i Hz at %i ppm has distortion and noise below -105 dB", (hz, ppm) => {
  expect(thdN(hz, ppm, 0)).toBeLessThan(-105);
});

test("a rate that changes with each block leaves no seam", () => {
  expect(thdN(997, 40, 30)).toBeLessThan(-105);
});

test("15 kHz stays below -90 dB", () => {
  expect(thdN(15_000, 50, 0)).toBeLessThan(-90);
});

test("a context of 44,100 frames a second gets the tone as clean", () => {
  expect(thdN(997, 30, 5, 44_100)).toBeLessThan(-90);
});

test("20 kHz passes within 0.1 dB", () => {
  expect(thdN(20_000, 50, 0)).toBeLessThan(-38.7);
});
