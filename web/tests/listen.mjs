// The microphone's way through the page: Chromium's pretended microphone hears a tone, and what comes to the hub is that tone
// in one piece, but for a few breaks of the pretended microphone itself; a microphone that is refused, and a page that may have
// none, are said; and it is free when the page is left.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { start } from "./fake-hub.mjs";

const RATE = 48_000;
const TONE_HZ = 480;
const SIZE = 0.1;

export async function listen(flags, fault) {
  const directory = mkdtempSync(join(tmpdir(), "antiphon-listen-"));
  const tone = join(directory, "tone.wav");
  writeFileSync(tone, sine(20));
  const hub = await start(0, { state: "idle" });
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  const pretended = ["--use-fake-device-for-media-stream", `--use-file-for-fake-audio-capture=${tone}`];
  // No name of this machine and no secure one either: as a phone sees a hub.
  const there = `http://hub.test:${new URL(hub.url).port}`;
  const ways = [
    [[...pretended, "--use-fake-ui-for-media-stream"], hub.url, heard],
    // It asks, and nobody lets it.
    [pretended, hub.url, refused],
    [["--host-resolver-rules=MAP hub.test 127.0.0.1"], there, insecure],
  ];
  for (const [more, url, way] of ways) {
    const browser = await chromium.launch({ executablePath, args: [...flags, ...more] });
    const page = await (await browser.newContext({ viewport: { width: 390, height: 844 } })).newPage();
    page.setDefaultTimeout(40_000);
    page.on("console", (message) => { if (message.type() === "error") fault(message.text()); });
    page.on("pageerror", (error) => fault(String(error)));
    // Every stream that the page was given.
    await page.addInitScript(() => {
      window.given = [];
      const devices = navigator.mediaDevices;
      if (!devices) return;
      const ask = devices.getUserMedia.bind(devices);
      devices.getUserMedia = async (how) => {
        const stream = await ask(how);
        window.given.push(...stream.getTracks());
        return stream;
      };
    });
    await page.goto(`${url}/#/calibrate`);
    await way(page, hub, fault).catch((error) => fault(`${way.name}: ${error}`));
    await browser.close();
  }
  await hub.stop();
  rmSync(directory, { recursive: true });
}

const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
const live = (page) => page.evaluate(() => window.given.filter((track) => track.readyState === "live").length);

async function heard(page, hub, fault) {
  await press(page, "Next");
  await press(page, "Let this device listen");
  await press(page, "Play a sound to judge by");
  await page.getByText("Good", { exact: true }).waitFor();
  await page.getByText("are off, as the browser says").waitFor();
  await press(page, "Next");
  const before = hub.queue().items.length;
  await press(page, "Record here");
  await page.getByText(/Recording: \d+ s left/).waitFor();
  if ((await live(page)) !== 1) fault("one microphone is open while it records");
  await page.getByRole("heading", { name: "Better, and kept" }).waitFor();
  if ((await live(page)) !== 0) fault("the microphone is still open after the recording");
  if (hub.queue().items.length > before) fault("the track stayed in the queue");
  const kept = page.waitForEvent("download");
  await page.getByRole("link", { name: /Keep the recording/ }).click();
  if (!/^antiphon-[\d-]+\.wav$/.test((await kept).suggestedFilename())) fault("a kept recording has no name");
  judge(hub.uploads.at(-1), fault);

  // Given up in the middle, then left in the middle.
  await press(page, "Measure again");
  await press(page, "Next");
  await press(page, "Next");
  await press(page, "Record here");
  await page.getByText(/Recording: \d+ s left/).waitFor();
  await press(page, "Cancel");
  await page.getByRole("button", { name: "Record here" }).waitFor();
  await press(page, "Record here");
  await page.getByText(/Recording: \d+ s left/).waitFor();
  await page.evaluate(() => { location.hash = "#/guide"; });
  await page.getByRole("heading", { name: "Guide" }).waitFor();
  if ((await live(page)) !== 0) fault("the microphone is still open after the page was left");
  if (hub.uploads.length !== 1) fault("what was given up was sent");
}

async function refused(page, _hub, fault) {
  await press(page, "Next");
  await press(page, "Let this device listen");
  await page.getByText("The microphone was refused.").waitFor();
  await press(page, "Next");
  await press(page, "Record here");
  await page.getByText("The microphone was refused.").waitFor();
  if ((await page.getByText(/Recording/).count()) > 0) fault("it records without a microphone");
}

async function insecure(page, _hub, fault) {
  if ((await page.getByText("This device's microphone").count()) > 0) fault("a microphone is offered that the browser does not give");
  const href = await page.getByRole("link", { name: "Open the encrypted page" }).getAttribute("href");
  if (href !== "https://hub.test:7756/#/calibrate") fault(`the encrypted page is said to be ${href}`);
  await page.getByText(/^10:17:1E/).waitFor();
  await press(page, "Next");
  await press(page, "Next");
  await page.getByText("Send the recording", { exact: true }).waitFor();
}

/** As `wav24` writes it, from before the track to two seconds after, and the tone in all of it. */
function judge(file, fault) {
  if (file.toString("latin1", 0, 4) !== "RIFF" || file.readUInt16LE(34) !== 24 || file.readUInt16LE(22) !== 1) return fault("no WAV of one channel and 24 bits was sent");
  const rate = file.readUInt32LE(24);
  const frames = (file.length - 44) / 3;
  if (frames < 16 * rate || frames > 19 * rate) fault(`${(frames / rate).toFixed(2)} s were recorded`);
  const sample = (n) => file.readIntLE(44 + 3 * n, 3) / 0x7fffff;
  // A tone is known by its last two samples; what is lost or doubled between two is not.
  const turn = 2 * Math.cos((2 * Math.PI * TONE_HZ) / rate);
  let [holes, last, power] = [0, 0, 0];
  for (let n = 2; n < frames; n += 1) {
    if (Math.abs(sample(n) - turn * sample(n - 1) + sample(n - 2)) > 0.002) {
      if (n - last > rate / 100) holes += 1;
      last = n;
    }
    power += sample(n) ** 2;
  }
  // The pretended microphone is a timer of Chromium's, which a busy machine holds up.
  if (holes > 5) fault(`the tone breaks ${holes} times`);
  const size = Math.sqrt((2 * power) / frames);
  if (Math.abs(size / SIZE - 1) > 0.1) fault(`the tone came with ${size.toFixed(4)} instead of ${SIZE}`);
}

function sine(seconds) {
  const file = Buffer.alloc(44 + 2 * seconds * RATE);
  file.write("RIFF");
  file.writeUInt32LE(file.length - 8, 4);
  file.write("WAVEfmt ", 8);
  [16, 0x0001_0001, RATE, 2 * RATE, 0x0010_0002].forEach((word, n) => file.writeUInt32LE(word, 16 + 4 * n));
  file.write("data", 36);
  file.writeUInt32LE(file.length - 44, 40);
  for (let n = 0; n < seconds * RATE; n += 1) file.writeInt16LE(Math.round(32_767 * SIZE * Math.sin((2 * Math.PI * TONE_HZ * n) / RATE)), 44 + 2 * n);
  return file;
}
