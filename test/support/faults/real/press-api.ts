import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { TestDaemon } from '../../daemon.ts';

/** Presses of the emergency stop over HTTP as no client of ours would send them: what comes behind the token. */
export const PRESSES: readonly string[] = [
  'Content-Type: application/json\r\n\r\n',
  withBody('application/json', '{"reason": "a child'),
  withBody('application/json', JSON.stringify({ reason: 'x'.repeat(20_000) })),
  withBody('application/json', JSON.stringify({ reason: 7, unknown: [null] })),
  withBody('text/plain', 'stop!'),
  withBody('image/png', '\u0000\u0001'),
  // It never comes.
  'Content-Length: 18\r\n\r\n',
  'Content-Length: many\r\n\r\n',
  'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\nstop',
  'Transfer-Encoding: chunked\r\n\r\nstop\r\n',
  `X-Pad: ${'x'.repeat(40_000)}\r\n\r\n`,
  'stop\r\n\r\n',
];

function withBody(type: string, body: string): string {
  return `Content-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** Settles when it is answered. Rejects where it was refused. */
export async function pressApi(
  { api, dataDir }: Pick<TestDaemon, 'api' | 'dataDir'>,
  press: string,
): Promise<void> {
  const { hostname, port } = new URL(api.url);
  const token = readFileSync(join(dataDir, 'token'), 'utf8').trim();
  const socket = connect(Number(port), hostname);
  try {
    const head = `POST /v1/estop HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAuthorization: Bearer ${token}\r\n`;
    socket.write(head + press);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    if (!/^HTTP\/1\.1 200 /.test(String(answer)))
      throw new Error(`the emergency stop was refused: ${answer}`);
  } finally {
    socket.destroy();
  }
}
