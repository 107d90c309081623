// Browsers as speakers, driven by lines on standard input; answers are lines of JSON on standard output.
//
//     node --experimental-websocket web/tests/e2e/drive.mjs URL SIDE:SINK[:chromium|firefox|webkit]...
//
//     tap N        taps page N's side          stall N MS   its main thread stands still
//     text N       what page N shows           cold N       ms until the hub's own page, with an empty cache, can be used
//     quit
// The sound server is PULSE_SERVER's.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { open } from "./engines.mjs";

const [url, ...wanted] = process.argv.slice(2);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const directory = mkdtempSync(join(tmpdir(), "antiphon-drive-"));
const children = [];
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));
const start = (program, words, options) => void children.push(spawn(program, words, { ...options, stdio: "ignore" }));
const pages = [];
for (const [side, sink, engine = "chromium"] of wanted.map((word) => word.split(":"))) {
  const page = await open(engine, { env: { ...process.env, PULSE_SINK: sink }, spawn: start, directory });
  await page.goto(url);
  await page.fill("#name", side);
  pages.push({ page, side });
}
say({ ready: pages.length });

const acts = {
  tap: async ({ page, side }) => page.click(`.side.${side}`),
  stall: async ({ page }, ms) => page.evaluate(`(() => { for (const end = performance.now() + ${Number(ms)}; performance.now() < end; ); })()`),
  text: async ({ page }) => page.text(),
  cold: async ({ page: { browser } }) => {
    const context = await browser.newContext({ viewport: { width: 390, height: 844 } });
    const page = await context.newPage();
    const since = performance.now();
    await page.goto(new URL("/", url).href, { waitUntil: "commit" });
    await page.locator("#main fieldset:not([disabled])").waitFor();
    const ms = performance.now() - since;
    await context.close();
    return ms;
  },
};
for await (const line of createInterface({ input: process.stdin })) {
  const [act, n, ...more] = line.split(" ");
  if (act === "quit") break;
  say({ act, said: (await acts[act](pages[Number(n)], ...more)) ?? null });
}
for (const { page } of pages) await page.close();
process.exit(0);
