// A walk through the steps of a guide: done, failed, back; pure. The same rules as `antiphon guide`.

import type { Guide } from "./api";

export interface Walk {
  guide: string;
  model: string | null;
  at: number;
  /** How many pieces of advice for this step have been tried. */
  tried: number;
}

export type Step = "done" | "failed" | "back";

export const begin = (guide: Guide): Walk => ({ guide: guide.id, model: guide.model, at: 0, tried: 0 });

export function walked(walk: Walk, guide: Guide, step: Step): Walk {
  const otherwise = guide.steps[walk.at]?.otherwise.length ?? 0;
  switch (step) {
    case "done": return { ...walk, at: Math.min(walk.at + 1, guide.steps.length), tried: 0 };
    case "back": return { ...walk, at: Math.max(0, walk.at - 1), tried: 0 };
    case "failed": return { ...walk, tried: Math.min(walk.tried + 1, otherwise + 1) };
  }
}

/** What to try at present; null: nothing yet. "stuck": all of it has been tried. */
export function advice(walk: Walk, guide: Guide): string | "stuck" | null {
  if (walk.tried === 0) return null;
  return guide.steps[walk.at]?.otherwise[walk.tried - 1] ?? "stuck";
}

/** Goes to the step of that name, for a step that says where to begin again. */
export function backTo(walk: Walk, guide: Guide, id: string): Walk {
  const at = guide.steps.findIndex((step) => step.id === id || step.id.endsWith(`/${id}`));
  return at < 0 ? walk : { ...walk, at, tried: 0 };
}
