/** Entry of the control thread: mapping, navigation, the control loop and its policy. */
import { parentPort, workerData } from 'node:worker_threads';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { readModel } from '../../adapters/onnx/model-card.ts';
import { OnnxPolicy } from '../../adapters/onnx/onnx-policy.ts';
import { EdgeError, type ErrorBody, type Policy } from '../../contract/core.ts';
import { shrinkHeap } from '../cell/shrink-heap.ts';
import type { CoreOptions } from '../execution/control/control-core.ts';
import type { ControlPort } from '../execution/control/messages.ts';
import { PursuitPolicy } from '../execution/control/pursuit-policy.ts';
import { RestingPolicy } from '../execution/control/resting-policy.ts';
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
 * Network and card are checked now, and loaded for the first motion that needs them. Messages that come meanwhile wait in the
 * port: nothing listens to it yet. A robot whose network is missing or damaged drives by the analytic follower, and says so.
 */
async function findPolicy(): Promise<{
  readonly policy: Policy;
  readonly resting?: RestingPolicy;
  readonly fault?: ErrorBody;
}> {
  const analytic = new PursuitPolicy(options.limits);
  if (policy === 'pursuit') return { policy: analytic };
  try {
    const { description } = await readModel(model);
    const load = () => OnnxPolicy.load(model, clock);
    const resting = new RestingPolicy({ clock, description, load, standIn: analytic });
    return { policy: resting, resting };
  } catch (thrown) {
    const fault = EdgeError.from(thrown, 'model.unavailable', 'load policy', model).toBody();
    return { policy: analytic, fault };
  }
}

const found = await findPolicy();
shrinkHeap();
const watch = safety && new SafetyWatch(safety, clock, options.control.lockstep);
await runControlWorker(parentPort as unknown as ControlPort, { ...found, clock, options, watch });
// Closed: the thread ends on its own, so that nothing terminates it, or its policy's thread, in the midst of
// something.
parentPort!.close();
