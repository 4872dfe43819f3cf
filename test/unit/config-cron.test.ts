import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { cronFaults } from '../../cli/cron-faults.ts';
import { readConfig } from '../../daemon/config.ts';
import { auraison, freshDir } from '../support/daemon.ts';

const folder = freshDir('config-cron');
afterAll(() => folder.remove());

const schedule = (name: string, cron: string) =>
  `[[schedules]]\nname = "${name}"\ncron = "${cron}"\nintent = "maze/find_exit"\n`;

function faultsOf(source: string) {
  const { config, faults } = readConfig(source, 'robot.toml', {});
  expect(faults).toEqual([]);
  return cronFaults(config, { source, file: 'robot.toml' });
}

describe('times of [[schedules]] that look right and are not', () => {
  it('are faults with their line, and name what is wrong', () => {
    const found = faultsOf(schedule('a', '0 3 * * *') + schedule('b', '99 * * * *'));
    expect(found).toEqual([
      {
        ...{ file: 'robot.toml', line: 7, key: 'schedules[2].cron', value: '"99 * * * *"' },
        expected: expect.stringContaining('for example "0 3 * * *"'),
      },
    ]);
    expect(found[0]?.expected).toContain('99');
  });

  it('are no faults where the daemon reads them', () => {
    expect(faultsOf(schedule('a', '@daily') + schedule('b', '*/5 0 3 * * MON-FRI'))).toEqual([]);
  });

  it('are faults of `config check`, also of a file for another host', () => {
    const file = join(folder.path, 'robot.toml');
    writeFileSync(file, schedule('a', '99 * * * *'));
    const { status, stdout } = auraison(['config', 'check', '--file-only', file]);
    expect(stdout).toContain(`${file}:3: schedules[1].cron = "99 * * * *": expected times that can be read`);
    expect(status).toBe(78);
  });
});
