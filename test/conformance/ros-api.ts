import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import {
  EdgeError,
  type GoalHandle,
  type GoalResult,
  type GraphSnapshot,
  type MessageValue,
  pause,
  type RosApi,
  type ServedGoal,
} from '../../contract/index.ts';

/** Two nodes in one graph, each by its own host or session, so that everything crosses the middleware. */
export type RosPair = {
  readonly left: RosApi;
  readonly right: RosApi;
  close(): Promise<void>;
};

const ADD = 'example_interfaces/srv/AddTwoInts';
const FIBONACCI = 'example_interfaces/action/Fibonacci';
const FAST = { timeoutMs: 10_000 };
const clock = new SystemClock();

/** The suite of the ports in contract/ports/ros-graph.ts. `name` keeps runs of several adapters apart. */
export function testRosApi(name: string, make: () => Promise<RosPair>, prefix = '/conformance'): void {
  describe(`RosApi: ${name}`, () => {
    let pair: RosPair;
    beforeAll(async () => {
      pair = await make();
    }, 120_000);
    afterAll(async () => {
      await pair?.close();
    });

    describe('services', () => {
      it('carry request and answer, 64-bit integers exactly', async () => {
        const sums = await pair.left.services.serve(`${prefix}/add`, ADD, async ({ a, b }) => ({
          sum: (a as bigint) + (b as bigint),
        }));
        const call = (request: MessageValue) => pair.right.services.call(`${prefix}/add`, ADD, request, FAST);
        expect(await call({ a: 2n ** 62n, b: 1n })).toEqual({ sum: 2n ** 62n + 1n });
        expect(await call({ a: -7, b: 2 })).toEqual({ sum: -5n });
        expect(await call({ b: 3n })).toEqual({ sum: 3n });
        const many = await Promise.all(Array.from({ length: 20 }, (_, i) => call({ a: BigInt(i), b: 0n })));
        expect(many.map(({ sum }) => sum)).toEqual(Array.from({ length: 20 }, (_, i) => BigInt(i)));
        await sums.close();
      });

      it('a request that does not fit its type is refused before it is sent', async () => {
        let asked = 0;
        const served = await pair.left.services.serve(`${prefix}/strict`, ADD, async () => {
          asked += 1;
          return { sum: 0n };
        });
        const call = (request: MessageValue) =>
          pair.right.services.call(`${prefix}/strict`, ADD, request, FAST);
        await call({});
        await expect(call({ c: 1n })).rejects.toMatchObject({ code: 'schema.invalid' });
        await expect(call({ a: 'one' })).rejects.toMatchObject({ code: 'schema.invalid' });
        await expect(call({ a: 2n ** 63n })).rejects.toMatchObject({ code: 'schema.invalid' });
        expect(asked).toBe(1);
        await served.close();
      });

      it('a type that nobody installed names the package', async () => {
        const call = pair.right.services.call(
          `${prefix}/x`,
          'nobody_msgs/srv/Nothing',
          {},
          { timeoutMs: 2_000 },
        );
        await expect(call).rejects.toMatchObject({
          code: 'sample.unknown_type',
          hint: expect.stringContaining('nobody-msgs'),
        });
      });

      it('nobody there, a silent server, a caller that gives up: each is told apart', async () => {
        const absent = pair.right.services.call(`${prefix}/absent`, ADD, {}, { timeoutMs: 300 });
        await expect(absent).rejects.toMatchObject({ code: 'ros.not_found', subject: `${prefix}/absent` });

        const silent = await pair.left.services.serve(`${prefix}/silent`, ADD, () => new Promise(() => {}));
        const add = await pair.left.services.serve(`${prefix}/quick`, ADD, async () => ({ sum: 1n }));
        await pair.right.services.call(`${prefix}/quick`, ADD, {}, FAST);
        const late = pair.right.services.call(`${prefix}/silent`, ADD, {}, { timeoutMs: 2_000 });
        await expect(late).rejects.toMatchObject({ code: 'deadline.exceeded' });
        const stop = new AbortController();
        const given = pair.right.services.call(`${prefix}/silent`, ADD, {}, { ...FAST, signal: stop.signal });
        stop.abort();
        await expect(given).rejects.toBeInstanceOf(EdgeError);
        // The node is as good as before.
        expect(await pair.right.services.call(`${prefix}/quick`, ADD, {}, FAST)).toEqual({ sum: 1n });
        await silent.close();
        await add.close();
      });

      it('a handler that throws gives its caller no answer, and the next one is served', async () => {
        let fail = true;
        const served = await pair.left.services.serve(`${prefix}/moody`, ADD, async () => {
          if (fail) throw new Error('out of order');
          return { sum: 4n };
        });
        const call = (timeoutMs: number) =>
          pair.right.services.call(`${prefix}/moody`, ADD, {}, { timeoutMs });
        await expect(call(2_000)).rejects.toMatchObject({ code: 'deadline.exceeded' });
        fail = false;
        expect(await call(10_000)).toEqual({ sum: 4n });
        await served.close();
      });

      it('a closed service is gone', async () => {
        const served = await pair.left.services.serve(`${prefix}/gone`, ADD, async () => ({ sum: 1n }));
        await pair.right.services.call(`${prefix}/gone`, ADD, {}, FAST);
        await served.close();
        await served.close();
        const waits = async () =>
          pair.right.services.call(`${prefix}/gone`, ADD, {}, { timeoutMs: 1_000 }).then(
            () => 'answered',
            (error: EdgeError) => error.code,
          );
        let code = await waits();
        for (let i = 0; i < 10 && code !== 'ros.not_found'; i++) code = await waits();
        expect(code).toBe('ros.not_found');
      });
    });

    describe('actions', () => {
      type Work = (goal: ServedGoal) => Promise<GoalResult>;
      const numbers = (value: MessageValue | undefined) =>
        Array.from((value?.['sequence'] ?? []) as Iterable<number>);
      async function serving(action: string, execute: Work): Promise<() => Promise<void>> {
        const served = await pair.left.actions.serve(`${prefix}/${action}`, FIBONACCI, {
          accept: ({ order }) => (order as number) >= 0,
          execute,
        });
        return () => served.close();
      }
      const send = (action: string, order: number, onFeedback?: (value: MessageValue) => void) =>
        pair.right.actions.send(
          `${prefix}/${action}`,
          FIBONACCI,
          { order },
          { ...FAST, ...(onFeedback ? { onFeedback } : {}) },
        );
      const untilCanceled: Work = ({ canceled }) =>
        new Promise((resolve) => {
          const end = () => resolve({ status: 'canceled', result: { sequence: [1] } });
          if (canceled.aborted) end();
          else canceled.addEventListener('abort', end, { once: true });
        });

      it('goal, feedback in order, result', async () => {
        const close = await serving('count', async ({ goal, feedback }) => {
          const sequence = [0, 1];
          for (let i = 1; i < (goal['order'] as number); i++) {
            sequence.push(sequence[i]! + sequence[i - 1]!);
            feedback({ sequence });
            await pause(clock, 10);
          }
          return { status: 'succeeded', result: { sequence } };
        });
        const seen: number[][] = [];
        const goal = await send('count', 6, (value) => seen.push(numbers(value)));
        expect(goal.goalId).toMatch(/^[0-9a-f]{32}$/);
        const { status, result } = await goal.result;
        expect(status).toBe('succeeded');
        expect(numbers(result)).toEqual([0, 1, 1, 2, 3, 5, 8]);
        expect(seen.length).toBeGreaterThan(0);
        expect(seen.map(({ length }) => length)).toEqual([...seen.map(({ length }) => length)].sort());
        await close();
      });

      it('a goal that is refused, one that is aborted, one whose execution throws', async () => {
        const close = await serving('hard', async ({ goal }) => {
          if (goal['order'] === 13) throw new Error('unlucky');
          return { status: 'aborted', result: { sequence: [9] } };
        });
        expect((await (await send('hard', -1)).result).status).toBe('rejected');
        const aborted = await (await send('hard', 1)).result;
        expect(aborted.status).toBe('aborted');
        expect(numbers(aborted.result)).toEqual([9]);
        expect((await (await send('hard', 13)).result).status).toBe('aborted');
        await close();
      });

      it('a cancel reaches the server, and the result says so', async () => {
        const close = await serving('wait', untilCanceled);
        const goal = await send('wait', 1);
        expect(await goal.cancel(10_000)).toBe(true);
        const { status, result } = await goal.result;
        expect(status).toBe('canceled');
        expect(numbers(result)).toEqual([1]);
        // It is over: there is nothing left to cancel.
        expect(await goal.cancel(10_000)).toBe(false);
        await close();
      });

      it('several goals of one server run and end for themselves', async () => {
        const close = await serving('several', async (own) => {
          if ((own.goal['order'] as number) > 0) return untilCanceled(own);
          return { status: 'succeeded', result: { sequence: [] } };
        });
        const waiting: GoalHandle[] = [await send('several', 1), await send('several', 2)];
        expect((await (await send('several', 0)).result).status).toBe('succeeded');
        await waiting[1]!.cancel(10_000);
        expect((await waiting[1]!.result).status).toBe('canceled');
        await waiting[0]!.cancel(10_000);
        expect((await waiting[0]!.result).status).toBe('canceled');
        await close();
      });

      it('nobody there, a goal that does not fit', async () => {
        const absent = pair.right.actions.send(
          `${prefix}/nobody`,
          FIBONACCI,
          { order: 1 },
          { timeoutMs: 300 },
        );
        await expect(absent).rejects.toMatchObject({ code: 'ros.not_found' });
        const close = await serving('fits', async () => ({ status: 'succeeded', result: {} }));
        const wrong = pair.right.actions.send(`${prefix}/fits`, FIBONACCI, { order: 'x' }, FAST);
        await expect(wrong).rejects.toMatchObject({ code: 'schema.invalid' });
        await close();
      });
    });

    describe('graph', () => {
      it('shows what is served, to a snapshot and to a watcher', async () => {
        const seen: GraphSnapshot[] = [];
        const watch = pair.right.graph.watch((graph) => seen.push(graph));
        const add = await pair.left.services.serve(`${prefix}/shown`, ADD, async () => ({ sum: 0n }));
        const count = await pair.left.actions.serve(`${prefix}/counted`, FIBONACCI, {
          accept: () => false,
          execute: async () => ({ status: 'aborted', result: {} }),
        });
        const shows = (graph: GraphSnapshot | undefined) =>
          graph?.services.some(({ name, types }) => name === `${prefix}/shown` && types.includes(ADD)) &&
          graph.actions.some(({ name, types }) => name === `${prefix}/counted` && types.includes(FIBONACCI));
        await until(() => shows(seen.at(-1)) === true);
        expect(shows(await pair.right.graph.snapshot())).toBe(true);
        const feedback = (await pair.right.graph.snapshot()).topics.find(
          ({ topic }) => topic === `${prefix}/counted/_action/feedback`,
        );
        expect(feedback?.publishers.length).toBe(1);
        expect(feedback?.publishers[0]?.qos.reliability).toBe('reliable');
        await add.close();
        await count.close();
        await until(() => shows(seen.at(-1)) === false);
        const before = seen.length;
        watch.cancel();
        const again = await pair.left.services.serve(`${prefix}/unseen`, ADD, async () => ({ sum: 0n }));
        await pair.right.services.call(`${prefix}/unseen`, ADD, {}, FAST);
        expect(seen.length).toBe(before);
        await again.close();
      });
    });

    describe('parameters and lifecycle, of a node that offers the standard services', () => {
      const node = `${prefix}/managed`;
      const closing: (() => Promise<void>)[] = [];
      let speed = 0.5;
      let state = 1;
      beforeAll(async () => {
        const serve = async (
          service: string,
          type: string,
          handle: (request: MessageValue) => Promise<MessageValue>,
        ) => {
          const served = await pair.left.services.serve(`${node}/${service}`, type, handle);
          closing.push(() => served.close());
        };
        await serve('list_parameters', 'rcl_interfaces/srv/ListParameters', async () => ({
          result: { names: ['speed', 'name'], prefixes: [] },
        }));
        await serve('get_parameters', 'rcl_interfaces/srv/GetParameters', async ({ names }) => ({
          values: (names as string[]).map((name) =>
            name === 'speed'
              ? { type: 3, double_value: speed }
              : name === 'ids'
                ? { type: 7, integer_array_value: [2n ** 60n] }
                : { type: 0 },
          ),
        }));
        await serve('set_parameters', 'rcl_interfaces/srv/SetParameters', async ({ parameters }) => ({
          results: (parameters as { name: string; value: { type: number; double_value: number } }[]).map(
            ({ name, value }) => {
              if (name !== 'speed' || value.type !== 3) return { successful: false, reason: 'read only' };
              speed = value.double_value;
              return { successful: true, reason: '' };
            },
          ),
        }));
        await serve('get_state', 'lifecycle_msgs/srv/GetState', async () => ({
          current_state: { id: state, label: '' },
        }));
        await serve('change_state', 'lifecycle_msgs/srv/ChangeState', async ({ transition }) => {
          const next = ({ 1: [1, 2], 3: [2, 3], 4: [3, 2], 7: [3, 4] } as Record<number, [number, number]>)[
            (transition as { id: number }).id
          ];
          if (next?.[0] !== state) return { success: false };
          state = next[1];
          return { success: true };
        });
      });
      afterAll(async () => {
        for (const close of closing) await close();
      });

      it('lists, gets and sets', async () => {
        const { parameters } = pair.right;
        expect([...(await parameters.list(node, FAST))].sort()).toEqual(['name', 'speed']);
        expect(await parameters.get(node, ['speed', 'missing', 'ids'], FAST)).toEqual({
          speed: { kind: 'double', value: 0.5 },
          missing: { kind: 'unset' },
          ids: { kind: 'integers', value: [2n ** 60n] },
        });
        const set = await parameters.set(
          node,
          { speed: { kind: 'double', value: 1.25 }, name: { kind: 'string', value: 'x' } },
          FAST,
        );
        expect(set).toEqual({ speed: undefined, name: 'read only' });
        expect(await parameters.get(node, ['speed'], FAST)).toEqual({
          speed: { kind: 'double', value: 1.25 },
        });
        await expect(parameters.list(`${prefix}/nobody`, { timeoutMs: 300 })).rejects.toMatchObject({
          code: 'ros.not_found',
        });
      });

      it('changes state, and says what was refused', async () => {
        const { lifecycle } = pair.right;
        expect(await lifecycle.state(node, FAST)).toBe('unconfigured');
        await expect(lifecycle.change(node, 'activate', FAST)).rejects.toMatchObject({ code: 'ros.refused' });
        expect(await lifecycle.change(node, 'configure', FAST)).toBe('inactive');
        expect(await lifecycle.change(node, 'activate', FAST)).toBe('active');
        expect(await lifecycle.change(node, 'shutdown', FAST)).toBe('finalized');
        await expect(lifecycle.change(node, 'shutdown', FAST)).rejects.toMatchObject({ code: 'ros.refused' });
      });
    });
  });
}

async function until(fits: () => boolean, ms = 30_000): Promise<void> {
  const deadline = clock.monotonicMs() + ms;
  while (!fits()) {
    if (clock.monotonicMs() > deadline) throw new Error(`nothing within ${ms} ms: ${fits}`);
    await pause(clock, 50);
  }
}
