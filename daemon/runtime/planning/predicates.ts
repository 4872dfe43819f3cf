import type { WorldFacts } from '../../../contract/index.ts';
import type { Predicate } from '../../../contract/plan.ts';

/** Whether a predicate is true now. What is not known makes it false; so does a value of another kind. Pure. */
export function holds({ fact, op, value, tolerance }: Predicate, world: WorldFacts): boolean {
  if (!Object.hasOwn(world, fact)) return false;
  const is = world[fact]!;
  if (typeof is !== typeof value) return false;
  if (op === '==') return is === value;
  if (op === '!=') return is !== value;
  if (typeof is !== 'number' || typeof value !== 'number') return false;
  switch (op) {
    case '<':
      return is < value;
    case '<=':
      return is <= value;
    case '>=':
      return is >= value;
    case '>':
      return is > value;
    case 'within':
      return Math.abs(is - value) <= (tolerance ?? 0);
  }
}

/** All of them; an empty list says nothing and is not true. */
export function allHold(predicates: readonly Predicate[], world: WorldFacts): boolean {
  return predicates.length > 0 && predicates.every((predicate) => holds(predicate, world));
}

export function shownPredicate({ fact, op, value, tolerance }: Predicate): string {
  return op === 'within' ? `${fact} within ${tolerance ?? 0} of ${value}` : `${fact} ${op} ${value}`;
}

/** Those that are false now, with what is seen instead: for people and for the next plan. */
export function misses(predicates: readonly Predicate[], world: WorldFacts): string {
  return predicates
    .filter((predicate) => !holds(predicate, world))
    .map((predicate) => {
      const seen = Object.hasOwn(world, predicate.fact) ? String(world[predicate.fact]) : 'unknown';
      return `${shownPredicate(predicate)} (it is ${seen})`;
    })
    .join('; ');
}

/** What the predicates name, as it is known. */
export function factsOf(predicates: readonly Predicate[], world: WorldFacts): Record<string, unknown> {
  return Object.fromEntries(
    predicates.flatMap(({ fact }) => (Object.hasOwn(world, fact) ? [[fact, world[fact]]] : [])),
  );
}

/** Two that can never be true together: the fact they quarrel about. Pure. */
export function contradiction(predicates: readonly Predicate[]): string | undefined {
  for (const fact of new Set(predicates.map((one) => one.fact))) {
    const about = predicates.filter((one) => one.fact === fact);
    const numbers = about.filter((one) => typeof one.value === 'number');
    if (numbers.length > 0 && isEmpty(numbers)) return fact;
    const wanted = about.filter(({ op, value }) => op === '==' && typeof value !== 'number');
    const denied = about.filter(({ op }) => op === '!=').map(({ value }) => value);
    if (new Set(wanted.map(({ value }) => value)).size > 1) return fact;
    if (wanted.some(({ value }) => denied.includes(value))) return fact;
  }
  return undefined;
}

/** No number satisfies all of them. */
function isEmpty(predicates: readonly Predicate[]): boolean {
  let low = Number.NEGATIVE_INFINITY;
  let high = Number.POSITIVE_INFINITY;
  let open = false;
  for (const { op, value, tolerance = 0 } of predicates) {
    const number = value as number;
    const [from, to] =
      op === '<' || op === '<='
        ? [Number.NEGATIVE_INFINITY, number]
        : op === '>' || op === '>='
          ? [number, Number.POSITIVE_INFINITY]
          : op === '=='
            ? [number, number]
            : op === 'within'
              ? [number - tolerance, number + tolerance]
              : [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
    if (from > low) low = from;
    if (to < high) high = to;
  }
  if (low > high) return true;
  if (low === high) {
    open = predicates.some(
      ({ op, value }) => ((op === '<' || op === '>') && value === low) || (op === '!=' && value === low),
    );
  }
  return open;
}
