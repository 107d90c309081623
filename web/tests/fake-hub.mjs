// A hub of cardboard, to look at the page in states that are rare: thirty speakers, refusals, a hub without some parts.
// It plays nothing and measures nothing; what is claimed of the page is tried against the real hub.
//
//   node tests/fake-hub.mjs PORT [--speakers 2] [--without queue,jobs] [--role none|listen|control|admin] [--state playing]
import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { extname, join, normalize } from "node:path";
import { WebSocketServer } from "ws";

const dist = new URL("../dist/", import.meta.url).pathname;
const types = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const csp =
  "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:; media-src 'self' blob: data:; style-src 'self'; script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Where the encrypted page is said to be, and its certificate. */
const HTTPS = { port: 7756, fingerprint: Array.from({ length: 32 }, (_, n) => (n * 7 + 16).toString(16).toUpperCase()).join(":") };
const NAMES = ["desk", "shelf", "kitchen", "Anna's phone", "bedroom", "bath", "hall", "workshop", "garden", "attic"];

function speaker(n, options) {
  const role = options.speakers === 1 ? "both" : ["left", "right", "both", "left", "right", "mono"][n % 6];
  const name = NAMES[n % NAMES.length] + (n < NAMES.length ? "" : ` ${1 + Math.floor(n / NAMES.length)}`);
  const browser = name.includes("phone");
  return {
    id: String(n).padStart(32, "0"),
    name,
    address: `192.168.1.${20 + n}:41${String(n).padStart(3, "0")}`,
    sealed: !browser,
    streaming: options.state === "playing",
    role,
    codec: browser ? "opus" : "l24",
    gain_db: -6 - (n % 4) * 2.5,
    muted: n === 7,
    delay_us: n === 2 ? 2500 : 0,
    latency_us: 200_000,
    output: browser ? "browser:Chrome 131 on Android" : "pulse:alsa_output.usb-audio",
    software: browser ? "Antiphon page 0.1.0" : "antiphon 0.1.0",
    calibration:
      n < 2
        ? { delay_us: n * 1234, gain_db: -n * 0.9, measured_at: 1e9, age_s: 7300, grade: "good", uncertainty_us: 2.9, method: "place", verified: true, stale: n === 1 ? options.stale ?? null : null, previous: 1, through: {} }
        : null,
    silent_ms: n === 9 ? 12_000 : 300,
    sent: { packets: 1000, bytes: 1e6, retransmitted: 2 },
    report: {
      state: options.state === "playing" ? "playing" : "idle",
      synced: n !== 5,
      offset_us: -1.2e9,
      offset_sd_us: 1.6,
      skew_ppm: -12.3,
      rtt_us: 800,
      dac_ppm: 3,
      dac_sd_us: 0.6,
      phase_error_us: (n - 1) * 3.7,
      buffer_ms: 180,
      margin_ms: 150,
      packets: { received: 123_456, late: 0, duplicate: 0, lost: n === 4 ? 3 : 0, recovered: 49, reordered: 0, malformed: 0, replayed: 0, forged: 0, nacked: 51 },
      concealed_ms: 0,
      underruns: 0,
      slips: 0,
      reprimes: 0,
      peak_db: -12,
      cpu_percent: 3,
      rss_kb: 15_000,
    },
    ...(name === "kitchen" ? { link: { state: "up", why: "", needs_help: false, reported_us: 187_000, delay_us: 190_000, packet_ms: 7.5, codec: "sbc mono 48000/29", start: 1, sent: 9, late: 0, dropped: 0, left_out: 0, skipped: 0, queue: 1, volume: 80, battery: 64 } } : {}),
  };
}

const proof = (evidence, source = "maker's manual") => ({ evidence, source, address: null, place: null, refuted_by: null, because: null, measured: null });

const measurement = (delay) => ({
  schema: 1,
  recording: "rec.m4a",
  grade: "good",
  reasons: [],
  verdict: delay > 100 ? `Not together: right comes ${(delay / 1e3).toFixed(3)} ms after left. You hear one sound from left, and it is hollow, as if through a pipe.` : "Together: 3.4 us apart, one stereo image.",
  findings: [],
  recorder: { length_s: 20, begin_s: 2.5, periods: 7, peak_dbfs: -12, noise_dbfs: -60 },
  channels: [
    { name: "desk", heard: true, arrival_us: 2_500_000, uncertainty_us: 2.1, level_db: -30 },
    { name: "shelf", heard: true, arrival_us: 2_500_000 + delay, uncertainty_us: 2.9, level_db: -31 },
  ],
  pairs: [{ a: "desk", b: "shelf", delay_us: delay, uncertainty_us: 2.9, level_diff_db: -0.9, class: "colouring", comb: [] }],
});

