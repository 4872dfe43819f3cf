import { afterEach, beforeEach, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { EVENT, type NativeEvent } from '../../adapters/zenoh/native-batch.ts';
import { NativeKeySpace } from '../../adapters/zenoh/native-key-space.ts';
import { loadNative } from '../../adapters/zenoh/native-loader.ts';
import { NativePump } from '../../adapters/zenoh/native-pump.ts';
import type { NativeSession } from '../../adapters/zenoh/native-types.ts';
import type { EdgeError, Reply } from '../../contract/index.ts';
import { bytes, sleep, text } from '../support/key-values.ts';
import { freePort } from '../support/zenoh.ts';

/** What large queries and large replies may cost: as many bytes as the limit says, however few they are. */
const MS = 60_000;
const clock = new SystemClock();
let router: NativeKeySpace;
let endpoint: string;
let faults: EdgeError[];
let opened: { close(): Promise<unknown> }[];

beforeEach(async () => {
  faults = [];
  opened = [];
  endpoint = `tcp/127.0.0.1:${await freePort()}`;
  router = await NativeKeySpace.open({ mode: 'router', listen: [endpoint] }, deps());
  opened.push(router);
});
afterEach(async () => {
  await Promise.all(opened.map((one) => one.close()));
});

function deps() {
  return { clock, onFault: (fault: EdgeError) => void faults.push(fault) };
}

async function eventually(check: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + MS;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`not within 60 s: ${what}`);
    await sleep(10);
  }
}

/** A session of the addon itself, so that its limits can be small. */
async function openRaw(): Promise<{ session: NativeSession; pump: NativePump }> {
  const pump = new NativePump(clock, (fault) => faults.push(fault));
  const ends = { mode: 'client' as const, listen: [], connect: [endpoint], overrides: [] };
  const options = { ...ends, pinnedShmBytesMax: 0, sharedMemoryBytes: 0 };
  const session = await loadNative().openSession(options, pump.wake);
  pump.attach(session);
  opened.push({ close: () => session.close().then(() => session.release()) });
  return { session, pump };
}

/** What came of a query: the text of each reply, or its code. */
function told(replies: readonly Reply[]): string[] {
  return replies.map((reply) => (reply.ok ? text(reply.value) : reply.error.code));
}

it('refuses queries beyond the bytes that may be open, and takes them again once others are answered', async () => {
  const { session, pump } = await openRaw();
  const id = session.reserve();
  const open: NativeEvent[] = [];
  pump.add(id, (events) => {
    for (const event of events) {
      if (event.key === 'large/ready') session.reply(event.aux, event.key, bytes('ready'), '', undefined);
      else open.push(event);
    }
  });
  await session.declareQueryable(id, 'large/**', false, { depth: 100, bytes: 1_000 });
  const ask = async (payload: number, attachment = 0) =>
    told(
      await router.query('large/a', {
        payload: new Uint8Array(payload),
        attachment: new Uint8Array(attachment),
        timeoutMs: MS,
      }),
    );
  const answer = (event: NativeEvent) => session.reply(event.aux, 'large/a', bytes('done'), '', undefined);
  await eventually(
    async () => (await router.query('large/ready', { timeoutMs: MS })).length > 0,
    'the queryable',
  );

  const first = [ask(400), ask(10, 400)];
  await eventually(() => open.length === 2, 'two open queries');
  expect(await ask(400)).toEqual(['cell.overloaded']);
  expect(await ask(10, 400)).toEqual(['cell.overloaded']);
  // Only what has no room is refused.
  const small = ask(100);
  await eventually(() => open.length === 3, 'a small query beside the large ones');

  answer(open[0]!);
  expect(await first[0]).toEqual(['done']);
  const again = ask(400);
  await eventually(() => open.length === 4, 'a large query where one was answered');
  expect(await ask(400)).toEqual(['cell.overloaded']);
  // One that is ended without an answer, or with an error, gives its room back too.
  session.finish(open[1]!.aux);
  expect(await first[1]).toEqual([]);
  session.replyError(open[3]!.aux, bytes('no'), '');
  expect(await again).toEqual(['zenoh.failed']);
  const both = [ask(400), ask(400)];
  await eventually(() => open.length === 6, 'two large queries again');
  for (const event of [open[2]!, open[4]!, open[5]!]) answer(event);
  expect(await Promise.all([small, ...both])).toEqual([['done'], ['done'], ['done']]);
  expect(faults).toEqual([]);
});

