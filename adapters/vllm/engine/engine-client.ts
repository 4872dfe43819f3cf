import { type Clock, EdgeError, withDeadline } from '../../../contract/core.ts';
import { boundedText } from '../bounded-text.ts';

const ASK_MS = 5_000;
const BODY_MAX = 1024 * 1024;

/** The few requests to an engine besides its API. Each settles by its deadline. */
export class EngineClient {
  readonly #root: string;
  readonly #clock: Clock;

  constructor(port: number, clock: Clock) {
    this.#root = `http://127.0.0.1:${port}`;
    this.#clock = clock;
  }

  /** Undefined: the server does not answer. */
  async health(ms = ASK_MS): Promise<number | undefined> {
    try {
      return (await this.#ask('GET', '/health', ms)).status;
    } catch {
      return undefined;
    }
  }

  /** Names of the models that it serves. Throws `model.unavailable`. */
  async served(): Promise<readonly string[]> {
    const { status, text } = await this.#ask('GET', '/v1/models', ASK_MS);
    try {
      const { data } = JSON.parse(text) as { readonly data: readonly { readonly id: string }[] };
      return data.map(({ id }) => String(id));
    } catch (cause) {
      throw refused(`/v1/models answers HTTP ${status} with no list of models`, cause);
    }
  }

  async isSleeping(): Promise<boolean> {
    const { status, text } = await this.#ask('GET', '/is_sleeping', ASK_MS);
    if (status !== 200) return false;
    return (JSON.parse(text) as { readonly is_sleeping?: unknown }).is_sleeping === true;
  }

  async sleep(level: 1 | 2, ms: number): Promise<void> {
    await this.#order(`/sleep?level=${level}`, ms);
  }

  /** Discarded weights (level 2) are loaded again before the cache is. */
  async wake(level: 1 | 2, ms: number): Promise<void> {
    if (level === 1) return await this.#order('/wake_up', ms);
    await this.#order('/wake_up?tags=weights', ms);
    await this.#order('/collective_rpc', ms, JSON.stringify({ method: 'reload_weights' }));
    await this.#order('/wake_up?tags=kv_cache', ms);
  }

  async #order(path: string, ms: number, body?: string): Promise<void> {
    const { status } = await this.#ask('POST', path, ms, body);
    if (status >= 200 && status < 300) return;
    throw refused(
      `the engine answers HTTP ${status} to ${path}`,
      undefined,
      'vLLM has it with --enable-sleep-mode and VLLM_SERVER_DEV_MODE=1',
    );
  }

  async #ask(
    method: 'GET' | 'POST',
    path: string,
    ms: number,
    body?: string,
  ): Promise<{ status: number; text: string }> {
    const abort = new AbortController();
    const work = (async () => {
      const response = await fetch(`${this.#root}${path}`, {
        method,
        redirect: 'manual',
        signal: abort.signal,
        ...(body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } }),
      });
      return { status: response.status, text: await boundedText(response, BODY_MAX) };
    })();
    try {
      return await withDeadline(this.#clock, ms, work, path, 'engine');
    } catch (thrown) {
      throw EdgeError.from(thrown, 'model.unavailable', path, 'engine');
    } finally {
      abort.abort();
    }
  }
}

function refused(message: string, cause: unknown, hint = ''): EdgeError {
  return new EdgeError('model.unavailable', {
    operation: 'ask engine',
    subject: 'engine',
    message,
    hint,
    cause,
  });
}
