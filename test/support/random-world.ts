import { Type } from 'typebox';
import {
  EdgeError,
  type FlowDefinition,
  type FlowScope,
  type JsonValue,
  type PolicyHook,
  pause,
  type Tool,
} from '../../contract/index.ts';
import { tool } from './agent-apps.ts';
import type { Plan } from './random-plan.ts';
import { flowApp } from './test-apps.ts';

const closed = { additionalProperties: false } as const;
const input = Type.Object({ n: Type.Integer({ minimum: 0, maximum: 9 }) }, closed);

type Act = (scope: FlowScope) => Promise<Record<string, unknown>>;

/** The tools of the world of one run: of its application, of an extension, and of a server out of reach later. */
export function toolsOfWorld() {
  const answers =
    (kind: string, more: object = {}): Tool['run'] =>
    async ({ n }) => {
      for (let i = 0; i < 3; i++) await Promise.resolve();
      return { result: { kind, n }, ...more };
    };
  const picture = { mime: 'image/png' as const, data: new Uint8Array([1, 2, 3]) };
  const breaks: Tool['run'] = async ({ n }) => {
    throw new EdgeError('tool.failed', { operation: 'break', subject: 'do.break', message: `no ${n}` });
  };
  // Tools that take their time: one gives way to a stop, one with what it has, one never.
  const slow = [
    tool('slow.yields', { input, effect: 'actuate', replay: 'never' }, async ({ n }, { clock, signal }) => {
      await pause(clock, 100 * Number(n), signal);
      signal.throwIfAborted();
      return { result: { slept: n } };
    }),
    tool('slow.half', { input }, async ({ n }, { clock, signal }) => {
      await pause(clock, 100 * Number(n), signal);
      return { result: { whole: !signal.aborted } };
    }),
    tool('slow.stubborn', { input, effect: 'write', replay: 'never' }, async ({ n }, { clock }) => {
      await pause(clock, 100 * Number(n));
      return { result: { n } };
    }),
  ];
  const own = [
    tool('do.read', { input }, answers('read')),
    tool('do.write', { input, effect: 'write', replay: 'never' }, answers('write')),
    tool('do.probe', { input, effect: 'write', replay: 'probe' }, answers('probe'), {
      probe: async ({ n }) => (Number(n) % 2 ? { result: { found: n } } : undefined),
    }),
    tool('do.break', { input, effect: 'actuate', replay: 'never' }, breaks),
    tool('do.picture', { input }, answers('picture', { images: [picture] })),
    ...slow,
  ];
  const extension = [tool('ext.note', { input, effect: 'write', origin: 'extension' }, answers('note'))];
  const server = [
    tool('srv.look', { input, origin: 'mcp' }, answers('look')),
    tool('srv/look', { input, origin: 'mcp', description: 'the other look' }, answers('other look')),
  ];
  return { own, extension, server };
}

const acts: Readonly<Record<string, Act>> = {
  look: async ({ robot }) => ({ x: (await robot.state()).pose?.x ?? 0 }),
  map: async ({ robot }) => ({ width: (await robot.map())?.width ?? 0 }),
  drive: async ({ robot, signal }) => {
    const { outcome } = await robot.maneuver({ kind: 'drive', distance: 0.1 }, signal);
    return { outcome };
  },
  go: async ({ robot, signal }) => {
    const { pose } = await robot.state();
    const goal = { pose: pose ?? { x: 0, y: 0, yaw: 0 }, tolerance: 0.2, timeoutMs: 2_000 };
    return { outcome: (await robot.navigate(goal, signal)).outcome };
  },
  rest: async ({ robot, signal }) => ({
    outcome: (await robot.maneuver({ kind: 'wait', durationMs: 50 }, signal)).outcome,
  }),
  read: async ({ tools }) => ({ ...(await tools.call('do.read', { n: 1 })) }),
  ext: async ({ tools }) => ({ ...(await tools.call('ext.note', { n: 2 })) }),
  srv: async ({ tools }) => ({ ...(await tools.call('srv.look', { n: 3 })) }),
  child: async ({ tools }) => {
    const { status } = await tools.call('run.delegate', { intent: 'hand/go', time_s: 60 });
    return { status };
  },
  fail: async ({ tools }) => {
    const code = await tools.call('do.break', { n: 4 }).then(
      () => 'ok',
      (thrown: unknown) => EdgeError.from(thrown, 'internal.fault', 'act', 'break').code,
    );
    return { code };
  },
  throw: async () => {
    throw new EdgeError('robot.stuck', { operation: 'act', subject: 'wheel', retryable: true });
  },
  wait: async ({ clock, signal }) => {
    await pause(clock, 300, signal);
    return {};
  },
  both: async ({ tools }) => {
    const both = await Promise.all([tools.call('do.read', { n: 5 }), tools.call('srv.look', { n: 6 })]);
    return { both };
  },
  deaf: () => new Promise<never>(() => {}),
};

export function randomFlow(states: Plan['states']): FlowDefinition {
  const named = states.map((list, i) => {
    const next = i + 1 < states.length ? `s${i + 2}` : 'done';
    const state: FlowDefinition['states'][string] = {
      about: `state ${i + 1}`,
      deadlineMs: 10_000,
      retry: { times: 2, delayMs: 100, delayMsMax: 400 },
      on: { ok: next, error: next, deadline: next },
      enter: async (scope) => {
        const seen: JsonValue[] = [];
        for (const name of list) seen.push((await acts[name]!(scope)) as JsonValue);
        return { event: 'ok', reason: `after ${list.length} acts`, facts: { [`seen${i + 1}`]: seen } };
      },
    };
    return [`s${i + 1}`, state] as const;
  });
  return {
    name: 'random',
    start: 's1',
    stepsMax: 20,
    begin: () => ({}),
    tools: ['*'],
    states: {
      ...Object.fromEntries(named),
      done: { about: 'the end', end: 'succeeded', conclude: (facts) => ({ reason: 'done', summary: facts }) },
    },
  };
}

/** A child: it looks, rests a little and says what it saw. */
export const hand = flowApp('hand', {
  name: 'hand',
  start: 'work',
  stepsMax: 5,
  begin: () => ({}),
  states: {
    work: {
      about: 'works',
      deadlineMs: 10_000,
      on: { ok: 'done' },
      enter: async ({ robot, signal }) => {
        const { outcome } = await robot.maneuver({ kind: 'wait', durationMs: 80 }, signal);
        return { event: 'ok', reason: outcome, facts: { outcome } };
      },
    },
    done: { about: 'the end', end: 'succeeded', conclude: (facts) => ({ reason: 'done', summary: facts }) },
  },
});

export const allows: PolicyHook = {
  name: 'rules',
  decide: async () => ({ decision: 'allow', reason: 'fine' }),
};
export const careful: PolicyHook = {
  name: 'careful',
  decide: async ({ subject, facts }) =>
    (subject === 'do.write' || subject === 'ext.note') && Number(facts['n']) >= 5
      ? { decision: 'deny', reason: 'small numbers only' }
      : { decision: 'allow', reason: 'small enough' },
};
