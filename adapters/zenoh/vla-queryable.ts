import {
  type Answer,
  type Clock,
  type Declaration,
  EdgeError,
  type KeySpace,
  type Policy,
  type Query,
  withDeadline,
} from '../../contract/core.ts';
import { decodeVlaRequest, encodeChunk, encodeDescription } from './vla-codec.ts';

/** Questions waiting for the policy; it serves one after the other, so more would only grow stale. */
const PENDING_MAX = 8;
/** When the question names no deadline. */
const DEADLINE_MS_DEFAULT = 1_000;

export type VlaOptions = {
  /** Of the robot, for example `robot/r1`; empty for none. */
  readonly prefix: string;
  readonly clock: Clock;
};

/** Where a policy is asked. */
export function vlaKey(prefix: string): string {
  return prefix === '' ? 'ai/inference/vla' : `${prefix}/ai/inference/vla`;
}

/**
 * Serves `policy` at `<prefix>/ai/inference/vla`: an observation in, an action chunk out; a query without
 * payload gets the description of the policy. Every question is answered: by a chunk, or by a typed error at
 * the latest when its deadline is over. The policy stays its owner's: undeclaring does not close it.
 */
export function serveVla(keySpace: KeySpace, policy: Policy, options: VlaOptions): Promise<Declaration> {
  const key = vlaKey(options.prefix);
  const { clock } = options;
  let pending = 0;

  async function infer(query: Query, payload: Uint8Array): Promise<Answer> {
    const { observation, deadlineMs = DEADLINE_MS_DEFAULT } = decodeVlaRequest(
      payload,
      query.encoding,
      clock.now(),
    );
    if (pending >= PENDING_MAX) {
      throw new EdgeError('cell.overloaded', {
        operation: 'infer',
        subject: key,
        message: `${PENDING_MAX} questions are already waiting for the policy`,
        hint: 'ask less often than one inference takes',
      });
    }
    pending += 1;
    // Counted until the policy itself is done: a question that was given up still occupies it.
    const work = Promise.resolve()
      .then(() => policy.infer(observation, deadlineMs))
      .finally(() => {
        pending -= 1;
      });
    const chunk = await withDeadline(clock, deadlineMs, work, 'infer', key);
    return encodeChunk(chunk, query.encoding);
  }

  return keySpace.queryable(
    key,
    async (query) =>
      query.payload === undefined
        ? encodeDescription(policy.describe(), query.encoding)
        : infer(query, query.payload),
    { complete: true },
  );
}
