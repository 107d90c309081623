// When to try again; pure. The first tries are quick, because most losses are a hub that restarts.

export type LinkState = "first" | "open" | "lost";

export interface Link {
  state: LinkState;
  /** Tries since it was last open. */
  tries: number;
  /** When it was lost, in milliseconds of the caller's clock. */
  lostAt: number | null;
}

export const FRESH: Link = { state: "first", tries: 0, lostAt: null };

const FIRST_MS = 300;
/** A hub that is back is found within this. */
const LONGEST_MS = 5_000;
/** Shorter losses need no banner: it would only flicker. */
const GRACE_MS = 1_200;

export function opened(_link: Link): Link {
  return { state: "open", tries: 0, lostAt: null };
}

export function lost(link: Link, now: number): Link {
  return { state: link.state === "first" ? "first" : "lost", tries: link.tries + 1, lostAt: link.lostAt ?? now };
}

/** Milliseconds to wait before the next try; `random` of 0 to 1 keeps thirty phones from coming at once. */
export function patience(link: Link, random: number): number {
  const base = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, link.tries - 1));
  return Math.round(base * (0.75 + 0.5 * random));
}

export function showsBanner(link: Link, now: number): boolean {
  return link.state !== "open" && link.lostAt !== null && now - link.lostAt >= GRACE_MS;
}
