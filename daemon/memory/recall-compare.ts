import type { FoundText, RecallHow } from '../../contract/core.ts';

/** An answer as far as it is compared. */
export type Compared = RecallHow & { readonly texts: readonly FoundText[]; readonly sha256: string };

const NAMED_MAX = 20;

/** What differs between an answer and the same question asked again, in words for people; empty: nothing does. */
export function differencesOf(
  then: Compared,
  now: Compared,
  /** The digest of the text that has this id today. */
  today: (id: string) => string | undefined,
): readonly string[] {
  if (then.sha256 === now.sha256) return [];
  const differences = [...howDiffers(then, now)];
  const before = new Map(then.texts.map((text) => [text.id, text.sha256]));
  const after = new Map(now.texts.map((text) => [text.id, text.sha256]));
  const changed: string[] = [];
  for (const [id, sha256] of before) {
    const found = today(id);
    if (found === undefined) changed.push(`${id} is no longer there`);
    else if (found !== sha256) changed.push(`${id} has another text now`);
    else if (!after.has(id)) changed.push(`${id} is no longer among the first`);
  }
  for (const id of after.keys()) if (!before.has(id)) changed.push(`${id} is found now, and was not then`);
  if (changed.length === 0)
    changed.push('the same texts in another order: texts that came later changed how rare words are');
  const more = changed.length - NAMED_MAX;
  return [...differences, ...changed.slice(0, NAMED_MAX), ...(more > 0 ? [`and ${more} more`] : [])];
}

function howDiffers(then: Compared, now: Compared): readonly string[] {
  const found = [];
  if (then.how !== now.how)
    found.push(`found by ${then.how} then, by ${now.how} now${now.why === '' ? '' : `: ${now.why}`}`);
  else if (then.modelSha256 !== now.modelSha256)
    found.push(`another model of vectors: ${then.model} then, ${now.model} now`);
  if (then.waiting > 0) found.push(`${then.waiting} texts had no vector then`);
  if (now.waiting > 0) found.push(`${now.waiting} texts have no vector yet`);
  if (then.unread > 0) found.push(`${then.unread} events and documents were not read then`);
  if (now.unread > 0) found.push(`${now.unread} events and documents are not read yet`);
  return found;
}
