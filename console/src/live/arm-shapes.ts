/** Where the lines of an arm go in a drawing, and how its joints are put in words. Pure. */
import type { ArmFigure } from '../../../contract/ports/robot.ts';

export type Joint = ArmFigure['joints'][number];
export type Point = ArmFigure['points'][number];
export type Spot = readonly [x: number, y: number];
/** Places a point in metres as a drawing has it, down from the top; the base is at zero. */
export type Place = (point: { x: number; y: number; z: number }) => Spot;

/** Nearer to an end than this share of the range, a joint is shown to stand at it. */
const END_SHARE = 0.02;
const FINGER = 0.09;

const distance = (a: Point, b: Point) => Math.hypot(a.x - b.x, a.y - b.y, a.z - b.z);

/** The stretched length: equal in every pose, so that the drawing does not jump. */
export function reachOf(points: readonly Point[]): number {
  let length = 0;
  for (let i = 1; i < points.length; i++) length += distance(points[i - 1]!, points[i]!);
  return Math.max(length, 0.05);
}

export const stepOf = (reach: number) =>
  [0.05, 0.1, 0.2, 0.5, 1, 2, 5].find((step) => reach / step <= 5) ?? 10;

/** Multiples of `step` from `from` to `from + length`. */
export function linesOf(from: number, length: number, step: number): number[] {
  const first = Math.ceil(from / step);
  const found: number[] = [];
  for (let i = first; i * step < from + length; i++) found.push(i * step);
  return found;
}

/**
 * Two jaws across the last link, as far apart as the hand is open. Schematic: where they are turned to is not
 * reported. Empty where nothing is known of a hand.
 */
export function fingersOf(
  points: readonly Point[],
  hand: Joint | undefined,
  reach: number,
  of: Place,
  dot: number,
): string {
  if (!hand || typeof hand.position !== 'number') return '';
  const tool = of(points.at(-1)!);
  const before = points.findLast((point) => distance(point, points.at(-1)!) > reach * 0.005);
  const from = before ? of(before) : ([tool[0] - 1, tool[1]] as const);
  const long = Math.hypot(tool[0] - from[0], tool[1] - from[1]);
  // Seen along the last link the jaws lie beside each other.
  const [ax, ay] =
    long < reach * 0.01 ? ([1, 0] as const) : [(tool[0] - from[0]) / long, (tool[1] - from[1]) / long];
  const half = Math.max(0, hand.position) / 2 + dot * 0.4;
  const length = reach * FINGER;
  const point = (forward: number, aside: number) =>
    `${tool[0] + ax * forward - ay * aside},${tool[1] + ay * forward + ax * aside}`;
  return [point(length, half), point(0, half), point(0, -half), point(length, -half)].join(' ');
}

/** Never "-0.0". */
export const fixed = (value: number, digits: number) => (Number(value.toFixed(digits)) || 0).toFixed(digits);
const degrees = (radians: number) => `${fixed((radians * 180) / Math.PI, 1)}°`;
const millimetres = (metres: number) => `${fixed(metres * 1000, 1)} mm`;

export function positionText(joint: Joint): string {
  const { kind, position } = joint;
  if (typeof position !== 'number') return 'not reported';
  const end = endOf(joint);
  const said = kind === 'slides' ? millimetres(position) : `${degrees(position)} (${fixed(position, 3)} rad)`;
  return end ? `${said}, at its ${end} limit` : said;
}

export function openingText({ position, upper }: Joint): string {
  if (typeof position !== 'number') return 'not reported';
  const share = typeof upper === 'number' && upper > 0 ? position / upper : undefined;
  const word =
    share === undefined ? '' : share < END_SHARE ? ', closed' : share > 1 - END_SHARE ? ', open' : '';
  return `${millimetres(position)}${word}`;
}

export function rangeText({ kind, lower, upper }: Joint, isHand: boolean): string {
  if (typeof lower !== 'number' || typeof upper !== 'number') return 'no limits known';
  const one = kind === 'slides' || isHand ? millimetres : degrees;
  return `${one(lower)} to ${one(upper)}`;
}

export function endOf({ position, lower, upper }: Joint): '' | 'lower' | 'upper' {
  if (position === undefined || lower === undefined || upper === undefined || upper <= lower) return '';
  const margin = (upper - lower) * END_SHARE;
  return position <= lower + margin ? 'lower' : position >= upper - margin ? 'upper' : '';
}

/** From the middle of the range, or from zero where that lies within, to where the joint stands: 0 to 100. */
export function barOf({ position, lower, upper }: Joint): { zero: number; here: number } | undefined {
  if (position === undefined || lower === undefined || upper === undefined || upper <= lower)
    return undefined;
  const share = (value: number) => Math.min(100, Math.max(0, ((value - lower) / (upper - lower)) * 100));
  return { zero: share(Math.min(upper, Math.max(lower, 0))), here: share(position) };
}
