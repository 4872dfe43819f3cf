import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dropsText, ledgerText, RouteBook } from '../../console/src/routes/route-book.ts';
import { ticksOf, traceRows } from '../../console/src/runs/trace-rows.ts';
import type { LedgerLine, RouteStatus } from '../../contract/index.ts';
import { makeArmFigure } from '../../daemon/compose/arm-figure.ts';
import { readConfig } from '../../daemon/config.ts';
import { ArmFigureView, type FigureSpec } from '../../daemon/execution/arm-figure.ts';
import { LinkPoints, readUrdf } from '../../formats/urdf/index.ts';

/** What the pages of the console show, without a page: rows of routes and traces, and the arm that is drawn. */
const root = join(import.meta.dirname, '..', '..');

const route = (name: string, more: Partial<RouteStatus> = {}): RouteStatus => ({
  ...{
    name,
    from: `ros:/${name}`,
    to: `zenoh:fleet/${name}`,
    state: 'up',
    reason: '',
    messages: 0,
    bytes: 0,
  },
  ...{
    messages_per_second: 0,
    age_ms: null,
    queued: 0,
    queued_bytes: 0,
    dropped: {},
    rebuilds: 0,
    topics: 1,
  },
  ...more,
});
const line = (topic: string, hop: string, more: Partial<Omit<LedgerLine, 'topic' | 'hop'>> = {}) => ({
  ...{ received: 0, written: 0, dropped: {}, ...more, topic, hop, forwarded: more.forwarded ?? 0 },
});

describe('rows of routes', () => {
  it('are sorted by what is wrong, then by name', () => {
    const states = ['up', 'idle', 'rebuilt', 'silent', 'down', 'diverged'] as const;
    const { routes } = new RouteBook().take(
      {
        routes: [...states.map((state) => route(`r-${state}`, { state })), route('a')],
        ledger: [],
      },
      0,
    );
    expect(routes.map(({ key }) => key)).toEqual([
      ...['r-down', 'r-diverged', 'r-silent', 'r-rebuilt', 'r-idle', 'a', 'r-up'],
    ]);
    expect(routes.filter(({ trouble }) => trouble).length).toBe(4);
  });

  it('have rates from one answer to the next, and none after a counter began anew', () => {
    const book = new RouteBook();
    const at = (bytes: number, received: number, ms: number) =>
      book.take(
        {
          routes: [route('a', { bytes })],
          ledger: [line('/a', 'recorder', { received, written: received })],
        },
        ms,
      );
    expect(at(1000, 10, 0).routes[0]!.bytesPerSecond).toBeUndefined();
    const second = at(5000, 30, 2000);
    expect([second.routes[0]!.bytesPerSecond, second.topics[0]!.hz]).toEqual([2000, 10]);
    expect(at(5100, 31, 2001).routes[0]!.bytesPerSecond).toBe(2000);
    expect(at(10, 1, 3000).routes[0]!.bytesPerSecond).toBeUndefined();
  });

  it('say of the ledger whether it balances, and wait for what is on its way', () => {
    const book = new RouteBook();
    const at = (received: number, forwarded: number, ms: number, queued = 0) =>
      book.take(
        {
          routes: [route('a', { queued })],
          ledger: [line('/a', 'route:a', { received, forwarded, dropped: { denied: 1 } })],
        },
        ms,
      );
    expect(at(10, 9, 0).routes[0]).toMatchObject({ balance: 'balances', verdict: 'up' });
    expect(at(12, 9, 1000).topics[0]).toMatchObject({ balance: 'on the way', verdict: 'up' });
    // What stands in the queue is not lost, however long.
    expect(at(12, 9, 12_000, 2).routes[0]).toMatchObject({ balance: 'on the way' });
    const late = at(12, 9, 13_000);
    expect(late.topics[0]).toMatchObject({
      balance: 'does not balance',
      verdict: 'unbalanced',
      trouble: true,
    });
    expect(late.routes[0]).toMatchObject({ verdict: 'unbalanced' });
    expect(at(12, 12, 14_000).routes[0]).toMatchObject({ balance: 'does not balance' });
  });

  it('tell losses while they happen, and not what the configuration drops', () => {
    const book = new RouteBook();
    const at = (dropped: Record<string, number>, ms: number) =>
      book.take(
        { routes: [route('a', { dropped })], ledger: [line('/a', 'route:a', { received: 9, dropped })] },
        ms,
      ).routes[0]!;
    expect(at({ queue_full: 3, decimated: 6 }, 0).verdict).toBe('up');
    expect(at({ queue_full: 3, decimated: 6 }, 1000).verdict).toBe('up');
    expect(at({ queue_full: 4, decimated: 5 }, 2000).verdict).toBe('losing');
    expect(at({ queue_full: 4, decimated: 5 }, 30_000).verdict).toBe('up');
    expect(dropsText({ queue_full: 1, denied: 4, echo: 0 })).toBe('denied 4, queue_full 1');
    expect(ledgerText({ received: 10, forwarded: 4, written: 0, dropped: { denied: 6 } })).toBe(
      '10 = 4 + 0 + 6',
    );
  });
});

