import {
  type CellContext,
  type CellName,
  checkFresh,
  EdgeError,
  fieldsOf,
  LIMITS,
  METHODS,
  neededText,
  type RosApi,
  type RosGoalRequest,
  type RosGoalView,
  type RosQosReport,
  type Sample,
} from '../../contract/core.ts';
import { decodeTf } from '../../formats/cdr/index.ts';
import { plainValue } from '../../formats/ros2/plain-value.ts';
import { TfTree } from '../../formats/ros2/tf-tree.ts';
import { checkRosValue } from '../../formats/ros2/value-check.ts';
import type { SampleBus } from './bus/index.ts';
import { DoorCalls, DoorGate, type LeaseHold, TopicClasses } from './door/index.ts';
import { noteStop } from './note-stop.ts';
import { principalOf } from './robot-requests.ts';
import { type RecordGoals, RosGoals } from './ros-goals.ts';

export type RosParts = {
  /** Undefined where the robot is not reached by ROS. */
  readonly api: RosApi | undefined;
  readonly qosEvents: () => readonly RosQosReport[];
  readonly bus: SampleBus;
  /** Before a harmless goal is sent: throws while the emergency stop is engaged, or somebody has the robot alone. */
  admit?(operation: string, subject: string): void;
  /** The lease for a goal that moves, for as long as it runs; rejects where the robot may not be moved now. */
  hold?(from: CellName, wantedAtMs?: number): Promise<LeaseHold>;
  /** Throws `robot.preempted` for what was wanted before the last stop. */
  wanted(operation: string, subject: string, wantedAtMs: number): void;
  readonly record?: RecordGoals | undefined;
  /** Judges goals and calls; absent: their types alone decide. */
  readonly calls?: DoorCalls;
};

const NO_LIMITS = { linearMax: Number.POSITIVE_INFINITY, angularMax: Number.POSITIVE_INFINITY };

const TF_TYPE = 'tf2_msgs/msg/TFMessage';

/**
 * What other cells may ask of the ROS graph, and the tree of frames as the samples of the bus give it. Gives back
 * the goals that were sent, for the code that stops the robot; undefined where it is not reached by ROS.
 */
