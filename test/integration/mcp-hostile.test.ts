import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { freshDir, until } from '../support/daemon.ts';
import { alive, hostile, McpRig, serverConfig } from '../support/mcp-rig.ts';

/** Foreign MCP servers that break every promise: each is contained, the others and the robot go on. */
describe('hostile MCP servers', () => {
  let dir: ReturnType<typeof freshDir>;
  let rig: McpRig | undefined;
  beforeEach(() => {
    dir = freshDir('mcp');
  });
  afterEach(async () => {
    await rig?.stop();
    rig = undefined;
    dir.remove();
  });

  async function with_(...configs: ReturnType<typeof hostile>[]): Promise<McpRig> {
    rig = new McpRig(dir.path, configs);
    for (const { name } of configs) await rig.servers.refresh(name);
    return rig;
  }

  const code = (work: Promise<unknown>) =>
    work.then(
      () => 'no error',
      (error: { code?: string }) => error.code ?? String(error),
    );

  it('whose pins cannot be written are not ended: what is pinned is served, the rest asked for again until they can', async () => {
    const before = await with_(hostile('good', { deny: ['go'] }));
    await before.stop();
    const draft = join(dir.path, 'mcp', 'good.json.tmp');
    mkdirSync(join(draft, 'in the way'), { recursive: true });
    const r = await with_(hostile('good'));
    expect(r.degraded).toMatchObject([{ code: 'log.failed', subject: 'mcp.good.pins' }]);
    expect(r.states('good')).toMatchObject({ echo: 'offered', go: 'waiting' });
    expect((await r.call('mcp.good.echo', { text: 'hello' })).result).toEqual({ text: 'hello' });
    const { pid } = r.view('good');
    rmSync(draft, { recursive: true });
    await until(() => r.recovered.includes('mcp.good.pins'), 'the pins are written', 20_000);
    expect(r.states('good')).toMatchObject({ echo: 'offered', go: 'offered' });
    expect(r.view('good')).toMatchObject({ state: 'up', pid, restarts: 0 });
    expect(r.degraded).toHaveLength(1);
  });

  it('with lying, exploding and colliding schemas: those tools are refused and told, the others stay', async () => {
    const r = await with_(hostile('schemas'));
    expect(r.states('schemas')).toEqual({
      echo: 'offered',
      explodes: 'refused',
      elsewhere: 'refused',
      'no object': 'refused',
      'robot.stop': 'offered',
      robot_stop: 'refused',
      twice: 'refused',
      ['x'.repeat(80)]: 'refused',
      secret: 'denied',
      promises: 'offered',
      injects: 'offered',
    });
    for (const { state, reason } of r.view('schemas').tools) expect(reason === '').toBe(state === 'offered');
    const { description } = r.tool('mcp.schemas.injects').spec;
    expect(description).toMatch(/^\[described by the MCP server "schemas".*\[cut\]$/s);
    expect(description.length).toBeLessThan(1_200);
    expect(/[\u200b\u202e]/.test(description)).toBe(false);
    await expect(r.call('mcp.schemas.promises')).rejects.toMatchObject({ code: 'mcp.failed' });
    await expect(r.call('mcp.schemas.echo', { text: 15 })).rejects.toMatchObject({ code: 'schema.invalid' });
    expect((await r.call('mcp.schemas.echo', { text: 'hello' })).result).toEqual({ text: 'hello' });
    expect(r.servers.tools('another app')).toEqual([]);
  });

  it('that never answer are left by the deadline, found deaf and started anew', async () => {
    const r = await with_(hostile('deaf', { deadlineMs: 300 }));
    const { pid } = r.view('deaf');
    expect(await code(r.call('mcp.deaf.go'))).toBe('deadline.exceeded');
    await until(() => !alive(pid!), 'the deaf one is gone');
    const echoed = await until(
      () => r.call('mcp.deaf.echo', { text: 'back' }).catch(() => undefined),
      'a new one answers',
    );
    expect(echoed.result['text']).toBe('back');
    expect(r.degraded.map(({ message }) => message).join()).toContain('does not answer');
    expect(r.recovered).toEqual(['mcp.deaf']);
  });

  it('that are asked to stop by the run are let go at once', async () => {
    const r = await with_(hostile('deaf'));
    const cancel = new AbortController();
    const call = code(r.call('mcp.deaf.go', {}, cancel.signal));
    cancel.abort();
    expect(await call).toBe('run.cancelled');
  });

  it('that die in a call fail that call only', async () => {
    const r = await with_(hostile('dies'), hostile('fails'));
    expect(await code(r.call('mcp.dies.go'))).toBe('mcp.failed');
    await expect(r.call('mcp.fails.go')).rejects.toMatchObject({
      code: 'tool.failed',
      message: 'the disk is full',
    });
    await until(() => r.call('mcp.dies.echo', { text: 'x' }).catch(() => undefined), 'it was started anew');
    expect(r.view('dies').restarts).toBeGreaterThan(0);
  });

  it('with results beyond every measure are cut, or cut off', async () => {
    const r = await with_(
      hostile('large'),
      hostile('structured'),
      hostile('endless', { deadlineMs: 60_000 }),
      hostile('floods', { deadlineMs: 60_000 }),
      hostile('pictures'),
    );
    const { result } = await r.call('mcp.large.go');
    expect(Buffer.byteLength(String(result['text']))).toBeLessThanOrEqual(65_536);
    expect(result['text']).toContain('[cut: 300000 bytes in all]');
    expect(await code(r.call('mcp.structured.go'))).toBe('mcp.failed');
    expect(await code(r.call('mcp.endless.go'))).toBe('mcp.failed');
    expect(await code(r.call('mcp.floods.go'))).toBe('mcp.failed');
    expect(r.degraded.map(({ message }) => message).join()).toMatch(/more than \d+ bytes.*floods us/s);
    const pictures = await r.call('mcp.pictures.go');
    expect(pictures.images?.map(({ mime }) => mime)).toEqual(['image/png']);
    expect(pictures.result['notes']).toHaveLength(2);
  });

  it('that ask for a model, for folders, for a password get none of them', async () => {
    const r = await with_(hostile('asks'));
    const { result } = await r.call('mcp.asks.go');
    const replies = JSON.parse(String(result['text'])) as { error?: { code: number } }[];
    expect(replies.map(({ error }) => error?.code)).toEqual([-32601, -32601, -32601]);
  });

  it('get the defaults that they propose themselves where the configuration says so', async () => {
    const r = await with_(hostile('asks', { elicitation: 'defaults' }));
    const { result } = await r.call('mcp.asks.go');
    expect(String(result['text'])).toContain('{"action":"accept","content":{"name":"ada"}}');
  });

  it('that change a tool after it was allowed lose it until a person allows it again, also over a restart', async () => {
    const file = join(dir.path, 'changed');
    const r = await with_(hostile('changes', {}, file));
    const before = r.tool('mcp.changes.echo');
    writeFileSync(file, '');
    await r.call('mcp.changes.go');
    await until(() => r.states('changes')['echo'] === 'changed', 'the change was seen');
    expect(r.view('changes').tools[0]!.reason).toContain('description');
    expect(r.degraded.map(({ subject }) => subject)).toContain('mcp.changes.echo');
    expect(() => r.tool('mcp.changes.echo')).toThrow('no tool');
    // A run that began before still holds the tool: its call is refused.
    await expect(
      before.run({ text: 'x' }, { signal: new AbortController().signal, intent: {} } as never),
    ).rejects.toMatchObject({ code: 'mcp.failed' });
    await r.stop();
    const again = await with_(hostile('changes', {}, file));
    expect(again.states('changes')['echo']).toBe('changed');
    await again.servers.allow('changes', 'echo');
    expect(again.states('changes')['echo']).toBe('offered');
    expect((await again.call('mcp.changes.echo', { text: 'y' })).result['text']).toBe('y');
    rmSync(file);
  });

  it('wait for a person before their tools are taken, where the configuration says so or the pins are damaged', async () => {
    const r = await with_(hostile('good', { trust: 'manual' }));
    expect(r.states('good')).toEqual({ echo: 'waiting', go: 'waiting' });
    await r.servers.allow('good');
    expect(r.states('good')).toEqual({ echo: 'offered', go: 'offered' });
    await r.stop();
    // Known without being started, from what was pinned.
    const known = new McpRig(dir.path, [hostile('good', { trust: 'manual' })]);
    expect(known.states('good')).toEqual({ echo: 'offered', go: 'offered' });
    expect(known.view('good').state).toBe('idle');
    writeFileSync(join(dir.path, 'mcp', 'good.json'), '{"version":1,"tools":{"echo":{"sha256":"00"');
    const damaged = await with_(hostile('good'));
    expect(damaged.states('good')).toEqual({ echo: 'waiting', go: 'waiting' });
    expect(damaged.degraded).toHaveLength(1);
  });

  it('that print noise, or end when they are asked for the newer protocol, work all the same', async () => {
    const r = await with_(hostile('noise'));
    expect((await r.call('mcp.noise.echo', { text: 'a' })).result['text']).toBe('a');
    await r.stop();
    rig = new McpRig(dir.path, [hostile('ends')]);
    rig.servers.start();
    await until(() => rig!.view('ends').state === 'up', 'it is up by the second try');
    expect(rig.states('ends')).toEqual({ echo: 'offered', go: 'offered' });
  });

  it('leave nothing behind when they are stopped: no process that they forked, and they get no secret', async () => {
    process.env['AURAISON_TOKEN_OF_TEST'] = 'secret';
    const r = await with_(hostile('forks'), hostile('stays'));
    const { result } = await r.call('mcp.forks.go');
    const { pid, child, env } = JSON.parse(String(result['text'])) as {
      pid: number;
      child: number;
      env: Record<string, string>;
    };
    delete process.env['AURAISON_TOKEN_OF_TEST'];
    expect(Object.keys(env)).toEqual(['PATH']);
    const stays = r.view('stays').pid!;
    expect([alive(pid), alive(child), alive(stays)]).toEqual([true, true, true]);
    await r.stop();
    await until(() => ![pid, child, stays].some(alive), 'all are gone');
  });

  it('end with the daemon, however that ends', async () => {
    const main = join(import.meta.dirname, '..', 'support', 'mcp-rig-main.ts');
    const child = spawn(process.execPath, [main, dir.path], { stdio: ['ignore', 'pipe', 'inherit'] });
    const line = await new Promise<string>((resolve) =>
      child.stdout.once('data', (data) => resolve(String(data))),
    );
    const pids = JSON.parse(line) as number[];
    expect(pids.map(alive)).toEqual([true, true]);
    child.kill('SIGKILL');
    await until(() => !pids.some(alive), 'server and what it forked are gone');
  });

  it('write to stderr into the log, so much and no more', async () => {
    const r = await with_(hostile('good'));
    await until(
      () => r.reports.some(({ facts }) => String(facts['text']).includes('the server good starts')),
      'a line',
    );
    expect(readFileSync(join(dir.path, 'mcp', 'good.json'), 'utf8')).toContain('"echo"');
  });
});

describe('hostile MCP servers over HTTP', () => {
  let dir: ReturnType<typeof freshDir>;
  let server: Server;
  let url: string;
  let way: string;
  const tokens: string[] = [];
  beforeAll(async () => {
    dir = freshDir('mcp-http');
    server = createServer((request, response) => void answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
    dir.remove();
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url === '/elsewhere') tokens.push(String(request.headers.authorization));
    if (way === 'silent') return;
    if (way === 'html')
      return void response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>It works</h1>');
    if (way === 'unauthorised') return void response.writeHead(401).end();
    if (way === 'redirects')
      return void response
        .writeHead(307, { location: `${url.replace('127.0.0.1', 'localhost')}/elsewhere` })
        .end();
    // Without an end: of one body, or of one message of a stream.
    const type = way === 'endless' ? 'application/json' : 'text/event-stream';
    response.writeHead(200, { 'content-type': type }).write(way === 'endless' ? '{"a":"' : 'data: {"a":"');
    while (!response.destroyed && response.writable) {
      if (!response.write('x'.repeat(1 << 20)))
        await Promise.race([once(response, 'drain'), once(response, 'close')]);
    }
  }

  for (const one of ['silent', 'html', 'unauthorised', 'redirects', 'endless', 'endless stream']) {
    it(`that are ${one} fail within their time, and get the token nowhere else`, async () => {
      way = one;
      const name = `http-${one.replace(' ', '-')}`;
      const rig = new McpRig(dir.path, [
        serverConfig(name, { http: { url: `${url}/mcp`, token: () => 'secret-of-robot' } }),
      ]);
      await expect(rig.servers.refresh(name)).rejects.toMatchObject({
        code: expect.stringMatching(/^(mcp\.failed|deadline\.exceeded)$/),
      });
      expect(rig.view(name).state).toBe('failed');
      expect(rig.view(name).reason).not.toContain('secret');
      expect(tokens).toEqual([]);
      await rig.stop();
    });
  }
});
