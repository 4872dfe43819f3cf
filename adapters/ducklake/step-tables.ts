import type { AppliedAction } from '../../contract/index.ts';
import { column, type Table, time } from './tables.ts';

/** What is read from segments, not from events: each row carries the position of the event that sealed its segment. */
export const ACTION_STEPS: Table = {
  name: 'action_steps',
  text: 'every recorded control step, read from the sealed segments; the view actions names their runs',
  columns: [
    column('stamp', 'TIMESTAMP_NS', 'time of the robot at the step (simulation time in simulation)'),
    column(
      'controller',
      'VARCHAR',
      'of [[controllers]], or drive, teleoperation, trajectory, play, route, goal',
    ),
    column(
      'kind',
      'VARCHAR',
      'what the numbers are: positions, velocities, twist, or goal: where a goal leads',
    ),
    column('names', 'VARCHAR[]', 'joints or axes, one for each number'),
    column('action', 'DOUBLE[]', 'what was applied: rad or m, per second for velocities and twist'),
    column('asked', 'DOUBLE[]', 'what was asked for, before the gate'),
    column('verdict', 'VARCHAR', 'passed, limited, refused or starved'),
    column('reason', 'VARCHAR', 'which limit bit, or why it was not sent'),
    column('chunk_id', 'BIGINT', 'counts the chunks since the controller was started; 0: none, starvation'),
    column('observation_time', 'TIMESTAMP_NS', 'stamp of the observation that the chunk was inferred from'),
    column('policy', 'VARCHAR', 'its name; NULL: the default one of a controller, or no policy at all'),
    column('policy_hash', 'VARCHAR', 'SHA-256 of the policy'),
    column('plan_step', 'VARCHAR', 'step of a plan that it served'),
    column('lease', 'BIGINT', 'actuation lease, counted since the start of the cell'),
    column('motion_id', 'VARCHAR', 'the start of the controller; of a run the call_id of its tool call'),
    column('segment', 'VARCHAR', 'path of the MCAP file, relative to the data directory'),
    { ...column('moved_for', 'VARCHAR', 'run that the motion is of, as it was recorded'), before: 'NULL' },
    {
      ...column('goal_id', 'VARCHAR', 'UUID of a ROS action goal; NULL: no goal, or no answer'),
      before: 'NULL',
    },
    { ...column('goal', 'VARCHAR', 'JSON: action, type and value of the goal'), before: 'NULL' },
    { ...column('asked_by', 'VARCHAR', 'principal who sent the goal through the API'), before: 'NULL' },
    {
      ...column('goal_state', 'VARCHAR', 'running, succeeded, canceled, aborted, rejected, lost or unknown'),
      before: 'NULL',
    },
    { ...column('started_at', 'TIMESTAMP_NS', 'when the goal was sent; stamp is its end'), before: 'NULL' },
    { ...column('result', 'VARCHAR', 'JSON: answer of the action server'), before: 'NULL' },
  ],
  rows: () => [],
};

export const STEP_SEGMENTS: Table = {
  name: 'step_segments',
  text: 'segments whose control steps were read',
  columns: [
    column('path', 'VARCHAR', 'relative to the data directory'),
    column('sha256', 'VARCHAR', 'of the file, as it was sealed'),
    column('steps', 'BIGINT', 'steps that were taken from it'),
    column('elsewhere', 'BIGINT', 'steps that another segment had reported before'),
    column('unreadable', 'BIGINT', 'messages on topics of control steps that are not control steps'),
    column('fault', 'VARCHAR', 'why it could not be read whole; NULL when it was'),
    column('first_step', 'TIMESTAMP_NS', 'earliest step in it'),
    column('last_step', 'TIMESTAMP_NS', 'latest step in it'),
  ],
  rows: () => [],
};

export const STEP_TABLES: readonly Table[] = [ACTION_STEPS, STEP_SEGMENTS];

const known = (text: string) => (text === '' ? null : text);

function goalValues(goal: AppliedAction['goal']) {
  if (!goal) return [null, null, null, null, null, null];
  const { action, type, value } = goal;
  const whole = `{"action":${JSON.stringify(action)},"type":${JSON.stringify(type)},"value":${value}}`;
  return [
    ...[known(goal.goal_id), whole, known(goal.by), goal.state],
    ...[time(goal.started_ns) ?? null, known(goal.result)],
  ];
}

/** The values after the position columns, in their order; lists as they are. */
export function stepValues(step: AppliedAction, segment: string) {
  const { controller, kind, names, applied, asked, verdict, reason, chunk, lease } = step;
  const observed = step.observation_ns === '0' ? undefined : time(step.observation_ns);
  return [
    ...[time(step.time_ns) ?? null, controller, known(kind), names, applied, asked, verdict, known(reason)],
    ...[BigInt(chunk), observed ?? null, known(step.policy), known(step.policy_hash), known(step.plan_step)],
    ...[BigInt(lease), known(step.motion_id), segment, step.run_id ?? null],
    ...goalValues(step.goal),
  ];
}
