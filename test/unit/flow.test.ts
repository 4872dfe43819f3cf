import { describe, expect, it } from 'vitest';
import { EdgeError, type FlowDefinition, type FlowState } from '../../contract/index.ts';
import { flowFaults } from '../../daemon/runtime/flow/flow-check.ts';
import { chooseMove, mergeFacts } from '../../daemon/runtime/flow/flow-core.ts';
import { FlowHarness } from '../../daemon/runtime/flow/flow-harness.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { maze } from '../support/shipped-apps.ts';
import { flowApp, oneState } from '../support/test-apps.ts';

const work = (on: FlowState['on'], more: Partial<FlowState> = {}): FlowState => ({
  about: 'works',
  enter: async () => ({ event: 'ok', reason: '' }),
  deadlineMs: 1_000,
  on,
  ...more,
});
const end = { about: 'ends', end: 'succeeded', conclude: () => ({ reason: 'done', summary: {} }) } as const;
const flow = (states: FlowDefinition['states'], more: Partial<FlowDefinition> = {}): FlowDefinition => ({
  name: 'f',
  start: 'a',
  stepsMax: 10,
  begin: () => ({}),
  states,
  ...more,
});
const guard = { name: 'never', test: () => false };

describe('a flow definition is checked when it is loaded', () => {
  it.each<[string, FlowDefinition, RegExp]>([
    [
      'a missing target',
      flow({ a: work({ ok: 'nowhere' }), z: end }),
      /state "a", event "ok": target "nowhere" is no state/,
    ],
    ['a missing start', flow({ z: end }, { start: 'b' }), /start "b" is no state/],
    [
      'an unreachable state',
      flow({ a: work({ ok: 'z' }), b: work({ ok: 'z' }), z: end }),
      /state "b" cannot be reached from "a"/,
    ],
    [
      'no way out',
      flow({ a: work({ ok: 'z', no: 'b' }), b: work({ ok: 'b' }), z: end }),
      /no way leads from state "b" to an end/,
    ],
    ['no end', flow({ a: work({ ok: 'a' }) }), /no state ends the run/],
    [
      'a guard on the last transition',
      flow({ a: work({ ok: [{ to: 'z', when: guard }] }), z: end }),
      /the last transition has a guard/,
    ],
    [
      'a transition behind an open one',
      flow({ a: work({ ok: [{ to: 'z' }, { to: 'a' }] }), z: end }),
      /nothing after the transition to "z" can be taken/,
    ],
    ['no transitions', flow({ a: work({}), z: end }), /state "a" has no transitions/],
    ['an empty list', flow({ a: work({ ok: [] }), z: end }), /state "a", event "ok": no transition/],
    [
      'a deadline that is none',
      flow({ a: work({ ok: 'z' }, { deadlineMs: 0 }), z: end }),
      /state "a": deadlineMs must be positive/,
    ],
    ['a bad name', flow({ 'A b': work({ ok: 'z' }), z: end }, { start: 'A b' }), /state "A b": a name is/],
    [
      'a target that objects inherit',
      flow({ a: work({ ok: 'toString' }), z: end }),
      /target "toString" is no state/,
    ],
    [
      'a negative retry',
      flow({ a: work({ ok: 'z' }, { retry: { times: -1, delayMs: 0, delayMsMax: 0 } }), z: end }),
      /state "a": retry/,
    ],
  ])('%s', (_name, definition, message) => {
    expect(flowFaults(definition).join('; ')).toMatch(message);
    expect(() => new FlowHarness(definition)).toThrow(message);
  });

  it('the maze flow is sound', () => {
    expect(flowFaults(maze.flow!)).toEqual([]);
  });
});

