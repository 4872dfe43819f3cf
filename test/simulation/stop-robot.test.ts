import { afterAll, describe, expect, it } from 'vitest';
import { openEventReader } from '../../adapters/event-log/index.ts';
import type { AgentEvent, RunDetails } from '../../contract/index.ts';
import { freshDir, type TestDaemon, testDaemon, until } from '../support/daemon.ts';

const dir = freshDir('stop-robot');
let daemon: TestDaemon | undefined;
afterAll(async () => {
  await daemon?.stop();
  dir.remove();
});

async function policyOf({ dataDir }: TestDaemon): Promise<string[]> {
  const reader = openEventReader(dataDir, 'runtime');
  const events = reader.read(0, 1_000, { kinds: ['policy.decided'] }) as AgentEvent<'policy.decided'>[];
  reader.close();
  return events.map(({ payload: { hook, point, decision } }) => `${hook} ${point} ${decision}`);
}

describe('the stop of the API', () => {
  it('holds: the run that drove does not drive on, nor the one that waited', {
    timeout: 120_000,
  }, async () => {
    daemon = await testDaemon(dir.path, { AURAISON_SIM_PACE: 'realtime', AURAISON_SIM_SPEED: '1' });
    const { api, status } = daemon;
    const robot = async () => {
      const { robot } = await status();
      if (!robot.available) throw new Error(robot.reason);
      return robot;
    };
    for (let i = 0; i < 2; i++) await api.post('/v1/intents', { type: 'maze/find_exit' });
    await until(async () => (await robot()).twist.linear > 0.1, 'the robot drives');
    // The daemon as it is shipped asks its policy before it takes an intent, and before it moves the robot.
    const decided = await policyOf(daemon);
    expect(decided).toContain('cedar intent allow');
    expect(decided).toContain('cedar tool allow');
    await api.post('/v1/robot/stop', {});
    const runs = await api.get<{ runs: RunDetails[] }>('/v1/runs');
    expect(runs.runs.map(({ run }) => run.status)).toEqual(['cancelled', 'cancelled']);
    const from = (await robot()).distance;
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const after = await robot();
    expect(after.distance - from).toBeLessThan(0.05);
    expect(after.motion).not.toBe('moving');
  });
});
