// The audio context: where blocks become sound, and where the output's clock is read.
//
// Edge: nothing is decided here. Each voice has a gain of its own, so that it can be cut while its blocks are already
// with the context; a master gain carries volume and mute, which are heard at once and not half a second later.

import type { Reading } from "./output";
import type { Plan } from "./playout";

interface Bus {
  gain: GainNode;
  sources: Set<AudioBufferSourceNode>;
}

/** A cut's fade, s. */
const FADE_S = 0.005;
/** Time constant of changes of volume, s: settled within 50 ms, without a click. */
const VOLUME_S = 0.01;

export class AudioOutput {
  readonly context: AudioContext;
  private readonly master: GainNode;
  private readonly buses = new Map<number, Bus>();

  /** To be called inside a tap: browsers let no page sound otherwise. */
  constructor(onState: (running: boolean) => void) {
    this.context = openContext();
    this.master = this.context.createGain();
    this.master.connect(this.context.destination);
    this.context.onstatechange = () => onState(this.running());
    this.resume();
  }

  resume(): void {
    // Refused outside a tap after an interruption; the page then asks for a tap.
    this.context.resume().catch(() => undefined);
  }

  running(): boolean {
    return this.context.state === "running";
  }

  close(): void {
    this.context.onstatechange = null;
    this.context.close().catch(() => undefined);
  }

  reading(nowNs: number): Reading {
    const { context } = this;
    const stamp = typeof context.getOutputTimestamp === "function" ? context.getOutputTimestamp() : undefined;
    return {
      nowNs,
      currentS: context.currentTime,
      stampS: stamp?.contextTime,
      stampNs: stamp?.performanceTime === undefined ? undefined : stamp.performanceTime * 1e6,
      latencyS: context.outputLatency || context.baseLatency || 0,
    };
  }

  setGain(gain: number): void {
    this.master.gain.setTargetAtTime(gain, this.context.currentTime, VOLUME_S);
  }

  apply(plan: Plan): void {
    for (const block of plan.blocks) this.schedule(block.voice, block.frame, block.channels);
    for (const cut of plan.cuts) this.cut(cut.voice, cut.frame / this.context.sampleRate);
  }

  private schedule(voice: number, frame: number, channels: Float32Array<ArrayBuffer>[]): void {
    const rate = this.context.sampleRate;
    const buffer = this.context.createBuffer(channels.length, channels[0]?.length ?? 0, rate);
    channels.forEach((samples, channel) => buffer.copyToChannel(samples, channel));
    const bus = this.bus(voice);
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(bus.gain);
    source.onended = () => this.ended(voice, source);
    bus.sources.add(source);
    source.start(frame / rate);
  }

  private bus(voice: number): Bus {
    const known = this.buses.get(voice);
    if (known) return known;
    const gain = this.context.createGain();
    gain.connect(this.master);
    const bus = { gain, sources: new Set<AudioBufferSourceNode>() };
    this.buses.set(voice, bus);
    return bus;
  }

  private cut(voice: number, at: number): void {
    const bus = this.buses.get(voice);
    if (!bus) return;
    const from = Math.max(this.context.currentTime, at - FADE_S);
    const to = Math.max(at, from + FADE_S);
    bus.gain.gain.cancelScheduledValues(0);
    bus.gain.gain.setValueAtTime(1, from);
    bus.gain.gain.linearRampToValueAtTime(0, to);
    for (const source of bus.sources) source.stop(to);
  }

  private ended(voice: number, source: AudioBufferSourceNode): void {
    source.disconnect();
    const bus = this.buses.get(voice);
    bus?.sources.delete(source);
    // A newer voice sounds: this one will not have another block.
    if (bus?.sources.size === 0 && Math.max(...this.buses.keys()) > voice) {
      bus.gain.disconnect();
      this.buses.delete(voice);
    }
  }
}

/** At the media's rate where the browser allows it: the resampler then has little to do. */
function openContext(): AudioContext {
  try {
    return new AudioContext({ latencyHint: "playback", sampleRate: 48_000 });
  } catch {
    return new AudioContext({ latencyHint: "playback" });
  }
}
