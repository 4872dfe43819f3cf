import { Readable } from 'node:stream';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import {
  type CellName,
  EdgeError,
  FREEZE_LOOK_MS,
  type Intent,
  intentRequestChecker,
  type NewEvent,
  type RunDetails,
  type RunFilter,
  type RuntimeApi,
  type StopNews,
} from '../../contract/index.ts';
import type { HttpConfig, HttpPorts } from '../../daemon/http/http-ports.ts';
import { HttpServer } from '../../daemon/http/http-server.ts';
import { Stops } from '../../daemon/runtime/stop-count.ts';
import { answerChecked } from './checked-bodies.ts';
import { TinyLog, uuid } from './tiny-log.ts';

export const TOKEN = 'a-token-for-tests';

export const RUN_ID = uuid(900);
export const phase = (n: number, runId = RUN_ID): NewEvent => ({
  kind: 'run.phase',
  run_id: runId,
  payload: { phase: `p${n}`, reason: 'because' },
});

function details(status: RunDetails['run']['status']): RunDetails {
  const intent: Intent = {
    intent_id: uuid(901),
    type: 'maze/find_exit',
    params: {},
    policy_ctx: { tenant: 'local', principal: 'operator', roles: [], origin: 'api' },
    targets: [],
    priority: 5,
  };
  return {
    run: {
      run_id: RUN_ID,
      intent_id: intent.intent_id,
      tree_ref: { session_id: 's', leaf_id: 'l' },
      status,
      harness: 'flow',
      attempt: 1,
    },
    intent,
    app: 'maze',
    phase: 'explore',
    queued_ts: '1700000000000000000',
    started_ts: undefined,
    finished_ts: undefined,
    reason: '',
    summary: undefined,
    error: undefined,
  };
}

/** A runtime that opens one run and obeys; strict about requests like the real one. */
export class TinyRuntime implements RuntimeApi {
  /** News of a stop that came by another way than this server. */
  hears!: (news: StopNews) => void;
  readonly stops = new Stops(new SystemClock(), {
    onBroadcast: (_topic, listen) => {
      this.hears = (news) => listen(news, 'execution');
    },
  });
  status_: RunDetails['run']['status'] = 'running';
  calls: unknown[] = [];
  fault: unknown;

  async submit(request: unknown, context: unknown) {
    if (this.fault) throw this.fault;
    this.calls.push({ request, context });
    intentRequestChecker.parse(request, 'intent');
    const { intent, run } = details('queued');
    return { intent, run, duplicate: false };
  }

  async cancel(runId: string, reason: string) {
    this.#known(runId);
    this.calls.push({ cancel: runId, reason });
    this.status_ = 'cancelled';
    return details('cancelled').run;
  }

  runs(filter: RunFilter = {}) {
    this.calls.push({ runs: filter });
    const { tenant } = filter;
    const all = [details(this.status_)];
    return all.filter((one) => tenant === undefined || one.intent.policy_ctx.tenant === tenant);
  }

  run(runId: string) {
    this.#known(runId);
    return details(this.status_);
  }

  decisions(runId: string) {
    this.#known(runId);
    return Readable.from(['{"phase":"explore"}\n', '{"phase":"done"}\n']);
  }

  status() {
    if (this.fault) throw this.fault;
    return { ready: true, runs: [details(this.status_).run], apps: ['maze'], phase: { [RUN_ID]: 'explore' } };
  }

  moves() {
    return true;
  }

  #known(runId: string): void {
    if (runId !== RUN_ID) throw new EdgeError('run.not_found', { operation: 'run', subject: runId });
  }
}

export type Rig = {
  readonly url: string;
  readonly server: HttpServer;
  readonly runtime: TinyRuntime;
  readonly logs: Record<CellName, TinyLog>;
  readonly answers: Map<string, (body: unknown) => Promise<unknown>>;
  readonly reports: { level: string; message: string; facts: unknown }[];
  tell(topic: string, body: unknown): void;
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  post(path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
  stop(): Promise<void>;
};

/**
 * Counts only time in which this process was awake. On a busy machine a test process stands still for long enough
 * that the server would take the next order for an old one, as it should; `thaw-guard.test.ts` tests that.
 */
class AwakeClock extends SystemClock {
  #hostMs = super.monotonicMs();
  #awakeMs = this.#hostMs;

  override monotonicMs(): number {
    const hostMs = super.monotonicMs();
    this.#awakeMs += Math.min(hostMs - this.#hostMs, FREEZE_LOOK_MS);
    this.#hostMs = hostMs;
    return this.#awakeMs;
  }
}

export async function startRig(
  config: Partial<HttpConfig> = {},
  ports: Partial<HttpPorts> = {},
): Promise<Rig> {
  const logs = {
    execution: new TinyLog('execution'),
    runtime: new TinyLog('runtime'),
    memory: new TinyLog('memory'),
    link: new TinyLog('link'),
  };
  const runtime = new TinyRuntime();
  const answers: Rig['answers'] = new Map();
  const listeners: { topic: string; listen: (body: unknown, from: CellName) => void }[] = [];
  const reports: Rig['reports'] = [];
  let ids = 0;
  const server = new HttpServer(
    {
      robot: 'tb1',
      version: '0.0.1',
      host: '127.0.0.1',
      port: 0,
      auth: { kind: 'token', token: TOKEN },
      ...config,
    },
    {
      clock: new AwakeClock(),
      runtime,
      bus: {
        request: async <T>(to: CellName, method: string, body: unknown): Promise<T> => {
          const answer = answers.get(method);
          if (!answer) throw new EdgeError('cell.unavailable', { operation: method, subject: to });
          return (await answerChecked(method, body, answer)) as T;
        },
        onBroadcast: (topic, listen) => void listeners.push({ topic, listen }),
      },
      openReader: (cell) => logs[cell].reader(),
      report: (level, message, facts) => void reports.push({ level, message, facts }),
      requestId: () => `r${++ids}`,
      ...ports,
    },
  );
  const { url } = await server.start();
  const auth = { authorization: `Bearer ${TOKEN}` };
  return {
    url,
    server,
    runtime,
    logs,
    answers,
    reports,
    tell: (topic, body) => {
      for (const one of listeners) if (one.topic === topic) one.listen(body, 'execution');
    },
    get: (path, headers = {}) => fetch(url + path, { headers: { ...auth, ...headers } }),
    post: (path, body, headers = {}) =>
      fetch(url + path, {
        method: 'POST',
        headers: {
          ...auth,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
    stop: () => server.stop(),
  };
}

/** Reads server-sent events until `count` came or the stream ended. */
export async function readSse(
  response: Response,
  count: number,
): Promise<{ id: string | undefined; event: string | undefined; data: string }[]> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  const messages: { id: string | undefined; event: string | undefined; data: string }[] = [];
  let rest = '';
  while (messages.length < count) {
    const { value, done } = await reader.read();
    if (done) break;
    const parts = (rest + value).split('\n\n');
    rest = parts.pop()!;
    for (const part of parts) {
      const field = (name: string) =>
        part
          .split('\n')
          .find((line) => line.startsWith(`${name}: `))
          ?.slice(name.length + 2);
      const data = field('data');
      if (data !== undefined) messages.push({ id: field('id'), event: field('event'), data });
    }
  }
  await reader.cancel();
  return messages.slice(0, count);
}