describe('rows of a trace', () => {
  const span = (span_id: string, parent_id: string | undefined, from: number, to?: number) => ({
    ...{ span_id, parent_id, name: span_id, kind: 'tool' as const, ok: true, error: '' },
    start_ns: String(1_700_000_000_000_000_000n + BigInt(from) * 1_000_000n),
    end_ns: to === undefined ? undefined : String(1_700_000_000_000_000_000n + BigInt(to) * 1_000_000n),
  });

  it('stand under their parents in the order of their starts', () => {
    const spans = [
      span('b', 'run', 20, 30),
      span('run', 'intent', 5),
      span('a', 'run', 10, 15),
      span('intent', 'gone', 0, 40),
    ];
    const { rows, totalMs } = traceRows(spans);
    expect(totalMs).toBe(40);
    expect(
      rows.map(({ span: { name }, depth, startMs, lengthMs, open }) => [
        name,
        depth,
        startMs,
        lengthMs,
        open,
      ]),
    ).toEqual([
      ['intent', 0, 0, 40, false],
      ['run', 1, 5, 35, true],
      ['a', 2, 10, 5, false],
      ['b', 2, 20, 10, false],
    ]);
  });

  it('do not end in circles, and have round times for a scale', () => {
    const names = traceRows([span('a', 'b', 0, 1), span('b', 'a', 0, 1)]).rows.map((row) => row.span.name);
    expect(names.sort()).toEqual(['a', 'b']);
    expect(ticksOf(930)).toEqual([0, 200, 400, 600, 800]);
    expect(ticksOf(0)).toEqual([0]);
    expect(ticksOf(600_000)).toEqual([0, 300_000, 600_000]);
  });
});

describe('the figure of the arm', () => {
  const model = readUrdf(readFileSync(join(root, 'sim', 'arm', 'ar4.urdf'), 'utf8'));
  const spec: FigureSpec = {
    ...{ model, base: 'base_link', tool: 'tool0', gripper: '', limits: [{ name: 'joint_1', lower: -1 }] },
    joints: ['joint_1', 'joint_2', 'joint_3', 'joint_4', 'joint_5', 'joint_6', 'gripper'],
  };
  const reading = (position: number) => ({ position, velocity: undefined, effort: undefined });
  const all = Object.fromEntries(spec.joints.map((name) => [name, reading(0)]));

  it('has the origin of each link, the last one the tool point', () => {
    const way = new LinkPoints(model, 'base_link', 'tool0');
    expect(way.joints).toEqual(spec.joints.slice(0, 6));
    const points = way.place([0, 0, 0, 0, 0, 0]);
    expect(points.map(({ link }) => link)).toEqual([
      ...['base_link', 'link_1', 'link_2', 'link_3', 'link_4', 'link_5', 'link_6', 'tool0'],
    ]);
    expect(points[0]).toEqual({ link: 'base_link', x: 0, y: 0, z: 0 });
    // The shoulder is 64 mm before and 170 mm above the base; turned by a quarter it is beside it.
    const turned = way.place([Math.PI / 2, 0, 0, 0, 0, 0])[2]!;
    expect(Math.hypot(points[2]!.x, points[2]!.y)).toBeCloseTo(0.0642, 6);
    expect(points[2]!.z).toBeCloseTo(0.16977, 6);
    expect(points[2]!.x * turned.x + points[2]!.y * turned.y).toBeCloseTo(0, 9);
  });

  it('has limits, the tighter ones, and finds the gripper', () => {
    const figure = new ArmFigureView(spec).of(undefined, all, true);
    expect(figure).toMatchObject({ gripper: 'gripper', frame: 'base_link', connected: true, reason: '' });
    expect(figure.joints[0]).toMatchObject({ name: 'joint_1', kind: 'turns', position: 0, lower: -1 });
    expect(figure.joints[0]!.upper).toBeCloseTo(2.967, 3);
    expect(figure.joints[6]).toEqual({ name: 'gripper', kind: 'slides', position: 0, lower: 0, upper: 0.07 });
    expect(figure.points).toHaveLength(8);
  });

  it('says what it does not know, and never throws', () => {
    const { joint_3: _, ...some } = all;
    const untold = new ArmFigureView(spec).of(undefined, some, false);
    expect(untold).toMatchObject({
      points: [],
      reason: 'no position received yet for joint_3',
      connected: false,
    });
    expect(untold.joints[2]).not.toHaveProperty('position');
    expect(new ArmFigureView({ ...spec, tool: 'hand' }).of(undefined, all, true).reason).toContain('hand');
    const unknown = new ArmFigureView({ ...spec, model: undefined, gripper: 'jaw' }).of(undefined, all, true);
    expect(unknown.points).toEqual([]);
    expect(unknown.joints.at(-1)).toEqual({ name: 'jaw', kind: 'unknown' });
  });

  it('of a URDF that cannot be read is the bars and the reason: no cell fails to start for a drawing', () => {
    const lines = '[arm]\nenabled = true\n[gate]\nurdf = "/nowhere/arm.urdf"\n';
    const figure = makeArmFigure(readConfig(lines, 'robot.toml', {}).config)!;
    expect(figure.of(undefined, all, true)).toMatchObject({
      ...{ connected: true, points: [] },
      reason: expect.stringMatching(/gate\.urdf: .*\/nowhere\/arm\.urdf/),
    });
  });
});
