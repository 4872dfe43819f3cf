import { EventEmitter } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { expect, it } from 'vitest';
import { BrokenStops, framingFault } from '../../daemon/http/broken-stops.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { Random } from '../support/random.ts';

/** Where a request starts is known in whatever packets it comes: a body is never taken for a head. */
const SEEDS = 400;
const STOP = 'POST /v1/estop HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer b\r\nContent-Length: x\r\n\r\n';
/** Broken too, and no stop. */
const OTHER = 'GET / HTTP/7.7\r\n\r\n';

function watched(): { server: Server; stops: string[]; requests: () => number } {
  const stops: string[] = [];
  let requests = 0;
  const server = createServer((request: IncomingMessage, response) => {
    if (framingFault(request) !== undefined) return void stops.push(String(request.headers.authorization));
    requests++;
    request.resume();
    response.end();
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  new BrokenStops(new ManualClock(), { linger: () => {} }).watch(server);
  return { server, stops, requests: () => requests };
}

/** A request that the parser takes. What is in it looks like a stop. */
function request(random: Random): string {
  const inner = random.one(['', 'a', STOP, `\r\n\r\n${STOP}`, STOP.slice(0, 30), 'x'.repeat(300)]);
  const head = 'POST /x HTTP/1.1\r\nHost: a\r\n';
  const chunk = (text: string) => (text === '' ? '' : `${text.length.toString(16)}\r\n${text}\r\n`);
  return random.one([
    `GET /${inner.replace(/\s/g, '')} HTTP/1.1\r\nHost: a\r\n\r\n`,
    `\r\n\r\n${head}Content-Length: ${inner.length}\r\n\r\n${inner}`,
    `${head}Transfer-Encoding: chunked\r\n\r\n${chunk(inner)}${chunk(STOP)}0\r\n\r\n`,
    `${head}Transfer-Encoding: chunked\r\n\r\n${chunk(inner)}0\r\nX-Trailer: a\r\n\r\n`,
  ]);
}

/** The end of each of these packets is random; `whole`: no packet has two requests. */
function packets(random: Random, requests: readonly string[], whole: boolean): string[] {
  return (whole ? requests : [requests.join('')]).flatMap((text) => {
    const cuts = Array.from({ length: random.below(4) }, () => random.below(text.length)).sort(
      (a, b) => a - b,
    );
    return [0, ...cuts].map((cut, i) => text.slice(cut, cuts[i])).filter((one) => one !== '');
  });
}

async function play(seed: number, last: string, whole: boolean) {
  const random = new Random(seed);
  const { server, stops, requests } = watched();
  const all = Array.from({ length: random.below(5) }, () => request(random));
  const [near, far] = duplexPair();
  server.emit('connection', far);
  near.resume();
  for (const packet of packets(random, [...all, last], whole)) {
    near.write(packet);
    await new Promise((resolve) => setImmediate(resolve));
  }
  near.destroy();
  far.destroy();
  return { stops, requests: requests(), sent: all.length };
}

it(`a broken stop is found behind whatever came before it (seeds 1 to ${SEEDS})`, async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { stops, requests, sent } = await play(seed, STOP, true);
    expect({ seed, stops, requests }).toEqual({ seed, stops: ['Bearer b'], requests: sent });
  }
});

it(`a stop within a body is none, in whatever packets it comes (seeds 1 to ${SEEDS})`, async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { stops, requests, sent } = await play(seed, OTHER, false);
    expect({ seed, stops, requests }).toEqual({ seed, stops: [], requests: sent });
  }
});

it('a connection that is a WebSocket now is not listened to', () => {
  const server = createServer();
  new BrokenStops(new ManualClock(), { linger: () => {} }).watch(server);
  // The parser of the server wants more than this of a socket, and is not tested here.
  server.removeListener('connection', server.listeners('connection')[0] as () => void);
  const socket = new EventEmitter() as Socket;
  server.emit('connection', socket);
  expect(socket.listenerCount('data')).toBe(1);
  server.emit('upgrade', {}, socket);
  expect(socket.listenerCount('data')).toBe(0);
});
