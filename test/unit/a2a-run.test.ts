import type { AgentCard } from '@a2a-js/sdk';
import { afterEach, describe, expect, it } from 'vitest';
import { AgentTask } from '../../adapters/a2a/client/agent-task.ts';
import { type A2aParts, openAgent } from '../../adapters/a2a/index.ts';
import { A2A_LIMITS } from '../../contract/index.ts';
import { type AgentScript, MemoryA2aAgent, serveA2aAgent } from '../support/a2a-agent.ts';
import { RemotePeer } from '../support/remote-peer.ts';
import { countingTool, go, type RemoteRig, remoteRig } from '../support/remote-rig.ts';

let made: RemoteRig | undefined;
afterEach(() => made?.rig.cell.stop());

/** A run of an application whose harness is this agent, to its end. */
async function ran(
  script: AgentScript,
  more: {
    card?: Partial<AgentCard>;
    parts?: Partial<A2aParts>;
    set?: (agent: MemoryA2aAgent) => void;
    meanwhile?: (rig: RemoteRig['rig'], run: string, agent: MemoryA2aAgent) => Promise<void>;
  } = {},
) {
  const counted = countingTool('count.up');
  const held = countingTool('robot.hold', { effect: 'actuate', hold: true });
  made = await remoteRig([counted.tool, held.tool]);
  const { rig, runtimes } = made;
  const agent = new MemoryA2aAgent(script, more.card);
  more.set?.(agent);
  const peer = new RemotePeer(runtimes);
  serveA2aAgent(peer, agent.parts(rig.clock, more.parts)).connect();
  const { run } = await go(rig, { to: 'the door' });
  await more.meanwhile?.(rig, run.run_id, agent);
  await rig.finished();
  const { payload } = rig.of('run.finished')[0]!;
  return { agent, rig, counted, held, ended: payload, run: run.run_id };
}

describe('a run of a remote A2A agent', () => {
  it('has its answer as result: the words as reason, artifacts as summary', async () => {
    const { ended, agent } = await ran(() => ({
      ...{ end: 'completed', text: 'the door is open' },
      artifact: { door: 'open' },
    }));
    expect(ended).toMatchObject({
      ...{ status: 'succeeded', reason: 'the door is open' },
      summary: { artifacts: [{ name: 'answer', parts: [{ data: { door: 'open' } }] }] },
    });
    expect(agent.heard[0]!.text).toContain('go {"to":"the door"}');
    expect(JSON.stringify(agent.heard[0]!.data)).toContain('count.up');
  });

  it('may be a message without a task, and may fail', async () => {
    expect((await ran(() => ({ say: '42' }))).ended).toMatchObject({ status: 'succeeded', reason: '42' });
    await made!.rig.cell.stop();
    expect((await ran(() => ({ end: 'failed', text: 'no' }))).ended).toMatchObject({
      ...{ status: 'failed', reason: 'no' },
    });
  });

  it('gives no tools to an agent whose card does not name the extension', async () => {
    const { agent, ended } = await ran(() => ({ end: 'completed', text: 'done' }), {
      card: { capabilities: { streaming: true, pushNotifications: false, extensions: [] } },
    });
    expect([ended.reason, agent.heard[0]?.data]).toEqual(['done', {}]);
  });

  it('ends with the question of an agent that nobody answers', async () => {
    const { ended, agent } = await ran(() => ({ ask: 'Which door?' }));
    expect(ended).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('it asks: Which door?'),
    });
    expect(agent.cancelled).toHaveLength(1);
  });

  it('hears what people say in the next turn', async () => {
    const { ended, agent } = await ran(
      ({ data, text }) => {
        if ('robot_tools' in data) return { calls: [{ id: 'c1', name: 'robot.hold', args: {} }] };
        return { end: 'completed', text };
      },
      {
        meanwhile: async (rig, run) => {
          await rig.until(() => rig.of('tool.called').length > 0, 'it holds');
          const who = { tenant: 'lab', principal: 'ada', roles: ['operator'], origin: 'cli' } as const;
          void rig.cell.control.message(run, { kind: 'follow_up', text: 'to the left' }, who).catch(() => {});
        },
      },
    );
    expect(agent.heard).toHaveLength(2);
    expect(ended.reason).toContain('A person says: to the left');
  });

  it('makes each call once, however often the agent asks under one id', async () => {
    const { counted, ended } = await ran(({ data }) => {
      const { tool_results: results } = data as { tool_results?: { result: { count: number } }[] };
      if (results?.[0]?.result.count === 1 && twice++ > 0) return { end: 'completed', text: 'done' };
      return { calls: [{ id: 'same', name: 'count.up', args: { n: 1 } }] };
    });
    expect([counted.done, ended.status]).toEqual([['{"n":1}'], 'succeeded']);
  });
  let twice = 0;

  it('ends where the agent does not keep to the extension', async () => {
    const calls = [{ id: 'not an id', name: 'count.up', args: {} }];
    const { ended, counted } = await ran(() => ({ calls }));
    expect(ended).toMatchObject({ status: 'failed', reason: expect.stringContaining('tool_calls[0].id') });
    expect(counted.done).toEqual([]);
  });

  it('ends where nothing comes for too long, and the task is cancelled', async () => {
    const { ended, agent } = await ran(() => ({ hang: true }), { parts: { timeoutMs: 20_000 } });
    expect(ended).toMatchObject({
      ...{ status: 'failed', reason: expect.stringContaining('nothing came from it for 20 s') },
    });
    expect(agent.cancelled).toHaveLength(1);
  });

  it('ends where the card does not come to its end', async () => {
    const open = () => new Promise<never>(() => {});
    const { ended } = await ran(() => ({ hang: true }), { parts: { timeoutMs: 20_000, open } });
    expect(ended).toMatchObject({ reason: expect.stringContaining('nothing came from it for 20 s') });
  });

  it('keeps no more of an artifact than can be shown', () => {
    const task = new AgentTask();
    const update = (value: string) =>
      task.take({
        payload: {
          $case: 'artifactUpdate',
          value: {
            ...{ taskId: 't', contextId: 'c', append: true, lastChunk: false, metadata: undefined },
            artifact: {
              ...{ artifactId: 'a', name: '', description: '', metadata: undefined, extensions: [] },
              parts: [
                { content: { $case: 'text', value }, metadata: undefined, filename: '', mediaType: '' },
              ],
            },
          },
        },
      });
    update('first words');
    for (let i = 0; i < 100; i++) update('x'.repeat(A2A_LIMITS.SUMMARY_BYTES));
    const status = { state: 3, message: undefined, timestamp: undefined };
    task.whole({ id: 't', contextId: 'c', status, artifacts: [], history: [], metadata: undefined });
    expect(task.outcome).toMatchObject({ summary: { artifacts_left_out: 1 } });
    expect(task.outcome?.reason).toMatch(/^first words/);
  });

  it('goes on with the task where its stream breaks', async () => {
    let release = () => {};
    const { ended } = await ran(
      () =>
        new Promise((resolve) => {
          release = () => resolve({ end: 'completed', text: 'after all' });
        }),
      {
        set: (agent) => {
          const plain = agent.fetch;
          (agent as { fetch: typeof fetch }).fetch = async (input, init) => {
            const response = await plain(input, init);
            if (!String(response.headers.get('content-type')).includes('event-stream')) return response;
            const reader = response.body!.getReader();
            const first = await reader.read();
            release();
            // The first event comes, then the connection breaks.
            const body = new ReadableStream({
              start: (controller) => controller.enqueue(first.value),
              pull: (controller) => controller.error(new Error('reset')),
            });
            void (async () => {
              while (!(await reader.read()).done);
            })();
            return new Response(body, { headers: response.headers });
          };
        },
      },
    );
    expect(ended).toMatchObject({ status: 'succeeded', reason: 'after all' });
  });

  it('is stopped by a person in a motion: the robot first, then the task', async () => {
    const { ended, agent, rig } = await ran(() => ({ calls: [{ id: 'c1', name: 'robot.hold', args: {} }] }), {
      meanwhile: async (one, run) => {
        await one.until(() => one.of('tool.called').length > 0, 'it holds');
        void one.cell.cancel(run, 'enough').catch(() => {});
      },
    });
    expect(ended).toMatchObject({ status: 'cancelled', reason: 'enough' });
    expect(rig.bus.asked).toContain('robot.stop');
    await rig.until(() => agent.cancelled.length === 1, 'the task is cancelled');
  });
});

