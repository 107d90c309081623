// Runs beside the page's own thread, in the audio's: hands on what the microphone gives, sample for sample.

// What lives in that thread; no library of types has it.
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

/** Frames handed on at a time: twenty messages a second. */
const FRAMES = 2_400;

class Tap extends AudioWorkletProcessor {
  #piece = new Float32Array(FRAMES);
  #filled = 0;

  process(inputs: Float32Array[][]): boolean {
    const samples = inputs[0]?.[0];
    if (samples) for (const sample of samples) this.#add(sample);
    return true;
  }

  #add(sample: number): void {
    this.#piece[this.#filled] = sample;
    this.#filled += 1;
    if (this.#filled < FRAMES) return;
    this.port.postMessage(this.#piece, [this.#piece.buffer]);
    this.#piece = new Float32Array(FRAMES);
    this.#filled = 0;
  }
}

registerProcessor("tap", Tap);
