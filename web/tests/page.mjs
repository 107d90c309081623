// Every page of dist in Chromium, at four widths, light and dark: nothing wider than the screen, no error in the console, no
// violation of the content security policy; and at two of the widths no accessibility fault that axe-core finds (WCAG 2.2 A
// and AA, and its best practices).
//
// Then the microphone's way through the page, in listen.mjs.
//
//   node tests/page.mjs [URL of a hub]        without one: against tests/fake-hub.mjs, also with 1 and 30 speakers
//   node tests/page.mjs --short               each page once narrow and light and once wide and dark; no microphone
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import { start } from "./fake-hub.mjs";
import { listen } from "./listen.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const PAGES = ["now", "speakers", "speakers/+", "music", "music/queue", "music/radio", "music/upload", "calibrate", "guide", "tracks", "settings"];
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** Below 390 and between these the pages are laid out as at one of them. */
const JUDGED = [390, 1280];

const faults = [];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });

async function look(name, url, { widths = [320, 390, 768, 1280], schemes = ["light", "dark"], pages = PAGES, expected = /$^/, also } = {}) {
  for (const colorScheme of schemes) {
    for (const width of widths) {
      const context = await browser.newContext({ viewport: { width, height: 844 }, colorScheme, reducedMotion: "reduce" });
      const page = await context.newPage();
      let at = "";
      const fault = (what) => { if (!expected.test(what)) faults.push(`${name} ${at} ${width} ${colorScheme}: ${what}`); };
      page.on("console", (message) => { if (message.type() === "error") fault(message.text()); });
      page.on("pageerror", (error) => fault(String(error)));
      for (at of pages) {
        await page.goto(`${url}/#/${at}`);
        await page.waitForSelector(":is(main h1, main h2):visible");
        await page.waitForTimeout(150);
        await judge(page, fault);
        await also?.(page, fault);
      }
      await context.close();
    }
  }
}

async function judge(page, fault) {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (over > 0) fault(`${over} pixels wider than the screen`);
  if (!JUDGED.includes(page.viewportSize().width)) return;
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
  const found = await page.evaluate((tags) => window.axe.run(document, { runOnly: tags, resultTypes: ["violations"] }), TAGS);
  for (const one of found.violations) fault(`${one.id}: ${one.help}\n    ${one.nodes.slice(0, 3).map((node) => `${node.target.join(" ")}  ${node.any.concat(node.all)[0]?.message ?? ""}`).join("\n    ")}`);
}

/** Who may only look finds nothing to touch that the hub would refuse. */
async function still(page, fault) {
  const controls = "main :is(button, input, select, textarea):enabled:not([type=search])";
  const names = await page.locator(controls).evaluateAll((found) => found.map((one) => one.ariaLabel ?? one.textContent.trim()));
  const refused = names.filter((name) => !["Lock this device out"].includes(name));
  if (refused.length > 0) fault(`a listener can touch: ${refused.join(", ")}`);
}

const LISTENER = { widths: [390], schemes: ["light"], pages: ["now", "speakers", "music", "music/queue", "music/radio", "music/upload", "settings"], expected: /403/, also: still };

if (process.argv[2] === "--short") {
  const hub = await start(0, {});
  await look("narrow", hub.url, { widths: [320], schemes: ["light"] });
  await look("wide", hub.url, { widths: [1280], schemes: ["dark"] });
  await hub.stop();
  const listener = await start(0, { role: "listen" });
  await look("listener", listener.url, LISTENER);
  await listener.stop();
} else if (process.argv[2]) {
  await look("hub", process.argv[2]);
} else {
  const hubs = [
    ["two", {}, {}],
    ["one", { speakers: 1, state: "idle" }, { widths: [320, 1280], schemes: ["light"], pages: ["now", "speakers", "music", "calibrate"] }],
    ["thirty", { speakers: 30 }, { widths: [320, 768, 1280], schemes: ["dark"], pages: ["now", "speakers", "speakers/kitchen", "calibrate"] }],
    ["none", { speakers: 0, state: "idle" }, { widths: [390], schemes: ["dark"], pages: ["now", "speakers", "calibrate"] }],
    ["old", { without: ["me", "queue", "jobs", "library", "signals", "groups", "access", "join-codes", "check", "catalog", "events"] }, { widths: [390], schemes: ["light"], expected: /404/ }],
    ["stranger", { role: "none" }, { widths: [320, 390], schemes: ["light"], pages: ["now"] }],
    ["listener", { role: "listen" }, LISTENER],
  ];
  for (const [name, options, how] of hubs) {
    const hub = await start(0, options);
    await look(name, hub.url, how);
    await hub.stop();
  }
  await listen(FLAGS, (what) => faults.push(`listen: ${what}`));
}
await browser.close();
console.log(faults.length === 0 ? "every page is as it should be" : faults.join("\n"));
process.exit(faults.length === 0 ? 0 : 1);
