// The audio context's clock on the page's clock: when is the frame at context time c heard?
//
// Browsers state it (getOutputTimestamp), and some state nonsense: nothing, zeros, the time of rendering, a stamp that
// stands still. So a stamp is validated, and where none is valid the context's own time and its stated latency take its
// place, coarser. On a sound server stamps are a saw (a latency in steps of 8 ms, against which the position creeps for a
// second) and for the first ten seconds they wander by as much. So a line is fitted to the stamps of a minute, early ones
// counting little if they are noisy; its doubt is reckoned by the second, not by the stamp; and until it knows better it is
// held by what has been rendered and the stated latency, which is off by a constant and steady.
//
// An output that runs dry makes everything after it late at once. What has been rendered shows that within half a second,
// long before the stamps do, and the line is moved by as much.
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

interface Line extends Point {
  slope: number;
  levelSd: number;
  slopeSd: number;
}

/** A minute of ten a second. */
const MAX_POINTS = 600;
const EVERY_NS = 100e6;
/** Closer together at first, as the start waits for them. */
const FIRST_EVERY_NS = 20e6;
const FIRST_POINTS = 25;
/** Before this much is seen a start would be a guess. */
const READY = { points: 8, spanS: 0.25 };
/** Sound cards against crystals of computers, ns/s; what a line of a second could not tell. */
const SLOPE_SD = 60e3;
/** What a crystal does from one half minute to another. */
const KNOWN_SLOPE_SD = 10e3;
/** Stamps are no better than this, ns. */
const LEAST_NOISE = 50e3;
/** A saw has turned about once in this time, s: stamps closer together tell the same, as far as neighbours are alike. */
const ALIKE_S = 1;
/** Before so many are there, neighbours are taken to be alike. */
const ALIKE_POINTS = 20;
/** Stamps wander when an output begins: by so many times their noise, for about so long. */
const WANDER = { times: 4, s: 5 };
/** What is rendered and the stated latency tell the output no better than this, ns. */
const RENDERED_SD = 4e6;
/** Readings of what is rendered: so many new ones against so many before show a jump of so much at least. */
const RENDERED = { recent: 12, before: 24, ns: 7e6 };
/** So many stamps in a row off the line, to one side, show one too: by so much, and so much noise. */
const OFF = { points: 6, ns: 3e6, noises: 4 };
/** A stamp's age and latency beyond which it is nonsense, s. */
const OLDEST_STAMP_S = 1;
const LONGEST_LATENCY_S = 2;
/** So many invalid stamps in a row, and stamps are not asked for any more. */
const GIVE_UP_AFTER = 20;

export class OutputClock {
  private points: Point[] = [];
  /** What has been rendered, and the latency stated with it, ns. */
  private rendered: (Point & { latency: number })[] = [];
  private watchedNs = -Infinity;
  private beganS = 0;
  private line: (Line & { noise: number }) | undefined;
  /** How alike the errors of neighbouring stamps are: 1 a saw, 0 each for itself. */
  private alike = 1;
  private priorSlope = 0;
  private priorSd = SLOPE_SD;
  private invalid = 0;
  private valid = 0;
  private lastStampNs = -1;
  private lastNs = -Infinity;
  private latencyS = 0;
  private jumps = 0;

  /** The context was suspended and goes on, or is another one: what was known of its position is void. */
  reset(): void {
    this.points = [];
    this.rendered = [];
    this.line = undefined;
    this.lastStampNs = -1;
    this.lastNs = -Infinity;
  }

