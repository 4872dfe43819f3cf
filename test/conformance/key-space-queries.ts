import { describe, expect, it } from 'vitest';
import { EdgeError } from '../../contract/index.ts';
import { bytes, text } from '../support/key-values.ts';
import type { KeySpacePair } from './key-space.ts';

/** The part of the KeySpace suite about asking and answering; `key-space.ts` runs it. */
export function keySpaceQueries(sessions: () => Omit<KeySpacePair, 'faults'>): void {
  describe('query', () => {
    const ask = (selector: string, timeoutMs = 2_000) => sessions().here.query(selector, { timeoutMs });

    it('gets the answer with its encoding, and the queryable sees key, parameters, payload, attachment', async () => {
      await sessions().there.queryable('q/echo', async (query) => {
        expect(query).toMatchObject({ key: 'q/echo', parameters: 'a=1;b=2', encoding: 'text/plain' });
        expect(new TextDecoder().decode(query.attachment)).toBe('extra');
        return { payload: query.payload!.slice(), encoding: 'application/json', attachment: bytes('back') };
      });
      await sessions().settle();
      const replies = await sessions().here.query('q/echo?a=1;b=2', {
        payload: bytes('ping'),
        encoding: 'text/plain',
        attachment: bytes('extra'),
        timeoutMs: 2_000,
      });
      expect(replies).toHaveLength(1);
      const [reply] = replies;
      if (!reply?.ok) throw new Error(JSON.stringify(reply));
      expect(reply.value).toMatchObject({ key: 'q/echo', encoding: 'application/json', kind: 'put' });
      expect(text(reply.value)).toBe('ping');
      expect(new TextDecoder().decode(reply.value.attachment)).toBe('back');
    });

    it('sees no payload where none was given', async () => {
      let payload: Uint8Array | undefined = bytes('unset');
      await sessions().there.queryable('q/none', async (query) => {
        payload = query.payload;
        return { payload: bytes('ok'), encoding: 'text/plain' };
      });
      await sessions().settle();
      expect(await ask('q/none')).toHaveLength(1);
      expect(payload).toBeUndefined();
    });

    it('gets every queryable that matches, complete or not', async () => {
      for (const name of ['a', 'b', 'c']) {
        const answer = async () => ({ payload: bytes(name), encoding: 'text/plain' });
        await sessions().there.queryable(`many/${name}`, answer, { complete: name === 'a' });
      }
      await sessions().settle();
      const replies = await ask('many/*');
      expect(replies.map((r) => (r.ok ? text(r.value) : 'error')).sort()).toEqual(['a', 'b', 'c']);
      expect(replies.map((r) => (r.ok ? r.value.key : '')).sort()).toEqual(['many/a', 'many/b', 'many/c']);
    });

    it('settles at once with nothing when nobody serves the key', async () => {
      const start = performance.now();
      expect(await ask('nobody/here')).toEqual([]);
      expect(performance.now() - start).toBeLessThan(1_000);
    });

    it('gets the typed error that the queryable threw', async () => {
      const body = {
        operation: 'infer',
        subject: 'policy',
        message: 'NaN in /x',
        hint: 'check the sensor',
      };
      await sessions().there.queryable('q/typed', async () => {
        throw new EdgeError('model.bad_observation', body);
      });
      await sessions().there.queryable('q/plain', () => Promise.reject(new Error('boom')));
      await sessions().there.queryable('q/sync', () => {
        throw new Error('at once');
      });
      await sessions().settle();
      expect(await ask('q/typed')).toEqual([
        { ok: false, error: { code: 'model.bad_observation', ...body, retryable: false } },
      ]);
      expect(await ask('q/plain')).toMatchObject([
        { ok: false, error: { code: 'zenoh.failed', message: 'boom' } },
      ]);
      expect(await ask('q/sync')).toMatchObject([{ ok: false, error: { message: 'at once' } }]);
    });

    it('settles by the deadline of the asker when a queryable is silent, keeping the other replies', async () => {
      await sessions().there.queryable('q/silent/a', () => new Promise(() => {}));
      await sessions().there.queryable('q/silent/b', async () => ({
        payload: bytes('b'),
        encoding: 'text/plain',
      }));
      await sessions().settle();
      const start = performance.now();
      const replies = await ask('q/silent/*', 300);
      const took = performance.now() - start;
      expect(took).toBeGreaterThanOrEqual(299);
      // Tighter than any timeout of the network's own: the asker's clock decides.
      expect(took).toBeLessThan(1_000);
      expect(replies.filter((r) => r.ok)).toHaveLength(1);
      expect(replies.filter((r) => !r.ok)).toMatchObject([{ error: { code: 'deadline.exceeded' } }]);
      // The next request works.
      expect(await ask('q/silent/b')).toHaveLength(1);
    });

    it('serves many queries at the same time', async () => {
      await sessions().there.queryable('q/busy', async (query) => ({
        payload: query.payload!.slice(),
        encoding: 'zenoh/bytes',
      }));
      await sessions().settle();
      const asked = Array.from({ length: 200 }, (_, i) =>
        sessions().here.query('q/busy', { payload: bytes(String(i)), timeoutMs: 5_000 }),
      );
      const got = (await Promise.all(asked)).map(([reply]) => (reply?.ok ? text(reply.value) : 'error'));
      expect(got).toEqual(Array.from({ length: 200 }, (_, i) => String(i)));
    });

    it('carries 5 MB both ways', async () => {
      await sessions().there.queryable('q/large', async (query) => ({
        payload: query.payload!.slice().reverse(),
        encoding: 'zenoh/bytes',
      }));
      await sessions().settle();
      const payload = new Uint8Array(5_000_000).map((_, i) => i % 251);
      const [reply] = await sessions().here.query('q/large', { payload, timeoutMs: 5_000 });
      if (!reply?.ok) throw new Error(JSON.stringify(reply));
      expect(Buffer.compare(reply.value.payload, payload.slice().reverse())).toBe(0);
    });

    it('gets the answers of one query in order, each as it comes, and the last one too', async () => {
      let go = () => {};
      const held = new Promise<void>((resolve) => {
        go = resolve;
      });
      await sessions().there.queryable('q/parts', async (_query, part) => {
        part({ payload: bytes('one'), encoding: 'text/plain' });
        part({ payload: bytes('two'), encoding: 'text/plain' });
        await held;
        setTimeout(() => part({ payload: bytes('late'), encoding: 'text/plain' }), 20);
        return { payload: bytes('three'), encoding: 'text/plain' };
      });
      await sessions().settle();
      const seen: string[] = [];
      const replies = await sessions().here.query('q/parts', {
        timeoutMs: 5_000,
        onReply: (reply) => {
          seen.push(reply.ok ? text(reply.value) : 'error');
          // The last answer is not made before the parts before it have come.
          if (seen.length === 2) go();
        },
      });
      expect(seen).toEqual(['one', 'two', 'three']);
      expect(replies.map((reply) => (reply.ok ? text(reply.value) : 'error'))).toEqual(seen);
    });

    it('tells the parts before an error, and the error', async () => {
      await sessions().there.queryable('q/broken', async (_query, part) => {
        part({ payload: bytes('one'), encoding: 'text/plain' });
        throw new EdgeError('model.failed', { operation: 'infer', subject: 'p' });
      });
      await sessions().settle();
      expect(await ask('q/broken')).toMatchObject([
        { ok: true },
        { ok: false, error: { code: 'model.failed' } },
      ]);
    });

    it('ends a query whose asker loses interest, and goes on working', async () => {
      let asked = () => {};
      const begun = new Promise<void>((resolve) => {
        asked = resolve;
      });
      await sessions().there.queryable('q/long', (_query, part) => {
        part({ payload: bytes('one'), encoding: 'text/plain' });
        asked();
        return new Promise(() => {});
      });
      await sessions().there.queryable('q/brisk', async () => ({
        payload: bytes('b'),
        encoding: 'text/plain',
      }));
      await sessions().settle();
      const controller = new AbortController();
      const got: string[] = [];
      const query = sessions().here.query('q/long', {
        timeoutMs: 30_000,
        signal: controller.signal,
        onReply: (reply) => {
          got.push(reply.ok ? text(reply.value) : 'error');
          controller.abort();
        },
      });
      await begun;
      expect(await query).toHaveLength(1);
      expect(got).toEqual(['one']);
      expect(await ask('q/brisk')).toHaveLength(1);
    });

    it('no longer answers after undeclare', async () => {
      const answer = async () => ({ payload: bytes('x'), encoding: 'text/plain' });
      const declared = await sessions().there.queryable('q/brief', answer);
      await sessions().settle();
      expect(await ask('q/brief')).toHaveLength(1);
      await declared.undeclare();
      await declared.undeclare();
      await sessions().settle();
      expect(await ask('q/brief')).toEqual([]);
    });
  });
}