export function start(port, options = {}) {
  options = { speakers: 2, without: [], role: "admin", state: "playing", ...options };
  const status = {
    schema: 1,
    hub: { name: "house", version: "0.1.0", listen: "192.168.1.20:7755", open: false, latency_us: 200_000, uptime_s: 98_000, clock: 7 },
    programme:
      options.state === "idle"
        ? { state: "idle", title: "", position_s: 0, duration_s: null, missing: [], starved: 0 }
        : { state: options.state, title: "Köln, Part IIc", position_s: 83, duration_s: 416, track: { number: 4, of: 9 }, missing: [], starved: 0 },
    speakers: Array.from({ length: options.speakers }, (_, n) => speaker(n, options)),
  };
  let queue = {
    items: ["Part I", "Part IIa", "Part IIb", "Köln, Part IIc", "Ostinato in D for four hands and one very patient audience", "Spiegel", "Lacrimosa"].map((title, n) => ({ key: `k${n}`, title, artist: "A. Pianist", duration_s: 200 + n * 31, from: n === 5 ? "upload" : "library" })),
    current: "k3",
    playing: true,
    repeat: false,
    shuffle: false,
  };
  if (options.state === "idle") queue = { items: [], current: null, playing: false, repeat: false, shuffle: false };
  let groups = [
    { name: "evening", kind: "stereo", members: [{ speaker: "desk", role: "left" }, { speaker: "shelf", role: "right" }] },
    { name: "whole house", kind: "party", members: [{ speaker: "desk", role: "both" }, { speaker: "kitchen", role: "mono" }] },
  ];
  const jobs = new Map();
  const uploads = [];
  let added = 0;
  const clients = new Set();
  let role = options.role;
  const tell = (event) => clients.forEach((client) => client.send(JSON.stringify(event)));

  const refuse = (code, detail) => ({ code, body: { type: "about:blank", title: "refused", status: code, detail, code: "bad_request", message: detail } });
  const ok = (body) => ({ code: 200, body });

  function job(order) {
    const id = `j${jobs.size + 1}`;
    const one = { id, kind: order.kind, state: "running", progress: 0, message: order.kind === "calibrate" ? "Looking for the track in the recording" : "Looking" };
    jobs.set(id, one);
    const step = () => {
      one.progress = Math.min(1, one.progress + 0.25);
      if (one.progress === 1) {
        one.state = "done";
        one.result =
          order.kind === "doctor"
            ? { doctor: { schema: 1, version: "0.1.0", worst: "warn", findings: [{ area: "sound", id: "server", level: "pass", what: "PipeWire 1.2 answers.", todo: [] }, { area: "time", id: "rt", level: "warn", what: "No real-time priority is allowed: playing may stutter when this machine is busy.", todo: ["sudo usermod -aG audio $USER"] }, { area: "bluetooth", id: "adapter", level: "fail", what: "The Bluetooth adapter is blocked.", todo: ["rfkill unblock bluetooth"] }, { area: "network", id: "wifi", level: "unknown", what: "Wi-Fi's power saving could not be read.", todo: [] }] } }
            : order.kind === "identify" ? undefined : { calibration: { schema: 1, outcome: "kept", reasons: [], method: "place", before: measurement(8000), corrections: [{ name: "desk", delay_us: 8000, gain_db: -0.9 }], after: measurement(3.4) } };
      } else setTimeout(step, 300);
      tell({ type: "job", job: one });
    };
    setTimeout(step, 300);
    return ok(one);
  }

  function answer(method, path, query, body) {
    const part = path.split("/")[0];
    if (options.without.includes(part)) return refuse(404, "there is nothing at this address of the hub");
    if (role === "none" && !["me", "login"].includes(part)) return refuse(403, "this device may not ask that: let it in with antiphon access");
    if (method === "PATCH" && part === "speakers") {
      const name = decodeURIComponent(path.split("/")[1]);
      const found = status.speakers.find((one) => one.name === name);
      if (!found) return refuse(404, `no speaker is called "${name}"`);
      if (body.codec === "flac") return refuse(409, "this speaker does not take flac; use l24 or opus");
      Object.assign(found, body);
      tell({ type: "status", status });
      return ok(found);
    }
    if (path === "transport") {
      if (body.action === "toggle") status.programme.state = status.programme.state === "paused" ? "playing" : "paused";
      if (body.action === "stop") status.programme = { ...status.programme, state: "idle", title: "" };
      if (body.action === "seek") status.programme.position_s = body.to.position_s;
      tell({ type: "status", status });
      return ok(status.programme);
    }
    if (path === "queue" && method === "POST" && body.items[0]?.signal) {
      const item = { key: `s${(added += 1)}`, title: `Test track: ${body.items[0].signal}`, artist: null, duration_s: 14.04, from: "signal" };
      queue = { ...queue, items: [...queue.items, item], current: item.key, playing: true };
      status.programme = { state: "playing", title: item.title, position_s: 0, duration_s: item.duration_s, missing: [], starved: 0 };
      tell({ type: "status", status });
      return ok(queue);
    }
    if (path === "queue" && method === "POST") { status.programme.state = "playing"; tell({ type: "status", status }); return ok(queue); }
    if (path === "queue" && method === "PATCH") { Object.assign(queue, body); return ok(queue); }
    if (part === "queue" && method === "DELETE") { queue = { ...queue, items: path === "queue" ? [] : queue.items.filter((item) => item.key !== path.split("/")[1]) }; return ok(queue); }
    switch (`${method} ${part}`) {
      case "GET me": return ok({ role, this_machine: role === "admin", hub: "house", version: "0.1.0", https: HTTPS });
      case "POST login": if (body.code !== "123456") return refuse(403, "that code is wrong; 2 tries are left"); role = "control"; return { code: 204 };
      case "GET status": return ok(status);
      case "GET queue": return ok(queue);
      case "GET groups": return ok(groups);
      case "PUT groups": groups = [...groups, { name: decodeURIComponent(path.split("/")[1]), ...body }]; return ok(groups);
      case "GET access": return ok({ access: [{ id: "a1", name: "Anna's phone", role: "control", since: 1, used_s: 240, is_me: false }, { id: "a2", name: "Tablet in the kitchen", role: "listen", since: 1, used_s: null, is_me: false }] });
      case "POST access": return ok({ code: "604718", role: body.role, expires_s: 600, url: "http://192.168.1.20:7755/", pairs: true });
      case "GET join-codes": return ok({ codes: [{ id: "c1", expires_in_s: 40_000, speakers: ["Anna's phone"] }] });
      case "POST join-codes": return ok({ id: "c2", code: "K7QX2M4A9T", url: "http://192.168.1.20:7755/j#K7QX2M4A9T", https_url: `https://192.168.1.20:${HTTPS.port}/j#K7QX2M4A9T`, fingerprint: HTTPS.fingerprint, expires_in_s: 43_200 });
      case "POST pairing-code": return ok({ code: "482913", expires_s: 600 });
      case "PUT latency": status.hub.latency_us = body.latency_us; tell({ type: "status", status }); return ok(body);
      case "DELETE calibration": status.speakers.forEach((one) => { one.calibration = null; }); tell({ type: "status", status }); return ok({ speakers: [] });
      case "POST jobs": return job(body);
      case "POST uploads": return ok({ id: "u1", name: query.get("name"), bytes: 12 });
      case "GET signals": return ok([["measure", "Record it, and measure says how far apart the speakers are.", 14.04], ["width", "Left, right, the middle, out of phase: is it stereo?", 34.5], ["identify", "One low beep is left, two high ones are right.", 18.5], ["comb", "A rising tone that swells and fades where two speakers are apart.", 42.5], ["pink", "Narrow and wide noise in turn.", 34.5], ["sweep", "A sine from 20 Hz to 20 kHz, for other programs.", 27.9], ["click", "One click or two?", 18]].map(([name, about, seconds]) => ({ name, about, seconds })));
      case "GET library": {
        const q = query.get("q");
        const files = queue.items.map((item, n) => ({ id: `f${n}`, title: item.title, artist: item.artist, album: "Solo, vol. 2", track: n + 1, duration_s: item.duration_s, art: false })).filter((file) => !q || file.title.toLowerCase().includes(q.toLowerCase()));
        const folder = query.get("folder");
        return ok({ folder: folder ? { id: folder, name: "Piano", parent: "root" } : { id: "root", name: "Music" }, reading: false, folders: q || folder ? [] : ["Piano", "Strings", "Radio plays", "Field recordings"].map((name, n) => ({ id: `d${n}`, name })), files, total: files.length });
      }
      case "GET catalog": return ok({ schema: 1, models: ["Example One", "Example Two 16W"], guides: [] });
      case "GET check": return ok({ schema: 1, speakers: [{ typed: query.get("model"), name: "Example One", nearest: [] }, query.get("model2") === "Example Two 16W" ? { typed: "Example Two 16W", name: "Example Two 16W", nearest: [] } : { typed: query.get("model2") ?? "", name: null, nearest: ["Example Two 16W"] }], alike: false, source: "linux", verdict: "Pair both with this computer: it makes a stereo pair of any two Bluetooth speakers.", best: "host_pair", methods: [
        { id: "host_pair", title: "A stereo pair made by this Linux computer", sound: "true stereo, each speaker its own channel", standing: "works", why: "Both are Bluetooth speakers, and this computer has an adapter.", latency_ms: 0.03, latency_proof: proof("claimed", "the virtual lab"), proofs: [proof("documented")], gates: [{ what: "hardware", need: "a Bluetooth adapter", have: "hci0", met: true, todo: [], proof: null }, { what: "firmware", need: "2.18 or later", have: null, met: null, todo: ["Look in the maker's app."], proof: proof("claimed", "a buyer's guide") }], says: [{ text: "Works across brands.", proof: proof("documented") }], how: ["antiphon pair"] },
        { id: "vendor_party", title: "The maker's party mode", sound: "the same from both", standing: "maybe", why: "Both play the same, not stereo.", latency_ms: null, latency_proof: null, proofs: [proof("claimed", "a buyer's guide")], gates: [], says: [], how: [] },
        { id: "vendor_stereo", title: "The maker's stereo mode", sound: "", standing: "cannot", why: "The two are of different models.", latency_ms: null, latency_proof: null, proofs: [proof("documented")], gates: [], says: [], how: [] } ], facts: [{ of: "Example One", text: "Bluetooth 5.1.", proof: proof("documented") }, { of: "Example One", text: "Pairs with any other speaker.", proof: proof("refuted", "a buyer's guide") }] });
      case "GET guide": return ok({ schema: 1, id: "host-pair", title: "Two Bluetooth speakers of any brands as a stereo pair", model: null, later: null, needs: ["a Linux computer with Bluetooth", "two Bluetooth speakers, charged"], steps: [{ id: "free", task: "Switch Bluetooth off on every phone and computer that has used these speakers.", run: null, see: "Both speakers say or show that they are not connected.", check: null, otherwise: ["A speaker that connects somewhere by itself: forget it there."], back_to: null, proof: null }, { id: "pair", task: "Let the computer find both, pair one after the other, and let each beep.", run: "antiphon pair", see: "Both are listed.", check: "paired", otherwise: ["Switch one off and on.", "Bring it within a metre."], back_to: "free", proof: proof("documented") }] });
      case "GET explain": return ok({ schema: 1, answers: [{ id: "second", question: "Why does the second speaker disconnect the first?", answer: "Phones hold one speaker at a time for music.", claim: "Any two speakers can be paired at once.", proof: proof("refuted"), todo: ["Use the computer's own pair."] }] });
      default: return refuse(404, "there is nothing at this address of the hub");
    }
  }

  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://fake");
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      if (url.pathname.startsWith("/api/v1/")) {
        const text = Buffer.concat(chunks).toString();
        let body = null;
        try { body = text === "" ? null : JSON.parse(text); } catch { uploads.push(Buffer.concat(chunks)); }
        const said = answer(request.method, url.pathname.slice(8), url.searchParams, body);
        const type = said.code >= 400 ? "application/problem+json" : "application/json";
        response.writeHead(said.code, { "content-type": type }).end(said.body === undefined ? undefined : JSON.stringify(said.body));
        return;
      }
      const file = { "/": "index.html", "/j": "j.html" }[url.pathname] ?? normalize(url.pathname).slice(1);
      try {
        const bytes = readFileSync(join(dist, file));
        response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream", "content-security-policy": csp }).end(bytes);
      } catch {
        response.writeHead(404).end();
      }
    });
  });
  const sockets = new WebSocketServer({ noServer: true });
  server.on("upgrade", (request, socket, head) => {
    if (request.url !== "/api/v1/events" || options.without.includes("events") || role === "none") return socket.end("HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n");
    sockets.handleUpgrade(request, socket, head, (client) => {
      clients.add(client);
      client.on("close", () => clients.delete(client));
      client.send(JSON.stringify({ type: "status", status }));
    });
  });
  let seconds = 0;
  const clock = setInterval(() => {
    seconds += 1;
    if (status.programme.state === "playing") {
      status.programme.position_s += 1;
      if (status.programme.position_s >= status.programme.duration_s) Object.assign(status.programme, { state: "ended", position_s: status.programme.duration_s });
      for (const [n, one] of status.speakers.entries()) one.report.phase_error_us = (n % 2 ? 1 : -1) * (3 + 2.5 * Math.sin(seconds / 9 + n) + Math.random());
    }
    tell({ type: "status", status });
  }, 1000);
  return new Promise((resolve) => {
    server.listen(port, "127.0.0.1", () =>
      resolve({
        url: `http://127.0.0.1:${server.address().port}`,
        uploads,
        queue: () => queue,
        stop: () => {
          clearInterval(clock);
          clients.forEach((client) => client.terminate());
          return new Promise((done) => { server.close(done); server.closeAllConnections(); });
        },
      }),
    );
  });
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const [port, ...rest] = process.argv.slice(2);
  const options = {};
  for (let n = 0; n < rest.length; n += 2) {
    const key = rest[n].replace(/^--/, "");
    options[key] = key === "speakers" ? Number(rest[n + 1]) : key === "without" ? rest[n + 1].split(",") : rest[n + 1];
  }
  const hub = await start(Number(port), options);
  console.log(hub.url);
}
