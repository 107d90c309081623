// What the tests in a real browser stand in: a sound server of their own with a sink that is recorded, and Chromium.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";

export const RATE = 48_000;
const QUIET =
  "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";

/** Chromium that sounds, on the sound server of `env`. */
export const launch = (env, more = []) =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [...QUIET.split(" "), ...more],
    ignoreDefaultArgs: ["--mute-audio"],
    env,
  });

export class Lab {
  children = [];
  browsers = [];

  static async open() {
    const lab = new Lab();
    lab.directory = mkdtempSync(join(tmpdir(), "antiphon-web-"));
    lab.env = { ...process.env, XDG_RUNTIME_DIR: lab.directory, HOME: lab.directory, PULSE_SERVER: `unix:${lab.directory}/native` };
    delete lab.env.DBUS_SESSION_BUS_ADDRESS;
    const modules = [
      `module-native-protocol-unix auth-anonymous=1 socket=${lab.directory}/native`,
      "module-null-sink sink_name=room rate=48000 channels=4 channel_map=front-left,front-right,rear-left,rear-right",
      "module-remap-sink sink_name=A master=room remix=no channels=2 channel_map=front-left,front-right master_channel_map=front-left,front-right",
      "module-remap-sink sink_name=B master=room remix=no channels=2 channel_map=front-left,front-right master_channel_map=rear-left,rear-right",
    ];
    const words = ["-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disable-shm"];
    const { PULSE_SERVER: _, ...own } = lab.env;
    lab.spawn("pulseaudio", [...words, ...modules.flatMap((m) => ["-L", m])], { env: own });
    await lab.until("the sound server", () => lab.run("pactl", ["info"]));
    return lab;
  }

  spawn(program, words, options = {}) {
    const child = spawn(program, words, { env: this.env, stdio: ["ignore", "pipe", "pipe"], ...options });
    child.output = "";
    child.stdout?.on("data", (data) => options.raw || (child.output += data));
    child.stderr?.on("data", (data) => (child.output += data));
    this.children.push(child);
    return child;
  }

  run(program, words) {
    const child = spawn(program, words, { env: this.env, stdio: "ignore" });
    return new Promise((done) => {
      child.on("error", () => done(false));
      child.on("exit", (code) => done(code === 0));
    });
  }

  async until(what, holds, seconds = 20) {
    for (const end = Date.now() + 1e3 * seconds; ; await sleep(50)) {
      const value = await holds();
      if (value) return value;
      if (Date.now() > end) throw new Error(`waited ${seconds} s for ${typeof what === "function" ? what() : what}`);
    }
  }

  /** A page in a browser of its own, which sounds on the given half of the sink. */
  async page(url, sink, size = { width: 390, height: 844 }) {
    const browser = await launch({ ...this.env, PULSE_SINK: sink });
    this.browsers.push(browser);
    const page = await browser.newPage({ viewport: size });
    page.problems = [];
    page.on("console", (m) => ["error", "warning"].includes(m.type()) && page.problems.push(m.text()));
    page.on("pageerror", (e) => page.problems.push(String(e)));
    if (url) await page.goto(url);
    return page;
  }

  /** Four channels of the sink, from now on; `stop` gives one Float32Array each. */
  record() {
    const words = ["--raw", "--device=room.monitor", "--format=float32le", "--rate=48000", "--channels=4", "--latency-msec=50"];
    const parts = [];
    const child = this.spawn("parec", [...words, "--channel-map=front-left,front-right,rear-left,rear-right"], { raw: true });
    child.stdout.on("data", (data) => parts.push(data));
    const channels = () => {
      const bytes = Buffer.concat(parts);
      const frames = Math.floor(bytes.length / 16);
      const all = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + 16 * frames));
      return [0, 1, 2, 3].map((channel) => Float32Array.from({ length: frames }, (_, n) => all[4 * n + channel]));
    };
    return {
      last: (frames) => channels().map((samples) => samples.subarray(-frames)),
      frames: () => Math.floor(parts.reduce((sum, p) => sum + p.length, 0) / 16),
      stop: async () => {
        child.kill("SIGINT");
        await new Promise((done) => child.on("exit", done));
        return channels();
      },
    };
  }

  async close() {
    for (const browser of this.browsers) await browser.close().catch(() => undefined);
    for (const child of this.children.reverse()) child.kill("SIGTERM");
    await sleep(200);
    for (const child of this.children) child.exitCode ?? child.kill("SIGKILL");
    // A browser that has just ended may still write there.
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

/** The first frame louder than -60 dBFS. */
export const firstSound = (samples, from = 0) => samples.findIndex((s, n) => n >= from && Math.abs(s) > 1e-3);
export const read = (path) => readFileSync(path);
