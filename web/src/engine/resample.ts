// Any rate near one, changing at any time, without a seam: a windowed sinc read at fractional positions.
//
// The position is a whole frame and a fraction, so that a programme of months keeps its fractions exact; between blocks
// nothing else is kept, as the samples around it are read from the jitter buffer again.

/** Each side of a position. */
export const REACH = 32;
const TAPS = 2 * REACH;
/** Between two of them coefficients are interpolated: 2048 leave an error below -120 dB. */
const PHASES = 2_048;
/** Kaiser's: -110 dB beyond a transition of 2.6 kHz either side of the edge. */
const BETA = 11;

export interface Position {
  frame: number;
  /** 0 to below 1. */
  fraction: number;
}

export function advance(p: Position, by: number): Position {
  const whole = Math.floor(p.fraction + by);
  return { frame: p.frame + whole, fraction: p.fraction + by - whole };
}

/** Frames from `q` to `p`. */
export function distance(p: Position, q: Position): number {
  return p.frame - q.frame + (p.fraction - q.fraction);
}

export class Resampler {
  private readonly table: Float32Array;

  /** `ratio` is the output's rate to the input's, as far as it matters for the filter's edge. */
  constructor(ratio: number) {
    this.table = makeTable(Math.min(1, ratio));
  }

  /**
   * Writes `out.length` frames beginning at a fraction after input[REACH - 1], the rate (input frames for each output
   * frame) going evenly from `from` to `to`. `input` holds `inputLength` frames.
   */
  process(input: Float32Array, fraction: number, from: number, to: number, out: Float32Array): void {
    const table = this.table;
    const bend = (to - from) / (2 * out.length);
    for (let i = 0; i < out.length; i += 1) {
      const at = fraction + i * (from + bend * i);
      const whole = Math.floor(at);
      const phase = (at - whole) * PHASES;
      const row = Math.floor(phase);
      const mix = phase - row;
      const first = row * TAPS;
      let [low, high] = [0, 0];
      for (let tap = 0; tap < TAPS; tap += 1) {
        const sample = input[whole + tap] as number;
        low += sample * (table[first + tap] as number);
        high += sample * (table[first + TAPS + tap] as number);
      }
      out[i] = low + (high - low) * mix;
    }
  }
}

/** How far `process` goes for so many frames. */
export function travel(from: number, to: number, frames: number): number {
  return (frames * (from + to)) / 2;
}

/** Input frames that `process` reads, from REACH - 1 before its position on. */
export function inputLength(fraction: number, from: number, to: number, frames: number): number {
  return Math.floor(fraction + travel(from, to, frames)) + TAPS + 1;
}

/** Row p holds the coefficients for a position p / PHASES after tap REACH - 1; each row sums to one. */
function makeTable(edge: number): Float32Array {
  const table = new Float32Array((PHASES + 1) * TAPS);
  const row = new Float64Array(TAPS);
  for (let phase = 0; phase <= PHASES; phase += 1) {
    let sum = 0;
    for (let tap = 0; tap < TAPS; tap += 1) {
      const x = tap - (REACH - 1) - phase / PHASES;
      row[tap] = sinc(edge * x) * kaiser(x / REACH);
      sum += row[tap] as number;
    }
    for (let tap = 0; tap < TAPS; tap += 1) table[phase * TAPS + tap] = (row[tap] as number) / sum;
  }
  return table;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
const kaiser = (x: number): number => (Math.abs(x) >= 1 ? 0 : bessel(BETA * Math.sqrt(1 - x * x)) / bessel(BETA));

/** I0, by its series. */
function bessel(x: number): number {
  let [sum, term] = [1, 1];
  for (let k = 1; term > 1e-12 * sum; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
