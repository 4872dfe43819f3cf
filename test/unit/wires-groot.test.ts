import { afterEach, describe, expect, it } from 'vitest';
import { Dealer, Reply, Request } from 'zeromq';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { connectGroot, GrootServer } from '../../adapters/groot/index.ts';
import type { Observation, Policy } from '../../contract/core.ts';
import { decodeMsgpack, encodeMsgpack, NumpyArray } from '../../formats/msgpack/index.ts';
import { cardOf, type RemoteCard } from '../../formats/policy-wire/remote-card.ts';
import { policyConformance } from '../conformance/policy.ts';
import { HashPolicy } from '../fakes/hash-policy.ts';
import { SeeingPolicy, seen } from '../fakes/seeing-policy.ts';
import { specOf } from '../support/desk.ts';
import { deskOf, serverOptions } from '../support/wire-desk.ts';

const clock = new SystemClock();
const numpy = 'gr00t' as const;
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(
  policies: Readonly<Record<string, () => Policy>>,
  given: Parameters<typeof serverOptions>[0] = {},
) {
  const desk = await deskOf(policies);
  const options = serverOptions(given);
  const server = await GrootServer.start(desk, options);
  cleanups.push(
    () => desk.close(),
    () => server.close(),
  );
  return { desk, server, url: `tcp://127.0.0.1:${server.view().port}`, faults: options.faults };
}

/** The card that a person would write for this policy. */
function cardFor(policy: Policy): RemoteCard {
  const { name, hash, inputs, images, output, stepMs, takesTask } = policy.describe();
  const body = { name, inputs, images, output: { shape: output }, step_ms: stepMs, takes_task: takesTask };
  return cardOf(JSON.parse(JSON.stringify(body)), hash) as RemoteCard;
}

const connect = async (url: string, policy: Policy, token?: string) => {
  const connected = await connectGroot({ url, token, connectMs: 90_000, card: cardFor(policy), clock });
  cleanups.push(() => connected.close());
  return connected;
};

/** A socket that speaks the wire by hand. */
function raw(url: string, token?: string) {
  const socket = new Request({ linger: 0, receiveTimeout: 20_000 });
  socket.connect(url);
  cleanups.push(async () => socket.close());
  return async (endpoint: string | undefined, data?: unknown) => {
    await socket.send(encodeMsgpack({ endpoint, data, api_token: token }, { numpy }));
    const [reply] = await socket.receive();
    return decodeMsgpack(reply!, { numpy }) as never;
  };
}

const state = (...values: number[]) => Float32Array.from(values);
const shade = (bytes: number) => new Uint8Array(60).fill(bytes);

describe('GR00T: our client at our server', () => {
  /** The wire has no stamps, so they must not be part of the hash. */
  class Stampless extends HashPolicy {
    override infer(observation: Observation) {
      return super.infer({ ...observation, stamp: 0n });
    }
  }
  policyConformance('over GR00T', async () => {
    const { url } = await serve({ hash: () => new Stampless() });
    return connect(url, new HashPolicy());
  });

  it('brings pictures, task and every bit of the actions', async () => {
    const { url } = await serve({ seeing: () => new SeeingPolicy() });
    const policy = await connect(url, new SeeingPolicy());
    const over = await policy.infer(seen(1.1, 200, 'pick it'), 5_000);
    expect(over).toEqual(await new SeeingPolicy().infer(seen(1.1, 200, 'pick it')));
  });

  it('keeps two clients apart: a reset of one is not noticed by the other', async () => {
    const { url } = await serve({ seeing: () => new SeeingPolicy() });
    const [a, b] = [await connect(url, new SeeingPolicy()), await connect(url, new SeeingPolicy())];
    const step = async (policy: Policy) => (await policy.infer(seen(0, 0), 5_000)).actions.data[3];
    expect([await step(a), await step(b), await step(a), await step(b)]).toEqual([1, 1, 2, 2]);
    await a.reset!();
    expect([await step(b), await step(a), await step(b), await step(a)]).toEqual([3, 1, 4, 2]);
  });

  it('settles by the deadline, makes its socket anew, and works again', async () => {
    let deaf = true;
    class Deaf extends SeeingPolicy {
      override async infer(observation: Observation) {
        return deaf ? new Promise<never>(() => {}) : super.infer(observation);
      }
    }
    const { url } = await serve({ deaf: () => new Deaf() }, { deadlineMs: 300 });
    const policy = await connect(url, new SeeingPolicy());
    await expect(policy.infer(seen(0, 0), 100)).rejects.toMatchObject({ code: 'deadline.exceeded' });
    deaf = false;
    await expect
      .poll(() => policy.infer(seen(0, 0), 5_000).then((chunk) => chunk.actions.data.length, String), {
        timeout: 20_000,
      })
      .toBe(8);
  });

  it('knows at once that its server went away, and finds it when it is back', async () => {
    const first = await serve({ seeing: () => new SeeingPolicy() });
    const policy = await connect(first.url, new SeeingPolicy());
    await policy.infer(seen(0, 0), 5_000);
    const { port } = first.server.view();
    await first.server.close();
    await expect(policy.infer(seen(0, 0), 60_000)).rejects.toMatchObject({ code: 'model.unavailable' });
    // Long before the time in which a server has to be there: it was told that nobody listens.
    const begin = clock.monotonicMs();
    await expect(policy.infer(seen(0, 0), 600_000)).rejects.toMatchObject({ code: 'model.unavailable' });
    expect(clock.monotonicMs() - begin).toBeLessThan(60_000);
    await serve({ seeing: () => new SeeingPolicy() }, { port });
    await expect
      .poll(() => policy.infer(seen(0, 0), 5_000).then((chunk) => chunk.actions.data.length, String), {
        timeout: 20_000,
      })
      .toBe(8);
  });

  it.each([
    ['NaN', [Number.NaN, 0, 0, 0, 0, 0, 0, 0], /NaN/],
    ['too few actions', [1, 2, 3], /the server answered the shape \[1, 3\]/],
  ])('takes no answer with %s', async (_, values, words) => {
    const server = new Reply({ linger: 0 });
    await server.bind('tcp://127.0.0.1:0');
    cleanups.push(async () => server.close());
    void (async () => {
      for await (const [body] of server) {
        const { endpoint } = decodeMsgpack(body!, { numpy }) as { endpoint: string };
        const actions = { action: NumpyArray.float32([1, values.length], Float32Array.from(values)) };
        await server.send(encodeMsgpack(endpoint === 'get_action' ? [actions, {}] : {}, { numpy }));
      }
    })().catch(() => {});
    const policy = await connect(server.lastEndpoint!, new SeeingPolicy());
    await expect(policy.infer(seen(0, 0), 5_000)).rejects.toMatchObject({
      code: 'model.failed',
      message: expect.stringMatching(words),
    });
  });
});

