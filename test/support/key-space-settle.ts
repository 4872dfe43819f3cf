import type { KeySpace, KeyValue } from '../../contract/index.ts';
import { bytes, sleep, text } from './key-values.ts';

/** Declarations and values of one link keep their order, so a value that arrives has all before it. */
export async function keySpaceSettle(a: KeySpace, b: KeySpace): Promise<() => Promise<void>> {
  const seen = new Set<string>();
  const read = (batch: readonly KeyValue[]) => {
    for (const value of batch) seen.add(text(value));
  };
  await a.subscribe('settle/a', read);
  await b.subscribe('settle/b', read);
  let turn = 0;
  const cross = async (from: KeySpace, key: string, word: string) => {
    for (let i = 0; i < 2_000 && !seen.has(word); i++) {
      await from.put(key, bytes(word), { congestion: 'block' });
      await sleep(3);
    }
  };
  return async () => {
    turn += 1;
    await Promise.all([cross(a, 'settle/b', `b${turn}`), cross(b, 'settle/a', `a${turn}`)]);
  };
}
