import { execFile, execFileSync } from 'node:child_process';
import { copyFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endpointOf } from '../../daemon/client/api-client.ts';
import { freshDir, ROOT, type TestDaemon, testDaemon } from '../support/daemon.ts';
import { sdkTypes } from '../support/sdk-types.ts';

const run = promisify(execFile);
const CLIENT = join(ROOT, 'clients/typescript');
const FILES = ['auraison-api.d.ts', 'auraison-client.ts', 'find-exit.ts'];

/** The client as a user has it: copied into a folder with openapi-fetch and TypeScript. */
describe('the TypeScript client', () => {
  const directory = freshDir('typescript-client');
  const inside = (name: string) => join(directory.path, name);
  let modules: string;
  let daemon: TestDaemon;

  beforeAll(async () => {
    modules = execFileSync('bash', [join(ROOT, 'test/peers/sdk.sh')], { encoding: 'utf8' }).trim();
    daemon = await testDaemon(inside('data'), { AURAISON_SIM_WIDTH: '4', AURAISON_SIM_HEIGHT: '4' });
    for (const name of FILES) copyFileSync(join(CLIENT, name), inside(name));
    symlinkSync(modules, inside('node_modules'));
    writeFileSync(inside('package.json'), '{ "type": "module" }');
  });
  afterAll(async () => {
    await daemon?.stop();
    directory.remove();
  });

  it('has the types of the API and of the events as they are (after a deliberate change: vitest run -u of this file)', async () => {
    const { url } = endpointOf(daemon.settings, '/openapi.json');
    const document = (await (await fetch(url)).json()) as Record<string, unknown>;
    const types = await sdkTypes(document, modules, directory.path);
    await expect(types).toMatchFileSnapshot(join(CLIENT, 'auraison-api.d.ts'));
  });

  it('compiles strictly, and wrong calls do not', async () => {
    const lines = [
      `import { connectRobot, type EventOf } from './auraison-client.ts';`,
      `const { api } = connectRobot('', '');`,
      `api.POST('/v1/intents', { body: { type: 'a', priority: 5 } });`,
      `export const phase = (event: EventOf<'run.phase'>): string => event.payload.phase;`,
      `api.POST('/v1/intents', { body: { kind: 'a' } });`,
      `api.GET('/v1/nothing');`,
      `export const wrong = (event: EventOf<'run.phase'>): string => event.payload.fase;`,
    ];
    writeFileSync(inside('calls.ts'), lines.join('\n'));
    const args = [
      ...[inside('node_modules/typescript/bin/tsc'), '--noEmit', '--strict', '--exactOptionalPropertyTypes'],
      ...['--target', 'es2022', '--lib', 'es2022,dom,dom.iterable', '--module', 'nodenext', '--skipLibCheck'],
      ...['--allowImportingTsExtensions', inside('calls.ts')],
    ];
    const said = await run(process.execPath, args).catch((failed: { stdout: string }) => failed);
    const places = [...said.stdout.matchAll(/([\w.-]+\.ts)\((\d+),/g)].map(
      ([, file, line]) => `${file}:${line}`,
    );
    expect(places, said.stdout).toEqual(['calls.ts:5', 'calls.ts:6', 'calls.ts:7']);
  });

  it('continues a stream that broke where it was, and opens the live topics', async () => {
    const cursors: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      cursors.push(request.headers['last-event-id'] as string | undefined);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      if (cursors.length > 1) {
        response.end('id: c3\ndata: {"seq":3}\n\nevent: end\nid: c3\ndata: {}\n\n');
        return;
      }
      // The third message is cut in the middle.
      response.write(': here\n\nid: c1\ndata: {"seq":1}\n\nid: c2\ndata: {"seq":2}\n\nid: c3\nda', () =>
        setTimeout(() => response.destroy(), 50),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const { url, token } = endpointOf(daemon.settings, '/');
    writeFileSync(
      inside('follow.ts'),
      [
        `import { connectRobot } from './auraison-client.ts';`,
        `const seen = [];`,
        `for await (const { event } of connectRobot('http://127.0.0.1:${port}', 't').events()) seen.push(event.seq);`,
        `const { url, protocols } = connectRobot(process.argv[2], process.argv[3]).live();`,
        `const socket = new WebSocket(url, protocols);`,
        `socket.onmessage = ({ data }) => {`,
        `  console.log(JSON.stringify({ seen, op: JSON.parse(String(data)).op }));`,
        `  process.exit(0);`,
        `};`,
      ].join('\n'),
    );
    try {
      const { stdout } = await run(process.execPath, [inside('follow.ts'), url.origin, token!], {
        timeout: 120_000,
      });
      expect(JSON.parse(stdout)).toEqual({ seen: [1, 2, 3], op: 'serverInfo' });
      expect(cursors).toEqual([undefined, 'c2']);
    } finally {
      server.close();
    }
  });

  it('refuses an address that is none, instead of trying for ever', async () => {
    writeFileSync(
      inside('address.ts'),
      [
        `import { connectRobot } from './auraison-client.ts';`,
        `for await (const _ of connectRobot('localhost:7601', 't').events()) break;`,
      ].join('\n'),
    );
    await expect(run(process.execPath, [inside('address.ts')], { timeout: 60_000 })).rejects.toMatchObject({
      stderr: expect.stringContaining(
        'expected an address like http://127.0.0.1:7601, found "localhost:7601"',
      ),
    });
  });

  it('runs its example: an intent is sent, and its run followed to the end', async () => {
    const { url, token } = endpointOf(daemon.settings, '/');
    const { stdout } = await run(process.execPath, [inside('find-exit.ts'), url.origin, token!], {
      timeout: 240_000,
    });
    expect(stdout).toMatch(/^run [0-9a-f-]{36}$/m);
    expect(stdout).toContain('phase ');
    expect(stdout).toMatch(/^succeeded: /m);
    await expect(run(process.execPath, [inside('find-exit.ts'), url.origin, 'wrong'])).rejects.toMatchObject({
      stderr: expect.stringContaining('token'),
    });
  });
});
