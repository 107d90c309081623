// The hub's clock as seen from this page. Four-timestamp exchanges in, offset and drift with their uncertainty out.
//
// A message can be delayed but never hurried, so the least delayed ones show the clocks best. The least delayed on the
// way there and the least delayed on the way back are chosen independently, since both ways are rarely clean in one
// exchange. A window of exchanges gives one observation of the offset; a Kalman filter of offset and drift carries
// knowledge from window to window, each exchange counted once. What no filter sees is a path that takes longer one way
// than the other.
//
// Pure: all instants are arguments, in nanoseconds of the page's own clock (performance.now) and of the hub's.

export interface Exchange {
  t1: number;
  t2: number;
  t3: number;
  t4: number;
}

export interface ClockQuality {
  /** Hub minus local at the newest exchange. */
  offsetUs: number;
  offsetSdUs: number;
  skewPpm: number;
  rttUs: number;
  /** Known well enough to play by. */
  synced: boolean;
  exchanges: number;
}

/** Good enough to begin by: what is learnt later is steered to, and nobody waits for it in silence. */
const SYNCED_SD_NS = 1e6;
/** Crystals: 10 ppb a root second, in ns/s. */
const WANDER = 10;
const DRIFT_SD = 50e3;
const FIRST_OFFSET_SD = 1e9;
const MAX_ROUND_TRIP_NS = 2e9;
const FEWEST = 4;
/** Windows begin short, as the drift is not known and tilts them, and grow. */
const WINDOW_S = { least: 1, most: 10, ofAge: 0.3 };
/** 12 s at 50 a second; more says nothing. */
const MAX_IN_WINDOW = 600;
/** So many in a row below what is possible: a clock or the path jumped. */
const JUMP_AFTER = 3;
/** Less than this below the least delay is the page clock's coarseness. */
const JUMP_LEAST_NS = 1e6;
/** New knowledge reaches the map with this time constant, since a step is heard as a change of pitch. */
const LAG_S = 2;

interface Track {
  atNs: number;
  offset: number;
  drift: number;
  /** Covariance of offset and drift. */
  p00: number;
  p01: number;
  p11: number;
}

export class ClockFilter {
  private window: Exchange[] = [];
  /** Hub minus local in whole nanoseconds; the tracks hold the rest, so that nothing is rounded away. */
  private base = 0;
  private banked: Track | undefined;
  private track: Track | undefined;
  private since = 0;
  private lag = 0;
  private lagAtNs = 0;
  private least: { there: number; back: number } | undefined;
  private impossible = 0;
  private count = 0;

  /** `resolutionNs` is the page clock's: what no exchange can show finer than. */
  constructor(private readonly resolutionNs = 100e3) {}

  reset(): void {
    this.window = [];
    this.banked = this.track = this.least = undefined;
    this.lag = this.impossible = this.count = 0;
  }

  /** False if the exchange says nothing. */
  handleExchange(e: Exchange): boolean {
    const roundTrip = e.t4 - e.t1 - (e.t3 - e.t2);
    if (e.t4 < e.t1 || e.t3 < e.t2 || roundTrip > MAX_ROUND_TRIP_NS) return false;
    if (this.track && this.jumped(e)) return false;
    this.count += 1;
    if (this.window.length === 0 && !this.banked) {
      this.base = Math.round((e.t2 - e.t1 + (e.t3 - e.t4)) / 2);
      this.since = e.t4;
      this.banked = { atNs: e.t4, offset: 0, drift: 0, p00: FIRST_OFFSET_SD ** 2, p01: 0, p11: DRIFT_SD ** 2 };
    }
    if (this.window.length < MAX_IN_WINDOW) this.window.push(e);
    this.learn(e.t4);
    return true;
  }

  /** Hub time at a local instant. */
  hubAt(localNs: number): number | undefined {
    const t = this.track;
    if (!t) return undefined;
    return localNs + this.base + t.offset + this.lag + t.drift * ((localNs - t.atNs) / 1e9);
  }

  /** The local instant at which the hub's clock shows `hubNs`. */
  localAt(hubNs: number): number | undefined {
    const t = this.track;
    if (!t) return undefined;
    return t.atNs + (hubNs - t.atNs - this.base - t.offset - this.lag) / (1 + t.drift / 1e9);
  }

  /** Hub seconds in a local second, less one. */
  skew(): number {
    return (this.track?.drift ?? 0) / 1e9;
  }

  quality(): ClockQuality {
    const t = this.track;
    const sd = t ? Math.hypot(Math.sqrt(t.p00), this.lag) : Infinity;
    return {
      offsetUs: t ? (this.base + t.offset) / 1e3 : 0,
      offsetSdUs: sd / 1e3,
      skewPpm: this.skew() * 1e6,
      rttUs: this.least ? Math.max(0, this.least.there + this.least.back) / 1e3 : 0,
      synced: sd <= SYNCED_SD_NS,
      exchanges: this.count,
    };
  }

