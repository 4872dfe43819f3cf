import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { PiHarness } from '../../adapters/pi/index.ts';
import { loadPi } from '../../adapters/pi/pi-library.ts';
import { type Application, type PolicyHook, parseTraceparent } from '../../contract/index.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { type Line, ScriptedModel, turnOf } from '../fakes/scripted-model.ts';
import { agentApp } from '../support/agent-apps.ts';
import { freshDir } from '../support/daemon.ts';
import { hostile, McpRig } from '../support/mcp-rig.ts';
import { PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { until } from '../support/until.ts';

let dir: ReturnType<typeof freshDir>;
let mcp: McpRig | undefined;
beforeAll(async () => {
  await loadPi();
}, 60_000);
beforeEach(() => {
  dir = freshDir('mcp-agent');
});
afterEach(async () => {
  await mcp?.stop();
  dir.remove();
});

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const call = (name: string, args: unknown): Line => ({ calls: [{ name, args }] });

it('a Pi agent calls the tools of a foreign MCP server by the one door: checked, judged, logged, traced', async () => {
  const file = join(dir.path, 'calls');
  mcp = new McpRig(dir.path, [hostile('traces', { apps: ['agent'] }, file)]);
  await mcp.servers.refresh('traces');
  const script = [
    call('mcp_traces_echo', { text: 15 }),
    call('mcp_traces_go', {}),
    call('mcp_traces_echo', { text: 'hello' }),
    call('run_finish', { status: 'succeeded', reason: 'done' }),
  ];
  const model = new ScriptedModel((request) => script[turnOf(request)]!);
  const blobs = new MemoryBlobStore();
  const hook: PolicyHook = {
    name: 'lab',
    decide: async ({ subject }) => ({
      decision: subject === 'mcp.traces.go' ? 'deny' : 'allow',
      reason: 'as the lab wants',
    }),
  };
  const rig = new RuntimeRig({
    apps: [agentApp([])],
    robot: new FakeRobot({ cells: 2 }),
    hooks: [hook],
    options: {
      models: () => model,
      blobs,
      harnesses: { pi: (app: Application) => new PiHarness(app, { blobs }) },
      tools: (app) => mcp!.servers.tools(app.name),
    },
  });
  await rig.cell.start();
  await rig.cell.submit({ type: 'agent/go', traceparent: `00-${TRACE}-b7ad6b7169203331-01` }, PERSON);
  await until(() => rig.of('run.finished').length > 0, 'the end', 60_000);

  expect(rig.of('run.finished')[0]!.payload).toMatchObject({ status: 'succeeded', reason: 'done' });
  const answers = rig.of('tool.returned').map(({ payload }) => [payload.tool, payload.error?.code ?? 'ok']);
  expect(answers).toEqual([
    ['mcp.traces.echo', 'schema.invalid'],
    ['mcp.traces.go', 'policy.denied'],
    ['mcp.traces.echo', 'ok'],
    ['run.finish', 'ok'],
  ]);
  // Of all that only what was right and allowed reached the server, under the span of its call.
  expect(existsSync(file)).toBe(true);
  const reached = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const logged = rig.of('tool.called')[2]!.payload;
  expect(reached).toMatchObject([
    { name: 'echo', arguments: { text: 'hello' }, _meta: { traceparent: logged.traceparent } },
  ]);
  expect(reached).toHaveLength(1);
  const sent = parseTraceparent(reached[0]._meta.traceparent);
  expect(sent?.traceId).toBe(TRACE);
  expect(sent?.spanId).not.toBe('b7ad6b7169203331');
  expect(model.requests.at(-1)?.messages.at(-1)).toMatchObject({ role: 'tool', text: '{"text":"hello"}' });
  // The model was shown its schema and whose word its description is.
  const shown = model.requests[0]!.tools!.find(({ name }) => name === 'mcp_traces_echo')!;
  expect(shown.parameters).toMatchObject({
    properties: { text: { type: 'string' } },
    additionalProperties: false,
  });
  expect(shown.description).toMatch(/^\[described by the MCP server "traces"/);
});
