import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LIMITS } from '../../contract/index.ts';
import { type Rig, startRig, TOKEN } from '../support/http-rig.ts';

describe('the API among hostile clients', () => {
  let rig: Rig;
  let sockets: Socket[] = [];
  beforeEach(async () => {
    rig = await startRig();
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    sockets = [];
    await rig.stop();
  });

  const open = async () => {
    const socket = connect(Number(new URL(rig.url).port), '127.0.0.1');
    socket.on('error', () => {});
    sockets.push(socket);
    await once(socket, 'connect');
    return socket;
  };
  const served = async () => (await rig.get('/v1/runs')).status;

  it('cuts those who never finish their headers or bodies, and serves the others meanwhile', async () => {
    const slow = await Promise.all(Array.from({ length: 60 }, open));
    const ended = slow.map((socket) => once(socket, 'close'));
    slow.forEach((socket, i) => {
      socket.resume();
      const head = `POST /v1/intents HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${TOKEN}\r\n`;
      socket.write(
        i % 2 === 0 ? head : `${head}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"type":`,
      );
    });
    const drip = setInterval(() => {
      for (const socket of slow) if (!socket.destroyed) socket.write('x');
    }, 1_000);
    expect(await served()).toBe(200);
    await Promise.all(ended);
    clearInterval(drip);
    expect(await served()).toBe(200);
    expect(rig.reports).toEqual([]);
  });

  it('keeps no more connections than it can carry, and serves again when they go', async () => {
    const idle = await Promise.all(Array.from({ length: LIMITS.API_CONNECTIONS_MAX + 20 }, open));
    await sleep(300);
    const alive = idle.filter((socket) => !socket.destroyed && socket.readable);
    expect(alive.length).toBeLessThanOrEqual(LIMITS.API_CONNECTIONS_MAX);
    for (const socket of idle) socket.destroy();
    await expect.poll(served, { timeout: 10_000 }).toBe(200);
  });
});
