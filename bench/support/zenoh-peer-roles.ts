import type { KeySpace } from '../../contract/index.ts';

export type PeerRole = 'serve' | 'ask' | 'sink' | 'source';
export type PeerOptions = {
  readonly bytes: number;
  readonly count: number;
  readonly warmup: number;
  /** Shared memory may be used between the two. */
  readonly shared: boolean;
  /** The source fills memory of the library's own, so that sending needs no copy. */
  readonly allocate: boolean;
};

const KEY = 'bench/value';
const say = (fields: Record<string, unknown>) => process.stdout.write(`${JSON.stringify(fields)}\n`);
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** A process of `bench/zenoh.ts` over any `KeySpace`: `ROLE ENDPOINT OPTIONS`. */
export async function runZenohPeer(
  open: (role: PeerRole, endpoint: string, options: PeerOptions) => Promise<KeySpace>,
): Promise<void> {
  const [, , role, endpoint = '', json = '{}'] = process.argv;
  const options = JSON.parse(json) as PeerOptions;
  const keySpace = await open(role as PeerRole, endpoint, options);
  await ROLES[role as PeerRole](keySpace, options);
  process.exit(0);
}

const ROLES: Record<PeerRole, (keySpace: KeySpace, options: PeerOptions) => Promise<void>> = {
  async serve(keySpace) {
    await keySpace.queryable(KEY, async ({ payload, encoding }) => ({ payload: payload!, encoding }));
    say({ ready: true });
    await new Promise<void>((resolve) => process.stdin.once('end', resolve).resume());
  },

  async ask(keySpace, { bytes, count, warmup }) {
    const [payload, ms] = [new Uint8Array(bytes), [] as number[]];
    while ((await keySpace.query(KEY, { payload, timeoutMs: 1_000 })).length === 0) await pause(10);
    for (let i = 0; i < count + warmup; i++) {
      const begin = performance.now();
      const [reply] = await keySpace.query(KEY, { payload, timeoutMs: 10_000 });
      if (!reply?.ok || reply.value.payload.length !== bytes) throw new Error('no answer');
      if (i >= warmup) ms.push(performance.now() - begin);
    }
    say({ ms: ms.map((one) => Math.round(one * 1e4) / 1e4) });
  },

  async sink(keySpace, { bytes, count, warmup }) {
    let [seen, begin, touched] = [0, 0, 0];
    await new Promise<void>((resolve) => {
      const subscribed = keySpace.subscribe(
        KEY,
        (values) => {
          for (const { payload } of values) {
            // Reads at both ends of what came: the bytes are really there.
            touched += payload[0]! + payload[bytes - 1]!;
            seen += 1;
            if (seen === warmup) begin = performance.now();
            if (seen === warmup + count) {
              const ms = performance.now() - begin;
              subscribed.then((subscription) => {
                say({ count, ms, dropped: subscription.dropped(), touched });
                resolve();
              });
            }
          }
        },
        { depth: 1_000_000, loan: true },
      );
      subscribed.then(() => say({ ready: true }));
    });
  },

  async source(keySpace, { bytes, allocate }) {
    const frame = new Uint8Array(bytes);
    // As much in flight as keeps sockets busy, and no more: the promises are the backpressure.
    const width = Math.max(4, Math.min(1_024, Math.ceil(4_000_000 / bytes)));
    const sender = async () => {
      for (;;) {
        let payload = frame;
        if (allocate && keySpace.allocate) {
          payload = (await keySpace.allocate(bytes)) as Uint8Array<ArrayBuffer>;
          payload.set(frame);
        }
        await keySpace.put(KEY, payload, { congestion: 'block' });
      }
    };
    await Promise.all(Array.from({ length: width }, sender));
  },
};
