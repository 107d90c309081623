// The audio context's clock on the page's clock: when is the frame at context time c heard?
//
// Browsers state it (getOutputTimestamp), and some state nonsense: nothing, zeros, the time of rendering (Firefox takes the latency from
// both halves of its stamp), a stamp that stands still. So a stamp is validated, and where none is valid the context's own time and its
// stated latency take its place, coarser: what is rendered is seen late, by as much as the page and its browser are, and never early,
// so that the earliest of a second is where the output is.
//
// On a sound server stamps are a saw. The browser renders blocks of one length and hands them on in blocks of another; what
// lies between is not in its latency, and grows by the difference with every block until a whole one fits (Chromium on
// PulseAudio: 21 ms high, four turns a second). A quarter of a second of stamps is therefore taken together. From the second to
// the tenth second after an output began they wander besides, by up to 10 ms and back, as the server's own estimate settles; the
// first second is better than those. So a line is fitted to a minute of stamps, in which these count little; its doubt is
// reckoned by the second, not by the stamp.
//
// An output that ran dry makes everything after it late at once. Stamps show that within a fifth of a second. What has been
// rendered does not: the browser renders ahead of the output, up to a block more from minute to minute, and falls back by one,
// without anything of what is heard being moved.
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

interface Weighed extends Point {
  weight: number;
}

interface Line extends Point {
  slope: number;
  levelSd: number;
  slopeSd: number;
  /** Of a point of the fit, ns. */
  noise: number;
}

/** What points are made of, s of context time, and the part of them that lies lowest and highest and is left out. */
const BUCKET = { s: 0.25, cut: 0.2 };
/** Until then a stamp is a point of its own, as the start waits for them. */
const SINGLE_S = 0.6;
/** Points so old tell of another time. */
const MEMORY_S = 60;
/** Before this much is seen a start would be a guess. */
const READY = { points: 8, spanS: 0.25 };
/** Sound cards against crystals of computers, ns/s; what a line of a second could not tell. */
const SLOPE_SD = 60e3;
/** What a crystal does from one half minute to another. */
const KNOWN_SLOPE_SD = 10e3;
/** Stamps are no better than this, ns. */
const LEAST_NOISE = 50e3;
/** Points closer together tell the same, as far as neighbours are alike, s. */
const ALIKE_S = 1;
/** Before so many are there, neighbours are taken to be alike. */
const ALIKE_POINTS = 20;
/** Where neighbours are alike, what stamps count in the while that they wander, and before an output has got going at all. */
const WANDER = { from: 1.2, to: 10, counts: 0.03 };
const FIRST = { to: 0.15, counts: 0.1 };
/** What has just been seen, and the same for longer, s: stamped or rendered. */
const RECENT_S = { stamped: { just: 0.5, longer: 2 }, rendered: { just: 1, longer: 3 } };
/** It lies off the line, and the output has moved, from here on: ns, and parts of what single readings differ by. While stamps wander that
 *  is no proof. */
const OFF = { ns: 3e6, spreads: 0.8, wandering: 3 };
/** The same for longer, for less. */
const OFF_LONGER = { ns: 1.5e6, spreads: 0.3 };
/** A stamp's age and latency beyond which it is nonsense, s. */
const OLDEST_STAMP_S = 1;
/** A stamp tells of what is heard, not of what will be: WebKit's run ahead of time by as long as the context has run. */
const EARLIEST_STAMP_S = 0.05;
const LONGEST_LATENCY_S = 2;
/** So many invalid stamps in a row, and stamps are not asked for any more. One of the future counts for more, and one of what is being
 *  rendered: none at all may be of an output that has not begun. */
const GIVE_UP_AFTER = 20;
const OF_THE_FUTURE = 3;
const OF_RENDERING = 5;
/** Nothing is heard sooner than this after it was rendered, s. */
const LEAST_LATENCY_S = 2e-3;
/** What is rendered, seen by a page: a second together, of which this part is earlier still. */
const RENDERED = { s: 1, part: 0.05 };

export class OutputClock {
  private points: (Point & { stamps: number })[] = [];
  /** Single stamps of the last seconds, the newest at the end. */
  private recent: Point[] = [];
  private bucket: Point[] = [];
  private beganS = 0;
  private line: Line | undefined;
  /** How alike the errors of neighbouring points are: 0 each for itself. */
  private alike = 1;
  private priorSlope = 0;
  private priorSd = SLOPE_SD;
  private invalid = 0;
  /** Stamps are asked for; else it is told from what is rendered. */
  private stamped = true;
  private lastStampNs = -1;
  private latencyS = 0;
  private jumps = 0;
  /** Enough has been seen since it began; after a jump the new place, known coarsely, is better than silence. */
  private ready = false;

