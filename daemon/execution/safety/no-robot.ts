import type { StopWarnings } from '../../../contract/core.ts';

/** A stop where there is nothing that could move: it is carried out at once, and the caller learns why. */
export function stopWarnings(hasRobot: boolean): StopWarnings {
  if (hasRobot) return {};
  return { warnings: ['no robot is connected (robot.source = "none"): there was nothing to stop'] };
}
