// The datagrams of docs/protocol.md, sections 2, 8 and 9, as an open session has them: bare RTP for media, an
// unsealed envelope around clock probes, replies and notices. Each arrives as one binary WebSocket message.
//
// Instants are numbers of nanoseconds: a hub that has run for a year still has them to 4 ns.

export interface Media {
  ssrc: number;
  sequence: number;
  payloadType: number;
  /** Number of the first frame; never goes back while the hub runs. */
  frame: number;
  epoch: number;
  /** Hub time at which the first frame leaves the loudspeaker. */
  presentationNs: number;
  payload: Uint8Array;
}

export interface Reply {
  session: number;
  id: number;
  clock: number;
  t1: number;
  t2: number;
  t3: number;
}

export interface StopNotice {
  session: number;
  epoch: number;
  atNs: number;
}

/** WIRE-2. */
const LONGEST = 1_200;
/** WIRE-3. */
const MAX_INSTANT = 2 ** 62;
const MAX_FRAME = 2 ** 53 - 1;
const RTP_FIRST_BYTE = 0x90;
const ONE_BYTE_ELEMENTS = 0xbede;
const ENVELOPE = 16;
const EXCHANGE = 32;
const [PROBE, REPLY, NOTICE] = [0xc2, 0xc3, 0xc5];

export function isMedia(bytes: Uint8Array): boolean {
  return bytes[0] === RTP_FIRST_BYTE;
}

/** RTP-1, RTP-2; `undefined` for what does not parse. */
export function readMedia(bytes: Uint8Array): Media | undefined {
  if (bytes.length < 16 || bytes.length > LONGEST || !isMedia(bytes)) return undefined;
  const view = viewOf(bytes);
  if (view.getUint16(12) !== ONE_BYTE_ELEMENTS) return undefined;
  const body = 16 + 4 * view.getUint16(14);
  if (body >= bytes.length) return undefined;
  const found = readElements(view, 16, body);
  if (!found) return undefined;
  const frame = found.frameHigh * 2 ** 32 + view.getUint32(4);
  if (frame > MAX_FRAME || Math.abs(found.presentationNs) >= MAX_INSTANT) return undefined;
  return {
    ssrc: view.getUint32(8),
    sequence: view.getUint16(2),
    payloadType: view.getUint8(1) & 0x7f,
    frame,
    epoch: found.epoch,
    presentationNs: found.presentationNs,
    payload: bytes.subarray(body),
  };
}

interface Elements {
  presentationNs: number;
  epoch: number;
  frameHigh: number;
}

/** RFC 8285, one-byte headers: padding is 0, unknown ids are skipped, id 15 ends the list. Fragments (FLAC alone has
 *  them, and no browser asks for FLAC) are refused. */
function readElements(view: DataView, from: number, to: number): Elements | undefined {
  let presentationNs: number | undefined;
  let epoch: number | undefined;
  let frameHigh = 0;
  for (let at = from; at < to; ) {
    const head = view.getUint8(at);
    if (head === 0) {
      at += 1;
      continue;
    }
    const [id, length] = [head >> 4, (head & 15) + 1];
    if (id === 15) break;
    if (at + 1 + length > to || id === 3) return undefined;
    if (id === 1 && length === 8) presentationNs = readInstant(view, at + 1);
    if (id === 2 && length === 8) {
      epoch = view.getUint32(at + 1);
      frameHigh = view.getUint32(at + 5);
    }
    at += 1 + length;
  }
  if (presentationNs === undefined || epoch === undefined) return undefined;
  return { presentationNs, epoch, frameHigh };
}

/** SYNC-1, SEAL-7. */
export function writeProbe(session: number, counter: number, id: number, t1Ns: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(ENVELOPE + EXCHANGE);
  const view = viewOf(bytes);
  view.setUint8(0, PROBE);
  view.setUint8(1, 1);
  view.setUint32(4, session);
  view.setBigUint64(8, BigInt(counter));
  view.setUint32(16, id);
  view.setBigInt64(24, BigInt(t1Ns));
  return bytes;
}

export function readReply(bytes: Uint8Array): Reply | undefined {
  if (!isEnvelope(bytes, REPLY) || bytes.length !== ENVELOPE + EXCHANGE) return undefined;
  const view = viewOf(bytes);
  const [t1, t2, t3] = [readInstant(view, 24), readInstant(view, 32), readInstant(view, 40)];
  if ([t1, t2, t3].some((t) => Math.abs(t) >= MAX_INSTANT)) return undefined;
  return { session: view.getUint32(4), id: view.getUint32(16), clock: view.getUint32(20), t1, t2, t3 };
}

/** NOTICE-1. */
export function readStopNotice(bytes: Uint8Array): StopNotice | undefined {
  if (!isEnvelope(bytes, NOTICE) || bytes.length !== ENVELOPE + 16 || bytes[ENVELOPE] !== 1) return undefined;
  const view = viewOf(bytes);
  return { session: view.getUint32(4), epoch: view.getUint32(20), atNs: readInstant(view, 24) };
}

function isEnvelope(bytes: Uint8Array, kind: number): boolean {
  return bytes.length >= ENVELOPE && bytes[0] === kind && bytes[1] === 1 && bytes[2] === 0 && bytes[3] === 0;
}

const readInstant = (view: DataView, at: number): number => Number(view.getBigInt64(at));
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
