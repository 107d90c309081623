// What a speaker is called; pure. Two phones of the same kind are called alike until somebody names them: the second one
// numbers itself.

/** MSG-3: a name has at most 63 bytes. */
const MAX_NAME = 63;
/** More of one kind than a household has: beyond that something else is wrong. */
const MOST = 9;

/** A name as the hub takes it, from what was typed; `standard` where that is nothing. */
export function tidyName(typed: string, standard: string): string {
  let text = typed.replace(/[\u0000-\u001f\u007f]/g, "").trim() || standard;
  while (new TextEncoder().encode(text).length > MAX_NAME) text = text.slice(0, -1).trim();
  return text;
}

/** What to be called where `name` is taken: the standard name with the next number; nothing where a person chose the name. */
export function anotherName(name: string, standard: string): string | undefined {
  const names = [standard, ...Array.from({ length: MOST - 1 }, (_, n) => `${standard} ${n + 2}`)];
  const at = names.indexOf(name);
  return at < 0 ? undefined : names[at + 1];
}
