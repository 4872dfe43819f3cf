import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type HostedRun, RunTools } from '../../adapters/acp/index.ts';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { offerRun } from '../../cli/acp/run-offer.ts';
import { LIMITS } from '../../contract/index.ts';
import { until } from '../support/until.ts';

/** The tools of one run behind MCP, for its agent alone. */
const TOOLS = [
  {
    ...{ name: 'robot.maneuver', description: 'drives or spins', effect: 'actuate' },
    input: {
      anyOf: [
        {
          type: 'object',
          properties: { kind: { const: 'drive' }, distance_m: { type: 'number' } },
          required: ['kind', 'distance_m'],
        },
        {
          type: 'object',
          properties: { kind: { const: 'spin' }, angle_rad: { type: 'number' } },
          required: ['kind', 'angle_rad'],
        },
      ],
    },
  },
  { name: 'agent.permission', description: 'asks', effect: 'write', input: { type: 'object' } },
];

let asked: { tool: string; args: unknown; id: string }[] = [];
let cancelled: string[] = [];
let answer: (id: string) => Promise<object>;
const tokens: string[] = [];
let door: Awaited<ReturnType<typeof offerRun>>;
let client: Client;

const server = () => door.server(true) as { url: string; headers: { name: string; value: string }[] };
const authorization = () => server().headers[0]!.value;

beforeEach(async () => {
  asked = [];
  cancelled = [];
  answer = async () => ({ ok: true, result: { outcome: 'reached' } });
  const run = {
    ...{ tools: TOOLS, calls: [], callsLeftOut: 0, resume: undefined },
    ask: (tool: string, args: unknown, id: string) => {
      asked.push({ tool, args, id });
      return answer(id);
    },
    cancel: (id: string) => cancelled.push(id),
  } as unknown as HostedRun;
  const tools = new RunTools(run, 'life', () => ({}));
  const env = { PATH: '/bin' };
  door = await offerRun(tools, {
    clock: new SystemClock(),
    version: '1',
    bridge: ['node', 'mcp'],
    env,
    secret: (token) => tokens.push(token),
    report: () => {},
  });
  client = new Client({ name: 'agent', version: '1' });
  await client.connect(
    new StreamableHTTPClientTransport(new URL(server().url), {
      requestInit: { headers: { authorization: authorization() } },
    }),
  );
});
afterEach(async () => {
  await client.close();
  await door.close();
});

describe('the tools of a run behind MCP', () => {
  it('are listed as objects that every model takes, without what the bridge asks itself', async () => {
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(['robot_maneuver', 'run_finish']);
    expect(tools[0]!.inputSchema).toMatchObject({
      ...{ type: 'object', required: ['kind'] },
      properties: { kind: { enum: ['drive', 'spin'] }, distance_m: {}, angle_rad: {} },
    });
  });

  it('are called under ids of this life of the run; what the daemon refuses is an error that says why', async () => {
    const args = { kind: 'drive', distance_m: 0.3 };
    expect(await client.callTool({ name: 'robot_maneuver', arguments: args })).toMatchObject({
      structuredContent: { outcome: 'reached' },
    });
    answer = async () => ({
      ok: false,
      error: {
        code: 'policy.denied',
        operation: 'call',
        subject: 'robot.maneuver',
        message: 'not at night',
        hint: '',
        retryable: false,
      },
    });
    const refused = await client.callTool({ name: 'robot_maneuver', arguments: { anything: true } });
    expect(refused).toMatchObject({ isError: true });
    expect(JSON.stringify(refused.content)).toContain('policy.denied: not at night');
    expect(asked).toEqual([
      { tool: 'robot.maneuver', args, id: 'life-1' },
      { tool: 'robot.maneuver', args: { anything: true }, id: 'life-2' },
    ]);
  });

  it('give images as images', async () => {
    answer = async () => ({ ok: true, result: {}, images: [{ mime: 'image/png', base64: 'iVBORw==' }] });
    const { content } = await client.callTool({ name: 'robot_maneuver', arguments: {} });
    expect(content).toContainEqual({ type: 'image', mimeType: 'image/png', data: 'iVBORw==' });
  });

  it('a call that its client cancels is cancelled at the daemon', async () => {
    answer = () => new Promise(() => {});
    const stop = new AbortController();
    const call = client.callTool({ name: 'robot_maneuver', arguments: {} }, { signal: stop.signal });
    await until(() => asked.length === 1, 'it is called');
    stop.abort();
    await expect(call).rejects.toThrow();
    await until(() => cancelled.length === 1, 'it is cancelled');
    expect(cancelled).toEqual(['life-1']);
  });

  it('open to nothing else', async () => {
    const { url } = server();
    const post = async (headers: Record<string, string>, path = '/mcp', body = '{}') =>
      (await fetch(new URL(path, url), { method: 'POST', headers, body })).status;
    const token = { authorization: authorization() };
    expect(await post({})).toBe(401);
    expect(await post({ authorization: 'Bearer other' })).toBe(401);
    expect(await post({ ...token, origin: 'http://page.example' })).toBe(403);
    expect(await post(token, '/v1/status')).toBe(404);
    expect(await post(token, '/mcp', '{{')).toBe(400);
    expect(await post(token, '/mcp', `"${'x'.repeat(LIMITS.API_BODY_BYTES_MAX)}"`)).toBe(400);
    await door.close();
    await expect(post(token)).rejects.toThrow();
  });

  it('reach an agent without HTTP by a program on its standard input and output', () => {
    expect(door.server(false)).toMatchObject({
      ...{ name: 'robot', command: 'node', args: ['mcp'] },
      env: expect.arrayContaining([
        { name: 'PATH', value: '/bin' },
        expect.objectContaining({ name: 'AURAISON_TOKEN' }),
      ]),
    });
  });
});
