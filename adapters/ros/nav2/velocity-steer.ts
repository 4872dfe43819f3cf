import type { Clock, Maneuver, MotionResult, Twist2d } from '../../../contract/core.ts';
import { driveStep, type MotionStep, spinStep } from '../motion.ts';
import type { NavTrack } from './nav-track.ts';

const CONTROL_STEP_MS = 50;
/** A motion that gains less than PROGRESS_MIN (metres or radians) in this time is stuck, milliseconds. */
const STUCK_MS = 3_000;
const PROGRESS_MIN = 0.01;
const STILL: Twist2d = { linear: 0, angular: 0 };

/**
 * A recovery motion by velocity commands and odometry, for robots without Nav2's behaviours. It sees no
 * obstacles: it is slow, short, and ends when odometry shows no progress. The caller brakes when this settles.
 * Commands that stay away are answered by a stop in the ROS host, whatever became of this process.
 */
export function steer(
  parts: { readonly clock: Clock; readonly track: NavTrack; send(twist: Twist2d): boolean },
  step: Exclude<Maneuver, { kind: 'wait' }>,
  ends: AbortSignal,
): Promise<Pick<MotionResult, 'outcome' | 'message'> | { readonly ended: true }> {
  const { clock, track, send } = parts;
  const start = track.odometry;
  if (!start) return Promise.resolve({ outcome: 'stuck', message: 'no odometry' });
  const turned = track.turned;
  const advance = (): MotionStep =>
    step.kind === 'drive'
      ? driveStep(start, track.odometry ?? start, step.distance)
      : spinStep(track.turned - turned, step.angle);
  return new Promise((resolve) => {
    let [gained, gainedAtMs] = [0, clock.monotonicMs()];
    const timer = clock.every(CONTROL_STEP_MS, () => look());
    const settle = (end: Awaited<ReturnType<typeof steer>>) => {
      timer.cancel();
      ends.removeEventListener('abort', look);
      send(STILL);
      resolve(end);
    };
    const look = () => {
      if (ends.aborted) return settle({ ended: true });
      const { done, command, progress } = advance();
      if (done) return settle({ outcome: 'reached', message: '' });
      if (progress > gained + PROGRESS_MIN) [gained, gainedAtMs] = [progress, clock.monotonicMs()];
      else if (clock.monotonicMs() - gainedAtMs > STUCK_MS) {
        return settle({ outcome: 'stuck', message: 'odometry shows no progress' });
      }
      send(command);
    };
    ends.addEventListener('abort', look, { once: true });
    look();
  });
}
