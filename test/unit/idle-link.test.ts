import { expect, it } from 'vitest';
import type { CellName } from '../../contract/index.ts';
import type { FromCell, ToCell } from '../../daemon/cell/wire.ts';
import { readConfig } from '../../daemon/config.ts';
import type { SpawnCell } from '../../daemon/supervisor/cell-process.ts';
import { idleLink, isLinkIdle } from '../../daemon/supervisor/idle-link.ts';
import { Supervisor } from '../../daemon/supervisor/supervisor.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const config = (toml: string) => readConfig(toml, 'test.toml', {}).config;

/** A supervisor whose cells start at once; what the runtime cell is sent is kept. */
function setup() {
  const clock = new ManualClock();
  const held = { config: config(''), hasKey: false };
  const isIdle = () => isLinkIdle(held.config, held.hasKey);
  const end = () => void supervisor.renew(['link'], 'a key');
  const answers: ToCell[] = [];
  const processes: CellName[] = [];
  let runtime: (message: FromCell) => void = () => {};
  const fork: SpawnCell = (name, events) => {
    processes.push(name);
    if (name === 'runtime') runtime = events.onMessage;
    const beat = clock.every(250, () => events.onMessage({ t: 'heartbeat', work: [], rssBytes: 1 }));
    queueMicrotask(() => events.onMessage({ t: 'booted' }));
    return {
      pid: processes.length,
      post(message) {
        if (message.t === 'start') queueMicrotask(() => events.onMessage({ t: 'started' }));
        if (message.t === 'stop') {
          beat.cancel();
          queueMicrotask(() => events.onExit('exit code 0'));
        }
        if (name === 'runtime' && message.t === 'response') answers.push(message);
      },
      kill: () => events.onExit('signal SIGKILL'),
    };
  };
  const supervisor = new Supervisor({
    clock,
    spawn: (name, events) =>
      name === 'link' && isIdle() ? idleLink({ events, isIdle, end }) : fork(name, events),
    notify: { ready() {}, status() {}, reloading() {}, watchdog() {}, stopping() {} },
    report: () => {},
    watchdogMs: 0,
  });
  let id = 0;
  const ask = async (method: string) => {
    runtime({ t: 'request', id: ++id, from: 'runtime', to: 'link', method, body: {}, madeAtMs: 0 });
    for (let i = 0; i < 10; i++) await Promise.resolve();
    return answers.at(-1);
  };
  const link = () => supervisor.reports().find(({ name }) => name === 'link')!;
  return { clock, held, supervisor, processes, ask, link };
}

it('a link without a central is up without a process, and answers that none is configured', async () => {
  const { supervisor, processes, ask, link, clock } = setup();
  await supervisor.start();
  expect(processes).toEqual(['execution', 'memory', 'runtime']);
  expect(link()).toMatchObject({ state: 'up', pid: undefined, restarts: 0 });
  const off = { ready: true, state: 'off', reason: 'no central is configured', lanes: {} };
  expect(await ask('link.status')).toMatchObject({ ok: true, body: off });
  expect(await ask('link.sync')).toMatchObject({ ok: true, body: { ...off, behind: 0 } });
  expect(await ask('link.other')).toMatchObject({ ok: false, body: { code: 'cell.unavailable' } });
  // It has no heart that could stop.
  await clock.advance(60_000);
  expect(link()).toMatchObject({ state: 'up', restarts: 0, beatAgeMs: 0 });
  await supervisor.stop();
  expect(link().state).toBe('stopped');
});

it('a central that is configured later gets a process, and one that is taken away ends it', async () => {
  const { supervisor, processes, held, link } = setup();
  await supervisor.start();
  held.config = config('[link]\ncentral_url = "https://central.example"');
  await supervisor.renew(['link'], 'the configuration changed');
  expect(processes.at(-1)).toBe('link');
  expect(link()).toMatchObject({ state: 'up', pid: 4 });
  held.config = config('');
  await supervisor.renew(['link'], 'the configuration changed');
  expect(link()).toMatchObject({ state: 'up', pid: undefined });
});

it('a disk that is no fault of the robot: without a key it says which; enrolled since, its link starts for it', async () => {
  const { supervisor, processes, held, ask, link } = setup();
  await supervisor.start();
  for (const call of ['open', 'next', 'piece', 'sign', 'receipts'])
    expect(await ask(`link.disk_${call}`)).toMatchObject({
      ...{ ok: false, body: { code: 'config.invalid', hint: expect.stringContaining('link enrol') } },
    });
  expect(link().pid).toBeUndefined();
  held.hasKey = true;
  // Who only looks starts nothing.
  expect(await ask('link.status')).toMatchObject({ ok: true });
  expect(link().pid).toBeUndefined();
  expect(await ask('link.disk_open')).toMatchObject({
    ...{ ok: false, body: { code: 'cell.unavailable', hint: 'ask again in a moment' } },
  });
  expect(processes.at(-1)).toBe('link');
  expect(link()).toMatchObject({ state: 'up', pid: 4, deathsInARow: 0 });
});

it.each([
  ['', false, true],
  ['', true, false],
  ['[link]\ncentral_url = "https://central.example"', false, false],
  // Receipts may come on a disk.
  ['[link]\nkey_file = "/central.pem"', false, false],
  // A token that cannot be read is found by the cell.
  ['[link]\ntoken_file = "/nowhere"', false, false],
])('%j, with a key of its own: %s: idle %s', (toml, hasKey, isIdle) => {
  expect(isLinkIdle(config(toml), hasKey)).toBe(isIdle);
});
