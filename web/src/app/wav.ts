// A recording as a file; pure. 24-bit PCM: what a microphone gives has no more, and nothing is lost or moved in time, which
// no codec of a browser's own recorder promises.

const HEADER = 44;
const BYTES = 3;
const FULL = 0x7f_ffff;

/** One channel, from pieces that follow each other. */
export function wav24(pieces: readonly Float32Array[], rate: number): Uint8Array<ArrayBuffer> {
  const frames = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const size = frames * BYTES;
  // Chunks are of even length: an odd one is followed by a byte that is not counted.
  const file = new Uint8Array(HEADER + size + (size % 2));
  const view = new DataView(file.buffer);
  const word = (at: number, text: string): void => file.set(new TextEncoder().encode(text), at);
  word(0, "RIFF");
  view.setUint32(4, file.length - 8, true);
  word(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * BYTES, true);
  view.setUint16(32, BYTES, true);
  view.setUint16(34, 8 * BYTES, true);
  word(36, "data");
  view.setUint32(40, size, true);
  let at = HEADER;
  for (const piece of pieces) {
    for (const sample of piece) {
      const value = Math.round(Math.max(-1, Math.min(1, sample)) * FULL);
      file[at] = value & 0xff;
      file[at + 1] = (value >> 8) & 0xff;
      file[at + 2] = (value >> 16) & 0xff;
      at += BYTES;
    }
  }
  return file;
}