export function serveRos({ bus, clock, report, emit }: CellContext, parts: RosParts): RosGoals | undefined {
  const methods = METHODS.execution;
  const tree = new TfTree();
  const malformed = new Set<string>();
  parts.bus.tap('tf', (sample) => takeTransforms(tree, sample, malformed, report));
  bus.handle(methods.rosTf, async ({ target, source }) => {
    if (target === undefined || source === undefined) return plainValue({ frames: tree.frames() });
    return plainValue({ target, source, transform: tree.lookup(target, source) });
  });

  const goals = parts.api && new RosGoals(parts.api.actions, clock, parts.record);
  /** Goals that move the robot and run. */
  const moving = new Set<string>();
  const api = () => parts.api ?? none();
  const desk = () => goals ?? none();
  const calls = parts.calls ?? new DoorCalls(new TopicClasses(), new DoorGate({ speeds: NO_LIMITS }));
  bus.handle(methods.rosGraph, async () => ({
    ...(await api().graph.snapshot()),
    qosEvents: parts.qosEvents(),
  }));
  bus.handle(methods.rosCall, async ({ service, type, request, timeoutMs }, _from, _madeAtMs, wantedAtMs) => {
    checkRosValue(request, '/request');
    api();
    calls.call(service, type);
    parts.wanted('call a service', service, wantedAtMs);
    return plainValue(await api().services.call(service, type, request, { timeoutMs }));
  });
  bus.handle(methods.rosGoalSend, async (request, from, madeAtMs, wantedAtMs) => {
    checkRosValue(request.goal, '/goal');
    const sender = desk();
    parts.admit?.('send a goal', request.action);
    const found = calls.goal(request.action, request.type, request.goal);
    if (found === 'moves')
      checkFresh('send a goal', request.action, madeAtMs, clock.monotonicMs(), LIMITS.MOTION_EXPIRY_MS);
    const hold = found === 'moves' ? await parts.hold?.(from, wantedAtMs) : undefined;
    const view = await (hold ? sendUnder(hold, sender, request) : sender.send(request));
    if (found === 'moves' && view.state === 'running') {
      moving.add(view.goalId);
      void sender.ended(view.goalId).then(() => moving.delete(view.goalId));
    }
    return plainValue(view);
  });
  bus.handle(methods.rosGoalView, async (body) => plainValue(desk().view(body)));
  bus.handle(methods.rosGoalCancel, async (body) => {
    const { timeoutMs, by } = fieldsOf(body);
    const fits = typeof timeoutMs === 'number' && timeoutMs > 0;
    const goalId = neededText('ros.goal_cancel', body, 'goalId');
    const cancelled = desk().cancel(goalId, fits ? timeoutMs : LIMITS.CELL_REQUEST_MS);
    if (moving.has(goalId)) noteStop({ emit, report }, `goal ${goalId} was cancelled`, principalOf(by));
    return { cancelled: await cancelled };
  });
  bus.handle(methods.rosParams, async ({ node, names, set, timeoutMs }, _from, _madeAtMs, wantedAtMs) => {
    const { parameters } = api();
    checkRosValue(set, '/values');
    if (set) parts.wanted('set parameters', node, wantedAtMs);
    if (set) return { refused: definedOnly(await parameters.set(node, set, { timeoutMs })) };
    if (names) return { values: plainValue(await parameters.get(node, names, { timeoutMs })) };
    return { names: await parameters.list(node, { timeoutMs }) };
  });
  bus.handle(methods.rosLifecycle, async ({ node, transition, timeoutMs }, _from, _madeAtMs, wantedAtMs) => {
    const { lifecycle } = api();
    if (transition === undefined) return { state: await lifecycle.state(node, { timeoutMs }) };
    parts.wanted('change a managed node', node, wantedAtMs);
    return { state: await lifecycle.change(node, transition, { timeoutMs }) };
  });
  return goals;
}

/** The lease is held until the goal is over; every stop cancels the goal, so that a lost lease ends it too. */
async function sendUnder(hold: LeaseHold, goals: RosGoals, request: RosGoalRequest): Promise<RosGoalView> {
  try {
    if (hold.signal.aborted) throw stoppedBefore(request.action);
    const view = await goals.send(request, hold.lease);
    void goals.ended(view.goalId).then(() => hold.release());
    if (hold.signal.aborted && view.state === 'running') await goals.cancel(view.goalId, request.timeoutMs);
    return view;
  } catch (error) {
    hold.release();
    throw error;
  }
}

/** The robot was stopped, or the lease lost, between the lease and the goal. */
function stoppedBefore(action: string): EdgeError {
  return new EdgeError('robot.preempted', {
    ...{
      operation: 'send a goal',
      subject: action,
      message: 'the robot was stopped after this was asked for',
    },
    hint: 'send it again if it is still wanted',
  });
}

/** A transform that makes no tree is left out, and reported once for each frame. */
function takeTransforms(
  tree: TfTree,
  { topic, type, bytes }: Sample,
  told: Set<string>,
  report: CellContext['report'],
): void {
  if (type !== TF_TYPE || !(topic.endsWith('/tf') || topic.endsWith('/tf_static'))) return;
  try {
    for (const transform of decodeTf(bytes)) {
      try {
        tree.update(transform, topic.endsWith('/tf_static'));
      } catch (error) {
        tell(error, transform.child_frame_id);
      }
    }
  } catch (error) {
    tell(error, topic);
  }
  function tell(error: unknown, subject: string): void {
    if (told.has(subject) || told.size >= 1_000) return;
    told.add(subject);
    report('warn', 'a transform is left out', { subject, error: String(error) });
  }
}

function definedOnly(values: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

function none(): never {
  throw new EdgeError('ros.unavailable', {
    operation: 'query the ROS graph',
    subject: 'ros',
    message: 'this robot is not connected through ROS',
    hint: 'set robot.source = "ros"',
  });
}
