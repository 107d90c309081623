// How a speaker is, in plain words; pure.

import type { SpeakerStatus } from "./api";
import { t } from "./strings";

export type Level = "good" | "note" | "bad" | "rest";

export interface Health {
  level: Level;
  /** One or two words. */
  word: string;
  /** A sentence more, where there is something to say or do. */
  more: string | null;
}

/** What went wrong within the last half minute. */
export interface Recent {
  lost: number;
  underruns: number;
}

const NOTHING: Recent = { lost: 0, underruns: 0 };

/** Silence of a speaker that reports once a second: three reports missed. */
const SILENT_MS = 4_000;

export function healthOf(speaker: SpeakerStatus, recent: Recent = NOTHING): Health {
  return away(speaker) ?? notReady(speaker) ?? troubled(speaker, recent) ?? well(speaker);
}

function away(speaker: SpeakerStatus): Health | null {
  const link = speaker.link;
  if (speaker.silent_ms > SILENT_MS) {
    return { level: "bad", word: t.health.silent, more: t.health.silentMore(Math.round(speaker.silent_ms / 1e3)) };
  }
  if (link?.state === "down") return { level: link.needs_help ? "bad" : "note", word: t.health.linkDown, more: link.why || null };
  if (link?.state === "stalled") return { level: "note", word: t.health.stalled, more: t.health.stalledMore };
  if (link && link.state !== "up") return { level: "note", word: t.health.connecting, more: link.why || null };
  return null;
}

function notReady(speaker: SpeakerStatus): Health | null {
  const report = speaker.report;
  if (!report) return { level: "note", word: t.health.joining, more: null };
  if (report.state === "failed") return { level: "bad", word: t.health.failed, more: t.health.failedMore };
  if (!report.synced) return { level: "note", word: t.health.settling, more: t.health.settlingMore };
  return null;
}

function troubled(speaker: SpeakerStatus, recent: Recent): Health | null {
  if (recent.underruns > 0) return { level: "note", word: t.health.gaps, more: t.health.gapsMore };
  if (recent.lost > 0) return { level: "note", word: t.health.losing, more: t.health.losingMore };
  if (speaker.calibration?.stale) return { level: "note", word: t.health.stale, more: speaker.calibration.stale };
  return null;
}

function well(speaker: SpeakerStatus): Health {
  if (speaker.muted) return { level: "rest", word: t.health.muted, more: null };
  if (!speaker.streaming) return { level: "rest", word: t.health.ready, more: null };
  switch (speaker.report?.state) {
    case "playing": return { level: "good", word: t.health.playing, more: null };
    case "buffering": return { level: "rest", word: t.health.filling, more: null };
    default: return { level: "rest", word: t.health.ready, more: null };
  }
}
