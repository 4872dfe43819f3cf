import { describe, expect, it } from 'vitest';
import { ACP_LIMITS } from '../../contract/index.ts';
import { MemoryAgent, type ScriptedAgent, serveAcpAgent } from '../support/acp-script.ts';
import { RemotePeer } from '../support/remote-peer.ts';
import { countingTool, go, remoteRig } from '../support/remote-rig.ts';

/** Agents that break the protocol: the run ends with its cause, the robot stands, and the runtime serves the next run. */
const never = () => new Promise<never>(() => {});

async function run(scripted: ScriptedAgent, during: (agent: MemoryAgent) => void = () => {}) {
  const { tool, done } = countingTool('robot.hold', { effect: 'actuate', hold: true });
  const { rig, runtimes } = await remoteRig([tool]);
  const agent = new MemoryAgent(rig.clock, scripted);
  serveAcpAgent(new RemotePeer(runtimes), agent.parts({ silenceMs: 60_000 })).connect();
  await go(rig);
  await rig.until(
    () =>
      done.length > 0 ||
      agent.asked.some(({ method }) => method === 'session/prompt') ||
      rig.of('run.finished').length > 0,
    'it is at work',
  );
  during(agent);
  await rig.finished();
  return { rig, agent, done, ended: rig.of('run.finished')[0]!.payload };
}

const holds: ScriptedAgent = {
  script: async ({ tools }) => {
    await tools.call('robot_hold', { n: 1 });
    return undefined;
  },
};
const idle: ScriptedAgent = { script: never };
const says =
  (text: string): ScriptedAgent['script'] =>
  async ({ say }) => {
    await say(text);
    return undefined;
  };

