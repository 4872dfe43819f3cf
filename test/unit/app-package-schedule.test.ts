import { expect, it } from 'vitest';
import { readTimeTable } from '../../adapters/cron/cron-time-table.ts';
import { faultText } from '../../adapters/packages/index.ts';
import { templateFiles } from '../../cli/app/templates.ts';
import { NS_PER_MS } from '../../contract/index.ts';
import { judgeWhole } from '../../daemon/compose/package-reader.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryLogDisk } from '../fakes/memory-event-log.ts';
import { duesOf, firedOf, ScheduleLife, spec } from '../support/schedule-rig.ts';

const HOUR = 3_600_000;

function read(rows: string) {
  const files = templateFiles('patrol', 'flow').map(({ path, bytes }) =>
    path === 'app.toml'
      ? { path, bytes: Buffer.concat([bytes, new TextEncoder().encode(`\n${rows}`)]) }
      : { path, bytes },
  );
  return judgeWhole({ ok: true, files, signature: undefined }, { keys: new Map(), requireSigned: false });
}

function faults(rows: string): readonly string[] {
  const one = read(rows);
  return one.ok ? [] : one.faults.map(faultText);
}

it('a package says when it wants its intents', () => {
  const one = read(`[[schedule]]
name = "nightly"
cron = "0 3 * * *"
time_zone = "Europe/Berlin"
params = { metres = 0.5 }
missed = "skip"
jitter = "5 min"
deadline = "30 min"
`);
  if (!one.ok) throw new Error(one.faults.map(faultText).join('\n'));
  expect(one.make('/x').schedules).toEqual([
    {
      ...{ name: 'patrol.nightly', cron: '0 3 * * *', timeZone: 'Europe/Berlin', intent: 'patrol/drive' },
      ...{ params: { metres: 0.5 }, priority: 5, deadlineMs: 1_800_000, missed: 'skip', jitterMs: 300_000 },
      overlap: 'skip',
    },
  ]);
});

const row = (text: string) => `[[schedule]]\nname = "n"\ncron = "0 3 * * *"\n${text}\n`;
it.each([
  ['no cron', '[[schedule]]\nname = "n"\ncron = "61 * * * *"', /^app\.toml:\d+: schedule\[1\]\.cron: .*61/],
  ['no zone', row('time_zone = "Nowhere/Land"'), /schedule\[1\]\.cron: .*Nowhere\/Land/],
  [
    'an intent of another',
    row('intent = "maze/find_exit"'),
    /schedule\[1\]\.intent: is one of its own: patrol\/drive/,
  ],
  ['parameters that do not fit', row('params = { metres = 99 }'), /schedule\[1\]\.params: .*metres/],
  ['a name twice', row('') + row(''), /schedule\[2\]\.name: "n" is there twice/],
  ['roles of its own', row('roles = ["operator"]'), /roles: is not known/],
  [
    'a deadline before its jitter',
    row('deadline = "1 min"\njitter = "2 min"'),
    /deadline: is longer than jitter/,
  ],
])('a schedule with %s is a fault', (_what, rows, fault) => {
  expect(faults(rows).join('\n')).toMatch(fault);
});

it('schedules of packages come, go and come back beside those of the configuration, and each time opens one run', async () => {
  const clock = new ManualClock(BigInt(Date.parse('2026-05-01T00:30:00Z')) * NS_PER_MS);
  const disk = new MemoryLogDisk();
  const life = new ScheduleLife(clock, disk, []);
  const pass = async (ms: number) => {
    for (let left = ms; left >= 0; left -= 10_000) {
      await clock.advance(Math.min(left, 10_000));
      for (let i = 0; i < 60; i++) await Promise.resolve();
    }
  };
  const schedule = (name: string) => {
    const one = spec({ name, missed: 'skip' });
    return { spec: one, table: readTimeTable(one.cron, one.timeZone) };
  };
  await life.runner.start();
  await pass(HOUR);
  expect(disk.events).toEqual([]);
  await life.runner.take([schedule('own'), schedule('patrol.nightly')]);
  await pass(HOUR);
  expect(duesOf(disk)).toEqual(['2026-05-01T02:00:00Z', '2026-05-01T02:00:00Z']);
  await life.runner.take([schedule('own')]);
  await pass(HOUR);
  expect(duesOf(disk).filter((due) => due === '2026-05-01T03:00:00Z')).toHaveLength(1);
  expect(life.runner.views().map(({ name }) => name)).toEqual(['own']);
  // What it missed while it was away is judged by its own policy.
  await life.runner.take([schedule('own'), schedule('patrol.nightly')]);
  await pass(HOUR);
  const nightly = firedOf(disk).filter((one) => one.schedule === 'patrol.nightly');
  expect(nightly.map(({ action }) => action)).toEqual(['known', 'run', 'skipped', 'run']);
  expect(life.runner.views().map(({ last }) => last?.action)).toEqual(['run', 'run']);
  await life.runner.stop();
});
