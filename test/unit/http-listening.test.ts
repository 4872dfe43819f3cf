import { mkdtempSync, rmSync } from 'node:fs';
import { get as httpGet } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startRig, TOKEN } from '../support/http-rig.ts';

describe('listening', () => {
  it('says that the port is taken and what to do', async () => {
    const rig = await startRig();
    const port = Number(new URL(rig.url).port);
    await expect(startRig({ port })).rejects.toMatchObject({
      code: 'host.port_in_use',
      hint: expect.stringContaining('api.port'),
    });
    await rig.stop();
    await rig.stop();
  });

  it('listens on a unix socket as well', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'api-'));
    const socketPath = join(dir, 'api.sock');
    const rig = await startRig({ socketPath });
    expect(rig.url).toBe(`unix:${socketPath}`);
    const status = await new Promise((resolve, reject) => {
      const headers = { authorization: `Bearer ${TOKEN}` };
      httpGet({ socketPath, path: '/v1/runs', headers }, (response) => resolve(response.statusCode)).on(
        'error',
        reject,
      );
    });
    expect(status).toBe(200);
    await rig.stop();
    rmSync(dir, { recursive: true });
  });

  it('answers to the names it was given, and says which key gives it one', async () => {
    const rig = await startRig({ hostNames: ['robot7.local'] });
    const { port } = new URL(rig.url);
    const ask = (host: string) =>
      new Promise<string>((resolve, reject) => {
        const headers = { host, origin: `http://${host}`, authorization: `Bearer ${TOKEN}` };
        httpGet({ port, host: '127.0.0.1', path: '/v1/runs', headers }, (response) => {
          let text = `${response.statusCode} `;
          response.on('data', (piece) => (text += piece)).on('end', () => resolve(text));
        }).on('error', reject);
      });
    for (const host of [`robot7.local:${port}`, 'ROBOT7.local']) expect(await ask(host)).toMatch(/^200 /);
    expect(await ask('robot8.local')).toMatch(/^403 .*api\.host_names/);
    await rig.stop();
  });

  it('goes without a token only on loopback', async () => {
    const rig = await startRig({ auth: { kind: 'none' } });
    expect((await fetch(`${rig.url}/v1/runs`)).status).toBe(200);
    await rig.stop();
    await expect(startRig({ auth: { kind: 'none' }, host: '0.0.0.0' })).rejects.toMatchObject({
      code: 'config.invalid',
    });
  });
});
