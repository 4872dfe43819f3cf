import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerReadableStream,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { connectLeRobot, serveLeRobot } from '../../adapters/lerobot/index.ts';
import {
  readObservation,
  readSetup,
  type TimedAction,
  writeActions,
} from '../../adapters/lerobot/messages.ts';
import { PickleWriter } from '../../adapters/lerobot/pickle/index.ts';
import type { Piece } from '../../adapters/lerobot/pieces.ts';
import { TRANSPORT_SERVICE } from '../../adapters/lerobot/transport.ts';
import type { Observation } from '../../contract/core.ts';
import { cardOf } from '../../formats/policy-wire/remote-card.ts';
import { SeeingPolicy, seen } from '../fakes/seeing-policy.ts';
import { StallingProxy } from '../support/model-servers.ts';
import { deskOf, serverOptions } from '../support/wire-desk.ts';

/** Our client at servers that lie, stand still, or die. */

const HELPERS = 'lerobot.async_inference.helpers';
const clock = new SystemClock();
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

type Seen = { timestamp: number; timestep: number };

/** A server that takes everything and answers as it is told. */
class PuppetServer {
  answer: (seen: Seen) => Uint8Array | 'never' | status = () => 'never';
  setups = 0;
  readonly mustGo: boolean[] = [];
  #last: Seen = { timestamp: 0, timestep: 0 };
  readonly #server = new Server();

  async start(port = 0): Promise<string> {
    this.#server.addService(TRANSPORT_SERVICE, {
      Ready: (_: unknown, reply: sendUnaryData<object>) => reply(null, {}),
      SendPolicyInstructions: (
        call: ServerUnaryCall<{ data: Buffer }, object>,
        reply: sendUnaryData<object>,
      ) => {
        readSetup(call.request.data);
        this.setups += 1;
        reply(null, {});
      },
      SendObservations: (call: ServerReadableStream<Piece, object>, reply: sendUnaryData<object>) => {
        const pieces: Uint8Array[] = [];
        call.on('data', (piece: Piece) => pieces.push(piece.data));
        call.on('end', () => {
          const { timestamp, timestep, mustGo } = readObservation(Buffer.concat(pieces));
          this.#last = { timestamp, timestep };
          this.mustGo.push(mustGo);
          reply(null, {});
        });
      },
      GetActions: (_: unknown, reply: sendUnaryData<{ data: Uint8Array }>) => {
        const answer = this.answer(this.#last);
        if (typeof answer === 'number') reply({ code: answer, metadata: new Metadata() }, null);
        else if (answer !== 'never') reply(null, { data: answer });
      },
    });
    const bound = await new Promise<number>((resolve, reject) =>
      this.#server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, found) =>
        error ? reject(error) : resolve(found),
      ),
    );
    cleanups.push(async () => this.#server.forceShutdown());
    return `127.0.0.1:${bound}`;
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}

const card = cardOf(
  { name: 'p', inputs: { 'observation.state': [2] }, output: [2, 3], step_ms: 50 },
  '12'.repeat(32),
);

async function connect(url: string) {
  if (typeof card === 'string') throw new Error(card);
  const policy = await connectLeRobot({
    ...{ url, policy: 'act:/models/p', token: undefined, connectMs: 5_000, card, clock },
  });
  cleanups.push(() => policy.close());
  return policy;
}

const observation = (stamp = 5n): Observation => ({
  tensors: { 'observation.state': { shape: [2], data: Float32Array.of(1, 2) } },
  stamp,
});
const chunk = ({ timestamp, timestep }: Seen, given: Partial<TimedAction> = {}, count = 2) =>
  writeActions(
    Array.from({ length: count }, (_, i) => ({
      ...{ timestamp, timestep: timestep + i, action: Float32Array.of(i, 1, 2) },
      ...given,
    })),
    HELPERS,
  );

