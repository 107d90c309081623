// What is heard when: from packets and the clocks' estimates to blocks of samples placed on the context's frames.
//
// Blocks are made half a second before they are heard, so that a page that stands still for a while leaves no gap, and
// each begins on the very frame where the one before ends. A *voice* is one such unbroken run; a programme that jumps, a
// buffer that ran dry or an estimate that proves far wrong begins another voice, and the old one is cut with a fade.
//
// Pure: no clock, no audio interface; frames of the context and a `Mapping` come as arguments.

import { MediaBuffer, type Stored } from "./buffer";
import type { Pcm } from "./codec";
import type { Media } from "./datagram";
import { advance, distance, inputLength, type Position, REACH, Resampler, travel } from "./resample";
import { Steer } from "./steer";

/** WIRE-4. */
export const MEDIA_RATE = 48_000;

/** What is known at one moment of the hub's time and the output's. */
export interface Mapping {
  hubAtContext(seconds: number): number;
  contextAtHub(ns: number): number;
  /** Hub seconds in a context second. */
  rate: number;
  sdS: number;
}

export interface Block {
  voice: number;
  /** First frame, counted by the context. */
  frame: number;
  channels: Float32Array<ArrayBuffer>[];
}

/** Nothing of the voice is heard from the frame on. */
export interface Cut {
  voice: number;
  frame: number;
}

export interface Plan {
  blocks: Block[];
  cuts: Cut[];
}

export interface Counters {
  received: number;
  late: number;
  malformed: number;
  underruns: number;
  slips: number;
  reprimes: number;
  concealedMs: number;
}

interface Epoch {
  number: number;
  firstFrame: number;
  presentationNs: number;
  stopNs: number;
  buffer: MediaBuffer;
}

interface Voice {
  id: number;
  epoch: Epoch;
  /** What is played at `head`. */
  position: Position;
  from: number;
  head: number;
  /** Media frames for a context frame, at `head`. */
  rate: number;
  steer: Steer;
  fadeFrames: number;
  cutAt: number;
}

const seconds = { lead: 0.5, low: 0.2, safe: 0.02, start: 0.06, block: 0.1, least: 0.05, scrap: 0.01 };
/** A beginning in the middle of music, and the first frame of a programme. */
const FADE_S = { middle: 0.05, first: 0.005, slip: 0.01 };
/** A voice begins when this much is there, or else the next packet that is late ends it again. */
const START_WITH_S = 0.1;
/** Media this far behind are kept, for a voice that has to begin anew earlier. */
const KEEP_FRAMES = MEDIA_RATE;
const MAX_BLOCKS = 16;

export class Playout {
  readonly counters: Counters = {
    received: 0,
    late: 0,
    malformed: 0,
    underruns: 0,
    slips: 0,
    reprimes: 0,
    concealedMs: 0,
  };
  /** What was heard last of the phase, s; positive is late. */
  phaseErrorS = 0;
  private delayNs = 0;
  private epochs: Epoch[] = [];
  private stopped = { epoch: 0, atNs: 0 };
  private voice: Voice | undefined;
  /** Voices that sound to their end. */
  private ending: Voice[] = [];
  /** Where the voice before ended against its will. */
  private dry: { epoch: Epoch; head: number } | undefined;
  private broken: { epoch: Epoch; head: number } | undefined;
  private nextVoice = 1;
  private peakLevel = 0;
  private readonly resampler: Resampler;

  constructor(private readonly contextRate: number) {
    this.resampler = new Resampler(contextRate / MEDIA_RATE);
  }

  setDelay(us: number): void {
    this.delayNs = us * 1e3;
  }

  /** `frame` is the first of `pcm`. */
  handleMedia(media: Media, pcm: Pcm, frame = media.frame): Stored {
    this.counters.received += 1;
    const epoch = this.epoch(media.epoch, media.frame, media.presentationNs);
    const stored = epoch ? epoch.buffer.store(frame, pcm) : "late";
    const missed = epoch && this.voice?.epoch === epoch && frame < this.voice.position.frame - REACH;
    if (stored !== "stored" || missed) this.counters.late += 1;
    return stored;
  }

