import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { METHODS } from '../../contract/index.ts';
import type { HttpConfig, HttpPorts } from '../../daemon/http/http-ports.ts';
import { answerAll } from './http-answers.ts';
import { type Rig, startRig, TOKEN } from './http-rig.ts';

export type Order = { readonly reason: string; readonly by: string; readonly source: string };

/** An API that notes emergency stops, and sockets to it. */
export type EstopRig = {
  readonly rig: Rig;
  /** What engaged it so far. */
  readonly orders: readonly Order[];
  open(): Promise<Socket>;
  /** All that comes back for these pieces, each of which is a packet of its own. */
  exchange(...pieces: readonly string[]): Promise<string>;
};

const ends: (() => Promise<void> | void)[] = [];

/** After each test. */
export async function endEstopRigs(): Promise<void> {
  for (const end of ends.splice(0).reverse()) await end();
}

export async function startEstopRig(
  config: Partial<HttpConfig> = {},
  ports: Partial<HttpPorts> = {},
): Promise<EstopRig> {
  const rig = await startRig(config, ports);
  ends.push(() => rig.stop());
  answerAll(rig);
  const orders: Order[] = [];
  const { estopEngage, estopRelease } = METHODS.execution;
  rig.answers.set(estopEngage, async (body) => {
    orders.push(body as Order);
    return { engaged: true, since_ns: '1', ...(body as object) };
  });
  rig.answers.set(estopRelease, async () => {
    throw new Error('nothing in these tests releases');
  });
  const open = async () => {
    const socket = rig.url.startsWith('unix:')
      ? connect(rig.url.slice('unix:'.length))
      : connect(Number(new URL(rig.url).port), '127.0.0.1');
    ends.push(() => void socket.destroy());
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  };
  const exchange = async (...pieces: readonly string[]) => {
    const socket = await open();
    const text = whole(socket);
    for (const piece of pieces) {
      socket.write(piece);
      // Until it is sent, and read on the other side.
      await new Promise((resolve) => setTimeout(resolve, pieces.length > 1 ? 5 : 0));
    }
    return await text;
  };
  return { rig, orders, open, exchange };
}

/** The path of a socket that is taken away after the test. */
export function socketPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'estop-'));
  ends.push(() => rmSync(folder, { recursive: true }));
  return join(folder, 's');
}

/** Everything until the server closes the connection. */
export function whole(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    socket.on('data', (piece) => pieces.push(piece));
    socket.once('close', () => resolve(Buffer.concat(pieces).toString('latin1')));
    socket.resume();
  });
}

export const codesOf = (text: string) =>
  [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, code]) => Number(code));
export const lines = (...all: readonly string[]) => `${all.join('\r\n')}\r\n`;
export const HOST = 'Host: 127.0.0.1';
export const AUTH = `Authorization: Bearer ${TOKEN}`;
export const press = (...more: readonly string[]) =>
  lines('POST /v1/estop HTTP/1.1', HOST, AUTH, 'Content-Type: application/json', ...more, '');
export const to = (target: string, method = 'POST') =>
  lines(`${method} ${target} HTTP/1.1`, HOST, AUTH, 'Connection: close', '');
export const PAD = `X-Pad: ${'x'.repeat(40_000)}`;
export const BODY = '{"reason":"smoke"}';
/** Refused by the parser, whatever else is in the head. */
export const BROKEN = 'Content-Length: x';
