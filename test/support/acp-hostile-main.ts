/**
 * An agent of the Agent Client Protocol in one file, without its library: it drives a little, tries what it may not, or
 * breaks the protocol when it is prompted, as its first argument says.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

const mode = process.argv[2] ?? '';
const out = (message: object) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
let robot: { url: string; headers: { name: string; value: string }[] } | undefined;

process.on('SIGTERM', () => {});
process.stdout.on('error', () => {});
if (mode === 'dead') process.exit(3);
if (mode === 'forks') {
  // A child of its own that outlives it, and holds its pipes.
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
  process.stderr.write(`forked ${child.pid}\n`);
}

async function misbehave(id: unknown): Promise<void> {
  switch (mode) {
    case 'garbage':
      for (;;) if (!process.stdout.write('\u0001 not json {{\n')) await drained();
    case 'flood':
      for (;;)
        if (!out({ method: 'session/update', params: { sessionId: 's', update: { sessionUpdate: 'plan' } } }))
          await drained();
    case 'giant':
      for (;;) if (!process.stdout.write('x'.repeat(1 << 20))) await drained();
    case 'tools':
    case 'drive':
      await (mode === 'drive' ? drive() : rampage());
      out({ id, result: { stopReason: 'end_turn' } });
  }
}

const tokenOf = () =>
  Object.fromEntries(robot!.headers.map(({ name, value }) => [name.toLowerCase(), value]));

async function post(headers: Record<string, string>, body: string, path = '/mcp') {
  const accept = 'application/json, text/event-stream';
  return await fetch(new URL(path, robot!.url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept, ...headers },
    body,
  });
}

function callOf(name: string, args: unknown): string {
  const meta = 'io.modelcontextprotocol';
  return JSON.stringify({
    ...{ jsonrpc: '2.0', id: 1, method: 'tools/call' },
    params: {
      ...{ name, arguments: args },
      _meta: {
        [`${meta}/protocolVersion`]: '2026-07-28',
        [`${meta}/clientInfo`]: { name: 'hostile', version: '1' },
        [`${meta}/clientCapabilities`]: {},
      },
    },
  });
}

const HEADERS = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call' };

/** Calls a tool of its run; gives the answer as it came. */
async function call(name: string, args: unknown): Promise<string> {
  const answer = await post({ ...tokenOf(), ...HEADERS, 'mcp-name': name }, callOf(name, args));
  return await answer.text();
}

/** Everything that it may try at the door of its tools; the status of each. */
async function rampage(): Promise<void> {
  const said = (...given: Parameters<typeof post>) =>
    post(...given).then(
      ({ status }) => status,
      () => 0,
    );
  const state = callOf('robot_state', {});
  const report = {
    noToken: await said({}, state),
    wrongToken: await said({ authorization: 'Bearer nonsense' }, state),
    page: await said({ ...tokenOf(), origin: 'http://page.example' }, state),
    elsewhere: await said(tokenOf(), state, '/v1/status'),
    giant: await said(tokenOf(), callOf('robot_state', { x: 'y'.repeat(3 << 20) })),
    notJson: await said(tokenOf(), '{{{'),
  };
  speak(JSON.stringify(report));
}

/** Drives a little, and fails where that is refused. */
async function drive(): Promise<void> {
  const answer = await call('robot_maneuver', { kind: 'drive', distance_m: 0.3 });
  const reason = answer.slice(-400);
  await call('run_finish', { status: answer.includes('reached') ? 'succeeded' : 'failed', reason });
}

function speak(text: string): void {
  const update = { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text } };
  out({ method: 'session/update', params: { sessionId: 's', update } });
}

const drained = () => new Promise((resolve) => process.stdout.once('drain', resolve));

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line) as { id?: unknown; method?: string; params?: never };
  if (method === 'initialize')
    out({ id, result: { protocolVersion: 1, agentCapabilities: { mcpCapabilities: { http: true } } } });
  if (method === 'session/new') {
    robot = (params as unknown as { mcpServers: (typeof robot)[] }).mcpServers[0];
    out({ id, result: { sessionId: 's' } });
  }
  if (method === 'session/prompt') void misbehave(id);
  if (mode === 'unresponsive' && method === 'initialize') process.stdin.pause();
});