  /** The context was suspended and goes on, or is another one: what was known of its position is void. */
  reset(): void {
    this.points = [];
    this.recent = [];
    this.bucket = [];
    this.line = undefined;
    this.ready = false;
    this.lastStampNs = -1;
  }

  handleReading(r: Reading): void {
    if (!(r.currentS > 0)) return;
    const point = this.stamped ? this.fromStamp(r) : fromLatency(r);
    // A position that goes back is of no clock.
    if (!point || point.x <= (this.recent.at(-1)?.x ?? -1)) return;
    this.latencyS = Math.max(0, r.currentS - (r.nowNs - point.y) / 1e9);
    if (this.recent.length === 0) this.beganS = point.x;
    this.recent.push(point);
    this.recent = this.recent.filter((p) => p.x > point.x - this.recentS().longer);
    this.gather(point);
    this.lookForJump();
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
    const spanS = spanOf(this.points);
    return {
      ppm: -this.skew() * 1e6,
      sdUs: line ? Math.hypot(line.levelSd, line.slopeSd * spanS * 0.5) / 1e3 : Infinity,
      latencyS: this.latencyS,
      stamped: this.stamped,
      ready: this.ready,
      jumps: this.jumps,
    };
  }

  private fromStamp(r: Reading): Point | undefined {
    const fault = faultOf(r);
    if (fault > 0) {
      this.invalid += fault;
      if (this.invalid < GIVE_UP_AFTER) return undefined;
      // What is rendered has another place than what was stamped.
      this.reset();
      this.stamped = false;
      return undefined;
    }
    const [x, ns] = [r.stampS as number, r.stampNs as number];
    if (ns === this.lastStampNs) return undefined;
    this.lastStampNs = ns;
    this.invalid = 0;
    return { x, y: ns - 1e9 * x };
  }

  private gather(point: Point): void {
    const age = point.x - this.beganS;
    this.bucket.push(point);
    if (!this.stamped && age < RENDERED.s) this.points = [this.taken(this.recent)];
    else {
      const isWhole = spanOf(this.bucket) >= (this.stamped ? BUCKET.s : RENDERED.s);
      if (!isWhole && !(this.stamped && age < SINGLE_S)) return;
      this.points.push(this.taken(this.bucket));
      this.bucket = [];
    }
    this.points = this.points.filter((p) => p.x > point.x - MEMORY_S);
    this.ready ||= this.recent.length >= READY.points && spanOf(this.recent) >= READY.spanS;
    this.fit();
  }

  /** What readings show together. */
  private taken(points: Point[]): Point & { stamps: number } {
    return { ...(this.stamped ? middle(points) : earliest(points)), stamps: points.length };
  }

  private lookForJump(): void {
    const [line, newest] = [this.line, this.recent.at(-1)];
    const { just, longer } = this.recentS();
    if (!line || !newest || spanOf(this.recent) < 0.98 * just) return;
    const residuals = this.recent.map((p) => residualOf(line, p));
    const centre = median(residuals);
    const spread = 1.4826 * median(residuals.map((r) => Math.abs(r - centre)));
    const off = (of: number[]): number => (this.stamped ? median(of) : quantile(of, RENDERED.part));
    const since = (s: number): number => off(residuals.slice(this.recent.findIndex((p) => p.x > newest.x - s)));
    const age = newest.x - this.beganS;
    const isWandering = this.stamped && age < WANDER.to + longer && this.alike > 0.5;
    // A line that has wandered too is a little off for as long again.
    const isSettled = age > 2 * WANDER.to;
    const limit = Math.max(OFF.ns, OFF.spreads * spread) * (isWandering ? OFF.wandering : 1);
    const limitLonger = Math.max(OFF_LONGER.ns, OFF_LONGER.spreads * spread);
    if (Math.abs(since(just)) > limit) this.moved(just / 2);
    else if (isSettled && spanOf(this.recent) > 0.9 * longer && Math.abs(off(residuals)) > limitLonger) this.moved(longer / 2);
  }

  private recentS(): { just: number; longer: number } {
    return this.stamped ? RECENT_S.stamped : RECENT_S.rendered;
  }

