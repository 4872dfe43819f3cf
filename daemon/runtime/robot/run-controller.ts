import {
  type ControllerOrder,
  type ControllerRun,
  type ControllerRunResult,
  type ControllerView,
  EdgeError,
  LIMITS,
  METHODS,
  pause,
} from '../../../contract/index.ts';
import { currentCall } from '../trace/trace-scope.ts';
import { askExecution, type ExecutionPort, whenFree } from './ask-execution.ts';

/** How often signal and controller are looked at, milliseconds. */
const LOOK_MS = 100;
const OVER = 'the call that started it is over';
/** A policy that is loaded for the first time may take this long, milliseconds. */
const START_MS = 20_000;
/** Robot time may run slower than the wall's. */
const SLOWER = 4;

/** Wall time that such a call may take, milliseconds. */
export function controllerDeadlineMs(seconds: number): number {
  return seconds * 1_000 * SLOWER + START_MS;
}

/**
 * Lets a controller act until its signal is true, it ends on its own, or its time is over; it is stopped before this
 * settles, whatever ends it; where that was not confirmed the reason says so. Rejects as `controller.start` does (an
 * unknown controller, another holder of the robot), with `run.cancelled` on abort, and with the errors of a cell out of
 * reach.
 */
export async function runController(
  port: ExecutionPort,
  { controller, task, seconds, until, plan_step }: ControllerRun,
  callId: string,
  signal: AbortSignal,
): Promise<ControllerRunResult> {
  const { execution } = METHODS;
  const run = currentCall()?.runId;
  const order: ControllerOrder = {
    controller,
    seconds,
    motionId: callId,
    ...(run === undefined ? {} : { run }),
    ...(task === undefined ? {} : { task }),
    ...(plan_step === undefined ? {} : { plan_step }),
  };
  const began = port.clock.monotonicMs();
  const told = (
    outcome: ControllerRunResult['outcome'],
    { reason, steps, starved, policy_hash }: ControllerView,
  ) => ({
    outcome,
    reason,
    steps,
    starved,
    policy_sha256: policy_hash,
    seconds: Math.round(port.clock.monotonicMs() - began) / 1_000,
  });
  const stop = () =>
    askExecution(
      port,
      execution.controllerStop,
      { controller, reason: OVER, motionId: callId },
      LIMITS.ROBOT_STOP_MS,
    );
  const cancelled = () =>
    new EdgeError('run.cancelled', { operation: 'controller.run', subject: controller });
  if (signal.aborted) throw cancelled();
  // It is not waited for until it moves: what is stopped while it is being started does not start.
  const quit = () => void stop().catch(() => {});
  signal.addEventListener('abort', quit, { once: true });
  try {
    const start = (wantedAtMs: number) =>
      askExecution(port, execution.controllerStart, order, START_MS, wantedAtMs);
    await whenFree(port.clock, start, signal);
  } catch (error) {
    // Refused is refused; a controller that did not answer may have started.
    if (EdgeError.from(error, 'internal.fault', 'start', controller).code === 'deadline.exceeded')
      await stop();
    throw signal.aborted ? cancelled() : error;
  } finally {
    signal.removeEventListener('abort', quit);
  }
  const act = async () => {
    for (;;) {
      const view = await viewOf(port, controller);
      if (until !== undefined && (await signalIs(port, until))) return told('succeeded', view);
      if (view.state === 'failed' || view.state === 'stopped') return told('stopped', view);
      // It ended on its own: its time is over.
      if (view.state === 'idle') return told('time_over', view);
      await pause(port.clock, LOOK_MS, signal);
      if (signal.aborted) throw cancelled();
    }
  };
  const [ended] = await Promise.allSettled([act()]);
  const [stopped] = await Promise.allSettled([stop()]);
  if (ended.status === 'rejected') throw ended.reason;
  if (stopped.status === 'fulfilled') return ended.value;
  // What it did is done: an error here would have it done again.
  const { message } = EdgeError.from(stopped.reason, 'robot.unreachable', 'stop', controller);
  const reasons = [ended.value.reason, `its stop was not confirmed: ${message}`];
  return { ...ended.value, reason: reasons.filter((part) => part !== '').join('; ') };
}

async function viewOf(port: ExecutionPort, name: string): Promise<ControllerView> {
  const views = await askExecution(port, METHODS.execution.controllerList, {}, LIMITS.CELL_REQUEST_MS);
  const view = views.find((one) => one.name === name);
  if (view) return view;
  throw new EdgeError('robot.not_supported', {
    operation: 'controller.run',
    subject: name,
    message: `unknown controller ${name}; configured: ${views.map((one) => one.name).join(', ') || 'none'}`,
    hint: '[[controllers]] in the configuration',
  });
}

async function signalIs(port: ExecutionPort, topic: string): Promise<boolean> {
  const { robotState } = METHODS.execution;
  const { signals } = await askExecution(port, robotState, {}, LIMITS.CELL_REQUEST_MS);
  const value = signals[topic];
  return value === true || (typeof value === 'number' && value > 0);
}
