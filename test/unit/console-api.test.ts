import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';

/** How the pages of the console reach their server, without a page. */
vi.stubGlobal('sessionStorage', { getItem: () => 'token' });
vi.stubGlobal('document', { hidden: false });
afterAll(() => void vi.unstubAllGlobals());
const lib = join(import.meta.dirname, '..', '..', 'console', 'src', 'lib');
const { call, callFirst, read } = await import(join(lib, 'api.ts'));
const { giveStop } = await import(join(lib, 'stops.ts'));
const { loginState } = await import(join(lib, 'token.ts'));
const { addressOf } = await import(join(lib, 'address.ts'));

type Asked = { method?: string; signal: AbortSignal | undefined; headers: Record<string, string> };
const asked: Asked[] = [];
/** Gives up with the signal, as a browser does. */
const deaf = (options: Asked) =>
  new Promise((_, reject) => options.signal?.addEventListener('abort', () => reject(options.signal!.reason)));
function answer(fetched: (options: Asked) => Promise<unknown>): void {
  vi.stubGlobal('fetch', (_path: string, options: Asked) => {
    asked.push(options);
    return fetched(options);
  });
}

describe('what a page asks', () => {
  afterEach(() => void asked.splice(0));

  it('has a time limit, and says so where nothing comes', async () => {
    answer(deaf);
    await expect(call('/v1/status', { answerMs: 20 })).rejects.toThrow('no answer within 0.02 s');
    await expect(read('/v1/status', 20)).rejects.toThrow('no answer within 0.02 s');
    answer(async ({ signal }) => ({ ok: true, json: () => deaf({ signal, headers: {} }) }));
    await expect(read('/v1/status', 20)).rejects.toThrow('no answer within 0.02 s');
  });

  it('has it without being told, and shows its token', async () => {
    answer(async () => ({ status: 200 }));
    await call('/v1/status');
    await call('/v1/events', { headers: { 'last-event-id': '7' } });
    expect(asked.map(({ signal }) => signal instanceof AbortSignal)).toEqual([true, true]);
    expect(asked[1]!.headers).toEqual({ 'last-event-id': '7', authorization: 'Bearer token' });
    expect(asked[1]).not.toHaveProperty('answerMs');
  });

  it('says where it goes on when its turn has come, not when it began to wait for that', async () => {
    answer(({ method, signal }) => (method === 'POST' ? stopped.promise : deaf({ signal } as Asked)));
    const stopped = Promise.withResolvers<object>();
    const stopping = callFirst('/v1/estop');
    let at = 'old';
    const reading = call('/v1/events', { headers: () => ({ 'last-event-id': at }) });
    at = 'new';
    answer(async () => ({ ok: true, status: 200 }));
    stopped.resolve({ ok: true, status: 200 });
    await Promise.all([stopping, reading]);
    expect(asked.at(-1)!.headers).toEqual({ 'last-event-id': 'new', authorization: 'Bearer token' });
  });

  it('makes way for a stop, and is asked again after it', async () => {
    answer(({ method, signal }) => (method === 'POST' ? stopped.promise : deaf({ signal } as Asked)));
    const stopped = Promise.withResolvers<object>();
    const reading = read('/v1/status');
    await expect.poll(() => asked.length).toBe(1);
    const stopping = callFirst('/v1/estop');
    await expect.poll(() => asked.map(({ method }) => method ?? 'GET')).toEqual(['GET', 'POST']);
    expect(asked[0]!.signal!.aborted).toBe(true);
    answer(async () => ({ ok: true, status: 200, json: async () => ({ robot_id: 'tb1' }) }));
    stopped.resolve({ ok: true, status: 200 });
    expect(await stopping).toMatchObject({ ok: true });
    expect(await reading).toEqual({ robot_id: 'tb1' });
  });
});

describe('a stop', () => {
  afterEach(() => void asked.splice(0));

  it('is repeated until it is answered, as long as it is wanted', async () => {
    const answers = [Promise.reject(new Error('refused')), Promise.resolve({ ok: false, status: 503 })];
    answers[0]!.catch(() => {});
    answer(() => answers.shift() ?? Promise.resolve({ ok: true, status: 200, json: async () => ({ n: 1 }) }));
    let tries = 0;
    const again = () => ++tries < 5;
    expect(await giveStop('/v1/estop', { repeatMs: 9_000, again })).toEqual({ ok: true, body: { n: 1 } });
    expect([asked.length, tries]).toEqual([3, 2]);
    answer(() => Promise.reject(new Error('refused')));
    await expect(giveStop('/v1/estop/release', { repeatMs: 0 })).rejects.toThrow('does not answer');
    expect(asked).toHaveLength(4);
    await expect(giveStop('/v1/estop', { repeatMs: 9_000, again: () => false })).rejects.toThrow();
    expect(asked).toHaveLength(5);
  });

  it('does not wait for a token: it says at once that it was not given', async () => {
    answer(async () => ({ ok: false, status: 401 }));
    await expect(giveStop('/v1/estop', { repeatMs: 9_000 })).rejects.toThrow('the token is not valid');
    expect([asked.length, loginState.get().open]).toEqual([1, true]);
  });
});

it('an address that is not valid is shown as it is', () => {
  expect(addressOf('#/runs/%')).toEqual({ name: 'runs', argument: '%' });
  expect(addressOf('#/topics/a%20b')).toEqual({ name: 'topics', argument: 'a b' });
});
