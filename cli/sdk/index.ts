import { type AskPlan, EdgeError, isFinished, type RunDetails, type Submitted } from '../../contract/core.ts';
import { type ApiClient, apiClient } from '../../daemon/client/api-client.ts';
import { type DaemonChild, startDaemon } from '../../daemon/client/daemon-child.ts';
import { isPortFree } from '../../daemon/port-check.ts';
import type { Settings } from '../../daemon/settings.ts';
import type { SessionBox } from '../chat/shown.ts';
import { settingsOf } from '../context.ts';
import type { Status } from '../status-view.ts';
import { RobotSession, type SessionOptions } from './session.ts';

export type { Shown as SessionEvent, Status as SessionStatus } from '../chat/shown.ts';
export type { Answer, RobotSession, SessionOptions } from './session.ts';

export type RobotOptions = {
  /** Configuration file of the daemon; absent: as the command line finds it. */
  readonly config?: string;
  /** Data directory of the daemon: address and token are read there. Absent: that of the configuration. */
  readonly dataDir?: string;
  /** A daemon on another host, with its token. */
  readonly url?: string;
  readonly token?: string;
  /** Starts a daemon for this program, in `dataDir`; `close` ends it. */
  readonly start?: boolean | { readonly env?: Readonly<Record<string, string>>; readonly timeoutMs?: number };
};

export type Robot = {
  /** Requests to `/v1`, docs/api.md. Errors are `EdgeError` with the code of the daemon. */
  readonly api: ApiClient;
  status(): Promise<Status>;
  /** Sends an intent, and resolves when its run has ended; `signal` cancels the run, the robot first. */
  intent(
    type: string,
    params?: Readonly<Record<string, unknown>>,
    options?: { readonly signal?: AbortSignal; readonly key?: string },
  ): Promise<RunDetails>;
  /**
   * Words as an intent of an installed application. Nothing moves before `confirm`; an order to stop is carried out.
   * Of words that mean several things `confirm` takes the `ask_id` of one of the `candidates`.
   */
  ask(words: string): Promise<AskPlan & { confirm(askId?: string): Promise<RunDetails> }>;
  /** A conversation with an agent. Nothing is opened before its first words. */
  session(options?: SessionOptions): Promise<RobotSession>;
  /** Stops whatever moves. `confirmed: false`: the robot was not measured to stand. */
  stop(): Promise<{ readonly confirmed: boolean; readonly warnings: readonly string[] }>;
  /** Leaves all sessions, and ends the daemon where this program started it. */
  close(): Promise<void>;
};

type Env = Readonly<Record<string, string>>;

/** Beside another daemon of this host the API takes a free port; clients find it by the data directory. */
async function startEnv({ config: { api } }: Settings, env: Env): Promise<Env> {
  const isNamed = env['AURAISON_API_PORT'] !== undefined;
  return isNamed || (await isPortFree(api.host, api.port)) ? env : { ...env, AURAISON_API_PORT: '0' };
}

type StopAnswer = {
  readonly result?: { readonly confirmed?: false; readonly warnings?: readonly string[] };
};

const START_MS = 90_000;
const ASK_MS = 90_000;
const LOOK_MS = 250;

/**
 * A robot for a program: its running daemon, one on another host, or one that is started for this program. Whatever it
 * does passes the policies, approvals and limits of the daemon, as every other client does.
 */
export async function openRobot(options: RobotOptions = {}): Promise<Robot> {
  const settings = settingsOf(options);
  const { url, token, start } = options;
  if (start !== undefined && start !== false && url !== undefined)
    throw new EdgeError('config.invalid', {
      operation: 'open robot',
      subject: 'start',
      message: 'expected url or start, found both',
    });
  const daemon: DaemonChild | undefined =
    start === undefined || start === false
      ? undefined
      : await startDaemon({
          ...{ dataDir: settings.dataDir, config: options.config },
          env: await startEnv(settings, start === true ? {} : (start.env ?? {})),
          timeoutMs: start === true ? START_MS : (start.timeoutMs ?? START_MS),
        });
  const api = apiClient(
    settings,
    url === undefined ? {} : { AURAISON_URL: url, ...(token === undefined ? {} : { AURAISON_TOKEN: token }) },
  );
  const sessions = new Set<RobotSession>();
  return {
    api,
    status: () => api.get<Status>('/v1/status'),
    async intent(type, params = {}, { signal, key } = {}) {
      signal?.throwIfAborted();
      const request = { type, params, ...(key === undefined ? {} : { idempotency_key: key }) };
      return await ended(api, await api.post<Submitted>('/v1/intents', request, 60_000), signal);
    },
    async ask(words) {
      const plan = await api.post<AskPlan>('/v1/ask', { words }, ASK_MS);
      const confirm = async (askId = plan.ask_id) =>
        await ended(api, await api.post<Submitted>(`/v1/ask/${askId}/confirm`, {}, 60_000));
      return { ...plan, confirm };
    },
    async session(wanted = {}) {
      const there =
        wanted.session === undefined
          ? undefined
          : await api.get<SessionBox>(`/v1/sessions/${encodeURIComponent(wanted.session)}`);
      const session = new RobotSession(api, wanted, there);
      sessions.add(session);
      return session;
    },
    async stop() {
      const { result } = await api.post<StopAnswer>('/v1/robot/stop', {});
      return { confirmed: result?.confirmed !== false, warnings: result?.warnings ?? [] };
    },
    async close() {
      await Promise.all([...sessions].map((session) => session.dispose()));
      await daemon?.stop();
    },
  };
}

async function ended(api: ApiClient, { run }: Submitted, signal?: AbortSignal): Promise<RunDetails> {
  let cancelled = false;
  for (;;) {
    if (signal?.aborted && !cancelled) {
      cancelled = true;
      await api.post(`/v1/runs/${run.run_id}/cancel`, { reason: 'the program that asked for it gave it up' });
    }
    const details = await api.get<RunDetails>(`/v1/runs/${run.run_id}`);
    if (isFinished(details.run.status)) return details;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
