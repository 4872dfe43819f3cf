import type { EdgeError } from '../../contract/core.ts';
import type { Definitions } from './definitions.ts';
import { unknownChannel } from './scan-result.ts';
import type { Summary } from './summary.ts';

/**
 * `missing`: messages by the id of a channel that nothing had defined before them. Counts those whose channel was defined
 * later after all; returns the fault of the others.
 */
export function settleUndefined(
  missing: ReadonlyMap<number, number>,
  definitions: Definitions,
  summary: Summary,
  subject: string,
): EdgeError | undefined {
  let fault: EdgeError | undefined;
  for (const [id, count] of missing) {
    const key = definitions.keyOf(id, 0);
    if (key !== undefined) {
      const { startTime, endTime } = summary;
      summary.addMessages(new Map([[key, count]]), startTime, endTime);
    } else fault ??= unknownChannel(subject, 0, id, count);
  }
  return fault;
}
