// A hub of a hundred lines: enough of docs/protocol.md for one browser speaker to join, learn the clock and play a programme
// that is worked out as it goes. For trying the page without a hub; what counts is tried with the real one.
import { createReadStream, existsSync } from "node:fs";
import http from "node:http";
import { extname, join } from "node:path";
import { WebSocketServer } from "ws";

const RATE = 48_000;
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };
export const CSP =
  "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:; media-src 'self' blob: data:; " +
  "style-src 'self'; script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export async function fakeHub({ dist, code = "K7QX2M4A9T", latencyUs = 600_000, sample }) {
  const hub = { clock: 49_420, stats: [], hellos: [], epoch: 1, firstFrame: 480_000, sockets: new Set(), served: 0 };
  const hubNs = () => Number(process.hrtime.bigint());
  const server = http.createServer((request, response) => {
    const path = request.url === "/j" ? "/j.html" : request.url;
    const file = join(dist, path.split("?")[0]);
    if (path.includes("..") || !existsSync(file)) return response.writeHead(404).end();
    hub.served += 1;
    response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "text/plain", "content-security-policy": CSP });
    createReadStream(file).pipe(response);
  });
  const sockets = new WebSocketServer({ server });
  let session = 6;
  sockets.on("connection", (socket, request) => {
    hub.sockets.add(socket);
    socket.on("close", () => hub.sockets.delete(socket));
    if (request.url === "/browser/clock") return serveClock(socket);
    socket.on("message", (data, binary) => binary || control(socket, JSON.parse(data.toString())));
  });

  function control(socket, message) {
    if (message.type === "join" && message.code !== code) {
      socket.send(JSON.stringify({ type: "refused", code: "wrong_code", message: "this code is not known" }));
      return socket.close();
    }
    if (message.type === "join") return socket.send(JSON.stringify({ type: "joined", ticket: "ab".repeat(16) }));
    if (message.type === "hello") return welcome(socket, message);
    if (message.type === "stats") hub.stats.push(message);
    return undefined;
  }

  function welcome(socket, hello) {
    hub.hellos.push(hello);
    socket.role = hello.role;
    session += 1;
    const settings = { role: hello.role, gain_db: 0, muted: false, delay_us: 0, codec: "l16", latency_us: latencyUs };
    const text = { type: "welcome", protocol: 1, session, clock: hub.clock, hub_name: "house", latency_us: latencyUs, settings };
    socket.send(JSON.stringify(text));
    socket.next = undefined;
  }

  function serveClock(socket) {
    let number = 0;
    socket.on("message", (data, binary) => {
      const t2 = hubNs();
      if (!binary) return void (number = JSON.parse(data.toString()).session);
      const reply = Buffer.alloc(48);
      reply.writeUInt16BE(0xc301, 0);
      reply.writeUInt32BE(number, 4);
      data.copy(reply, 16, 16, 20);
      reply.writeUInt32BE(hub.clock, 20);
      data.copy(reply, 24, 24, 32);
      reply.writeBigInt64BE(BigInt(t2), 32);
      reply.writeBigInt64BE(BigInt(hubNs()), 40);
      socket.send(reply);
    });
  }

  let anchorNs = hubNs() + latencyUs * 1e3;
  /** Another epoch, from `firstFrame` on. */
  hub.seek = (firstFrame) => {
    hub.epoch += 1;
    hub.firstFrame = firstFrame;
    anchorNs = hubNs() + latencyUs * 1e3 + 10e6;
    for (const socket of hub.sockets) socket.next = undefined;
  };
  hub.presentation = (frame) => Math.round(anchorNs + ((frame - hub.firstFrame) * 1e9) / RATE);

  function packet(socket, frame) {
    const bytes = Buffer.alloc(36 + 960);
    bytes.writeUInt32BE(0x90600000 + ((frame / 480) & 0xffff), 0);
    bytes.writeUInt32BE(frame % 2 ** 32, 4);
    bytes.writeUInt32BE(socket.role === "right" ? 2 : 1, 8);
    bytes.writeUInt32BE(0xbede0005, 12);
    bytes.writeUInt8(0x17, 16);
    bytes.writeBigInt64BE(BigInt(hub.presentation(frame)), 17);
    bytes.writeUInt8(0x27, 25);
    bytes.writeUInt32BE(hub.epoch, 26);
    bytes.writeUInt32BE(Math.floor(frame / 2 ** 32), 30);
    for (let i = 0; i < 480; i += 1) bytes.writeInt16BE(Math.round(32_767 * sample(socket.role, frame + i)), 36 + 2 * i);
    return bytes;
  }

  const pace = setInterval(() => {
    const until = hubNs() + latencyUs * 1e3;
    for (const socket of hub.sockets) {
      if (socket.role === undefined) continue;
      socket.next ??= hub.firstFrame + 480 * Math.max(0, Math.ceil(((until - anchorNs) / 1e9) * (RATE / 480)));
      for (; hub.presentation(socket.next) <= until; socket.next += 480) socket.send(packet(socket, socket.next));
    }
  }, 10);
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  hub.port = server.address().port;
  hub.origin = `http://127.0.0.1:${hub.port}`;
  hub.url = `${hub.origin}/j#${code}`;
  hub.close = () => {
    clearInterval(pace);
    for (const socket of sockets.clients) socket.terminate();
    server.close();
  };
  /** As a restart of the hub looks from outside. */
  hub.restart = () => {
    hub.clock += 1;
    for (const socket of sockets.clients) socket.terminate();
    hub.epoch = 0;
    hub.seek(480_000);
  };
  return hub;
}
