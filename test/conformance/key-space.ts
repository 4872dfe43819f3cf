import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EdgeError, type KeySpace, type KeyValue } from '../../contract/index.ts';
import { bytes, eventually, sleep, text } from '../support/key-values.ts';
import { keySpaceOptions } from './key-space-options.ts';
import { keySpaceQueries } from './key-space-queries.ts';

/** Two sessions that are connected to each other. The suite closes them. */
export type KeySpacePair = {
  readonly here: KeySpace;
  readonly there: KeySpace;
  /** What both reported as faults. */
  readonly faults: EdgeError[];
  /** Settles when all that either side declared or sent before has reached the other. */
  settle(): Promise<void>;
};

/** What every KeySpace must do. */
export type KeySpaceFixture = {
  connect(): Promise<KeySpacePair>;
  /** What a driver cannot do and refuses. */
  readonly can?: { readonly cache?: boolean };
};

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
    let settle: () => Promise<void>;

    beforeEach(async () => {
      ({ here, there, faults, settle } = await fixture.connect());
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
      await settle();
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
        await settle();
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
        await settle();
        expect(values.length).toBe(1);
      });

      it('reports a throwing handler and goes on', async () => {
        const seen: string[] = [];
        await there.subscribe('throw/*', (batch) => {
          seen.push(...batch.map(text));
          throw new Error('handler fault');
        });
        await settle();
        await here.put('throw/a', bytes('1'));
        await eventually(() => seen.length === 1, 'the first value');
        await here.put('throw/a', bytes('2'));
        await eventually(() => seen.length === 2, 'the second value');
        expect(faults.map((f) => f.message)).toEqual(['handler fault', 'handler fault']);
      });
    });

    keySpaceQueries(() => ({ here, there, settle }));
    keySpaceOptions(() => ({ here, there, settle }), fixture.can);

    describe('liveliness', () => {
      it('tells every token that is there, however soon, to each of many watchers', async () => {
        const keys = Array.from({ length: 50 }, (_, i) => `crowd/${i}`).sort();
        for (const key of keys) await there.liveliness(key);
        await settle();
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
        await settle();
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
        await settle();
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
