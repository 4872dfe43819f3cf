import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { guardedPost, refusedAddress } from '../../io/guarded-post.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function receiver(answer: RequestListener): Promise<number> {
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const order = (url: string, signal = new AbortController().signal) => ({
  ...{ url, body: '{"a":"é"}', signal },
  headers: { 'content-type': 'application/json', 'x-a2a-notification-token': 'mine' },
});
const posting = (lookup?: () => Promise<{ address: string; family: number }[]>) =>
  guardedPost({ clock: new SystemClock(), answerMs: 60_000, ...(lookup ? { lookup } : {}) });

describe('an address', () => {
  it.each([
    ...['169.254.169.254', '169.254.0.1', '0.0.0.0', '224.0.0.1', '255.255.255.255', '100.100.100.200'],
    ...['::ffff:169.254.169.254', 'fe80::1', '::', 'ff02::1', 'fd00:ec2::254', '64:ff9b::a9fe:a9fe'],
    ...['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', 'nonsense'],
  ])('%s is not for a receiver by name', (address) => {
    expect(refusedAddress('agent.example', address)).toEqual(expect.any(String));
  });

  it('of the network is, and this host where it is named as such', () => {
    expect(refusedAddress('agent.example', '10.0.0.7')).toBeUndefined();
    expect(refusedAddress('agent.example', '2001:db8::1')).toBeUndefined();
    expect(refusedAddress('localhost', '::1')).toBeUndefined();
    expect(refusedAddress('127.0.0.1', '127.0.0.1')).toBeUndefined();
    expect(refusedAddress('169.254.169.254', '169.254.169.254')).toBeDefined();
    expect(refusedAddress('localhost', '169.254.169.254')).toBeDefined();
  });
});

describe('a post', () => {
  it('brings body and headers, and says the status', async () => {
    const seen: [IncomingMessage, string][] = [];
    const port = await receiver(async (request, response) => {
      let body = '';
      for await (const piece of request) body += String(piece);
      seen.push([request, body]);
      response.writeHead(202).end('not read');
    });
    expect(await posting()(order(`http://127.0.0.1:${port}/hook?x=1`))).toBe(202);
    expect(seen[0]![0].headers).toMatchObject({ 'x-a2a-notification-token': 'mine' });
    expect([seen[0]![0].method, seen[0]![0].url, seen[0]![1]]).toEqual(['POST', '/hook?x=1', '{"a":"é"}']);
  });

  it('follows no redirect', async () => {
    let asked = 0;
    const port = await receiver((_, response) => {
      asked += 1;
      response.writeHead(307, { location: '/other' }).end();
    });
    expect(await posting()(order(`http://127.0.0.1:${port}/`))).toBe(307);
    expect(asked).toBe(1);
  });

  it('looks a name up once, and connects to what was checked', async () => {
    const hosts: (string | undefined)[] = [];
    const port = await receiver((request, response) => {
      hosts.push(request.headers.host);
      response.end();
    });
    let asked = 0;
    const rebinds = async () => {
      asked += 1;
      return [{ address: asked === 1 ? '127.0.0.1' : '169.254.169.254', family: 4 }];
    };
    expect(await posting(rebinds)(order(`http://localhost:${port}/`))).toBe(200);
    expect([asked, hosts]).toEqual([1, [`localhost:${port}`]]);
  });

  it('goes nowhere where one of the addresses is not allowed, however it is written', async () => {
    let asked = 0;
    const port = await receiver((_, response) => {
      asked += 1;
      response.end();
    });
    const bad = async () => [
      { address: '10.0.0.1', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ];
    await expect(posting(bad)(order(`http://agent.example:${port}/`))).rejects.toThrow('is this host');
    for (const host of ['169.254.169.254', '2852039166', '0xa9fea9fe', '[::ffff:169.254.169.254]'])
      await expect(posting()(order(`http://${host}/`))).rejects.toThrow('link-local');
    expect(asked).toBe(0);
  });

  it('ends at its deadline and when it is aborted, also where the name or the answer never comes', async () => {
    const clock = new ManualClock();
    const port = await receiver(() => {});
    const post = guardedPost({ clock, answerMs: 100 });
    const slow = expect(post(order(`http://127.0.0.1:${port}/`))).rejects.toThrow('no answer within 100 ms');
    const deaf = guardedPost({ clock, answerMs: 100, lookup: () => new Promise(() => {}) });
    const nameless = expect(deaf(order('http://agent.example/'))).rejects.toThrow('no answer within 100 ms');
    await clock.advance(100);
    await Promise.all([slow, nameless]);
    const leave = new AbortController();
    const left = expect(post(order(`http://127.0.0.1:${port}/`, leave.signal))).rejects.toThrow();
    leave.abort();
    await left;
  });
});
