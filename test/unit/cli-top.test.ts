import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { top } from '../../cli/commands/top.ts';
import { fitted } from '../../cli/screen.ts';
import { nobodysPort, personAt, portOf } from '../support/cli-person.ts';
import { answerAll } from '../support/http-answers.ts';
import { startRig, TOKEN } from '../support/http-rig.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cli-top-'));
  writeFileSync(join(folder, 'robot.toml'), '');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('auraison top', () => {
  it('shows the status as often as it was asked for', async () => {
    const rig = await startRig();
    try {
      answerAll(rig);
      const { context, told, results } = personAt(folder, portOf(rig), { AURAISON_TOKEN: TOKEN });
      await top(context, { every: '0.1', count: '3' });
      expect(results).toHaveLength(3);
      expect(told[2]).toContain('recorder');
    } finally {
      await rig.stop();
    }
  });

  it('waits for a daemon that is away, and ends with 1 where none came', async () => {
    const { context, told } = personAt(folder, await nobodysPort());
    expect(await top(context, { every: '0.1', count: '2' })).toBe(1);
    expect(told).toHaveLength(2);
    expect(told[1]).toContain('waiting for it');
  });

  it.each(['0', '-1', 'often', 'NaN', '1e9'])('refuses to look every %s seconds', async (every) => {
    const { context } = personAt(folder, 1);
    await expect(top(context, { every })).rejects.toThrow(/--every: expected a number from 0.1 to 3600/);
  });

  it('fits the terminal: no line is wider, and what is left out is counted', () => {
    const text = Array.from({ length: 30 }, (_, i) => `${i} ${'x'.repeat(100)}`).join('\n');
    const lines = fitted(text, 40, 10).split('\n');
    expect(lines).toHaveLength(10);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(40);
    expect(lines.at(-1)).toBe('… 21 more lines');
    expect(fitted('short', 40, 10)).toBe('short');
  });
});