describe('GR00T: our server and strangers', () => {
  const flat = {
    'state.state': NumpyArray.float32([1, 3], state(1, 2, 3)),
    'video.front': NumpyArray.uint8([1, 4, 5, 3], shade(10)),
    'annotation.human.action.task_description': ['pick'],
  };
  const nested = {
    state: { state: NumpyArray.float32([1, 1, 3], state(1, 2, 3)) },
    video: { front: NumpyArray.uint8([1, 1, 4, 5, 3], shade(10)) },
    language: { task: [['pick']] },
  };
  const row = [15, 16, 17, 1, 16, 17, 18, 1];

  it('answers each generation in its own form', async () => {
    const { url } = await serve({ seeing: () => new SeeingPolicy() });
    const old = (await raw(url)('get_action', flat)) as Record<string, NumpyArray>;
    expect(old['action.action']!.shape).toEqual([2, 4]);
    expect([...old['action.action']!.floats()]).toEqual(row);
    const [actions] = (await raw(url)('get_action', { observation: nested, options: null })) as [
      Record<string, NumpyArray>,
    ];
    expect(actions['action']!.shape).toEqual([1, 2, 4]);
    expect([...actions['action']!.floats()]).toEqual(row);
    const [wrapped] = (await raw(url)(undefined, {
      observation: { ...flat, 'state.state': nested.state.state },
    })) as [Record<string, NumpyArray>];
    expect(wrapped['action.action']!.shape).toEqual([1, 2, 4]);
  });

  it('splits state and actions into the parts that a file names', async () => {
    const keys = {
      inputs: {
        'observation.state': [
          { key: 'state.arm', size: 2 },
          { key: 'state.hand', size: 1 },
        ],
      },
      actions: [
        { key: 'action.arm', size: 3 },
        { key: 'action.hand', size: 1 },
      ],
    };
    const { url } = await serve({ seeing: () => new SeeingPolicy() }, { keys });
    const split = {
      arm: NumpyArray.float32([1, 1, 2], state(1, 2)),
      hand: NumpyArray.float32([1, 1, 1], state(3)),
    };
    const [actions] = (await raw(url)('get_action', { observation: { ...nested, state: split } })) as [
      Record<string, NumpyArray>,
    ];
    expect([...actions['arm']!.floats()]).toEqual([15, 16, 17, 16, 17, 18]);
    expect([...actions['hand']!.floats()]).toEqual([1, 1]);
  });

  it('says what it takes, in the generation that the client has shown', async () => {
    const { url } = await serve({ seeing: () => new SeeingPolicy() });
    const ask = raw(url);
    const modality = async () =>
      ((await ask('get_modality_config')) as Record<string, { as_json: unknown }>)['action']!.as_json;
    expect(await modality()).toEqual({ delta_indices: [0, 1], modality_keys: ['action'] });
    await ask('get_action', flat);
    expect(JSON.parse((await modality()) as string)).toEqual({
      delta_indices: [0, 1],
      modality_keys: ['action'],
    });
  });

  it('answers pings, is not killed by a client, and knows no other endpoints', async () => {
    const { url } = await serve({ seeing: () => new SeeingPolicy() });
    const ask = raw(url);
    expect(await ask('ping')).toMatchObject({ status: 'ok' });
    expect(await ask('kill')).toMatchObject({ error: expect.stringMatching(/refused/) });
    expect(await ask('__class__')).toMatchObject({ error: expect.stringMatching(/Unknown endpoint/) });
    expect(await ask('ping')).toMatchObject({ status: 'ok' });
  });

  it('wants its token in every request where it has one', async () => {
    const { url, server } = await serve({ seeing: () => new SeeingPolicy() }, { token: 'secret-token' });
    expect(await raw(url)('ping')).toEqual({ error: 'Unauthorized: Invalid API token' });
    expect(await raw(url, 'other')('get_action', flat)).toEqual({ error: 'Unauthorized: Invalid API token' });
    expect(await raw(url, 'secret-token')('ping')).toMatchObject({ status: 'ok' });
    expect(server.view()).toMatchObject({ refused: 2, clients: 0 });
    const locked = await connect(url, new SeeingPolicy(), 'other');
    await expect(locked.infer(seen(0, 0), 5_000)).rejects.toMatchObject({ code: 'model.unavailable' });
    const let_ = await connect(url, new SeeingPolicy(), 'secret-token');
    expect((await let_.infer(seen(0, 0), 5_000)).actions.data).toHaveLength(8);
  });

  it.each([
    ['a missing camera', { 'state.state': flat['state.state'] }, /video.front is missing/],
    ['NaN', { ...flat, 'state.state': NumpyArray.float32([1, 3], state(1, Number.NaN, 3)) }, /finite/],
    [
      'a batch of two',
      { ...flat, 'state.state': NumpyArray.float32([2, 1, 3], state(1, 2, 3, 4, 5, 6)) },
      /batch size of one/,
    ],
    [
      'a pickle for an array',
      { ...flat, 'state.state': { __ndarray_class__: true, as_npy: Buffer.from('cos\nsystem') } },
      /npy/,
    ],
  ])('answers %s in words, and goes on', async (_, data, words) => {
    const { url } = await serve({ seeing: () => new SeeingPolicy() });
    const ask = raw(url);
    const { error } = (await ask('get_action', data)) as { error?: string };
    expect(error).toMatch(words);
    expect((await ask('get_action', flat)) as object).toHaveProperty('action.action');
  });

  it('survives what is no request, what is too large, and who does not wait for answers', async () => {
    const { url, server } = await serve({ seeing: () => new SeeingPolicy() });
    const wild = new Dealer({ linger: 0, receiveTimeout: 20_000 });
    wild.connect(url);
    cleanups.push(async () => wild.close());
    await wild.send(['only one frame']);
    await wild.send(['', 'x', 'three frames and more']);
    await wild.send(['', Uint8Array.of(0xc1)]);
    expect(decodeMsgpack((await wild.receive())[1]!)).toMatchObject({
      error: expect.stringMatching(/never uses/),
    });
    expect(server.view().refused).toBe(2);
    for (let i = 0; i < 20; i++)
      await wild.send(['', encodeMsgpack({ endpoint: 'get_action', data: flat }, { numpy })]);
    const big = new Dealer({ linger: 0 });
    big.connect(url);
    cleanups.push(async () => big.close());
    await big.send(['', new Uint8Array(4 * 1024 * 1024)]);
    expect((await raw(url)('get_action', flat)) as object).toHaveProperty('action.action');
    expect(server.view().clients).toBe(2);
  });

  it('goes on with a client whose policy was taken away and is configured again', async () => {
    const { url, desk } = await serve({ seeing: () => new SeeingPolicy() });
    const ask = raw(url);
    expect((await ask('get_action', flat)) as object).toHaveProperty('action.action');
    await desk.apply([]);
    expect(await ask('get_action', flat)).toMatchObject({ error: expect.stringMatching(/not_found/) });
    await desk.apply([specOf('seeing', () => new SeeingPolicy())]);
    expect(await ask('reset')).toEqual({});
    expect((await ask('get_action', flat)) as object).toHaveProperty('action.action');
  });

  it('serves as many clients as it may', async () => {
    const { url } = await serve({ seeing: () => new SeeingPolicy() }, { clientsMax: 1 });
    expect((await raw(url)('get_action', flat)) as object).toHaveProperty('action.action');
    expect(await raw(url)('get_action', flat)).toMatchObject({ error: expect.stringMatching(/overloaded/) });
  });
});
