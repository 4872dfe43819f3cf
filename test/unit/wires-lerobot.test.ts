import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as dialSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChannelCredentials, type Metadata, type ServiceError, Metadata as Words } from '@grpc/grpc-js';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { connectLeRobot, serveLeRobot } from '../../adapters/lerobot/grpc/index.ts';
import { readActions, writeObservation, writeSetup } from '../../adapters/lerobot/grpc/messages.ts';
import { PickleWriter } from '../../adapters/lerobot/grpc/pickle/index.ts';
import { type Piece, piecesOf } from '../../adapters/lerobot/grpc/pieces.ts';
import { makeTransportClient, type TransportClient } from '../../adapters/lerobot/grpc/transport.ts';
import { type EdgeError, type Observation, type Policy, pause } from '../../contract/core.ts';
import { policyConformance } from '../conformance/policy.ts';
import { HashPolicy } from '../fakes/hash-policy.ts';
import { SeeingPolicy, seen } from '../fakes/seeing-policy.ts';
import { deskOf, serverOptions } from '../support/wire-desk.ts';

const HELPERS = 'lerobot.async_inference.helpers';
const clock = new SystemClock();
const directory = mkdtempSync(join(tmpdir(), 'lerobot-'));
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Until it does not throw any more: what comes back comes back when it does. */
async function eventually<T>(attempt: () => Promise<T>, ms = 20_000): Promise<T> {
  const end = performance.now() + ms;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

type Given = Partial<Parameters<typeof serveLeRobot>[1]>;

async function serve(policies: Readonly<Record<string, () => Policy>>, given: Given = {}) {
  const desk = await deskOf(policies);
  const options = { ...serverOptions(), ...given };
  const server = await serveLeRobot(desk, options);
  cleanups.push(
    () => desk.close(),
    () => server.close(),
  );
  return { desk, server, url: `127.0.0.1:${server.view().port}`, faults: options.faults };
}

async function connect(
  url: string,
  given: { policy?: string; token?: string; connectMs?: number; tls?: { ca?: string } } = {},
) {
  const { policy = 'default', token, connectMs = 5_000, tls = {} } = given;
  const made = await connectLeRobot({ url, policy, token, connectMs, tls, card: undefined, clock });
  cleanups.push(() => made.close());
  return made;
}

/** A client that speaks the wire by hand, as a stock one or a hostile one does. */
class Raw {
  readonly #client: TransportClient;
  readonly metadata: Metadata = new Words();

  constructor(url: string) {
    this.#client = makeTransportClient(url, ChannelCredentials.createInsecure(), {
      'grpc.use_local_subchannel_pool': 1,
    });
    cleanups.push(async () => this.#client.close());
  }

  close(): void {
    this.#client.close();
  }

  ready() {
    return this.#promise((reply) => this.#client.Ready({}, this.metadata, reply));
  }

  instruct(data: Uint8Array) {
    return this.#promise((reply) => this.#client.SendPolicyInstructions({ data }, this.metadata, reply));
  }

  send(pieces: Iterable<Piece>, end = true) {
    return this.#promise((reply) => {
      const stream = this.#client.SendObservations(this.metadata, reply);
      stream.on('error', () => {});
      for (const piece of pieces) stream.write(piece);
      if (end) stream.end();
    });
  }

  observe(data: Uint8Array) {
    return this.send(piecesOf(data));
  }

  async actions() {
    const { data } = await this.#promise<{ data: Buffer }>((reply) =>
      this.#client.GetActions({}, this.metadata, reply),
    );
    return data.length === 0 ? undefined : readActions(data);
  }

  #promise<T>(call: (reply: (error: ServiceError | null, body?: T) => void) => unknown): Promise<T> {
    return new Promise((resolve, reject) => {
      call((error, body) => (error ? reject(error) : resolve(body as T)));
    });
  }
}

const setup = (given: Partial<Parameters<typeof writeSetup>[0]> = {}) =>
  writeSetup({
    policyType: 'act',
    pretrained: 'default',
    features: new Map([
      ['observation.state', { dtype: 'float32', shape: [3], names: ['a.pos', 'b.pos', 'c.pos'] }],
      ['observation.images.front', { dtype: 'image', shape: [4, 5, 3], names: [] }],
    ]),
    actionsPerChunk: 50,
    device: 'cpu',
    renames: new Map(),
    module: HELPERS,
    ...given,
  });

