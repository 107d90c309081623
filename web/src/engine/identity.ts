// What this browser keeps: the key that names it to hubs, its name and its volume. A browser that keeps nothing (private
// windows) is another speaker each time.

const KEY = "antiphon.key";

/** 32 random bytes as 64 hex digits. */
export function browserKey(): string {
  const kept = load(KEY);
  if (kept && /^[0-9a-f]{64}$/.test(kept)) return kept;
  const bytes = crypto.getRandomValues(new Uint8Array(32));
  const key = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  save(KEY, key);
  return key;
}

export function load(name: string): string | undefined {
  try {
    return localStorage.getItem(name) ?? undefined;
  } catch {
    return undefined;
  }
}

export function save(name: string, value: string): void {
  try {
    localStorage.setItem(name, value);
  } catch {
    // Nothing is kept then.
  }
}
