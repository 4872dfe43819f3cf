import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { RosHost } from '../../adapters/ros/index.ts';
import { type EdgeError, type MessageValue, pause } from '../../contract/index.ts';
import { PythonPeer, type RosEnv, rosEnvironment } from '../peers/ros-peer.ts';

const clock = new SystemClock();
const ADD = 'example_interfaces/srv/AddTwoInts';
const FIBONACCI = 'example_interfaces/action/Fibonacci';
const LONG = { timeoutMs: 20_000 };

let env: RosEnv;
beforeAll(() => {
  env = rosEnvironment();
}, 15 * 60_000);

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function open(): Promise<{ host: RosHost; said: string[] }> {
  const said: string[] = [];
  const host = new RosHost({ env, node: 'edge', report: (_, message) => said.push(message) }, clock);
  await host.start(host);
  closing.push(() => host.release(host));
  return { host, said };
}

function peer(...args: string[]): PythonPeer {
  const started = new PythonPeer(env, 'ros_api.py', args);
  closing.push(() => started.close());
  return started;
}

const sequence = (value: MessageValue | undefined) =>
  Array.from((value?.['sequence'] ?? []) as Iterable<number>);

describe('a real rclpy node', () => {
  it('is called, sent goals, asked for parameters and led through its states', {
    timeout: 120_000,
  }, async () => {
    const node = peer('serve');
    const { host } = await open();
    const { services, actions, parameters, lifecycle, graph } = host.api;
    await node.line((line: { ready?: boolean }) => line.ready === true, 60_000);

    expect(await services.call('/peer/add', ADD, { a: 2n ** 61n, b: 1n }, LONG)).toEqual({
      sum: 2n ** 61n + 1n,
    });
    const many = Array.from({ length: 60 }, (_, i) => services.call('/peer/add', ADD, { a: i, b: 0 }, LONG));
    expect((await Promise.all(many)).map(({ sum }) => Number(sum))).toEqual(many.map((_, i) => i));

    const seen: number[] = [];
    const goal = await actions.send(
      '/peer/count',
      FIBONACCI,
      { order: 6 },
      { ...LONG, onFeedback: (value) => seen.push(sequence(value).length) },
    );
    const ended = await goal.result;
    expect([ended.status, sequence(ended.result)]).toEqual(['succeeded', [0, 1, 1, 2, 3, 5, 8]]);
    expect(seen.length).toBeGreaterThan(0);
    const refused = await actions.send('/peer/count', FIBONACCI, { order: -1 }, LONG);
    expect((await refused.result).status).toBe('rejected');
    const long = await actions.send('/peer/count', FIBONACCI, { order: 40 }, LONG);
    expect(await long.cancel(20_000)).toBe(true);
    expect((await long.result).status).toBe('canceled');

    expect(await parameters.list('/peer', LONG)).toEqual(expect.arrayContaining(['ids', 'name', 'speed']));
    expect(await parameters.get('/peer', ['speed', 'ids', 'nothing'], LONG)).toEqual({
      speed: { kind: 'double', value: 0.5 },
      ids: { kind: 'integers', value: [1n, 2n ** 60n] },
      nothing: { kind: 'unset' },
    });
    expect(await parameters.set('/peer', { speed: { kind: 'double', value: 3 } }, LONG)).toEqual({
      speed: 'too fast',
    });
    expect(await parameters.set('/peer', { speed: { kind: 'double', value: 0.7 } }, LONG)).toEqual({
      speed: undefined,
    });

    expect(await lifecycle.change('/managed', 'configure', LONG)).toBe('inactive');
    expect(await lifecycle.change('/managed', 'activate', LONG)).toBe('active');
    await expect(lifecycle.change('/managed', 'configure', LONG)).rejects.toMatchObject({
      code: 'ros.refused',
    });
    expect(await lifecycle.state('/managed', LONG)).toBe('active');

    const found = await graph.snapshot();
    expect(found.nodes.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['/edge', '/managed', '/peer']),
    );
    expect(found.actions).toContainEqual({ name: '/peer/count', types: [FIBONACCI] });
    const rosout = found.topics.find(({ topic }) => topic === '/rosout')!;
    const publisher = rosout.publishers.find((endpoint) => endpoint.node === '/peer')!;
    expect(publisher).toMatchObject({
      type: 'rcl_interfaces/msg/Log',
      qos: { reliability: 'reliable', durability: 'transient_local', lifespanMs: 10_000 },
    });
    expect(publisher.typeHash).toMatch(/^RIHS01_[0-9a-f]{64}$/);
  });

  it('that dies is told to whoever waits for its goal', { timeout: 120_000 }, async () => {
    const node = peer('serve');
    const { host } = await open();
    await node.line((line: { ready?: boolean }) => line.ready === true, 60_000);
    const goal = await host.api.actions.send('/peer/count', FIBONACCI, { order: 1_000 }, LONG);
    node.child.kill('SIGKILL');
    await expect(goal.result).rejects.toMatchObject({ code: 'robot.unreachable', subject: '/peer/count' });
  });
});

