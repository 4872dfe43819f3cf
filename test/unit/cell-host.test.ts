import { describe, expect, it } from 'vitest';
import {
  type CallName,
  type Cell,
  type CellContext,
  EdgeError,
  type ErrorBody,
  LIMITS,
  NEVER_REFUSED,
} from '../../contract/index.ts';
import { CellHost } from '../../daemon/cell/cell-host.ts';
import { MessageBus } from '../../daemon/cell/message-bus.ts';
import type { FromCell, Request, Response } from '../../daemon/cell/wire.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryEventLog } from '../fakes/memory-event-log.ts';

function host(makeCell: (context: CellContext) => Partial<Cell>, rssBytes = () => 7) {
  const clock = new ManualClock();
  const sent: FromCell[] = [];
  const log = new MemoryEventLog({ cell: 'runtime', clock });
  const it_ = new CellHost({
    name: 'runtime',
    clock,
    dataDir: '/nowhere',
    version: '0.0.0',
    pid: 1,
    post: (message) => sent.push(message),
    rssBytes,
    openLog: async () => log,
    compose: async (context) => ({
      name: 'runtime',
      start: async () => {},
      stop: async () => {},
      work: () => [],
      ...makeCell(context),
    }),
  });
  const kinds = () => sent.map((m) => m.t).filter((t) => t !== 'heartbeat');
  return { clock, sent, kinds, host: it_, log };
}

describe('a cell host', () => {
  it('beats from the first moment, with the work of the cell once it is there', async () => {
    const { clock, sent, host: cell } = host(() => ({ work: () => [{ name: 'runs', done: 3, waiting: 1 }] }));
    expect(sent[0]).toMatchObject({ t: 'heartbeat', work: [] });
    await cell.receive({ t: 'start', attempt: 0, reason: 'start' });
    await clock.advance(250);
    expect(sent.filter((m) => m.t === 'heartbeat').at(-1)).toMatchObject({
      work: [{ name: 'runs', done: 3, waiting: 1 }],
      rssBytes: 7,
    });
  });

  it('beats four times a second and asks the kernel for its size once', async () => {
    let asked = 0;
    const { clock, sent } = host(
      () => ({}),
      () => ++asked,
    );
    await clock.advance(10_000);
    const sizes = sent.flatMap((one) => (one.t === 'heartbeat' ? one.rssBytes : []));
    expect(sizes.length).toBe(41);
    expect(asked).toBe(11);
    expect(sizes.at(-1)).toBe(11);
  });

  it('writes its start and its stop into its own log, with attempt and reason', async () => {
    const { host: cell, log, kinds } = host(() => ({}));
    await cell.receive({ t: 'start', attempt: 2, reason: 'signal SIGKILL' });
    await cell.receive({ t: 'stop' });
    const events = log.reader().read(0, 10);
    expect(events.map((e) => e.kind)).toEqual(['cell.started', 'cell.stopped']);
    expect(events[0]!.payload).toMatchObject({ attempt: 2, reason: 'signal SIGKILL' });
    expect(kinds()).toContain('started');
    expect(kinds().at(-1)).toBe('stopped');
  });

  it('reports a start that failed as a typed error', async () => {
    const { host: cell, sent } = host(() => ({
      start: async () => {
        throw new EdgeError('host.port_in_use', {
          operation: 'listen',
          subject: '7601',
          hint: 'choose another',
        });
      },
    }));
    await cell.receive({ t: 'start', attempt: 0, reason: 'start' });
    expect(sent.find((m) => m.t === 'failed')).toMatchObject({
      error: { code: 'host.port_in_use', hint: 'choose another' },
    });
  });

  it('stops in time although the cell is deaf, and closes the log all the same', async () => {
    const { host: cell, clock, kinds, log } = host(() => ({ stop: () => new Promise(() => {}) }));
    await cell.receive({ t: 'start', attempt: 0, reason: 'start' });
    const stopping = cell.stop('asked to');
    await clock.advance(4_500);
    await stopping;
    expect(kinds().at(-1)).toBe('stopped');
    expect(
      log
        .reader()
        .read(0, 10)
        .map((e) => e.kind),
    ).toContain('cell.stopped');
  });
});

