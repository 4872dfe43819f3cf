/** Entry of the control thread: mapping, navigation, the control loop and its policy. */
import { parentPort, workerData } from 'node:worker_threads';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { OnnxPolicy } from '../../adapters/lerobot/onnx-policy.ts';
import type { Policy } from '../../contract/index.ts';
import type { CoreOptions } from '../execution/control/control-core.ts';
import type { ControlPort } from '../execution/control/messages.ts';
import { PursuitPolicy } from '../execution/control/pursuit-policy.ts';
import { runControlWorker } from '../execution/control/worker.ts';

export type ControlThreadData = {
  readonly policy: 'onnx' | 'pursuit';
  readonly model: string;
  readonly options: CoreOptions;
};

const { policy, model, options } = workerData as ControlThreadData;
const clock = new SystemClock();

/** Messages that come while the policy is loading wait in the port: nothing listens to it yet. */
async function loadPolicy(): Promise<Policy> {
  return policy === 'onnx' ? OnnxPolicy.load(model, clock) : new PursuitPolicy(options.limits);
}

await runControlWorker(parentPort as unknown as ControlPort, { policy: await loadPolicy(), clock, options });
