// Sentences that come and go.

import { untrack } from "svelte";

export interface Toast {
  id: number;
  text: string;
  tone: "note" | "bad";
}

/** Long enough to read two sentences twice. */
const SHOWN_MS = 9_000;
/** More than this nobody reads. */
const MOST = 3;

export const toasts = $state<{ list: Toast[] }>({ list: [] });

let next = 1;

export function say(text: string, tone: Toast["tone"] = "note"): void {
  const id = next++;
  // An effect that says something must not wait for what it says: it would say it for ever.
  const others = untrack(() => toasts.list).filter((toast) => toast.text !== text);
  toasts.list = [...others, { id, text, tone }].slice(-MOST);
  setTimeout(() => dismiss(id), SHOWN_MS);
}

export function dismiss(id: number): void {
  toasts.list = toasts.list.filter((toast) => toast.id !== id);
}
