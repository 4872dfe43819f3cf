import { expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { FromRemote, RemoteGet } from '../../adapters/zenoh/remote-messages.ts';
import { RemoteSession } from '../../adapters/zenoh/remote-session.ts';
import { decodeMsgpack } from '../../formats/msgpack/index.ts';

const MIB = 1024 * 1024;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
const NO_TEXT = { toString: () => '' };

type Part = { readonly payload?: number; readonly attachment?: number };
type Handlers = { onReply: (reply: unknown) => void; onFinal: () => void };

function zbytes(size: number | undefined) {
  return size === undefined ? undefined : { toBytes: () => new Uint8Array(size) };
}

/** A session whose bridge is the test: it brings queries and replies of any size. */
function rig() {
  const posted: FromRemote[] = [];
  const refused: unknown[] = [];
  let ask: (query: unknown) => void = () => {};
  let asked: Handlers | undefined;
  const bridge = {
    declareQueryable: async (_key: string, options: { handler: (query: unknown) => void }) => {
      ask = options.handler;
      return { undeclare: async () => {} };
    },
    get: async (_selector: string, options: { handler: [Handlers['onReply'], Handlers['onFinal']] }) => {
      asked = { onReply: options.handler[0], onFinal: options.handler[1] };
    },
  };
  const socket = { readyState: WebSocket.OPEN, bufferedAmount: 0, addEventListener: () => {} };
  const session = new RemoteSession(
    bridge as unknown as ConstructorParameters<typeof RemoteSession>[0],
    socket as unknown as WebSocket,
    new SystemClock(),
    (message) => posted.push(message),
  );
  const bring = ({ payload, attachment }: Part) =>
    ask({
      keyExpr: () => ({ toString: () => 'large/a' }),
      parameters: () => NO_TEXT,
      encoding: () => undefined,
      payload: () => zbytes(payload),
      attachment: () => zbytes(attachment),
      reply: async () => {},
      replyErr: async (error: Uint8Array) => {
        refused.push(decodeMsgpack(error));
      },
      finalize: async () => {},
    });
  const reply = ({ payload = 0, attachment }: Part) =>
    asked?.onReply({
      result: () => ({
        keyexpr: () => ({ toString: () => 'large/a' }),
        payload: () => zbytes(payload),
        encoding: () => NO_TEXT,
        kind: () => 0,
        attachment: () => zbytes(attachment),
      }),
    });
  const open = () => posted.flatMap((message) => (message.op === 'query' ? [message.query] : []));
  const answer = (query: number) => {
    const given = {
      ok: true,
      key: 'large/a',
      payload: new Uint8Array(0),
      encoding: '',
      attachment: undefined,
    };
    session.handle({ op: 'answer', query, last: true, ...given });
  };
  return { session, posted, refused, bring, reply, end: () => asked?.onFinal(), open, answer };
}

it('queries beyond the bytes that may be open are refused, and taken again once others are answered', async () => {
  const { session, refused, bring, open, answer } = rig();
  session.handle({ op: 'queryable', id: 1, keyExpr: 'large/a', complete: false, ticket: 1 });
  await turn();
  bring({ payload: 48 * MIB });
  bring({ attachment: 48 * MIB });
  expect(open().length).toBe(2);
  bring({ payload: 48 * MIB });
  expect(refused).toMatchObject([{ code: 'cell.overloaded', retryable: true }]);
  // Only what has no room is refused.
  bring({ payload: MIB });
  expect(open().length).toBe(3);
  answer(open()[0]!);
  bring({ payload: 48 * MIB });
  expect([open().length, refused.length]).toEqual([4, 1]);
});

it('one query that is larger than all that may be open is refused, and asking again is no use', async () => {
  const { session, refused, bring, open } = rig();
  session.handle({ op: 'queryable', id: 1, keyExpr: 'large/a', complete: false, ticket: 1 });
  await turn();
  bring({ payload: 129 * MIB });
  expect(refused).toMatchObject([{ code: 'sample.too_large', retryable: false }]);
  expect(open()).toEqual([]);
});

it('replies to one query are kept up to their bytes, and those beyond are counted as lost', async () => {
  const { session, posted, reply, end } = rig();
  const nothing = { payload: undefined, encoding: undefined, attachment: undefined };
  const order: RemoteGet = {
    op: 'get',
    id: 1,
    selector: 'a',
    ...nothing,
    target: 'all',
    timeoutMs: 1,
    repliesMax: 9,
  };
  session.handle(order);
  await turn();
  const parts = [
    { payload: 48 * MIB },
    { attachment: 48 * MIB },
    { payload: 48 * MIB },
    { attachment: 200 * MIB },
  ];
  for (const part of [...parts, { payload: 1 }]) reply(part);
  end();
  const kept = posted.flatMap((message) => (message.op === 'reply' ? [message.value.payload.length] : []));
  expect(kept).toEqual([48 * MIB, 0, 1]);
  expect(posted.at(-1)).toEqual({ op: 'final', id: 1, lost: 2 });
});
