// Many pages at once, without their sound: browser speakers that speak the whole protocol, clients of the event socket, and
// somebody who asks the API so many times a second.
//
//     node web/tests/e2e/crowd.mjs HOST:PORT CODE --browsers 50 --events 200 --requests 200
//
// Prints "ready" once all are there, and on end of input what came of them, as JSON. Requests carry the instant at which they
// were answered, in ns of CLOCK_MONOTONIC, so that one beside a standstill of the machine can be told.
import { randomBytes } from "node:crypto";
import { Agent, get } from "node:http";
import WebSocket from "ws";

const [hub, code, ...options] = process.argv.slice(2);
const wanted = (name) => Number(options[options.indexOf(`--${name}`) + 1] ?? 0);
const PATHS = ["status", "queue", "groups", "me", "catalog"].map((name) => `http://${hub}/api/v1/${name}`);
const nowNs = () => process.hrtime.bigint();
const MS = 1e6;

/** A browser speaker. Its clock is the machine's, to a fifth of a millisecond: that of the exchange that took least. */
class Speaker {
  packets = 0;
  bytes = 0;
  late = 0;
  leastMarginMs = Infinity;
  lost = 0;
  #last;
  #offsetNs = 0;
  #fastestNs = Infinity;
  #probes = 0;

  constructor(number) {
    this.session = new WebSocket(`ws://${hub}/browser`);
    this.session.on("open", () => this.#say({ type: "join", code, key: randomBytes(32).toString("hex") }));
    this.session.on("close", () => (this.closed = true));
    this.session.on("error", (error) => (this.failed = error.message));
    const name = `crowd ${number}`;
    const role = number % 2 ? "right" : "left";
    const hello = { type: "hello", protocol: 1, name, software: "antiphon crowd", codecs: ["l16", "l24"], channels: 2 };
    this.joined = new Promise((joined, refused) => {
      this.session.on("message", (data, binary) => {
        if (binary) return this.#media(data);
        const message = JSON.parse(data);
        if (message.type === "joined") {
          this.ticket = message.ticket;
          this.#say({ ...hello, output: "browser:crowd", role, min_latency_us: 100_000 });
        } else if (message.type === "welcome") joined(this.#openClock(message.session));
        else if (message.type === "refused") refused(new Error(`${name}: ${message.message}`));
      });
    });
  }

  #say(message) {
    this.session.send(JSON.stringify(message));
  }

  #openClock(session) {
    this.clock = new WebSocket(`ws://${hub}/browser/clock`);
    this.clock.on("message", (data) => this.#reply(data, nowNs()));
    this.clock.on("open", () => {
      this.clock.send(JSON.stringify({ type: "clock", session, ticket: this.ticket }));
      this.timers = [setInterval(() => this.#probe(session), 100), setInterval(() => this.#stats(), 1_000)];
    });
  }

  /** docs/protocol.md, sections 2 and 8. */
  #probe(session) {
    const bytes = Buffer.alloc(48);
    bytes[0] = 0xc2;
    bytes[1] = 1;
    bytes.writeUInt32BE(session, 4);
    bytes.writeBigUInt64BE(BigInt(this.#probes), 8);
    bytes.writeUInt32BE(this.#probes++, 16);
    bytes.writeBigInt64BE(nowNs(), 24);
    this.clock.send(bytes);
  }

  #reply(data, nowAt) {
    if (data.length !== 48 || data[0] !== 0xc3) return;
    const [t1, t2, t3] = [24, 32, 40].map((at) => data.readBigInt64BE(at));
    const took = Number(nowAt - t1 - (t3 - t2));
    if (took > this.#fastestNs) return;
    this.#fastestNs = took;
    this.#offsetNs = (t2 - t1 + (t3 - nowAt)) / 2n;
  }

  #media(data) {
    if (data[0] !== 0x90) return;
    this.packets += 1;
    this.bytes += data.length;
    const sequence = data.readUInt16BE(2);
    if (this.#last !== undefined) this.lost += (sequence - this.#last - 1 + 65_536) % 65_536;
    this.#last = sequence;
    // The first element of the header's extension: when the first frame is due.
    if (data[16] >> 4 !== 1 || this.#fastestNs === Infinity) return;
    const marginMs = Number(data.readBigInt64BE(17) - this.#offsetNs - nowNs()) / MS;
    this.leastMarginMs = Math.min(this.leastMarginMs, marginMs);
    if (marginMs < 0) this.late += 1;
  }

  #stats() {
    const packets = { received: this.packets, late: this.late, lost: this.lost, malformed: 0 };
    const zeros = { offset_sd_us: 50, skew_ppm: 0, rtt_us: this.#fastestNs / 1e3, dac_ppm: 0, dac_sd_us: 100, phase_error_us: 0 };
    const counts = { concealed_ms: 0, underruns: 0, slips: 0, reprimes: 0, exchanges: this.#probes, peak_db: -20 };
    const state = { state: this.packets ? "playing" : "idle", synced: true, offset_us: 0, buffer_ms: 100, margin_ms: 100 };
    this.#say({ type: "stats", ...state, ...zeros, packets, ...counts, min_latency_us: 100_000 });
  }

  end() {
    this.timers?.forEach(clearInterval);
    this.clock?.terminate();
    this.session.terminate();
  }
}

const speakers = [];
for (let n = 0; n < wanted("browsers"); n += 1) {
  speakers.push(new Speaker(n));
  await speakers.at(-1).joined;
}
const listeners = [];
let told = 0;
for (let n = 0; n < wanted("events"); n += 1) {
  const socket = new WebSocket(`ws://${hub}/api/v1/events`);
  socket.on("message", () => (told += 1));
  socket.on("close", () => (socket.gone = true));
  await new Promise((open, failed) => socket.on("open", open).on("error", failed));
  listeners.push(socket);
}

const agent = new Agent({ keepAlive: true, maxSockets: 16 });
const answers = [];
let [asked, failures] = [0, 0];
function ask() {
  const begin = nowNs();
  const failed = () => (failures += 1);
  const answered = (answer) => {
    answer.resume();
    answer.on("end", () => {
      if (answer.statusCode !== 200) return failed();
      const end = nowNs();
      answers.push([Number(end), Number(end - begin) / MS]);
    });
  };
  get(PATHS[asked++ % PATHS.length], { agent }, answered).on("error", failed);
}
// Timers of node are of whole milliseconds, and late: what is due by now is asked.
const since = nowNs();
const due = () => (Number(nowNs() - since) / 1e9) * wanted("requests");
if (wanted("requests")) setInterval(() => asked < due() && ask(), 1);

console.log("ready");
process.stdin.resume();
process.stdin.on("end", () => {
  const sum = (of) => speakers.reduce((total, speaker) => total + of(speaker), 0);
  const came = {
    browsers: speakers.filter((speaker) => !speaker.closed && !speaker.failed).length,
    packets: sum((s) => s.packets),
    bytes: sum((s) => s.bytes),
    late: sum((s) => s.late),
    lost: sum((s) => s.lost),
    least_margin_ms: Math.min(...speakers.map((s) => s.leastMarginMs)),
    listeners: listeners.filter((socket) => !socket.gone).length,
    told,
    asked,
    failures,
    answers,
  };
  process.stdout.write(`${JSON.stringify(came)}\n`, () => process.exit(0));
});
