import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { connectGroot, GrootServer } from '../../adapters/groot/index.ts';
import { connectOpenPi, OpenPiServer } from '../../adapters/openpi/index.ts';
import { cardOf, type RemoteCard } from '../../formats/policy-wire/remote-card.ts';
import type { WireServer } from '../../formats/policy-wire/wire-server.ts';
import { SeeingPolicy, seen } from '../fakes/seeing-policy.ts';
import { deskOf, serverOptions } from '../support/wire-desk.ts';
import { type PeerReply, WiresPeer, wiresPython } from '../support/wires-peer.ts';

/**
 * Stock peers, unmodified: openpi-client and openpi-server as the package index has them, and pyzmq with GR00T's
 * messages in both generations; at our servers, and our clients at them.
 */
const clock = new SystemClock();
const cleanups: (() => Promise<unknown>)[] = [];
beforeAll(() => void wiresPython(), 300_000);
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const peer = (...args: string[]) => {
  const started = new WiresPeer(...args);
  cleanups.push(() => started.kill());
  return started;
};

async function serve(Server: typeof OpenPiServer | typeof GrootServer, token?: string): Promise<WireServer> {
  const desk = await deskOf({ seeing: () => new SeeingPolicy() });
  const server = await Server.start(desk, serverOptions({ token }));
  cleanups.push(
    () => desk.close(),
    () => server.close(),
  );
  return server;
}

const at = (server: WireServer, scheme: string) => `${scheme}://127.0.0.1:${server.view().port}`;
const float32 = (shape: number[], data: number[]) => ({ dtype: 'float32', shape, data });
const shade = (shape: number[], byte: number) => ({ dtype: 'uint8', shape, data: new Array(60).fill(byte) });
/** Of `SeeingPolicy` for the state 1, 2, 3, a picture of 10 and the task "pick", at question `step`. */
const row = (step: number) => [15, 16, 17, step, 16, 17, 18, step];
const actions = ({ actions: given, error }: PeerReply) => {
  if (error !== undefined) throw new Error(error);
  return Object.values(given!)[0]!;
};

describe('stock openpi-client at our server', () => {
  const question = (more = {}) => ({
    'observation/state': float32([3], [1, 2, 3]),
    'observation/images/front': shade([4, 5, 3], 10),
    prompt: 'pick',
    ...more,
  });

  it('gets metadata, actions and timing; two of them do not notice each other', async () => {
    const server = await serve(OpenPiServer);
    const [a, b] = [peer('openpi-client', at(server, 'ws')), peer('openpi-client', at(server, 'ws'))];
    for (const one of [a, b])
      expect((await one.next()).metadata).toMatchObject({ name: 'seeing', step_ms: 50 });
    const first = await a.ask(question());
    expect(actions(first)).toEqual({ shape: [2, 4], dtype: 'float32', data: row(1) });
    expect(first.timing!['infer_ms']).toBeGreaterThanOrEqual(0);
    expect(actions(await b.ask(question())).data).toEqual(row(1));
    expect(actions(await a.ask(question())).data).toEqual(row(2));
    expect((await a.ask(question({ endpoint: 'reset' }))).error).toMatch(/server_timing/);
    expect(actions(await b.ask(question())).data).toEqual(row(2));
    expect(actions(await a.ask(question())).data).toEqual(row(1));
  });

  it('is told what is wrong, and shows its key', async () => {
    const server = await serve(OpenPiServer, 'secret-token');
    await expect(peer('openpi-client', at(server, 'ws')).next()).rejects.toThrow(/401/);
    const client = peer('openpi-client', at(server, 'ws'), 'secret-token');
    await client.next();
    const { error } = await client.ask({ prompt: 'pick' });
    expect(error).toMatch(/Error in inference server.*\n.*observation.state is missing/);
  });
});

