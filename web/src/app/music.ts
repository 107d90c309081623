// What is heard, from what the hub and its queue say; pure.

import type { Queue, Status } from "./api";

export interface Playing {
  title: string;
  artist: string | null;
  cover: string | null;
}

/** The queue knows the artist and the cover, if it is the queue that plays. */
export function current(status: Status | null, queue: Queue | null): Playing {
  const title = status?.programme.title ?? "";
  const item = queue?.items.find((item) => item.key === queue.current);
  const said = status?.programme.on_air;
  if (!item || !queue?.playing) return said ? { title: said, artist: title, cover: null } : { ...parted(title), cover: null };
  const cover = item.library && item.art !== false ? artOf(item.library) : null;
  // A station's name is less than what it plays; what a station played last is not what a file after it is called.
  if (queue.on_air && item.from === "url") return { title: queue.on_air, artist: item.title, cover };
  return { title: item.title, artist: item.artist, cover };
}

/** A player says "artist - title". */
function parted(text: string): { title: string; artist: string | null } {
  const at = text.indexOf(" - ");
  return at <= 0 ? { title: text, artist: null } : { title: text.slice(at + 3), artist: text.slice(0, at) };
}

export function artOf(library: string): string {
  return `/api/v1/library/${encodeURIComponent(library)}/art`;
}

/** A station as it was typed, or null. */
export function address(text: string): string | null {
  const trimmed = text.trim();
  if (!/^https?:\/\/\S+$/i.test(trimmed)) return null;
  return URL.canParse(trimmed) ? trimmed : null;
}