  /** MSG-8; packets say the same. */
  handleTimeline(number: number, firstFrame: number, presentationNs: number): void {
    this.epoch(number, firstFrame, presentationNs);
  }

  handleStop(number: number, atNs: number): void {
    if (number >= this.stopped.epoch) this.stopped = { epoch: number, atNs };
    const epoch = this.epochs.find((e) => e.number === number);
    if (epoch) epoch.stopNs = Math.min(epoch.stopNs, atNs);
  }

  /** TIME-3: another hub clock voids everything; so does an output whose frames are counted anew. */
  reset(): Cut[] {
    const cuts = this.sounding().map((v) => ({ voice: v.id, frame: 0 }));
    this.epochs = [];
    this.stopped = { epoch: 0, atNs: 0 };
    this.forgetOutput();
    return cuts;
  }

  /** The context's frames are others than before; media stay. */
  forgetOutput(): void {
    this.voice = this.dry = this.broken = undefined;
    this.ending = [];
  }

  /** What to hand to the context, which renders `contextFrame` next. */
  plan(contextFrame: number, mapping: Mapping): Plan {
    const plan: Plan = { blocks: [], cuts: [] };
    this.ending = this.ending.filter((v) => v.head > contextFrame);
    this.cutWhatEnds(contextFrame, mapping, plan);
    for (let n = 0; n < MAX_BLOCKS; n += 1) {
      this.voice ??= this.begin(contextFrame, mapping, plan);
      if (!this.voice || !this.extend(this.voice, contextFrame, mapping, plan)) break;
    }
    return plan;
  }

  state(contextFrame: number): "idle" | "buffering" | "playing" | "stopped" {
    if (this.sounding().some((v) => v.from <= contextFrame && contextFrame < v.head)) return "playing";
    const newest = this.epochs.at(-1);
    if (!newest || newest.buffer.framesFrom(0) === 0) return this.stopped.epoch > 0 ? "stopped" : "idle";
    return newest.stopNs === Infinity ? "buffering" : "stopped";
  }

  /** Seconds of sound that the context has been given and not rendered. */
  leadS(contextFrame: number): number {
    return Math.max(0, (this.voice?.head ?? contextFrame) - contextFrame) / this.contextRate;
  }

  /** Seconds of media held and not made into blocks. */
  heldS(): number {
    const buffer = this.epochs.at(-1)?.buffer;
    const from = this.voice?.epoch.buffer === buffer ? this.voice?.position.frame : undefined;
    return (buffer?.framesFrom(from ?? 0) ?? 0) / MEDIA_RATE;
  }

  /** Largest sample since asked last. */
  takePeak(): number {
    const peak = this.peakLevel;
    this.peakLevel = 0;
    return peak;
  }

  /** TIME-2: the greatest number counts, and the one that plays until it begins; two at most are kept. */
  private epoch(number: number, frame: number, presentationNs: number): Epoch | undefined {
    const known = this.epochs.find((e) => e.number === number);
    if (known) return known;
    const newest = this.epochs.at(-1);
    if (number < Math.max(newest?.number ?? 0, this.stopped.epoch)) return undefined;
    const stopNs = number === this.stopped.epoch ? this.stopped.atNs : Infinity;
    const added = { number, firstFrame: frame, presentationNs, stopNs, buffer: new MediaBuffer(frame) };
    this.epochs = [...this.epochs.filter((e) => e === this.voice?.epoch), added];
    return added;
  }

  private sounding(): Voice[] {
    return this.voice ? [...this.ending, this.voice] : this.ending;
  }

  private cutWhatEnds(now: number, mapping: Mapping, plan: Plan): void {
    for (const voice of this.sounding()) {
      const at = this.endOf(voice.epoch, mapping);
      // Estimates move by a frame or so: a cut once made is moved only by a stop that comes earlier.
      if (at < voice.cutAt - 0.005 * this.contextRate) {
        voice.cutAt = Math.max(at, now);
        plan.cuts.push({ voice: voice.id, frame: voice.cutAt });
      }
    }
  }

