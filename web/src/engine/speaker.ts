// This browser as a speaker of a hub: sockets, audio context and clock of the page joined with the pure core. One object from
// the tap that starts it until it is stopped; what it does by itself in between (reconnects, resumes, re-learns) it tells
// as a `View`.

import type { Hello, Role, Settings } from "../wire";
import { AudioOutput } from "./audio";
import { type Awake, keepAwake } from "./awake";
import { browserName } from "./browser";
import { codecs } from "./codec";
import { type Quality, SpeakerCore } from "./core";
import { writeProbe } from "./datagram";
import { Link, type LinkState } from "./link";
import { decodesOpus, OpusDecoder } from "./opus";

export interface SpeakerOptions {
  /** `ws://host:port`; by default the one that served the page. */
  hub?: string;
  code: string | undefined;
  /** 64 hex digits that name this browser for ever: `browserKey`. */
  key: string;
  name: string;
  /** What else it may be called where another speaker has this name. */
  anotherName?(taken: string): string | undefined;
  role: Role;
  /** 0 to 1, on top of what the hub says. */
  volume: number;
  onView(view: View): void;
}

export interface View {
  link: LinkState;
  hubName: string;
  /** As it is called, or asks to be. */
  name: string;
  settings: Settings | undefined;
  state: "idle" | "buffering" | "playing" | "stopped";
  /** The browser or the phone has stopped the sound: a tap is needed if `resume` alone does not help. */
  interrupted: boolean;
  paused: boolean;
  quality: Quality;
  leadS: number;
}

const PUMP_MS = 25;
const VIEW_MS = 500;
const STATS_MS = 1_000;
/** SYNC-2. */
const CADENCE: readonly [number, number][] = [
  [0, 20],
  [6_000, 40],
  [12_000, 100],
];

export class BrowserSpeaker {
  private readonly audio: AudioOutput;
  private readonly core: SpeakerCore;
  private readonly link: Link;
  private readonly awake: Awake;
  private readonly opus = new OpusDecoder((media, pcm) => this.core.handleDecoded(media, pcm, performance.now() * 1e6));
  private readonly timers: ReturnType<typeof setInterval>[] = [];
  private linkState: LinkState = { kind: "connecting" };
  private hubName = "";
  private name: string;
  private settings: Settings | undefined;
  private paused = false;
  private volume: number;
  private welcomedMs = -Infinity;
  private probedMs = -Infinity;
  private probes = 0;
  private readonly onVisible = (): void => this.becameVisible();
  private readonly onOnline = (): void => this.link.hurry();

  /** To be called inside a tap. */
  constructor(private readonly options: SpeakerOptions) {
    this.volume = options.volume;
    this.name = options.name;
    this.audio = new AudioOutput((running) => this.contextChanged(running));
    this.awake = keepAwake(
      () => this.setPaused(false),
      () => this.setPaused(true),
    );
    this.core = new SpeakerCore(this.audio.context.sampleRate, clockResolutionNs(), (media) => this.opus.decode(media));
    this.applyGain();
    this.link = new Link(
      {
        hub: options.hub ?? defaultHub(),
        code: options.code,
        key: options.key,
        hello: () => this.hello(),
        changes: (refused) => refused === "name_taken" && this.renames(),
      },
      {
        onState: (state) => this.linkChanged(state),
        onWelcome: (m) => this.welcomed(m.session, m.clock, m.hubName, m.settings),
        onMessage: (m) => (m.type === "settings" ? this.changeSettings(m.settings) : this.core.handleMessage(m)),
        onDatagram: (bytes, nowNs) => {
          this.core.handleDatagram(bytes, nowNs);
          // Timers of a page in the background are slowed down; messages are not.
          this.pump();
        },
        onReply: (bytes, nowNs) => this.core.handleReply(bytes, nowNs),
      },
    );
    this.every(PUMP_MS, () => this.pump());
    this.every(VIEW_MS, () => this.tell());
    this.every(STATS_MS, () => this.link.send(this.core.stats(this.audio.context.currentTime)));
    document.addEventListener("visibilitychange", this.onVisible);
    window.addEventListener("online", this.onOnline);
  }

  setVolume(volume: number): void {
    this.volume = volume;
    this.applyGain();
  }

  /** Silent here only; the programme goes on. */
  setPaused(paused: boolean): void {
    this.paused = paused;
    if (!paused) this.audio.resume();
    this.applyGain();
    this.tell();
  }