describe('the core', () => {
  it('takes the first transition whose guard holds', () => {
    const three = { name: 'three', test: (facts: { n?: unknown }) => facts.n === 3 };
    const definition = flow({ a: work({ ok: [{ to: 'z', when: three }, { to: 'a' }] }), z: end });
    expect(chooseMove(definition, { state: 'a', facts: { n: 3 } }, 'ok', {})).toEqual({
      to: 'z',
      guard: 'three',
    });
    expect(chooseMove(definition, { state: 'a', facts: { n: 2 } }, 'ok', {})).toEqual({
      to: 'a',
      guard: undefined,
    });
    expect(() => chooseMove(definition, { state: 'a', facts: {} }, 'what', {})).toThrow(
      /event "what", which it does not declare/,
    );
  });

  it('lets only small, plain facts travel', () => {
    const definition = flow({ a: end });
    const mine = { list: [1] };
    const merged = mergeFacts(definition, { n: 1 }, mine);
    mine.list.push(2);
    expect(merged).toEqual({ n: 1, list: [1] });
    expect(() => mergeFacts(definition, {}, { n: Number.NaN })).toThrow(
      /facts: \/n: a finite JSON value expected, found NaN/,
    );
    expect(() => mergeFacts(definition, {}, { s: 'x'.repeat(20_000) })).toThrow(/at most 16384 are allowed/);
  });
});

describe('a flow that runs', () => {
  const go = async (definition: FlowDefinition) => {
    const rig = new RuntimeRig({ apps: [flowApp('f', definition)], robot: new FakeRobot({ cells: 2 }) });
    await rig.cell.start();
    await rig.cell.submit({ type: 'f/go' }, PERSON);
    await rig.finished();
    return {
      rig,
      run: rig.cell.runs()[0]!,
      reasons: rig.of('run.phase').map(({ payload }) => `${payload.phase}: ${payload.reason}`),
    };
  };
  const fails = (error: unknown) => {
    let failures = 0;
    return async () => {
      if (failures++ < 2) throw error;
      return { event: 'ok', reason: `after ${failures} tries` };
    };
  };
  const retry = { times: 3, delayMs: 100, delayMsMax: 1_000 };
  const transient = new EdgeError('cell.restarted', {
    operation: 'x',
    subject: 'execution',
    message: 'gone',
  });

  it('retries what may pass, and says so', async () => {
    const { reasons } = await go(oneState(fails(transient), { retry }));
    expect(reasons).toEqual([
      'work: begin',
      'work: retry 1 of 3: gone',
      'work: retry 2 of 3: gone',
      'done: ok: after 3 tries',
    ]);
  });

  it('does not retry what will not pass', async () => {
    const { reasons } = await go(oneState(fails(new Error('a defect')), { retry }));
    expect(reasons).toEqual(['work: begin', 'broken: error: a defect']);
  });

  it('gives up after its last retry', async () => {
    const { reasons } = await go(oneState(fails(transient), { retry: { ...retry, times: 1 } }));
    expect(reasons).toEqual(['work: begin', 'work: retry 1 of 1: gone', 'broken: error: gone']);
  });

  it('goes on when a state is deaf', async () => {
    const { reasons, run } = await go(oneState(() => new Promise(() => {}), { deadlineMs: 500 }));
    expect(reasons.at(-1)).toMatch(/^late: deadline: no answer within 500 ms/);
    expect(run.run.status).toBe('failed');
  });

  it('fails with the error where the graph does not say what to do with it', async () => {
    const { run } = await go(
      flow({ a: work({ ok: 'z' }, { enter: async () => Promise.reject(transient) }), z: end }),
    );
    expect(run).toMatchObject({ run: { status: 'failed' }, error: { code: 'cell.restarted' } });
  });

  it('fails for an event that a state does not declare', async () => {
    const { run } = await go(
      flow({ a: work({ ok: 'z' }, { enter: async () => ({ event: 'odd', reason: '' }) }), z: end }),
    );
    expect(run.error).toMatchObject({
      code: 'internal.fault',
      message: expect.stringMatching(/event "odd"/),
    });
  });

  it('ends when it goes in circles', async () => {
    const { run, rig } = await go(flow({ a: work({ ok: 'a', end: 'z' }), z: end }));
    expect(run.reason).toMatch(/no end after 10 states/);
    expect(rig.of('run.phase')).toHaveLength(11);
  });
});
