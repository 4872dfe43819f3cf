/** Entry of the thread of the controllers: nothing but control steps happens here. */
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { sharedMonotonic } from '../../adapters/clock/shared-monotonic.ts';
import type { ControllerSpec } from '../execution/controllers/controller-spec.ts';
import { ControllersThread } from '../execution/controllers/controllers-thread.ts';
import type { Measured, StepGate } from '../execution/controllers/gate-port.ts';
import type { ThreadData, ToThread } from '../execution/controllers/messages.ts';
import { viewThisThread } from '../execution/controllers/run-queue-wait.ts';
import { SharedState } from '../execution/controllers/shared-state.ts';
import { SpeedGate, type SpeedLimits } from '../execution/controllers/speed-gate.ts';
import { type JointGateSpec, makeJointGate, SafetyWatch } from '../execution/safety/index.ts';

export type GateOf =
  | { readonly kind: 'joints'; readonly spec: JointGateSpec }
  | { readonly kind: 'speeds'; readonly limits: SpeedLimits };

export type ControllersThreadData = ThreadData & {
  readonly port: MessagePort;
  /** By place of the controller; undefined: it is never started. */
  readonly gates: readonly (GateOf | undefined)[];
  /** Of the `SafetyWord`. */
  readonly word: SharedArrayBuffer;
};

/** Lets nothing pass. */
const CLOSED: StepGate = {
  apply: () => ({ applied: new Float64Array(0), verdict: 'refused', reason: 'no limits' }),
  reset: () => {},
};

const { port, specs, shared: memory, gates, word } = workerData as ControllersThreadData;
const nowMs = sharedMonotonic();
const view = viewThisThread();
const shared = new SharedState(memory, specs);
const watch = new SafetyWatch(word, { monotonicMs: nowMs });

function makeGate(spec: ControllerSpec): StepGate {
  const gate = gates[specs.indexOf(spec)];
  if (!gate) return CLOSED;
  if (gate.kind === 'speeds') return new SpeedGate(gate.limits);
  const joints = makeJointGate(gate.spec);
  return {
    apply: (asked: Float64Array, dtSeconds: number, measured: Measured) =>
      joints.apply(asked, dtSeconds, measured.known ? measured : undefined),
    halt: (dtSeconds) => joints.halt(dtSeconds),
    get atRest() {
      return joints.atRest;
    },
    farOutside: (actions, at, share) => joints.farOutside(actions, at, share),
    reset: () => joints.reset(),
  };
}

const thread = new ControllersThread({
  specs,
  shared,
  makeGate,
  receive: () => receiveMessageOnPort(port)?.message as ToThread | undefined,
  post: (message, transfer = []) => port.postMessage(message, [...transfer]),
  nowMs,
  waitedMs: () => view.waitedMs(),
  forbidden: (lease) => watch.why(lease),
});
port.postMessage({ kind: 'ready', tid: view.tid });
thread.run();
view.close();
port.close();