it('refuses one query that is larger than all that may be open, and says that asking again is no use', async () => {
  const { session, pump } = await openRaw();
  const id = session.reserve();
  let handled = 0;
  pump.add(id, (events) => {
    handled += events.length;
    for (const { aux, key } of events) session.reply(aux, key, bytes('done'), '', undefined);
  });
  await session.declareQueryable(id, 'large/a', false, { depth: 100, bytes: 1_000 });
  await eventually(
    async () => (await router.query('large/a', { timeoutMs: MS })).length > 0,
    'the queryable',
  );
  const before = handled;
  const ask = (size: number) => router.query('large/a', { payload: new Uint8Array(size), timeoutMs: MS });
  expect(await ask(5_000)).toMatchObject([
    { ok: false, error: { code: 'sample.too_large', retryable: false } },
  ]);
  expect(handled).toBe(before);
  expect(told(await ask(900))).toEqual(['done']);
});

it('keeps replies up to its bytes, and counts those beyond as lost', async () => {
  await router.queryable('answers', async (_query, part) => {
    for (const size of [400, 400, 400, 5_000]) part({ payload: new Uint8Array(size), encoding: '' });
    return { payload: new Uint8Array(100), encoding: '' };
  });
  const { session, pump } = await openRaw();
  const ask = async (repliesBytesMax: number) => {
    const events: NativeEvent[] = [];
    const id = session.get('answers', '', undefined, undefined, undefined, 'all', MS, 100, repliesBytesMax);
    pump.add(id, (some) => events.push(...some));
    await eventually(() => events.at(-1)?.type === EVENT.getDone, 'the end of the query');
    const { aux: lost } = events.pop()!;
    return { kept: events.map(({ payload }) => payload?.length), lost };
  };
  await eventually(async () => (await ask(100_000)).kept.length > 0, 'the queryable');
  expect(await ask(100_000)).toEqual({ kept: [400, 400, 400, 5_000, 100], lost: 0 });
  expect(await ask(1_000)).toEqual({ kept: [400, 400, 100], lost: 2 });
});

it('the key space: 128 MiB of open queries and of replies to one query, and who asked is told', async () => {
  const asker = await NativeKeySpace.open({ mode: 'client', connect: [endpoint] }, deps());
  opened.push(asker);
  const large = new Uint8Array(48 * 1024 * 1024);
  await router.queryable('large/answers', async (_query, part) => {
    part({ payload: large, encoding: '' });
    part({ payload: large, encoding: '' });
    return { payload: large, encoding: '' };
  });
  let letGo: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  let open = 0;
  await router.queryable('large/questions', async ({ payload }) => {
    open += 1;
    if (payload !== undefined) await held;
    return { payload: bytes('done'), encoding: '' };
  });
  const query = (payload?: Uint8Array) =>
    asker.query('large/questions', { timeoutMs: MS, ...(payload === undefined ? {} : { payload }) });
  await eventually(async () => (await query()).length > 0, 'the queryable');

  const replies = await asker.query('large/answers', { timeoutMs: MS });
  expect(replies.map((reply) => (reply.ok ? reply.value.payload.length : reply.error.message))).toEqual([
    large.length,
    large.length,
    expect.stringMatching(/^1 replies above the limits/),
  ]);

  open = 0;
  const waiting = [query(large), query(large)];
  await eventually(() => open === 2, 'two open queries');
  expect(told(await query(large))).toEqual(['cell.overloaded']);
  letGo();
  expect((await Promise.all(waiting)).map(told)).toEqual([['done'], ['done']]);
  expect(told(await query(large))).toEqual(['done']);
  expect(faults).toEqual([]);
});