describe('an agent that', () => {
  it('dies in a motion: the motion is ended, then the run fails with the cause', async () => {
    const { rig, ended } = await run(holds, (agent) => agent.links[0]!.kill('it ended: SIGKILL'));
    expect(ended).toMatchObject({ status: 'failed', reason: 'it ended: SIGKILL' });
    expect(rig.bus.asked).toContain('robot.stop');
    const kinds = rig.events.map(({ kind }) => kind);
    expect(kinds.indexOf('tool.returned')).toBeLessThan(kinds.indexOf('run.finished'));
    expect(kinds).toContain('tool.returned');
  });

  it.each<[string, string, (raw: (line: string) => void) => void]>([
    [
      'prints garbage',
      'its output is not JSON-RPC',
      (raw) => repeat(raw, '\u0000{]', ACP_LIMITS.GARBAGE_MAX + 1),
    ],
    [
      'answers what was not asked',
      'it answers what was not asked',
      (raw) => repeat(raw, '{"jsonrpc":"2.0","id":999,"result":{}}', ACP_LIMITS.GARBAGE_MAX + 1),
    ],
    [
      'floods',
      'too much within a second',
      (raw) => repeat(raw, '{"jsonrpc":"2.0","method":"session/update"}', ACP_LIMITS.FLOOD_MESSAGES + 1),
    ],
    [
      'asks without an end',
      'it asks too much at once',
      (raw) => {
        for (let id = 0; id < ACP_LIMITS.GARBAGE_MAX + ACP_LIMITS.QUESTIONS_MAX + 1; id++)
          raw(
            JSON.stringify({
              jsonrpc: '2.0',
              id: `raw${id}`,
              method: 'session/request_permission',
              params: PERMIT,
            }),
          );
      },
    ],
  ])('%s', async (_, reason, hostile) => {
    const { ended } = await run(idle, (agent) => hostile((line) => agent.links[0]!.raw(line)));
    expect(ended).toMatchObject({ status: 'failed', reason: expect.stringContaining(reason) });
  });

  it('prints a banner and some nonsense is served', async () => {
    const { ended } = await run({ script: says('fine') }, (agent) => {
      repeat((line) => agent.links[0]!.raw(line), 'Welcome to the agent!', 5);
    });
    expect(ended).toMatchObject({ status: 'succeeded', reason: 'fine' });
  });

  it('reports nonsense is served, and nothing of it reaches the log', async () => {
    const { rig, ended } = await run({
      script: async ({ update, say }) => {
        for (const body of [
          {},
          { sessionUpdate: 'agent_message_chunk' },
          { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text: 7 } },
          { sessionUpdate: 'plan', entries: 'none' },
          { sessionUpdate: 'plan', entries: [null, { content: {} }] },
          { sessionUpdate: 'tool_call', toolCallId: {}, title: [], status: 'completed' },
          { sessionUpdate: 'of_next_year', more: true },
        ])
          await update(body);
        await say('fine');
        return undefined;
      },
    });
    expect(ended).toMatchObject({ status: 'succeeded', reason: 'fine' });
    expect(rig.of('session.entry').map(({ payload }) => payload.entry['type'])).toEqual(['message']);
  });

  it('is silent', async () => {
    const { ended } = await run(idle);
    expect(ended).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('it did nothing for 60 s'),
    });
  });

  it('opens no session', async () => {
    const { ended } = await run({ ...idle, change: (app) => app.onRequest('session/new', never) });
    expect(ended).toMatchObject({ status: 'failed', reason: expect.stringContaining('no answer within') });
  });

  it('speaks another version', async () => {
    const { ended } = await run({
      ...idle,
      change: (app) => app.onRequest('initialize', () => ({ protocolVersion: 9 })),
    });
    expect(ended).toMatchObject({ status: 'failed', reason: expect.stringContaining('expected 1') });
  });

  it('has no account says how to log in', async () => {
    const { RequestError } = await import('@agentclientprotocol/sdk');
    const { ended } = await run({
      ...idle,
      change: (app) =>
        app
          .onRequest('initialize', () => ({
            protocolVersion: 1,
            authMethods: [{ id: 'key', name: 'key', description: 'set SCRIPTED_KEY' }],
          }))
          .onRequest('session/new', () => Promise.reject(RequestError.authRequired())),
    });
    expect(ended.reason).toContain('it is not logged in; it knows key (set SCRIPTED_KEY)');
  });

  it('wants files and terminals of the host gets none', async () => {
    const answers: unknown[] = [];
    const { ended } = await run({
      ...idle,
      change: (app) =>
        app.onRequest('session/prompt', async ({ params: { sessionId }, client }) => {
          const asked = [
            client.request('fs/read_text_file', { sessionId, path: '/etc/passwd' }),
            client.request('fs/write_text_file', { sessionId, path: '/tmp/x', content: 'x' }),
            client.request('terminal/create', { sessionId, command: 'id' }),
          ];
          for (const one of asked) answers.push(await one.catch((error: { code: number }) => error.code));
          return { stopReason: 'end_turn' };
        }),
    });
    expect(answers).toEqual([-32601, -32601, -32601]);
    expect(ended.status).toBe('succeeded');
  });

  it('says more than anybody can keep: the log stays bounded', async () => {
    const { rig, ended } = await run({
      script: async ({ update, say }) => {
        for (let n = 0; n < 1_500; n++)
          await update({
            ...{
              sessionUpdate: 'tool_call',
              toolCallId: `t${n}`,
              title: 'x'.repeat(9_000),
              status: 'completed',
            },
            rawInput: { text: 'y'.repeat(9_000) },
          });
        await say('z'.repeat(200_000));
        return undefined;
      },
    });
    expect(ended.status).toBe('succeeded');
    const entries = rig.of('session.entry');
    expect(entries.length).toBeGreaterThan(10);
    for (const { payload } of entries) expect(JSON.stringify(payload).length).toBeLessThan(20_000);
  });
});

const PERMIT = {
  ...{ sessionId: 'one', toolCall: { toolCallId: 'x', title: 'robot_robot_hold' } },
  options: [{ optionId: 'yes', name: 'yes', kind: 'allow_once' }],
};

function repeat(raw: (line: string) => void, line: string, times: number): void {
  for (let n = 0; n < times; n++) raw(line);
}
