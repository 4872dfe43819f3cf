import { describe, expect, it } from 'vitest';
import {
  type Application,
  type EdgeError,
  type PolicyContext,
  type Submitted,
  TOPICS,
  Type,
} from '../../contract/index.ts';
import { AskDesk } from '../../daemon/runtime/chat/ask-desk.ts';
import { isRelative } from '../../daemon/runtime/chat/ask-prompt.ts';
import { Stops } from '../../daemon/runtime/stop-count.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { uuid } from '../support/tiny-log.ts';

const closed = { additionalProperties: false } as const;
const app = (name: string, intents: Application['intents']): Application => ({
  ...{
    name,
    version: '1.0.0',
    description: name,
    harness: 'pi',
    intents,
    deadlineMs: 1_000,
    afterCut: 'fail',
  },
});
const APPS = [
  app('post', [
    {
      type: 'post/bring',
      description: 'Bring the post',
      params: Type.Object({ x: Type.Number(), y: Type.Number() }, closed),
    },
    {
      type: 'post/count',
      description: 'Count letters',
      params: Type.Object({ most: Type.Optional(Type.Integer()) }, closed),
    },
  ]),
  app('robot', [
    { type: 'robot/chat', description: 'Words', params: Type.Object({ words: Type.String() }, closed) },
    { type: 'robot/drive', description: 'Drive', params: Type.Object({ metres: Type.Number() }, closed) },
  ]),
];
const WHO: PolicyContext = { tenant: 'local', principal: 'operator', roles: [], origin: 'cli' };

function rig(name: string | undefined, args: string | object = {}, apps: readonly Application[] = APPS) {
  const clock = new ManualClock();
  const submitted: { request: unknown; who: PolicyContext }[] = [];
  let asked: { tools?: readonly { name: string }[] } = {};
  const stops: string[] = [];
  const bus = new FakeBus(clock);
  const count = new Stops(clock, bus);
  let next = 1;
  const desk = new AskDesk({
    clock,
    ids: { next: () => uuid(next++) } as never,
    apps: () => apps,
    places: [],
    stops: count,
    moves: (type) => type !== 'post/count',
    stop: async (reason) => {
      count.note();
      stops.push(reason);
      return { confirmed: true, warnings: [] };
    },
    chat: {
      complete: async ({ request }) => {
        asked = request;
        const argumentsText = typeof args === 'string' ? args : JSON.stringify(args);
        const toolCalls = name === undefined ? [] : [{ id: 'c', name, argumentsText }];
        return {
          ...{ text: '', toolCalls, stopReason: 'tool_calls', tokensIn: 1, tokensOut: 1 },
          model: 'm',
          modelId: 'm',
        };
      },
    },
    submit: async (request, who) => {
      submitted.push({ request, who });
      return { duplicate: false } as Submitted;
    },
  });
  const agentStops = async () => {
    bus.tell(TOPICS.robotStopped, { atMs: clock.monotonicMs() + 1, run: 'r' });
    await clock.advance(2);
  };
  return { desk, clock, submitted, stops, asked: () => asked, stopped: () => count.note(), agentStops };
}

type Made = ReturnType<typeof rig>;

