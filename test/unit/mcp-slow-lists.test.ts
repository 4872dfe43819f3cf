import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freshDir, until } from '../support/daemon.ts';
import { McpHttpServer } from '../support/mcp-http-server.ts';
import { McpRig, serverConfig } from '../support/mcp-rig.ts';

/** A foreign server over HTTP that takes its time to list its tools, and then tells what it had when it was asked. */
class SlowServer extends McpHttpServer {
  tools = ['one'];
  /** How often it was asked for its tools. */
  lists = 0;
  /** Answers to a listing wait for it. */
  held: Promise<void> = Promise.resolve();
  release = () => {};
  readonly #streams: ServerResponse[] = [];

  hold(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.held = promise;
    this.release = resolve;
  }

  /** It has other tools from now on and says so; settles when who hears it can be expected to have asked. */
  async change(tools: string[]): Promise<void> {
    this.tools = tools;
    await until(() => this.#streams.length > 0, 'somebody listens');
    const notice = { jsonrpc: '2.0', method: 'notifications/tools/list_changed' };
    for (const stream of this.#streams) stream.write(`event: message\ndata: ${JSON.stringify(notice)}\n\n`);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
  }

  protected async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'GET') {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      this.#streams.push(response);
      return;
    }
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const { id = null, method } = JSON.parse(body) as { id?: number | null; method: string };
    if (id === null) return void response.writeHead(202).end();
    const say = (message: object) => {
      response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': 'only' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id, ...message }));
    };
    if (method === 'initialize') {
      const serverInfo = { name: 'slow', version: '1' };
      const capabilities = { tools: { listChanged: true } };
      say({ result: { protocolVersion: '2025-11-25', capabilities, serverInfo } });
    } else if (method === 'tools/list') {
      this.lists++;
      const tools = this.tools.map((name) => ({ name, inputSchema: { type: 'object', properties: {} } }));
      await this.held;
      say({ result: { tools } });
    } else say({ error: { code: -32_601, message: 'Method not found' } });
  }
}

describe('an MCP server that lists its tools slowly', () => {
  let dir: ReturnType<typeof freshDir>;
  let server: SlowServer;
  let rig: McpRig;
  beforeEach(async () => {
    dir = freshDir('mcp-slow-lists');
    server = new SlowServer();
    rig = new McpRig(dir.path, [serverConfig('slow', { http: { url: await server.start() } })]);
  });
  afterEach(async () => {
    await rig.stop();
    server.stop();
    dir.remove();
  });
  const refresh = () => rig.servers.refresh('slow');
  const tools = () => Object.keys(rig.states('slow')).join();

  it('and changes them meanwhile is asked once more: a tool that was withdrawn is not offered on', async () => {
    await refresh();
    const { lists } = server;
    server.hold();
    const listing = refresh();
    await until(() => server.lists === lists + 1, 'it is asked');
    await server.change(['two']);
    server.release();
    await listing;
    await until(() => tools() === 'two', 'its new tools are known');
    expect(() => rig.tool('mcp.slow.one')).toThrow('no tool');
    expect(server.lists).toBe(lists + 2);
  });

  it('and changes them while it is started is asked once more', async () => {
    server.hold();
    rig.servers.start();
    await until(() => server.lists === 1, 'it is asked');
    await server.change(['two']);
    expect(rig.view('slow').state).toBe('starting');
    server.release();
    await until(() => tools() === 'two', 'its new tools are known');
    expect(server.lists).toBe(2);
  });

  it('is asked once more for all who ask meanwhile, and each of them hears what it says then', async () => {
    await refresh();
    const { lists } = server;
    server.hold();
    const first = refresh();
    await until(() => server.lists === lists + 1, 'it is asked');
    const others = Promise.all([refresh(), refresh(), refresh()]);
    server.tools = ['two'];
    server.release();
    await first;
    for (const view of await others) expect(view.tools.map(({ tool }) => tool)).toEqual(['two']);
    expect(server.lists).toBe(lists + 2);
  });
});
