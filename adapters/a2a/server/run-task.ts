import { type Artifact, type Message, type Part, Role, type Task, TaskState } from '@a2a-js/sdk';
import { isFinished, type RunDetails, type RunStatus } from '../../../contract/core.ts';
import { contextOf } from './message-intent.ts';

const STATES: Readonly<Record<RunStatus, TaskState>> = {
  queued: TaskState.TASK_STATE_SUBMITTED,
  running: TaskState.TASK_STATE_WORKING,
  // People of the robot approve and pause, never the client: for the client it is work that is not done.
  waiting_approval: TaskState.TASK_STATE_WORKING,
  paused: TaskState.TASK_STATE_WORKING,
  succeeded: TaskState.TASK_STATE_COMPLETED,
  failed: TaskState.TASK_STATE_FAILED,
  cancelled: TaskState.TASK_STATE_CANCELED,
};

/** A run as a task of the protocol: the ids are equal, the summary is its artifact, the reason its message. Pure. */
export function taskOf(details: RunDetails): Task {
  const { run, finished_ts, started_ts, queued_ts } = details;
  const contextId = contextOf(details);
  const timestamp = isoOf(finished_ts ?? started_ts ?? queued_ts);
  const words = wordsOf(details);
  const message =
    words === '' ? undefined : agentMessage(words, run.run_id, contextId, `${run.run_id}-status`);
  return {
    ...{ id: run.run_id, contextId, history: [], metadata: undefined },
    status: { state: STATES[run.status], message, timestamp },
    artifacts: artifactsOf(details),
  };
}

/** A message of this robot. Pure. */
export function agentMessage(text: string, taskId: string, contextId: string, messageId: string): Message {
  return {
    ...{ messageId, contextId, taskId, role: Role.ROLE_AGENT },
    ...{ parts: [textPart(text)], metadata: undefined, extensions: [], referenceTaskIds: [] },
  };
}

export function textPart(value: string): Part {
  return { content: { $case: 'text', value }, metadata: undefined, filename: '', mediaType: 'text/plain' };
}

export function dataPart(value: unknown): Part {
  return {
    content: { $case: 'data', value },
    metadata: undefined,
    filename: '',
    mediaType: 'application/json',
  };
}

function artifactsOf({ run, summary }: RunDetails): Artifact[] {
  if (summary === undefined || Object.keys(summary).length === 0) return [];
  return [
    {
      ...{ artifactId: `${run.run_id}-summary`, name: 'summary', description: 'what the run reports' },
      ...{ parts: [dataPart(summary)], metadata: undefined, extensions: [] },
    },
  ];
}

function wordsOf({ run, reason, phase, error }: RunDetails): string {
  const state =
    run.status === 'waiting_approval'
      ? 'a person has to approve it'
      : run.status === 'paused'
        ? 'it is paused'
        : '';
  const said = [state, reason, phase === undefined || isFinished(run.status) ? '' : `phase ${phase}`]
    .filter((one) => one !== '')
    .join(': ');
  const unsafe = run.stop_confirmed === false ? '; it was not confirmed that the robot stands' : '';
  return `${said}${error && reason === '' ? error.message : ''}${unsafe}`;
}

/** Wire times are nanoseconds as text. */
function isoOf(ts: string): string {
  return new Date(Number(BigInt(ts) / 1_000_000n)).toISOString();
}
