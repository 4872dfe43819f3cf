import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { connectOpenPi } from '../../adapters/openpi/index.ts';
import { encodeMsgpack, NumpyArray } from '../../formats/msgpack/index.ts';
import { cardOf, type RemoteCard } from '../../formats/policy-wire/remote-card.ts';
import { SeeingPolicy, seen } from '../fakes/seeing-policy.ts';

const clock = new SystemClock();
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe('openpi: our client and servers that misbehave', () => {
  /** A server that answers each question with these messages. */
  async function mad(...answers: (Uint8Array | string)[]) {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    server.on('connection', (ws) => {
      ws.send(encodeMsgpack({}));
      ws.on('message', () => {
        for (const one of answers) ws.send(one);
      });
    });
    await new Promise((resolve) => server.once('listening', resolve));
    cleanups.push(async () => {
      for (const client of server.clients) client.terminate();
      server.close();
    });
    const description = new SeeingPolicy().describe();
    const card = cardOf({ ...description, step_ms: 50, takes_task: true }, 'cd'.repeat(32)) as RemoteCard;
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const policy = await connectOpenPi({ url, policy: '', token: undefined, connectMs: 5_000, card, clock });
    cleanups.push(() => policy.close());
    return policy;
  }
  const chunk = (...values: number[]) =>
    encodeMsgpack(
      { actions: NumpyArray.float32([values.length / 4, 4], Float32Array.from(values)) },
      { numpy: 'openpi' },
    );

  it.each([
    ['NaN', chunk(1, 2, 3, 4, 5, 6, Number.NaN, 8), /NaN in action 1/],
    ['another horizon', chunk(1, 2, 3, 4), /answered the shape \[1, 4\], but the policy outputs \[2, 4\]/],
    ['no actions', encodeMsgpack({ state: 1 }), /has no actions; it has state/],
    ['a list', encodeMsgpack([1]), /no map/],
    ['a traceback', 'Traceback (most recent call last):\n  …\nKeyError: prompt', /KeyError: prompt/],
  ])('takes no answer with %s', async (_, message, words) => {
    const policy = await mad(message);
    await expect(policy.infer(seen(1, 2), 5_000)).rejects.toMatchObject({
      code: 'model.failed',
      message: expect.stringMatching(words),
    });
  });

  it('takes no bytes that are no MessagePack', async () => {
    const policy = await mad(Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff));
    await expect(policy.infer(seen(1, 2), 5_000)).rejects.toMatchObject({ code: 'model.failed' });
  });

  it('is never one answer behind a server that answers twice', async () => {
    const policy = await mad(chunk(1, 2, 3, 4, 5, 6, 7, 8), chunk(0, 0, 0, 0, 0, 0, 0, 0));
    for (let i = 0; i < 5; i++) {
      const { actions } = await policy.infer(seen(1, 2), 20_000);
      expect([...actions.data]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
      // The second answer arrives while nobody waits.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });
});
