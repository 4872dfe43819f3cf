import type { NamedPlace } from '../../contract/core.ts';
import { type KeySpec, namedOnce, number, tables, text, texts } from './spec.ts';
import { rowReader } from './zenoh-rules.ts';

const NAME = /^\p{L}[\p{L}\p{M}\p{N} '-]{0,63}$/u;
const PLACE_M = 10_000;
const ROWS_MAX = 256;
const YAW = number(0, 'heading in the map frame, counter-clockwise from +x, radians', -6.3, 6.3);

/** Keys of one row of `[[apps.places]]`; `yaw` may be left out. */
const read = rowReader({
  name: text('', 'as people say it, without "the"', {
    match: NAME,
    expected: 'words, for example "charging station"',
  }),
  also: texts([], 'other names of it', { match: NAME, expected: 'words, for example ["the dock"]' }),
  x: number(0, 'in the map frame, metres', -PLACE_M, PLACE_M),
  y: number(0, 'in the map frame, metres', -PLACE_M, PLACE_M),
  yaw: YAW,
});

/** Places of the map that have names, for phrases such as "go to the kitchen". */
export function placeRows(): KeySpec<readonly NamedPlace[]> {
  const spec = tables<NamedPlace>('named places of the map: [[apps.places]]', (row) => {
    const result = read(row);
    if (!result.ok) return result;
    const missing = ['name', 'x', 'y'].find((key) => !Object.hasOwn(row, key));
    if (missing !== undefined)
      return { ok: false, expected: `${missing} = a value: name, x and y are needed` };
    const { yaw, ...place } = result.value;
    return { ok: true, value: Object.hasOwn(row, 'yaw') ? { ...place, yaw } : place };
  });
  return namedOnce(spec, ROWS_MAX, 'places');
}
