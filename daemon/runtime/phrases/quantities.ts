import { numbersAt, type Option } from './numbers.ts';
import type { Token } from './tokens.ts';

export type QuantityKind = 'distance' | 'angle' | 'duration';

type Units = Readonly<Record<string, number>>;

/** Units by their names, in metres, radians and seconds. */
const UNITS: Readonly<Record<QuantityKind, Units>> = {
  distance: {
    ...each(1, 'm', 'metre', 'metres', 'meter', 'meters'),
    ...each(0.01, 'cm', 'centimetre', 'centimetres', 'centimeter', 'centimeters'),
    ...each(0.001, 'mm', 'millimetre', 'millimetres', 'millimeter', 'millimeters'),
    ...each(0.3048, 'ft', 'foot', 'feet'),
    ...each(0.0254, 'inch', 'inches'),
    ...each(0.9144, 'yard', 'yards'),
  },
  angle: {
    ...each(Math.PI / 180, 'deg', 'degree', 'degrees'),
    ...each(1, 'rad', 'radian', 'radians'),
    ...each(2 * Math.PI, 'turn', 'turns', 'rotation', 'rotations', 'revolution', 'revolutions'),
    ...each(2 * Math.PI, 'circle', 'circles'),
  },
  duration: {
    ...each(0.001, 'ms', 'millisecond', 'milliseconds'),
    ...each(1, 's', 'sec', 'secs', 'second', 'seconds'),
    ...each(60, 'min', 'mins', 'minute', 'minutes'),
    ...each(3_600, 'h', 'hour', 'hours'),
  },
};
/** Digits that floating-point products of units are worth. */
const DIGITS = 7;

/** Every quantity that starts at a token, in metres, radians or seconds: `20 cm`, `a metre and a half`. Pure. */
export function quantitiesAt(kind: QuantityKind, tokens: readonly Token[], at: number): readonly Option[] {
  return simpleAt(kind, tokens, at).flatMap(({ value, next, unit }) => {
    const word = (i: number) => tokens[i]?.word;
    const found = [{ value, next }];
    const share = word(next + 2) === 'half' ? 0.5 : word(next + 2) === 'quarter' ? 0.25 : undefined;
    if (word(next) === 'and' && word(next + 1) === 'a' && share !== undefined)
      found.push({ value: value + share * unit, next: next + 3 });
    // "1 m 20 cm", "two hours and ten minutes": the second unit is the smaller one.
    const from = word(next) === 'and' ? next + 1 : next;
    for (const more of simpleAt(kind, tokens, from)) {
      const isPart = more.unit < unit && more.value >= 0 && more.value < unit && value >= 0;
      if (isPart) found.push({ value: value + more.value, next: more.next });
    }
    return found.map((one) => ({ ...one, value: rounded(one.value) }));
  });
}

function simpleAt(kind: QuantityKind, tokens: readonly Token[], at: number): (Option & { unit: number })[] {
  return numbersAt(tokens, at).flatMap(({ value, next }) => {
    const isFull = kind === 'angle' && ['full', 'complete', 'whole'].includes(tokens[next]?.word ?? '');
    const named = isFull ? next + 1 : next;
    const word = tokens[named]?.word ?? '';
    const unit = Object.hasOwn(UNITS[kind], word) ? UNITS[kind][word] : undefined;
    return unit === undefined ? [] : [{ value: value * unit, next: named + 1, unit }];
  });
}

function each(factor: number, ...names: readonly string[]): Units {
  return Object.fromEntries(names.map((name) => [name, factor]));
}

function rounded(value: number): number {
  return Number(value.toPrecision(DIGITS));
}
