// Numbers as a person reads them. Never a bare sign: "2.5 ms later", not "+2.5".

/** Seconds as 3:07 or 1:02:03. */
export function clock(seconds: number): string {
  const s = Math.floor(Math.min(Math.max(seconds, 0), 1e9));
  const two = (n: number): string => String(n).padStart(2, "0");
  const [hours, minutes] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  return hours === 0 ? `${minutes}:${two(s % 60)}` : `${hours}:${two(minutes)}:${two(s % 60)}`;
}

/** The same for a screen reader: "3 minutes 7 seconds". */
export function spokenClock(seconds: number): string {
  const s = Math.floor(Math.max(seconds, 0));
  const parts: [number, string][] = [
    [Math.floor(s / 3600), "hour"],
    [Math.floor(s / 60) % 60, "minute"],
    [s % 60, "second"],
  ];
  const said = parts.filter(([n]) => n > 0).map(([n, unit]) => `${n} ${unit}${n === 1 ? "" : "s"}`);
  return said.length === 0 ? "0 seconds" : said.join(" ");
}

/** At most `digits` behind the point, and no zeros at the end. */
export function plain(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return digits === 0 ? text : text.replace(/\.?0+$/, "");
}

/** A span of time in the unit that it is read best in: "4.2 µs", "1.27 ms", "2.1 s". */
export function span(us: number): string {
  const size = Math.abs(us);
  if (size < 9.95) return `${plain(size, 1)} µs`;
  if (size < 999.5) return `${Math.round(size)} µs`;
  if (size < 99_950) return `${plain(size / 1e3, size < 9_950 ? 2 : 1)} ms`;
  return size < 999_500 ? `${Math.round(size / 1e3)} ms` : `${plain(size / 1e6, 1)} s`;
}

/** What stands alone begins as a sentence does. */
export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A delay as a person means it. */
export function delay(us: number): string {
  if (Math.abs(us) < 0.5) return "on time";
  return `${plain(Math.abs(us) / 1e3, 3)} ms ${us > 0 ? "later" : "earlier"}`;
}

/** How late something plays: "12.3 µs late". */
export function lateness(us: number): string {
  if (Math.abs(us) < 0.05) return "on time";
  return `${span(us)} ${us > 0 ? "late" : "early"}`;
}

/** Microseconds of "2.5" and later or earlier; null when it is no number, or beyond what a speaker takes. */
export function delayFrom(text: string, later: boolean): number | null {
  const ms = Number(text.trim().replace(",", "."));
  if (text.trim() === "" || !Number.isFinite(ms) || ms < 0 || ms > MAX_DELAY_MS) return null;
  const us = Math.round(ms * 1e3);
  return later || us === 0 ? us : -us;
}

/** Most that a speaker's delay may be, as in the hub. */
export const MAX_DELAY_MS = 2000;

/** "4 seconds", "12 minutes", "3 hours", "5 days". */
export function age(seconds: number): string {
  const [value, unit] =
    seconds < 90 ? [seconds, "second"]
    : seconds < 5_400 ? [seconds / 60, "minute"]
    : seconds < 172_800 ? [seconds / 3_600, "hour"]
    : [seconds / 86_400, "day"];
  const whole = Math.max(0, Math.round(value as number));
  return `${whole} ${unit}${whole === 1 ? "" : "s"}`;
}

/** "3.4 MB" */
export function bytes(n: number): string {
  if (n < 1_000) return `${n} bytes`;
  return n < 1e6 ? `${Math.round(n / 1e3)} kB` : `${plain(n / 1e6, 1)} MB`;
}

// Volume: a fader that is even in decibels over its upper part, as ears are; at its foot it is silent.

/** Where the fader's foot stands, in decibels. */
const FLOOR_DB = -50;
const SILENT_DB = -100;

/** Fader (0 to 100) to decibels. */
export function gainOf(fader: number): number {
  if (fader <= 0) return SILENT_DB;
  return Math.round((FLOOR_DB * (1 - Math.min(fader, 100) / 100)) * 10) / 10;
}

/** Decibels to fader (0 to 100). */
export function faderOf(gainDb: number): number {
  if (gainDb <= FLOOR_DB) return 0;
  return Math.min(100, Math.max(0, Math.round((1 - gainDb / FLOOR_DB) * 100)));
}

/** Decibels in words. A real minus sign, since it is a number that is read. */
export function gain(gainDb: number): string {
  if (gainDb <= FLOOR_DB) return "silent";
  const rounded = Math.round(gainDb * 10) / 10;
  if (rounded === 0) return "full";
  return rounded < 0 ? `−${plain(-rounded, 1)} dB` : `+${plain(rounded, 1)} dB`;
}

/** What a calibration does to a speaker: "8 ms later, −0.9 dB". */
export function correction(found: { delay_us: number; gain_db: number }): string {
  const parts = [
    Math.abs(found.delay_us) < 0.5 ? null : delay(found.delay_us),
    Math.abs(found.gain_db) < 0.05 ? null : gain(found.gain_db),
  ].filter((part) => part !== null);
  return parts.length === 0 ? "left as it was" : parts.join(", ");
}
