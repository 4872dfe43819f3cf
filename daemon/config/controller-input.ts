import { choice, type KeySpec, quantity, type RowOf, text, texts } from './spec.ts';

/** Rows of `inputs` of `[[controllers]]`: their keys, defaults and meaning. */
export const CONTROLLER_INPUT_KEYS = {
  name: text('', 'as the policy calls it, for example "observation.state"', {
    match: /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/,
    expected: 'a name of letters, digits, dot, dash, underscore',
  }),
  topic: text('', 'where it comes from', { match: /^\/\S{1,255}$/, expected: '"/name"' }),
  joints: texts([], 'of sensor_msgs/JointState: these, in this order; empty: all of the message'),
  field: choice(['position', 'velocity', 'effort'], 'position', 'of sensor_msgs/JointState'),
  age_max: quantity('duration', '200 ms', 'older than this it is stale, and the controller starves', {
    min: 1,
    max: 60_000,
  }),
  fit: choice(
    ['stretch', 'crop', 'pad'],
    'stretch',
    'how an image becomes the size that the policy takes; crop: what juts out is cut, pad: black bars',
  ),
  crop: pixels('part of the image that is taken first: [x, y, width, height], pixels; empty: all of it'),
} as const;

export type ControllerInputRow = RowOf<typeof CONTROLLER_INPUT_KEYS>;

type Read = { ok: true; value: ControllerInputRow } | { ok: false; expected: string };

export function readControllerInput(row: Record<string, unknown>): Read {
  const specs = CONTROLLER_INPUT_KEYS as Record<string, KeySpec<unknown>>;
  const values: Record<string, unknown> = {};
  for (const [key, spec] of Object.entries(specs)) values[key] = spec.fallback;
  for (const [key, value] of Object.entries(row)) {
    const spec = Object.hasOwn(specs, key) ? specs[key] : undefined;
    if (!spec) return { ok: false, expected: `only the keys ${Object.keys(specs).join(', ')}, not "${key}"` };
    const read = spec.read(value);
    if (!read.ok) return { ok: false, expected: `${key} = ${read.expected}` };
    values[key] = read.value;
  }
  const input = values as ControllerInputRow;
  if (input.name === '') return { ok: false, expected: 'name = the name of the input for the policy' };
  if (input.topic === '') return { ok: false, expected: 'topic = "/name"' };
  return { ok: true, value: input };
}

/** An input as a person would write it, for `config show`. */
export function showControllerInput(): readonly string[] {
  return Object.entries(CONTROLLER_INPUT_KEYS).flatMap(([key, { about, shown }]) => [
    `#   ${about}`,
    `#   ${key} = ${shown}`,
  ]);
}

function pixels(about: string): KeySpec<readonly number[]> {
  return {
    kind: 'pixels',
    fallback: [],
    shown: '[]',
    about,
    fromText: (raw) => raw,
    read(value) {
      const whole = (n: unknown) => typeof n === 'number' && Number.isSafeInteger(n) && n >= 0;
      const fits = Array.isArray(value) && value.every(whole) && (value.length === 0 || value.length === 4);
      if (!fits || value[2] === 0 || value[3] === 0)
        return { ok: false, expected: 'four whole numbers: [x, y, width, height]' };
      return { ok: true, value: value as number[] };
    },
  };
}
