import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Mission } from '../../cli/demo/mission.ts';
import { EdgeError } from '../../contract/index.ts';
import type { ApiClient } from '../../daemon/client/api-client.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A daemon that takes the intent and then ends: whoever asks it finds no API. */
function missionOfEndedDaemon() {
  const cancelled: string[] = [];
  const gone = async () => {
    throw new EdgeError('cell.unavailable', {
      operation: 'GET',
      subject: 'api',
      message: 'no API',
      retryable: true,
    });
  };
  const api = {
    get: gone,
    post: async (path: string) => {
      if (path.endsWith('/cancel')) cancelled.push(path);
      return { run: { run_id: 'r1' } };
    },
  } as unknown as ApiClient;
  return { cancelled, mission: new Mission(api, { note: () => {}, json: true } as never) };
}

describe('the mission of a demo', () => {
  it('waits for an API that is away for a moment', async () => {
    const { mission } = missionOfEndedDaemon();
    let isOver = false;
    void mission.run(600).catch(() => (isOver = true));
    await vi.advanceTimersByTimeAsync(20_000);
    expect(isOver).toBe(false);
  });

  it('ends with the command: after Ctrl-C no terminal waits for an API that has ended', async () => {
    const { cancelled, mission } = missionOfEndedDaemon();
    let isOver = false;
    void mission.run(600).catch(() => (isOver = true));
    await vi.advanceTimersByTimeAsync(1_000);
    await mission.cancelOpen();
    await vi.advanceTimersByTimeAsync(300);
    expect(cancelled).toEqual(['/v1/runs/r1/cancel']);
    expect(isOver).toBe(true);
  });

  it('does not start while an emergency stop is engaged: says who engaged it and how to release it, and waits', async () => {
    const said: string[] = [];
    let engaged = true;
    const estop = () => ({ engaged, by: 'ada', source: 'file', reason: 'a child', since_ns: '1' });
    const api = { get: async () => estop() } as unknown as ApiClient;
    const mission = new Mission(api, { note: (text: string) => void said.push(text), json: true } as never);
    await expect(mission.untilReleased('auraison', false)).rejects.toMatchObject({
      code: 'estop.engaged',
      message: 'the emergency stop is engaged by ada (file): a child',
      hint: 'auraison estop release',
    });
    let isOver = false;
    void mission.untilReleased('auraison', true).then(() => (isOver = true));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(isOver).toBe(false);
    expect(said).toEqual([expect.stringContaining('auraison estop release')]);
    engaged = false;
    await vi.advanceTimersByTimeAsync(600);
    expect(isOver).toBe(true);
  });
});
