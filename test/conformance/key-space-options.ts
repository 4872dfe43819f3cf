import { describe, expect, it } from 'vitest';
import type { KeyValue } from '../../contract/index.ts';
import { bytes, eventually, text } from '../support/key-values.ts';
import type { KeySpacePair } from './key-space.ts';

/** The part of the KeySpace suite about who is asked, values of the past, and memory; `key-space.ts` runs it. */
export function keySpaceOptions(
  sessions: () => Omit<KeySpacePair, 'faults'>,
  { cache = true }: { readonly cache?: boolean } = {},
): void {
  describe('target of a query', () => {
    it('asks only complete queryables for all_complete, and keeps two answers for the same key', async () => {
      const { here, there, settle } = sessions();
      const answer = (name: string) => async () => ({ payload: bytes(name), encoding: 'text/plain' });
      await there.queryable('t/x', answer('part'), { complete: false });
      await there.queryable('t/x', answer('whole'), { complete: true });
      await there.queryable('t/*', answer('wider'), { complete: true });
      await settle();
      const ask = async (target: 'all' | 'all_complete' | 'best_matching') => {
        const replies = await here.query('t/x', { target, timeoutMs: 5_000 });
        return replies.map((reply) => (reply.ok ? text(reply.value) : reply.error.code)).sort();
      };
      expect(await ask('all')).toEqual(['part', 'whole', 'wider']);
      expect(await ask('all_complete')).toEqual(['whole', 'wider']);
      expect((await ask('best_matching')).length).toBeGreaterThan(0);
    });

    it('answers for a queryable that takes longer than it said', async () => {
      const { here, there, settle } = sessions();
      await there.queryable('t/late', () => new Promise(() => {}), { timeoutMs: 50 });
      await settle();
      const replies = await here.query('t/late', { timeoutMs: 20_000 });
      expect(replies).toMatchObject([{ ok: false, error: { code: 'deadline.exceeded' } }]);
    });
  });

  describe.runIf(cache)('values of the past', () => {
    it('gives latecomers with history the last values, once and in order, then the new ones', async () => {
      const { here, there, settle } = sessions();
      const publish = (word: string) =>
        here.put('past/map', bytes(word), { cache: 3, congestion: 'block', attachment: bytes(`@${word}`) });
      for (const word of ['a', 'b', 'c', 'd', 'e']) await publish(word);
      // What is still on its way would reach a subscriber without history too.
      await settle();
      const [late, plain]: [KeyValue[], KeyValue[]] = [[], []];
      await there.subscribe('past/*', (batch) => plain.push(...batch));
      await there.subscribe('past/*', (batch) => late.push(...batch), { history: true });
      await eventually(() => late.length >= 3, 'the values of the past');
      await settle();
      await publish('f');
      await eventually(() => late.length >= 4 && plain.length >= 1, 'the new value');
      await settle();
      expect(late.map(text)).toEqual(['c', 'd', 'e', 'f']);
      expect(late.map((v) => new TextDecoder().decode(v.attachment))).toEqual(['@c', '@d', '@e', '@f']);
      expect(plain.map(text)).toEqual(['f']);
    });

    it('gives a subscriber that was first what a publisher sends that comes later', async () => {
      const { here, there, settle } = sessions();
      const seen: string[] = [];
      await there.subscribe('early/*', (batch) => seen.push(...batch.map(text)), { history: true });
      await settle();
      for (const word of ['1', '2', '3']) {
        await here.put('early/x', bytes(word), { cache: 10, congestion: 'block' });
      }
      await eventually(() => seen.length >= 3, 'three values');
      await settle();
      expect(seen).toEqual(['1', '2', '3']);
    });
  });

  describe('memory', () => {
    it('lends payloads for the time of the handler', async () => {
      const { here, there, settle } = sessions();
      const sums: number[] = [];
      await there.subscribe(
        'loan/*',
        (batch) => sums.push(...batch.map((v) => v.payload.reduce((a, b) => a + b, 0))),
        { loan: true },
      );
      await settle();
      for (let i = 1; i <= 20; i++) {
        await here.put('loan/x', new Uint8Array(100_000).fill(i), { congestion: 'block' });
      }
      await eventually(() => sums.length === 20, 'twenty values');
      expect(sums).toEqual(Array.from({ length: 20 }, (_, i) => (i + 1) * 100_000));
    });

    it('sends memory that it gave out, and takes it away from who filled it', async () => {
      const { here, there, settle } = sessions();
      if (!here.allocate) return;
      const sums: number[] = [];
      const sum = (value: KeyValue) => value.payload.reduce((a, b) => a + b, 0);
      await there.subscribe('alloc/*', (batch) => sums.push(...batch.map(sum)));
      await settle();
      const unsent = await here.allocate(100_000);
      unsent.fill(99);
      for (let i = 1; i <= 20; i++) {
        const memory = await here.allocate(100_000);
        memory.fill(i);
        const sent = here.put('alloc/x', memory, { congestion: 'block' });
        expect(memory.length).toBe(0);
        await sent;
      }
      await eventually(() => sums.length === 20, 'twenty values');
      expect(sums).toEqual(Array.from({ length: 20 }, (_, i) => (i + 1) * 100_000));
      expect(unsent.every((byte) => byte === 99)).toBe(true);
      // A part of it is an array like any other: copied, and left alone.
      await here.put('alloc/x', unsent.subarray(0, 10), { congestion: 'block' });
      await eventually(() => sums.length === 21, 'the part');
      expect([sums.at(-1), unsent.length]).toEqual([990, 100_000]);
    });
  });
}
