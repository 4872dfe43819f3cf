import type { NamedPlace } from '../../../contract/phrase.ts';
import { numbersAt, type Option } from './numbers.ts';
import { quantitiesAt } from './quantities.ts';
import type { Pattern, SlotKind } from './template.ts';
import { type Token, tokensOf } from './tokens.ts';

export type Values = Readonly<Record<string, unknown>>;
/** Of one slot: a size, a direction (1 or -1), or a value. */
type Filled = { readonly size?: number; readonly sign?: number; readonly value?: unknown };
type State = { readonly at: number; readonly slots: Readonly<Record<string, Filled>> };

export type MatchParts = {
  /** Texts that the parameter of a `choice` may have. */
  readonly choices: (name: string) => readonly string[];
  readonly places: readonly NamedPlace[];
};

/** Words that a `text` may have. */
const TEXT_MAX = 12;
/** Ways of reading one sentence; beyond this it is a riddle. */
const STATES_MAX = 256;
/** Digits that a product is worth. */
const DIGITS = 7;

const ALONG: readonly Direction[] = [
  ...directions(1, 'forward', 'forwards', 'ahead', 'straight ahead', 'straight on', 'straight', 'onward'),
  ...directions(-1, 'back', 'backward', 'backwards', 'straight back', 'rearwards', 'in reverse'),
];
/** Counter-clockwise is positive (REP-103). */
const SIDE: readonly Direction[] = [
  ...directions(1, 'left', 'to the left', 'to your left', 'leftwards', 'counter clockwise'),
  ...directions(1, 'counterclockwise', 'anticlockwise', 'anti clockwise'),
  ...directions(-1, 'right', 'to the right', 'to your right', 'rightwards', 'clockwise'),
];

/** The parameters by which the whole sentence fits a template; each way of reading it once. Pure. */
export function matched(
  pattern: Pattern,
  tokens: readonly Token[],
  fixed: Values,
  parts: MatchParts,
): readonly Values[] {
  const ends = step(pattern, tokens, [{ at: 0, slots: {} }], parts);
  const whole = ends.filter(({ at }) => at === tokens.length).flatMap((state) => valuesOf(state, fixed));
  return [...new Map(whole.map((values) => [keyOf(values), values])).values()];
}

/** Equal for equal values, in any order. */
export function keyOf(values: Values): string {
  return JSON.stringify(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function step(
  pattern: Pattern,
  tokens: readonly Token[],
  states: readonly State[],
  parts: MatchParts,
): readonly State[] {
  if (states.length === 0) return states;
  switch (pattern.is) {
    case 'word':
      return states.flatMap((state) =>
        tokens[state.at]?.word === pattern.word ? { ...state, at: state.at + 1 } : [],
      );
    case 'slot':
      return few(
        states.flatMap((state) =>
          optionsOf(pattern, tokens, state.at, parts).flatMap(({ value, next }) => {
            const slots = taken(state.slots, pattern.name, value);
            return slots ? { at: next, slots } : [];
          }),
        ),
      );
    case 'list':
      return pattern.of.reduce((now, one) => step(one, tokens, now, parts), states);
    case 'choice':
      return few(pattern.of.flatMap((one) => step(one, tokens, states, parts)));
  }
}

/** Without repetitions, and not without end. */
function few(states: readonly State[]): readonly State[] {
  return [...new Map(states.map((state) => [JSON.stringify(state), state])).values()].slice(0, STATES_MAX);
}

/** With what a slot found; undefined: it contradicts what an earlier slot of that name found. */
function taken(slots: State['slots'], name: string, found: Filled): State['slots'] | undefined {
  const before = slots[name] ?? {};
  if (Object.keys(found).some((key) => Object.hasOwn(before, key))) return undefined;
  return { ...slots, [name]: { ...before, ...found } };
}

function optionsOf(
  { name, kind }: { readonly name: string; readonly kind: SlotKind },
  tokens: readonly Token[],
  at: number,
  { choices, places }: MatchParts,
): readonly Option<Filled>[] {
  const sizes = (found: readonly Option[]) =>
    found.map(({ value, next }) => ({ value: { size: value }, next }));
  switch (kind) {
    case 'number':
      return sizes(numbersAt(tokens, at));
    case 'integer':
      return sizes(numbersAt(tokens, at).filter(({ value }) => Number.isSafeInteger(value)));
    case 'distance':
    case 'angle':
    case 'duration':
      return sizes(quantitiesAt(kind, tokens, at));
    case 'along':
    case 'side':
      return (kind === 'along' ? ALONG : SIDE).flatMap(({ words, sign }) =>
        starts(tokens, at, words) ? { value: { sign }, next: at + words.length } : [],
      );
    case 'choice':
      return choices(name).flatMap((value) => {
        const words = wordsOf(value.replaceAll(/[_/.-]/g, ' '));
        return words.length > 0 && starts(tokens, at, words)
          ? { value: { value }, next: at + words.length }
          : [];
      });
    case 'place':
      return placesAt(places, tokens, at);
    case 'text': {
      const last = Math.min(tokens.length, at + TEXT_MAX);
      return Array.from({ length: Math.max(0, last - at) }, (_, i) => {
        const text = tokens.slice(at, at + i + 1).map(({ raw }) => raw);
        return { value: { value: text.join(' ') }, next: at + i + 1 };
      });
    }
  }
}

function placesAt(
  places: readonly NamedPlace[],
  tokens: readonly Token[],
  at: number,
): readonly Option<Filled>[] {
  const from = tokens[at]?.word === 'the' ? at + 1 : at;
  return places.flatMap(({ name, also, x, y, yaw }) =>
    [name, ...also].flatMap((called) => {
      const words = wordsOf(called);
      const value = new Place(x, y, yaw);
      return words.length > 0 && starts(tokens, from, words)
        ? { value: { value }, next: from + words.length }
        : [];
    }),
  );
}

/** Where a place is; becomes `x`, `y` and, where it has one, `yaw`. */
class Place {
  readonly x: number;
  readonly y: number;
  readonly yaw?: number;

  constructor(x: number, y: number, yaw: number | undefined) {
    this.x = x;
    this.y = y;
    if (yaw !== undefined) this.yaw = yaw;
  }
}

/** The parameters of a state: what names one number is multiplied. Empty where a direction has no size. */
function valuesOf({ slots }: State, fixed: Values): readonly Values[] {
  const values: Record<string, unknown> = { ...fixed };
  for (const [name, { size, sign, value }] of Object.entries(slots)) {
    if (value instanceof Place) Object.assign(values, value);
    else if (value !== undefined) values[name] = value;
    else {
      const factor = typeof fixed[name] === 'number' ? fixed[name] : undefined;
      if ((size ?? factor) === undefined) return [];
      // "-1 m back" and "back up -1 m" could mean either way.
      if ((sign !== undefined || (factor ?? 1) < 0) && (size ?? 0) < 0) return [];
      values[name] = Number(((sign ?? 1) * (size ?? 1) * (factor ?? 1)).toPrecision(DIGITS));
    }
  }
  return [values];
}

type Direction = { readonly words: readonly string[]; readonly sign: number };

function directions(sign: number, ...names: readonly string[]): readonly Direction[] {
  return names.map((name) => ({ words: name.split(' '), sign }));
}

function starts(tokens: readonly Token[], at: number, words: readonly string[]): boolean {
  return words.every((word, i) => tokens[at + i]?.word === word);
}

function wordsOf(text: string): readonly string[] {
  return (tokensOf(text) ?? []).map(({ word }) => word);
}
