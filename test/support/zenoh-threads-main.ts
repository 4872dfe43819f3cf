import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { NativeKeySpace } from '../../adapters/zenoh/native-key-space.ts';

/**
 * A process of `zenoh-threads.test.ts`: `ROLE ENDPOINT`, told "ready" when its session is open.
 *   hub    a router that answers `threads/echo` and keeps 400 values of 200 KB
 *   reader asks for them when it is told to, and counts
 *   asker  asks the hub twenty times a second; told to, it says how long it was without an answer at most, ms
 *   names  the threads of this process, and what a child of it inherits
 */
const [, , role, endpoint = ''] = process.argv;
const clock = new SystemClock();
const isHub = role === 'hub' || role === 'names';
const keySpace = await NativeKeySpace.open(
  {
    ...(isHub ? { mode: 'router', listen: [endpoint] } : { mode: 'client', connect: [endpoint] }),
    config: { 'transport/shared_memory/enabled': false },
  },
  { clock },
);
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const tell = (what: unknown) => process.send!(what as object);
const value = new Uint8Array(200_000);
process.on('disconnect', () => process.exit(0));

const ROLES: Record<string, () => Promise<void>> = {
  async hub() {
    await keySpace.queryable('threads/echo', async () => ({ payload: value.subarray(0, 3), encoding: 'x' }));
    for (let i = 0; i < 400; i++) await keySpace.put('threads/kept', value, { cache: 400 });
    tell('ready');
  },
  async reader() {
    let seen = 0;
    tell('ready');
    await once(process, 'message');
    const options = { history: true, depth: 10_000 };
    const count = (values: readonly unknown[]) => {
      seen += values.length;
      tell(seen);
    };
    await keySpace.subscribe('threads/kept', count, options);
  },
  async asker() {
    let [last, most] = [performance.now(), 0];
    const waited = () => Math.max(most, performance.now() - last);
    tell('ready');
    process.on('message', () => tell(waited()));
    for (;;) {
      const replies = await keySpace.query('threads/echo', { timeoutMs: 400 });
      if (replies.some(({ ok }) => ok)) [most, last] = [waited(), performance.now()];
      await pause(50);
    }
  },
  async names() {
    const named = () =>
      readdirSync('/proc/self/task').map((task) =>
        readFileSync(`/proc/self/task/${task}/comm`, 'utf8').trim(),
      );
    // A thread has the name of the one that started it until it runs.
    let tasks = named();
    const isWhole = () =>
      tasks.includes('acc-0') || (tasks.includes('rx-7') && tasks.includes('zenoh-listen'));
    for (let tries = 0; tries < 500 && !isWhole(); tries++) {
      await pause(20);
      tasks = named();
    }
    const inherited = execFileSync('sh', ['-c', 'echo "$ZENOH_RUNTIME"'], { encoding: 'utf8' }).trim();
    tell({ tasks, inherited });
  },
};
await ROLES[role!]!();
