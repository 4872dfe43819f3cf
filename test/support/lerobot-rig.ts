import { ChannelCredentials, type Metadata, type ServiceError, Metadata as Words } from '@grpc/grpc-js';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { connectLeRobot, serveLeRobot } from '../../adapters/lerobot/index.ts';
import { readActions, writeObservation, writeSetup } from '../../adapters/lerobot/messages.ts';
import { type Piece, piecesOf } from '../../adapters/lerobot/pieces.ts';
import { makeTransportClient, type TransportClient } from '../../adapters/lerobot/transport.ts';
import { type Observation, type Policy, pause } from '../../contract/core.ts';
import { HashPolicy } from '../fakes/hash-policy.ts';
import { SeeingPolicy } from '../fakes/seeing-policy.ts';
import { deskOf, serverOptions } from './wire-desk.ts';

/** Servers and clients of LeRobot's wire for tests: `afterEach(endAll)` ends what a test made. */

export const HELPERS = 'lerobot.async_inference.helpers';
export const clock = new SystemClock();
const cleanups: (() => Promise<unknown>)[] = [];
export async function endAll(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

/** Until it does not throw any more: what comes back comes back when it does. */
export async function eventually<T>(attempt: () => Promise<T>, ms = 20_000): Promise<T> {
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

export type Given = Partial<Parameters<typeof serveLeRobot>[1]>;

export async function serve(policies: Readonly<Record<string, () => Policy>>, given: Given = {}) {
  const desk = await deskOf(policies);
  const options = { ...serverOptions(), ...given };
  const server = await serveLeRobot(desk, options);
  cleanups.push(
    () => desk.close(),
    () => server.close(),
  );
  return { desk, server, url: `127.0.0.1:${server.view().port}`, faults: options.faults };
}

export async function connect(
  url: string,
  given: { policy?: string; token?: string; connectMs?: number; tls?: { ca?: string } } = {},
) {
  const { policy = 'default', token, connectMs = 5_000, tls = {} } = given;
  const made = await connectLeRobot({ url, policy, token, connectMs, tls, card: undefined, clock });
  cleanups.push(() => made.close());
  return made;
}

/** A client that speaks the wire by hand, as a stock one or a hostile one does. */
export class Raw {
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

export const setup = (given: Partial<Parameters<typeof writeSetup>[0]> = {}) =>
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

export const observation = (timestep: number, a: number, given: { mustGo?: boolean; shade?: number } = {}) =>
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
export class Stampless extends HashPolicy {
  override infer(given: Observation) {
    return super.infer({ ...given, stamp: 0n });
  }
}

/** Fails or takes its time while told to; else as it is. */
export class Moody extends SeeingPolicy {
  bad = false;
  delayMs = 0;
  override async infer(given: Observation) {
    if (this.delayMs > 0) await pause(clock, this.delayMs);
    if (this.bad) throw new Error('out of order');
    return super.infer(given);
  }
}
