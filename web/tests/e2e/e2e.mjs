// The join page in a real Chromium, heard through a real sound server: a wrong code, a link, a side, a hub that restarts.
//
//     node tests/e2e/e2e.mjs --antiphon PROGRAM [--screenshots DIR]
//     node tests/e2e/e2e.mjs --fake             the page alone, against a hub of a hundred lines
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { fakeHub } from "./fakehub.mjs";
import { realHub } from "./hub.mjs";
import { firstSound, Lab, RATE } from "./lab.mjs";
import { likeness, noise, writeWav } from "./sound.mjs";

const { values: given } = parseArgs({
  options: { antiphon: { type: "string" }, fake: { type: "boolean" }, screenshots: { type: "string" } },
});
const dist = fileURLToPath(new URL("../../dist", import.meta.url));
const [left, right] = [noise(1), noise(2)];
const lab = await Lab.open();
const began = Date.now();
const passed = (what) => console.log(`ok  ${((Date.now() - began) / 1e3).toFixed(1).padStart(5)} s  ${what}`);

const hub = given.fake
  ? await fakeHub({ dist, sample: (role, n) => (role === "right" ? right : left)[n % left.length] })
  : await realHub(lab, given.antiphon, writeWav(join(lab.directory, "two.wav"), left, right));
try {
  if (given.screenshots) mkdirSync(given.screenshots, { recursive: true });
  const page = await lab.page(undefined, "A", { width: 320, height: 640 });
  const picture = (name) => given.screenshots && page.screenshot({ path: join(given.screenshots, `${name}.png`), fullPage: true });
  await refusesAWrongCode(page, picture);
  if (hub.ask) await refusesAnExpiredCode(page);
  await playsItsSide(page, picture);
  if (hub.ask) await playsOpus();
  if (hub.ask) await numbersTheSecondOfAKind(page);
  await survivesAPause(page);
  await survivesARestart(page);
  await leaves(page);
} finally {
  await hub.close();
  await lab.close();
}
process.exit(0);

async function refusesAWrongCode(page, picture) {
  await page.goto(`${hub.origin}/j#WR0NGC0DE9`);
  await page.click(".side.left");
  const sentence = page.locator("[role=alert]");
  await sentence.waitFor({ state: "visible", timeout: 10_000 });
  assert.match(await sentence.innerText(), /This code is not valid/);
  await picture("join-wrong-code");
  passed("a wrong code is refused in a plain sentence");
}

async function refusesAnExpiredCode(page) {
  const valid_s = 1;
  const asked = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ valid_s }) };
  const { code } = await (await fetch(`${hub.origin}/api/v1/join-codes`, asked)).json();
  await sleep(1e3 * valid_s + 1_100);
  await page.goto("about:blank");
  await page.goto(`${hub.origin}/j#${code}`);
  await page.click(".side.left");
  const sentence = page.locator("[role=alert]");
  await sentence.waitFor({ state: "visible", timeout: 10_000 });
  assert.match(await sentence.innerText(), /expired/);
  passed("so is one that has expired");
}

async function playsItsSide(page, picture) {
  await page.goto("about:blank");
  await page.goto(hub.url);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320, "320 px are enough");
  await picture("join-start");
  const recording = lab.record();
  await lab.until("the recording", () => recording.frames() > 0);
  const tapped = recording.frames();
  await page.click(".side.right");
  if (hub.play) {
    await page.locator("dd", { hasText: /^connected/ }).waitFor({ timeout: 40_000 });
    hub.play();
  }
  await heardLike(right, recording);
  await page.locator("dd", { hasText: /^playing$/ }).waitFor({ timeout: 40_000 });
  await page.locator("dd", { hasText: /within/ }).waitFor({ timeout: 40_000 });
  await picture("join-playing");
  assert.deepEqual(page.problems, [], "nothing in the browser's console, and no breach of the content security policy");
  const [heard] = await recording.stop();
  const first = firstSound(heard, tapped);
  assert.ok(first > 0, "something is heard");
  passed(`first sound ${Math.round((1e3 * (first - tapped)) / RATE)} ms after the tap`);
  const other = likeness(heard.subarray(-2 * RATE), left);
  assert.ok(other < 0.3, `heard like the left channel too: ${other.toFixed(3)}`);
  passed("what is heard is the right channel and not the left");
}

