// Pages in browsers of three makes, with the few acts that the tests need. Chromium by Playwright; Firefox by WebDriver BiDi, which it
// speaks itself; WebKit (WebKitGTK, the engine of Safari) by its WebDriver, on a screen of Xvfb.
//
// Node.js 20 has a WebSocket only with --experimental-websocket.
import { existsSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { launch } from "./lab.mjs";

const NEEDS = { chromium: ["/usr/bin/chromium"], firefox: ["/usr/bin/firefox-esr"], webkit: ["/usr/bin/WebKitWebDriver", "/usr/bin/Xvfb"] };
export const isInstalled = (engine) => NEEDS[engine].every(existsSync);
const size = { width: 390, height: 844 };
let nextPort = 9_300 + (process.pid % 500);

/** A page with `goto`, `fill`, `click`, `text`, `evaluate` (an expression) and `close`; `env` says which sound server it plays on, `spawn` starts a
 *  program with it, and `directory` is its own. */
export const open = (engine, { env, spawn, directory }) => ({ chromium: openChromium, firefox: openFirefox, webkit: openWebkit })[engine]({ env, spawn, directory });

async function openChromium({ env }) {
  const browser = await launch(env);
  const page = await browser.newPage({ viewport: size });
  return {
    goto: (url) => page.goto(url),
    fill: (selector, text) => page.fill(selector, text),
    click: (selector) => page.click(selector),
    text: () => page.innerText("main"),
    evaluate: (expression) => page.evaluate(expression),
    close: () => browser.close(),
    browser,
  };
}

async function openFirefox({ env, spawn, directory }) {
  const [port, profile] = [(nextPort += 1), mkdtempSync(join(directory, "firefox-"))];
  spawn("firefox-esr", ["--headless", "--remote-debugging-port", String(port), "--profile", profile, "about:blank"], { env });
  const socket = await eventually("Firefox", () => connected(`ws://127.0.0.1:${port}/session`));
  const waiting = new Map();
  socket.onmessage = ({ data }) => {
    const answer = JSON.parse(data);
    waiting.get(answer.id)?.(answer);
  };
  let id = 0;
  const ask = async (method, params) => {
    id += 1;
    const answer = await new Promise((done) => {
      waiting.set(id, done);
      socket.send(JSON.stringify({ id, method, params }));
    });
    if (answer.error) throw new Error(`${method}: ${answer.message}`);
    return answer.result;
  };
  await ask("session.new", { capabilities: {} });
  const { contexts } = await ask("browsingContext.getTree", {});
  const { context } = contexts[0];
  const evaluate = async (expression) => (await ask("script.evaluate", { expression, target: { context }, awaitPromise: true })).result?.value;
  return {
    goto: (url) => ask("browsingContext.navigate", { context, url, wait: "complete" }),
    fill: (selector, text) => evaluate(filled(selector, text)),
    click: async (selector) => {
      const at = JSON.parse(await evaluate(`(() => {
        const element = document.querySelector(${JSON.stringify(selector)});
        element.scrollIntoView({ block: "center" });
        const { x, y, width, height } = element.getBoundingClientRect();
        return JSON.stringify({ x: Math.round(x + width / 2), y: Math.round(y + height / 2) });
      })()`));
      const tap = [{ type: "pointerMove", ...at }, { type: "pointerDown", button: 0 }, { type: "pointerUp", button: 0 }];
      await ask("input.performActions", { context, actions: [{ type: "pointer", id: "finger", parameters: { pointerType: "touch" }, actions: tap }] });
    },
    text: () => evaluate('document.querySelector("main").innerText'),
    evaluate,
    close: () => ask("browser.close", {}).catch(() => undefined),
  };
}

async function openWebkit({ env, spawn }) {
  const port = (nextPort += 1);
  const screen = `:${port}`;
  spawn("Xvfb", [screen, "-screen", "0", "800x1000x24", "-nolisten", "tcp"], { env });
  // In a container it can have no sandbox of its own, and no graphics card.
  const own = { ...env, DISPLAY: screen, WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1", WEBKIT_DISABLE_COMPOSITING_MODE: "1", LIBGL_ALWAYS_SOFTWARE: "1" };
  spawn("WebKitWebDriver", [`--port=${port}`], { env: own });
  const ask = async (method, path, body) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method, body: body && JSON.stringify(body), headers: { "content-type": "application/json" } });
    const { value } = await answer.json();
    if (value?.error) throw new Error(`${path}: ${value.message}`);
    return value;
  };
  const begin = () => ask("POST", "/session", { capabilities: { alwaysMatch: { "webkitgtk:browserOptions": { args: ["--automation"] } } } }).catch(() => undefined);
  const session = `/session/${(await eventually("WebKit", begin)).sessionId}`;
  const element = async (selector) => Object.values(await ask("POST", `${session}/element`, { using: "css selector", value: selector }))[0];
  const evaluate = (expression) => ask("POST", `${session}/execute/sync`, { script: `return ${expression}`, args: [] });
  return {
    goto: (url) => ask("POST", `${session}/url`, { url }),
    fill: (selector, text) => evaluate(filled(selector, text)),
    click: async (selector) => ask("POST", `${session}/element/${await element(selector)}/click`, {}),
    text: () => evaluate('document.querySelector("main").innerText'),
    evaluate,
    close: () => ask("DELETE", session).catch(() => undefined),
  };
}

/** As somebody types it. */
const filled = (selector, text) => `(() => {
  const field = document.querySelector(${JSON.stringify(selector)});
  field.value = ${JSON.stringify(text)};
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.dispatchEvent(new Event("change", { bubbles: true }));
})()`;

const connected = (url) =>
  new Promise((done) => {
    const socket = new WebSocket(url);
    socket.onopen = () => done(socket);
    socket.onerror = () => done(undefined);
  });

async function eventually(what, look, seconds = 40) {
  for (const end = Date.now() + 1e3 * seconds; ; await sleep(200)) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`${what} does not start`);
  }
}
