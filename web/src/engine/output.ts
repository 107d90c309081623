// The audio context's clock on the page's clock: when is the frame at context time c heard?
//
// Browsers state it (getOutputTimestamp), and some state nonsense: nothing, zeros, the time of rendering, a stamp that
// stands still. So a stamp is validated, and where none is valid the context's own time and its stated latency take its
// place, coarser. A line is fitted to the stamps of half a minute, with outliers left out; a run of stamps off the line to
// one side shows that the output has moved (it ran dry, or changed its route), and the line begins anew there.
//
// Pure: readings in, estimate out. Seconds of context time, nanoseconds of the page's clock.

export interface Reading {
  /** performance.now and currentTime, read together. */
  nowNs: number;
  currentS: number;
  /** getOutputTimestamp, where there is one. */
  stampS: number | undefined;
  stampNs: number | undefined;
  /** outputLatency, or baseLatency where there is none. */
  latencyS: number;
}

export interface OutputQuality {
  /** The output's clock against the page's: positive is faster. */
  ppm: number;
  sdUs: number;
  /** From handing a frame over to hearing it. */
  latencyS: number;
  /** The browser's stamps are believed. */
  stamped: boolean;
  ready: boolean;
  /** How often the output turned out to have moved. */
  jumps: number;
}

interface Point {
  x: number;
  /** Local ns less 1e9 x. */
  y: number;
}

/** Half a minute of ten a second. */
const MAX_POINTS = 300;
const EVERY_NS = 100e6;
/** Closer together at first, as the start waits for them. */
const FIRST_EVERY_NS = 20e6;
const FIRST_POINTS = 25;
/** Before this much is seen a start would be a guess. */
const READY = { points: 8, spanS: 0.25 };
/** Sound cards against crystals of computers, ns/s; what a line of a second could not tell. */
const SLOPE_SD = 60e3;
/** Stamps are no better than this, ns. */
const LEAST_NOISE = 50e3;
/** How far off the line counts as another line, and how many in a row say so. */
const JUMP_NS = 3e6;
const JUMP_AFTER = 6;
/** A stamp's age and latency beyond which it is nonsense, s. */
const OLDEST_STAMP_S = 1;
const LONGEST_LATENCY_S = 2;
/** So many invalid stamps in a row, and stamps are not asked for any more. */
const GIVE_UP_AFTER = 20;

export class OutputClock {
  private points: Point[] = [];
  private line: { x: number; y: number; slope: number; noise: number; slopeSd: number } | undefined;
  private priorSlope = 0;
  private priorSd = SLOPE_SD;
  private off = 0;
  private invalid = 0;
  private valid = 0;
  private lastStampNs = -1;
  private lastNs = -Infinity;
  private latencyS = 0;
  private jumps = 0;

  /** The context was suspended and goes on, or is another one: what was known of its position is void. */
  reset(): void {
    this.points = [];
    this.line = undefined;
    this.off = 0;
    this.lastStampNs = -1;
    this.lastNs = -Infinity;
  }

  handleReading(r: Reading): void {
    if (!(r.currentS > 0) || r.nowNs - this.lastNs < this.everyNs()) return;
    const point = this.stamped() ? this.fromStamp(r) : fromLatency(r);
    if (!point) return;
    this.lastNs = r.nowNs;
    this.latencyS = Math.max(0, r.currentS - (r.nowNs - point.y) / 1e9);
    this.add(point);
  }

  /** Local ns at which the frame at context time `s` is heard. */
  localAt(s: number): number | undefined {
    const line = this.line;
    if (!line) return undefined;
    return line.y + line.slope * (s - line.x) + 1e9 * s;
  }

  /** Context time heard at a local instant. */
  contextAt(localNs: number): number | undefined {
    const line = this.line;
    if (!line) return undefined;
    return (localNs - line.y + line.slope * line.x) / (1e9 + line.slope);
  }

  /** Local seconds in a context second, less one. */
  skew(): number {
    return (this.line?.slope ?? 0) / 1e9;
  }

  quality(): OutputQuality {
    const line = this.line;
    const spanS = (this.points.at(-1)?.x ?? 0) - (this.points[0]?.x ?? 0);
    const n = this.points.length;
    return {
      ppm: -this.skew() * 1e6,
      sdUs: line ? Math.hypot(line.noise / Math.sqrt(n), line.slopeSd * spanS * 0.5) / 1e3 : Infinity,
      latencyS: this.latencyS,
      stamped: this.stamped(),
      ready: n >= READY.points && spanS >= READY.spanS,
      jumps: this.jumps,
    };
  }