const observation = (timestep: number, a: number, given: { mustGo?: boolean; shade?: number } = {}) =>
  writeObservation(
    {
      timestamp: 1_700_000_000.25,
      timestep,
      mustGo: given.mustGo ?? false,
      numbers: new Map([
        ['a.pos', a],
        ['b.pos', 0],
        ['c.pos', 0],
      ]),
      pictures: new Map([['front', { shape: [4, 5, 3], data: new Uint8Array(60).fill(given.shade ?? 7) }]]),
      task: 'pick',
    },
    HELPERS,
  );

/** The wire carries times as doubles: they must not be part of the hash. */
class Stampless extends HashPolicy {
  override infer(given: Observation) {
    return super.infer({ ...given, stamp: 0n });
  }
}

/** Fails or takes its time while told to; else as it is. */
class Moody extends SeeingPolicy {
  bad = false;
  delayMs = 0;
  override async infer(given: Observation) {
    if (this.delayMs > 0) await pause(clock, this.delayMs);
    if (this.bad) throw new Error('out of order');
    return super.infer(given);
  }
}

describe('LeRobot: our client at our server', () => {
  const conform = async () => connect((await serve({ hash: () => new Stampless() })).url);
  policyConformance('over LeRobot', conform);

  it('brings pictures, task and every bit of the actions', async () => {
    const { url } = await serve({ seeing: () => new SeeingPolicy() });
    const policy = await connect(url);
    expect(policy.describe()).toMatchObject({ ...new SeeingPolicy().describe() });
    const over = await policy.infer(seen(1.1, 200, 'pick it'), 5_000);
    expect(over).toEqual(await new SeeingPolicy().infer(seen(1.1, 200, 'pick it')));
  });

  it('keeps two clients apart: a reset of one is not noticed by the other', async () => {
    const { url } = await serve({ seeing: () => new SeeingPolicy() });
    const [a, b] = [await connect(url), await connect(url)];
    const step = async (policy: Policy) => (await policy.infer(seen(0, 0), 5_000)).actions.data[3];
    expect([await step(a), await step(b), await step(a), await step(b)]).toEqual([1, 1, 2, 2]);
    await a.reset!();
    expect([await step(b), await step(a), await step(b), await step(a)]).toEqual([3, 1, 4, 2]);
  });

  it('asks one of several policies by its name, and is told which there are', async () => {
    const { url } = await serve({ first: () => new HashPolicy(), seeing: () => new SeeingPolicy() });
    expect((await connect(url, { policy: 'seeing' })).describe().output).toEqual([2, 4]);
    expect((await connect(url)).describe().output).toEqual([8, 2]);
    await expect(connect(url, { policy: 'none' })).rejects.toMatchObject({
      code: 'model.unavailable',
      message: expect.stringMatching(/no policy none; there are: first, seeing/),
    });
  });

  it('says that nobody is there, and works when somebody is', async () => {
    await expect(connect('127.0.0.1:1', { connectMs: 300 })).rejects.toMatchObject({
      code: 'model.unavailable',
    });
  });

  it('goes on after its server came back, which knows nothing of before', async () => {
    const first = await serve({ seeing: () => new SeeingPolicy() });
    const { port } = first.server.view();
    const policy = await connect(first.url);
    await policy.infer(seen(1, 1), 5_000);
    await first.server.close();
    await expect(policy.infer(seen(1, 1), 5_000)).rejects.toMatchObject({
      code: expect.stringMatching(/^model\.(unavailable|failed)$/),
    });
    await serve({ seeing: () => new SeeingPolicy() }, { port });
    const begun = clock.monotonicMs();
    await eventually(() => policy.infer(seen(1, 1), 5_000));
    // Its longest wait is 2 s; the bound is the one that is promised.
    expect(clock.monotonicMs() - begun).toBeLessThan(5_000);
  });

  it('gives a late answer up, withdraws on a signal, and never takes the answer to another question', async () => {
    const moody = new Moody();
    const { url } = await serve({ moody: () => moody });
    const policy = await connect(url);
    await policy.infer(seen(1, 1), 5_000);
    moody.delayMs = 500;
    await expect(policy.infer(seen(2, 2), 150)).rejects.toMatchObject({ code: 'deadline.exceeded' });
    const abort = new AbortController();
    const asked = policy.infer(seen(3, 3), 5_000, { signal: abort.signal });
    abort.abort();
    await expect(asked).rejects.toMatchObject({ code: 'model.failed' });
    moody.delayMs = 0;
    const { data } = (await policy.infer(seen(4, 4), 5_000)).actions;
    const direct = (await new SeeingPolicy().infer(seen(4, 4))).actions.data;
    expect([...data.subarray(0, 3)]).toEqual([...direct.subarray(0, 3)]);
  });

  it('shows its token, and is refused without', async () => {
    const { url, server } = await serve({ seeing: () => new SeeingPolicy() }, { token: 'open sesame' });
    const policy = await connect(url, { token: 'open sesame' });
    await policy.infer(seen(1, 1), 5_000);
    for (const token of ['open', 'open sesame ', undefined])
      await expect(connect(url, token === undefined ? {} : { token })).rejects.toMatchObject({
        code: 'model.unavailable',
        message: expect.stringMatching(/api\.unauthorised/),
      });
    expect(server.view().refused).toBe(3);
  });

  it('lets addresses that are trusted in without a token, and nobody else', async () => {
    const trusting = { token: 'open sesame', trusted: ['127.0.0.0/8'] };
    const { url } = await serve({ seeing: () => new SeeingPolicy() }, trusting);
    await (await connect(url)).infer(seen(1, 1), 5_000);
    const others = { token: 'open sesame', trusted: ['192.0.2.7', '2001:db8::/32'] };
    const strict = await serve({ seeing: () => new SeeingPolicy() }, others);
    await expect(connect(strict.url)).rejects.toMatchObject({
      message: expect.stringMatching(/unauthorised/),
    });
    await expect(serve({}, { trusted: ['robot.local'] })).rejects.toMatchObject({ code: 'config.invalid' });
    await expect(serve({}, { trusted: ['10.0.0.0/99'] })).rejects.toMatchObject({ code: 'config.invalid' });
  });

  it('speaks TLS, and with certificates of both sides', async () => {
    const pem = certificates();
    const tls = { cert: readFileSync(pem.cert), key: readFileSync(pem.key) };
    const { server } = await serve({ seeing: () => new SeeingPolicy() }, { tls });
    const url = `grpcs://localhost:${server.view().port}`;
    const policy = await connect(url, { tls: { ca: pem.cert } });
    await policy.infer(seen(1, 1), 5_000);
    await expect(connect(`localhost:${server.view().port}`, { connectMs: 500 })).rejects.toMatchObject({
      code: 'model.unavailable',
    });
    const strict = await serve({ seeing: () => new SeeingPolicy() }, { tls: { ...tls, clientCa: tls.cert } });
    const strictUrl = `grpcs://localhost:${strict.server.view().port}`;
    await expect(connect(strictUrl, { tls: { ca: pem.cert }, connectMs: 500 })).rejects.toMatchObject({
      code: 'model.unavailable',
    });
    const shown = { ca: pem.cert, cert: pem.cert, key: pem.key };
    await (await connect(strictUrl, { tls: shown })).infer(seen(1, 1), 5_000);
  });
});

