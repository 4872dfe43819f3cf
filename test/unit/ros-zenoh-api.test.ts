import { afterEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { GoalResult, MessageValue } from '../../contract/core.ts';
import { readParameter, writeParameter } from '../../formats/ros2/index.ts';
import { testRosApi } from '../conformance/ros-api.ts';
import { MemoryFabric, MemoryKeySpace } from '../fakes/memory-key-space.ts';
import { type RosNode, rosNode } from '../support/ros-zenoh.ts';
import { until } from '../support/until.ts';

const ADD = 'example_interfaces/srv/AddTwoInts';
const FIBONACCI = 'example_interfaces/action/Fibonacci';
const soon = { timeoutMs: 10_000 };

testRosApi('over Zenoh, in memory', async () => {
  const [clock, fabric] = [new SystemClock(), new MemoryFabric()];
  const make = (name: string) => rosNode(name, async () => new MemoryKeySpace(clock, fabric));
  const [left, right] = [await make('left'), await make('right')];
  return {
    left: left.api,
    right: right.api,
    async close() {
      await left.api.close();
      await right.api.close();
    },
  };
});

describe('ROS services, actions, parameters and lifecycle over Zenoh', () => {
  const fabric = new MemoryFabric();
  const clock = new SystemClock();
  const ends: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });
  const node = async (name: string, options: Parameters<typeof rosNode>[2] = {}): Promise<RosNode> => {
    const one = await rosNode(name, async () => new MemoryKeySpace(clock, fabric), options);
    ends.push(() => one.api.close());
    return one;
  };
  const pair = async () => [await node('edge'), await node('robot')] as const;
  const add = async ({ a, b }: MessageValue) => ({ sum: (a as bigint) + (b as bigint) });

  describe('services', () => {
    it('are called, with numbers as a person types them, and named in the graph while they are served', async () => {
      const [us, robot] = await pair();
      const server = await robot.api.services.serve('/add', ADD, add);
      expect(await us.api.services.call('/add', ADD, { a: 2, b: 40 }, soon)).toEqual({ sum: 42n });
      expect((await us.api.graph.snapshot()).services).toEqual([{ name: '/add', types: [ADD] }]);
      await server.close();
      await server.close();
      await until(() => us.session.graph.now().services.length === 0, 'the service to leave');
    });

    it('are waited for until the deadline', async () => {
      const [us, robot] = await pair();
      const call = us.api.services.call('/add', ADD, { a: 1, b: 2 }, soon);
      await robot.api.services.serve('/add', ADD, add);
      expect(await call).toEqual({ sum: 3n });
      await expect(us.api.services.call('/nobody', ADD, {}, { timeoutMs: 50 })).rejects.toMatchObject({
        code: 'ros.not_found',
      });
    });

    it('answer each of many callers at once with its own answer', async () => {
      const [us, robot] = await pair();
      await robot.api.services.serve('/add', ADD, async (request) => {
        await new Promise((resolve) => setTimeout(resolve, 10 - Number(request['a'])));
        return add(request);
      });
      const calls = Array.from({ length: 10 }, (_, a) =>
        us.api.services.call('/add', ADD, { a, b: 100 }, soon),
      );
      expect((await Promise.all(calls)).map(({ sum }) => sum)).toEqual(
        Array.from({ length: 10 }, (_, a) => BigInt(100 + a)),
      );
    });

    it('that are silent are given up by the deadline, and by whoever called', async () => {
      const [us, robot] = await pair();
      await robot.api.services.serve('/deaf', ADD, () => new Promise(() => {}));
      const silent = us.api.services.call('/deaf', ADD, {}, { timeoutMs: 60 });
      await expect(silent).rejects.toMatchObject({ code: 'deadline.exceeded' });
      const given = new AbortController();
      const call = us.api.services.call('/deaf', ADD, {}, { ...soon, signal: given.signal });
      given.abort();
      await expect(call).rejects.toMatchObject({ code: 'deadline.exceeded' });
    });

    it('whose handler fails or is late give no answer, and say so', async () => {
      const [us, robot] = await pair();
      await robot.api.services.serve('/bad', ADD, async () => {
        throw new Error('out of order');
      });
      await robot.api.services.serve('/odd', ADD, async () => ({ product: 1 }));
      await robot.api.services.serve('/late', ADD, () => new Promise(() => {}), { timeoutMs: 20 });
      for (const name of ['/bad', '/odd', '/late'])
        await expect(us.api.services.call(name, ADD, {}, { timeoutMs: 2_000 })).rejects.toThrow();
      expect(robot.reports.join('\n')).toMatch(/\/bad: .*out of order[\s\S]*\/odd: .*product[\s\S]*\/late: /);
    });

    it('refuse what cannot be asked, before anybody is', async () => {
      const us = await node('edge');
      const call = (type: string, request: MessageValue) => us.api.services.call('/add', type, request, soon);
      await expect(call(ADD, { a: 'two' })).rejects.toMatchObject({
        code: 'schema.invalid',
        message: expect.stringContaining('a'),
      });
      await expect(call(ADD, { c: 1 })).rejects.toMatchObject({ code: 'schema.invalid' });
      await expect(call('acme_msgs/srv/Grip', {})).rejects.toMatchObject({
        code: 'sample.unknown_type',
        hint: expect.stringContaining('acme-msgs'),
      });
      await expect(us.api.services.serve('/x', 'acme_msgs/srv/Grip', add)).rejects.toMatchObject({
        code: 'sample.unknown_type',
      });
    });

    it('of another definition are no partner, and that is told', async () => {
      const texts = (type: string) => (type === ADD ? 'int32 a\nint32 b\n---\nint32 sum' : undefined);
      const [us, robot] = [await node('edge'), await node('robot', { texts })];
      await robot.api.services.serve('/add', ADD, async () => ({ sum: 1 }));
      await expect(us.api.services.call('/add', ADD, {}, { timeoutMs: 100 })).rejects.toMatchObject({
        code: 'ros.not_found',
        message: expect.stringMatching(/\/robot serves another definition/),
        hint: expect.stringContaining('ros.definitions'),
      });
    });

    it('have names in the namespace of their node', async () => {
      const [us, robot] = [await node('edge'), await node('robot', { namespace: 'robot7' })];
      await robot.api.services.serve('add', ADD, add);
      expect(await us.api.services.call('/robot7/add', ADD, { a: 1, b: 1 }, soon)).toEqual({ sum: 2n });
      expect((await us.api.graph.snapshot()).nodes.map(({ name }) => name)).toEqual([
        '/edge',
        '/robot7/robot',
      ]);
    });
  });

  describe('actions', () => {
    const count = (robot: RosNode, forever?: Promise<void>) =>
      robot.api.actions.serve('/fibonacci', FIBONACCI, {
        accept: (goal) => (goal['order'] as number) >= 0,
        async execute({ goal, canceled, feedback }): Promise<GoalResult> {
          const sequence = [0, 1];
          for (let i = 2; i <= (goal['order'] as number); i++) {
            sequence.push(sequence.at(-1)! + sequence.at(-2)!);
            feedback({ sequence });
          }
          if (forever) {
            const aborted = new Promise<void>((resolve) =>
              canceled.addEventListener('abort', () => resolve()),
            );
            // A cancel may come before the work begins.
            if (!canceled.aborted) await Promise.race([forever, aborted]);
          }
          return { status: canceled.aborted ? 'canceled' : 'succeeded', result: { sequence } };
        },
      });

    it('take a goal, tell feedback in order and the result', async () => {
      const [us, robot] = await pair();
      await count(robot);
      const heard: number[] = [];
      const onFeedback = ({ sequence }: MessageValue) => heard.push((sequence as Int32Array).length);
      const goal = await us.api.actions.send('/fibonacci', FIBONACCI, { order: 5 }, { ...soon, onFeedback });
      expect(goal.goalId).toMatch(/^[0-9a-f]{32}$/);
      const result = await goal.result;
      expect(result).toEqual({ status: 'succeeded', result: { sequence: Int32Array.of(0, 1, 1, 2, 3, 5) } });
      await until(() => heard.length === 4, 'all feedback');
      expect(heard).toEqual([3, 4, 5, 6]);
      expect((await us.api.graph.snapshot()).actions).toEqual([{ name: '/fibonacci', types: [FIBONACCI] }]);
    });

    it('reject a goal', async () => {
      const [us, robot] = await pair();
      await count(robot);
      const goal = await us.api.actions.send('/fibonacci', FIBONACCI, { order: -1 }, soon);
      expect(await goal.result).toEqual({ status: 'rejected', result: {} });
      expect(await goal.cancel(1_000)).toBe(false);
    });

    it('are cancelled, each goal by itself', async () => {
      const [us, robot] = await pair();
      await count(robot, new Promise(() => {}));
      const send = () => us.api.actions.send('/fibonacci', FIBONACCI, { order: 3 }, soon);
      const [first, second] = [await send(), await send()];
      expect(await first.cancel(5_000)).toBe(true);
      expect(await first.result).toMatchObject({ status: 'canceled' });
      expect(await first.cancel(5_000)).toBe(false);
      expect(await Promise.race([second.result, Promise.resolve('still running')])).toBe('still running');
      expect(await second.cancel(5_000)).toBe(true);
      await second.result;
    });

    it('that fail are aborted', async () => {
      const [us, robot] = await pair();
      await robot.api.actions.serve('/broken', FIBONACCI, {
        accept: () => true,
        execute: async () => {
          throw new Error('motor is hot');
        },
      });
      const goal = await us.api.actions.send('/broken', FIBONACCI, { order: 3 }, soon);
      expect(await goal.result).toMatchObject({ status: 'aborted' });
      expect(robot.reports.join()).toContain('motor is hot');
    });

    it('tell when the server of an accepted goal is gone', async () => {
      const [us, robot] = await pair();
      await count(robot, new Promise(() => {}));
      const goal = await us.api.actions.send('/fibonacci', FIBONACCI, { order: 3 }, soon);
      await robot.api.close();
      await expect(goal.result).rejects.toMatchObject({ code: 'robot.unreachable' });
    });

    it('forget no goal whose acceptance came too late: it is cancelled', async () => {
      const [us, robot] = await pair();
      const given = new AbortController();
      let canceled = false;
      await robot.api.actions.serve('/slow', FIBONACCI, {
        accept() {
          given.abort();
          return true;
        },
        execute: ({ canceled: signal }) =>
          new Promise((resolve) => {
            const end = () => {
              canceled = true;
              resolve({ status: 'canceled', result: {} });
            };
            if (signal.aborted) end();
            else signal.addEventListener('abort', end);
          }),
      });
      await expect(
        us.api.actions.send('/slow', FIBONACCI, { order: 1 }, { ...soon, signal: given.signal }),
      ).rejects.toMatchObject({ code: 'deadline.exceeded' });
      await until(() => canceled, 'the goal to be cancelled');
    });
  });

  it('reads and sets parameters of other nodes', async () => {
    const [us, robot] = await pair();
    const held = new Map<string, MessageValue>([['speed', { type: 3, double_value: 0.5 }]]);
    await robot.api.services.serve(
      '/robot/list_parameters',
      'rcl_interfaces/srv/ListParameters',
      async () => ({
        result: { names: [...held.keys()] },
      }),
    );
    await robot.api.services.serve(
      '/robot/get_parameters',
      'rcl_interfaces/srv/GetParameters',
      async (request) => ({
        values: (request['names'] as string[]).map((name) => held.get(name) ?? { type: 0 }),
      }),
    );
    await robot.api.services.serve(
      '/robot/set_parameters',
      'rcl_interfaces/srv/SetParameters',
      async (request) => ({
        results: (request['parameters'] as { name: string; value: MessageValue }[]).map(({ name, value }) => {
          if (name === 'fixed') return { successful: false, reason: 'read only' };
          held.set(name, value);
          return { successful: true };
        }),
      }),
    );
    const { parameters } = us.api;
    expect(await parameters.list('/robot', soon)).toEqual(['speed']);
    const told = await parameters.set(
      '/robot',
      { count: { kind: 'integer', value: 7n }, fixed: { kind: 'bool', value: true } },
      soon,
    );
    expect(told).toEqual({ count: undefined, fixed: 'read only' });
    expect(await parameters.get('/robot', ['speed', 'count', 'nothing'], soon)).toEqual({
      speed: { kind: 'double', value: 0.5 },
      count: { kind: 'integer', value: 7n },
      nothing: { kind: 'unset' },
    });
    const values = [
      { kind: 'bytes', value: Uint8Array.of(1, 2) },
      { kind: 'bools', value: [true, false] },
      { kind: 'integers', value: [1n, -2n] },
      { kind: 'doubles', value: [0.5] },
      { kind: 'strings', value: ['a', ''] },
      { kind: 'unset' },
    ] as const;
    for (const value of values) expect(readParameter(writeParameter(value))).toEqual(value);
  });

  it('moves a managed node, and tells what it refuses', async () => {
    const [us, robot] = await pair();
    let id = 1;
    await robot.api.services.serve('/arm/get_state', 'lifecycle_msgs/srv/GetState', async () => ({
      current_state: { id, label: '' },
    }));
    await robot.api.services.serve('/arm/change_state', 'lifecycle_msgs/srv/ChangeState', async (request) => {
      const asked = (request['transition'] as { id: number }).id;
      const next = { 11: 2, 23: 3, 34: 2, 22: 1, 15: 4 }[id * 10 + asked];
      if (next !== undefined) id = next;
      return { success: next !== undefined };
    });
    const { lifecycle } = us.api;
    expect(await lifecycle.state('/arm', soon)).toBe('unconfigured');
    await expect(lifecycle.change('/arm', 'activate', soon)).rejects.toMatchObject({ code: 'ros.refused' });
    expect(await lifecycle.change('/arm', 'configure', soon)).toBe('inactive');
    expect(await lifecycle.change('/arm', 'activate', soon)).toBe('active');
    expect(await lifecycle.change('/arm', 'deactivate', soon)).toBe('inactive');
    expect(await lifecycle.change('/arm', 'cleanup', soon)).toBe('unconfigured');
    expect(await lifecycle.change('/arm', 'shutdown', soon)).toBe('finalized');
    await expect(lifecycle.change('/arm', 'shutdown', soon)).rejects.toMatchObject({ code: 'ros.refused' });
  });

  it('tells changes of the graph, at once and at most ten times a second', async () => {
    const [us, robot] = await pair();
    const seen: number[] = [];
    const watch = us.api.graph.watch(({ services }) => seen.push(services.length));
    expect(seen).toEqual([0]);
    for (let i = 0; i < 50; i++) await robot.api.services.serve(`/s${i}`, ADD, add);
    await until(() => seen.at(-1) === 50, 'the last change');
    expect(seen.length).toBeLessThan(25);
    watch.cancel();
    const calls = seen.length;
    await robot.api.services.serve('/more', ADD, add);
    await until(() => us.session.graph.now().services.length === 51, 'one more service');
    expect(seen).toHaveLength(calls);
  });
});
