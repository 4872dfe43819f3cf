import { type JSONRPCMessage, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { Bridge } from '../../adapters/mcp/server/stdio-bridge.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { RUN_ID, TOKEN } from '../support/http-rig.ts';
import { type McpServerRig, startMcpRig } from '../support/mcp-daemon-ports.ts';
import { until } from '../support/until.ts';

type Answer = {
  id: number;
  result?: { tools?: unknown[]; serverInfo?: unknown };
  error?: { code: number; message: string };
};

describe('the stdio bridge', () => {
  let rig: McpServerRig;
  let bridge: Bridge;
  const answers: Answer[] = [];
  const say = (id: number, method: string, params: object = {}) =>
    bridge.fromClient({ jsonrpc: '2.0', id, method, params } as JSONRPCMessage);
  const answered = async (id: number): Promise<Answer> => {
    await until(() => answers.some((one) => one.id === id), `answer ${id}`);
    return answers.find((one) => one.id === id)!;
  };

  async function open(): Promise<void> {
    answers.length = 0;
    rig = await startMcpRig();
    bridge = new Bridge(
      new SystemClock(),
      async (message) => void answers.push(message as unknown as Answer),
      () =>
        new StreamableHTTPClientTransport(new URL('/mcp', rig.url), {
          authProvider: { token: async () => TOKEN },
        }),
    );
    await say(1, 'initialize', {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 't', version: '1' },
    });
    expect((await answered(1)).result?.serverInfo).toBeDefined();
    await bridge.fromClient({ jsonrpc: '2.0', method: 'notifications/initialized' });
  }

  afterEach(async () => {
    await bridge.close();
    await rig.close();
  });

  it('carries both ways, and sends clients of 2026 back to what it speaks', async () => {
    await open();
    await say(2, 'tools/list');
    expect((await answered(2)).result?.tools?.length).toBeGreaterThan(5);
    await say(3, 'server/discover');
    expect((await answered(3)).error?.code).toBe(-32601);
  });

  it('goes on after the daemon was restarted; what was under way is answered once and never sent twice', async () => {
    await open();
    void say(2, 'tools/call', { name: 'run_submit', arguments: { type: 'maze/find_exit', wait_s: 600 } });
    await until(() => rig.robot.calls.length > 0, 'the run is open');
    await rig.close();
    rig = await startMcpRig();
    const lost = await answered(2);
    expect(lost.error?.message).toMatch(/restarted|does not answer/);
    await say(3, 'tools/call', { name: 'run_status', arguments: { run_id: RUN_ID } });
    expect(await answered(3)).toMatchObject({ result: expect.anything() });
    expect(rig.robot.calls).toEqual([]);
    expect(answers.map(({ id }) => id).sort()).toEqual([1, 2, 3]);
  });

  it('says that no daemon is there instead of waiting for one', async () => {
    await open();
    await rig.close();
    await say(2, 'tools/list');
    expect((await answered(2)).error?.message).toContain('does not answer');
    expect(answers.filter(({ id }) => id === 2)).toHaveLength(1);
  });
});

/** A way to a daemon: one that answers, one that is gone, or one that dies when it has said that it will answer. */
class FakeWay {
  onmessage: ((message: JSONRPCMessage) => void) | undefined;
  daemon: 'well' | 'gone' | 'dying';

  constructor(daemon: FakeWay['daemon']) {
    this.daemon = daemon;
  }

  async send(message: JSONRPCMessage): Promise<void> {
    if (this.daemon === 'gone') throw new Error('fetch failed');
    const { id } = message as { id?: number };
    if (this.daemon === 'well' && id !== undefined) this.onmessage?.({ jsonrpc: '2.0', id, result: {} });
  }

  async start(): Promise<void> {}
  async close(): Promise<void> {}
  async terminateSession(): Promise<void> {}
}

it('does not wait for a daemon that died while the session was opened again', async () => {
  const clock = new ManualClock();
  const ways: FakeWay[] = [];
  const answers: Answer[] = [];
  const bridge = new Bridge(
    clock,
    async (message) => void answers.push(message as unknown as Answer),
    () => {
      const way = new FakeWay(ways.length === 1 ? 'dying' : 'well');
      ways.push(way);
      return way as unknown as StreamableHTTPClientTransport;
    },
  );
  const say = (id: number, method: string) =>
    bridge.fromClient({ jsonrpc: '2.0', id, method, params: {} } as JSONRPCMessage);
  await say(1, 'initialize');
  ways[0]!.daemon = 'gone';
  void say(2, 'tools/list');
  await clock.advance(30_000);
  expect(answers).toMatchObject([
    { id: 1, result: {} },
    { id: 2, error: { message: expect.stringContaining('does not answer') } },
  ]);
  await say(3, 'tools/list');
  expect(answers[2]).toMatchObject({ id: 3, result: {} });
  expect(ways).toHaveLength(3);
  await bridge.close();
});
