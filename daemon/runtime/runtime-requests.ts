import {
  type CellBus,
  checkOwnerNamed,
  EdgeError,
  fieldsOf,
  LIMITS,
  METHODS,
  neededText,
  type RunBrief,
  type RunBriefsRequest,
  type RunDetails,
  type RuntimeApi,
  traceparentOf,
} from '../../contract/core.ts';

/** Most runs in one answer; a client that follows more asks in parts. */
const BRIEFS_MAX = 256;

/** What other cells ask of the runtime for ROS nodes, the key space and central. */
export function serveRuntimeRequests(
  bus: Pick<CellBus, 'handle'>,
  runtime: Pick<RuntimeApi, 'submit' | 'cancel' | 'run' | 'runs'>,
): void {
  const { intentSubmit, runBriefs, runCancel } = METHODS.runtime;
  bus.handle(intentSubmit, async (body, _from, _madeAtMs, wantedAtMs) => {
    const { request, context } = body;
    const { run, duplicate } = await runtime.submit(request, context, wantedAtMs);
    return { ...briefOf(runtime.run(run.run_id)), duplicate } satisfies RunBrief;
  });
  bus.handle(runBriefs, async (body) => {
    const { runIds, limit = 20, key, tenant } = body;
    if (key) return runtime.runs({ limit: LIMITS.RUNS_REMEMBERED_MAX }).filter(byKey(key)).map(briefOf);
    const ofTenant = tenant === undefined ? {} : { tenant };
    if (!runIds) return runtime.runs({ limit: Math.min(limit, BRIEFS_MAX), ...ofTenant }).map(briefOf);
    return runIds.slice(0, BRIEFS_MAX).flatMap((runId) => known(runtime, runId, tenant));
  });
  bus.handle(runCancel, async (body) => {
    const { reason, of } = fieldsOf(body);
    const runId = neededText(runCancel, body, 'runId');
    checkOwnerNamed(runCancel, body, ['runId', 'reason', 'of'], 'of');
    const owner = fieldsOf(of);
    const { tenant, principal } = runtime.run(runId).intent.policy_ctx;
    if (of !== undefined && (owner['tenant'] !== tenant || owner['principal'] !== principal)) {
      throw new EdgeError('policy.denied', {
        operation: 'cancel',
        subject: runId,
        message: `${String(owner['principal'] ?? 'the caller')} did not open this run`,
        hint: 'cancel it where it was asked for, or as an operator through the API',
      });
    }
    await runtime.cancel(runId, typeof reason === 'string' ? reason.slice(0, 512) : 'cancelled');
    return briefOf(runtime.run(runId));
  });
}

function byKey(key: NonNullable<RunBriefsRequest['key']>) {
  return ({ intent }: RunDetails): boolean =>
    intent.idempotency_key === key.idempotency_key &&
    intent.policy_ctx.tenant === key.tenant &&
    ('origin' in key
      ? intent.policy_ctx.origin === key.origin
      : intent.policy_ctx.principal === key.principal);
}

/** A run of another tenant is as if it were not there. */
function known(runtime: Pick<RuntimeApi, 'run'>, runId: string, tenant: string | undefined): RunBrief[] {
  try {
    const run = runtime.run(runId);
    return tenant === undefined || run.intent.policy_ctx.tenant === tenant ? [briefOf(run)] : [];
  } catch (error) {
    if (error instanceof EdgeError && error.code === 'run.not_found') return [];
    throw error;
  }
}

function briefOf({ run, intent, phase, reason, summary, error }: RunDetails): RunBrief {
  return {
    run_id: run.run_id,
    intent_id: run.intent_id,
    type: intent.type,
    status: run.status,
    ...(phase === undefined ? {} : { phase }),
    reason,
    traceparent: traceparentOf({ runId: run.run_id, traceparent: intent.traceparent }, run.run_id),
    ...(run.score === undefined ? {} : { score: run.score }),
    ...(summary === undefined ? {} : { summary }),
    ...(error === undefined ? {} : { error }),
  };
}
