import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { decode } from "../src/engine/codec";
import { readMedia, readReply, readStopNotice, writeProbe } from "../src/engine/datagram";
import { readHubMessage } from "../src/wire";

const protocol = readFileSync(new URL("../../docs/protocol.md", import.meta.url), "utf8");

function block(kind: string, name: string): string {
  const found = new RegExp("```" + kind + " " + name + "\n([^`]*)```").exec(protocol);
  if (!found?.[1]) throw new Error(`docs/protocol.md has no ${kind} ${name}`);
  return found[1];
}

const vector = (name: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(block("vector", name).replace(/\s/g, "").match(/../g) ?? [], (byte) => parseInt(byte, 16));
const hex = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");

test("the protocol's media packet reads as the protocol says", () => {
  const media = readMedia(vector("rtp-l24"));
  expect(media).toMatchObject({ frame: 0x1000000f0, epoch: 3, presentationNs: 1e12, ssrc: 0xcafef00d, payloadType: 98 });
  const pcm = media && decode(media);
  expect(pcm?.length).toBe(1);
  expect(Array.from(pcm?.[0] ?? [])).toEqual([1 / 8_388_608, -1 / 8_388_608]);
});

test("a fragment, and a codec that was not asked for, are refused", () => {
  expect(readMedia(vector("rtp-fragment"))).toBeUndefined();
});

test("a stereo packet is split by channel, left first", () => {
  const bytes = vector("rtp-l24");
  bytes[1] = 97;
  const l16 = Uint8Array.from([...bytes.subarray(0, bytes.length - 6), 0x40, 0, 0xc0, 0]);
  const media = readMedia(l16);
  expect(media && decode(media)?.map((c) => Array.from(c))).toEqual([[0.5], [-0.5]]);
});

test("a probe is the protocol's open probe, byte for byte", () => {
  const t1 = Number(BigInt("0x0000011f71fb04cb"));
  expect(hex(writeProbe(7, 0, 5, t1))).toBe(hex(vector("seal-open-probe")));
});

test("a reply and a stop notice in their envelopes read as the protocol says", () => {
  const envelope = (kind: number, body: Uint8Array): Uint8Array =>
    Uint8Array.from([kind, 1, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, ...body]);
  expect(readReply(envelope(0xc3, vector("clock-reply")))).toEqual({
    session: 7,
    id: 5,
    clock: 49_420,
    t1: 0x11f71fb04cb,
    t2: 77_000_000_000,
    t3: 77_000_040_000,
  });
  expect(readStopNotice(envelope(0xc5, vector("notice-stop")))).toMatchObject({ session: 7, epoch: 3, atNs: 1_000_040_000_000 });
});

test("whatever is cut off or altered is refused or read, and never throws", () => {
  const good = vector("rtp-l24");
  for (let length = 0; length < good.length; length += 1) readMedia(good.subarray(0, length));
  for (let at = 0; at < good.length; at += 1) {
    for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
      const bad = good.slice();
      bad[at] = value;
      const media = readMedia(bad);
      if (media) decode(media);
    }
  }
});

test("the protocol's messages from a hub are read", () => {
  expect(readHubMessage(block("message", "hub-welcome"))).toMatchObject({ type: "welcome", session: 7, clock: 49_420, hubName: "house" });
  expect(readHubMessage(block("message", "hub-settings"))).toMatchObject({ settings: { role: "right", gain_db: -3.5, delay_us: 1250 } });
  expect(readHubMessage(block("message", "hub-timeline"))).toMatchObject({ epoch: 3, presentationNs: 1e12 });
  expect(readHubMessage(block("message", "hub-stop"))).toMatchObject({ epoch: 3, atNs: 1_000_040_000_000 });
  expect(readHubMessage(block("message", "hub-refused"))).toMatchObject({ type: "refused", code: "name_taken" });
});

test("text that is no message is told from a message that is not known", () => {
  expect(readHubMessage('{"type":"dance"}')).toBe("ignored");
  for (const text of ["", "7", "null", "[]", "{}", '{"type":3}', "{"]) expect(readHubMessage(text)).toBeUndefined();
});
