// A browser speaker without its browser: datagrams, messages and readings of clocks in, blocks and statistics out.
//
// Pure: `nowNs` is the page's clock (performance.now, in nanoseconds), `currentS` the context's.

import type { HubMessage, Settings, Stats } from "../wire";
import { ClockFilter, type ClockQuality } from "./clock";
import { decode, isOpus, OPUS_DELAY, type Pcm } from "./codec";
import { isMedia, type Media, readMedia, readReply, readStopNotice } from "./datagram";
import { OutputClock, type OutputQuality, type Reading } from "./output";
import { type Mapping, type Plan, Playout } from "./playout";

/** What scheduling half a second ahead needs beside the output's own latency, us. */
const LEAD_US = 520_000;
/** What browsers need as they come: a browser whose output takes 80 ms. */
const LEAST_LATENCY_US = 600_000;
/** By so much less the lead may be: what a browser has rendered ahead goes up and down by two of its blocks, and each change of
 *  the latency begins an epoch, which is heard on every speaker. */
const SLACK_US = 60_000;
/** Probes in flight; older ones are forgotten, and their replies with them. */
const MAX_PENDING = 256;

export interface Quality {
  clock: ClockQuality;
  output: OutputQuality;
  phaseErrorUs: number;
  /** How sure all of it is together. */
  sdUs: number;
}

export class SpeakerCore {
  readonly playout: Playout;
  readonly output = new OutputClock();
  private readonly clock: ClockFilter;
  private clockId: number | undefined;
  private session = 0;
  private pending = new Map<number, number>();
  private nextProbe = 0;
  private marginMs = Infinity;
  private minLatencyUs = LEAST_LATENCY_US;

  constructor(
    private readonly contextRate: number,
    resolutionNs: number,
    /** Has a packet of Opus decoded, to be handed to `handleDecoded`. */
    private readonly decodeOpus: (media: Media) => void = () => undefined,
  ) {
    this.playout = new Playout(contextRate);
    this.clock = new ClockFilter(resolutionNs);
  }

  /** TIME-3: true if all that was known is void. */
  handleWelcome(session: number, clock: number, settings: Settings): boolean {
    this.session = session;
    this.pending.clear();
    this.handleSettings(settings);
    if (this.clockId === clock) return false;
    const another = this.clockId !== undefined;
    this.clockId = clock;
    this.clock.reset();
    return another;
  }

  handleSettings(settings: Settings): void {
    this.playout.setDelay(settings.delay_us);
  }

  handleMessage(message: HubMessage): void {
    if (message.type === "timeline") {
      this.playout.handleTimeline(message.epoch, message.firstFrame, message.presentationNs);
    } else if (message.type === "stop") {
      this.playout.handleStop(message.epoch, message.atNs);
    }
  }

  /** A probe to send: its id and t1. */
  probe(nowNs: number): { session: number; id: number; t1: number } {
    const id = this.nextProbe;
    this.nextProbe = (this.nextProbe + 1) >>> 0;
    this.pending.set(id, nowNs);
    for (const old of this.pending.keys()) {
      if (this.pending.size <= MAX_PENDING) break;
      this.pending.delete(old);
    }
    return { session: this.session, id, t1: nowNs };
  }

  /** SYNC-3; false for what is no answer of ours. */
  handleReply(bytes: Uint8Array, nowNs: number): boolean {
    const reply = readReply(bytes);
    if (!reply || reply.session !== this.session || reply.clock !== this.clockId) return false;
    if (this.pending.get(reply.id) !== reply.t1) return false;
    this.pending.delete(reply.id);
    return this.clock.handleExchange({ t1: reply.t1, t2: reply.t2, t3: reply.t3, t4: nowNs });
  }

  handleDatagram(bytes: Uint8Array, nowNs: number): void {
    if (isMedia(bytes)) return this.handleMedia(bytes, nowNs);
    const stop = readStopNotice(bytes);
    if (stop && stop.session === this.session) this.playout.handleStop(stop.epoch, stop.atNs);
    else this.playout.counters.malformed += 1;
  }