describe('our client at a stock openpi-server', () => {
  it('is answered, sees a failure in words, and comes back after it', async () => {
    const stock = peer('openpi-server');
    const { port } = await stock.next();
    const description = { ...new SeeingPolicy().describe(), output: [2, 4] };
    const card = cardOf({ ...description, step_ms: 50, takes_task: true }, 'cd'.repeat(32)) as RemoteCard;
    const url = `ws://127.0.0.1:${port}`;
    const options = { url, policy: '', token: undefined, connectMs: 10_000, clock };
    await expect
      .poll(() => connectOpenPi({ ...options, card: undefined }).catch(String), { timeout: 60_000 })
      .toMatch(/its metadata does not describe/);
    const policy = await connectOpenPi({ ...options, card });
    cleanups.push(() => policy.close());
    const chunk = await policy.infer(seen(1, 10, 'pick'), 20_000);
    expect([...chunk.actions.data]).toEqual([11, 12, 13, 4, 12, 13, 14, 5]);
    expect(chunk).toMatchObject({ policyHash: 'cd'.repeat(32), stamp: 7n, stepMs: 50 });
    const { task: _, ...wordless } = seen(1, 10);
    await expect(policy.infer(wordless, 20_000)).rejects.toMatchObject({
      code: 'model.failed',
      message: expect.stringMatching(/KeyError/),
    });
    expect((await policy.infer(seen(2, 10, 'pick'), 20_000)).actions.data[0]).toBe(12);
    await stock.kill();
    await expect(policy.infer(seen(2, 10, 'pick'), 20_000)).rejects.toMatchObject({
      code: 'model.unavailable',
    });
  });
});

describe.each(['flat', 'tuple'] as const)('GR00T over pyzmq, generation %s', (form) => {
  const question =
    form === 'flat'
      ? {
          'state.state': float32([1, 3], [1, 2, 3]),
          'video.front': shade([1, 4, 5, 3], 10),
          'annotation.human.action.task_description': ['pick'],
        }
      : {
          state: { state: float32([1, 1, 3], [1, 2, 3]) },
          video: { front: shade([1, 1, 4, 5, 3], 10) },
          language: { task: [['pick']] },
        };

  it('a client at our server gets its actions; two do not notice each other', async () => {
    const server = await serve(GrootServer, 'secret-token');
    const url = at(server, 'tcp');
    const [a, b] = [
      peer('groot-client', url, form, 'secret-token'),
      peer('groot-client', url, form, 'secret-token'),
    ];
    const shape = form === 'flat' ? [2, 4] : [1, 2, 4];
    expect(actions(await a.ask(question))).toEqual({ shape, dtype: 'float32', data: row(1) });
    expect(actions(await b.ask(question)).data).toEqual(row(1));
    expect(actions(await a.ask(question)).data).toEqual(row(2));
    expect((await a.ask({ endpoint: 'reset', data: { options: null } })).reply).toEqual({});
    expect(actions(await b.ask(question)).data).toEqual(row(2));
    expect(actions(await a.ask(question)).data).toEqual(row(1));
    expect((await a.ask({ endpoint: 'kill' })).error).toMatch(/refused/);
    expect((await b.ask({ endpoint: 'ping' })).reply).toMatchObject({ status: 'ok' });
    expect((await peer('groot-client', url, form).ask({ endpoint: 'ping' })).error).toMatch(/Unauthorized/);
  });

  it('our client at a server of theirs finds out which generation it is', async () => {
    const stock = peer('groot-server', form, 'secret-token');
    const { port } = await stock.next();
    const description = new SeeingPolicy().describe();
    const card = cardOf({ ...description, step_ms: 50, takes_task: true }, 'cd'.repeat(32)) as RemoteCard;
    const url = `tcp://127.0.0.1:${port}`;
    const policy = await connectGroot({ url, token: 'secret-token', connectMs: 20_000, card, clock });
    cleanups.push(() => policy.close());
    for (const first of [1, 2]) {
      const chunk = await policy.infer(seen(first, 10, 'pick'), 60_000);
      expect([...chunk.actions.data.subarray(0, 4)]).toEqual([first + 10, first + 11, first + 12, 4]);
    }
    await policy.reset!();
    const stranger = await connectGroot({ url, token: 'other', connectMs: 20_000, card, clock });
    cleanups.push(() => stranger.close());
    await expect(stranger.infer(seen(1, 10), 60_000)).rejects.toMatchObject({ code: 'model.unavailable' });
    await stock.kill();
    await expect(policy.infer(seen(1, 10), 60_000)).rejects.toMatchObject({ code: 'model.unavailable' });
  });
});
