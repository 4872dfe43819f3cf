import { expect, it } from 'vitest';
import { TopicReader } from '../../adapters/ducklake/topic-reader.ts';
import type { TopicWriter } from '../../adapters/ducklake/topic-writer.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

it('reads what is there although any number of newer files are gone', async () => {
  const gone = Array.from({ length: 1_100 }, (_, n) => `bags/gone/${n}.mcap`);
  const there = 'bags/there/0.mcap';
  const read: string[] = [];
  let tries = 0;
  const all = [...gone, there].map((segment) => ({ segment, missing: [] }));
  const writer = {
    unread: async (limit: number) => all.filter(({ segment }) => !read.includes(segment)).slice(0, limit),
    begin: async () => {},
    add: async ({ segment }: { readonly segment: string }) => read.push(segment) > 0,
  } as unknown as TopicWriter;
  const clock = new ManualClock();
  const reader = new TopicReader(
    // biome-ignore lint/correctness/useYield: it holds no message.
    async function* (path) {
      tries += 1;
      if (path !== there) throw Object.assign(new Error('ENOENT'), { code: 'ENOENT', syscall: 'open' });
    },
    clock,
    (work) => work(writer),
  );
  while (await reader.slice(() => false));
  expect(read).toEqual([there]);
  expect(tries).toBe(gone.length + 1);
  await clock.advance(50_000);
  expect(await reader.slice(() => false)).toBe(false);
  expect(tries).toBe(gone.length + 1);
});
