// The microphone of this device. Edge: what is asked of it and said of it is in `hearing`.

import { leftOf, Meter, SILENCE, troubleOf, wanted, type Left, type Level, type MicTrouble } from "./hearing";
import tap from "./tap.worklet.ts?worker&url";
import { wav24 } from "./wav";

/** What a page in a secure context has; over plain HTTP there is none of it. */
export function hasMicrophone(): boolean {
  return isSecureContext && typeof (navigator.mediaDevices as MediaDevices | undefined)?.getUserMedia === "function";
}

/** Three minutes of one channel: whoever forgets it running does not fill the memory. */
const MOST_S = 180;

export class Microphone {
  state = $state<"off" | "asking" | "on">("off");
  level = $state.raw<Level>(SILENCE);
  left = $state.raw<Left>({ on: [], unsure: [] });
  trouble = $state<MicTrouble | null>(null);

  #context: AudioContext | null = null;
  #stream: MediaStream | null = null;
  #lit: WakeLockSentinel | null = null;
  #kept: Float32Array[] | null = null;
  #frames = 0;
  /** Counts openings: what a closed one still brings is nobody's. */
  #round = 0;

  /** To be called inside a tap: a context that was made elsewhere stands still. */
  async open(): Promise<boolean> {
    if (this.state === "on") return true;
    this.close();
    const mine = ++this.#round;
    this.state = "asking";
    const context = new AudioContext({ latencyHint: "playback" });
    this.#context = context;
    try {
      const stream = await navigator.mediaDevices.getUserMedia(wanted());
      if (mine !== this.#round) {
        release(stream);
        return false;
      }
      this.#stream = stream;
      await context.audioWorklet.addModule(tap);
      await context.resume();
      if (mine !== this.#round) return false;
      this.#connect(context, stream);
      this.state = "on";
      void this.#light(mine);
      return true;
    } catch (error) {
      if (mine === this.#round) this.#fail(troubleOf(error instanceof DOMException ? error.name : ""));
      return false;
    }
  }

  #connect(context: AudioContext, stream: MediaStream): void {
    const track = stream.getAudioTracks()[0];
    this.left = leftOf({ ...track?.getSettings() });
    // Unplugged, or taken by a call.
    track?.addEventListener("ended", () => this.#fail("lost"));
    context.onstatechange = () => { if (context.state !== "running") this.#fail("lost"); };
    // Of two capsules the first alone: their sum would hear every speaker twice.
    const options: AudioWorkletNodeOptions = { channelCount: 1, channelCountMode: "explicit", channelInterpretation: "discrete" };
    const node = new AudioWorkletNode(context, "tap", options);
    const meter = new Meter();
    node.port.onmessage = (message: MessageEvent<Float32Array>) => {
      if (this.#context !== context) return;
      this.level = meter.add(message.data, context.sampleRate);
      this.#keep(message.data, context.sampleRate);
    };
    // It gives silence; what leads nowhere is run by no browser.
    context.createMediaStreamSource(stream).connect(node).connect(context.destination);
  }

  /** A phone that goes dark takes the microphone away. Refused when the battery is low. */
  async #light(mine: number): Promise<void> {
    const request = navigator.wakeLock as WakeLock | undefined;
    const lit = await request?.request("screen").catch(() => null);
    if (mine === this.#round) this.#lit = lit ?? null;
    else await lit?.release();
  }

  #keep(piece: Float32Array, rate: number): void {
    if (this.#kept === null || this.#frames > MOST_S * rate) return;
    this.#kept.push(piece);
    this.#frames += piece.length;
  }

  /** Keeps what it hears from now on. */
  begin(): void {
    this.#kept = [];
    this.#frames = 0;
  }

  /** What it heard since `begin`, as a file. */
  end(): Blob | null {
    const kept = this.#kept;
    this.#kept = null;
    if (kept === null || this.#context === null || this.#frames === 0) return null;
    return new Blob([wav24(kept, this.#context.sampleRate)], { type: "audio/wav" });
  }

  /** Frees it: the browser's sign that it listens goes out. */
  close(): void {
    this.#round += 1;
    release(this.#stream);
    this.#lit?.release().catch(() => undefined);
    if (this.#context) {
      this.#context.onstatechange = null;
      this.#context.close().catch(() => undefined);
    }
    [this.#context, this.#stream, this.#lit, this.#kept] = [null, null, null, null];
    this.state = "off";
    this.level = SILENCE;
    this.trouble = null;
  }

  #fail(why: MicTrouble): void {
    if (this.state === "off") return;
    this.close();
    this.trouble = why;
  }
}

function release(stream: MediaStream | null): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
