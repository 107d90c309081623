// The join page: a code from the link, one tap on a side, and this device plays.

import { browserName } from "../engine/browser";
import { browserKey, load, save } from "../engine/identity";
import { askForOpus } from "../engine/opus";
import { BrowserSpeaker, type View } from "../engine/speaker";
import { join as words } from "../strings";
import type { Role } from "../wire";
import { element, setText } from "./dom";
import { anotherName, tidyName } from "./names";
import { PlayingPanel } from "./playing";

const SIDES: readonly [Role, string, string][] = [
  ["left", words.left, words.leftHelp],
  ["both", words.both, words.bothHelp],
  ["right", words.right, words.rightHelp],
];

const root = document.getElementById("join") as HTMLElement;
const message = element("p", { class: "message", role: "alert", hidden: true });
const name = element("input", { id: "name", type: "text", autocomplete: "off", maxlength: "40", enterkeyhint: "done" });
const code = element("input", {
  id: "code",
  type: "text",
  autocomplete: "off",
  autocapitalize: "characters",
  spellcheck: "false",
  maxlength: "14",
  "aria-describedby": "code-help",
});
const codeField = element(
  "div",
  { class: "field" },
  element("label", { for: "code" }, words.code),
  code,
  element("p", { id: "code-help", class: "help" }, words.codeHelp),
);
const sides = element("div", { class: "sides", role: "group", "aria-labelledby": "choose" });
const start = element(
  "section",
  { class: "start" },
  element("p", { class: "lead" }, words.lead),
  message,
  codeField,
  element("h2", { id: "choose" }, words.choose),
  sides,
  element("div", { class: "field" }, element("label", { for: "name" }, words.name), name),
);
const panel = new PlayingPanel({
  onVolume: (volume) => {
    save("antiphon.volume", String(volume));
    speaker?.setVolume(volume);
  },
  onPause: (paused) => speaker?.setPaused(paused),
  onResume: () => speaker?.resume(),
  onRole: (role) => restart(role),
  onStop: () => leave(),
});

void askForOpus();

let speaker: BrowserSpeaker | undefined;
let role: Role = "both";

function show(): void {
  document.title = words.title;
  code.value = codeOfLink() ?? "";
  codeField.hidden = code.value !== "";
  if (code.value === "") say(words.noCode);
  name.value = load("antiphon.name") ?? browserName();
  for (const [side, label, help] of SIDES) {
    const button = element("button", { type: "button", class: `side ${side}` }, element("b", {}, label), element("span", {}, help));
    button.addEventListener("click", () => begin(side));
    sides.append(button);
  }
  root.append(element("header", {}, element("h1", {}, words.heading)), start, panel.root);
  window.addEventListener("hashchange", () => {
    code.value = codeOfLink() ?? code.value;
  });
  // A page that is left says so, and its speaker does not linger in the hub's list.
  window.addEventListener("pagehide", () => leave());
}

/** Codes are Crockford's base32: what people mistype has a meaning there. */
function tidy(text: string): string {
  return text.toUpperCase().replace(/[\s-]/g, "").replace(/O/g, "0").replace(/[IL]/g, "1");
}

function codeOfLink(): string | undefined {
  const text = tidy(decode(location.hash.slice(1)));
  return text === "" ? undefined : text;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

function begin(side: Role): void {
  role = side;
  if (typeof AudioContext === "undefined") return say(words.noAudio);
  say("");
  save("antiphon.name", nameGiven());
  speaker = new BrowserSpeaker({
    code: tidy(code.value) || undefined,
    key: browserKey(),
    name: nameGiven(),
    anotherName: (taken) => anotherName(taken, browserName()),
    role: side,
    volume: panel.volume(),
    onView: update,
  });
  start.hidden = true;
  panel.open();
}

/** The hub's person decides over roles; a guest asks for one when joining, so another side is another joining. */
function restart(side: Role): void {
  speaker?.stop("asks for another side");
  begin(side);
}

function leave(): void {
  speaker?.stop();
  speaker = undefined;
  panel.root.hidden = true;
  start.hidden = false;
}

function update(view: View): void {
  if (view.link.kind === "refused") {
    leave();
    codeField.hidden = !["wrong_code", "expired"].includes(view.link.code);
    return say(words.refused[view.link.code]);
  }
  if (view.link.kind === "connected") keepName(view.name);
  panel.show(view, role);
}

/** Where the name was taken, the one that this speaker has got instead is its own from then on. */
function keepName(got: string): void {
  if (name.value === got) return;
  name.value = got;
  save("antiphon.name", got);
}

function say(text: string): void {
  message.hidden = text === "";
  setText(message, text);
}

function nameGiven(): string {
  return tidyName(name.value, browserName());
}

show();
