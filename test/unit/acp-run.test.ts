import { describe, expect, it } from 'vitest';
import type { PolicyHook, Tool } from '../../contract/index.ts';
import { permissionTool } from '../../daemon/runtime/tools/permission-tool.ts';
import { MemoryAgent, type ScriptedAgent, serveAcpAgent } from '../support/acp-script.ts';
import { RemotePeer } from '../support/remote-peer.ts';
import { countingTool, go, remoteRig } from '../support/remote-rig.ts';

/** Runs of stock agents behind the bridge, with an agent of the protocol's own library. */
async function started(
  tools: readonly Tool[],
  scripted: ScriptedAgent,
  {
    hooks = [],
    patterns = ['*'],
    silenceMs = 600_000,
  }: { hooks?: readonly PolicyHook[]; patterns?: readonly string[]; silenceMs?: number } = {},
) {
  const { rig, runtimes } = await remoteRig(tools, {
    hooks,
    remote: { tools: patterns, instructions: 'Be slow.' },
  });
  const agent = new MemoryAgent(rig.clock, scripted);
  const peer = serveAcpAgent(new RemotePeer(runtimes), agent.parts({ silenceMs }));
  peer.connect();
  const ended = () => rig.of('run.finished')[0]?.payload;
  return { rig, agent, peer, runtimes, ended };
}

const DONE = { status: 'succeeded', reason: 'there' };

