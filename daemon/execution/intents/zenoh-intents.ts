import {
  type Answer,
  type Clock,
  EdgeError,
  isFinished,
  isUuidv7,
  type KeySpace,
  LIMITS,
  type PolicyContext,
  parseJson,
  type Query,
  type RunBrief,
} from '../../../contract/core.ts';
import type { IntentDoor } from './intent-door.ts';
import type { RunFollower } from './run-follower.ts';

export type ZenohIntentsParts = {
  readonly door: IntentDoor;
  readonly follower: RunFollower;
  readonly clock: Clock;
  /** Key of this robot, without a slash at its ends. */
  readonly base: string;
  readonly context: PolicyContext;
  /** JSON Schema of an intent request, as text. */
  readonly schema: string;
};

/** Tenant of whose robot it is. */
const OWNER = 'local';
const JSON_ENCODING = 'application/json';
/** An intent has to be durable by then, milliseconds. */
const SUBMIT_MS = 5_000;
/** Longest that one may wait for the end of a run in one query, milliseconds; a client that needs more asks again. */
export const WAIT_MS_MAX = 600_000;
/** Queries that wait for the end of a run; more are refused. */
const WAITING_MAX = 64;
const PAYLOAD_BYTES_MAX = LIMITS.INTENT_PARAMS_BYTES_MAX + 16 * 1024;
const RUNS_SHOWN = 50;

/**
 * The way in for any client in the key space: intents, runs and their end, as JSON. Declared again in each session.
 *
 * `<base>/intent` puts one, `<base>/intent/schema` describes it, `<base>/runs` and `<base>/runs/<id>` show them,
 * `<base>/runs/<id>/cancel` ends one that came this way.
 */
export class ZenohIntents {
  readonly name = 'intents';
  readonly #parts: ZenohIntentsParts;
  #waiting = 0;

  constructor(parts: ZenohIntentsParts) {
    this.#parts = parts;
  }

