import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { EdgeError, LIMITS } from '../../contract/index.ts';
import { ApiCaller } from '../../io/attached/api-caller.ts';
import {
  type AttachOptions,
  AttachServer,
  type Client,
  type Connection,
} from '../../io/attached/attach-server.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const TOKENS: Readonly<Record<string, EdgeError['code'] | undefined>> = {
  good: undefined,
  guest: 'policy.denied',
  away: 'cell.unavailable',
  reader: undefined,
  hangs: undefined,
};

describe('a server that programs attach to', () => {
  const revoked = new Set<string>();
  const closing: (() => void)[] = [];
  afterEach(() => {
    for (const close of closing.splice(0)) close();
    revoked.clear();
  });

  const serve = async (options: Partial<AttachOptions> = {}, client: Partial<Client> = {}) => {
    const clock = new ManualClock();
    const open: Connection[] = [];
    const server = new AttachServer(
      {
        ...{ name: 'foxglove', host: '127.0.0.1', port: 0, clientsMax: 2, queueBytes: 1_000_000 },
        ...{ isOpen: false, needsToken: true, subprotocols: ['new', 'old'], ...options },
      },
      {
        clock,
        report: () => {},
        callerOf: (token) =>
          new ApiCaller({
            token,
            url: () => 'http://127.0.0.1',
            fetch: async (_url, init) => {
              const [, shown = ''] =
                /Bearer (.*)/.exec(new Headers(init?.headers).get('authorization') ?? '') ?? [];
              if (shown === 'hangs') return await new Promise(() => {});
              const isOrder = shown === 'reader' && init?.method === 'POST';
              const code = isOrder
                ? 'policy.denied'
                : shown in TOKENS && !revoked.has(shown)
                  ? TOKENS[shown]
                  : options.needsToken === false
                    ? undefined
                    : 'api.unauthorised';
              if (code === undefined) return Response.json({ state: 'free' });
              const error = new EdgeError(code, { operation: 'GET', subject: 'lease' });
              return Response.json(error.toBody(), { status: 401 });
            },
          }),
        open: (connection) => {
          open.push(connection);
          return { text() {}, binary() {}, lost() {}, closed() {}, ...client };
        },
      },
    );
    const port = await server.start();
    closing.push(() => server.close());
    const attach = async (query: string, headers: Record<string, string> = {}, subprotocols = ['old']) => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}/${query}`, subprotocols, { headers });
      closing.push(() => socket.terminate());
      const refused = once(socket, 'unexpected-response').then(([, response]) => Number(response.statusCode));
      const opened = once(socket, 'open').then(() => socket.protocol);
      for (const one of [refused, opened]) one.catch(() => {});
      return { socket, answer: await Promise.race([refused, opened]) };
    };
    return { clock, server, open, attach, port };
  };

  it.each<[string, string, Record<string, string>, string | number]>([
    ['a token in the address', '?token=good', {}, 'old'],
    ['a token in the header', '', { authorization: 'Bearer good' }, 'old'],
    [
      'a token, from a web page of another site',
      '?token=good',
      { origin: 'https://app.foxglove.dev' },
      'old',
    ],
    ['no token', '', {}, 401],
    ['an empty token', '?token=', {}, 401],
    ['a wrong token', '?token=bad', {}, 401],
    ['a token with control characters', '?token=a%0Ab', {}, 401],
    ['the token of a guest', '?token=guest', {}, 403],
    ['a token while the API is away', '?token=away', {}, 503],
  ])('answers %s', async (_what, query, headers, expected) => {
    const { attach, open } = await serve();
    expect((await attach(query, headers)).answer).toBe(expected);
    expect(open.map(({ caller }) => caller !== undefined)).toEqual(expected === 'old' ? [true] : []);
  });

  it('speaks the best subprotocol that both know, and refuses clients that know none', async () => {
    const { attach } = await serve();
    expect((await attach('?token=good', {}, ['old', 'new'])).answer).toBe('new');
    expect((await attach('?token=good', {}, ['other'])).answer).toBe(400);
  });

  it.each<[Record<string, string>, string | number]>([
    [{}, 'old'],
    [{ origin: 'http://localhost:8080' }, 'old'],
    [{ origin: 'file://' }, 'old'],
    [{ origin: 'null' }, 403],
    [{ origin: 'https://evil.example' }, 403],
    [{ origin: 'http://127.0.0.1.evil.example' }, 403],
    [{ host: 'evil.example' }, 403],
  ])('lets programs of this host look without a token where it is open: %j', async (headers, expected) => {
    const { attach, open } = await serve({ isOpen: true });
    expect((await attach('', headers)).answer).toBe(expected);
    for (const { caller } of open) expect(caller).toBeUndefined();
  });

  it('lets programs of this host act without a token where the API wants none, but no foreign web page', async () => {
    const { attach, open } = await serve({ needsToken: false });
    expect((await attach('')).answer).toBe('old');
    expect(open[0]?.caller).toBeDefined();
    expect((await attach('', { origin: 'https://evil.example' })).answer).toBe(403);
  });

  it('has so many places and no more, and a place is free again when a client goes', async () => {
    const { attach, server } = await serve();
    const [first] = [await attach('?token=good'), await attach('?token=good')];
    expect((await attach('?token=good')).answer).toBe(503);
    first.socket.close();
    while (server.clients > 1) await new Promise((resolve) => setImmediate(resolve));
    expect((await attach('?token=good')).answer).toBe('old');
  });

  it('hangs up on a client that sends a frame that is too large, and on one whose message fails here', async () => {
    const { attach } = await serve(
      {},
      {
        text: () => {
          throw new Error('a defect');
        },
      },
    );
    const large = await attach('?token=good');
    large.socket.send(new Uint8Array(LIMITS.ATTACH_FRAME_BYTES_MAX + 1));
    expect((await once(large.socket, 'close'))[0]).toBe(1009);
    const broken = await attach('?token=good');
    broken.socket.send('{}');
    expect((await once(broken.socket, 'close'))[0]).toBe(1011);
  });

  it('disconnects a client that neither takes nor says anything', async () => {
    const { attach, clock, server } = await serve();
    const { socket } = await attach('?token=good');
    socket.pause();
    for (let ms = 0; ms <= LIMITS.ATTACH_STALLED_MS + 40_000; ms += 20_000) await clock.advance(20_000);
    while (server.clients > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it('gives the place of a client that only looks to one with a token', async () => {
    const { attach, server } = await serve({ isOpen: true });
    const [first] = [await attach(''), await attach('')];
    expect((await attach('')).answer).toBe(503);
    const gone = once(first.socket, 'close');
    expect((await attach('?token=good')).answer).toBe('old');
    await gone;
    expect(server.clients).toBe(2);
    expect((await attach('?token=good')).answer).toBe('old');
    expect((await attach('?token=good')).answer).toBe(503);
  });

  it('has a place for an operator whatever tokens that may not command have taken', async () => {
    const { attach, server } = await serve({ isOpen: true });
    const [looks, reads] = [await attach(''), await attach('?token=reader')];
    const gone = [looks, reads].map(({ socket }) => once(socket, 'close'));
    expect((await attach('?token=reader')).answer).toBe('old');
    await gone[0];
    expect((await attach('?token=reader')).answer).toBe(503);
    expect((await attach('?token=good')).answer).toBe('old');
    await gone[1];
    expect((await attach('?token=good')).answer).toBe('old');
    expect([server.clients, (await attach('?token=good')).answer]).toEqual([2, 503]);
  });

  it('has a place for an operator while others wait for what the API says of their tokens', async () => {
    const { attach } = await serve();
    for (let n = 0; n < 4; n++) void attach('?token=hangs').catch(() => {});
    expect((await attach('?token=good')).answer).toBe('old');
  });

  it('hangs up on a client whose token is not valid any longer', async () => {
    const { attach, clock } = await serve();
    const { socket } = await attach('?token=good');
    const closed = once(socket, 'close');
    await clock.advance(20_000);
    expect(socket.readyState).toBe(WebSocket.OPEN);
    revoked.add('good');
    await clock.advance(20_000);
    expect((await closed)[0]).toBe(1008);
  });

  it('has a place for a client while connections that say nothing come', async () => {
    const { attach, port } = await serve();
    const silent = Array.from({ length: 40 }, () => connect(port, '127.0.0.1').on('error', () => {}));
    for (const one of silent) closing.push(() => one.destroy());
    await Promise.all(silent.map((one) => once(one, 'connect')));
    expect((await attach('?token=good')).answer).toBe('old');
  });

  it('does not read a client that sends too many messages for the rest of the second', async () => {
    let heard = 0;
    const count = () => {
      heard += 1;
    };
    const { attach, clock } = await serve({}, { text: count });
    const { socket } = await attach('?token=good');
    const sent = LIMITS.ATTACH_MESSAGES_PER_S * 5;
    const text = 'x'.repeat(1_000);
    for (let i = 0; i < sent; i++) socket.send(text);
    const settled = () => new Promise((resolve) => setTimeout(resolve, 50));
    while (heard < LIMITS.ATTACH_MESSAGES_PER_S) await settled();
    for (let i = 0; i < 5; i++) await settled();
    expect(heard).toBeLessThan(LIMITS.ATTACH_MESSAGES_PER_S * 1.5);
    while (heard < sent) {
      await clock.advance(1_000);
      await settled();
    }
  });
});