  private learn(nowNs: number): void {
    const banked = this.banked;
    if (!banked || this.window.length < FEWEST) return;
    const before = this.track && predict(this.track, nowNs);
    const expected = predict(banked, nowNs);
    const seen = observe(this.window, nowNs, this.base, expected.drift, this.resolutionNs);
    this.track = update(expected, seen);
    this.handOver(before, nowNs);
    const least = { there: seen.there - this.track.offset, back: seen.back + this.track.offset };
    this.least = this.least
      ? { there: Math.min(least.there, this.least.there), back: Math.min(least.back, this.least.back) }
      : least;
    const first = this.window[0] as Exchange;
    if (nowNs - first.t4 >= this.windowNs(nowNs)) {
      this.banked = this.track;
      this.window = [];
      // The path may become slower for good: the least of the last window and this one is what counts.
      this.least = least;
    }
  }

  /** Small corrections reach the map gradually, large ones at once. */
  private handOver(before: Track | undefined, nowNs: number): void {
    const track = this.track;
    if (!before || !track) return;
    const passedS = Math.max(0, nowNs - this.lagAtNs) / 1e9;
    this.lagAtNs = nowNs;
    this.lag = this.lag * Math.exp(-passedS / LAG_S) + before.offset - track.offset;
    if (Math.abs(this.lag) > Math.sqrt(track.p00)) this.lag = 0;
  }

  private windowNs(nowNs: number): number {
    const ageS = (nowNs - this.since) / 1e9;
    return 1e9 * Math.min(WINDOW_S.most, Math.max(WINDOW_S.least, WINDOW_S.ofAge * ageS));
  }

  /** Messages cannot hurry: some in a row far below the least delay show that a clock was set, or slept. */
  private jumped(e: Exchange): boolean {
    const least = this.least;
    if (!this.track || !least) return false;
    const t = predict(this.track, e.t4);
    const there = e.t2 - e.t1 - this.base - t.offset;
    const back = e.t4 - e.t3 + this.base + t.offset;
    const below = Math.max(least.there - there, least.back - back);
    if (below <= JUMP_LEAST_NS + 5 * Math.sqrt(t.p00)) {
      this.impossible = 0;
      return false;
    }
    this.impossible += 1;
    if (this.impossible >= JUMP_AFTER) this.reset();
    return true;
  }
}

function predict(t: Track, nowNs: number): Track {
  const s = Math.max(0, nowNs - t.atNs) / 1e9;
  const q = WANDER ** 2;
  return {
    atNs: Math.max(nowNs, t.atNs),
    offset: t.offset + t.drift * s,
    drift: t.drift,
    p00: t.p00 + 2 * s * t.p01 + s * s * t.p11 + (q * s ** 3) / 3,
    p01: t.p01 + s * t.p11 + (q * s * s) / 2,
    p11: t.p11 + q * s,
  };
}

interface Seen {
  /** Offset less the base, seen `agoS` before now, with standard deviation `sd`. */
  offset: number;
  agoS: number;
  sd: number;
  /** Lowest delay each way by the clocks as they stand. */
  there: number;
  back: number;
}

function observe(window: Exchange[], nowNs: number, base: number, drift: number, resolution: number): Seen {
  const there = edge(
    window.map((e) => [e.t2 - e.t1 - base + (drift * (nowNs - e.t1)) / 1e9, nowNs - e.t1]),
    resolution,
  );
  const back = edge(
    window.map((e) => [e.t4 - e.t3 + base - (drift * (nowNs - e.t4)) / 1e9, nowNs - e.t4]),
    resolution,
  );
  const agoS = (there.ago + back.ago) / 2e9;
  return {
    // Both edges are laid level at now; what the drift may be wrong by shows at the time they were seen.
    offset: (there.level - back.level) / 2 - drift * agoS,
    agoS,
    sd: Math.hypot(there.sd, back.sd) / 2,
    there: there.level,
    back: back.level,
  };
}

/** The mean of the lowest few, and how sharply the edge is drawn. */
function edge(delays: [number, number][], resolution: number): { level: number; ago: number; sd: number } {
  const sorted = delays.sort((a, b) => a[0] - b[0]);
  const k = Math.min(sorted.length, Math.max(2, Math.min(12, Math.ceil(sorted.length / 8))));
  const lowest = sorted.slice(0, k);
  const mean = (i: 0 | 1): number => lowest.reduce((sum, d) => sum + d[i], 0) / k;
  const gap = (lowest[k - 1]?.[0] ?? 0) - (lowest[0]?.[0] ?? 0);
  return { level: mean(0), ago: mean(1), sd: Math.hypot(gap / Math.sqrt(k), resolution / 8) };
}

/** An observation of offset at `agoS` before the track's instant: h = [1, -ago]. */
function update(t: Track, seen: Seen): Track {
  const a = -seen.agoS;
  const innovation = seen.offset - (t.offset + a * t.drift);
  const [g0, g1] = [t.p00 + a * t.p01, t.p01 + a * t.p11];
  const s = g0 + a * g1 + seen.sd ** 2;
  const [k0, k1] = [g0 / s, g1 / s];
  return {
    ...t,
    offset: t.offset + k0 * innovation,
    drift: t.drift + k1 * innovation,
    p00: t.p00 - k0 * g0,
    p01: t.p01 - k0 * g1,
    p11: t.p11 - k1 * g1,
  };
}
