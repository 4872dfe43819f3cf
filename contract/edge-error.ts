import type { ErrorBody } from './errors.ts';

/**
 * Every error code, in one place. A code never changes its meaning; `retryable` is the default,
 * which the code that throws may narrow. Names are `subject.fault`.
 */
export const ERROR_CATALOGUE = {
  'config.unreadable': { retryable: false, text: 'the configuration file cannot be read' },
  'config.syntax': { retryable: false, text: 'the configuration file is not TOML' },
  'config.invalid': { retryable: false, text: 'a configuration key, type or unit is wrong' },
  'config.refused': { retryable: false, text: 'the robot does not take this configuration now' },
  'schema.invalid': { retryable: false, text: 'a value does not fit its schema' },
  'intent.unknown_type': { retryable: false, text: 'no application serves this intent type' },
  'intent.duplicate': { retryable: false, text: 'the idempotency key was used for another intent' },
  'intent.expired': { retryable: false, text: 'the deadline passed before the run started' },
  'run.not_found': { retryable: false, text: 'no such run' },
  'run.interrupted': { retryable: true, text: 'the run was interrupted by a restart and could not continue' },
  'run.cancelled': { retryable: false, text: 'the run was cancelled' },
  'run.finished': { retryable: false, text: 'the run is over' },
  'run.not_supported': { retryable: false, text: 'the harness of this run does not take this' },
  'run.budget': { retryable: false, text: 'the budget of the run or its tenant is used up' },
  'run.limit': { retryable: true, text: 'too many runs are queued' },
  'tool.not_found': { retryable: false, text: 'no such tool' },
  'tool.failed': { retryable: true, text: 'the tool failed' },
  'policy.denied': { retryable: false, text: 'a policy hook denied it' },
  'policy.needs_approval': { retryable: true, text: 'a person has to approve it first' },
  'approval.not_found': { retryable: false, text: 'no such approval' },
  'approval.answered': { retryable: false, text: 'the approval was answered otherwise already' },
  'question.not_found': { retryable: false, text: 'no such question' },
  'question.answered': { retryable: false, text: 'the question is settled already' },
  'quota.exceeded': { retryable: true, text: 'the quota of the tenant is used up' },
  'skill.invalid': { retryable: false, text: 'a skill does not fit the Agent Skills format' },
  'extension.failed': { retryable: false, text: 'an extension of an application failed' },
  'mcp.failed': { retryable: true, text: 'an MCP server failed or lied' },
  'policy.invalid': { retryable: false, text: 'a policy cannot be parsed or does not fit its schema' },
  'replay.diverged': { retryable: false, text: 'the replay took another way than the recorded run' },
  'limit.exceeded': { retryable: false, text: 'it is larger than its limit' },
  'deadline.exceeded': { retryable: true, text: 'no answer by the deadline' },
  'cell.unavailable': { retryable: true, text: 'the cell is not running' },
  'cell.restarted': { retryable: true, text: 'the cell restarted while it worked on this' },
  'cell.overloaded': { retryable: true, text: 'a bounded queue is full' },
  'robot.unreachable': { retryable: true, text: 'the robot does not answer' },
  'robot.no_path': { retryable: false, text: 'no path leads to the goal' },
  'robot.stuck': { retryable: true, text: 'the robot makes no progress' },
  'robot.preempted': { retryable: true, text: 'another motion took over' },
  'robot.starved': { retryable: true, text: 'the control loop had no unexpired action' },
  'robot.not_supported': { retryable: false, text: 'this robot has no such ability' },
  'lease.held': { retryable: true, text: 'another client holds the actuation lease' },
  'lease.lost': { retryable: true, text: 'the actuation lease expired or was taken' },
  'estop.engaged': { retryable: false, text: 'the emergency stop is engaged' },
  'command.refused': { retryable: false, text: 'the numeric gate refused a command' },
  'command.expired': { retryable: true, text: 'the command came too late and was dropped' },
  'sample.malformed': { retryable: false, text: 'the bytes are not a message of the declared type' },
  'sample.unknown_type': { retryable: false, text: 'the message type has no definition on this host' },
  'sample.too_large': { retryable: false, text: 'the message is above the limit' },
  'recorder.failed': { retryable: true, text: 'the recorder cannot write' },
  'recorder.disk_full': { retryable: true, text: 'the disk is full or below the floor' },
  'mcap.malformed': { retryable: false, text: 'the file is not a valid MCAP file' },
  'bag.malformed': { retryable: false, text: 'the bag cannot be read' },
  'bag.exists': { retryable: false, text: 'a bag of that name is there already' },
  'bag.unwritable': { retryable: true, text: 'the bag cannot be written' },
  'log.failed': { retryable: true, text: 'the event log cannot be written' },
  'log.tampered': { retryable: false, text: 'the hash chain of the event log is broken' },
  'log.damaged': { retryable: false, text: 'the event log file is damaged or not an event log' },
  'lake.failed': { retryable: true, text: 'the lakehouse refused the statement' },
  'lake.unavailable': { retryable: true, text: 'the lakehouse is not open' },
  'recall.not_found': { retryable: false, text: 'no such recorded recall' },
  'zenoh.unavailable': { retryable: false, text: 'no Zenoh driver can be loaded on this host' },
  'zenoh.failed': { retryable: true, text: 'the Zenoh session refused the operation' },
  'zenoh.closed': { retryable: false, text: 'the Zenoh session is closed' },
  'ros.unavailable': { retryable: false, text: 'no usable ROS 2 installation on this host' },
  'ros.failed': { retryable: true, text: 'the ROS 2 client failed' },
  'ros.not_found': { retryable: true, text: 'no node in the ROS graph offers it' },
  'ros.refused': { retryable: false, text: 'a ROS node refused the request' },
  'route.silent': { retryable: true, text: 'a route is matched but nothing passes' },
  'route.diverged': { retryable: true, text: 'a route passes less than it takes' },
  'model.not_found': { retryable: false, text: 'no model of this name is configured' },
  'model.unavailable': { retryable: true, text: 'the model or policy cannot be loaded' },
  'model.failed': { retryable: true, text: 'the model or policy failed' },
  'model.bad_observation': { retryable: false, text: 'the observation does not fit the policy' },
  'wire.refused': { retryable: false, text: 'what a peer sent is not what this wire takes' },
  'runtime.lost': { retryable: true, text: 'the runtime that executes the run is not connected' },
  'runtime.refused': { retryable: false, text: 'what a runtime sent is not what the contract allows' },
  'runtime.not_found': { retryable: false, text: 'no runtime of this name is configured' },
  'link.unreachable': { retryable: true, text: 'central does not answer' },
  'link.gap': { retryable: true, text: 'central does not hold the events before this batch' },
  'link.refused': { retryable: false, text: 'central does not accept what it was sent' },
  'link.conflict': { retryable: false, text: 'central holds other data under this sequence' },
  'api.unauthorised': { retryable: false, text: 'the token is missing or wrong' },
  'api.forbidden': { retryable: false, text: 'requests from this origin or for this host are not answered' },
  'api.not_found': { retryable: false, text: 'no such endpoint' },
  'api.too_large': { retryable: false, text: 'the request body is above the limit' },
  'host.port_in_use': { retryable: false, text: 'the port is taken' },
  'host.data_dir_in_use': { retryable: false, text: 'another daemon uses this data directory' },
  'host.missing': { retryable: false, text: 'something this needs is not installed' },
  'sim.failed': { retryable: true, text: 'the simulation failed' },
  'internal.fault': { retryable: false, text: 'a defect in this software' },
} as const satisfies Record<string, { retryable: boolean; text: string }>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;
export const ERROR_CODES = Object.keys(ERROR_CATALOGUE) as [ErrorCode, ...ErrorCode[]];