  /** The context's frame from which nothing of the epoch is heard. */
  private endOf(epoch: Epoch, mapping: Mapping): number {
    const newest = this.epochs.at(-1);
    const next = newest && newest !== epoch ? newest.presentationNs + this.delayNs : Infinity;
    const ns = Math.min(epoch.stopNs, next);
    return ns === Infinity ? Infinity : Math.round(mapping.contextAtHub(ns) * this.contextRate);
  }

  private target(epoch: Epoch, frame: number, mapping: Mapping): Position {
    const ns = mapping.hubAtContext(frame / this.contextRate) - this.delayNs - epoch.presentationNs;
    return advance({ frame: epoch.firstFrame, fraction: 0 }, (ns / 1e9) * MEDIA_RATE);
  }

  private frameOf(epoch: Epoch, mediaFrame: number, mapping: Mapping): number {
    const ns = ((mediaFrame - epoch.firstFrame) * 1e9) / MEDIA_RATE + epoch.presentationNs + this.delayNs;
    return Math.ceil(mapping.contextAtHub(ns) * this.contextRate);
  }

  private mediaRate(mapping: Mapping): number {
    return (mapping.rate * MEDIA_RATE) / this.contextRate;
  }

  /** A voice that begins exactly where its first frame belongs, as early as media and context allow. */
  private begin(now: number, mapping: Mapping, plan: Plan): Voice | undefined {
    const epoch = this.epochs.at(-1);
    if (!epoch) return undefined;
    const soonest = Math.ceil(now + seconds.start * this.contextRate);
    const due = this.target(epoch, soonest, mapping);
    epoch.buffer.drop(due.frame - KEEP_FRAMES);
    const held = epoch.buffer.nextHeld(Math.max(due.frame, epoch.firstFrame));
    if (held === undefined) return undefined;
    const frame = held <= due.frame ? soonest : Math.max(soonest, this.frameOf(epoch, held, mapping));
    if (frame - now > seconds.lead * this.contextRate) return undefined;
    const position = this.target(epoch, frame, mapping);
    const enough = epoch.buffer.heldTo(position.frame) - position.frame >= START_WITH_S * MEDIA_RATE;
    if (!enough || frame >= this.endOf(epoch, mapping)) return undefined;
    const first = position.frame <= epoch.firstFrame + 1;
    return this.newVoice(epoch, position, frame, first ? FADE_S.first : FADE_S.middle, mapping, plan);
  }

  private newVoice(
    epoch: Epoch,
    position: Position,
    frame: number,
    fadeS: number,
    mapping: Mapping,
    plan: Plan,
  ): Voice {
    for (const old of this.ending.filter((v) => v.head > frame && v.cutAt > frame)) {
      old.cutAt = frame;
      plan.cuts.push({ voice: old.id, frame });
    }
    this.countGap(epoch, frame);
    const id = this.nextVoice;
    this.nextVoice += 1;
    const fadeFrames = Math.round(fadeS * this.contextRate);
    const rate = this.mediaRate(mapping);
    return { id, epoch, position, from: frame, head: frame, rate, steer: new Steer(), fadeFrames, cutAt: Infinity };
  }

  /** Adds a block to the voice; false if there is nothing to do for the time being. */
  private extend(voice: Voice, now: number, mapping: Mapping, plan: Plan): boolean {
    const lead = (voice.head - now) / this.contextRate;
    if (voice.head >= voice.cutAt) return this.end(voice);
    if (lead < seconds.safe) return this.cutOff(voice, plan);
    if (lead >= seconds.lead) return false;
    const errorS = distance(this.target(voice.epoch, voice.head, mapping), voice.position) / MEDIA_RATE;
    this.phaseErrorS = errorS;
    const decision = voice.steer.decide(errorS, mapping.sdS, seconds.block);
    if (decision.kind === "reprime") return this.end(voice, "reprime");
    const rate = this.mediaRate(mapping) * (1 + (decision.kind === "steer" ? decision.trim : 0));
    const frames = this.framesPossible(voice, rate, lead);
    if (frames === "wait") return false;
    if (frames === "dry") return this.cutOff(voice, plan);
    plan.blocks.push(this.makeBlock(voice, rate, frames, decision.kind === "slip" ? mapping : undefined));
    return true;
  }