describe('a run with an agent of the Agent Client Protocol', () => {
  it('gets the task in words, calls tools of the robot, and ends as it says', async () => {
    const { tool, done } = countingTool('count.up');
    const { rig, agent, ended } = await started([tool], {
      script: async ({ tools, say, update }) => {
        await say('I count. ');
        await update({
          sessionUpdate: 'plan',
          entries: [{ content: 'count', priority: 'high', status: 'pending' }],
        });
        expect(tools.list().map(({ name }) => name)).toEqual(
          expect.arrayContaining(['count_up', 'run_finish']),
        );
        expect(await tools.call('count_up', { n: 1 })).toMatchObject({ ok: true, result: { count: 1 } });
        expect(await tools.call('count_up', { n: 'one' })).toMatchObject({
          error: { code: 'schema.invalid' },
        });
        expect(await tools.call('nothing', {})).toMatchObject({ error: { code: 'tool.not_found' } });
        expect(await tools.call('run_finish', { status: 'maybe' })).toMatchObject({
          error: { code: 'schema.invalid' },
        });
        await tools.call('run_finish', DONE);
        expect(await tools.call('count_up', { n: 2 })).toMatchObject({ error: { code: 'run.cancelled' } });
        return undefined;
      },
    });
    await go(rig, { metres: 2 });
    await rig.finished();
    expect(ended()).toMatchObject(DONE);
    expect(done).toEqual(['{"n":1}']);
    const [initialize, opened, prompt] = agent.asked;
    expect(initialize?.params).toMatchObject({
      clientCapabilities: { fs: { readTextFile: false, writeTextFile: false }, terminal: false },
    });
    expect(opened).toMatchObject({ method: 'session/new', params: { mcpServers: [{ name: 'robot' }] } });
    const text = (prompt!.params as { prompt: { text: string }[] }).prompt[0]!.text;
    for (const words of ['Be slow.', 'go {"metres":2}', 'run_finish']) expect(text).toContain(words);
    const entries = rig.of('session.entry').map(({ payload }) => payload.entry);
    expect(entries).toMatchObject([{ type: 'plan' }, { type: 'message', text: 'I count.' }]);
  });

  it('without run_finish succeeds with the last words of the agent, and fails where its model stopped', async () => {
    const first = await started([], {
      script: async ({ say }) => {
        await say('All is well.');
        return undefined;
      },
    });
    await go(first.rig);
    await first.rig.finished();
    expect(first.ended()).toMatchObject({ status: 'succeeded', reason: 'All is well.' });
    const second = await started([], { script: async () => 'max_tokens' });
    await go(second.rig);
    await second.rig.finished();
    expect(second.ended()).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('limit of tokens'),
    });
  });

  it('logs in and takes its mode where these are configured', async () => {
    const { rig, runtimes } = await remoteRig([]);
    const agent = new MemoryAgent(rig.clock, {
      script: async () => undefined,
      change: (app) => app.onRequest('authenticate', () => ({})).onRequest('session/set_mode', () => ({})),
    });
    serveAcpAgent(new RemotePeer(runtimes), agent.parts({ login: 'api-key', mode: 'ask' })).connect();
    await go(rig);
    await rig.finished();
    expect(agent.asked.map(({ method }) => method)).toEqual([
      ...['initialize', 'authenticate', 'session/new', 'session/set_mode', 'session/prompt'],
    ]);
    expect(agent.asked[1]?.params).toEqual({ methodId: 'api-key' });
    expect(agent.asked[3]?.params).toEqual({ sessionId: 'one', modeId: 'ask' });
  });

  it('an agent that goes on after run_finish is ended', async () => {
    const { rig, ended } = await started([], {
      script: async ({ tools }) => {
        await tools.call('run_finish', DONE);
        return await new Promise<never>(() => {});
      },
    });
    await go(rig);
    await rig.finished();
    expect(ended()).toMatchObject(DONE);
  });

  it('what people say comes as the next prompt; to steer ends the turn between two calls', async () => {
    const { tool, done } = countingTool('count.up');
    const heard: string[] = [];
    const { rig, ended } = await started([tool], {
      script: async ({ text, turn, tools, cancelled }) => {
        heard.push(text);
        if (turn > 1) return undefined;
        await tools.call('count_up', { n: 1 });
        await new Promise((resolve) => cancelled.addEventListener('abort', resolve));
        return undefined;
      },
    });
    const { run } = await go(rig);
    await rig.until(() => done.length === 1, 'it counts');
    await rig.cell.control.message(
      run.run_id,
      { kind: 'steer', text: 'to the left' },
      { tenant: 'lab', principal: 'ada', roles: ['operator'], origin: 'cli' },
    );
    await rig.finished();
    expect(heard.slice(1)).toEqual(['A person says: to the left']);
    expect(ended()).toMatchObject({ status: 'succeeded' });
  });

  it('a person who stops the run stops the robot, and the agent hears of it', async () => {
    const { tool, done } = countingTool('robot.hold', { effect: 'actuate', hold: true });
    const { rig, agent, ended } = await started([tool], {
      script: async ({ tools }) => {
        await tools.call('robot_hold', { n: 1 });
        return undefined;
      },
    });
    const { run } = await go(rig);
    await rig.until(() => done.length === 1, 'it holds');
    void rig.cell.cancel(run.run_id, 'enough').catch(() => {});
    await rig.finished();
    expect(rig.bus.asked).toContain('robot.stop');
    expect(ended()).toMatchObject({ status: 'cancelled', reason: 'enough' });
    await rig.until(() => agent.links[0]!.closed, 'the agent is ended');
    expect(agent.asked.map(({ method }) => method)).toContain('session/cancel');
  });

  it('goes on in its session after the bridge was killed, and in a new one where that is gone', async () => {
    const { tool, done } = countingTool('count.up');
    const scripted = (knows: boolean): ScriptedAgent => ({
      loadSession: true,
      change: (app) => {
        if (!knows) app.onRequest('session/load', () => Promise.reject(new Error('no such session')));
      },
      script: async ({ text, tools }) => {
        if (text.includes('was interrupted')) return undefined;
        await tools.call('count_up', { n: 1 });
        return await new Promise<never>(() => {});
      },
    });
    for (const knows of [true, false]) {
      done.length = 0;
      const { rig, peer, runtimes, ended } = await started([tool], scripted(true));
      await go(rig);
      await rig.until(() => rig.of('tool.returned').length === 1, 'it counted');
      peer.cut();
      const again = new MemoryAgent(rig.clock, scripted(knows));
      serveAcpAgent(new RemotePeer(runtimes), again.parts()).connect();
      await rig.finished();
      const methods = again.asked.map(({ method }) => method);
      const opened = knows ? ['session/load'] : ['session/load', 'session/new'];
      expect(methods.slice(0, -1)).toEqual(['initialize', ...opened]);
      const prompt = JSON.stringify(again.asked.at(-1)?.params);
      expect(prompt).toContain('count.up');
      // It has its instructions in its session.
      expect(prompt.includes('Be slow.')).toBe(!knows);
      expect(done).toHaveLength(1);
      expect(ended()?.status).toBe('succeeded');
    }
  });

  it('has as many calls as it likes: another phase is entered before the contract ends them', async () => {
    const { tool, done } = countingTool('count.up');
    const { rig, ended } = await started([tool], {
      script: async ({ tools }) => {
        for (let n = 0; n < 300; n++) expect(await tools.call('count_up', { n })).toMatchObject({ ok: true });
        return undefined;
      },
    });
    await go(rig);
    await rig.finished();
    expect([done.length, ended()?.status]).toEqual([300, 'succeeded']);
  });
});