  async attach(keySpace: KeySpace): Promise<void> {
    const { base } = this.#parts;
    const serve = (key: string, answer: (query: Query) => Promise<unknown>, timeoutMs: number) =>
      keySpace.queryable(key, async (query) => json(await answer(query)), { complete: true, timeoutMs });
    const soon = SUBMIT_MS + LIMITS.CELL_REQUEST_MS;
    await serve(`${base}/intent/schema`, async () => parseJson(this.#parts.schema) as unknown, soon);
    await serve(`${base}/runs`, async () => ({ runs: await this.#runs() }), soon);
    await serve(`${base}/runs/*`, (query) => this.#run(query), WAIT_MS_MAX + soon);
    await serve(`${base}/runs/*/cancel`, (query) => this.#cancel(query), soon * 2);
    // The last to come: who sees it finds everything else.
    await serve(`${base}/intent`, (query) => this.#submit(query), WAIT_MS_MAX + soon);
  }

  async #submit(query: Query): Promise<RunBrief> {
    const { door, base, context } = this.#parts;
    if (query.key !== `${base}/intent`) {
      throw invalid(`an intent must address one robot: query ${base}/intent, without wildcards`);
    }
    const waitMs = waitOf(query.parameters);
    if (query.payload === undefined || query.payload.byteLength === 0) {
      throw invalid(`expected a JSON payload; ${base}/intent/schema has its schema`);
    }
    const request = withTrace(parse(query.payload), query.attachment);
    const run = await door.submit(request, context, SUBMIT_MS);
    const ended = await this.#ended(run, waitMs);
    return run.duplicate === undefined ? ended : { ...ended, duplicate: run.duplicate };
  }

  #runs(): Promise<readonly RunBrief[]> {
    return this.#parts.door.briefs({ limit: RUNS_SHOWN, ...this.#seen() }, LIMITS.CELL_REQUEST_MS);
  }

  /** Who comes as a guest, of another tenant than the robot's own, sees the runs of that tenant. */
  #seen(): { readonly tenant?: string } {
    const { tenant } = this.#parts.context;
    return tenant === OWNER ? {} : { tenant };
  }

  async #run(query: Query): Promise<RunBrief | { readonly runs: readonly RunBrief[] }> {
    const runId = query.key.slice(this.#parts.base.length + '/runs/'.length);
    if (runId.includes('*')) return { runs: await this.#runs() };
    const asked = { runIds: [idOf(runId)], ...this.#seen() };
    const [run] = await this.#parts.door.briefs(asked, LIMITS.CELL_REQUEST_MS);
    if (!run) throw new EdgeError('run.not_found', { operation: 'find run', subject: runId });
    return this.#ended(run, waitOf(query.parameters));
  }

  async #cancel(query: Query): Promise<RunBrief> {
    const { base, door, context } = this.#parts;
    const runId = idOf(query.key.slice(base.length + '/runs/'.length, -'/cancel'.length));
    return door.cancel({ runId, reason: 'requested through Zenoh', of: context });
  }

  /** The run when it has ended, or as it is when `waitMs` are over. */
  async #ended(run: RunBrief, waitMs: number): Promise<RunBrief> {
    if (waitMs === 0 || isFinished(run.status)) return run;
    if (this.#waiting >= WAITING_MAX) {
      throw new EdgeError('cell.overloaded', {
        operation: 'wait for a run',
        subject: run.run_id,
        message: `${WAITING_MAX} queries already wait for runs; the run continues`,
        hint: `ask ${this.#parts.base}/runs/${run.run_id} later`,
      });
    }
    this.#waiting += 1;
    const { follower, clock } = this.#parts;
    try {
      return await new Promise<RunBrief>((resolve) => {
        let last = run;
        const done = (): void => {
          timer.cancel();
          watching.cancel();
          resolve(last);
        };
        const timer = clock.after(waitMs, done);
        const watching = follower.watch(
          run.run_id,
          (now) => {
            last = now;
            if (isFinished(now.status)) done();
          },
          done,
        );
      });
    } finally {
      this.#waiting -= 1;
    }
  }
}

/** `wait=<milliseconds>` among the parameters of a selector. Throws `schema.invalid`. */
function waitOf(parameters: string): number {
  let waitMs = 0;
  for (const part of parameters.split(/[;&]/).filter((one) => one !== '')) {
    const [name = '', value = ''] = part.split('=', 2);
    if (name.startsWith('_')) continue;
    if (name !== 'wait') throw invalid(`unknown parameter ${name.slice(0, 64)}; the only parameter is wait`);
    waitMs = /^\d{1,9}$/.test(value) ? Number(value) : -1;
    if (waitMs < 0 || waitMs > WAIT_MS_MAX)
      throw invalid(`wait=${value.slice(0, 32)}: expected milliseconds, at most ${WAIT_MS_MAX}`);
  }
  return waitMs;
}

function parse(payload: Uint8Array): unknown {
  if (payload.byteLength > PAYLOAD_BYTES_MAX) throw invalid(`above ${PAYLOAD_BYTES_MAX} bytes`);
  try {
    return parseJson(new TextDecoder('utf-8', { fatal: true }).decode(payload)) as unknown;
  } catch (error) {
    throw invalid(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/**
 * The W3C trace context in the note beside a query: as it is, or as `traceparent: <it>`; an invalid one is left out.
 */
function withTrace(request: unknown, attachment: Uint8Array | undefined): unknown {
  if (!attachment || attachment.byteLength > LIMITS.ROUTE_ATTACHMENT_BYTES_MAX) return request;
  const text = new TextDecoder().decode(attachment);
  const [traceparent] = /\b[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\b/.exec(text) ?? [];
  if (traceparent === undefined || typeof request !== 'object' || request === null) return request;
  return { traceparent, ...request };
}

function idOf(text: string): string {
  const shown = text.slice(0, 128);
  if (isUuidv7(text)) return text;
  throw new EdgeError('run.not_found', { operation: 'find run', subject: shown });
}

function invalid(message: string): EdgeError {
  return new EdgeError('schema.invalid', { operation: 'read query', subject: 'intent', message });
}

/** What is said of one run carries its trace context beside it, as the question carried that of the caller. */
function json(value: unknown): Answer {
  const { traceparent } = value as Partial<RunBrief>;
  const payload = new TextEncoder().encode(JSON.stringify(value));
  if (traceparent === undefined) return { payload, encoding: JSON_ENCODING };
  const attachment = new TextEncoder().encode(`traceparent: ${traceparent}`);
  return { payload, encoding: JSON_ENCODING, attachment };
}
