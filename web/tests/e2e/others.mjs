// The browser speaker in engines that are not Chromium, heard through a real sound server: each joins by the link, takes the
// right, and plays that and not the left. How often it had nothing to play is told and not judged: a machine that stands still
// makes every browser go without. An engine that is not installed is NOT SHOWN.
//
//     node --experimental-websocket tests/e2e/others.mjs --antiphon PROGRAM
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { isInstalled, open } from "./engines.mjs";
import { realHub } from "./hub.mjs";
import { firstSound, Lab, RATE } from "./lab.mjs";
import { likeness, noise, writeWav } from "./sound.mjs";

const { values: given } = parseArgs({ options: { antiphon: { type: "string" } } });
const [left, right] = [noise(1), noise(2)];
for (const engine of ["firefox", "webkit"]) {
  if (isInstalled(engine)) await plays(engine);
  else console.log(`NOT SHOWN: ${engine} is not installed; make test-engines does that`);
}
process.exit(0);

async function plays(engine) {
  const lab = await Lab.open();
  const hub = await realHub(lab, given.antiphon, writeWav(join(lab.directory, "two.wav"), left, right));
  try {
    const env = { ...lab.env, PULSE_SINK: "A" };
    const page = await open(engine, { env, spawn: (...words) => lab.spawn(...words), directory: lab.directory });
    await page.goto(hub.url);
    const recording = lab.record();
    await lab.until("the recording", () => recording.frames() > 0);
    const tapped = recording.frames();
    await page.click(".side.right");
    await lab.until("the speaker", async () => (await hub.ask("status")).speakers.length === 1);
    hub.play();
    await lab.until("its side to be heard", async () => (await sleep(500), likeness(recording.last(RATE)[0], right) > 0.9), 60);
    assert.match(await page.text(), /Plays right/);
    // From here on nothing begins anew.
    await sleep(5_000);
    const [{ report: before }] = (await hub.ask("status")).speakers;
    await sleep(5_000);
    const [{ report }] = (await hub.ask("status")).speakers;
    await lab.until("a second of the right and nothing of the left", async () => {
      await sleep(500);
      const [last] = recording.last(RATE);
      return likeness(last, right) > 0.9 && likeness(last, left) < 0.3;
    });
    const [heard] = await recording.stop();
    assert.equal(report.packets.malformed, 0);
    const ms = Math.round((1e3 * (firstSound(heard, tapped) - tapped)) / RATE);
    console.log(`ok  ${engine}: first sound ${ms} ms after the tap; its output's place is known to ${Math.round(report.dac_sd_us)} us; ${report.underruns - before.underruns} gaps in the last five seconds`);
    await page.close();
  } finally {
    await hub.close();
    await lab.close();
  }
}