describe('what an agent wants to do outside of the robot', () => {
  const asks = (answers: string[]): ScriptedAgent => ({
    script: async ({ permit }) => {
      answers.push(await permit('rm -rf /'), await permit('robot_count_up', 'other'));
      return undefined;
    },
  });
  const { tool } = countingTool('count.up');

  it('is refused where the application does not name agent.permission; tools of the robot are judged by their call', async () => {
    const answers: string[] = [];
    const { rig } = await started([tool, permissionTool()], asks(answers));
    await go(rig);
    await rig.finished();
    expect(answers).toEqual(['no', 'yes']);
    expect(rig.of('tool.called')).toEqual([]);
  });

  it('is a call of the robot by its title, where its input is one that the tool may have', async () => {
    const answers: string[] = [];
    const { rig } = await started([tool, permissionTool()], {
      script: async ({ permit }) => {
        const names = ['robot_count_up', 'mcp__robot__count_up', 'count_up (robot MCP Server)'];
        for (const name of names) answers.push(await permit(name, 'other', { n: 1 }));
        answers.push(await permit('mcp.robot.count_up', 'other', { n: 1, path: '/etc/passwd' }));
        return undefined;
      },
    });
    await go(rig);
    await rig.finished();
    expect(answers).toEqual(['yes', 'yes', 'yes', 'no']);
  });

  it.each([
    ['robot', 'yes'],
    ['other', 'no'],
  ])(
    'is known by an earlier report where it is asked for by its id alone: server %s',
    async (server, answer) => {
      const answers: string[] = [];
      const { rig } = await started([tool, permissionTool()], {
        script: async ({ update, permit }) => {
          await update({
            ...{ sessionUpdate: 'tool_call', toolCallId: 'p1', title: 'mcp.robot.count_up', kind: 'execute' },
            rawInput: { server, tool: 'count_up', arguments: {} },
          });
          answers.push(await permit(undefined));
          return undefined;
        },
      });
      await go(rig);
      await rig.finished();
      expect(answers).toEqual([answer]);
    },
  );

  it.each([
    ['allow', 'yes'],
    ['deny', 'no'],
  ] as const)('is judged by the policies and in the log: %s', async (decision, answer) => {
    const answers: string[] = [];
    const hook: PolicyHook = {
      name: 'site',
      decide: async ({ subject }) =>
        subject === 'agent.permission'
          ? { decision, reason: 'of the site' }
          : { decision: 'allow', reason: '' },
    };
    const { rig } = await started([tool, permissionTool()], asks(answers), {
      hooks: [hook],
      patterns: ['*', 'agent.permission'],
    });
    await go(rig);
    await rig.finished();
    expect(answers).toEqual([answer, 'yes']);
    expect(rig.of('tool.called').map(({ payload }) => payload)).toMatchObject([
      {
        tool: 'agent.permission',
        args: { action: 'rm -rf /', kind: 'execute', input: '{"command":"rm -rf /"}' },
      },
    ]);
  });

  it('is never granted by a title that is a command, or is too long to be shown', async () => {
    const answers: string[] = [];
    const { rig } = await started(
      [tool, permissionTool()],
      {
        script: async ({ permit, update }) => {
          answers.push(await permit('robot_count_up', 'execute'), await permit('x'.repeat(3_000), 'other'));
          const title = 'robot_count_up';
          for (const [kind, input] of [
            ['execute', { command: 'rm -rf ~', server: 'robot', tool: 'count_up' }],
            ['execute', { server: 'robot', tool: 'count_down', arguments: {} }],
            ['execute', {}],
            ...['edit', 'fetch', 'read', 'delete', 'move', 'think'].map((one) => [one, {}] as const),
            ['other', { command: ['rm', '-rf'] }],
            ['other', { edits: [{ filePath: '.bashrc', text: 'x' }] }],
            ['other', { from: 'HTTPS://somewhere' }],
          ] as const)
            answers.push(await permit(title, kind, input));
          // What a call is was said before; the request leaves it out.
          await update({
            ...{ sessionUpdate: 'tool_call', toolCallId: 'p1', title: 'rm', kind: 'execute' },
            rawInput: { command: 'rm' },
          });
          answers.push(await permit(title, 'other', {}));
          return undefined;
        },
      },
      {
        patterns: ['agent.permission'],
        hooks: [
          {
            name: 'no',
            decide: async ({ subject }) => ({
              decision: subject === 'agent.permission' ? 'deny' : 'allow',
              reason: '',
            }),
          },
        ],
      },
    );
    await go(rig);
    await rig.finished();
    expect(answers).toEqual(Array(15).fill('no'));
    expect(rig.of('tool.called').map(({ payload }) => payload.tool)).toEqual(
      Array(14).fill('agent.permission'),
    );
  });
});