describe('our client of LeRobot at a server that', () => {
  const canary = join(tmpdir(), `lerobot-canary-${process.pid}`);

  it.each<[string, (seen: Seen) => Uint8Array | status, RegExp]>([
    [
      'answers with a pickle that names os.system',
      () => new PickleWriter().call('os', 'system', []).finish(),
      /os\.system/,
    ],
    [
      'answers with a builtin that would touch a file',
      () => {
        const to = new PickleWriter();
        return to.call('builtins', 'eval', [() => to.text(`open(${JSON.stringify(canary)}, 'w')`)]).finish();
      },
      /builtins\.eval/,
    ],
    ['answers NaN', (seen) => chunk(seen, { action: Float32Array.of(0, Number.NaN, 1) }), /NaN in action 0/],
    [
      'answers too many actions',
      (seen) => chunk(seen, {}, 3),
      /\[3, 3\] was answered, but the policy outputs \[2, 3\]/,
    ],
    [
      'answers actions that are too long',
      (seen) => chunk(seen, { action: new Float32Array(4) }),
      /\[2, 4\] was/,
    ],
    ['answers the question of somebody else', (seen) => chunk({ ...seen, timestep: 77 }), /another client/],
    ['answers a question of another time', (seen) => chunk({ ...seen, timestamp: 9 }), /another client/],
    ['answers with nothing, as a stock one does when it failed', () => new Uint8Array(0), /its own log/],
    ['answers no pickle', () => Buffer.from('hello'), /nothing was remembered as 101 at byte 0/],
    ['fails in words of gRPC', () => status.INTERNAL, /p|INTERNAL|127/],
  ])('%s: model.failed, and the next question works', async (_, answer, message) => {
    const server = new PuppetServer();
    const policy = await connect(await server.start());
    server.answer = answer;
    await expect(policy.infer(observation(), 20_000)).rejects.toMatchObject({
      code: 'model.failed',
      message: expect.stringMatching(message),
    });
    expect(existsSync(canary)).toBe(false);
    server.answer = (seen) => chunk(seen);
    expect([...(await policy.infer(observation(), 20_000)).actions.data]).toEqual([0, 1, 2, 1, 1, 2]);
    expect(server.mustGo).toEqual([true, true]);
    expect(server.setups).toBe(1);
  });

  it('never answers: the deadline holds, and a late answer is not taken for the next question', async () => {
    const server = new PuppetServer();
    const policy = await connect(await server.start());
    server.answer = (seen) => chunk(seen);
    await policy.infer(observation(), 20_000);
    let held: Uint8Array | undefined;
    server.answer = (seen) => {
      held = chunk(seen, { action: Float32Array.of(9, 9, 9) });
      return 'never';
    };
    await expect(policy.infer(observation(), 200)).rejects.toMatchObject({ code: 'deadline.exceeded' });
    // What the given up question would have got comes first, then the answer to this one.
    server.answer = (seen) => {
      const late = held;
      held = undefined;
      return late ?? chunk(seen);
    };
    expect([...(await policy.infer(observation(), 20_000)).actions.data]).toEqual([0, 1, 2, 1, 1, 2]);
  });

  it('dies and comes back: it is told again what to serve, without anybody asking', async () => {
    const first = new PuppetServer();
    first.answer = (seen) => chunk(seen);
    const url = await first.start();
    const policy = await connect(url);
    await policy.infer(observation(), 20_000);
    first.stop();
    const second = new PuppetServer();
    second.answer = (seen) => chunk(seen);
    await second.start(Number(url.split(':')[1]));
    const end = performance.now() + 20_000;
    while (second.setups === 0 && performance.now() < end)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(second.setups).toBe(1);
    expect((await policy.infer(observation(), 20_000)).actions.data).toHaveLength(6);
  });

  it('is behind a network that swallows everything: the connection is made anew when it passes again', async () => {
    const desk = await deskOf({ seeing: () => new SeeingPolicy() });
    const server = await serveLeRobot(desk, serverOptions());
    const proxy = await StallingProxy.start(server.view().port);
    cleanups.push(
      () => desk.close(),
      () => server.close(),
      () => proxy.stop(),
    );
    const url = new URL(proxy.url).host;
    const policy = await connectLeRobot({
      ...{ url, policy: 'default', token: undefined, connectMs: 1_000, card: undefined, clock },
    });
    cleanups.push(() => policy.close());
    await policy.infer(seen(1, 1), 20_000);
    proxy.stand(true);
    const faults: string[] = [];
    for (let i = 0; i < 8; i++)
      await policy.infer(seen(1, 1), 300).catch((error: { code: string }) => faults.push(error.code));
    expect(faults).toHaveLength(8);
    expect(new Set(faults)).toEqual(new Set(['deadline.exceeded', 'model.unavailable']));
    proxy.stand(false);
    const end = performance.now() + 20_000;
    for (;;) {
      const answered = await policy.infer(seen(1, 1), 20_000).catch(() => undefined);
      if (answered) break;
      expect(performance.now()).toBeLessThan(end);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
});
