import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { NativeKeySpace } from '../../adapters/zenoh/native-key-space.ts';
import type { NewEvent } from '../../contract/core.ts';
import { Ledger, SampleBus } from '../../daemon/execution/bus/index.ts';
import { Routes } from '../../daemon/execution/routes/index.ts';
import { until } from '../support/daemon.ts';
import { cdr, isBalanced, routesOf } from '../support/route-rig.ts';
import { freePort } from '../support/zenoh.ts';

/** Two real sessions over a TCP link that swallows everything without closing: what a dead radio looks like. */
const clock = new SystemClock();
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

class SwallowingProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isHole = false;

  constructor(target: number) {
    this.#server = createServer((from) => {
      const to = connect(target, '127.0.0.1');
      for (const [one, other] of [
        [from, to],
        [to, from],
      ] as const) {
        this.#sockets.add(one);
        one.on('data', (data) => void (this.#isHole || other.write(data)));
        one.on('error', () => other.destroy());
        one.on('close', () => {
          this.#sockets.delete(one);
          other.destroy();
        });
      }
    });
  }

  listen(port: number): Promise<void> {
    return new Promise((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
  }

  swallow(): void {
    this.#isHole = true;
  }

  /** The radio is back: what was half sent is useless, so the links are cut and made anew. */
  restore(): void {
    this.#isHole = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

async function routesOn(toml: string, keySpace: NativeKeySpace) {
  const bus = new SampleBus({ clock, ledger: new Ledger() });
  const states: { state: string; reason: string; atMs: number }[] = [];
  const routes = new Routes({
    clock,
    specs: routesOf(toml),
    robot: 'r1',
    prefix: '',
    bus,
    emit: async (events: readonly NewEvent[]) => {
      for (const event of events)
        if (event.kind === 'route.state') states.push({ ...event.payload, atMs: clock.monotonicMs() });
    },
    report: () => {},
  });
  routes.start({ isRobotConnected: () => true, onSessionLost: () => {} });
  await routes.attach(keySpace);
  closing.push(() => routes.close());
  return { bus, routes, states };
}

it('a route whose link swallows everything is told and rebuilt, and resumes when the link is back', async () => {
  const [direct, through] = [await freePort(), await freePort()];
  const proxy = new SwallowingProxy(direct);
  await proxy.listen(through);
  closing.push(() => proxy.close());
  const near = await NativeKeySpace.open({ mode: 'router', listen: [`tcp/127.0.0.1:${direct}`] }, { clock });
  closing.push(() => near.close());
  const far = await NativeKeySpace.open({ mode: 'client', connect: [`tcp/127.0.0.1:${through}`] }, { clock });
  closing.push(() => far.close());
  const sender = await routesOn(
    '[[routes]]\nname = "out"\nfrom = "bus:/goal"\nto = "zenoh:fleet/goal"',
    near,
  );
  const receiver = await routesOn(
    '[[routes]]\nname = "in"\nfrom = "zenoh:fleet/goal"\nto = "bus:/goal"',
    far,
  );
  let n = 0;
  const timer = clock.every(50, () => {
    const now = clock.now();
    sender.bus.publish({
      topic: '/goal',
      type: 'std_msgs/msg/UInt32',
      stamp: now,
      received: now,
      bytes: cdr(n++),
    });
  });
  closing.push(() => timer.cancel());
  const line = () => receiver.routes.lines().find(({ topic }) => topic === '/goal');
  await until(() => (line()?.forwarded ?? 0) > 60, 'samples flow', 60_000);
  receiver.states.length = 0;
  const cutMs = clock.monotonicMs();
  proxy.swallow();
  const told = await until(
    () => receiver.states.find(({ state }) => state === 'silent' || state === 'diverged'),
    'the silence is told',
    20_000,
  );
  process.stderr.write(
    `black hole told after ${(told.atMs - cutMs).toFixed(0)} ms: ${told.state}, ${told.reason}\n`,
  );
  await until(() => receiver.routes.status()[0]!.rebuilds > 0, 'it is rebuilt', 20_000);
  proxy.restore();
  const before = line()!.forwarded!;
  await until(() => line()!.forwarded! > before + 40, 'samples flow again', 60_000);
  await until(() => receiver.routes.status()[0]!.state === 'up', 'the route is up', 30_000);
  timer.cancel();
  // What the hole swallowed is in the ledger of the receiver, to the last sample.
  await until(() => line()!.received >= n - 1, 'all is accounted for', 10_000);
  expect(line()!.dropped.middleware ?? 0).toBeGreaterThan(0);
  expect(line()!.received).toBeLessThanOrEqual(n);
  expect(isBalanced(receiver.routes.lines())).toBe(true);
});
