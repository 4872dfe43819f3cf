import { expect, it, vi } from 'vitest';
import { BulkLane } from '../../adapters/zenoh/bulk-lane.ts';
import { openKeySpace } from '../../adapters/zenoh/open-key-space.ts';
import type { ToRemote } from '../../adapters/zenoh/remote-messages.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryKeySpace } from '../fakes/memory-key-space.ts';

/** What was told to a bridge that answers nothing. */
const told: ToRemote[] = [];
vi.mock('../../adapters/zenoh/remote-probe.ts', () => ({ probeBridge: async () => {} }));
vi.mock('../../adapters/zenoh/remote-link.ts', () => ({
  RemoteLink: class {
    readonly up = true;
    readonly generation = 1;
    async open(): Promise<void> {}
    send(message: ToRemote): void {
      told.push(message);
    }
    async close(): Promise<void> {}
  },
}));

const RULES = [
  { keys: ['robot/camera/**'], priority: 'background' },
  { keys: ['*/safety/**'], priority: 'real_time', congestion: 'block', express: true },
] as const;

const bytes = new Uint8Array(1);

it('a second connection takes what is of low priority by the rules, whatever its sender asked for', async () => {
  const clock = new ManualClock();
  const sent: string[] = [];
  class Connection extends MemoryKeySpace {
    readonly #name: string;
    constructor(name: string) {
      super(clock);
      this.#name = name;
    }
    override async put(key: string): Promise<void> {
      sent.push(`${this.#name} ${key}`);
    }
    override async delete(key: string): Promise<void> {
      sent.push(`${this.#name} ${key} deleted`);
    }
  }
  const keySpace = new BulkLane(new Connection('main'), new Connection('bulk'), RULES);
  await keySpace.put('robot/camera/front', bytes, { priority: 'data' });
  // What deletes a value must not overtake it.
  await keySpace.delete('robot/camera/front');
  await keySpace.put('r1/safety/state', bytes, { priority: 'background' });
  await keySpace.put('r1/map', bytes, { priority: 'background' });
  await keySpace.put('r1/odom', bytes);
  expect(sent).toEqual([
    'bulk robot/camera/front',
    'bulk robot/camera/front deleted',
    'main r1/safety/state',
    'bulk r1/map',
    'main r1/odom',
  ]);
});

it('the rules count over a bridge as well', async () => {
  const { keySpace } = await openKeySpace(
    { driver: 'remote', remoteUrl: 'ws://bridge:10000', nativeOnly: [], mode: 'client', delivery: RULES },
    { clock: new ManualClock() },
  );
  const ways = [
    keySpace.put('r1/safety/state', bytes, { priority: 'background', congestion: 'drop' }),
    keySpace.put('robot/camera/front', bytes, { congestion: 'block' }),
    keySpace.put('r1/odom', bytes),
  ];
  for (const way of ways) way.catch(() => {});
  expect(told).toMatchObject([
    { key: 'r1/safety/state', priority: 1, block: true, express: true },
    { key: 'robot/camera/front', priority: 7, block: true, express: false },
    { key: 'r1/odom', priority: 5, block: false, express: false },
  ]);
  await keySpace.close();
});
