import { Worker } from 'node:worker_threads';
import { type Clock, EdgeError, LIMITS, SMALL_THREAD, withDeadline } from '../../contract/core.ts';
import { checkPolicies } from './cedar-judge.ts';
import type { ParsedPolicy, PolicyFile } from './policy-text.ts';
import { loadCedar } from './wasm.ts';

/** Parses policies and checks them against the schema. Rejects with `policy.invalid`: file, line and policy id. */
export type PolicyCheck = (files: readonly PolicyFile[]) => Promise<readonly ParsedPolicy[]>;

/** The answer of the thread (`check-main.ts`). */
export type CheckReply =
  | { readonly policies: readonly ParsedPolicy[] }
  | { readonly fault: ReturnType<EdgeError['toBody']> };

/** Texts up to this length are checked where they are: that takes less time than a thread does to start. */
const SMALL_LENGTH = 8_192;

/** In the thread of the caller. For processes that do nothing else meanwhile. */
export const checkHere: PolicyCheck = async (files) => checkPolicies(await loadCedar(), files);

/**
 * In a thread of its own where the texts are long: to check 1,900 policies takes seconds, and the caller's thread takes
 * stops. Rejects with `deadline.exceeded` after `LIMITS.CEDAR_CHECK_MS`.
 */
export function checkAside(clock: Clock): PolicyCheck {
  return async (files) => {
    if (files.reduce((length, { text }) => length + text.length, 0) <= SMALL_LENGTH)
      return await checkHere(files);
    const worker = new Worker(new URL('./check-main.ts', import.meta.url), {
      ...SMALL_THREAD,
      name: 'cedar-check',
      workerData: files,
    });
    const { promise, resolve, reject } = Promise.withResolvers<CheckReply>();
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the thread that checks policies ended with ${code}`)));
    try {
      const reply = await withDeadline(clock, LIMITS.CEDAR_CHECK_MS, promise, 'check', 'policies');
      if ('policies' in reply) return reply.policies;
      const { code, ...facts } = reply.fault;
      throw new EdgeError(code, facts);
    } finally {
      worker.terminate().catch(() => {});
    }
  };
}
