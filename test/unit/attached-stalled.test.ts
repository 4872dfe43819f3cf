import { once } from 'node:events';
import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { ApiCaller } from '../../io/attached/api-caller.ts';
import { AttachServer, type Connection } from '../../io/attached/attach-server.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const QUEUE = 2_000_000;
const IMAGE = 700_000;
const ROUNDS = 120;

/** As `npm run bench -- attached` at 20 MB/s for a minute, in short. */
it('a client that reads nothing costs a bounded queue; the small topic and other clients go on', async () => {
  const open: Connection[] = [];
  const lost = [0, 0];
  const server = new AttachServer(
    {
      ...{ name: 'foxglove', host: '127.0.0.1', port: 0, clientsMax: 4, queueBytes: QUEUE },
      ...{ isOpen: true, needsToken: true, subprotocols: [] },
    },
    {
      clock: new ManualClock(),
      report: () => {},
      callerOf: (token) => new ApiCaller({ token, url: () => 'http://127.0.0.1', fetch }),
      open: (connection) => {
        const at = open.push(connection) - 1;
        const lostSome = (_topic: string, count: number) => {
          lost[at]! += count;
        };
        return { text() {}, binary() {}, closed() {}, lost: lostSome };
      },
    },
  );
  const port = await server.start();
  onTestFinished(() => server.close());
  const heard: { image: number; small: number[] }[] = [];
  const sockets: WebSocket[] = [];
  for (const at of [0, 1]) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    sockets.push(socket);
    heard.push({ image: 0, small: [] });
    socket.on('message', (data: Buffer) => {
      if (data.length > 8) heard[at]!.image += 1;
      else heard[at]!.small.push(data.readUInt32LE(1));
    });
    await once(socket, 'open');
  }
  const [reads, stalls] = heard as [(typeof heard)[0], (typeof heard)[0]];
  sockets[1]!.pause();
  const image = new Uint8Array(IMAGE);
  let most = 0;
  for (let n = 1; n <= ROUNDS; n++) {
    const head = Buffer.alloc(5);
    head.writeUInt32LE(n, 1);
    for (const { queue } of open) {
      queue.sample('/camera', { head, body: image });
      queue.sample('/joint_states', { head });
      most = Math.max(most, queue.bytes);
    }
    while (reads.small.length < n || reads.image < n) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(most).toBeLessThanOrEqual(QUEUE);
  expect([lost[0], reads.small.length]).toEqual([0, ROUNDS]);
  // What its socket had is all that it got of the camera; the rest was dropped and counted.
  expect(lost[1]).toBeGreaterThan(ROUNDS / 2);
  sockets[1]!.resume();
  while (stalls.small.at(-1) !== ROUNDS) await new Promise((resolve) => setImmediate(resolve));
  expect(stalls.small).toHaveLength(ROUNDS);
  expect(stalls.image + lost[1]!).toBeGreaterThanOrEqual(ROUNDS - QUEUE / IMAGE);
});
