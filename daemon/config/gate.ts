import { choice, number, quantity, tables, text, texts } from './spec.ts';

const LIMITS = ['lower', 'upper', 'velocity', 'acceleration', 'jerk', 'effort'] as const;
const FIELDS: readonly string[] = ['name', ...LIMITS];
const BOX_FIELDS: readonly string[] = ['kind', 'min', 'max'];

/** Limits of one joint; absent: those of the URDF. */
export type JointRow = { readonly name: string } & { readonly [K in (typeof LIMITS)[number]]?: number };
type Point = readonly [x: number, y: number, z: number];
export type BoxRow = { readonly kind: 'inside' | 'keep_out'; readonly min: Point; readonly max: Point };

type Read<T> = { ok: true; value: T } | { ok: false; expected: string };

/** `[gate]`: what joints may do; see docs/safety.md. The configuration only tightens what the URDF says. */
export const GATE_KEYS = {
  urdf: text('', 'URDF of the robot (a file; xacro expanded): limits of joints, and where the tool is'),
  joints: texts([], 'joints that are moved by hand, in the order of the controller; empty: arm.joints'),
  base: text('base_link', 'link that positions of the tool are in'),
  tool: text('tool0', 'link whose origin is the tool point'),
  mode: choice(
    ['clamp', 'refuse'],
    'clamp',
    'of a command out of limits: clamp applies as much as fits, refuse applies none of it',
  ),
  rate: quantity('frequency', '1 kHz', 'commands per second that are looked at', { min: 1, max: 10_000 }),
  gap: quantity(
    'duration',
    '500 ms',
    'after this long without a command the next starts at the measured position',
    {
      min: 50,
      max: 60_000,
    },
  ),
  start_tolerance: number(
    0.01,
    'a trajectory may start this far from where a joint is measured, radians or metres',
    0,
    0.5,
  ),
  commands: text(
    '/forward_position_controller/commands',
    'std_msgs/Float64MultiArray that joints moved by hand are commanded on; empty: they are not',
    { match: /^(|\/[A-Za-z_][A-Za-z0-9_/]{0,255})$/, expected: 'a topic with a leading slash, or ""' },
  ),
  limits: tables<JointRow>('of single joints, radians or metres and seconds: [[gate.limits]]', readLimits),
  boxes: tables<BoxRow>('where the tool point may be, metres: [[gate.boxes]]', readBox),
} as const;

function readLimits(row: Record<string, unknown>): Read<JointRow> {
  const stranger = Object.keys(row).find((key) => !FIELDS.includes(key));
  if (stranger !== undefined)
    return { ok: false, expected: `only the keys ${FIELDS.join(', ')}, not "${stranger}"` };
  const { name } = row;
  if (typeof name !== 'string' || name === '') return { ok: false, expected: 'name = the name of a joint' };
  const found: Partial<Record<(typeof LIMITS)[number], number>> = {};
  for (const key of LIMITS) {
    const value = row[key];
    if (value === undefined) continue;
    const signed = key === 'lower' || key === 'upper';
    if (typeof value !== 'number' || !Number.isFinite(value) || (!signed && value <= 0))
      return { ok: false, expected: `${key} = a ${signed ? '' : 'positive '}number` };
    found[key] = value;
  }
  return { ok: true, value: { name, ...found } };
}

function readBox(row: Record<string, unknown>): Read<BoxRow> {
  const stranger = Object.keys(row).find((key) => !BOX_FIELDS.includes(key));
  if (stranger !== undefined)
    return { ok: false, expected: `only the keys ${BOX_FIELDS.join(', ')}, not "${stranger}"` };
  const { kind, min, max } = row;
  if (kind !== 'inside' && kind !== 'keep_out')
    return { ok: false, expected: 'kind = "inside" or "keep_out"' };
  if (!isPoint(min) || !isPoint(max)) return { ok: false, expected: 'min and max = [x, y, z] in metres' };
  if (min.some((least, i) => least >= max[i]!)) return { ok: false, expected: 'min below max in x, y and z' };
  return { ok: true, value: { kind, min, max } };
}

function isPoint(value: unknown): value is Point {
  return Array.isArray(value) && value.length === 3 && value.every((one) => Number.isFinite(one));
}
