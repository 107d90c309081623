// Browsers as speakers, driven by lines on standard input; answers are lines of JSON on standard output.
//
//     node web/tests/e2e/drive.mjs URL SIDE:SINK...
//
//     tap N        taps page N's side          stall N MS   its main thread stands still
//     text N       what page N shows           cold N       ms until the hub's own page, with an empty cache, can be used
//     quit
// The sound server is PULSE_SERVER's.
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";
import { QUIET } from "./lab.mjs";

const [url, ...wanted] = process.argv.slice(2);
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const pages = [];
for (const [side, sink] of wanted.map((word) => word.split(":"))) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: QUIET.split(" "),
    ignoreDefaultArgs: ["--mute-audio"],
    env: { ...process.env, PULSE_SINK: sink },
  });
  const page = await browser.newPage({ viewport: { width: 390, height: 844 } });
  await page.goto(url);
  await page.fill("#name", side);
  pages.push({ page, browser, side });
}
say({ ready: pages.length });

const acts = {
  tap: async ({ page, side }) => page.click(`.side.${side}`),
  stall: async ({ page }, ms) =>
    page.evaluate((forMs) => {
      for (const end = performance.now() + forMs; performance.now() < end; );
    }, Number(ms)),
  text: async ({ page }) => page.innerText("main"),
  cold: async ({ browser }) => {
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
for (const { browser } of pages) await browser.close();
process.exit(0);