  /** Inside a tap, after an interruption. */
  resume(): void {
    this.audio.resume();
    this.awake.visible();
  }

  stop(reason = "stopped by its person"): void {
    for (const timer of this.timers) clearInterval(timer);
    document.removeEventListener("visibilitychange", this.onVisible);
    window.removeEventListener("online", this.onOnline);
    this.link.close(reason);
    this.audio.close();
    this.opus.close();
    this.awake.release();
  }

  private every(ms: number, act: () => void): void {
    this.timers.push(setInterval(act, ms));
  }

  private pump(): void {
    const nowMs = performance.now();
    this.link.tick(nowMs);
    this.probe(nowMs);
    if (!this.audio.running()) return;
    this.core.handleReading(this.audio.reading(nowMs * 1e6));
    this.audio.apply(this.core.plan(this.audio.context.currentTime));
  }

  private probe(nowMs: number): void {
    const gap = CADENCE.findLast(([from]) => nowMs - this.welcomedMs >= from)?.[1] ?? 100;
    // A little early rather than a timer's step late.
    if (nowMs - this.probedMs < gap - 3) return;
    this.probedMs = nowMs;
    const { session, id, t1 } = this.core.probe(Math.round(performance.now() * 1e6));
    if (this.link.sendProbe(writeProbe(session, this.probes, id, t1))) this.probes += 1;
  }

  private welcomed(session: number, clock: number, hubName: string, settings: Settings): void {
    this.hubName = hubName;
    if (this.core.handleWelcome(session, clock, settings)) {
      // What another hub sent may still be with the decoder.
      this.opus.close();
      this.audio.apply({ blocks: [], cuts: this.core.playout.reset() });
    }
    this.welcomedMs = performance.now();
    this.changeSettings(settings);
  }

  private changeSettings(settings: Settings): void {
    this.settings = settings;
    this.core.handleSettings(settings);
    this.applyGain();
    this.awake.title(`${this.name}: ${settings.role}`);
    this.tell();
  }

  /** MSG-7: a loudspeaker without a volume of its own takes it as a gain, to the third power. */
  private applyGain(): void {
    const s = this.settings;
    const silent = this.paused || (s?.muted ?? false);
    const hub = s ? 10 ** (s.gain_db / 20) * ((s.volume ?? 100) / 100) ** 3 : 1;
    this.audio.setGain(silent ? 0 : hub * this.volume ** 3);
  }

  private linkChanged(state: LinkState): void {
    this.linkState = state;
    this.tell();
  }

  private contextChanged(running: boolean): void {
    // What was scheduled is heard later than planned, by however long the context stood still.
    if (running) this.core.handleInterruption();
    this.tell();
  }

  private becameVisible(): void {
    if (document.visibilityState !== "visible") return;
    this.link.hurry();
    this.resume();
  }

  /** Takes another name, if there is one to take. */
  private renames(): boolean {
    const other = this.options.anotherName?.(this.name);
    this.name = other ?? this.name;
    return other !== undefined;
  }

  private hello(): Hello {
    return {
      type: "hello",
      protocol: 1,
      name: this.name,
      software: "antiphon web 0.1.0",
      codecs: codecs(decodesOpus()),
      channels: 2,
      output: `browser:${browserName()}`,
      // What its person asked for at first would undo what was chosen at the hub since.
      role: this.settings?.role ?? this.options.role,
      min_latency_us: this.core.minLatency(),
    };
  }

  private tell(): void {
    const frame = this.audio.context.currentTime * this.audio.context.sampleRate;
    this.options.onView({
      link: this.linkState,
      hubName: this.hubName,
      name: this.name,
      settings: this.settings,
      state: this.core.playout.state(frame),
      interrupted: !this.audio.running(),
      paused: this.paused,
      quality: this.core.quality(),
      leadS: this.core.playout.leadS(frame),
    });
  }
}

function defaultHub(): string {
  return `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}`;
}

/** What performance.now shows at best: between 5 us and 1 ms, by browser and by how the page is served. */
function clockResolutionNs(): number {
  let [least, last, changes] = [1e6, performance.now(), 0];
  for (let n = 0; n < 1e6 && changes < 3; n += 1) {
    const now = performance.now();
    if (now === last) continue;
    least = Math.min(least, (now - last) * 1e6);
    last = now;
    changes += 1;
  }
  return Math.max(5e3, least);
}
