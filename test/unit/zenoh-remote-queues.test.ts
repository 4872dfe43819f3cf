import { describe, expect, it } from 'vitest';
import { RemoteInbox } from '../../adapters/zenoh/remote-inbox.ts';
import { CONGESTED, type RemotePut, type RemoteValue } from '../../adapters/zenoh/remote-messages.ts';
import { RemoteOutbox } from '../../adapters/zenoh/remote-outbox.ts';
import { RemoteTickets } from '../../adapters/zenoh/remote-tickets.ts';
import { EdgeError } from '../../contract/index.ts';

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

function put(ticket: number, fields: Partial<RemotePut> = {}): RemotePut {
  const payload = new Uint8Array(10);
  const rest = { encoding: undefined, attachment: undefined, express: false };
  return { op: 'put', ticket, key: 'a', payload, priority: 5, block: true, ...rest, ...fields };
}

/** A socket whose fill is set by the test. */
function outbox() {
  const socket = { buffered: 0, sent: [] as number[], done: [] as [number, string | undefined][] };
  const box = new RemoteOutbox({
    bufferedBytes: () => socket.buffered,
    send: async ({ ticket }) => {
      if (ticket === 13) throw new Error('refused');
      socket.sent.push(ticket);
    },
    later: turn,
    done: (ticket, error) => socket.done.push([ticket, error]),
  });
  return { box, socket };
}

describe('values on their way to the socket', () => {
  it('keep their order, and wait while the socket is full', async () => {
    const { box, socket } = outbox();
    socket.buffered = 1_000_000;
    for (let i = 0; i < 5; i++) box.push(put(i));
    await turn();
    expect(socket.sent).toEqual([]);
    socket.buffered = 0;
    await turn();
    await turn();
    expect(socket.sent).toEqual([0, 1, 2, 3, 4]);
    expect(socket.done.every(([, error]) => error === undefined)).toBe(true);
  });

  it('are overtaken by what is more urgent, also while they wait', async () => {
    const { box, socket } = outbox();
    socket.buffered = 1_000_000;
    box.push(put(1, { priority: 7 }));
    box.push(put(2, { priority: 7 }));
    await turn();
    box.push(put(3, { priority: 1 }));
    box.push(put(4, { priority: 5 }));
    socket.buffered = 0;
    await turn();
    await turn();
    expect(socket.sent).toEqual([3, 4, 1, 2]);
  });

  it('are dropped and told when they must not wait and there is no room; a refusal stops nobody', async () => {
    const { box, socket } = outbox();
    socket.buffered = 1_000_000;
    const large = new Uint8Array(9 * 1024 * 1024);
    box.push(put(1, { payload: large }));
    box.push(put(2, { block: false }));
    expect(socket.done).toEqual([[2, CONGESTED]]);
    box.push(put(13));
    box.push(put(3));
    socket.buffered = 0;
    await turn();
    await turn();
    expect(socket.sent).toEqual([1, 3]);
    expect(socket.done).toContainEqual([13, 'refused']);
  });
});

describe('values on their way to a reader', () => {
  const value = (n: number, size = 1): RemoteValue => {
    return { key: String(n), payload: new Uint8Array(size), encoding: '', deleted: false };
  };

  it('come in batches, the next one when the last is taken; the oldest are dropped and counted', async () => {
    const got: { keys: string[]; dropped: number }[] = [];
    const inbox = new RemoteInbox({ depth: 3, bytes: 1_000 }, (values, dropped) => {
      got.push({ keys: values.map(({ key }) => key), dropped });
    });
    inbox.push(value(0));
    inbox.push(value(1));
    await turn();
    for (let i = 2; i < 10; i++) inbox.push(value(i));
    await turn();
    expect(got).toEqual([{ keys: ['0', '1'], dropped: 0 }]);
    inbox.taken();
    expect(got[1]).toEqual({ keys: ['7', '8', '9'], dropped: 5 });
    inbox.taken();
    expect(got.length).toBe(2);
    inbox.push(value(10));
    await turn();
    expect(got[2]).toEqual({ keys: ['10'], dropped: 5 });
  });

  it('go in messages of about a mebibyte, however many wait', async () => {
    const batches: number[] = [];
    const inbox = new RemoteInbox({ depth: 100, bytes: 1 << 30 }, (values) => batches.push(values.length));
    for (let i = 0; i < 7; i++) inbox.push(value(i, 400_000));
    await turn();
    inbox.taken();
    inbox.push(value(7, 9_000_000));
    inbox.drain();
    expect(batches).toEqual([3, 3, 2]);
  });

  it('are bounded by bytes too, but one value always fits', async () => {
    const keys: string[] = [];
    const inbox = new RemoteInbox({ depth: 100, bytes: 1_000 }, (values) => {
      keys.push(...values.map(({ key }) => key));
    });
    inbox.push(value(1, 600));
    inbox.push(value(2, 600));
    inbox.push(value(3, 5_000));
    expect(inbox.dropped).toBe(2);
    inbox.drain();
    expect(keys).toEqual(['3']);
  });

  it('weigh what strangers write beside the payload too: attachments and keys', async () => {
    const keys: string[] = [];
    const inbox = new RemoteInbox({ depth: 100, bytes: 1_000 }, (values) => {
      keys.push(...values.map(({ key }) => key.slice(0, 4)));
    });
    inbox.push({ ...value(1), attachment: new Uint8Array(900) });
    inbox.push({ ...value(2), attachment: new Uint8Array(900) });
    expect(inbox.dropped).toBe(1);
    inbox.push({ ...value(3), key: 'long'.repeat(200) });
    expect(inbox.dropped).toBe(2);
    inbox.push(value(4, 100));
    expect(inbox.dropped).toBe(2);
    inbox.drain();
    expect(keys).toEqual(['long', '4']);
  });
});

it('tickets: what a broken link takes with it is rejected and counted once; a late answer is nobody', async () => {
  const tickets = new RemoteTickets();
  const sent: number[] = [];
  const send = (ticket: number) => sent.push(ticket);
  const code = (promise: Promise<unknown>) =>
    promise.then(
      () => 'ok',
      (error: EdgeError) => error.code,
    );
  const outcomes = [
    code(tickets.request('put', 'a', 100, send)),
    code(tickets.request('put', 'a', 100, send)),
    code(tickets.request('subscribe', 'a', undefined, send)),
    code(tickets.request('put', 'a', 100, send)),
  ];
  tickets.settle({ op: 'done', ticket: sent[0]! });
  tickets.settle({ op: 'done', ticket: sent[1]!, error: CONGESTED });
  expect(tickets.hasRoom(128 * 1024 * 1024 - 99)).toBe(false);
  tickets.settleAll(new EdgeError('zenoh.failed', { operation: 'put', subject: 'a' }));
  tickets.settle({ op: 'done', ticket: sent[3]! });
  expect(await Promise.all(outcomes)).toEqual(['ok', 'cell.overloaded', 'zenoh.failed', 'zenoh.failed']);
  expect(tickets.lost).toBe(2);
  expect(tickets.hasRoom(128 * 1024 * 1024)).toBe(true);
});