  /** Only the last `s` seconds are of the output's new place. Its rate stays what it was: the crystal is the same. */
  private moved(s: number): void {
    const [line, newest] = [this.line, this.recent.at(-1)];
    if (!line || !newest) return;
    this.jumps += 1;
    this.priorSlope = line.slope;
    this.priorSd = Math.min(SLOPE_SD, Math.max(KNOWN_SLOPE_SD, line.slopeSd));
    this.recent = this.recent.filter((p) => p.x > newest.x - s);
    this.points = this.stamped ? this.recent.map((p) => ({ ...p, stamps: 1 })) : [this.taken(this.recent)];
    this.bucket = [];
    this.fit();
  }

  private fit(): void {
    const all = this.points;
    const first = this.leastSquares(all, this.line?.noise ?? 1e6);
    const errors = all.map((p) => residualOf(first, p));
    this.alike = all.length < ALIKE_POINTS ? 1 : likeness(errors);
    const residuals = errors.map(Math.abs);
    const spread = 1.4826 * median(residuals);
    const kept = all.filter((_, i) => (residuals[i] as number) <= Math.max(3 * spread, 2 * LEAST_NOISE));
    const noise = Math.max(LEAST_NOISE, spread);
    this.line = this.leastSquares(kept, noise);
    if (spanOf(kept) >= MEMORY_S / 2) {
      this.priorSlope = this.line.slope;
      this.priorSd = KNOWN_SLOPE_SD;
    }
  }

  /** A line whose slope is known beforehand. */
  private leastSquares(points: (Point & { stamps: number })[], noise: number): Line {
    // Points nearer to each other than a second count together as one, as far as they are alike.
    const together = (points.length * ALIKE_S) / (spanOf(points) + ALIKE_S);
    const alike = Math.max(1, Math.min(together, (1 + this.alike) / (1 - Math.min(0.99, this.alike))));
    const stamps = points.reduce((sum, p) => sum + p.stamps, 0) / Math.max(1, points.length);
    const weighed = points.map((p) => ({ ...p, weight: (this.counts(p.x) * p.stamps) / stamps / (alike * noise ** 2) }));
    return { ...weightedLine(weighed, this.priorSlope, this.priorSd), noise };
  }

  /** What a stamp at context time `x` counts. */
  private counts(x: number): number {
    if (!this.stamped) return 1;
    const age = x - this.beganS;
    const zone = age < FIRST.to ? FIRST : age > WANDER.from && age < WANDER.to ? WANDER : undefined;
    return zone ? 1 - this.alike * (1 - zone.counts) : 1;
  }
}

/** The mean of what is neither lowest nor highest. */
function middle(points: Point[]): Point {
  const cut = Math.floor(BUCKET.cut * points.length);
  const kept = [...points].sort((a, b) => a.y - b.y).slice(cut, points.length - cut);
  const mean = (of: "x" | "y"): number => (kept[0]?.[of] ?? 0) + kept.reduce((sum, p) => sum + (p[of] - (kept[0]?.[of] ?? 0)), 0) / kept.length;
  return { x: mean("x"), y: mean("y") };
}

const earliest = (points: Point[]): Point => {
  const sorted = [...points].sort((a, b) => a.y - b.y);
  return sorted[Math.floor(RENDERED.part * sorted.length)] ?? { x: 0, y: 0 };
};

const spanOf = (points: Point[]): number => (points.at(-1)?.x ?? 0) - (points[0]?.x ?? 0);

function weightedLine(points: Weighed[], prior: number, priorSd: number): Omit<Line, "noise"> {
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

const isOfTheFuture = (r: Reading): boolean => (r.stampNs ?? 0) - r.nowNs > EARLIEST_STAMP_S * 1e9;

/** The stated position must be about now, and neither where it is rendered, nor ahead of that, nor absurdly far behind: what a stamp
 *  counts that is not, else 0. */
function faultOf(r: Reading): number {
  if (r.stampS === undefined || r.stampNs === undefined || !(r.stampS > 0) || !(r.stampNs > 0)) return 1;
  const ageS = (r.nowNs - r.stampNs) / 1e9;
  if (isOfTheFuture(r)) return OF_THE_FUTURE;
  if (!(ageS < OLDEST_STAMP_S)) return 1;
  const behindS = r.currentS - (r.stampS + ageS);
  if (Math.abs(behindS) < LEAST_LATENCY_S) return OF_RENDERING;
  return behindS > -0.1 && behindS < LONGEST_LATENCY_S ? 0 : 1;
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

function quantile(values: number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(part * sorted.length)] ?? 0;
}

const median = (values: number[]): number => quantile(values, 0.5);
