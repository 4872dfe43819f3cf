import { EdgeError, type ErrorBody, type ErrorCode } from '../../contract/index.ts';

/**
 * HTTP status of every code: 4xx where another request would be answered (it asks for what is not here, or for what
 * this robot cannot do), 503 where the same request may be answered later, 500 where neither helps.
 */
export const STATUS: Readonly<Record<ErrorCode, number>> = {
  'schema.invalid': 400,
  'config.unreadable': 400,
  'config.syntax': 400,
  'config.invalid': 400,
  'model.bad_observation': 400,
  'lake.failed': 400,
  'wire.refused': 400,

  'api.unauthorised': 401,
  'api.forbidden': 403,
  'policy.denied': 403,
  'policy.needs_approval': 403,

  'api.not_found': 404,
  'approval.not_found': 404,
  'model.not_found': 404,
  'question.not_found': 404,
  'recall.not_found': 404,
  'ros.not_found': 404,
  'run.not_found': 404,
  'runtime.not_found': 404,
  'tool.not_found': 404,

  'approval.answered': 409,
  'bag.exists': 409,
  'command.expired': 409,
  'config.refused': 409,
  'command.refused': 409,
  'estop.engaged': 409,
  'intent.duplicate': 409,
  'lease.held': 409,
  'lease.lost': 409,
  'link.conflict': 409,
  'link.gap': 409,
  'link.refused': 409,
  'question.answered': 409,
  'replay.diverged': 409,
  'robot.no_path': 409,
  'robot.not_supported': 409,
  'robot.preempted': 409,
  'robot.stuck': 409,
  'ros.refused': 409,
  'ros.unavailable': 409,
  'run.cancelled': 409,
  'run.finished': 409,
  'run.not_supported': 409,
  'runtime.refused': 409,
  'zenoh.unavailable': 409,

  'api.too_large': 413,
  'bag.malformed': 422,
  'intent.expired': 422,
  'intent.unknown_type': 422,
  'limit.exceeded': 422,
  'mcap.malformed': 422,
  'policy.invalid': 422,
  'sample.malformed': 422,
  'sample.too_large': 422,
  'sample.unknown_type': 422,
  'skill.invalid': 422,
  'quota.exceeded': 429,
  'run.budget': 429,
  'run.limit': 429,

  'extension.failed': 500,
  'host.data_dir_in_use': 500,
  'host.missing': 500,
  'host.port_in_use': 500,
  'internal.fault': 500,
  'log.damaged': 500,
  'log.tampered': 500,
  'zenoh.closed': 500,

  'bag.unwritable': 503,
  'cell.overloaded': 503,
  'cell.restarted': 503,
  'cell.unavailable': 503,
  'lake.unavailable': 503,
  'link.unreachable': 503,
  'log.failed': 503,
  'mcp.failed': 503,
  'model.failed': 503,
  'model.unavailable': 503,
  'recorder.failed': 503,
  'robot.starved': 503,
  'robot.unreachable': 503,
  'ros.failed': 503,
  'route.diverged': 503,
  'route.silent': 503,
  'run.interrupted': 503,
  'runtime.lost': 503,
  'sim.failed': 503,
  'tool.failed': 503,
  'zenoh.failed': 503,
  'deadline.exceeded': 504,
  'recorder.disk_full': 507,
};

export type ErrorReply = { readonly status: number; readonly body: ErrorBody; readonly defect: boolean };

/**
 * Turns any error into the answer of the API. Only an EdgeError is passed on; anything else
 * is a defect of the daemon, whose text stays inside (`defect` asks the caller to report it).
 */
export function errorReply(thrown: unknown, operation: string, requestId: string): ErrorReply {
  if (thrown instanceof EdgeError) {
    return {
      status: statusOf(thrown),
      body: thrown.toBody(),
      defect: thrown.code === 'internal.fault',
    };
  }
  const border = borderError(thrown, operation);
  if (border) return { ...border, defect: false };
  const body = new EdgeError('internal.fault', {
    operation,
    subject: requestId,
    hint: 'the log of the daemon has the details under this request id',
  }).toBody();
  return { status: 500, body, defect: true };
}

/** 503 asks for another try. Where the error itself says that this is in vain, this robot cannot do what was asked: 409. */
function statusOf({ code, retryable }: EdgeError): number {
  // A code of an older or newer cell may have no status here.
  const status = (STATUS as Partial<Record<string, number>>)[code] ?? 500;
  return status === 503 && !retryable ? 409 : status;
}

/** What the HTTP server itself refuses, in our words. */
function borderError(thrown: unknown, operation: string): { status: number; body: ErrorBody } | undefined {
  const { code, statusCode, message } = (thrown ?? {}) as {
    code?: string;
    statusCode?: number;
    message?: string;
  };
  const refuse = (status: number, errorCode: ErrorCode, text: string, hint: string) => ({
    status,
    body: new EdgeError(errorCode, { operation, subject: 'request body', message: text, hint }).toBody(),
  });
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return refuse(
        413,
        'api.too_large',
        'the request body is above the limit',
        'send less, or a file by reference',
      );
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return refuse(415, 'schema.invalid', '/: a JSON body expected', 'send content-type: application/json');
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return refuse(400, 'schema.invalid', '/: a JSON body expected, found nothing', 'send a JSON object');
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return refuse(400, 'schema.invalid', '/: the body is not as long as content-length says', '');
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return refuse(
        400,
        'schema.invalid',
        '/: not JSON',
        'see /openapi.json for the shape; a key named __proto__ is refused',
      );
    default:
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    // Refusals of the server about the request itself (bad URL encoding and the like) name no secret.
    return refuse(statusCode, 'schema.invalid', `/: ${String(message).slice(0, 200)}`, '');
  }
  return undefined;
}
