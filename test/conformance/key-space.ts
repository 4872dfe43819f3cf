import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EdgeError, type KeySpace, type KeyValue } from '../../contract/index.ts';

/**
 * What every KeySpace must do. `connect` gives two sessions that are connected to each other and the faults
 * reported by them; the suite closes them. Declarations reach the other side within `settleMs`.
 */
export type KeySpaceFixture = {
  connect(): Promise<{ here: KeySpace; there: KeySpace; faults: EdgeError[] }>;
  readonly settleMs: number;
};

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: { payload: Uint8Array }) => new TextDecoder().decode(value.payload);
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

async function eventually(check: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 5_000;
  while (!check()) {
    if (performance.now() > end) throw new Error(`not within 5 s: ${what}`);
    await sleep(2);
  }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(EdgeError);
  return (error as EdgeError).code;
}

export function keySpaceConformance(name: string, fixture: KeySpaceFixture): void {
  describe(`KeySpace: ${name}`, () => {
    let here: KeySpace;
    let there: KeySpace;
    let faults: EdgeError[];

    beforeEach(async () => {
      ({ here, there, faults } = await fixture.connect());
    });
    afterEach(async () => {
      await Promise.all([here.close(), there.close()]);
    });

    async function collect(keyExpr: string, depth?: number) {
      const values: KeyValue[] = [];
      const subscription = await there.subscribe(
        keyExpr,
        (batch) => values.push(...batch),
        depth === undefined ? {} : { depth },
      );
      await sleep(fixture.settleMs);
      return { values, subscription };
    }

    describe('publish and subscribe', () => {
      it('delivers payload, encoding and attachment, in order, to the other side', async () => {
        const { values } = await collect('robot/a');
        await here.put('robot/a', bytes('one'), { encoding: 'text/plain', attachment: bytes('extra') });
        await here.put('robot/a', bytes('two'), { priority: 'real_time', express: true });
        await here.put('robot/a', new Uint8Array(0), { congestion: 'block' });
        await eventually(() => values.length === 3, 'three values');
        expect(values.map((v) => [v.key, v.kind, text(v)]).sort()).toEqual([
          ['robot/a', 'put', ''],
          ['robot/a', 'put', 'one'],
          ['robot/a', 'put', 'two'],
        ]);
        const one = values.find((v) => text(v) === 'one')!;
        expect(one.encoding).toBe('text/plain');
        expect(new TextDecoder().decode(one.attachment)).toBe('extra');
        expect('attachment' in values.find((v) => text(v) === 'two')!).toBe(false);
      });

      it('keeps the order of one key, also for the first puts on it', async () => {
        const { values } = await collect('order/**', 10_000);
        const puts: Promise<void>[] = [];
        for (let i = 0; i < 2_000; i++)
          puts.push(here.put('order/k', bytes(String(i)), { congestion: 'block' }));
        await Promise.all(puts);
        await eventually(() => values.length === 2_000, '2000 values');
        expect(values.map(text)).toEqual(Array.from({ length: 2_000 }, (_, i) => String(i)));
      });

      it('delivers to itself as well', async () => {
        const values: KeyValue[] = [];
        await here.subscribe('self/*', (batch) => values.push(...batch));
        await here.put('self/x', bytes('me'));
        await eventually(() => values.length === 1, 'own value');
      });

      it('tells a deletion', async () => {
        const { values } = await collect('gone/*');
        await here.delete('gone/x');
        await eventually(() => values.length === 1, 'the deletion');
        expect(values[0]).toMatchObject({ key: 'gone/x', kind: 'delete' });
      });

      it.each([
        ['m/a/b', 'm/a/b', true],
        ['m/a', 'm/a/b', false],
        ['m/*', 'm/a', true],
        ['m/*', 'm/a/b', false],
        ['m/*', 'm', false],
        ['m/**', 'm', true],
        ['m/**', 'm/a/b/c', true],
        ['m/**/c', 'm/c', true],
        ['m/**/c', 'm/a/b/c', true],
        ['m/**/c', 'm/a/b/d', false],
        ['m/*/c', 'm/a/c', true],
        ['m/ca$*', 'm/camera', true],
        ['m/ca$*', 'm/lidar', false],
        ['m/$*ra', 'm/camera', true],
        ['**', 'm/anything', true],
        ['*/x', 'm/x', true],
        ['m/**', '@m/x', false],
      ])('matches %s with %s: %s', async (expr, key, expected) => {
        const { values } = await collect(expr);
        await here.put(key, bytes('x'));
        // A put that surely matches, sent after: when it is there, the other one would be too.
        const control = await collect('control/**');
        await here.put('control/end', bytes('end'));
        await eventually(() => control.values.length === 1, 'the control value');
        if (expected) await eventually(() => values.some((v) => v.key === key), 'the match');
        else expect(values.filter((v) => v.key === key)).toEqual([]);
      });

      it.each(['', '/a', 'a/', 'a//b', 'a#b', 'a/**/**', 'a/b*', 'a/$x'])(
        'refuses the malformed key expression "%s"',
        async (expr) => {
          expect(await codeOf(here.put(expr, bytes('x')))).toBe('zenoh.failed');
          expect(await codeOf(here.subscribe(expr, () => {}))).toBe('zenoh.failed');
          expect(await codeOf(here.queryable(expr, async () => ({ payload: bytes(''), encoding: '' })))).toBe(
            'zenoh.failed',
          );
        },
      );

      it('carries 5 MB unchanged, and leaves the sender free to reuse its buffer', async () => {
        const { values } = await collect('big/*');
        const big = new Uint8Array(5_000_000);
        for (let i = 0; i < big.length; i += 4) big[i] = (i * 2654435761) >>> 24;
        const copy = big.slice();
        await here.put('big/cloud', big, { congestion: 'block' });
        big.fill(0);
        await eventually(() => values.length === 1, 'the large value');
        expect(Buffer.compare(values[0]!.payload, copy)).toBe(0);
      });

      it('drops the oldest values of a slow reader, counts them, and keeps serving others', async () => {
        const slow: string[] = [];
        let busy = true;
        const { values } = await collect('flood/*', 100_000);
        const subscription = await there.subscribe(
          'flood/*',
          (batch) => {
            // A reader that holds the main thread once, long enough for the flood to arrive.
            if (busy) {
              busy = false;
              const end = performance.now() + 300;
              while (performance.now() < end);
            }
            slow.push(...batch.map(text));
          },
          { depth: 10 },
        );
        await sleep(fixture.settleMs);
        const sent = 3_000;
        const puts: Promise<void>[] = [];
        for (let i = 0; i < sent; i++)
          puts.push(here.put('flood/x', bytes(String(i)), { congestion: 'block' }));
        await Promise.all(puts);
        await eventually(() => values.length === sent, 'all values at the fast reader');
        await eventually(
          () => slow.length + subscription.dropped() === sent,
          'received = delivered + dropped',
        );
        expect(subscription.dropped()).toBeGreaterThan(0);
        expect(slow.at(-1)).toBe(String(sent - 1));
        await subscription.undeclare();
        expect(subscription.dropped()).toBe(sent - slow.length);
      });

      it('stops after undeclare, which may be called twice', async () => {
        const { values, subscription } = await collect('stop/*');
        await here.put('stop/a', bytes('1'));
        await eventually(() => values.length === 1, 'the first value');
        await subscription.undeclare();
        await subscription.undeclare();
        await here.put('stop/a', bytes('2'));
        await sleep(fixture.settleMs);
        expect(values.length).toBe(1);
      });

      it('reports a throwing handler and goes on', async () => {
        const seen: string[] = [];
        await there.subscribe('throw/*', (batch) => {
          seen.push(...batch.map(text));
          throw new Error('handler fault');
        });
        await sleep(fixture.settleMs);
        await here.put('throw/a', bytes('1'));
        await eventually(() => seen.length === 1, 'the first value');
        await here.put('throw/a', bytes('2'));
        await eventually(() => seen.length === 2, 'the second value');
        expect(faults.map((f) => f.message)).toEqual(['handler fault', 'handler fault']);
      });
    });

    describe('query', () => {
      const ask = (selector: string, timeoutMs = 2_000) => here.query(selector, { timeoutMs });

      it('gets the answer with its encoding, and the queryable sees key, parameters, payload, attachment', async () => {
        await there.queryable('q/echo', async (query) => {
          expect(query).toMatchObject({ key: 'q/echo', parameters: 'a=1;b=2', encoding: 'text/plain' });
          expect(new TextDecoder().decode(query.attachment)).toBe('extra');
          return { payload: query.payload!.slice(), encoding: 'application/json', attachment: bytes('back') };
        });
        await sleep(fixture.settleMs);
        const replies = await here.query('q/echo?a=1;b=2', {
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
        await there.queryable('q/none', async (query) => {
          payload = query.payload;
          return { payload: bytes('ok'), encoding: 'text/plain' };
        });
        await sleep(fixture.settleMs);
        expect(await ask('q/none')).toHaveLength(1);
        expect(payload).toBeUndefined();
      });

      it('gets every queryable that matches, complete or not', async () => {
        for (const name of ['a', 'b', 'c']) {
          const answer = async () => ({ payload: bytes(name), encoding: 'text/plain' });
          await there.queryable(`many/${name}`, answer, { complete: name === 'a' });
        }
        await sleep(fixture.settleMs);
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
        await there.queryable('q/typed', async () => {
          throw new EdgeError('model.bad_observation', body);
        });
        await there.queryable('q/plain', () => Promise.reject(new Error('boom')));
        await there.queryable('q/sync', () => {
          throw new Error('at once');
        });
        await sleep(fixture.settleMs);
        expect(await ask('q/typed')).toEqual([
          { ok: false, error: { code: 'model.bad_observation', ...body, retryable: false } },
        ]);
        expect(await ask('q/plain')).toMatchObject([
          { ok: false, error: { code: 'zenoh.failed', message: 'boom' } },
        ]);
        expect(await ask('q/sync')).toMatchObject([{ ok: false, error: { message: 'at once' } }]);
      });

      it('settles by the deadline of the asker when a queryable is silent, keeping the other replies', async () => {
        await there.queryable('q/silent/a', () => new Promise(() => {}));
        await there.queryable('q/silent/b', async () => ({ payload: bytes('b'), encoding: 'text/plain' }));
        await sleep(fixture.settleMs);
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
        await there.queryable('q/busy', async (query) => ({
          payload: query.payload!.slice(),
          encoding: 'zenoh/bytes',
        }));
        await sleep(fixture.settleMs);
        const asked = Array.from({ length: 200 }, (_, i) =>
          here.query('q/busy', { payload: bytes(String(i)), timeoutMs: 5_000 }),
        );
        const got = (await Promise.all(asked)).map(([reply]) => (reply?.ok ? text(reply.value) : 'error'));
        expect(got).toEqual(Array.from({ length: 200 }, (_, i) => String(i)));
      });

      it('carries 5 MB both ways', async () => {
        await there.queryable('q/large', async (query) => ({
          payload: query.payload!.slice().reverse(),
          encoding: 'zenoh/bytes',
        }));
        await sleep(fixture.settleMs);
        const payload = new Uint8Array(5_000_000).map((_, i) => i % 251);
        const [reply] = await here.query('q/large', { payload, timeoutMs: 5_000 });
        if (!reply?.ok) throw new Error(JSON.stringify(reply));
        expect(Buffer.compare(reply.value.payload, payload.slice().reverse())).toBe(0);
      });

      it('no longer answers after undeclare', async () => {
        const answer = async () => ({ payload: bytes('x'), encoding: 'text/plain' });
        const declared = await there.queryable('q/brief', answer);
        await sleep(fixture.settleMs);
        expect(await ask('q/brief')).toHaveLength(1);
        await declared.undeclare();
        await declared.undeclare();
        await sleep(fixture.settleMs);
        expect(await ask('q/brief')).toEqual([]);
      });
    });

    describe('liveliness', () => {
      it('tells every token that is there, however soon, to each of many watchers', async () => {
        const keys = Array.from({ length: 50 }, (_, i) => `crowd/${i}`).sort();
        for (const key of keys) await there.liveliness(key);
        await sleep(fixture.settleMs);
        const seen = await Promise.all(
          Array.from({ length: 20 }, async () => {
            const mine: string[] = [];
            await here.watchLiveliness('crowd/*', (key, alive) => mine.push(alive ? key : `lost ${key}`));
            return mine;
          }),
        );
        for (const mine of seen) await eventually(() => mine.length >= keys.length, 'all tokens');
        expect(seen.map((mine) => mine.sort())).toEqual(seen.map(() => keys));
      });

      it('tells present tokens first, then each change, also when the session that held them closes', async () => {
        const changes: string[] = [];
        await there.liveliness('live/a');
        await sleep(fixture.settleMs);
        const watch = await here.watchLiveliness('live/*', (key, alive) => changes.push(`${key} ${alive}`));
        await eventually(() => changes.length === 1, 'the present token');
        const second = await there.liveliness('live/b');
        await there.liveliness('elsewhere/b');
        await eventually(() => changes.length === 2, 'the new token');
        await second.undeclare();
        await eventually(() => changes.length === 3, 'the undeclared token');
        await there.close();
        await eventually(() => changes.length === 4, 'the token of the closed session');
        expect(changes).toEqual(['live/a true', 'live/b true', 'live/b false', 'live/a false']);
        await watch.undeclare();
      });
    });

    describe('close', () => {
      it('settles everything that waits, is idempotent, and refuses what comes after', async () => {
        await there.queryable('c/silent', () => new Promise(() => {}));
        await sleep(fixture.settleMs);
        const waiting = here.query('c/silent', { timeoutMs: 60_000 });
        const outcome = codeOf(waiting);
        const subscription = await here.subscribe('c/*', () => {});
        await sleep(20);
        const start = performance.now();
        await Promise.all([here.close(), here.close()]);
        await here.close();
        expect(await outcome).toBe('zenoh.closed');
        expect(performance.now() - start).toBeLessThan(2_000);
        await subscription.undeclare();
        expect(subscription.dropped()).toBe(0);
        const calls = [
          here.put('c/x', bytes('x')),
          here.delete('c/x'),
          here.subscribe('c/x', () => {}),
          here.query('c/x', { timeoutMs: 100 }),
          here.queryable('c/x', () => new Promise(() => {})),
          here.liveliness('c/x'),
          here.watchLiveliness('c/x', () => {}),
        ];
        expect(await Promise.all(calls.map(codeOf))).toEqual(calls.map(() => 'zenoh.closed'));
        // The other side lives on.
        const values: KeyValue[] = [];
        await there.subscribe('c/y', (batch) => values.push(...batch));
        await there.put('c/y', bytes('alive'));
        await eventually(() => values.length === 1, 'a value after the other side closed');
      });
    });
  });
}