/** A busy machine takes its time: until the last second was the programme. */
async function heardLike(programme, recording) {
  const found = [];
  await lab.until(
    () => `what is heard to be the programme (so far alike: ${found.join(" ")})`,
    async () => {
      await sleep(500);
      found.push(likeness(recording.last(RATE)[0], programme).toFixed(2));
      return Number(found.at(-1)) > 0.9;
    },
    30,
  );
}

/** The same session goes on, in another coding. */
async function playsOpus() {
  const { speakers } = await hub.ask("status");
  await hub.tell("codec", speakers[0].name, "opus");
  const recording = lab.record();
  await lab.until("packets of Opus", async () => (await hub.ask("status")).speakers[0].codec === "opus");
  await sleep(3_000);
  await heardLike(right, recording);
  const [after] = (await hub.ask("status")).speakers;
  assert.equal(after.report.packets.malformed, 0);
  assert.ok(after.report.packets.received > speakers[0].report.packets.received + 100, "packets are decoded");
  await recording.stop();
  passed("the same in Opus");
}

/** Two phones of one kind have one name until somebody gives them others. */
async function numbersTheSecondOfAKind(page) {
  const name = await page.locator("dt", { hasText: /^Name$/ }).locator("+ dd").innerText();
  const other = await lab.page(hub.url, "B");
  await other.click(".side.left");
  await other.locator("dd", { hasText: /^connected/ }).waitFor({ timeout: 40_000 });
  assert.equal(await other.locator("dt", { hasText: /^Name$/ }).locator("+ dd").innerText(), `${name} 2`);
  assert.deepEqual((await hub.ask("status")).speakers.map((speaker) => speaker.name).sort(), [name, `${name} 2`]);
  await other.getByRole("button", { name: "Stop being a speaker" }).click();
  assert.equal(await other.locator("#name").inputValue(), `${name} 2`, "its own from then on");
  await other.context().browser().close();
  await lab.until("the other is gone", async () => (await hub.ask("status")).speakers.length === 1);
  passed("a second one with the same name is let in by another, and shows it");
}

/** What a phone does to a page that nobody looks at: no timer, no message. */
async function survivesAPause(page) {
  const browser = await page.context().newCDPSession(page);
  const stand = (state) => browser.send("Page.setWebLifecycleState", { state });
  await stand("frozen");
  await sleep(4_000);
  await stand("active");
  const recording = lab.record();
  await heardLike(right, recording);
  await recording.stop();
  passed("a page that was stopped for 4 s plays on");
}

/** Also with the side that was chosen on the hub meanwhile, and not the one that was tapped here at first. */
async function survivesARestart(page) {
  if (hub.ask) await changesItsSide(page);
  await hub.restart();
  const recording = lab.record();
  await page.locator("dd", { hasText: /^connected/ }).waitFor({ timeout: 40_000 });
  await hub.play?.();
  await sleep(1_000);
  await heardLike(hub.ask ? left : right, recording);
  await recording.stop();
  if (hub.ask) assert.deepEqual((await hub.ask("status")).speakers.map((speaker) => speaker.role), ["left"]);
  passed("a hub that restarts is found again, and plays the side that was set last");
}

async function changesItsSide(page) {
  const { speakers } = await hub.ask("status");
  await hub.tell("role", speakers[0].name, "left");
  await page.locator(".now", { hasText: "left" }).waitFor({ timeout: 40_000 });
}

async function leaves(page) {
  const recording = lab.record();
  await lab.until("the recording", () => recording.frames() > 0);
  await page.getByRole("button", { name: "Stop being a speaker" }).click();
  await sleep(2_000);
  const [heard] = await recording.stop();
  assert.equal(firstSound(heard.subarray(-RATE)), -1, "silent a second after it has stopped");
  passed("stopped: silent at once");
}
