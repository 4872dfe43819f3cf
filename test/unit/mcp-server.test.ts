import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LIMITS } from '../../contract/index.ts';
import { RUN_ID, TOKEN } from '../support/http-rig.ts';
import { type McpServerRig, startMcpRig } from '../support/mcp-daemon-ports.ts';
import { until } from '../support/until.ts';

const HEADERS = {
  authorization: `Bearer ${TOKEN}`,
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
};
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
};

type Text = { content: { text: string }[]; isError?: boolean; structuredContent?: Record<string, unknown> };

for (const mode of ['legacy', 'auto'] as const) {
  describe(`this robot as an MCP server, for clients of ${mode === 'legacy' ? '2025' : '2026'}`, () => {
    let rig: McpServerRig;
    let client: Client;
    beforeEach(async () => {
      rig = await startMcpRig({ denied: ['bags.list'] });
      client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
      await client.connect(
        new StreamableHTTPClientTransport(new URL('/mcp', rig.url), {
          authProvider: { token: async () => TOKEN },
        }),
      );
    });
    afterEach(async () => {
      await client.close();
      await rig.close();
    });
    const call = async (name: string, args: Record<string, unknown> = {}) =>
      (await client.callTool({ name, arguments: args })) as Text;

    it('speaks the protocol of its client', () => {
      expect(client.getProtocolEra()).toBe(mode === 'legacy' ? 'legacy' : 'modern');
      expect(client.getServerVersion()?.name).toBe('auraison-edge/tb1');
    });

    it('opens runs in the name of the MCP client, and tells how they stand', async () => {
      const opened = await call('run_submit', { type: 'maze/find_exit', params: { seed: 3 } });
      expect(opened.structuredContent).toMatchObject({ run_id: RUN_ID, status: 'running' });
      expect(rig.robot.calls[0]).toEqual({
        request: { type: 'maze/find_exit', params: { seed: 3 } },
        context: { tenant: 'local', principal: 'mcp', roles: ['operator'], origin: 'mcp' },
      });
      expect((await call('run_status', { run_id: RUN_ID })).structuredContent).toMatchObject({
        status: 'running',
      });
      expect((await call('run_list')).structuredContent).toMatchObject({ apps: ['maze'] });
      expect((await call('run_cancel', { run_id: RUN_ID })).structuredContent).toMatchObject({
        status: 'cancelled',
      });
    });

    it('checks arguments as they came: nothing is coerced, nothing unknown passes', async () => {
      for (const [name, args] of [
        ['run_submit', { type: 'maze/find_exit', priority: '5' }],
        ['run_submit', { type: 15 }],
        ['run_submit', { type: 'maze/find_exit', roles: ['admin'] }],
        ['run_submit', {}],
        ['run_list', { limit: true }],
        ['run_status', { run_id: "x' OR 1=1" }],
        ['bag_info', { bag: "b' OR '1'='1" }],
        ['robot_state', { extra: 1 }],
        ['clip_record', { before_s: -1 }],
        ['run_submit', { type: 'a', params: { x: 'y'.repeat(LIMITS.TOOL_ARGS_BYTES_MAX) } }],
      ] as const) {
        const answer = await call(name, args);
        expect(answer.isError, `${name} ${JSON.stringify(args).slice(0, 60)}`).toBe(true);
        expect(answer.content[0]!.text).toMatch(/^(schema\.invalid|run\.not_found)/);
      }
      expect(rig.robot.calls).toEqual([]);
      await expect(call('no_such_tool')).rejects.toThrow('no tool');
    });

    it('asks the policies about every call that is no intent and no stop, and obeys', async () => {
      expect((await call('robot_state')).structuredContent).toMatchObject({ time_ns: '5', motion: 'idle' });
      const denied = await call('bags_list');
      expect(denied.isError).toBe(true);
      expect(denied.content[0]!.text).toContain('policy.denied');
      await call('robot_stop', { reason: 'smoke' });
      expect(rig.stopped).toEqual(['smoke']);
      expect(rig.judged).toEqual(['robot.state {}', 'bags.list {}']);
    });

    it('stops the robot whatever arguments come with the order', async () => {
      for (const args of [{ reason: 'x'.repeat(300) }, { reason: null }, { reason: '', urgency: 'high' }])
        expect((await call('robot_stop', args)).structuredContent).toEqual({ stopped: true });
      const words = 'asked for by an MCP client';
      expect(rig.stopped).toEqual(['x'.repeat(256), words, words]);
    });

    it('cancels a run whatever arguments come with its id, and asks no policy', async () => {
      for (const more of [{ reason: 'x'.repeat(300) }, { reason: null }, { urgency: 'high' }])
        expect((await call('run_cancel', { run_id: RUN_ID, ...more })).isError).not.toBe(true);
      expect(rig.judged).toEqual([]);
    });

    it('tells progress of a run that is waited for, and answers when it is over', async () => {
      const told: string[] = [];
      const waiting = client.callTool(
        { name: 'run_submit', arguments: { type: 'maze/find_exit', wait_s: 600 } },
        { onprogress: ({ message }) => void told.push(message ?? '') },
      );
      await until(() => told.length > 0, 'progress is told');
      rig.robot.status_ = 'succeeded';
      expect((await waiting).structuredContent).toMatchObject({ status: 'succeeded' });
      expect(told[0]).toContain('running, explore');
    });

    it('cancels the run when the client cancels its call', async () => {
      const cancel = new AbortController();
      const waiting = client.callTool(
        { name: 'run_submit', arguments: { type: 'maze/find_exit', wait_s: 600 } },
        { signal: cancel.signal },
      );
      await until(() => rig.robot.calls.length > 0, 'the run is open');
      cancel.abort();
      await expect(waiting).rejects.toThrow();
      await until(() => rig.robot.calls.some((one) => 'cancel' in (one as object)), 'the run is cancelled');
    });

    it('answers calls that fail behind it with the error as text, and goes on', async () => {
      const failed = await call('clip_record');
      expect(failed.isError).toBe(true);
      expect(failed.content[0]!.text).toContain('cell.unavailable');
      expect((await call('robot_state')).isError).toBeUndefined();
    });

    it('gives runs, events and recordings as resources', async () => {
      const { resources } = await client.listResources();
      expect(resources.map(({ uri }) => uri)).toEqual([
        'robot://description',
        'robot://runs',
        'robot://events',
        'robot://bags',
      ]);
      const read = async (uri: string) => {
        const [content] = (await client.readResource({ uri })).contents as { text: string }[];
        return content!.text;
      };
      expect(JSON.parse(await read('robot://description'))).toMatchObject({ robot: 'tb1', apps: ['maze'] });
      expect(JSON.parse(await read(`robot://runs/${RUN_ID}`))).toMatchObject({ app: 'maze' });
      expect(await read(`robot://runs/${RUN_ID}/decisions`)).toContain('"phase":"done"');
      expect(JSON.parse(await read('robot://bags'))).toEqual({ bags: [{ bag: 'b1' }] });
      for (const uri of [
        'file:///etc/passwd',
        'robot://runs/../../x',
        'robot://runs/00000000-0000-0000-0000-000000000000',
      ])
        await expect(read(uri)).rejects.toThrow();
    });
  });
}