  private everyNs(): number {
    return this.points.length < FIRST_POINTS ? FIRST_EVERY_NS : EVERY_NS;
  }

  private stamped(): boolean {
    return this.valid > 0 || this.invalid < GIVE_UP_AFTER;
  }

  private fromStamp(r: Reading): Point | undefined {
    if (!isPlausible(r)) {
      this.invalid += 1;
      if (this.invalid >= GIVE_UP_AFTER) this.valid = 0;
      return undefined;
    }
    const [x, ns] = [r.stampS as number, r.stampNs as number];
    if (ns === this.lastStampNs) return undefined;
    this.lastStampNs = ns;
    this.invalid = 0;
    this.valid += 1;
    return { x, y: ns - 1e9 * x };
  }

  private add(point: Point): void {
    if (this.line) {
      const residual = point.y - (this.line.y + this.line.slope * (point.x - this.line.x));
      const limit = Math.max(JUMP_NS, 6 * this.line.noise);
      const side = Math.abs(residual) > limit ? Math.sign(residual) : 0;
      this.off = side === 0 ? 0 : Math.sign(this.off) === side ? this.off + side : side;
      if (Math.abs(this.off) >= JUMP_AFTER) this.moved();
    }
    this.points.push(point);
    if (this.points.length > MAX_POINTS) this.points.shift();
    this.fit();
  }

  /** The rate stays what it was: the crystal is the same. */
  private moved(): void {
    this.jumps += 1;
    this.points = this.points.slice(-(JUMP_AFTER - 1));
    this.off = 0;
  }

  private fit(): void {
    const all = this.points;
    const first = leastSquares(all, this.priorSlope, this.priorSd, this.line?.noise ?? 1e6);
    const residuals = all.map((p) => Math.abs(residualOf(first, p)));
    const spread = 1.4826 * median(residuals);
    const kept = all.filter((_, i) => (residuals[i] as number) <= Math.max(3 * spread, 2 * LEAST_NOISE));
    const noise = Math.max(LEAST_NOISE, spread);
    this.line = { ...leastSquares(kept, this.priorSlope, this.priorSd, noise), noise };
    if (kept.length >= MAX_POINTS / 2) {
      this.priorSlope = this.line.slope;
      this.priorSd = 20e3;
    }
  }
}

/** The stated position must be about now, and neither ahead of what is rendered nor absurdly far behind it. */
function isPlausible(r: Reading): boolean {
  if (r.stampS === undefined || r.stampNs === undefined || !(r.stampS > 0) || !(r.stampNs > 0)) return false;
  const ageS = (r.nowNs - r.stampNs) / 1e9;
  if (!(Math.abs(ageS) < OLDEST_STAMP_S)) return false;
  const behindS = r.currentS - (r.stampS + ageS);
  return behindS > -0.1 && behindS < LONGEST_LATENCY_S;
}

/** currentTime is of the block rendered last; it is heard a latency later. */
function fromLatency(r: Reading): Point {
  return { x: r.currentS, y: r.nowNs + 1e9 * r.latencyS - 1e9 * r.currentS };
}

/** A line whose slope is known beforehand to `priorSd`. */
function leastSquares(points: Point[], prior: number, priorSd: number, noise: number): {
  x: number;
  y: number;
  slope: number;
  slopeSd: number;
} {
  const n = points.length;
  const x = points.reduce((sum, p) => sum + p.x, 0) / n;
  const y = points.reduce((sum, p) => sum + p.y, 0) / n;
  let [xx, xy] = [0, 0];
  for (const p of points) {
    xx += (p.x - x) ** 2;
    xy += (p.x - x) * (p.y - y);
  }
  const precision = xx / noise ** 2 + 1 / priorSd ** 2;
  const slope = (xy / noise ** 2 + prior / priorSd ** 2) / precision;
  return { x, y, slope, slopeSd: 1 / Math.sqrt(precision) };
}

const residualOf = (line: { x: number; y: number; slope: number }, p: Point): number =>
  p.y - (line.y + line.slope * (p.x - line.x));

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}
