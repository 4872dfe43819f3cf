import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { registryFault } from '../../scripts/registry.mjs';

/** What the installer says of the npm registry before it waits for it. */
let server: Server | undefined;
afterEach(() => server?.close());

const environment = (registry: string) => ({
  ...process.env,
  npm_config_registry: registry,
  npm_config_cache: '/dev/null/none',
  npm_config_proxy: '',
  npm_config_https_proxy: '',
  npm_config_noproxy: '127.0.0.1',
});

async function answering(status: number): Promise<string> {
  server = createServer((_request, response) => response.writeHead(status).end('{}'));
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

it('a registry that nobody serves is named with the reason, without a password', async () => {
  const address = await answering(200);
  server!.close();
  const fault = await registryFault(environment(address.replace('//', '//max:secret@')));
  expect(fault).toEqual({ registry: address, reason: 'ECONNREFUSED' });
});

it.each([200, 404])('one that answers %i is there: not every mirror answers a ping', async (status) => {
  expect(await registryFault(environment(await answering(status)))).toBeUndefined();
});
