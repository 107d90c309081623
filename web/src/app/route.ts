// Which page an address means; pure.

export const PAGES = ["now", "speakers", "music", "calibrate", "guide", "tracks", "settings"] as const;
export type Page = (typeof PAGES)[number];

export interface Route {
  page: Page;
  /** What follows the page, as in #/speakers/desk. */
  rest: string | null;
}

export function routeOf(hash: string): Route {
  const [name, ...rest] = hash.replace(/^#\/?/, "").split("/");
  const page = PAGES.find((page) => page === name) ?? "now";
  const joined = rest.join("/");
  return { page, rest: joined === "" ? null : decoded(joined) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function hrefOf(page: Page, rest?: string): string {
  return rest === undefined ? `#/${page}` : `#/${page}/${encodeURIComponent(rest)}`;
}