describe('the connection to a remote agent', () => {
  const address = (agent: MemoryA2aAgent) => ({
    ...{ clock: made!.rig.clock, name: 'scripted', url: 'http://agent.example', fetch: agent.fetch },
    token: () => 'secret-of-agent',
  });
  const never = new AbortController().signal;

  it('shows its credential, and leads to no other origin', async () => {
    made = await remoteRig([]);
    const good = new MemoryA2aAgent(() => ({ say: 'hello' }));
    const agent = await openAgent(address(good), never);
    await agent.task('x', never).catch(() => {});
    expect(good.requests.map(({ headers }) => headers.get('authorization'))).toEqual(
      good.requests.map(() => 'Bearer secret-of-agent'),
    );
    const other = new MemoryA2aAgent(() => ({ say: 'hello' }), {
      supportedInterfaces: [
        { url: 'http://evil.example/a2a', protocolBinding: 'JSONRPC', tenant: '', protocolVersion: '1.0' },
      ],
    });
    const led = await openAgent(address(other), never);
    await expect(led.task('x', never)).rejects.toThrow('only http://agent.example is configured');
    expect(other.requests.map(({ url }) => new URL(url).host)).toEqual(['agent.example']);
  });

  it('ends an answer without end, and says where there is no agent', async () => {
    made = await remoteRig([]);
    const agent = new MemoryA2aAgent(() => ({ say: 'hello' }));
    agent.instead = (_, method) =>
      method === 'GetTask' ? new Response('x'.repeat(A2A_LIMITS.ANSWER_BYTES_MAX + 1)) : undefined;
    const open = await openAgent(address(agent), never);
    await expect(open.task('x', never)).rejects.toThrow('has more than');
    agent.instead = () => new Response('nothing', { status: 404 });
    await expect(openAgent(address(agent), never)).rejects.toMatchObject({
      ...{ code: 'link.unreachable', message: expect.stringContaining('agent card cannot be read') },
    });
  });
});