  private handleMedia(bytes: Uint8Array, nowNs: number): void {
    const media = readMedia(bytes);
    if (media && isOpus(media)) return this.decodeOpus(media);
    const pcm = media && decode(media);
    if (media && pcm) this.take(media, pcm, media.frame, nowNs);
    else this.playout.counters.malformed += 1;
  }

  /** What Opus sounded like, in the order of its packets. */
  handleDecoded(media: Media, pcm: Pcm | undefined, nowNs: number): void {
    if (pcm) this.take(media, pcm, media.frame - OPUS_DELAY, nowNs);
    else this.playout.counters.malformed += 1;
  }

  private take(media: Media, pcm: Pcm, frame: number, nowNs: number): void {
    this.playout.handleMedia(media, pcm, frame);
    const hubNs = this.clock.hubAt(nowNs);
    if (hubNs !== undefined) this.marginMs = (media.presentationNs - hubNs) / 1e6;
  }

  handleReading(reading: Reading): void {
    this.output.handleReading(reading);
  }

  /** The context was suspended: its frames have another place in time. */
  handleInterruption(): void {
    this.output.reset();
    this.playout.forgetOutput();
  }

  plan(currentS: number): Plan {
    const mapping = this.mapping();
    return mapping ? this.playout.plan(currentS * this.contextRate, mapping) : { blocks: [], cuts: [] };
  }

  mapping(): Mapping | undefined {
    const { clock, output } = this;
    const sdS = this.sdUs() / 1e6;
    if (!clock.quality().synced || !output.quality().ready) return undefined;
    return {
      hubAtContext: (s) => clock.hubAt(output.localAt(s) ?? 0) ?? 0,
      contextAtHub: (ns) => output.contextAt(clock.localAt(ns) ?? 0) ?? 0,
      rate: (1 + clock.skew()) * (1 + output.skew()),
      sdS,
    };
  }

  quality(): Quality {
    return {
      clock: this.clock.quality(),
      output: this.output.quality(),
      phaseErrorUs: this.playout.phaseErrorS * 1e6,
      sdUs: this.sdUs(),
    };
  }

  private sdUs(): number {
    return Math.hypot(this.clock.quality().offsetSdUs, this.output.quality().sdUs);
  }

  minLatency(): number {
    // Grows only: a latency that goes up and down would begin an epoch each time.
    const needed = Math.ceil((LEAD_US + 1e6 * this.output.quality().latencyS) / 20e3) * 20e3;
    if (needed > this.minLatencyUs + SLACK_US) this.minLatencyUs = Math.min(3_000_000, needed);
    return this.minLatencyUs;
  }

  /** MSG-4. */
  stats(currentS: number): Stats {
    const { clock, output, phaseErrorUs } = this.quality();
    const counters = this.playout.counters;
    const frame = currentS * this.contextRate;
    const peak = this.playout.takePeak();
    return {
      type: "stats",
      state: this.playout.state(frame),
      offset_us: clock.offsetUs,
      offset_sd_us: finite(clock.offsetSdUs, 1e6),
      skew_ppm: clock.skewPpm,
      rtt_us: clock.rttUs,
      synced: clock.synced,
      dac_ppm: output.ppm,
      dac_sd_us: finite(output.sdUs, 1e6),
      phase_error_us: phaseErrorUs,
      buffer_ms: 1e3 * (this.playout.heldS() + this.playout.leadS(frame)),
      margin_ms: finite(this.marginMs, 0),
      packets: { received: counters.received, late: counters.late, lost: 0, malformed: counters.malformed },
      concealed_ms: counters.concealedMs,
      underruns: counters.underruns,
      slips: counters.slips,
      reprimes: counters.reprimes,
      exchanges: clock.exchanges,
      peak_db: peak > 0 ? Math.max(-120, 20 * Math.log10(peak)) : -120,
      min_latency_us: this.minLatency(),
    };
  }
}

const finite = (value: number, otherwise: number): number => (Number.isFinite(value) ? value : otherwise);
