import { expect, it } from 'vitest';
import { Progress } from '../../cli/demo/progress.ts';
import type { Status } from '../../cli/status-view.ts';

/** What a terminal of this width shows after the text was written to it. */
function screen(text: string, columns: number): string[] {
  const lines: string[] = [''];
  let row = 0;
  for (const part of text.matchAll(/\x1b\[(\d*)([AJK])|\n|[^\x1b\n]/g)) {
    if (part[2] === 'A') row = Math.max(0, row - Number(part[1]));
    else if (part[2] === 'J') lines.length = row + 1;
    else if (part[2] === 'K') lines[row] = '';
    else if (part[0] === '\n') row++;
    else {
      if (lines[row]!.length === columns) row++;
      lines[row] = `${lines[row] ?? ''}${part[0]}`;
      continue;
    }
    if (part[2] === 'J') lines[row] = '';
    lines[row] ??= '';
  }
  return lines.filter((line) => line !== '');
}

const status = (received: number) =>
  ({
    robot: {
      available: true,
      pose: { x: -5.12, y: 10.14, yaw: 2.6 },
      map_coverage: 0.42,
      distance: 21.4,
      bumps: 0,
    },
    recorder: { available: true, messages_per_second: 2114, received, written: received, dropped: 0 },
    cells: ['execution', 'runtime', 'memory', 'link'].map((name) => ({ name, state: 'up' })),
  }) as unknown as Status;

it.each([120, 80, 40, 20])('fits a terminal of %i columns and is drawn in place', (columns) => {
  let text = '';
  const progress = new Progress(
    (part) => {
      text += part;
    },
    true,
    () => columns,
  );
  for (const received of [9, 9_120, 91_200_000, 9])
    progress.show({ status: status(received), phase: 'navigate', elapsedS: received / 100 });
  const shown = screen(text, columns);
  let once = '';
  const fresh = new Progress(
    (part) => {
      once += part;
    },
    true,
    () => columns,
  );
  fresh.show({ status: status(9), phase: 'navigate', elapsedS: 0.09 });
  expect(shown).toEqual(once.trimEnd().split('\n'));
  expect(Math.max(...shown.map((line) => line.length))).toBeLessThan(columns);
  expect(shown.join('\n')).toContain('map ');
  if (columns >= 40) expect(shown.join(' ')).toMatch(/execution ●.*runtime ●.*memory ●.*link ●/);
});
