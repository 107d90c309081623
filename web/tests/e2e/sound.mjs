// Sounds that tell where they are, and how alike two sounds are.
import { writeFileSync } from "node:fs";

const LENGTH = 1 << 14;

/** A third of a second of noise below 8 kHz, another for each seed. */
export function noise(seed) {
  const samples = new Float32Array(LENGTH);
  let state = seed * 7_919 + 1;
  let [a, b] = [0, 0];
  for (let n = 0; n < LENGTH; n += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    a = 0.6 * a + 0.4 * (state / 0x40000000 - 1);
    b = 0.6 * b + 0.4 * a;
    samples[n] = 0.9 * b;
  }
  return samples;
}

/** Stereo, 16 bits, `times` over. */
export function writeWav(path, left, right, times = 360) {
  const data = Buffer.alloc(44 + 4 * times * left.length);
  data.write("RIFF");
  data.writeUInt32LE(data.length - 8, 4);
  data.write("WAVEfmt ", 8);
  data.writeUInt32LE(16, 16);
  data.writeUInt16LE(1, 20);
  data.writeUInt16LE(2, 22);
  data.writeUInt32LE(48_000, 24);
  data.writeUInt32LE(192_000, 28);
  data.writeUInt16LE(4, 32);
  data.writeUInt16LE(16, 34);
  data.write("data", 36);
  data.writeUInt32LE(data.length - 44, 40);
  for (let n = 0; n < times * left.length; n += 1) {
    data.writeInt16LE(Math.round(32_767 * left[n % LENGTH]), 44 + 4 * n);
    data.writeInt16LE(Math.round(32_767 * right[n % LENGTH]), 46 + 4 * n);
  }
  writeFileSync(path, data);
  return path;
}

/** The best median likeness of twentieths of a second of `heard` with the looped `programme`, wherever it may be in it:
 *  1 is the same. */
export function likeness(heard, programme) {
  const found = [];
  for (let from = 0; from + 4_800 <= heard.length && found.length < 5; from += 9_600) {
    found.push(bestOf(heard.subarray(from, from + 2_400), programme));
  }
  return found.sort((x, y) => x - y)[found.length >> 1] ?? 0;
}

function bestOf(part, programme) {
  const size = LENGTH;
  const padded = new Float64Array(size);
  padded.set(part);
  const [pr, pi] = transform(padded, new Float64Array(size));
  const [qr, qi] = spectrumOf(programme);
  const [xr, xi] = [new Float64Array(size), new Float64Array(size)];
  for (let n = 0; n < size; n += 1) {
    // Conjugate of the correlation, so that a forward transform turns it back.
    xr[n] = qr[n] * pr[n] + qi[n] * pi[n];
    xi[n] = -(qi[n] * pr[n] - qr[n] * pi[n]);
  }
  const [out] = transform(xr, xi);
  let at = 0;
  for (let n = 0; n < size; n += 1) if (out[n] > out[at]) at = n;
  let [energy, other] = [0, 0];
  part.forEach((sample, n) => {
    energy += sample ** 2;
    other += programme[(at + n) % size] ** 2;
  });
  return energy > 1e-6 ? out[at] / size / Math.sqrt(energy * other) : 0;
}

const spectra = new Map();
function spectrumOf(programme) {
  if (!spectra.has(programme)) spectra.set(programme, transform(Float64Array.from(programme), new Float64Array(LENGTH)));
  return spectra.get(programme);
}

/** Cooley and Tukey, in place. */
function transform(re, im) {
  const size = re.length;
  for (let i = 1, j = 0; i < size; i += 1) {
    let bit = size >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) [re[i], re[j], im[i], im[j]] = [re[j], re[i], im[j], im[i]];
  }
  for (let length = 2; length <= size; length *= 2) {
    const half = length / 2;
    for (let k = 0; k < half; k += 1) {
      const [c, s] = [Math.cos((-2 * Math.PI * k) / length), Math.sin((-2 * Math.PI * k) / length)];
      for (let i = k; i < size; i += length) {
        const [tr, ti] = [re[i + half] * c - im[i + half] * s, re[i + half] * s + im[i + half] * c];
        [re[i + half], im[i + half]] = [re[i] - tr, im[i] - ti];
        [re[i], im[i]] = [re[i] + tr, im[i] + ti];
      }
    }
  }
  return [re, im];
}