export type ErrorDetails = {
  readonly operation: string;
  readonly subject: string;
  readonly message?: string;
  readonly hint?: string;
  readonly retryable?: boolean;
  readonly cause?: unknown;
};

/** The one error class that crosses room and cell borders. */
export class EdgeError extends Error {
  readonly code: ErrorCode;
  readonly operation: string;
  readonly subject: string;
  readonly hint: string;
  readonly retryable: boolean;

  constructor(code: ErrorCode, details: ErrorDetails) {
    super(details.message ?? ERROR_CATALOGUE[code].text, { cause: details.cause });
    this.name = 'EdgeError';
    this.code = code;
    this.operation = details.operation;
    this.subject = details.subject;
    this.hint = details.hint ?? '';
    this.retryable = details.retryable ?? ERROR_CATALOGUE[code].retryable;
  }

  toBody(): ErrorBody {
    return {
      code: this.code,
      operation: this.operation.slice(0, 256),
      subject: this.subject.slice(0, 1024),
      message: this.message.slice(0, 4096),
      hint: this.hint.slice(0, 1024),
      retryable: this.retryable,
    };
  }

  static fromBody(body: ErrorBody, cause?: unknown): EdgeError {
    return new EdgeError(body.code, { ...body, cause });
  }

  /** Wraps anything thrown; an EdgeError stays as it is. */
  static from(thrown: unknown, code: ErrorCode, operation: string, subject: string): EdgeError {
    if (thrown instanceof EdgeError) return thrown;
    return new EdgeError(code, { operation, subject, message: wordsOf(thrown), cause: thrown });
  }
}

/** The message of a thrown value. Foreign code may throw anything, even a value that throws when it is read. */
export function wordsOf(thrown: unknown): string {
  try {
    return String(thrown instanceof Error ? thrown.message : thrown);
  } catch {
    return 'something was thrown that cannot be read';
  }
}
