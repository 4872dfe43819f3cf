import { EdgeError } from '../../../contract/index.ts';
import { currentCall } from '../trace/trace-scope.ts';

/**
 * Starts a motion of the run that is being worked for. While somebody of a higher rank has the robot the run is paused,
 * and the motion is asked for again when it goes on: a refused motion has not moved anything.
 */
export async function whenFree<T>(start: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const wait = currentCall()?.waitForRobot;
  for (;;) {
    try {
      return await start();
    } catch (thrown) {
      if (!wait || signal?.aborted || !isHeld(thrown)) throw thrown;
      await wait(thrown, signal);
    }
  }
}

function isHeld(thrown: unknown): thrown is EdgeError {
  return thrown instanceof EdgeError && (thrown.code === 'lease.held' || thrown.code === 'lease.lost');
}
