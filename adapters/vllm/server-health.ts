import { type Clock, EdgeError, type ModelHealth, withDeadline } from '../../contract/core.ts';
import { readFigures, type ServerFigures } from './server-figures.ts';

/** Figures of one server are a few hundred lines; more is not read. */
const BODY_BYTES_MAX = 2 * 1024 * 1024;

export type ServerAddress = {
  /** Of the API, with `/v1`. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly name: string;
};

type Answer = { readonly status: number; readonly text: string };

/**
 * Health of a server besides its API: `/health`, `/is_sleeping`, `/load`, `/metrics`, as vLLM and
 * llama.cpp have them. One that lacks all of these is alive as long as it answers anything at all.
 */
export class ServerHealth {
  readonly #address: ServerAddress;
  readonly #root: string;
  readonly #clock: Clock;
  readonly #probeMs: number;
  /** Paths that this server does not have: not asked again. */
  readonly #absent = new Set<string>();

  constructor(address: ServerAddress, clock: Clock, probeMs: number) {
    this.#address = address;
    this.#root = address.url.replace(/\/+$/, '').replace(/\/v\d+$/, '');
    this.#clock = clock;
    this.#probeMs = probeMs;
  }

  /**
   * A count that grows with each step of its engine; undefined where it reports none. Asked apart from `probe`, whose
   * question for sleep goes to the engine itself: one that hangs never answers it. Never rejects.
   */
  async steps(): Promise<number | undefined> {
    return (await this.#figures()).steps;
  }

  /** Whether it lives and is awake. Never rejects. */
  async probe(): Promise<ModelHealth> {
    const [alive, sleeping] = await Promise.all([this.#alive(), this.#sleeping()]);
    if (alive !== undefined) return { ok: false, reason: alive, queueDepth: 0 };
    if (sleeping) return { ok: false, reason: 'the engine sleeps', queueDepth: 0, sleeping: true };
    return { ok: true, reason: '', queueDepth: 0 };
  }

  /** The same with its queue and cache. Never rejects. */
  async health(): Promise<ModelHealth> {
    const [probe, figures] = await Promise.all([this.probe(), this.#figures()]);
    const { waiting = 0, running, cacheUsage } = figures;
    return {
      ...probe,
      queueDepth: waiting,
      ...(running === undefined ? {} : { running }),
      ...(cacheUsage === undefined ? {} : { cacheUsage }),
    };
  }

  /** `POST /wake_up` of vLLM; it answers when the weights are back. */
  async wake(ms: number): Promise<void> {
    await this.#order('/wake_up', ms);
  }

  async sleep(ms: number): Promise<void> {
    await this.#order('/sleep?level=1', ms);
  }

  async #order(path: string, ms: number): Promise<void> {
    const { status } = await this.#ask(`${this.#root}${path}`, ms, 'POST');
    if (status >= 200 && status < 300) return;
    throw new EdgeError('model.unavailable', {
      operation: path.split('?')[0]!,
      subject: this.#address.name,
      message: `the server answers HTTP ${status} to ${path}`,
      hint: 'vLLM has it with --enable-sleep-mode and VLLM_SERVER_DEV_MODE=1',
    });
  }

  /** Why it is not alive; undefined when it is. */
  async #alive(): Promise<string | undefined> {
    try {
      const health = await this.#get('/health');
      if (health !== undefined) {
        return health.status < 300 ? undefined : `/health answers HTTP ${health.status}`;
      }
      const { status } = await this.#ask(`${this.#address.url.replace(/\/+$/, '')}/models`, this.#probeMs);
      return status < 500 ? undefined : `/models answers HTTP ${status}`;
    } catch (thrown) {
      return reasonOf(thrown);
    }
  }

  async #sleeping(): Promise<boolean> {
    try {
      const answer = await this.#get('/is_sleeping');
      if (answer === undefined || answer.status !== 200) return false;
      return (JSON.parse(answer.text) as { is_sleeping?: unknown }).is_sleeping === true;
    } catch {
      // Health is a separate question.
      return false;
    }
  }

  async #figures(): Promise<ServerFigures> {
    try {
      const metrics = await this.#get('/metrics');
      const figures = metrics?.status === 200 ? readFigures(metrics.text) : {};
      if (figures.running !== undefined) return figures;
      const load = await this.#get('/load');
      const told: unknown =
        load?.status === 200 ? (JSON.parse(load.text) as { server_load?: unknown }).server_load : undefined;
      return typeof told === 'number' && Number.isFinite(told) ? { ...figures, running: told } : figures;
    } catch {
      return {};
    }
  }

  /** Undefined: the server has no such path. */
  async #get(path: string): Promise<Answer | undefined> {
    if (this.#absent.has(path)) return undefined;
    const answer = await this.#ask(`${this.#root}${path}`, this.#probeMs);
    // A path behind another key, or of another kind of server, counts as missing.
    if (![401, 403, 404, 405, 501].includes(answer.status)) return answer;
    this.#absent.add(path);
    return undefined;
  }

  async #ask(url: string, ms: number, method = 'GET'): Promise<Answer> {
    const abort = new AbortController();
    const { headers, name } = this.#address;
    const work = (async () => {
      const response = await fetch(url, { method, headers, signal: abort.signal, redirect: 'manual' });
      return { status: response.status, text: await limited(response) };
    })();
    try {
      return await withDeadline(this.#clock, ms, work, 'health', name);
    } finally {
      abort.abort();
      work.catch(() => {});
    }
  }
}

async function limited(response: Response): Promise<string> {
  if (response.body === null) return '';
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body) {
    bytes += part.byteLength;
    if (bytes > BODY_BYTES_MAX) break;
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function reasonOf(thrown: unknown): string {
  if (thrown instanceof EdgeError) return thrown.message;
  const cause = (thrown as Error).cause as { code?: string } | undefined;
  return cause?.code ?? (thrown as Error).message;
}
