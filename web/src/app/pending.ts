// Controls that answer at once: what was asked of a speaker is shown until the hub has said what it made of it; pure.

import type { SpeakerPatch, SpeakerStatus } from "./api";

/** What was asked of speakers, by name, and is not confirmed yet. */
export type Pending = Record<string, SpeakerPatch>;

/** A patch on top of what is pending. */
export function asked(pending: Pending, name: string, patch: SpeakerPatch): Pending {
  return { ...pending, [name]: { ...pending[name], ...patch } };
}

/** The hub answered, or refused: what was sent is no longer pending, unless it was changed again meanwhile. */
export function answered(pending: Pending, name: string, sent: SpeakerPatch): Pending {
  const left = Object.entries(pending[name] ?? {}).filter(([key, value]) => sent[key as keyof SpeakerPatch] !== value);
  const rest = Object.fromEntries(Object.entries(pending).filter(([other]) => other !== name));
  return left.length === 0 ? rest : { ...rest, [name]: Object.fromEntries(left) };
}

/** The speakers as they will be. */
export function shown(speakers: SpeakerStatus[], pending: Pending): SpeakerStatus[] {
  return speakers.map((speaker) => {
    const patch = pending[speaker.name];
    return patch ? { ...speaker, ...patch } : speaker;
  });
}
