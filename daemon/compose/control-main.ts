/** Entry of the control thread: mapping, navigation, the control loop and its policy. */
import { parentPort, workerData } from 'node:worker_threads';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { OnnxPolicy } from '../../adapters/onnx/onnx-policy.ts';
import { EdgeError, type ErrorBody, type Policy } from '../../contract/core.ts';
import { shrinkHeap } from '../cell/shrink-heap.ts';
import type { CoreOptions } from '../execution/control/control-core.ts';
import type { ControlPort } from '../execution/control/messages.ts';
import { PursuitPolicy } from '../execution/control/pursuit-policy.ts';
import { runControlWorker } from '../execution/control/worker.ts';
import { SafetyWatch } from '../execution/safety/safety-word.ts';

export type ControlThreadData = {
  readonly policy: 'onnx' | 'pursuit';
  readonly model: string;
  readonly options: CoreOptions;
  /** The shared word of stop and lease. */
  readonly safety?: SharedArrayBuffer;
};

const { policy, model, options, safety } = workerData as ControlThreadData;
const clock = new SystemClock();

/**
 * Messages that come while the policy is loading wait in the port: nothing listens to it yet. A robot whose
 * network is missing or damaged drives by the analytic follower, and says so.
 */
async function loadPolicy(): Promise<{ readonly policy: Policy; readonly fault?: ErrorBody }> {
  const analytic = new PursuitPolicy(options.limits);
  if (policy === 'pursuit') return { policy: analytic };
  try {
    return { policy: await OnnxPolicy.load(model, clock) };
  } catch (thrown) {
    const fault = EdgeError.from(thrown, 'model.unavailable', 'load policy', model).toBody();
    return { policy: analytic, fault };
  }
}

const loaded = await loadPolicy();
shrinkHeap();
const watch = safety && new SafetyWatch(safety, clock, options.control.lockstep);
await runControlWorker(parentPort as unknown as ControlPort, { ...loaded, clock, options, watch });
// Closed: the thread ends on its own, so that nothing terminates it, or its policy's thread, in the midst of
// something.
parentPort!.close();