describe('the gate before /mcp', () => {
  let rig: McpServerRig;
  beforeEach(async () => {
    rig = await startMcpRig();
  });
  afterEach(() => rig.close());
  const post = (body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${rig.url}/mcp`, {
      method: 'POST',
      headers: { ...HEADERS, ...headers },
      body: JSON.stringify(body),
    });

  it('lets in who has the token, and no page of another site', async () => {
    for (const [headers, status] of [
      [{ authorization: 'Bearer wrong' }, 401],
      [{ authorization: '' }, 401],
      [{ origin: 'https://evil.example' }, 403],
      [{ origin: 'null' }, 403],
      [{}, 200],
    ] as const) {
      const response = await post(INITIALIZE, headers);
      expect(response.status, JSON.stringify(headers)).toBe(status);
      await response.body?.cancel();
    }
    expect(rig.endpoint.sessions).toBe(1);
  });

  it('refuses what is no MCP, and sessions that nobody opened', async () => {
    for (const [body, headers, status] of [
      [{}, {}, 400],
      [[], {}, 400],
      [{ jsonrpc: '2.0', id: 1, method: 'tools/list' }, {}, 400],
      [{ jsonrpc: '2.0', id: 1, method: 'tools/list' }, { 'mcp-session-id': 'made-up' }, 404],
      [{ jsonrpc: '2.0', id: 1, method: 'tools/list' }, { 'mcp-session-id': '__proto__' }, 404],
    ] as const) {
      const response = await post(body, headers);
      expect(response.status, JSON.stringify([body, headers])).toBe(status);
      await response.body?.cancel();
    }
    expect((await fetch(`${rig.url}/mcp`, { headers: HEADERS })).status).toBe(400);
    expect((await fetch(`${rig.url}/mcp`, { method: 'PUT', headers: HEADERS, body: '{}' })).status).toBe(405);
    expect(rig.endpoint.sessions).toBe(0);
  });

  it('answers 400 to a request without its session where one is needed, and does nothing of it', async () => {
    const opened = await post(INITIALIZE);
    const session = opened.headers.get('mcp-session-id')!;
    await opened.body?.cancel();
    const list = { jsonrpc: '2.0', id: 2, method: 'tools/list' };
    const submit = {
      ...{ jsonrpc: '2.0', id: 3, method: 'tools/call' },
      params: { name: 'run_submit', arguments: { type: 'maze/find_exit' } },
    };
    const initialized = { jsonrpc: '2.0', method: 'notifications/initialized' };
    const plain = (method: string) => fetch(`${rig.url}/mcp`, { method, headers: HEADERS });
    for (const ask of [
      ...[list, submit, initialized, [list, submit]].map((body) => () => post(body)),
      () => post(submit, { 'mcp-protocol-version': '2025-11-25' }),
      ...['GET', 'DELETE'].map((method) => () => plain(method)),
    ]) {
      const response = await ask();
      expect(response.status).toBe(400);
      expect(response.headers.get('content-type')).toContain('application/json');
      expect(await response.json()).toMatchObject({
        jsonrpc: '2.0',
        id: null,
        error: { code: -32_000, message: 'Bad Request: Mcp-Session-Id header is required' },
      });
    }
    // Nobody was taken for the client whose session is open, which goes on.
    expect(rig.robot.calls).toEqual([]);
    expect(rig.endpoint.sessions).toBe(1);
    const answer = await post(list, { 'mcp-session-id': session });
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain('run_submit');
  });

  it('keeps so many sessions and no more: the one that rests longest goes', async () => {
    const open = async () => {
      const response = await post(INITIALIZE);
      await response.text();
      return response.headers.get('mcp-session-id')!;
    };
    const first = await open();
    for (let i = 1; i < LIMITS.MCP_SESSIONS_MAX; i++) await open();
    expect(rig.endpoint.sessions).toBe(LIMITS.MCP_SESSIONS_MAX);
    const last = await open();
    expect(rig.endpoint.sessions).toBe(LIMITS.MCP_SESSIONS_MAX);
    const list = { jsonrpc: '2.0', id: 2, method: 'tools/list' };
    expect((await post(list, { 'mcp-session-id': first })).status).toBe(404);
    const answer = await post(list, { 'mcp-session-id': last });
    expect(await answer.text()).toContain('run_submit');
    await fetch(`${rig.url}/mcp`, { method: 'DELETE', headers: { ...HEADERS, 'mcp-session-id': last } });
    expect((await post(list, { 'mcp-session-id': last })).status).toBe(404);
  });

  it('is no part of the OpenAPI document', async () => {
    const document = (await (await rig.get('/openapi.json')).json()) as { paths: Record<string, unknown> };
    expect(document.paths['/mcp']).toBeUndefined();
    expect(document.paths['/v1/mcp/servers']).toBeDefined();
    expect(await (await rig.get('/v1/mcp/servers')).json()).toEqual({ servers: [] });
  });
});