/** Of this host, signed by itself: for TLS that is authority enough. */
function certificates() {
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  execFileSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...['-keyout', key, '-out', cert, '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'],
  ]);
  return { key, cert };
}

describe('LeRobot: our server, as a stock one', () => {
  async function begun(given: Given = {}, policies = { seeing: () => new SeeingPolicy() as Policy }) {
    const rig = await serve(policies, { waitMs: 150, ...given });
    const client = new Raw(rig.url);
    await client.ready();
    await client.instruct(setup());
    return { ...rig, client };
  }

  it('gives times and steps from those of the observation', async () => {
    const { client } = await begun();
    await client.observe(observation(40, 1));
    const actions = await client.actions();
    expect(actions).toHaveLength(2);
    const { stepMs } = new SeeingPolicy().describe();
    expect(actions![1]).toMatchObject({ timestep: 41, timestamp: 1_700_000_000.25 + stepMs / 1000 });
  });

  it('gives no more actions than were asked for', async () => {
    const { client } = await begun();
    await client.instruct(setup({ actionsPerChunk: 1 }));
    await client.observe(observation(0, 1));
    expect(await client.actions()).toHaveLength(1);
  });

  it('answers with nothing where no observation came in time', async () => {
    const { client } = await begun();
    expect(await client.actions()).toBeUndefined();
  });

  it('drops what is near the last one and steps it saw, unless they must go', async () => {
    const { client } = await begun();
    const given = async (...which: Parameters<typeof observation>) => {
      await client.observe(observation(...which));
      return (await client.actions()) !== undefined;
    };
    expect(await given(0, 1)).toBe(true);
    expect(await given(1, 1.9)).toBe(false);
    expect(await given(2, 2.1)).toBe(true);
    expect(await given(2, 9)).toBe(false);
    expect(await given(2, 2.1, { mustGo: true })).toBe(true);
    await client.ready();
    expect(await given(2, 2.1)).toBe(true);
  });

  it('takes the newest of several', async () => {
    const { client } = await begun();
    for (const step of [0, 1, 2]) await client.observe(observation(step, step * 5));
    expect((await client.actions())![0]!.timestep).toBe(2);
    expect(await client.actions()).toBeUndefined();
  });

  it('takes whatever comes next after an inference that failed, or the robot would wait for ever', async () => {
    const moody = new Moody();
    const { client, faults } = await begun({}, { seeing: () => moody });
    moody.bad = true;
    await client.observe(observation(0, 1, { mustGo: true }));
    await expect(client.actions()).rejects.toMatchObject({ details: expect.stringMatching(/out of order/) });
    moody.bad = false;
    await client.observe(observation(0, 1));
    expect(await client.actions()).toBeDefined();
    expect(faults.map((error) => error.message)).toEqual([expect.stringMatching(/out of order/)]);
  });

  it('says at once what a robot lacks that the policy wants', async () => {
    const { client } = await begun();
    const features = new Map([
      ['observation.state', { dtype: 'float32', shape: [3], names: ['a', 'b', 'c'] }],
    ]);
    await expect(client.instruct(setup({ features }))).rejects.toMatchObject({
      code: 3,
      details: expect.stringMatching(/observation\.images\.front: a picture wanted, none offered/),
    });
    await expect(client.instruct(setup({ pretrained: 'someone/else' }))).rejects.toMatchObject({
      code: 5,
      details: expect.stringMatching(/no policy someone\/else; there are: seeing/),
    });
  });

  it('takes the names of a robot as they are renamed', async () => {
    const { client } = await begun();
    const features = new Map([
      ['observation.state', { dtype: 'float32', shape: [3], names: ['a.pos', 'b.pos', 'c.pos'] }],
      ['observation.images.laptop', { dtype: 'image', shape: [8, 10, 3], names: [] }],
    ]);
    const renames = new Map([['observation.images.laptop', 'observation.images.front']]);
    await client.instruct(setup({ features, renames }));
    const data = new Uint8Array(8 * 10 * 3).fill(90);
    const numbers = new Map([
      ['a.pos', 1],
      ['b.pos', 2],
      ['c.pos', 2],
    ]);
    const pictures = new Map([['laptop', { shape: [8, 10, 3], data }]]);
    const rest = { timestamp: 1, timestep: 0, mustGo: true, task: undefined };
    await client.observe(writeObservation({ ...rest, numbers, pictures }, HELPERS));
    expect(await client.actions()).toBeDefined();
  });

  it('goes on with a client whose channel connected again, in a session of its own', async () => {
    const { url, client } = await begun({ waitMs: 5_000 });
    await client.observe(observation(0, 1));
    client.close();
    const again = new Raw(url);
    await eventually(() => again.observe(observation(1, 3)));
    expect((await again.actions())![0]!.timestep).toBe(1);
  });

  it('does not guess between two that were cut', async () => {
    const { url, client, server } = await begun();
    const other = new Raw(url);
    await other.instruct(setup({ actionsPerChunk: 1 }));
    client.close();
    other.close();
    await eventually(async () => expect(server.view().clients).toBe(0));
    const third = new Raw(url);
    await expect(third.actions()).rejects.toMatchObject({ code: 9 });
  });
});

