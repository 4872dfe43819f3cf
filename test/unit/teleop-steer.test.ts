import { describe, expect, it } from 'vitest';
import { letGo, steer } from '../../cli/commands/teleop.ts';
import { EdgeError, type ErrorCode } from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const MOTION = { twist: { linear: 0.1, angular: 0 } };

/** An API that answers commands by hand as `answer` says. */
function rig(answer: (nowMs: number) => ErrorCode | undefined) {
  const clock = new ManualClock();
  const asked: string[] = [];
  const post = async (path: string) => {
    asked.push(path);
    const code = path === '/v1/teleop' ? answer(clock.monotonicMs()) : undefined;
    if (code) throw new EdgeError(code, { operation: 'teleoperate', subject: 'robot' });
  };
  const steered = steer({ post } as never, clock, 1, () => MOTION, 5).then(
    (sent) => ({ sent, code: '', seconds: 0 }),
    ({ code }: EdgeError) => ({ sent: 0, code, seconds: Math.round(clock.monotonicMs() / 100) / 10 }),
  );
  return { clock, steered, asked };
}

/** Six seconds, in steps, so that each answer has its turn. */
async function passes(clock: ManualClock): Promise<void> {
  for (let i = 0; i < 300; i++) await clock.advance(20);
}

describe('steering by hand', () => {
  it.each<ErrorCode>(['command.expired', 'deadline.exceeded', 'cell.unavailable'])(
    'goes on after %s',
    async (code) => {
      const { clock, steered, asked } = rig((nowMs) => (nowMs >= 500 && nowMs < 2_000 ? code : undefined));
      await passes(clock);
      expect((await steered).sent).toBeGreaterThan(30);
      expect(asked.filter((path) => path === '/v1/lease/renew').length).toBeGreaterThanOrEqual(6);
    },
  );

  it('ends after three seconds of failures, and at once where the lease is lost or it may not', async () => {
    const ends = async (code: ErrorCode) => {
      const { clock, steered } = rig((nowMs) => (nowMs >= 500 ? code : undefined));
      await passes(clock);
      return await steered;
    };
    expect(await ends('command.expired')).toMatchObject({ code: 'command.expired', seconds: 3.5 });
    expect(await ends('robot.preempted')).toMatchObject({ code: 'robot.preempted', seconds: 0.5 });
    expect(await ends('lease.lost')).toMatchObject({ code: 'lease.lost', seconds: 0.5 });
    expect(await ends('estop.engaged')).toMatchObject({ code: 'estop.engaged', seconds: 0.5 });
  });

  it('a command to stand that was late is sent again, and one that is refused is not', async () => {
    const clock = new ManualClock();
    const codes: (ErrorCode | undefined)[] = ['command.expired', 'command.expired', undefined];
    const post = async () => {
      const code = codes.shift();
      if (code) throw new EdgeError(code, { operation: 'teleoperate', subject: 'robot' });
    };
    const done = letGo({ post } as never, clock, 1);
    await passes(clock);
    await done;
    expect(codes).toEqual([]);
    codes.push('lease.lost');
    await expect(letGo({ post } as never, clock, 1)).rejects.toMatchObject({ code: 'lease.lost' });
  });
});
