import { parentPort, workerData } from 'node:worker_threads';
import { EdgeError } from '../../contract/core.ts';
import { type CheckReply, checkHere } from './policy-check.ts';
import type { PolicyFile } from './policy-text.ts';

/** The thread of `checkAside`: one set of policies is checked, then it ends. */
const files = workerData as readonly PolicyFile[];
const reply = await checkHere(files).then(
  (policies): CheckReply => ({ policies }),
  (thrown): CheckReply => ({
    fault: EdgeError.from(thrown, 'policy.invalid', 'check', 'policies').toBody(),
  }),
);
parentPort?.postMessage(reply);
