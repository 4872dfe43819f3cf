import { describe, expect, it } from 'vitest';
import { readConfig } from '../../daemon/config.ts';

const read = (text: string) => readConfig(text, 'robot.toml', {});

describe('[[schedules]]', () => {
  it('are read with their units, and what is left out has its default', () => {
    const { config, faults } = read(`
[[schedules]]
name = "patrol"
cron = "0 */2 * * MON-FRI"
time_zone = "Europe/Berlin"
intent = "maze/find_exit"
params = { floor = 2 }
deadline = "30 min"
jitter = "90 s"
missed = "skip"

[[schedules]]
name = "dock"
cron = "@daily"
intent = "maze/find_exit"
`);
    expect(faults).toEqual([]);
    expect(config.schedules).toMatchObject([
      { name: 'patrol', params: { floor: 2 }, deadlineMs: 1_800_000, jitterMs: 90_000, missed: 'skip' },
      {
        name: 'dock',
        timeZone: 'UTC',
        priority: 5,
        roles: ['operator'],
        deadlineMs: undefined,
        missed: 'run_once',
        overlap: 'skip',
      },
    ]);
  });

  it.each([
    ['cron = "every day"', /cron = "every day": expected five fields/],
    ['cron = "0 3 * * *"\ntime_zone = "Mars"', /time_zone = "Mars": expected an IANA name/],
    ['cron = "0 3 * * *"\nmissed = "all"', /missed = "all": expected "skip", "run_once" or "run_all"/],
    ['cron = "0 3 * * *"\ndeadline = 30', /deadline = 30: expected a duration/],
    ['cron = "0 3 * * *"\ndeadline = "1 min"\njitter = "5 min"', /deadline .*longer than jitter/],
    ['cron = "0 3 * * *"\npriority = "5"', /priority = "5": expected a whole number/],
    ['cron = "0 3 * * *"\nwhen = 5', /schedules\[1\]\.when = 5: expected one of the keys/],
  ])('with %s are refused by file, line and key', (lines, message) => {
    const { faults } = read(`[[schedules]]\nname = "a"\nintent = "x/y"\n${lines}\n`);
    const told = faults.map(
      ({ line, key, value, expected }) => `${line}: ${key} = ${value}: expected ${expected}`,
    );
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(message);
    expect(told[0]).toMatch(/^[1-6]: schedules\[1\]/);
  });

  it('have names of their own', () => {
    const row = '[[schedules]]\nname = "a"\ncron = "@daily"\nintent = "x/y"\n';
    expect(read(row + row).faults).toMatchObject([{ key: 'schedules[2].name' }]);
  });
});
