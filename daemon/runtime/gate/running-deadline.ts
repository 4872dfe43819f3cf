import { type Clock, EdgeError, withDeadline } from '../../../contract/index.ts';

export type RunningTime = {
  readonly clock: Clock;
  /** How long the run was paused so far, milliseconds; absent: it never is. */
  readonly pausedMs?: (() => number) | undefined;
  /** Resolves when the run is not paused; rejects when it ends. */
  unpaused(): Promise<void>;
};

/** As `withDeadline`; the time in which the run is paused does not count. */
export async function withRunningDeadline<T>(
  { clock, pausedMs = () => 0, unpaused }: RunningTime,
  ms: number,
  work: Promise<T>,
  operation: string,
  subject: string,
): Promise<T> {
  let settled = false;
  const settle = () => {
    settled = true;
  };
  const settles = work.then(settle, settle);
  const began = clock.monotonicMs();
  const paused = pausedMs();
  for (let left = ms; ; ) {
    try {
      return await withDeadline(clock, left, work, operation, subject);
    } catch (thrown) {
      const late = thrown instanceof EdgeError && thrown.code === 'deadline.exceeded';
      if (settled || !late) throw thrown;
      left = ms - (clock.monotonicMs() - began - (pausedMs() - paused));
      if (left < 1) throw thrown;
      const over = await Promise.race([
        settles.then(() => false),
        unpaused().then(
          () => false,
          () => true,
        ),
      ]);
      if (over) throw thrown;
    }
  }
}