describe('words as an intent', () => {
  it('shows the intent that fits, does nothing by itself, and opens one run under one key when it is confirmed', async () => {
    const { desk, submitted, asked } = rig('robot__drive', { metres: 0.5 });
    const plan = await desk.plan('half a metre forward', WHO);
    expect(plan).toMatchObject({
      kind: 'intent',
      app: 'robot',
      intent: { type: 'robot/drive', params: { metres: 0.5 } },
    });
    expect(submitted).toEqual([]);
    expect(asked().tools?.map(({ name }) => name)).toEqual([
      'post__bring',
      'post__count',
      'robot__drive',
      'none_fits',
    ]);
    await desk.confirm(plan.ask_id, WHO);
    await desk.confirm(plan.ask_id, WHO);
    expect(submitted[0]).toEqual({
      request: { type: 'robot/drive', params: { metres: 0.5 }, idempotency_key: `ask:${plan.ask_id}` },
      who: WHO,
    });
    expect(submitted[1]).toEqual(submitted[0]);
  });

  it.each([
    ['how are you?', 'none_fits', {}, 'no application fits'],
    ['how are you?', undefined, {}, 'no application fits'],
    ['count', 'post__count', { most: 'many' }, 'parameters that do not fit'],
    ['count', 'post__count', '{broken', 'parameters that do not fit'],
    ['count', 'post__burn', {}, 'not there'],
    ['half a metre forward', 'post__bring', { x: 0.5, y: 0 }, 'from where the robot stands'],
  ])('gives the general agent %j where the model says %s %j', async (words, name, args, reason) => {
    const plan = await rig(name, args).desk.plan(words, WHO);
    expect(plan).toMatchObject({
      kind: 'agent',
      app: 'robot',
      intent: { type: 'robot/chat', params: { words } },
    });
    expect(plan.reason).toContain(reason);
  });

  it('keeps a place of the map where the words name it', async () => {
    const plan = await rig('post__bring', { x: 1, y: 2 }).desk.plan('bring the post to x 1, y 2', WHO);
    expect(plan).toMatchObject({ intent: { type: 'post/bring', params: { x: 1, y: 2 } }, model: 'm' });
  });

  it('is confirmed by its caller only, and not after five minutes', async () => {
    const { desk, clock, submitted } = rig('robot__drive', { metres: 0.5 });
    const plan = await desk.plan('forward', WHO);
    const code = (thrown: unknown) => (thrown as EdgeError).code;
    expect(await desk.confirm(plan.ask_id, { ...WHO, principal: 'other' }).catch(code)).toBe(
      'intent.expired',
    );
    expect(await desk.confirm(plan.ask_id, { ...WHO, tenant: 'other' }).catch(code)).toBe('intent.expired');
    await clock.advance(5 * 60_000 + 1);
    expect(await desk.confirm(plan.ask_id, WHO).catch(code)).toBe('intent.expired');
    expect(submitted).toEqual([]);
  });

  it('says what there is where nothing fits and there is no general agent', async () => {
    const asked = rig('none_fits', {}, APPS.slice(0, 1)).desk.plan('sing', WHO);
    await expect(asked).rejects.toMatchObject({
      code: 'run.not_supported',
      hint: expect.stringContaining('post/bring'),
    });
  });

  it('knows words that are meant from the robot', () => {
    const meant = [
      'half a metre forward',
      'turn LEFT',
      'ein Stück rückwärts',
      'un peu à droite',
      'a la izquierda',
    ];
    expect(meant.filter((words) => !isRelative(words))).toEqual([]);
    expect(['go to the kitchen', 'rightly so', 'find the exit'].filter(isRelative)).toEqual([]);
  });
});