type Answer = { id?: number; sum?: number; accepted?: boolean; status?: number; sequence?: number[] };

describe('a host that dies or hangs', () => {
  for (const signal of ['SIGKILL', 'SIGSTOP'] as const) {
    it(`(${signal}) ends its calls and goals, and serves again by itself`, { timeout: 400_000 }, async () => {
      const node = peer('serve');
      const caller = peer('call', '/edge/add', '/edge/count');
      const { host } = await open();
      const { services, actions } = host.api;
      const canceled: string[] = [];
      await services.serve('/edge/add', ADD, async ({ a, b }) => ({ sum: (a as bigint) + (b as bigint) }));
      await services.serve('/edge/silent', ADD, () => new Promise(() => {}));
      await actions.serve('/edge/count', FIBONACCI, {
        accept: ({ order }) => (order as number) >= 0,
        execute: ({ goal, canceled: stop, feedback }) =>
          new Promise((resolve) => {
            feedback({ sequence: [0] });
            if ((goal['order'] as number) < 100)
              resolve({ status: 'succeeded', result: { sequence: [7, goal['order']] } });
            stop.addEventListener('abort', () => {
              canceled.push(String(stop.reason));
              resolve({ status: 'canceled', result: { sequence: [] } });
            });
          }),
      });
      let number = 0;
      const ask = async (order: object) => {
        const id = ++number;
        caller.child.stdin!.write(`${JSON.stringify({ ...order, id })}\n`);
        return caller.line<Answer>((line) => line.id === id, 60_000);
      };
      await node.line((line: { ready?: boolean }) => line.ready === true, 60_000);
      expect(await ask({ do: 'add', a: 20, b: 22 })).toMatchObject({ sum: 42 });
      expect(await ask({ do: 'goal', order: 5 })).toMatchObject({ status: 4, sequence: [7, 5] });
      expect(await ask({ do: 'goal', order: -1 })).toMatchObject({ accepted: false });
      expect(await ask({ do: 'cancel', order: 100 })).toMatchObject({ status: 5 });
      expect(canceled).toEqual(['canceled by its client']);

      const goal = await actions.send('/peer/count', FIBONACCI, { order: 5_000 }, LONG);
      const unanswered = services
        .call('/edge/silent', ADD, {}, { timeoutMs: 60_000 })
        .catch((error: EdgeError) => error.code);
      await pause(clock, 300);
      process.kill(host.pid!, signal);
      await expect(goal.result).rejects.toMatchObject({ code: 'robot.unreachable' });
      expect(await unanswered).toBe('ros.failed');
      // Asked while nobody is there: it waits for the next host.
      expect(await services.call('/peer/add', ADD, { a: 1, b: 2 }, { timeoutMs: 60_000 })).toEqual({
        sum: 3n,
      });
      // Its client may still send to the server that died: DDS takes up to 20 s to notice.
      let answer = await ask({ do: 'add', a: 1, b: 1 });
      for (let i = 0; i < 5 && answer.sum !== 2; i++) answer = await ask({ do: 'add', a: 1, b: 1 });
      expect(answer).toMatchObject({ sum: 2 });
      expect(await ask({ do: 'goal', order: 6 })).toMatchObject({ status: 4, sequence: [7, 6] });
      expect(host.restarts).toBeGreaterThan(0);
      // The goal that nobody watches any more does not go on.
      await node.line((line: { goal?: string }) => line.goal === 'canceled', 60_000);
    });
  }
});
