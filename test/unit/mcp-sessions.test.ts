import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freshDir, until } from '../support/daemon.ts';
import { McpHttpServer } from '../support/mcp-http-server.ts';
import { McpRig, serverConfig } from '../support/mcp-rig.ts';

/** A foreign server over HTTP, of 2025, that keeps sessions and forgets them when it is restarted. */
class SessionServer extends McpHttpServer {
  readonly sessions = new Set<string>();
  /** What it says to a session that it does not know. */
  refusal = { status: 404, message: 'Session not found' };
  opened = 0;
  calls = 0;

  protected async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    if (request.method !== 'POST') return void response.writeHead(405).end();
    const { id = null, method } = JSON.parse(body) as { id?: number | null; method: string };
    const say = (status: number, message: object, headers: Record<string, string> = {}) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(JSON.stringify({ jsonrpc: '2.0', id, ...message }));
    };
    const session = String(request.headers['mcp-session-id']);
    if (method === 'initialize') {
      const fresh = `session-${++this.opened}`;
      this.sessions.add(fresh);
      const serverInfo = { name: 'far', version: '1' };
      const result = { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo };
      say(200, { result }, { 'mcp-session-id': fresh });
    } else if (!this.sessions.has(session)) {
      const { status, message } = this.refusal;
      say(status, { id: null, error: { code: -32_001, message } });
    } else if (id === null) response.writeHead(202).end();
    else if (method === 'tools/list')
      say(200, { result: { tools: [{ name: 'count', inputSchema: { type: 'object', properties: {} } }] } });
    else say(200, { result: { content: [{ type: 'text', text: `call ${++this.calls} of ${session}` }] } });
  }
}

describe('an MCP server with sessions', () => {
  let dir: ReturnType<typeof freshDir>;
  let server: SessionServer;
  let rig: McpRig;
  beforeEach(async () => {
    dir = freshDir('mcp-sessions');
    server = new SessionServer();
    rig = new McpRig(dir.path, [serverConfig('far', { http: { url: await server.start() } })]);
    await rig.servers.refresh('far');
  });
  afterEach(async () => {
    await rig.stop();
    server.stop();
    dir.remove();
  });
  const text = async () => (await rig.call('mcp.far.count')).result['text'];

  it.each([
    [404, 'Session not found'],
    [400, 'Bad Request: No valid session ID provided'],
  ])('that forgot ours (%i) fails one call and is dialled anew', async (status, message) => {
    expect(await text()).toBe('call 1 of session-1');
    server.refusal = { status, message };
    server.sessions.clear();
    await expect(text()).rejects.toMatchObject({
      code: 'mcp.failed',
      message: expect.stringMatching(/no longer knows our session/),
    });
    expect(rig.view('far').state).toBe('failed');
    // What was refused was not sent again by itself.
    expect(await until(() => text().catch(() => undefined), 'it is dialled anew')).toBe(
      'call 2 of session-2',
    );
    expect(rig.view('far')).toMatchObject({ state: 'up', restarts: 1 });
    expect(rig.recovered).toEqual(['mcp.far']);
  });

  it('is dialled anew also where a listing found out', async () => {
    server.sessions.clear();
    await expect(rig.servers.refresh('far')).rejects.toMatchObject({ code: 'mcp.failed' });
    await rig.servers.refresh('far');
    expect(await text()).toBe('call 1 of session-2');
  });

  it('that refuses a call for another reason keeps its connection', async () => {
    server.refusal = { status: 400, message: 'no such thing' };
    server.sessions.clear();
    await expect(text()).rejects.toMatchObject({ code: 'mcp.failed' });
    server.sessions.add('session-1');
    expect(await text()).toBe('call 1 of session-1');
    expect(server.opened).toBe(1);
  });
});
