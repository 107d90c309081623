// What is seen while this device is a speaker: connected, playing, how well in time, and how loud.

import { load } from "../engine/identity";
import type { View } from "../engine/speaker";
import { join as words } from "../strings";
import type { Role } from "../wire";
import { element, setText } from "./dom";

export interface PanelActions {
  onVolume(volume: number): void;
  onPause(paused: boolean): void;
  onResume(): void;
  onRole(role: Role): void;
  onStop(): void;
}

export class PlayingPanel {
  readonly root: HTMLElement;
  private readonly side = element("p", { class: "now" });
  private readonly name = element("dd");
  private readonly connection = element("dd");
  private readonly sound = element("dd");
  private readonly time = element("dd");
  private readonly resume = element("button", { type: "button", class: "big", hidden: true }, words.tapToGoOn);
  private readonly pause = element("button", { type: "button" }, words.mute);
  private readonly roles = new Map<Role, HTMLButtonElement>();
  private readonly slider = element("input", { id: "volume", type: "range", min: "0", max: "100", step: "1" });
  private paused = false;

  constructor(actions: PanelActions) {
    this.slider.value = String(Math.round(100 * kept()));
    this.slider.addEventListener("input", () => actions.onVolume(this.volume()));
    this.pause.addEventListener("click", () => actions.onPause(!this.paused));
    this.resume.addEventListener("click", () => actions.onResume());
    const stop = element("button", { type: "button", class: "quiet" }, words.stop);
    stop.addEventListener("click", () => actions.onStop());
    this.root = element(
      "section",
      { class: "playing", hidden: true, tabindex: "-1", "aria-live": "off" },
      this.side,
      this.resume,
      this.facts(),
      element("p", { class: "help" }, words.sync.doubt),
      element("div", { class: "field" }, element("label", { for: "volume" }, words.volume), this.slider),
      this.roleButtons(actions),
      element("div", { class: "row" }, this.pause, stop),
      element("p", { class: "note" }, words.keepOpen),
    );
  }

  volume(): number {
    return Number(this.slider.value) / 100;
  }

  open(): void {
    this.root.hidden = false;
    this.root.focus();
  }

  show(view: View, asked: Role): void {
    const role = view.settings?.role ?? asked;
    setText(this.side, words.now(words.sides[role] ?? role));
    for (const [side, button] of this.roles) button.setAttribute("aria-pressed", String(side === role));
    setText(this.name, view.name);
    setText(this.connection, connectionOf(view));
    setText(this.sound, soundOf(view));
    setText(this.time, timeOf(view));
    this.resume.hidden = !view.interrupted || view.link.kind === "connecting";
    this.paused = view.paused;
    setText(this.pause, view.paused ? words.unmute : words.mute);
  }

  private facts(): HTMLElement {
    const rows: [string, HTMLElement][] = [
      [words.called, this.name],
      [words.connection, this.connection],
      [words.playing, this.sound],
      [words.time, this.time],
    ];
    this.connection.setAttribute("role", "status");
    return element("dl", {}, ...rows.map(([term, value]) => element("div", {}, element("dt", {}, term), value)));
  }

  private roleButtons(actions: PanelActions): HTMLElement {
    const sides: [Role, string][] = [
      ["left", words.left],
      ["both", words.both],
      ["right", words.right],
    ];
    const group = element("div", { class: "roles", role: "group", "aria-label": words.choose });
    for (const [side, label] of sides) {
      const button = element("button", { type: "button", "aria-pressed": "false" }, label);
      button.addEventListener("click", () => actions.onRole(side));
      this.roles.set(side, button);
      group.append(button);
    }
    return group;
  }
}

function kept(): number {
  const volume = Number(load("antiphon.volume") ?? "1");
  return volume >= 0 && volume <= 1 ? volume : 1;
}

function connectionOf(view: View): string {
  if (view.link.kind === "connected") return words.link.connected(view.hubName);
  if (view.link.kind === "lost") return view.link.full ? words.link.full : words.link.lost;
  return words.link.connecting;
}

function soundOf(view: View): string {
  if (view.interrupted) return words.state.interrupted;
  if (view.paused) return words.state.silenced;
  if (view.settings?.muted) return words.state.muted;
  return words.state[view.state];
}

/** Twice the doubt and what is still to be corrected: what can be said without a microphone. */
function timeOf(view: View): string {
  if (!view.quality.clock.synced || !view.quality.output.ready) return words.sync.learning;
  if (view.state !== "playing") return words.sync.waiting;
  const ms = (2 * view.quality.sdUs + Math.abs(view.quality.phaseErrorUs)) / 1e3;
  return words.sync.within(ms < 9.95 ? Math.max(0.1, ms).toFixed(1) : ms.toFixed(0));
}
