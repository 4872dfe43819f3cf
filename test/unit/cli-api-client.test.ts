import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { apiClient, endpointOf } from '../../daemon/client/api-client.ts';
import { loadSettings } from '../../daemon/settings.ts';

let dataDir: string;
let server: Server;
let url: string;
let shown: (string | undefined)[];
let status: number;
beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'cli-api-'));
  writeFileSync(join(dataDir, 'token'), 'of-this-robot\n', { mode: 0o600 });
  shown = [];
  status = 200;
  server = createServer((request, response) => {
    shown.push(request.headers.authorization);
    response.writeHead(status).end(status === 200 ? '{}' : 'bad gateway');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.close();
  rmSync(dataDir, { recursive: true });
});

const settings = (more: Record<string, string> = {}) =>
  loadSettings('/dev/null', {
    ...{ AURAISON_DAEMON_DATA_DIR: dataDir, AURAISON_API_PORT: new URL(url).port },
    ...more,
  });

describe('the token of a robot', () => {
  it('is shown to its own daemon', async () => {
    await apiClient(settings(), {}).get('/v1/status');
    expect(shown).toEqual(['Bearer of-this-robot']);
    expect(endpointOf(settings(), '/mcp', {}).token).toBe('of-this-robot');
  });

  it('is not shown to a daemon that AURAISON_URL names', async () => {
    const env = { AURAISON_URL: url };
    const given = settings({ AURAISON_API_TOKEN_FILE: join(dataDir, 'token') });
    for (const one of [settings(), given]) {
      await apiClient(one, env).get('/v1/status');
      expect(endpointOf(one, '/mcp', env)).toMatchObject({ url: new URL('/mcp', url), token: undefined });
    }
    expect(shown).toEqual([undefined, undefined]);
  });

  it('goes there where AURAISON_TOKEN gives it', async () => {
    const env = { AURAISON_URL: url, AURAISON_TOKEN: 'of-that-robot' };
    await apiClient(settings(), env).get('/v1/status');
    expect(shown).toEqual(['Bearer of-that-robot']);
    expect(endpointOf(settings(), '/mcp', env).token).toBe('of-that-robot');
  });
});

it('a daemon behind a proxy that cannot reach it is away, not broken', async () => {
  status = 502;
  await expect(apiClient(settings(), {}).get('/v1/status')).rejects.toMatchObject({
    code: 'cell.unavailable',
    message: expect.stringContaining('HTTP 502'),
  });
});