  /** How long a block the media held allow. */
  private framesPossible(voice: Voice, rate: number, lead: number): number | "wait" | "dry" {
    const { frame, fraction } = voice.position;
    const held = voice.epoch.buffer.heldTo(Math.max(frame, voice.epoch.firstFrame));
    const media = held - frame - REACH - 1 - fraction;
    const possible = Math.floor(Math.min(media / Math.max(rate, voice.rate), seconds.block * this.contextRate));
    if (possible >= seconds.least * this.contextRate) return possible;
    if (lead > seconds.low) return "wait";
    if (possible >= seconds.scrap * this.contextRate) return possible;
    return lead > 2 * seconds.safe + seconds.least ? "wait" : "dry";
  }

  private makeBlock(voice: Voice, rate: number, frames: number, slipBy: Mapping | undefined): Block {
    const channels = this.render(voice.position, voice, rate, frames);
    if (slipBy) {
      const to = this.target(voice.epoch, voice.head, slipBy);
      this.counters.slips += 1;
      crossFade(channels, this.render(to, voice, rate, frames), FADE_S.slip * this.contextRate);
      voice.position = to;
    }
    this.fadeIn(voice, channels, frames);
    const block = { voice: voice.id, frame: voice.head, channels };
    voice.position = advance(voice.position, travel(voice.rate, rate, frames));
    voice.head += frames;
    voice.rate = rate;
    voice.epoch.buffer.drop(voice.position.frame - KEEP_FRAMES);
    return block;
  }

  private render(at: Position, voice: Voice, rate: number, frames: number): Float32Array<ArrayBuffer>[] {
    const input = new Float32Array(inputLength(at.fraction, voice.rate, rate, frames));
    const channels = voice.epoch.buffer.mono ? ([0] as const) : ([0, 1] as const);
    return channels.map((channel) => {
      voice.epoch.buffer.read(channel, at.frame - (REACH - 1), input);
      const out = new Float32Array(frames);
      this.resampler.process(input, at.fraction, voice.rate, rate, out);
      for (const sample of out) this.peakLevel = Math.max(this.peakLevel, Math.abs(sample));
      return out;
    });
  }

  private fadeIn(voice: Voice, channels: Float32Array[], frames: number): void {
    const done = voice.head - voice.from;
    for (let i = 0; done + i < voice.fadeFrames && i < frames; i += 1) {
      const gain = 0.5 - 0.5 * Math.cos((Math.PI * (done + i)) / voice.fadeFrames);
      for (const channel of channels) channel[i] = (channel[i] as number) * gain;
    }
  }

  private end(voice: Voice, broken?: "reprime"): true {
    this.ending.push(voice);
    this.voice = undefined;
    this.broken = broken && { epoch: voice.epoch, head: voice.head };
    return true;
  }

  /** Nothing came in time, or the page stood still for longer than it may: what there is fades out. */
  private cutOff(voice: Voice, plan: Plan): true {
    voice.cutAt = voice.head;
    plan.cuts.push({ voice: voice.id, frame: voice.head });
    this.end(voice);
    this.dry = { epoch: voice.epoch, head: voice.head };
    return true;
  }

  /** A programme that ended is no gap: only one that goes on is. */
  private countGap(epoch: Epoch, frame: number): void {
    if (this.dry?.epoch === epoch) {
      this.counters.underruns += 1;
      this.counters.concealedMs += (1e3 * Math.max(0, frame - this.dry.head)) / this.contextRate;
    }
    if (this.dry?.epoch === epoch || this.broken?.epoch === epoch) this.counters.reprimes += 1;
    this.dry = this.broken = undefined;
  }
}

function crossFade(old: Float32Array[], added: Float32Array[], frames: number): void {
  old.forEach((channel, c) => {
    for (let i = 0; i < channel.length; i += 1) {
      const mix = Math.min(1, i / frames);
      channel[i] = (channel[i] as number) * (1 - mix) + ((added[c] as Float32Array)[i] as number) * mix;
    }
  });
}
