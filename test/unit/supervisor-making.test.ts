import { describe, expect, it } from 'vitest';
import type { CellName } from '../../contract/index.ts';
import type { ToCell } from '../../daemon/cell/wire.ts';
import type { CarrierEvents } from '../../daemon/supervisor/cell-process.ts';
import { START_ORDER, Supervisor } from '../../daemon/supervisor/supervisor.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

/** Cells that boot at once and then do what the test says; the execution cell starts when it is released. */
function setup() {
  const clock = new ManualClock();
  const got: { readonly cell: CellName; readonly t: ToCell['t'] }[] = [];
  const events = new Map<CellName, CarrierEvents>();
  const supervisor = new Supervisor({
    clock,
    watchdogMs: 0,
    report: () => {},
    notify: { ready() {}, status() {}, reloading() {}, watchdog() {}, stopping() {} },
    spawn: (name, to) => {
      events.set(name, to);
      const heart = clock.every(250, () => to.onMessage({ t: 'heartbeat', work: [], rssBytes: 1 }));
      const ends = (reason: string) => {
        heart.cancel();
        to.onExit(reason);
      };
      queueMicrotask(() => to.onMessage({ t: 'booted' }));
      return {
        pid: 1,
        kill: () => ends('signal SIGKILL'),
        post({ t }) {
          got.push({ cell: name, t });
          if (t === 'start' && name !== 'execution') queueMicrotask(() => to.onMessage({ t: 'started' }));
          // A runtime cell that loads does not hear the order to stop.
          if (t === 'stop' && name !== 'runtime') queueMicrotask(() => ends('exit code 0'));
        },
      };
    },
  });
  const orders = (t: ToCell['t']) => got.filter((one) => one.t === t).map(({ cell }) => cell);
  return { clock, supervisor, orders, release: () => events.get('execution')!.onMessage({ t: 'started' }) };
}

describe('cells that wait for their turn to start', () => {
  it('are made while the first one starts: none loads when its turn comes', async () => {
    const { clock, supervisor, orders, release } = setup();
    const started = supervisor.start();
    await clock.advance(100);
    expect(orders('start')).toEqual(['execution']);
    expect(orders('make')).toEqual(START_ORDER.filter((name) => name !== 'execution'));
    release();
    await started;
    expect(orders('start')).toEqual(START_ORDER);
  });

  it('hold up no stop: a runtime cell that was not started has no runs to end', async () => {
    const { clock, supervisor, orders } = setup();
    const started = supervisor.start();
    await clock.advance(100);
    const stopped = supervisor.stop();
    await clock.advance(1);
    expect(orders('stop')).toContain('execution');
    await clock.advance(6_000);
    await stopped;
    await started;
    expect(supervisor.reports().every(({ state }) => state === 'stopped')).toBe(true);
  });
});
