import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { listen, urlOf } from '../../io/listen.ts';

const open: Server[] = [];
afterEach(() => void open.splice(0).map((server) => server.close()));
const made = () => {
  const server = createServer((_request, response) => response.end('here'));
  open.push(server);
  return server;
};
const words = { who: 'test', hint: 'choose another port' };

it('a server keeps serving after faults of accepted connections, however many', async () => {
  const server = made();
  await listen(server, { host: '127.0.0.1', port: 0 }, words);
  // As Node reports that no file descriptor is left.
  for (let n = 0; n < 3; n++)
    server.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE', syscall: 'accept' }));
  expect(await (await fetch(urlOf(server))).text()).toBe('here');
});

it('a server whose address is taken says so each time, and listens when it is free', async () => {
  const [first, second] = [made(), made()];
  await listen(first, { host: '127.0.0.1', port: 0 }, words);
  const { port } = first.address() as AddressInfo;
  for (let n = 0; n < 12; n++)
    await expect(listen(second, { host: '127.0.0.1', port }, words)).rejects.toMatchObject({
      code: 'host.port_in_use',
      hint: words.hint,
    });
  expect(second.listenerCount('error')).toBe(0);
  first.close();
  await once(first, 'close');
  await listen(second, { host: '127.0.0.1', port }, words);
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.destroy();
});