describe('the message bus', () => {
  function pair() {
    const clock = new ManualClock();
    const posted: FromCell[] = [];
    const asker: MessageBus = new MessageBus('runtime', clock, (message) => {
      posted.push(message);
      if (message.t === 'request') void answerer.receive(message as Request);
    });
    const answerer: MessageBus = new MessageBus('execution', clock, (message) => {
      if (message.t === 'response') void asker.receive(message as Response);
    });
    return { clock, asker, answerer, posted };
  }

  it('carries values both ways', async () => {
    const { asker, answerer } = pair();
    const view = { state: 'held', lease_id: 7, holder: 'max' } as const;
    const taken: unknown[] = [];
    answerer.handle('lease.take', async (body) => {
      taken.push(body);
      return view;
    });
    const take = { role: 'teleoperation', holder: 'max' } as const;
    expect(await asker.request('execution', 'lease.take', take)).toEqual(view);
    expect(taken).toEqual([take]);
  });

  it('refuses a question and an answer that are not what the call says, by the name of the key', async () => {
    const { asker, answerer } = pair();
    let reached = 0;
    answerer.handle('lease.take', async () => {
      reached += 1;
      return { state: 'lost' } as never;
    });
    const take = (body: object) => asker.request('execution', 'lease.take', body as never);
    await expect(take({ role: 'agent', holder: 'a', seconds: 3 })).rejects.toMatchObject({
      code: 'schema.invalid',
      subject: '/seconds',
      message: 'question lease.take: /seconds: unknown field',
    });
    await expect(take({ role: 'agent' })).rejects.toMatchObject({ subject: '/holder' });
    expect(reached).toBe(0);
    await expect(take({ role: 'agent', holder: 'a' })).rejects.toMatchObject({
      code: 'internal.fault',
      subject: '/state',
    });
    expect(reached).toBe(1);
  });

  it.each([...NEVER_REFUSED] as CallName[])('takes %s with any body and any answer', async (call) => {
    const { asker, answerer } = pair();
    const bodies: unknown[] = [];
    answerer.handle(call, async (body) => {
      bodies.push(body);
      return 'stood' as never;
    });
    for (const body of [undefined, null, 7, { reason: 1, stranger: {} }])
      expect(await asker.request('execution', call as 'robot.stop', body as never)).toBe('stood');
    expect(bodies).toHaveLength(4);
  });

  it('sends what ends motion although as many questions are open as may be', async () => {
    const { asker, answerer } = pair();
    answerer.handle('robot.map', () => new Promise(() => {}));
    answerer.handle('robot.stop', async () => 'stood' as never);
    for (let i = 0; i < LIMITS.CELL_REQUESTS_OPEN_MAX; i++)
      asker.request('execution', 'robot.map', {}).catch(() => {});
    await expect(asker.request('execution', 'robot.map', {})).rejects.toMatchObject({
      code: 'cell.overloaded',
    });
    expect(await asker.request('execution', 'robot.stop', { reason: 'a child' } as never)).toBe('stood');
  });

  it('carries the error of the other side whole', async () => {
    const { asker, answerer } = pair();
    answerer.handle('robot.map', async () => {
      throw new EdgeError('robot.no_path', {
        operation: 'navigate',
        subject: 'x',
        message: 'walled in',
        hint: 'look',
      });
    });
    await expect(asker.request('execution', 'robot.map', {})).rejects.toMatchObject({
      code: 'robot.no_path',
      message: 'walled in',
      hint: 'look',
    });
  });

  it('settles by its deadline although nobody answers, and drops the late answer', async () => {
    const { asker, answerer, clock } = pair();
    let late: (value: never) => void = () => {};
    answerer.handle('robot.state', () => new Promise((resolve) => (late = resolve)));
    const asked = asker.request('execution', 'robot.state', {}, 1_000);
    const settled = expect(asked).rejects.toMatchObject({ code: 'deadline.exceeded' });
    await clock.advance(1_001);
    await settled;
    late(1 as never);
    await clock.advance(1);
  });

  it('refuses what the other cell does not answer, and what is open when it closes', async () => {
    const { asker, answerer } = pair();
    await expect(asker.request('execution', 'robot.stop', { reason: '' })).rejects.toMatchObject({
      code: 'cell.unavailable',
    });
    answerer.handle('robot.state', () => new Promise(() => {}));
    const asked = asker.request('execution', 'robot.state', {});
    asker.close();
    await expect(asked).rejects.toMatchObject({ code: 'cell.unavailable' });
  });

  it('holds a bounded number of open requests', async () => {
    const { asker, answerer } = pair();
    answerer.handle('robot.state', () => new Promise(() => {}));
    const asked = Array.from({ length: 1_024 }, () => asker.request('execution', 'robot.state', {}));
    for (const one of asked) one.catch((error: ErrorBody) => error);
    await expect(asker.request('execution', 'robot.state', {})).rejects.toMatchObject({
      code: 'cell.overloaded',
    });
    asker.close();
  });
});
