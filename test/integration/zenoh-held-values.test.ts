import { expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { NativeKeySpace } from '../../adapters/zenoh/native-key-space.ts';
import type { KeyValue } from '../../contract/index.ts';
import { sleep } from '../support/key-values.ts';
import { freePort } from '../support/zenoh.ts';

/** Of this length, and not to be mistaken for another one of it. */
function contentOf(i: number): Uint8Array {
  const payload = Buffer.alloc((i * 61) % 6_000, i & 0xff);
  if (payload.length >= 4) payload.writeUInt32LE(i);
  return payload;
}

it('what a subscriber holds stays what it was, however much comes after it, singly or in bursts', async () => {
  const [clock, endpoint] = [new SystemClock(), `tcp/127.0.0.1:${await freePort()}`];
  const router = await NativeKeySpace.open({ mode: 'router', listen: [endpoint] }, { clock });
  const client = await NativeKeySpace.open({ mode: 'client', connect: [endpoint] }, { clock });
  try {
    const held: KeyValue[] = [];
    const count = 3_000;
    const { dropped } = await client.subscribe('held/*', (values) => void held.push(...values), {
      depth: count,
    });
    const attachment = (i: number) => Buffer.from(`the attachment of ${i}`);
    await sleep(300);
    for (let i = 0; i < count; i++) {
      await router.put(`held/${i}`, contentOf(i), { congestion: 'block', attachment: attachment(i) });
      // The first come one by one, each in a batch of its own.
      if (i < 300) await sleep(1);
    }
    await expect.poll(() => held.length, { timeout: 20_000 }).toBe(count);
    expect(dropped()).toBe(0);
    const spoilt = held.filter(
      ({ key, payload, attachment: extra }, i) =>
        key !== `held/${i}` ||
        Buffer.compare(payload, contentOf(i)) !== 0 ||
        Buffer.compare(extra!, attachment(i)) !== 0,
    );
    expect(spoilt.map(({ key }) => key)).toEqual([]);
  } finally {
    await client.close();
    await router.close();
  }
});