  handleReading(r: Reading): void {
    if (!(r.currentS > 0)) return;
    this.watchRendering(r);
    if (r.nowNs - this.lastNs < this.everyNs()) return;
    const point = this.stamped() ? this.fromStamp(r) : fromLatency(r);
    if (!point) return;
    this.lastNs = r.nowNs;
    this.latencyS = Math.max(0, r.currentS - (r.nowNs - point.y) / 1e9);
    if (this.points.length === 0) this.beganS = point.x;
    this.points.push(point);
    if (this.points.length > MAX_POINTS) this.points.shift();
    if (this.isOff()) this.moved(OFF.points);
    this.fit();
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
      sdUs: line ? Math.hypot(line.levelSd, line.slopeSd * spanS * 0.5) / 1e3 : Infinity,
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

  /** Rendering falls behind by what the output stood still, and stays behind. */
  private watchRendering(r: Reading): void {
    const { recent, before } = RENDERED;
    if (r.nowNs - this.watchedNs < FIRST_EVERY_NS) return;
    this.watchedNs = r.nowNs;
    this.rendered.push({ x: r.currentS, y: r.nowNs - 1e9 * r.currentS, latency: r.latencyS * 1e9 });
    if (this.rendered.length > recent + before) this.rendered.shift();
    if (this.rendered.length < recent + before) return;
    const late = this.rendered.map((p) => p.y);
    const jump = median(late.slice(-recent)) - median(late.slice(0, before));
    if (Math.abs(jump) < RENDERED.ns) return;
    this.jumps += 1;
    for (const point of this.points) point.y += jump;
    this.rendered = this.rendered.slice(-recent);
    if (this.points.length > 0) this.fit();
  }

  /** Whether the newest stamps all lie far off the line, on one side. */
  private isOff(): boolean {
    const line = this.line;
    if (!line || this.points.length < 3 * OFF.points) return false;
    const residuals = this.points.slice(-OFF.points).map((p) => residualOf(line, p));
    const limit = Math.max(OFF.ns, OFF.noises * line.noise);
    return residuals.every((r) => r > limit) || residuals.every((r) => r < -limit);
  }

  /** The rate stays what it was: the crystal is the same. */
  private moved(keep: number): void {
    this.jumps += 1;
    this.points = this.points.slice(-keep);
    this.rendered = this.rendered.slice(-keep);
  }

  private fit(): void {
    const all = this.points;
    const level = this.renderedLevel();
    const first = this.leastSquares(all, this.line?.noise ?? 1e6, level);
    const errors = all.map((p) => residualOf(first, p));
    this.alike = all.length < ALIKE_POINTS ? 1 : likeness(errors);
    const residuals = errors.map(Math.abs);
    const spread = 1.4826 * median(residuals);
    const kept = all.filter((_, i) => (residuals[i] as number) <= Math.max(3 * spread, 2 * LEAST_NOISE));
    const noise = Math.max(LEAST_NOISE, spread);
    this.line = { ...this.leastSquares(kept, noise, level), noise };
    if (kept.length >= MAX_POINTS / 2) {
      this.priorSlope = this.line.slope;
      this.priorSd = KNOWN_SLOPE_SD;
    }
  }

  /** A line whose slope is known beforehand, and whose level is, coarsely, from what has been rendered. */
  private leastSquares(points: Point[], noise: number, level: Point | undefined): Line {
    const spanS = (points.at(-1)?.x ?? 0) - (points[0]?.x ?? 0);
    // Points nearer to each other than a turn of the saw count together as one.
    const together = (points.length * ALIKE_S) / (spanS + ALIKE_S);
    const alike = Math.max(1, Math.min(together, (1 + this.alike) / (1 - Math.min(0.99, this.alike))));
    const weighed = points.map((p) => {
      const wander = 1 + this.alike * WANDER.times * Math.exp(-(p.x - this.beganS) / WANDER.s);
      return { ...p, weight: 1 / (alike * (wander * noise) ** 2) };
    });
    if (level) weighed.push({ ...level, weight: 1 / RENDERED_SD ** 2 });
    return weightedLine(weighed, this.priorSlope, this.priorSd);
  }

  private renderedLevel(): Point | undefined {
    const newest = this.rendered.at(-1);
    if (!newest) return undefined;
    return { x: newest.x, y: median(this.rendered.map((p) => p.y)) + median(this.rendered.map((p) => p.latency)) };
  }
}

function weightedLine(points: (Point & { weight: number })[], prior: number, priorSd: number): Line {
  let [w, wx, wy] = [0, 0, 0];
  // About the first point, as nanoseconds since a page was opened squared leave no digits.
  const origin = points[0] ?? { x: 0, y: 0 };
  for (const p of points) {
    w += p.weight;
    wx += p.weight * (p.x - origin.x);
    wy += p.weight * (p.y - origin.y);
  }
  const [x, y] = [origin.x + wx / w, origin.y + wy / w];
  let [xx, xy] = [0, 0];
  for (const p of points) {
    xx += p.weight * (p.x - x) ** 2;
    xy += p.weight * (p.x - x) * (p.y - y);
  }
  const precision = xx + 1 / priorSd ** 2;
  const slope = (xy + prior / priorSd ** 2) / precision;
  return { x, y, slope, levelSd: 1 / Math.sqrt(w), slopeSd: 1 / Math.sqrt(precision) };
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

/** Correlation of neighbours, 0 to 1. */
function likeness(errors: number[]): number {
  let [product, square] = [0, 0];
  for (let n = 1; n < errors.length; n += 1) {
    product += (errors[n] as number) * (errors[n - 1] as number);
    square += (errors[n] as number) ** 2;
  }
  return square > 0 ? Math.min(1, Math.max(0, product / square)) : 0;
}

const residualOf = (line: { x: number; y: number; slope: number }, p: Point): number =>
  p.y - (line.y + line.slope * (p.x - line.x));

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? 0;
}