describe('words that need no model', () => {
  const number = { type: 'number', minimum: -5, maximum: 5 };
  const params = Type.Unsafe({
    ...{ type: 'object', required: ['metres'], properties: { metres: number } },
    additionalProperties: false,
  });
  const place = Type.Unsafe({
    ...{ type: 'object', required: ['x', 'y'], additionalProperties: false },
    properties: { x: { type: 'number' }, y: { type: 'number' } },
  });
  const phrased = [
    app('base', [
      {
        ...{ type: 'base/drive', description: 'Drive', params },
        phrases: [{ say: 'go {metres:distance} {metres:along}' }, { say: 'go', params: { metres: 1 } }],
      },
      {
        type: 'base/to',
        description: 'To',
        params: place,
        phrases: [{ say: 'go {x:distance} [{y:distance}] ahead' }],
      },
    ]),
    app('other', [
      { type: 'other/go', description: 'Go', params: Type.Object({}, closed), phrases: [{ say: 'go' }] },
    ]),
  ];

  it('is the intent of the phrase, shown first, and no model is asked', async () => {
    const { desk, submitted, asked } = rig(undefined, {}, phrased);
    const plan = await desk.plan('go half a metre back', WHO);
    expect(plan).toMatchObject({ kind: 'intent', intent: { type: 'base/drive', params: { metres: -0.5 } } });
    expect(plan).not.toHaveProperty('model');
    expect([asked(), submitted]).toEqual([{}, []]);
    await desk.confirm(plan.ask_id, WHO);
    expect(submitted).toHaveLength(1);
  });

  it('answers words that mean several things with all of them, each confirmed by its own id only', async () => {
    const { desk, submitted, asked } = rig('base__drive', { metres: 3 }, phrased);
    const plan = await desk.plan('go!', WHO);
    if (plan.kind !== 'unclear') throw new Error(plan.kind);
    expect(plan.candidates.map(({ intent }) => intent)).toEqual([
      { type: 'base/drive', params: { metres: 1 } },
      { type: 'other/go', params: {} },
    ]);
    expect(asked()).toEqual({});
    await expect(desk.confirm(plan.ask_id, WHO)).rejects.toMatchObject({ code: 'intent.expired' });
    await desk.confirm(plan.candidates[1]!.ask_id, WHO);
    expect(submitted.map(({ request }) => request)).toMatchObject([{ type: 'other/go' }]);
  });

  it('refuses values that the intent does not take, and lets no model guess others', async () => {
    const { desk, asked } = rig('base__drive', { metres: 5 }, phrased);
    await expect(desk.plan('go 50 metres forward', WHO)).rejects.toMatchObject({
      code: 'schema.invalid',
      message: expect.stringContaining('base/drive does not take {"metres":50}'),
    });
    expect(asked()).toEqual({});
  });

  it('takes no place of the map for what is meant from where the robot stands', async () => {
    const { desk } = rig('none_fits', {}, [...phrased.slice(0, 1), ...APPS]);
    expect(await desk.plan('go 2 m 3 m ahead', WHO)).toMatchObject({ kind: 'agent' });
  });

  it.each([
    ['an order to stop in words', ({ desk }: Made) => desk.plan('stop', WHO)],
    ['another stop', async ({ stopped }: Made) => stopped()],
    ['a stop of the agent of a run', ({ agentStops }: Made) => agentStops()],
  ])('does nothing after %s that was asked for before it', async (_, stop) => {
    const made = rig('robot__drive', { metres: 0.5 });
    const { desk, submitted } = made;
    const shown = await desk.plan('half a metre forward', WHO);
    // A model takes its time, and a caller that confirms by itself would not see the stop.
    const chosen = desk.plan('half a metre forward', WHO);
    await stop(made);
    await expect(chosen).rejects.toMatchObject({ code: 'robot.preempted' });
    await expect(desk.confirm(shown.ask_id, WHO)).rejects.toMatchObject({ code: 'intent.expired' });
    expect(submitted).toEqual([]);
    const after = await desk.plan('half a metre forward', WHO);
    await desk.confirm(after.ask_id, WHO);
    expect(submitted).toHaveLength(1);
  });

  it('does what moves nothing after the stop of an agent, and not after the stop of a person', async () => {
    const { desk, submitted, stopped, agentStops } = rig('post__count', { most: 3 });
    const shown = await desk.plan('count the letters', WHO);
    const chosen = desk.plan('count the letters', WHO);
    await agentStops();
    for (const plan of [shown, await chosen]) await desk.confirm(plan.ask_id, WHO);
    expect(submitted).toHaveLength(2);
    stopped();
    for (const plan of [shown, await chosen])
      await expect(desk.confirm(plan.ask_id, WHO)).rejects.toMatchObject({ code: 'intent.expired' });
    expect(submitted).toHaveLength(2);
  });

  it('gives the general agent nothing that was asked for before the stop of an agent', async () => {
    const { desk, agentStops } = rig('none_fits');
    const chosen = desk.plan('how are you?', WHO);
    await agentStops();
    await expect(chosen).rejects.toMatchObject({ code: 'robot.preempted' });
  });

  it.each(['Stop!', 'halt'])(
    '%s stops at once, without a model, whatever applications say',
    async (words) => {
      const spec = { type: 'bad/go', description: 'Go', params: Type.Object({}, closed) };
      const bad = app('bad', [{ ...spec, phrases: [{ say: 'stop' }, { say: 'halt' }] }]);
      const { desk, stops, asked, submitted } = rig('bad__go', {}, [bad]);
      const plan = await desk.plan(words, WHO);
      expect(plan).toMatchObject({ kind: 'stopped', confirmed: true });
      expect([stops, asked(), submitted]).toEqual([[`"${words}"`], {}, []]);
    },
  );
});
