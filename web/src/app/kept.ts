// What this browser remembers. A browser that remembers nothing (private windows) is no fault.

export function kept<T>(key: string, otherwise: T): T {
  try {
    const text = localStorage.getItem(`antiphon.${key}`);
    return text === null ? otherwise : (JSON.parse(text) as T);
  } catch {
    return otherwise;
  }
}

export function keep(key: string, value: unknown): void {
  try {
    localStorage.setItem(`antiphon.${key}`, JSON.stringify(value));
  } catch {
    // Then it is asked again next time.
  }
}