describe('LeRobot: hostile clients', () => {
  /** A good client beside each bad one: it is never disturbed. */
  async function beside(given: Given = {}) {
    const rig = await serve({ seeing: () => new SeeingPolicy() }, { waitMs: 150, ...given });
    const good = new Raw(rig.url);
    await good.ready();
    await good.instruct(setup());
    let step = 0;
    const works = async () => {
      await good.observe(observation(step++, step, { mustGo: true }));
      return (await good.actions()) !== undefined;
    };
    expect(await works()).toBe(true);
    return { ...rig, works, bad: new Raw(rig.url) };
  }

  const canary = join(directory, 'canary');
  const attack = () => {
    const to = new PickleWriter();
    return to.call('os', 'system', [() => to.text(`touch ${canary}`)]).finish();
  };

  it('pickles that name os.system are refused in setup and observation, executed nowhere', async () => {
    const { bad, works, faults } = await beside();
    await bad.ready();
    await expect(bad.instruct(attack())).rejects.toMatchObject({
      code: 3,
      details: expect.stringMatching(/wire\.refused: the global os\.system is not one of this wire/),
    });
    await bad.instruct(setup());
    await expect(bad.observe(attack())).rejects.toMatchObject({ code: 3 });
    expect(() => readFileSync(canary)).toThrow();
    expect(faults.map((error: EdgeError) => error.code)).toEqual(['wire.refused', 'wire.refused']);
    expect(await works()).toBe(true);
    await bad.observe(observation(0, 1));
    expect(await bad.actions()).toBeDefined();
  });

  it('an observation above its bytes is cut off while it comes', async () => {
    const { bad, works } = await beside({ observationBytesMax: 100_000 });
    await bad.ready();
    await bad.instruct(setup());
    const piece = { transfer_state: 2, data: new Uint8Array(60_000) };
    await expect(bad.send([{ ...piece, transfer_state: 1 }, piece, piece], false)).rejects.toMatchObject({
      code: 3,
      details: expect.stringMatching(/more than 100000 bytes/),
    });
    expect(await works()).toBe(true);
  });

  it('a message above 4 MB is refused before it is read', async () => {
    const { bad, works } = await beside();
    await bad.instruct(setup());
    const data = new Uint8Array(5 * 1024 * 1024);
    await expect(bad.send([{ transfer_state: 3, data }])).rejects.toMatchObject({ code: 8 });
    expect(await works()).toBe(true);
  });

  it.each([
    ['a transfer state that is none', [{ transfer_state: 7, data: new Uint8Array(1) }], /transfer state 7/],
    [
      'an observation without its end',
      [{ transfer_state: 1, data: new Uint8Array(1) }],
      /before its last piece/,
    ],
    ['an empty stream', [], /before its last piece/],
    ['an empty pickle', [{ transfer_state: 3, data: new Uint8Array(0) }], /ends in the middle/],
  ])('%s is refused in words', async (_, pieces, message) => {
    const { bad, works } = await beside();
    await bad.instruct(setup());
    await expect(bad.send(pieces as Piece[])).rejects.toMatchObject({
      details: expect.stringMatching(message as RegExp),
    });
    expect(await works()).toBe(true);
  });

  it.each([
    ['NaN in a state', Number.NaN],
    ['infinity in a state', Number.POSITIVE_INFINITY],
  ])('%s is refused by its name', async (_, value) => {
    const { bad, works } = await beside();
    await bad.instruct(setup());
    await expect(bad.observe(observation(0, value))).rejects.toMatchObject({
      code: 3,
      details: expect.stringMatching(/\/a\.pos: is .*observations must be finite/),
    });
    expect(await works()).toBe(true);
  });

  it('a policy that answers NaN reaches nobody', async () => {
    class Mad extends SeeingPolicy {
      override async infer(given: Observation) {
        const chunk = await super.infer(given);
        chunk.actions.data[1] = Number.NaN;
        return chunk;
      }
    }
    const { url } = await serve({ mad: () => new Mad() });
    const client = new Raw(url);
    await client.instruct(setup());
    await client.observe(observation(0, 1));
    await expect(client.actions()).rejects.toMatchObject({ code: 13 });
  });

  it('calls before anything was said, and more than may wait, are refused in words', async () => {
    const { bad, works } = await beside({ waitMs: 1_000 });
    await expect(bad.actions()).rejects.toMatchObject({
      code: 9,
      details: expect.stringMatching(/has not said which policy/),
    });
    await bad.instruct(setup());
    const many = await Promise.allSettled(Array.from({ length: 6 }, () => bad.actions()));
    const refused = many.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(2);
    expect(await works()).toBe(true);
  });

  it('bytes that are no HTTP/2 end their connection and nothing else', async () => {
    const { url, works } = await beside();
    const [host = '', port] = url.split(':');
    for (const bytes of [
      'GET / HTTP/1.1\r\n\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\xff\xff\xff\xff',
      '\x80\x04.',
    ]) {
      await new Promise<void>((resolve) => {
        const socket = dialSocket(Number(port), host, () => socket.write(bytes, 'latin1'));
        socket.on('close', () => resolve());
        socket.on('error', () => {});
        socket.on('data', () => socket.end());
      });
    }
    expect(await works()).toBe(true);
  });

  it('more clients than may be are turned away, and one that leaves makes room', async () => {
    const { url, server, bad, works } = await beside({ clientsMax: 2 });
    await bad.ready();
    const third = new Raw(url);
    await expect(third.ready()).rejects.toMatchObject({ code: 14 });
    expect(await works()).toBe(true);
    third.close();
    bad.close();
    await eventually(async () => expect(server.view().clients).toBe(1));
    const fourth = new Raw(url);
    await eventually(() => fourth.ready());
    expect(server.view().refused).toBeGreaterThan(0);
  });
});
