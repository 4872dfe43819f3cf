import type { IntentSpec } from '../../../contract/core.ts';
import type { NamedPlace, Phrase } from '../../../contract/phrase.ts';
import { keyOf, matched, type Values } from './match.ts';
import { choicesOf } from './phrase-faults.ts';
import { type Pattern, readTemplate, type SlotKind } from './template.ts';
import { type Token, tokensOf, trimmed } from './tokens.ts';

type Compiled = { readonly phrase: Phrase; readonly pattern: Pattern; readonly isVague: boolean };

/** What words mean by the phrase of an intent. */
export type PhraseMatch = { readonly params: Values; readonly say: string };

/** Phrases are read once for each version of an intent. */
const book = new WeakMap<IntentSpec, readonly Compiled[]>();

function compiled(spec: IntentSpec): readonly Compiled[] {
  const known = book.get(spec);
  if (known) return known;
  const made = (spec.phrases ?? []).flatMap((phrase) => {
    const read = readTemplate(phrase.say);
    return read.ok ? [{ phrase, pattern: read.pattern, isVague: hasText(read.pattern) }] : [];
  });
  book.set(spec, made);
  return made;
}

/**
 * What the words mean by the phrases of these intents, each meaning once. Where a phrase without `{…:text}` fits, those
 * with one do not count. Pure.
 */
export function meaningsOf<T extends { readonly spec: IntentSpec }>(
  words: string,
  intents: readonly T[],
  places: readonly NamedPlace[],
): readonly (T & PhraseMatch)[] {
  const all = tokensOf(words);
  if (!all || all.length === 0) return [];
  for (const tokens of trimmed(all)) {
    const found = meaningsAs(tokens, intents, places);
    if (found.length > 0) return found;
  }
  return [];
}

function meaningsAs<T extends { readonly spec: IntentSpec }>(
  tokens: readonly Token[],
  intents: readonly T[],
  places: readonly NamedPlace[],
): readonly (T & PhraseMatch)[] {
  const found = intents.flatMap((intent) =>
    compiled(intent.spec).flatMap(({ phrase, pattern, isVague }) => {
      const properties = propertiesOf(intent.spec);
      const choices = (name: string) => choicesOf(properties[name]);
      return matched(pattern, tokens, phrase.params ?? {}, { choices, places }).map((params) => ({
        ...{ intent, params, say: phrase.say, isVague },
      }));
    }),
  );
  const exact = found.some(({ isVague }) => !isVague) ? found.filter(({ isVague }) => !isVague) : found;
  const byMeaning = new Map(
    exact.map(({ intent, params, say }) => [
      `${intent.spec.type} ${keyOf(params)}`,
      { ...intent, params, say },
    ]),
  );
  return [...byMeaning.values()];
}

/** One sentence for each intent with phrases, as a person would say it. Pure. */
export function examplesOf(intents: readonly IntentSpec[], places: readonly NamedPlace[]): readonly string[] {
  return intents.flatMap((spec) => {
    const usable = compiled(spec).find(({ pattern }) => places.length > 0 || !hasPlace(pattern));
    return usable ? [sayable(usable.pattern, propertiesOf(spec), places)] : [];
  });
}

function propertiesOf({ params }: IntentSpec): Readonly<Record<string, Readonly<Record<string, unknown>>>> {
  return ((params as { readonly properties?: object }).properties ?? {}) as ReturnType<typeof propertiesOf>;
}

const EXAMPLES: Readonly<Record<Exclude<SlotKind, 'choice' | 'place'>, string>> = {
  ...{ number: 'two', integer: 'two', distance: 'half a metre', angle: '90 degrees' },
  ...{ duration: 'ten seconds', along: 'forward', side: 'left', text: '…' },
};

function sayable(
  pattern: Pattern,
  properties: ReturnType<typeof propertiesOf>,
  places: readonly NamedPlace[],
): string {
  if (pattern.is === 'word') return pattern.word;
  if (pattern.is === 'slot') {
    if (pattern.kind === 'choice') return choicesOf(properties[pattern.name])[0] ?? '…';
    return pattern.kind === 'place' ? (places[0]?.name ?? '…') : EXAMPLES[pattern.kind];
  }
  if (pattern.is === 'choice') {
    // What may be left out is left out.
    const isOptional = pattern.of.some((one) => one.is === 'list' && one.of.length === 0);
    return isOptional ? '' : sayable(pattern.of[0]!, properties, places);
  }
  const parts = pattern.of.map((one) => sayable(one, properties, places));
  return parts.filter((part) => part !== '').join(' ');
}

function hasText(pattern: Pattern): boolean {
  return has(pattern, 'text');
}
function hasPlace(pattern: Pattern): boolean {
  return has(pattern, 'place');
}
function has(pattern: Pattern, kind: SlotKind): boolean {
  if (pattern.is === 'slot') return pattern.kind === kind;
  return pattern.is !== 'word' && pattern.of.some((one) => has(one, kind));
}
