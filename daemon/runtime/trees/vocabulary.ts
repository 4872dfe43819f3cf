import type { Leaf } from './leaf.ts';
import { NAV2_LEAVES } from './nav2-leaves.ts';
import { PLAIN_LEAVES, toolLeaf } from './plain-leaves.ts';
import type { Ports } from './ports.ts';

/** What a node with children is. */
export type Inner = {
  readonly ports: Ports;
  readonly ignored?: readonly string[];
  readonly children: readonly [min: number, max: number];
  readonly note?: string;
};

const MANY = 64;
const any: Inner = { ports: {}, children: [1, MANY] };
const one: Inner = { ports: {}, children: [1, 1] };
const COUNT = { type: 'number', required: true } as const;

/** Nodes with children: those of BehaviorTree.CPP, then those of Nav2. */
export const INNER: Readonly<Record<string, Inner>> = {
  ...{ Sequence: any, SequenceWithMemory: any, Fallback: any, ReactiveSequence: any, ReactiveFallback: any },
  ...{ Inverter: one, ForceSuccess: one, ForceFailure: one, KeepRunningUntilFailure: one },
  IfThenElse: { ports: {}, children: [2, 3] },
  Parallel: {
    ports: { success_count: { type: 'number' }, failure_count: { type: 'number' } },
    children: [2, 8],
  },
  ParallelAll: { ports: {}, children: [2, 8] },
  RetryUntilSuccessful: { ports: { num_attempts: { ...COUNT, min: -1, max: 1_000 } }, children: [1, 1] },
  Repeat: { ports: { num_cycles: { ...COUNT, min: -1, max: 1_000 } }, children: [1, 1] },
  Timeout: { ports: { msec: { ...COUNT, min: 1, max: 86_400_000 } }, children: [1, 1] },
  Delay: { ports: { delay_msec: { ...COUNT, min: 0, max: 86_400_000 } }, children: [1, 1] },
  PipelineSequence: { ports: {}, children: [1, MANY] },
  RoundRobin: {
    ...{ ports: {}, ignored: ['wrap_around'], children: [1, MANY] },
    note: 'always continues with its first child after its last one',
  },
  RecoveryNode: { ports: { number_of_retries: { ...COUNT, min: 0, max: 1_000 } }, children: [2, 2] },
  GoalUpdatedController: { ...one, note: 'runs its child once: the goal of a run does not change' },
  RateController: { ports: { hz: { type: 'number', min: 0.001, max: 10 } }, children: [1, 1] },
  DistanceController: {
    ports: { distance: { type: 'number', min: 0.05, max: 1_000 } },
    ignored: ['global_frame', 'robot_base_frame'],
    children: [1, 1],
  },
  SpeedController: {
    ports: {
      ...{
        min_rate: { type: 'number', min: 0.001, max: 10 },
        max_rate: { type: 'number', min: 0.001, max: 10 },
      },
      ...{ min_speed: { type: 'number', min: 0 }, max_speed: { type: 'number', min: 0 } },
    },
    ignored: ['filter_duration'],
    children: [1, 1],
  },
};

/** `Wait` is a leaf for who writes the tree; here it is a time that is written down before it starts. */
export const WAIT: Leaf = {
  ports: {
    wait_duration: { type: 'number', required: true, min: 0, max: 86_400 },
    ...{ error_code_id: { type: 'any', out: true }, error_msg: { type: 'any', out: true } },
  },
  ignored: ['server_name', 'server_timeout', 'is_recovery'],
  act: () => ({ ok: true, reason: 'waited' }),
};

const LEAVES: Readonly<Record<string, Leaf>> = { ...PLAIN_LEAVES, ...NAV2_LEAVES, Wait: WAIT };

/** Nodes that people will look for, and what to write instead. */
const INSTEAD: Readonly<Record<string, string>> = {
  ...{ SequenceStar: 'SequenceWithMemory', RetryUntilSuccesful: 'RetryUntilSuccessful' },
  Script: 'SetBlackboard output_key="…" value="…"',
  ...{ Switch2: 'IfThenElse', Switch3: 'IfThenElse', WhileDoElse: 'ReactiveSequence, or IfThenElse' },
  GoalUpdater: 'SetBlackboard: the goal of a run does not change from outside',
  IsWithinPathTrackingBounds: 'nothing: the robot fails as stuck where it cannot follow its way',
  PathLongerOnApproach: 'nothing: paths are planned while the robot drives and have no length here',
  ...{
    SmoothPath: 'nothing: the robot smooths its way itself',
    TruncatePath: 'NavigateToPose with another goal',
  },
  ...{ ComputeRoute: 'NavigateThroughPoses', ComputeAndTrackRoute: 'NavigateThroughPoses' },
  ...{ AssistedTeleop: 'person.ask: a person takes the robot over by auraison teleop' },
  ...{ IsBatteryLow: 'robot.state result="{state}", then ScriptCondition code="state.battery < 0.2"' },
  ...{ IsStuck: 'FollowPath or NavigateToPose: they fail where the robot is stuck' },
  ...{ TransformAvailable: 'InitialPoseReceived', SingleTrigger: 'SetBlackboard with ScriptCondition' },
};

/** The leaf of this name: a node of Nav2 or BehaviorTree.CPP, or a tool (with a dot in its name). */
export function leafOf(name: string): Leaf | undefined {
  if (Object.hasOwn(LEAVES, name)) return LEAVES[name];
  return /^[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)+$/.test(name) ? toolLeaf(name) : undefined;
}

export function innerOf(name: string): Inner | undefined {
  return Object.hasOwn(INNER, name) ? INNER[name] : undefined;
}

/** What to do about a node that does not exist here. */
export function adviceOn(name: string): string {
  const names = [...Object.keys(INNER), ...Object.keys(LEAVES), 'SubTree'];
  const plain = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '');
  const same = names.find((known) => plain(known) === plain(name));
  if (same !== undefined) return `did you mean ${same}?`;
  const instead = Object.hasOwn(INSTEAD, name) ? INSTEAD[name] : undefined;
  if (instead !== undefined) return `instead: ${instead}`;
  return 'a node of this daemon is one of docs/behavior-trees.md, or a tool by its name, such as robot.look';
}
